"""The results as Markdown."""

import datetime
import os
import pathlib
import platform
import time

from comparison.plot import NAMES

from . import balancers, disturbances
from .targets import TARGETS, failed

HEAD = ["", "failed, idempotent", "failed, other", "false ends", "carts lost", "moved",
        "more than once", "longest wait", "newcomers there", "max/mean", "connections cut",
        "tunnels cut"]
METHOD = """\
Each client keeps a connection and its cookies. It asks for its cart (70 %) or for a page that takes
a tenth of a second (10 %), or puts something into its cart (POST, 20 %). It knows what
should be in the cart. A request is repeated until it is answered; it failed if its first attempt
did. Twenty clients have a WebSocket besides.

- **failed**: idempotent (GET) and other (POST), an error of the balancer's or a connection that
  ended in between.
- **false ends**: answers that were cut and looked whole.
- **carts lost**: clients whose cart is gone although the server that had it lived.
- **moved**: clients that another server answered than before; more than once within this run.
- **longest wait**: until any client's request was answered, its repetitions included, in seconds.
- **newcomers there**: of the 36 that came meanwhile, how many the disturbed server answered first;
  for one that was added or came back, how many of the first 36 after that it got.
- **max/mean**: bound clients of the fullest server that takes newcomers, in ratio to their mean.
- **connections cut**: by the balancer, without `Connection: close` before.
- **tunnels cut**: of WebSockets whose server lived.
"""


def facts(chosen, began: float) -> dict:
    """The machine, the programs and the options."""
    cpu = next((line.split(":")[1].strip() for line in
                pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores, {cpu}, Linux {platform.release()}",
        "versions": {kind.name: kind.version(chosen.belay) for kind in chosen.balancers},
        "clients": chosen.clients, "think": chosen.think, "calm": chosen.calm,
        "minutes": round((time.time() - began) / 60, 1),
    }


def line(disturbance: str, balancer: str, result: dict) -> str:
    """One line while it runs."""
    start = f"survival: {disturbance}, {balancer}: "
    if "requests" not in result:
        return start + (result.get("broke") or result["lacks"])
    words = [
        f"{result['failed_idempotent']}+{result['failed_other']} of {result['requests']} failed",
        f"{result['lost']} lost", f"{result['moved']} moved ({result['moved_again']} again)",
        f"longest {result['longest']:.2f} s", f"max/mean {result['imbalance']:.2f}",
        f"{result['cut']} cut",
    ]
    if result["newcomers_there"] is not None:
        words.append(f"{result['newcomers_there']} newcomers there")
    if result["false_ends"]:
        words.append(f"{result['false_ends']} false ends")
    if result["tunnels_cut"]:
        words.append(f"{result['tunnels_cut']} tunnels cut")
    if result["marks"]:
        words.append(f"{result['marks_old']} of {result['marks']} by an old file")
    if result["ready_ms"] is not None:
        words.append(f"accepts after {result['ready_ms']} ms")
    if balancer == "belay":
        missed = [one.words for one in TARGETS[disturbance] if not one.is_met(result)]
        words.append(f"MISSED: {'; '.join(missed)}" if missed else "all targets met")
    if any(result["before"].values()):
        words.append(f"before: {result['before']}")
    return start + ", ".join(words) + (f" {result['reasons']}" if result["reasons"] else "")


def markdown(about: dict, results: dict) -> str:
    names = [NAMES[name] for name in about["versions"]]
    parts = [
        "# Survival: " + ", ".join(names),
        "Written by `make survival`.\n\n" + _about(about, results),
        "![Failed requests, lost carts, longest waits](survival.svg)",
        _verdict(results),
        "## What is measured\n\n" + METHOD,
    ]
    parts += [_section(name, row) for name, row in results.items()]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def _about(about: dict, results: dict) -> str:
    measured = [one for row in results.values() for one in row.values() if "requests" in one]
    lines = [f"- date: {about['date']}, {about['minutes']} minutes",
             f"- machine: {about['machine']}"]
    if measured:
        lines += [
            f"- noise: load of {min(one['load'] for one in measured)} to "
            f"{max(one['load'] for one in measured)}; the clients' program was late by "
            f"{max(one['lag_ms'] for one in measured):.0f} ms at most and used up to "
            f"{max(one['cpu_share'] for one in measured):.0%} of a core",
        ]
    lines.append(f"- {about['clients']} clients that think {about['think']} s on average between "
                 f"two requests, 4 servers, {about['calm']} s of calm before each disturbance")
    for name, version in about["versions"].items():
        notes = " ".join(balancers.ALL[name].notes)
        lines.append(f"- {NAMES[name]} {version}: {notes}")
    return "\n".join(lines)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _verdict(results: dict) -> str:
    """Belay's targets and what was measured."""
    rows = []
    for name, row in results.items():
        result = row.get("belay")
        if not result or "requests" not in result:
            continue
        missed = [one for one in TARGETS[name] if not one.is_met(result)]
        rows.append([
            disturbances.ALL[name].doc,
            "; ".join(one.words for one in TARGETS[name]),
            "**met**" if not missed else
            "**missed**: " + "; ".join(f"{one.words}: {one.measured(result)}" for one in missed),
        ])
    if not rows:
        return ""
    return "## Belay's targets\n\n" + _table(["disturbance", "has to reach", ""], rows)


def _section(name: str, row: dict) -> str:
    disturbance = disturbances.ALL[name]
    rows, notes = [], []
    for balancer, result in row.items():
        if "requests" not in result:
            reason = result.get("lacks") or f"broke: {result['broke']}"
            notes.append(f"{NAMES[balancer]}: {reason}.")
            continue
        rows.append(_row(balancer, result, disturbance))
        notes += _notes(balancer, result)
    text = f"## {disturbance.doc[0].upper()}{disturbance.doc[1:]}\n\n" + _table(HEAD, rows)
    return text + ("\n\n" + "\n".join(f"- {note}" for note in notes) if notes else "")


def _row(balancer: str, result: dict, disturbance) -> list[str]:
    there = result["newcomers_there"]
    return [
        NAMES[balancer], f"{result['failed_idempotent']}", f"{result['failed_other']}",
        f"{result['false_ends']}", f"{result['lost']}", f"{result['moved']}",
        f"{result['moved_again']}", f"{result['longest']:.2f} s",
        "" if there is None else f"{there} of {result['newcomers']}",
        f"{result['imbalance']:.2f}", f"{result['cut']}",
        f"{result['tunnels_cut']} of {result['tunnels']}" if result["tunnels"] else "",
    ]


def _notes(balancer: str, result: dict) -> list[str]:
    """What the table has no column for."""
    name, notes = NAMES[balancer], []
    if failed(result):
        reasons = ", ".join(f"{count} {reason}" for reason, count in result["reasons"].items())
        notes.append(f"{name}: {reasons}.")
    if result["lost_with_server"]:
        notes.append(f"{name}: {result['lost_with_server']} carts died with their server.")
    if result["doubled"]:
        notes.append(f"{name}: {result['doubled']} times more in a cart than was put there.")
    if result["newcomers_without"]:
        notes.append(f"{name}: {result['newcomers_without']} newcomers had no answer at the end.")
    if result["marks"]:
        notes.append(f"{name}: {result['marks_old']} of {result['marks']} answers by a file that "
                     "had been replaced half a second before or earlier.")
    if result["ready_ms"] is not None:
        notes.append(f"{name}: accepted {result['ready_ms']} ms after its start.")
    if any(result["before"].values()):
        what = ", ".join(f"{count} {key}" for key, count in result["before"].items() if count)
        notes.append(f"{name}: before the disturbance {what}.")
    return notes
