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
from .certificates import CIPHERS, GROUP, SUITE, Certificate

CONNECTIONS_MAX = 18_000


@dataclasses.dataclass
class Place:
    """Where one proxy runs: its port, its servers and a directory of its own."""

    port: int
    admin_port: int
    servers: list[str]
    directory: pathlib.Path
    files_max: int  # file descriptors
    certificate: Certificate | None = None  # of a listener with TLS
    http2: bool = False  # without TLS: by prior knowledge
    speech: str = "http"  # or "ws", within HTTP; or "raw", which HTTP is not
    in_flight: int = 64  # requests at once, at most

    @property
    def kept(self) -> int:
        """Connections to one server that are worth keeping, should all go to one."""
        return max(64, self.in_flight)

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
    notes: list[str] = []  # for what speaks HTTP
    notes_of: dict[str, list[str]] = {}  # by the name of a part
    lacks: dict[str, str] = {}  # parts in which it cannot be measured, and why

    def program(self) -> str | None:
        """Where the program is, or None."""
        return shutil.which(self.name)

    def version(self) -> str:
        raise NotImplementedError

    def tls_library(self) -> str:
        """Whose TLS it uses: the system's OpenSSL, or what it brings along."""
        linked = re.search(r"libssl\S* => (\S+)", children.run(["ldd", self.program()]))
        if not linked:
            return "its own"
        return " ".join(children.run(["openssl", "version"]).split()[:2]) + " (the system's)"

    def missing(self, part: str) -> str | None:
        """What has to be installed besides the program, or None."""
        return None

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
    notes_of = {
        "tls": ["its cache of sessions as it is by default, beside the tickets."],
        "http2": ["h2c by `proto h2`."],
        "tcp": ["mode tcp, balance random(2), tcplog to the ring in memory, splice-auto."],
    }

    def program(self) -> str | None:
        return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")

    def version(self) -> str:
        output = children.run([self.program(), "-v"])
        return re.search(r"version (\S+)", output)[1]

    def configure(self, place: Place) -> tuple[list, dict]:
        is_http = place.speech != "raw"
        servers = "\n".join(
            f"    server s{number} {address}" + (f" cookie s{number}" if is_http else "")
            for number, address in enumerate(place.servers, 1)
        )
        bind = f"bind 127.0.0.1:{place.port}"
        if place.certificate:
            bind += f" ssl crt {place.certificate.both} alpn h2,http/1.1"
        elif place.http2:
            bind += " proto h2"
        # It counts pipes for splicing on top of two descriptors a client: without strict-limits
        # it starts where the system's limit is lower than that sum.
        path = place.write("haproxy.cfg", f"""\
global
    nbthread 1
    maxconn {place.connections}
    no strict-limits
    log ring@access local0 info
{self._secure() if place.certificate else ""}
ring access
    format rfc5424
    maxlen 1200
    size 1048576

defaults
    log global
{self._http() if is_http else self._tcp()}
    option redispatch
    option splice-auto
    retries 2
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
    timeout queue 5s

frontend bench
    {bind}
    default_backend bench

backend bench
    balance random(2)
{f"    cookie {self.cookie} insert indirect nocache httponly" if is_http else ""}
{servers}
""")
        return [self.program(), "-db", "-f", path], {}

    @staticmethod
    def _secure() -> str:
        return f"""\
    ssl-default-bind-ciphersuites {SUITE}
    ssl-default-bind-ciphers {CIPHERS}
    ssl-default-bind-curves {GROUP}
    ssl-default-bind-options ssl-min-ver TLSv1.2
"""

    @staticmethod
    def _http() -> str:
        return """\
    mode http
    option httplog
    option forwardfor
    option http-keep-alive
    http-reuse always
    timeout http-request 10s
    timeout http-keep-alive 60s"""

    @staticmethod
    def _tcp() -> str:
        return """\
    mode tcp
    option tcplog"""


class Nginx(Proxy):
    name = "nginx"
    notes = [
        "worker_processes 1, random two, connections to servers kept (`keepalive`), access "
        "log to a file with buffer=64k flush=1s, uploads streamed in buffers of 128 KiB.",
        "The open-source version has no binding cookie: it reads, seals and sets none, and "
        "bound requests go to any server. This favours nginx.",
    ]
    notes_of = {
        "tls": ["tickets, and no cache of sessions, as by default."],
        "http2": ["a listener in clear text has either HTTP/1.1 or HTTP/2: h2c is `http2` alone. "
                  "As many connections to servers are kept as there are requests at once."],
        "websocket": ["Upgrade and Connection are passed on by a map, as its manual says; "
                      "connections to servers are not kept there."],
        "tcp": ["the stream module, random two, buffers of 16 KiB (the default), access log to a "
                "file with buffer=64k flush=1s."],
    }

    def program(self) -> str | None:
        return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

    def version(self) -> str:
        return re.search(r"nginx/(\S+)", children.run([self.program(), "-v"]))[1]

    def missing(self, part: str) -> str | None:
        if part != "tcp" or self._modules() is not None:
            return None
        return "nginx's stream module (libnginx-mod-stream)"

    def _modules(self) -> str | None:
        """What loads the stream module: nothing where it is built in, None where it lacks."""
        built = children.run([self.program(), "-V"])
        if re.search(r"--with-stream(\s|$)", built):
            return ""
        found = re.search(r"--modules-path=(\S+)", built)
        module = pathlib.Path(found[1] if found else "/") / "ngx_stream_module.so"
        return f"load_module {module};" if module.exists() else None

    def configure(self, place: Place) -> tuple[list, dict]:
        is_http = place.speech != "raw"
        path = place.write("nginx.conf", f"""\
{"" if is_http else self._modules()}
worker_processes 1;
{"user root;" if os.geteuid() == 0 else ""}
pid {place.directory}/nginx.pid;
error_log {place.directory}/error.log warn;
worker_rlimit_nofile {place.files_max};
events {{ worker_connections {2 * place.connections}; }}
{self._http(place) if is_http else self._stream(place)}
""")
        command = [self.program(), "-p", place.directory, "-c", path, "-g", "daemon off;"]
        return command, {}

    @staticmethod
    def _servers(place: Place) -> str:
        return "\n".join(f"        server {address};" for address in place.servers)

    @staticmethod
    def _listen(place: Place) -> str:
        words = " ssl" if place.certificate else ""
        words += " http2" if place.http2 or place.certificate else ""
        listen = f"listen 127.0.0.1:{place.port}{words} backlog=4096;"
        if not place.certificate:
            return listen
        return f"""\
{listen}
        ssl_certificate {place.certificate.chain};
        ssl_certificate_key {place.certificate.key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers {CIPHERS};
        ssl_conf_command Ciphersuites {SUITE};
        ssl_ecdh_curve {GROUP};
        ssl_session_tickets on;"""

    def _http(self, place: Place) -> str:
        temporary = "\n".join(
            f"    {kind}_temp_path {place.directory}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        upgrades = place.speech == "ws"
        upgrade_map = "map $http_upgrade $upgrade { default upgrade; '' close; }"
        return f"""\
http {{
{temporary}
    {upgrade_map if upgrades else ""}
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
{self._servers(place)}
        keepalive {max(place.kept, 2 * len(place.servers))};
        keepalive_requests 100000000;
        keepalive_timeout 60s;
    }}
    server {{
        {self._listen(place)}
        location / {{
            proxy_pass http://bench;
            proxy_http_version 1.1;
            proxy_set_header Connection {"$upgrade" if upgrades else '""'};
            {"proxy_set_header Upgrade $http_upgrade;" if upgrades else ""}
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
}}"""

    def _stream(self, place: Place) -> str:
        return f"""\
stream {{
    log_format one '$remote_addr [$time_local] $protocol $status $bytes_sent '
                   '$bytes_received $session_time $upstream_addr';
    access_log {place.directory}/access.log one buffer=64k flush=1s;
    tcp_nodelay on;
    upstream bench {{
        random two;
{self._servers(place)}
    }}
    server {{
        {self._listen(place)}
        proxy_pass bench;
        proxy_connect_timeout 5s;
        proxy_timeout 60s;
    }}
}}"""


class Caddy(Proxy):
    name = "caddy"
    cookie = "srv"
    notes = [
        "GOMAXPROCS=1, lb_policy cookie (the first choice is then at random: it has one "
        "policy, not two), access log as JSON to a file.",
    ]
    _secure = ["TLS by Go's own library, not OpenSSL; Go chooses the suite of TLS 1.3 itself, and "
               "chose the one that the others are given."]
    notes_of = {"tls": _secure, "http2": _secure}
    lacks = {"tcp": "it proxies HTTP only; TCP is a module that Debian's has not"}

    def version(self) -> str:
        return children.run([self.program(), "version"]).split()[0]

    def configure(self, place: Place) -> tuple[list, dict]:
        scheme, secure = "http", ""
        if place.certificate:
            scheme = "https"
            secure = f"""\
    tls {place.certificate.chain} {place.certificate.key} {{
        protocols tls1.2 tls1.3
        ciphers {self._ciphers()}
        curves {GROUP.lower()}
    }}
"""
        # Without HTTP/3, which others would not answer.
        protocols = "h1 h2" if place.certificate else "h1 h2c" if place.http2 else ""
        path = place.write("Caddyfile", f"""\
{{
    admin off
    auto_https off
    log {{
        level ERROR
    }}
    servers {{
        {f"protocols {protocols}" if protocols else ""}
        timeouts {{
            read_header 10s
            idle 60s
        }}
    }}
}}

{scheme}://:{place.port} {{
    bind 127.0.0.1
{secure}\
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
            keepalive_idle_conns_per_host {place.kept}
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

    @staticmethod
    def _ciphers() -> str:
        """The suites of TLS 1.2 by the names of the standard."""
        names = (name.replace("-AES128-GCM-", "-WITH-AES-128-GCM-") for name in CIPHERS.split(":"))
        return " ".join("TLS_" + name.replace("-", "_") for name in names)


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
        listener: dict = {"address": f"127.0.0.1:{place.port}"}
        pool: dict = {"servers": place.servers}
        if place.speech == "raw":
            listener |= {"kind": "tcp", "pool": "bench"}
        else:
            pool["persistence"] = {"cookie": {"name": self.cookie}}
        if place.kept > 64:
            pool["keep"] = {"idle-connections": place.kept}
        if place.certificate:
            listener["tls"] = {
                "certificates": [{
                    "certificate": str(place.certificate.chain),
                    "key": str(place.certificate.key),
                }],
                "cipher-suites": SUITE,
                "ciphers": CIPHERS,
                "groups": GROUP,
            }
        # A YAML file of one flow mapping is JSON.
        path = place.write("belay.yaml", json.dumps({
            "workers": 1,
            "listeners": [listener],
            "pools": {"bench": pool},
            "limits": {"connections": place.connections},
            "log": {"access": "json", "access-to": str(place.directory / "access.log")},
            "state-directory": str(place.directory / "state"),
            "admin": {"address": f"127.0.0.1:{place.admin_port}"},
        }, indent=2))
        return [self.program(), "run", path], {}


ALL = {proxy.name: proxy for proxy in (Belay(), HAProxy(), Nginx(), Caddy())}
