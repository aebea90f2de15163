"""One slice: one workload on one proxy, started for it, checked, warmed up and measured."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import time

from . import accounting, checks, children, clients, syscalls
from .certificates import Certificate
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
    certificates: dict[str, Certificate] = dataclasses.field(default_factory=dict)
    started: int = 0

    @property
    def load_program(self) -> pathlib.Path:
        return self.work / "load"

    def driver(self, workload: Workload):
        if workload.client == "hey":
            return clients.Hey(self.load_core)
        if workload.client == "h2load":
            return clients.H2load(self.load_core)
        return clients.Wrk(self.here / "wrk.lua", self.load_core)

    def read(self, running: "Running") -> accounting.Reading:
        return accounting.Reading.take(running.child.pid, self.proxy_core, self.load_core)


class Running:
    """A proxy that was started for one slice, in a directory of its own."""

    def __init__(self, bench: Bench, workload: Workload, proxy: Proxy):
        # Another port each time, below the ephemeral ones.
        port = 10_000 + bench.started * 2 % 8_000
        bench.started += 1
        certificate = bench.certificates[workload.certificate] if workload.tls else None
        self.door = checks.Door(port, certificate, workload.http2)
        self.cookie = None if workload.speech == "raw" else proxy.cookie
        self.directory = bench.work / f"run-{proxy.name}"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        place = Place(
            port,
            port + 1,
            [f"127.0.0.1:{bench.origin_port + number}" for number in range(workload.servers)],
            self.directory,
            bench.files_max,
            certificate,
            workload.http2,
            workload.speech,
            workload.in_flight,
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
            checks.wait_until_answers(self.door, self.child)
        except checks.WrongAnswer as error:
            tail = self.output.read_text(errors="replace")[-600:].strip()
            self.__exit__()
            raise checks.WrongAnswer(f"{error}\n{tail}") from None
        return self

    def __exit__(self, *_) -> None:
        children.stop(self.child)
        shutil.rmtree(self.directory, ignore_errors=True)


def measure(bench: Bench, workload: Workload, proxy: Proxy) -> dict:
    """Measures one slice. `valid` is False, with a `reason`, when a figure would be a lie."""
    try:
        with Running(bench, workload, proxy) as running:
            _check(workload, running)
            cookies = _cookies(workload, running)
            if workload.held:
                figures = _hold(bench, workload, running, cookies)
            elif workload.client == "open loop":
                figures = _fixed_rate(bench, workload, running, cookies)
            elif workload.client == "load":
                figures = _counted_loop(bench, workload, running, cookies)
            else:
                figures = _closed_loop(bench, workload, running, cookies)
            figures["peak_memory"] = accounting.peak_memory(running.child.pid)
            if running.child.poll() is not None:
                raise checks.WrongAnswer(f"it ended with status {running.child.returncode}")
    except (checks.WrongAnswer, OSError, RuntimeError) as error:
        return {"valid": False, "reason": str(error), "disturbed": False}
    return _judge(figures, workload)


def _check(workload: Workload, running: Running) -> None:
    checks.check(
        running.door, workload.path, workload.size, workload.upload, running.cookie,
        workload.speech != "raw",
    )
    if workload.speech == "ws":
        with checks.Client(running.door) as client:
            client.echo(workload.size)


def _cookies(workload: Workload, running: Running) -> pathlib.Path:
    """A file with the cookies that the clients present."""
    cookies = running.directory / "cookies"
    cookie = running.cookie if workload.presents_cookie else None
    # h2load knows one alone.
    checks.collect_cookies(running.door, cookie, 1 if workload.http2 else COOKIES, cookies)
    return cookies


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
    if workload.http2:
        driver.exchanges(running.door, workload.path, 4000, workload, cookies)
    elif bench.warm_up >= 1 or workload.upload:
        driver.run(running.door, workload.path, bench.warm_up, workload, cookies)
    else:
        # wrk cannot run for less than a second.
        with _load(bench, workload, running, cookies) as load:
            load.order("churn 2000" if workload.closes else "open")
            load.order("open" if workload.closes else "run 2000")
    return _measured(bench, workload, running, lambda: driver.run(
        running.door, workload.path, bench.seconds, workload, cookies
    ))


def _measured(bench: Bench, workload: Workload, running: Running, drive) -> dict:
    """What `drive` returns, and what it cost, and how the servers saw it."""
    requests, connections = checks.server_connections(bench.origin_port)
    before = bench.read(running)
    figures = drive()
    after = bench.read(running)
    more_requests, more_connections = checks.server_connections(bench.origin_port)
    if workload.speech == "http":  # a tunnel's connection is its own
        figures["server_connections"] = (more_connections - connections - 1) / max(
            1, more_requests - requests - 1
        )
    return {**figures, **accounting.spent(before, after)}


def _counted_loop(bench: Bench, workload: Workload, running: Running, cookies) -> dict:
    """By load.c, whose connections are open and warm before."""
    order = "churn" if workload.closes else "run"
    with _load(bench, workload, running, cookies) as load:
        load.order("open")
        load.order(f"{order} {bench.warm_up}s")
        return _measured(
            bench, workload, running, lambda: load.order(f"{order} {bench.seconds}s")
        )


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
        bench.load_program, bench.load_core, running.door.port, workload.held, workload.path,
        cookies, IDLE_SOURCES, _load_options(workload),
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
    said = workload.path if workload.speech == "http" else f"{workload.speech}:{workload.size}"
    return clients.Load(
        bench.load_program, bench.load_core, running.door.port, workload.connections,
        said, cookies, options=_load_options(workload),
    )


def _load_options(workload: Workload) -> list[str]:
    return (["-t", workload.tls] if workload.tls else []) + ["-r"] * workload.resumes


def capacity(bench: Bench, workload: Workload, proxy: Proxy) -> float:
    """Exchanges a second that a proxy reaches in a short closed loop."""
    with Running(bench, workload, proxy) as running:
        cookies = _cookies(workload, running)
        with _load(bench, workload, running, cookies) as load:
            load.order("open")
            load.order(f"run {CALIBRATION_EXCHANGES // 2}")
            figures = load.order(f"run {CALIBRATION_EXCHANGES}")
    return CALIBRATION_EXCHANGES / figures["seconds"]


def calls(bench: Bench, workload: Workload, proxy: Proxy, exchanges: int) -> float | None:
    """System calls per exchange of the whole process, in a short run of its own."""
    if workload.client not in ("wrk", "load", "h2load") or workload.upload:
        return None
    if not syscalls.method():
        return None
    with Running(bench, workload, proxy) as running:
        cookies = _cookies(workload, running)
        processes = children.descendants(running.child.pid)
        if workload.client == "h2load":
            driver = bench.driver(workload)
            driver.exchanges(running.door, workload.path, exchanges // 2, workload, cookies)
            with syscalls.Counting(processes) as counting:
                figures = driver.exchanges(
                    running.door, workload.path, exchanges, workload, cookies
                )
        else:
            with _load(bench, workload, running, cookies) as load:
                load.order("open")
                order = "churn" if workload.closes else "run"
                load.order(f"{order} {exchanges // 2}")
                with syscalls.Counting(processes) as counting:
                    figures = load.order(f"{order} {exchanges}")
        if figures["errors"]:
            return None
    return sum(counting.counts.values()) / exchanges
