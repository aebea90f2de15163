"""One disturbance at one balancer: servers, clients, and what is counted at the end."""

import asyncio
import os
import pathlib
import random
import resource
import signal
import socket
import subprocess
import sys
import time

from comparison import children

from .balancers import Balancer, Place, Server
from .disturbances import Disturbance
from .shoppers import Shopper, Tally, Tunnel

HERE = pathlib.Path(__file__).resolve().parent
SERVERS = 4
NEWCOMERS = 36
TURNOVER_FOR = 6.0  # seconds
MARK_SETTLES = 0.5  # seconds after a reload was asked for until a new file must be followed


class Ports:
    """Free ones, below those that the system gives to clients."""

    def __init__(self):
        self.given: set[int] = set()

    def take(self) -> int:
        while True:
            port = random.randrange(12_000, 30_000)
            if port in self.given:
                continue
            self.given.add(port)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    pass


class Stage:
    """Where it happens. Clients and disturbances know it."""

    def __init__(self, kind: type[Balancer], disturbance: Disturbance, chosen, folder, ports):
        self.disturbance, self.chosen, self.folder = disturbance, chosen, folder
        self.think, self.pages, self.marks = chosen.think, disturbance.pages, disturbance.marks
        self.port = ports.take()
        self.servers = [Server(f"shop{n + 1}", ports.take(), ports.take()) for n in range(SERVERS)]
        self.marking = [Server(f"mark{n}", ports.take(), 0) for n in range(2)]
        self.redis = ports.take() if disturbance.is_shared else None
        self.place = Place(
            folder, self.port, ports.take(), (self.marking[0].port, self.marking[1].port),
            disturbance.is_shared, disturbance.removal, chosen.belay,
            self._listen() if disturbance.is_handed else None)
        self.balancer = kind(self.place)
        self.tally, self.early = Tally(), None
        self.shoppers: list[Shopper] = []
        self.tunnels: list[Tunnel] = []
        self.tasks: list[asyncio.Task] = []
        self.lives: dict[str, int] = {}
        self.dead: set = set()
        self.ready_ms: float | None = None
        self.disturbed_at: float | None = None
        self.is_reloading, self.reloaded_at, self.mark = False, 0.0, 0
        self.lag = 0.0
        self.lies = False  # servers end their pages early: for the canary

    def _listen(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(1024)
        return listener

    # Servers.

    async def open(self, server: Server) -> None:
        command = [sys.executable, HERE / "cart.py", server.name, server.port]
        if server.next_port:
            command += ["--next", server.next_port]
        if self.redis:
            command += ["--redis", self.redis]
        if self.lies:
            command.append("--lies")
        server.process = children.start(command, stdout=subprocess.PIPE)
        word = await asyncio.get_running_loop().run_in_executor(
            None, server.process.stdout.readline)
        if word != b"ready\n":
            raise RuntimeError(f"{server.name} does not begin")
        self.lives[server.name] = self.lives.get(server.name, 0) + 1

    def kill(self, server: Server) -> None:
        children.stop(server.process)

    def life_of(self, name: str) -> tuple[str, int]:
        """Which process of that name it is."""
        return name, self.lives.get(name, 0)

    async def _open_redis(self) -> None:
        children.start(["redis-server", "--port", str(self.redis), "--bind", "127.0.0.1", "--save",
                        "", "--appendonly", "no"], stdout=subprocess.DEVNULL, cwd=self.folder)
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.redis)) == 0:
                    return
            await asyncio.sleep(0.01)
        raise RuntimeError("redis-server does not listen")

    # What disturbances do.

    async def reload(self, servers: list[Server], mark: int = 0) -> None:
        self.is_reloading = True
        await self.balancer.reload(servers, mark)
        self.is_reloading = False
        self.reloaded_at, self.mark = time.monotonic(), mark

    def marked(self, name: str, began: float) -> None:
        """A request that began then was answered by the file in which that mark stands."""
        if self.is_reloading or began < self.reloaded_at + MARK_SETTLES:
            return  # either file may answer
        self.tally.marks += 1
        self.tally.marks_old += name != f"mark{self.mark}"

    # The run.

    async def run(self) -> dict:
        if self.redis:
            await self._open_redis()
        for server in self.servers + (self.marking if self.marks else []):
            await self.open(server)
        self.balancer.write(self.disturbance.at_first(self.servers), 0)
        await self.balancer.start()
        self._spawn(self._watch_lag())
        try:
            await self._calm()
            self.disturbed_at = time.monotonic()
            coming = asyncio.create_task(self._newcomers())
            await self.disturbance.happen(self)
            await coming
            await asyncio.sleep(self.disturbance.after)
            return self._result()
        finally:
            for shopper in self.shoppers:
                shopper.leaves = True
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    def _spawn(self, work) -> None:
        self.tasks.append(asyncio.create_task(work))

    def _enter(self, number: int) -> Shopper:
        shopper = Shopper(self, number)
        self.shoppers.append(shopper)
        self._spawn(shopper.shop())
        return shopper

    async def _calm(self) -> None:
        for number in range(self.chosen.clients):
            shopper = self._enter(number)
            if number < self.disturbance.tunnels:
                self.tunnels.append(Tunnel(shopper))
                self._spawn(self.tunnels[-1].run())
            await asyncio.sleep(0.004)
        await asyncio.sleep(self.chosen.calm)
        # What was before is told apart.
        self.early, self.tally = self.tally, Tally()
        self.early_moves = sum(shopper.moves for shopper in self.shoppers)
        self.lag, self.cpu_before = 0.0, resource.getrusage(resource.RUSAGE_SELF)
        for shopper in self.shoppers:
            shopper.moves = 0

    async def _newcomers(self) -> None:
        disturbance, first = self.disturbance, self.chosen.clients
        await asyncio.sleep(disturbance.newcomers_at)
        for number in range(NEWCOMERS):
            self._enter(first + number)
            await asyncio.sleep(disturbance.newcomers_for / NEWCOMERS)
        leaving = random.Random(1).sample(
            self.shoppers[disturbance.tunnels:first], round(disturbance.turnover * first))
        for number, shopper in enumerate(leaving):
            shopper.leaves = True
            self._enter(first + NEWCOMERS + number)
            await asyncio.sleep(TURNOVER_FOR / len(leaving))

    async def _watch_lag(self) -> None:
        """How late this program itself is: no wait is known better than that."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            self.lag = max(self.lag, time.monotonic() - began - 0.01)

    # The result.

    def _result(self) -> dict:
        tally, disturbance, now = self.tally, self.disturbance, time.monotonic()
        for shopper in self.shoppers:
            if shopper.waits_since is not None:
                tally.longest = max(tally.longest, now - shopper.waits_since)
        here = [shopper for shopper in self.shoppers if not shopper.leaves]
        bound = {server.name: 0 for server in disturbance.ready(self.servers)}
        for shopper in here:
            if shopper.server in bound:
                bound[shopper.server] += 1
        first = self.chosen.clients
        newcomers = self.shoppers[first:first + NEWCOMERS]
        watched = disturbance.watched
        waits = sorted(tally.waits)
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = (used.ru_utime + used.ru_stime
               - self.cpu_before.ru_utime - self.cpu_before.ru_stime)
        return {
            "requests": tally.requests,
            "failed_idempotent": tally.failed_idempotent,
            "failed_other": tally.failed_other,
            "reasons": dict(tally.reasons.most_common()),
            "false_ends": tally.false_ends,
            "doubled": tally.doubled,
            "lost": len(tally.lost),
            "lost_with_server": len(tally.lost_with_server),
            "moved": sum(shopper.moves > 0 for shopper in self.shoppers),
            "moved_again": sum(shopper.moves > 1 for shopper in self.shoppers),
            "longest": round(tally.longest, 3),
            "median_ms": round(waits[len(waits) // 2] * 1000, 2),
            "p99_ms": round(waits[len(waits) * 99 // 100] * 1000, 1),
            "newcomers": len(newcomers),
            "newcomers_there": None if watched is None else sum(
                shopper.first_server == self.servers[watched].name for shopper in newcomers),
            "newcomers_without": sum(not shopper.first_server for shopper in newcomers),
            "bound": bound,
            "imbalance": round(max(bound.values()) * len(bound) / max(sum(bound.values()), 1), 3),
            "cut": tally.cut.total(),
            "cut_asking": tally.cut["asking"],
            "told": tally.told,
            "tunnels": len(self.tunnels),
            "tunnels_cut": tally.tunnels_cut,
            "echoes": sum(tunnel.echoes for tunnel in self.tunnels),
            "marks": tally.marks,
            "marks_old": tally.marks_old,
            "ready_ms": None if self.ready_ms is None else round(self.ready_ms, 1),
            "before": {
                "failed": self.early.failed_idempotent + self.early.failed_other,
                "lost": len(self.early.lost), "false_ends": self.early.false_ends,
                "moved": self.early_moves, "cut": self.early.cut.total(),
            },
            "lag_ms": round(self.lag * 1000, 1),
            "cpu_share": round(cpu / (now - self.disturbed_at), 2),
            "load": round(os.getloadavg()[0], 1),
        }
