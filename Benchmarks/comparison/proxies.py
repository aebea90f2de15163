"""The proxies that are compared, each configured as a careful operator would for this load.

The same features in all: the binding cookie (nginx's open-source version has none), an
access log in its cheapest form, X-Forwarded-For, connection limits, time-outs, connections to
servers kept alive, one worker. Where one cannot have what the others have, it has the
cheaper thing, and its `notes` say so.
"""

import dataclasses
import json
import os
import pathlib
import re
import shutil

from . import children

CONNECTIONS_MAX = 18_000


@dataclasses.dataclass
class Place:
    """Where one proxy runs: its port, its servers and a directory of its own."""

    port: int
    admin_port: int
    servers: list[str]
    directory: pathlib.Path
    files_max: int  # file descriptors

    @property
    def connections(self) -> int:
        """How many clients fit: each may need a descriptor on both sides."""
        return min(CONNECTIONS_MAX, (self.files_max - 600) // 2)

    def write(self, name: str, text: str) -> pathlib.Path:
        path = self.directory / name
        path.write_text(text)
        return path


class Proxy:
    """One program under test. `configure` returns the command that runs it."""

    name = ""
    cookie: str | None = None  # the binding cookie's name
    notes: list[str] = []

    def program(self) -> str | None:
        """Where the program is, or None."""
        return shutil.which(self.name)

    def version(self) -> str:
        raise NotImplementedError

    def configure(self, place: Place) -> tuple[list, dict]:
        """Writes the configuration. Returns the command and its additional environment."""
        raise NotImplementedError


class HAProxy(Proxy):
    name = "haproxy"
    cookie = "SRV"
    notes = [
        "nbthread 1, balance random(2), cookie insert indirect nocache, http-reuse always, "
        "splice-auto (buffers of 64 KiB were tried: a quarter less CPU at 1 MiB, a third more at "
        "64 KiB, so the default stays).",
        "The access log goes to a ring in memory: this version cannot write a file, and a "
        "line a system call would cost it more. It therefore never leaves the process, "
        "which favours HAProxy.",
    ]

    def program(self) -> str | None:
        return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")

    def version(self) -> str:
        output = children.run([self.program(), "-v"])
        return re.search(r"version (\S+)", output)[1]

    def configure(self, place: Place) -> tuple[list, dict]:
        servers = "\n".join(
            f"    server s{number} {address} cookie s{number}"
            for number, address in enumerate(place.servers, 1)
        )
        # It counts pipes for splicing on top of two descriptors a client: without strict-limits
        # it starts where the system's limit is lower than that sum.
        path = place.write("haproxy.cfg", f"""\
global
    nbthread 1
    maxconn {place.connections}
    no strict-limits
    log ring@access local0 info

ring access
    format rfc5424
    maxlen 1200
    size 1048576

defaults
    mode http
    log global
    option httplog
    option forwardfor
    option http-keep-alive
    option redispatch
    option splice-auto
    http-reuse always
    retries 2
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout queue 5s

frontend bench
    bind 127.0.0.1:{place.port}
    default_backend bench

backend bench
    balance random(2)
    cookie {self.cookie} insert indirect nocache httponly
{servers}
""")
        return [self.program(), "-db", "-f", path], {}


class Nginx(Proxy):
    name = "nginx"
    notes = [
        "worker_processes 1, random two, connections to servers kept (`keepalive`), access "
        "log to a file with buffer=64k flush=1s, uploads streamed in buffers of 128 KiB.",
        "The open-source version has no binding cookie: it reads, seals and sets none, and "
        "bound requests go to any server. This favours nginx.",
    ]

    def program(self) -> str | None:
        return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

    def version(self) -> str:
        return re.search(r"nginx/(\S+)", children.run([self.program(), "-v"]))[1]

    def configure(self, place: Place) -> tuple[list, dict]:
        servers = "\n".join(f"        server {address};" for address in place.servers)
        temporary = "\n".join(
            f"    {kind}_temp_path {place.directory}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        path = place.write("nginx.conf", f"""\
worker_processes 1;
{"user root;" if os.geteuid() == 0 else ""}
pid {place.directory}/nginx.pid;
error_log {place.directory}/error.log warn;
worker_rlimit_nofile {place.files_max};
events {{ worker_connections {2 * place.connections}; }}
http {{
{temporary}
    access_log {place.directory}/access.log combined buffer=64k flush=1s;
    tcp_nodelay on;
    keepalive_timeout 60s;
    keepalive_requests 100000000;
    client_header_timeout 10s;
    client_body_timeout 60s;
    send_timeout 60s;
    client_max_body_size 0;
    upstream bench {{
        random two;
{servers}
        keepalive {max(64, 2 * len(place.servers))};
        keepalive_requests 100000000;
        keepalive_timeout 60s;
    }}
    server {{
        listen 127.0.0.1:{place.port} backlog=4096;
        location / {{
            proxy_pass http://bench;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_connect_timeout 5s;
            proxy_read_timeout 60s;
            proxy_send_timeout 60s;
            proxy_request_buffering off;
            client_body_buffer_size 128k;
            proxy_buffer_size 16k;
            proxy_buffers 8 16k;
            proxy_max_temp_file_size 0;
        }}
    }}
}}
""")
        command = [self.program(), "-p", place.directory, "-c", path, "-g", "daemon off;"]
        return command, {}


class Caddy(Proxy):
    name = "caddy"
    cookie = "srv"
    notes = [
        "GOMAXPROCS=1, lb_policy cookie (the first choice is then at random: it has one "
        "policy, not two), access log as JSON to a file.",
    ]

    def version(self) -> str:
        return children.run([self.program(), "version"]).split()[0]

    def configure(self, place: Place) -> tuple[list, dict]:
        path = place.write("Caddyfile", f"""\
{{
    admin off
    auto_https off
    log {{
        level ERROR
    }}
    servers {{
        timeouts {{
            read_header 10s
            idle 60s
        }}
    }}
}}

http://:{place.port} {{
    bind 127.0.0.1
    log {{
        output file {place.directory}/access.log {{
            roll_disabled
        }}
        format json
        level INFO
    }}
    reverse_proxy {" ".join(place.servers)} {{
        lb_policy cookie {self.cookie}
        lb_retries 2
        transport http {{
            dial_timeout 5s
            response_header_timeout 60s
            keepalive 60s
            keepalive_idle_conns 0
            keepalive_idle_conns_per_host 64
            compression off
        }}
    }}
}}
""")
        home = str(place.directory)
        environment = {
            "GOMAXPROCS": "1", "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home,
        }
        return [self.program(), "run", "--config", path, "--adapter", "caddyfile"], environment


class Belay(Proxy):
    name = "belay"
    cookie = "belay"
    notes = ["workers: 1, random of two choices (the default), access log as JSON to a file."]
    path: pathlib.Path | None = None

    def program(self) -> str | None:
        return str(self.path) if self.path and self.path.exists() else None

    def version(self) -> str:
        return children.run([self.program(), "--version"]).strip() or "?"

    def configure(self, place: Place) -> tuple[list, dict]:
        # A YAML file of one flow mapping is JSON.
        path = place.write("belay.yaml", json.dumps({
            "workers": 1,
            "listeners": [{"address": f"127.0.0.1:{place.port}"}],
            "pools": {
                "bench": {
                    "servers": place.servers,
                    "persistence": {"cookie": {"name": self.cookie}},
                },
            },
            "limits": {"connections": place.connections},
            "log": {"access": "json", "access-to": str(place.directory / "access.log")},
            "state-directory": str(place.directory / "state"),
            "admin": {"address": f"127.0.0.1:{place.admin_port}"},
        }, indent=2))
        return [self.program(), "run", path], {}


ALL = {proxy.name: proxy for proxy in (Belay(), HAProxy(), Nginx(), Caddy())}
