"""The balancers, each configured as its own manual has it for carts in the servers' memory.

All have two workers, checks of /healthz every 2 s, three failed ones to take a server down and
two good ones to bring it back, and may try a request again elsewhere where that is safe. What is
unequal stands in their `notes`.
"""

import asyncio
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from comparison import children

WAIT_MAX = 15.0  # seconds for a balancer to begin or to end
# The first socket that a service manager hands on is descriptor 3.
HAND_ON = """\
exec 3<&"$HANDED"
[[ $HANDED == 3 ]] || exec {HANDED}<&-
export LISTEN_PID=$$
unset HANDED
exec "$@"
"""


@dataclasses.dataclass
class Server:
    """A server of the shop, as it stands in a balancer's file."""

    name: str
    port: int
    next_port: int
    is_down: bool = False  # marked so in the file
    process: subprocess.Popen | None = None


@dataclasses.dataclass
class Place:
    """Where a balancer runs."""

    folder: pathlib.Path
    port: int
    admin_port: int
    marks: tuple[int, int]  # ports; the file says which of them answers /mark
    is_shared: bool = False  # carts are in a store that all servers read
    removal: str = "drain"
    binary: str | None = None  # Belay's
    listener: socket.socket | None = None  # handed to the balancer, as a service manager does


class Balancer:
    """What the harness asks of each. A disturbance that one can't do is None."""

    name = ""
    notes: list[str] = []
    lacks: dict[str, str] = {}  # disturbances, and why

    def __init__(self, place: Place):
        self.place, self.process = place, None
        self.log = (place.folder / f"{self.name}.log").open("ab")

    @classmethod
    def program(cls, binary: str | None) -> str | None:
        return shutil.which(cls.name) or shutil.which(cls.name, path="/usr/sbin")

    @property
    def command(self) -> list[str]:
        raise NotImplementedError

    def write(self, servers: list[Server], mark: int) -> None:
        raise NotImplementedError

    async def start(self) -> float:
        """Returns the milliseconds until it accepted a connection."""
        place = self.place
        command, options = self.command, {}
        if place.listener:
            handed = place.listener.fileno()
            # The service manager says to which process it speaks: so a shell becomes it.
            command = ["bash", "-c", HAND_ON, "bash", *command]
            variables = {"LISTEN_FDS": "1", "HANDED": str(handed)}
            options = {"pass_fds": [handed], "env": self.environment | variables}
        else:
            options = {"env": self.environment}
        began = time.monotonic()
        self.process = children.start(command, cwd=place.folder, stdout=self.log, stderr=self.log,
                                      stdin=subprocess.DEVNULL, **options)
        if not await self.within(self.accepts):
            raise RuntimeError(f"{self.name} does not listen: {self._last_words()}")
        return (time.monotonic() - began) * 1000

    @staticmethod
    async def within(claim, seconds: float = WAIT_MAX, pause: float = 0.001) -> bool:
        """Whether it becomes true."""
        began = time.monotonic()
        while not claim():
            if time.monotonic() - began > seconds:
                return False
            await asyncio.sleep(pause)
        return True

    def accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.place.port)) == 0

    def _last_words(self) -> str:
        return pathlib.Path(self.log.name).read_text(errors="replace")[-1000:]

    @property
    def environment(self) -> dict[str, str]:
        home = str(self.place.folder)
        return dict(os.environ, HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home)

    async def stop(self) -> None:
        """SIGTERM, until it has ended."""
        self.signal(signal.SIGTERM)
        await self.within(self.has_ended)
        children.stop(self.process)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        """SIGKILL, with all its workers."""
        children.stop(self.process)

    async def reload(self, servers: list[Server], mark: int) -> None:
        raise NotImplementedError

    drain = weight_zero = upgrade = rebalance = None

    async def run(self, *command: str) -> str:
        """A command of the balancer's own; its output goes to the log."""
        child = await asyncio.create_subprocess_exec(
            *command, cwd=self.place.folder, env=self.environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await child.communicate()
        self.log.write(f"$ {' '.join(command)}\n".encode() + output)
        self.log.flush()
        if child.returncode:
            raise RuntimeError(f"{' '.join(command)}: {output.decode()[-1000:]}")
        return output.decode()


class Belay(Balancer):
    name = "belay"
    notes = [
        "a binding cookie and active checks; every other setting as it is by default. `sessions: "
        "shared` where the carts are in Redis, `removal: now` where the name of the disturbance "
        "says so.",
    ]

    @classmethod
    def program(cls, binary: str | None) -> str | None:
        return binary if binary and pathlib.Path(binary).exists() else None

    @classmethod
    def version(cls, binary: str | None) -> str:
        return children.run([binary, "--version"]).strip()

    @property
    def command(self) -> list[str]:
        return [self.place.binary, "run", "belay.yaml"]

    def write(self, servers: list[Server], mark: int) -> None:
        place = self.place
        pools = {
            "shop": {
                "servers": [
                    {"name": one.name, "address": f"127.0.0.1:{one.port}",
                     "state": "maintenance" if one.is_down else "ready"} for one in servers
                ],
                "sessions": "shared" if place.is_shared else "server",
                "removal": place.removal,
                "health": {"path": "/healthz"},
                "persistence": {"ways": [{"cookie": {}}]},
            },
        }
        for number, port in enumerate(place.marks):
            pools[f"mark{number}"] = {"servers": [f"127.0.0.1:{port}"]}
        # A YAML file of one flow mapping is JSON.
        (place.folder / "belay.yaml").write_text(json.dumps({
            "workers": 2,
            "listeners": [f"127.0.0.1:{place.port}"],
            "admin": {"address": f"127.0.0.1:{place.admin_port}"},
            "state-directory": str(place.folder / "state"),
            "log": {"access": "off"},
            "routes": [{"match": {"path": "/mark"}, "pool": f"mark{mark}"}, {"pool": "shop"}],
            "pools": pools,
        }, indent=1))

    async def tell(self, *words: str) -> str:
        admin = f"127.0.0.1:{self.place.admin_port}"
        return await self.run(self.place.binary, *words, "--admin", admin)

    async def reload(self, servers: list[Server], mark: int) -> None:
        self.write(servers, mark)
        await self.tell("reload")

    async def drain(self, server: Server, servers: list[Server]) -> None:
        await self.tell("drain", server.name)

    async def weight_zero(self, server: Server) -> None:
        await self.tell("server", "set", server.name, "--weight", "0")

    async def rebalance(self) -> None:
        await self.tell("rebalance", "shop")

    async def upgrade(self) -> None:
        await self.tell("upgrade")


class HAProxy(Balancer):
    name = "haproxy"
    notes = [
        "`cookie SRV insert indirect nocache` and `balance roundrobin`, as in its manual's "
        "example; "
        "`option redispatch`, three retries (as by default), also of GET without an answer "
        "(`retry-on`), never of POST; drain and weight by its runtime API; reload and upgrade by "
        "SIGUSR2 to its master, which executes the binary anew and takes over the sockets (-x, "
        "-sf).",
    ]

    @classmethod
    def version(cls, _: str | None) -> str:
        return re.search(r"version (\S+)", children.run([cls.program(None), "-v"]))[1]

    @property
    def command(self) -> list[str]:
        return [self.program(None), "-W", "-f", "haproxy.cfg"]

    cookie, algorithm = "cookie SRV insert indirect nocache", "roundrobin"

    def write(self, servers: list[Server], mark: int) -> None:
        place = self.place
        bind = "fd@3" if place.listener else f"127.0.0.1:{place.port}"
        lines = "\n".join(
            f"    server {one.name} 127.0.0.1:{one.port} check"
            + (f" cookie {one.name}" if self.cookie else "") + (" disabled" if one.is_down else "")
            for one in servers
        )
        (place.folder / "haproxy.cfg").write_text(f"""\
global
    nbthread 2
    stats socket {place.folder}/haproxy.sock mode 600 level admin expose-fd listeners

defaults
    mode http
    option redispatch
    retries 3
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h

frontend shop
    bind {bind}
    use_backend mark if {{ path /mark }}
    default_backend shop

backend shop
    balance {self.algorithm}
    {self.cookie}
    retry-on conn-failure empty-response
    http-request disable-l7-retry if METH_POST
    option httpchk GET /healthz
    default-server inter 2s fall 3 rise 2
{lines}

backend mark
    server mark 127.0.0.1:{place.marks[mark]}
""")

    async def reload(self, servers: list[Server], mark: int) -> None:
        self.write(servers, mark)
        self.signal(signal.SIGUSR2)

    async def tell(self, line: str) -> None:
        reader, writer = await asyncio.open_unix_connection(self.place.folder / "haproxy.sock")
        writer.write(line.encode() + b"\n")
        answer = (await reader.read()).decode().strip()
        writer.close()
        if answer:
            raise RuntimeError(f"haproxy: {answer}")

    async def drain(self, server: Server, servers: list[Server]) -> None:
        await self.tell(f"set server shop/{server.name} state drain")

    async def weight_zero(self, server: Server) -> None:
        await self.tell(f"set server shop/{server.name} weight 0")

    async def upgrade(self) -> None:
        self.signal(signal.SIGUSR2)


class Canary(HAProxy):
    """A balancer that keeps nobody at a server: what the clients must notice."""

    cookie = ""


class Nginx(Balancer):
    name = "nginx"
    notes = [
        "the open-source version has no binding cookie (`sticky` came with 1.29), no active checks "
        "and no drain. So it has a consistent hash over an id that it gives each browser itself "
        "(the userid module); a hash of the shop's own cookie would send all newcomers to one "
        "server and move them when they get it. Servers are left alone for 3 s after two "
        "failures. To drain a server it is marked `down`, which is all that it has.",
    ]
    lacks = {
        "weight-zero": "`weight=0` is refused; a drain marks it `down`",
        "restarted-sockets": "it knows no sockets of a service manager",
    }

    @classmethod
    def version(cls, _: str | None) -> str:
        return re.search(r"nginx/(\S+)", children.run([cls.program(None), "-v"]))[1]

    @property
    def command(self) -> list[str]:
        folder = str(self.place.folder)
        # It refuses to be upgraded while the process that began it is there: so a shell begins it.
        return ["/bin/sh", "-c", '"$@" &', "sh", self.program(None), "-p", folder,
                "-c", f"{folder}/nginx.conf", "-e", f"{folder}/nginx.log"]

    def master(self) -> int:
        return int((self.place.folder / "nginx.pid").read_text())

    async def start(self) -> float:
        taken = await super().start()
        file = self.place.folder / "nginx.pid"
        await self.within(lambda: file.exists() and file.read_text())
        self.last = self.master()
        return taken

    def signal(self, number: int) -> None:
        os.kill(self.master(), number)

    def has_ended(self) -> bool:
        """It is this program's child since the shell has ended."""
        try:
            return os.waitpid(self.last, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True

    def write(self, servers: list[Server], mark: int) -> None:
        place = self.place
        lines = "\n".join(
            f"        server 127.0.0.1:{one.port} "
            + ("down;" if one.is_down else "max_fails=2 fail_timeout=3s;") for one in servers
        )
        (place.folder / "nginx.conf").write_text(f"""\
daemon off;
worker_processes 2;
{"user root;" if os.geteuid() == 0 else ""}
pid nginx.pid;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    upstream shop {{
        hash $uid_got$uid_set consistent;
{lines}
        keepalive 64;
    }}
    server {{
        listen 127.0.0.1:{place.port} backlog=1024;
        userid on;
        userid_name route;
        userid_path /;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_connect_timeout 5s;
        location / {{ proxy_pass http://shop; }}
        location = /mark {{ proxy_pass http://127.0.0.1:{place.marks[mark]}; }}
    }}
}}
""")

    async def reload(self, servers: list[Server], mark: int) -> None:
        self.write(servers, mark)
        self.signal(signal.SIGHUP)

    async def drain(self, server: Server, servers: list[Server]) -> None:
        server.is_down = True
        await self.reload(servers, 0)

    async def upgrade(self) -> None:
        old = self.master()
        self.signal(signal.SIGUSR2)
        file = self.place.folder / "nginx.pid"
        if not await self.within(lambda: file.exists() and file.read_text().strip() != str(old),
                                 pause=0.02):
            raise RuntimeError("nginx: there is no new binary")
        await asyncio.sleep(0.5)  # until its workers are there
        os.kill(old, signal.SIGQUIT)


class Caddy(Balancer):
    name = "caddy"
    notes = [
        "`lb_policy cookie`, active and passive checks, tries for 5 s. It has no drain and no "
        "weights: to drain a server it is taken out of the file. Its `caddy upgrade` fetches a "
        "binary and begins it after the old one has ended, so here it is stopped and started.",
    ]
    lacks = {
        "weight-zero": "this version has no weights; a drain takes it out",
        "restarted-sockets": "this version knows no sockets of a service manager",
    }

    @classmethod
    def version(cls, _: str | None) -> str:
        return children.run([cls.program(None), "version"]).split()[0]

    @property
    def command(self) -> list[str]:
        return [self.program(None), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]

    def write(self, servers: list[Server], mark: int) -> None:
        place = self.place
        addresses = " ".join(f"127.0.0.1:{one.port}" for one in servers if not one.is_down)
        (place.folder / "Caddyfile").write_text(f"""\
{{
    admin 127.0.0.1:{place.admin_port}
    auto_https off
}}
http://:{place.port} {{
    bind 127.0.0.1
    handle /mark {{
        reverse_proxy 127.0.0.1:{place.marks[mark]}
    }}
    handle {{
        reverse_proxy {addresses} {{
            lb_policy cookie route
            lb_try_duration 5s
            lb_try_interval 250ms
            fail_duration 3s
            max_fails 2
            health_uri /healthz
            health_interval 2s
            health_timeout 2s
        }}
    }}
}}
""")

    async def reload(self, servers: list[Server], mark: int) -> None:
        self.write(servers, mark)
        await self.run(self.program(None), "reload", "--config", "Caddyfile", "--adapter",
                       "caddyfile", "--address", f"127.0.0.1:{self.place.admin_port}")

    async def drain(self, server: Server, servers: list[Server]) -> None:
        server.is_down = True
        await self.reload(servers, 0)

    async def upgrade(self) -> None:
        await self.stop()
        await self.start()


ALL = {kind.name: kind for kind in (Belay, HAProxy, Nginx, Caddy)}
