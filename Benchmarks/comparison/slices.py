"""One slice: one workload on one proxy, started for it, checked, warmed up and measured."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import time

from . import accounting, children, clients, syscalls
from .proxies import Place, Proxy
from .workloads import IDLE_RATE, IDLE_SOURCES, SETTLE, Workload

# A slice in which other programs had more of the proxy's core than this is disturbed.
OTHERS_MAX = 0.10
COOKIES = 64  # clients with a binding of their own
CALIBRATION_EXCHANGES = 4000
# Of what the slowest proxy can, rounded down to 500: a rate that all can carry.
FIXED_RATE_SHARE = 0.5


@dataclasses.dataclass
class Bench:
    """What all slices share."""

    here: pathlib.Path  # the benchmark's own directory
    work: pathlib.Path  # programs that were compiled, and what the proxies write
    files_max: int  # file descriptors of a process
    seconds: float
    warm_up: float
    origin_port: int = 0  # the first of the servers'
    proxy_core: int = 1
    load_core: int = 0
    rate: float = 0  # requests a second of the fixed-rate workload
    started: int = 0

    @property
    def load_program(self) -> pathlib.Path:
        return self.work / "load"

    def driver(self, workload: Workload):
        if workload.client == "hey":
            return clients.Hey(self.load_core)
        return clients.Wrk(self.here / "wrk.lua", self.load_core)

    def read(self, running: "Running") -> accounting.Reading:
        return accounting.Reading.take(running.child.pid, self.proxy_core, self.load_core)


class Running:
    """A proxy that was started for one slice, in a directory of its own."""

    def __init__(self, bench: Bench, proxy: Proxy, servers: int):
        # Another port each time, below the ephemeral ones.
        self.port = 10_000 + bench.started * 2 % 8_000
        bench.started += 1
        self.directory = bench.work / f"run-{proxy.name}"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        place = Place(
            self.port,
            self.port + 1,
            [f"127.0.0.1:{bench.origin_port + number}" for number in range(servers)],
            self.directory,
            bench.files_max,
        )
        command, environment = proxy.configure(place)
        self.output = self.directory / "output"
        with open(self.output, "w") as output:
            self.child = children.start(
                command,
                bench.proxy_core,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                cwd=self.directory,
            )

    def __enter__(self) -> "Running":
        try:
            clients.wait_until_answers(self.port, self.child)
        except clients.WrongAnswer as error:
            tail = self.output.read_text(errors="replace")[-600:].strip()
            self.__exit__()
            raise clients.WrongAnswer(f"{error}\n{tail}") from None
        return self

    def __exit__(self, *_) -> None:
        children.stop(self.child)
        shutil.rmtree(self.directory, ignore_errors=True)


def measure(bench: Bench, workload: Workload, proxy: Proxy) -> dict:
    """Measures one slice. `valid` is False, with a `reason`, when a figure would be a lie."""
    try:
        with Running(bench, proxy, workload.servers) as running:
            clients.check(
                running.port, workload.path, workload.size, workload.upload, proxy.cookie
            )
            cookies = running.directory / "cookies"
            clients.collect_cookies(
                running.port, proxy.cookie if workload.presents_cookie else None,
                COOKIES, cookies,
            )
            if workload.held:
                figures = _hold(bench, workload, running, cookies)
            elif workload.client == "open loop":
                figures = _fixed_rate(bench, workload, running, cookies)
            else:
                figures = _closed_loop(bench, workload, running, cookies)
            figures["peak_memory"] = accounting.peak_memory(running.child.pid)
            if running.child.poll() is not None:
                raise clients.WrongAnswer(f"it ended with status {running.child.returncode}")
    except (clients.WrongAnswer, OSError, RuntimeError) as error:
        return {"valid": False, "reason": str(error), "disturbed": False}
    return _judge(figures, workload)


def _judge(figures: dict, workload: Workload) -> dict:
    reason = ""
    if figures["errors"]:
        reason = ", ".join(f"{count} {what}" for what, count in figures["errors"].items())
    elif not figures["exchanges"]:
        reason = "no exchange"
    elif figures.get("bytes") is not None and not workload.upload:
        # Whole answers: the body, and a head of a likely size.
        each = figures["bytes"] / figures["exchanges"]
        slack = 2000 + workload.connections * workload.size / figures["exchanges"]
        if not workload.size < each < workload.size + slack:
            reason = f"{each:.0f} bytes an answer"
    figures["valid"] = not reason
    figures["reason"] = reason
    figures["disturbed"] = figures["others"] > OTHERS_MAX
    if figures["exchanges"]:
        for what in ("cpu", "user", "system"):
            figures[f"{what}_us"] = figures[what] / figures["exchanges"] * 1e6
        figures["per_second"] = figures["exchanges"] / figures["seconds"]
    return figures


def _closed_loop(bench: Bench, workload: Workload, running: Running, cookies) -> dict:
    driver = bench.driver(workload)
    if bench.warm_up >= 1 or workload.upload:
        driver.run(running.port, workload.path, bench.warm_up, workload, cookies)
    else:
        # wrk cannot run for less than a second.
        with _load(bench, workload, running, cookies) as load:
            load.order("churn 2000" if workload.closes else "open")
            load.order("open" if workload.closes else "run 2000")
    requests, connections = clients.server_connections(bench.origin_port)
    before = bench.read(running)
    figures = driver.run(running.port, workload.path, bench.seconds, workload, cookies)
    after = bench.read(running)
    more_requests, more_connections = clients.server_connections(bench.origin_port)
    figures["server_connections"] = (more_connections - connections - 1) / max(
        1, more_requests - requests - 1
    )
    return {**figures, **accounting.spent(before, after)}


def _fixed_rate(bench: Bench, workload: Workload, running: Running, cookies) -> dict:
    with _load(bench, workload, running, cookies) as load:
        load.order("open")
        load.order(f"rate {bench.rate} {bench.warm_up}")
        before = bench.read(running)
        figures = load.order(f"rate {bench.rate} {bench.seconds}")
        after = bench.read(running)
    return {**figures, **accounting.spent(before, after)}


def _hold(bench: Bench, workload: Workload, running: Running, cookies) -> dict:
    with _load(bench, workload, running, cookies) as load:
        # What traffic needs once is there before the first look at memory.
        load.order("open")
        load.order("run 2000")
    time.sleep(SETTLE / 2)
    empty = accounting.memory(running.child.pid)
    with clients.Load(
        bench.load_program, bench.load_core, running.port, workload.held, workload.path,
        cookies, IDLE_SOURCES,
    ) as load:
        opened = load.order("open")
        time.sleep(SETTLE)
        held = accounting.memory(running.child.pid)
        before = bench.read(running)
        figures = load.order(f"rate {IDLE_RATE} {bench.seconds}")
        after = bench.read(running)
        if opened["errors"]:
            figures["errors"] = opened["errors"]
    figures["idle_memory"] = held
    figures["idle_memory_each"] = (held - empty) / workload.held
    return {**figures, **accounting.spent(before, after)}


def _load(bench: Bench, workload: Workload, running: Running, cookies) -> clients.Load:
    return clients.Load(
        bench.load_program, bench.load_core, running.port, workload.connections,
        workload.path, cookies,
    )


def capacity(bench: Bench, workload: Workload, proxy: Proxy) -> float:
    """Exchanges a second that a proxy reaches in a short closed loop."""
    with Running(bench, proxy, workload.servers) as running:
        cookies = running.directory / "cookies"
        clients.collect_cookies(running.port, proxy.cookie, COOKIES, cookies)
        with _load(bench, workload, running, cookies) as load:
            load.order("open")
            load.order(f"run {CALIBRATION_EXCHANGES // 2}")
            figures = load.order(f"run {CALIBRATION_EXCHANGES}")
    return CALIBRATION_EXCHANGES / figures["seconds"]


def calls(bench: Bench, workload: Workload, proxy: Proxy, exchanges: int) -> float | None:
    """System calls per exchange of the whole process, in a short run of its own."""
    if workload.client != "wrk" or workload.upload or not syscalls.method():
        return None
    with Running(bench, proxy, workload.servers) as running:
        cookies = running.directory / "cookies"
        clients.collect_cookies(
            running.port, proxy.cookie if workload.presents_cookie else None, COOKIES, cookies
        )
        with _load(bench, workload, running, cookies) as load:
            load.order("open")
            order = "churn" if workload.closes else "run"
            load.order(f"{order} {exchanges // 2}")
            with syscalls.Counting(children.descendants(running.child.pid)) as counting:
                figures = load.order(f"{order} {exchanges}")
            if figures["errors"]:
                return None
    return sum(counting.counts.values()) / exchanges
