"""Belay with traffic that has become steady, for those who count what one exchange costs."""

import os
import pathlib
import subprocess

from . import accounting, checks, children, clients, programs
from .proxies import Belay, Place

CONNECTIONS = 64
SERVERS = 4
WARM_UP = 6000  # exchanges


class Broken(Exception):
    """A counter does not count, or Belay does not serve."""


class Steady:
    """Belay with one worker, and clients that keep their connections and present bindings."""

    def __init__(
        self,
        belay: pathlib.Path,
        directory: pathlib.Path,
        files_max: int,
        prefix: list[str] | None = None,
        environment: dict[str, str] | None = None,
        warm_up: int = WARM_UP,
    ):
        proxy = Belay()
        proxy.path = belay
        origin = programs.start_servers(SERVERS, None)
        port = programs.free_ports(2)
        servers = [f"127.0.0.1:{origin + number}" for number in range(SERVERS)]
        command, extra = proxy.configure(Place(port, port + 1, servers, directory, files_max))
        output = directory / "output"
        with open(output, "w") as stream:
            self.child = children.start(
                (prefix or []) + command, stdin=subprocess.DEVNULL, stdout=stream,
                stderr=stream, env={**os.environ, **(environment or {}), **extra}, cwd=directory,
            )
        cookies = directory / "cookies"
        try:
            door = checks.Door(port)
            checks.wait_until_answers(door, self.child, 60 if prefix else 15)
            checks.check(door, "/b/100", 100, 0, proxy.cookie)
            checks.collect_cookies(door, proxy.cookie, CONNECTIONS, cookies)
        except checks.WrongAnswer as error:
            raise Broken(f"{error}\n{output.read_text(errors='replace')[-1000:]}") from None
        self.load = clients.Load(
            programs.WORK / "load", None, port, CONNECTIONS, "/b/100", cookies
        )
        self.warm_up = warm_up
        self.order("open")
        self.order(f"run {warm_up}")
        self.worker = self._busiest_thread()

    def order(self, order: str) -> None:
        """One of load.c's orders, which must go without an error."""
        figures = self.load.order(order)
        if figures["errors"]:
            raise Broken(f"'{order}': {figures['errors']}")

    def _busiest_thread(self) -> int:
        """The worker: there is one, and traffic is its work."""
        before = accounting.Reading.take(self.child.pid, 0, 0).threads
        self.order(f"run {self.warm_up}")
        after = accounting.Reading.take(self.child.pid, 0, 0).threads
        return max(after, key=lambda thread: after[thread][0] - before.get(thread, (0, 0))[0])
