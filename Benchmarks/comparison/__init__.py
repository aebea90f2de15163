"""The comparison of Belay with HAProxy, nginx and Caddy: see ../README.md."""
