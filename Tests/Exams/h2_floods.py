#!/usr/bin/env python3
"""Floods against an HTTP/2 listener, while an honest client asks every 100 ms.

    h2_floods.py --address HOST:PORT --server-port PORT --pid PID [--tls] [--strict]
        [--only rapid] [--list]

The exam listens on the server's port itself. A flood is passed when the server ends it, reads no
more, or swallows all of it at a small cost; while the honest client is answered each time within a
second, memory grows by 64 MiB at most, and the CPU time stays within the flood's bound. With
--strict, floods that a server should see through have to be ended. Without --pid the costs are not
looked at. The exit status is 1 when a flood was not passed.
"""

import argparse
import sys
import threading
import time

import exam_server
from flood_attacks import ATTACKS, Flood
from flood_watch import Cost, Honest
from h2wire import Closed, parse_address

# Seconds: what a flood lasts at least, and the CPU time that anyone may take with floods.
LEAST, SMALL_COST = 0.35, 0.5


def run(settings, case, honest, cost):
    """How a flood went, in words, and what is wrong with it."""
    _, _, must_end, cpu_most, function = case
    honest.report()
    cpu, begin = cost.cpu(), time.monotonic()
    cost.most = memory = cost.memory() if cost.pid else 0
    flood = Flood(settings.address, settings.tls, settings.seconds)
    try:
        function(flood)
    except Closed:
        flood.end = flood.end or "closed"
    except OSError as error:
        flood.end = flood.end or f"{type(error).__name__} {error}"
    lasted = time.monotonic() - begin
    threading.Event().wait(max(0.1, LEAST - lasted))
    slowest, answers, failures = honest.report()
    flood.close()
    spent, grown = cost.cpu() - cpu, cost.most - memory
    wrong = []
    if must_end and not flood.end and (settings.strict or spent > SMALL_COST):
        wrong.append("the server swallowed all of it")
    if failures:
        wrong.append(f"{len(failures)} honest requests failed: {failures[0]}")
    if slowest > settings.patience or not answers:
        wrong.append("the honest client waited too long")
    if cost.pid and grown > settings.memory:
        wrong.append(f"memory grew by more than {settings.memory:.0f} MiB")
    if cost.pid and spent > cpu_most:
        wrong.append(f"it cost more than {cpu_most} s of CPU time")
    if not cost.is_running():
        wrong.append("the server has ended")
    told = (
        f"{flood.end or 'swallowed'}; {flood.sent} sent in {lasted:.2f} s, CPU {spent:.2f} s, "
        f"memory {grown:+.0f} MiB, slowest answer {slowest * 1000:.0f} ms of {answers}"
    )
    return told, wrong


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--address", type=parse_address, required=True)
    parser.add_argument("--tls", action="store_true", help="TLS with ALPN instead of clear text")
    parser.add_argument("--server-port", type=int, required=True)
    parser.add_argument("--pid", type=int, default=0, help="the process under test")
    parser.add_argument("--strict", action="store_true", help="floods must be ended")
    parser.add_argument("--seconds", type=float, default=4, help="that a flood lasts at most")
    parser.add_argument("--patience", type=float, default=1, help="seconds for an honest answer")
    parser.add_argument("--memory", type=float, default=64, help="MiB that may be added")
    parser.add_argument("--only", default="", help="floods whose names begin so")
    parser.add_argument("--list", action="store_true", help="tells how each flood went")
    return parser.parse_args()


def main():
    settings = options()
    cases = [case for case in ATTACKS if case[0].startswith(settings.only)]
    failed = 0
    with exam_server.running(settings.server_port):
        honest = Honest(settings.address, settings.tls)
        threading.Event().wait(0.5)
        cost = Cost(settings.pid)
        for case in cases:
            told, wrong = run(settings, case, honest, cost)
            failed += bool(wrong)
            if wrong or settings.list:
                verdict = "; ".join(wrong) or "passed"
                print(f"{case[0]} ({case[1]}): {verdict}\n    {told}", flush=True)
        cost.over.set()
        if cost.pid and cost.memory() - cost.first > settings.memory:
            failed += 1
            print(f"all floods together: memory grew by {cost.memory() - cost.first:.0f} MiB")
        honest.end()
    print(f"h2_floods: {len(cases)} floods, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
