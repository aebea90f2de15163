"""The programs that make the load: wrk, hey, h2load, and load.c."""

import json
import pathlib
import re
import subprocess

from . import certificates, children
from .checks import FIELDS, HOST, Door, WrongAnswer


class Wrk:
    """wrk, one thread, on the load's core."""

    def __init__(self, script: pathlib.Path, core: int):
        self.script, self.core = script, core

    def run(self, door: Door, path: str, seconds: float, workload, cookies) -> dict:
        output = children.run(
            [
                "wrk", "-t1", f"-c{workload.connections}", f"-d{_whole(seconds)}",
                "--timeout", "10s", "-s", self.script, f"{door.address}{path}", "--",
                "POST" if workload.upload else "GET", workload.upload,
                "close" if workload.closes else "keep", cookies,
            ],
            self.core,
            seconds + 30,
        )
        figures = json.loads(output.strip().splitlines()[-1])
        figures["errors"] = {k: v for k, v in figures["errors"].items() if v}
        return figures


def _whole(seconds: float) -> str:
    """wrk counts in whole seconds, at least one."""
    return f"{max(1, round(seconds))}s"


class Hey:
    """hey, on the load's core: a second opinion on new connections."""

    def __init__(self, core: int):
        self.core = core

    def run(self, door: Door, path: str, seconds: float, workload, cookies) -> dict:
        cookie = pathlib.Path(cookies).read_text().splitlines()[0]
        output = children.run(
            [
                "hey", "-cpus", 1, "-c", workload.connections, "-z", f"{seconds}s",
                "-disable-keepalive", "-disable-compression", "-H", f"Cookie: {cookie}",
                f"{door.address}{path}",
            ],
            self.core,
            seconds + 30,
        )
        statuses = {
            int(status): int(count)
            for status, count in re.findall(r"\[(\d{3})\]\s+(\d+) responses", output)
        }
        good = statuses.get(200, 0)
        errors = {f"status {s}": n for s, n in statuses.items() if s != 200}
        if "Error distribution" in output:
            tail = output.partition("Error distribution:")[2]
            errors["socket"] = sum(int(n) for n in re.findall(r"^\s*\[(\d+)\]", tail, re.M))
        total = float(re.search(r"Total:\s+([\d.]+) secs", output)[1])
        percentiles = dict(re.findall(r"(\d+)% in ([\d.]+) secs", output))
        return {
            "exchanges": good,
            "seconds": total,
            "bytes": None,
            "p50_us": float(percentiles.get("50", 0)) * 1e6,
            "p99_us": float(percentiles.get("99", 0)) * 1e6,
            "errors": errors,
        }


class H2load:
    """h2load, one thread, on the load's core: HTTP/2, all with the first cookie."""

    def __init__(self, core: int):
        self.core = core

    def run(self, door: Door, path: str, seconds: float, workload, cookies) -> dict:
        """So many exchanges as take about `seconds`: each that is begun is counted."""
        count, figures = 10 * workload.in_flight, {}
        for share in (0, 0.25, 1) if seconds else (0,):
            if share:
                rate = figures["exchanges"] / figures["seconds"]
                count = max(10 * workload.in_flight, round(rate * seconds * share))
            figures = self.exchanges(door, path, count, workload, cookies)
            if not figures["exchanges"]:
                break
        return figures

    def exchanges(self, door: Door, path: str, count: int, workload, cookies) -> dict:
        command = [
            "h2load", "-t", 1, "-n", count, "-c", workload.connections, "-m", workload.streams,
            "--npn-list=h2", "--no-tls-proto=h2c", "-H", f":authority: {HOST}",
            "-H", f"Cookie: {pathlib.Path(cookies).read_text().splitlines()[0]}",
        ]
        for field in FIELDS:
            command += ["-H", field]
        output = children.run([*command, f"{door.address}{path}"], self.core, 120)
        return self._figures(output, door)

    @staticmethod
    def _figures(output: str, door: Door) -> dict:
        counts = re.search(
            r"in \S+, ([\d.]+) req/s.*? (\d+) succeeded, (\d+) failed, (\d+) errored, "
            r"(\d+) timeout.*?: (\d+) 2xx.*?traffic: \S+ \((\d+)\) total", output, re.DOTALL)
        if not counts:
            raise WrongAnswer(f"h2load: {output.strip()[-300:]}")
        rate = float(counts[1])
        good, *bad, ok, count = (int(number) for number in counts.groups()[1:])
        errors = {
            name: number
            for name, number in zip(("failed", "errored", "timeout"), bad) if number
        }
        if ok != good:
            errors["not 2xx"] = good - ok
        if door.certificate and certificates.SUITE not in output:
            raise WrongAnswer("h2load negotiated another suite")
        return {
            "exchanges": good,
            "seconds": good / rate if rate else 0.0,
            "bytes": count,
            "errors": errors,
        }


class Load:
    """load.c under orders: it holds its connections between them."""

    def __init__(self, program, core, port, connections, path, cookies="", sources=0, options=()):
        self.child = children.start(
            [program, *options, port, connections, path, cookies, sources],
            core,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_) -> None:
        children.stop(self.child)

    def order(self, order: str) -> dict:
        self.child.stdin.write(order + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise WrongAnswer(f"the load generator ended at '{order}'")
        figures = json.loads(line)
        count = figures.pop("errors")
        return {**figures, "errors": {"failed": count} if count else {}}
