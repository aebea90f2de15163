"""The results as Markdown."""

from .summary import REFERENCE, Spread, Summary
from .workloads import IDLE_RATE

# More new connections to servers in an exchange than this are worth a line.
SERVER_CONNECTIONS_MAX = 0.05
NAMES = {"belay": "Belay", "haproxy": "HAProxy", "nginx": "nginx", "caddy": "Caddy"}


def _figure(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _ratio(spread: Spread | None) -> str:
    if not spread:
        return ""
    mark = "\\*" if spread.is_disturbed else ""
    return f"**{spread.median:.2f}**{mark} [{spread.least:.2f}-{spread.most:.2f}]"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _cell(figure: str, spread: Spread | None) -> str:
    """A figure, and below it the ratio to the reference if there is one."""
    return f"{figure}<br>{_ratio(spread)}" if spread else figure


class Report:
    """`about` holds the machine, the versions, the options and the notes."""

    def __init__(self, summary: Summary, part, workloads: list, proxies: list[str],
                 about: dict, calls: dict[tuple[str, str], float | None], judged: list[dict]):
        self.summary, self.workloads, self.proxies = summary, workloads, proxies
        self.part = part
        self.about, self.calls, self.judged = about, calls, judged

    def markdown(self) -> str:
        parts = [
            f"# Belay beside {self._peers()}"
            + (f": {self.part.title}" if self.part.title else ""),
            self._about(),
            f"![CPU per {self.part.unit}](cpu.svg)",
            self._targets(),
            self._cpu(),
            self._comparison(f"{self.part.units.capitalize()} per second", "per_second", 1,
                             "closed",
                             "Where the load's core is the bottleneck the proxy's is not full: "
                             "the share of its core that it used stands in brackets."),
            self._latency(),
            self._comparison("Peak memory, MiB", "peak_memory", 1 / 2**20, "all",
                             "VmHWM, added over a proxy's processes."),
            self._idle(),
            self._calls(),
            self._server_connections(),
            self._method(),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _peers(self) -> str:
        """The peers that were measured: `HAProxy, nginx and Caddy`."""
        names = [NAMES.get(proxy, proxy) for proxy in self.proxies if proxy != "belay"]
        if not names:
            return "nobody"
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))

    def _about(self) -> str:
        about = self.about
        lines = [f"- {name}: {text}" for name, text in about["facts"].items()]
        return "Written by `make bench`.\n\n" + "\n".join(lines)

    def _targets(self) -> str:
        if not self.judged:
            return ""
        titles = {workload.name: workload.title for workload in self.workloads}
        rows = []
        for judged in self.judged:
            measured = judged["measured"]
            figure = verdict = "not measured"
            if measured:
                figure = _ratio(Spread(**measured))
                verdict = "reached" if judged["reached"] else "**not reached**"
            rows.append([judged["target"], titles[judged["workload"]],
                         f"≤ {judged['limit']:.2f}", figure, verdict])
        return "## Targets\n\n" + _table(
            ["target", "workload", "limit", "measured", ""], rows
        )

    def _ratio(self, workload: str, proxy: str, what: str) -> Spread | None:
        return None if proxy == REFERENCE else self.summary.ratio(workload, proxy, what)

    def _head(self) -> list[str]:
        return ["workload"] + [NAMES.get(proxy, proxy) for proxy in self.proxies]

    def _cpu(self) -> str:
        rows = []
        for workload in self.workloads:
            row = [workload.title]
            for proxy in self.proxies:
                total, user, system = (
                    self.summary.value(workload.name, proxy, what)
                    for what in ("cpu_us", "user_us", "system_us")
                )
                if not total:
                    row.append("not measured")
                    continue
                cell = f"{_figure(total.median)} µs = {_figure(user.median)} + " \
                       f"{_figure(system.median)}"
                row.append(_cell(cell, self._ratio(workload.name, proxy, "cpu_us")))
            rows.append(row)
        return (
            f"## CPU per {self.part.unit}: all = user + system\n\n"
            "In bold the ratio to HAProxy's in the same round: median [least-most].\n\n"
            + _table(self._head(), rows)
        )

    def _comparison(self, title: str, what: str, scale: float, which: str, note: str) -> str:
        rows = []
        for workload in self.workloads:
            if which == "closed" and (workload.held or workload.client == "open loop"):
                continue
            row = [workload.title]
            for proxy in self.proxies:
                value = self.summary.value(workload.name, proxy, what)
                if not value:
                    row.append("not measured")
                    continue
                cell = _figure(value.median * scale)
                if which == "closed":
                    share = self.summary.value(workload.name, proxy, "core_share")
                    cell += f" ({share.median:.0%})"
                row.append(_cell(cell, self._ratio(workload.name, proxy, what)))
            rows.append(row)
        return f"## {title}\n\n{note}\n\n" + _table(self._head(), rows) if rows else ""

    def _latency(self) -> str:
        rows = []
        for workload in self.workloads:
            if not (workload.held or workload.client == "open loop"):
                continue
            for what, title in (("p50_us", "p50"), ("p99_us", "p99")):
                row = [f"{workload.title}, {title}"]
                for proxy in self.proxies:
                    value = self.summary.value(workload.name, proxy, what)
                    figure = f"{_figure(value.median)} µs" if value else "not measured"
                    row.append(_cell(figure, self._ratio(workload.name, proxy, what)))
                rows.append(row)
        if not rows:
            return ""
        rate = self.about["rate"]
        chosen = (
            f"The fixed rate was {rate:,.0f} requests a second, about half of what the slowest "
            "proxy could do. " if rate else ""
        )
        return (
            f"## Latency at a fixed rate\n\n{chosen}Over the idle connections it is "
            f"{IDLE_RATE:,}. The load does not wait for answers: a request's time starts when "
            "it was due.\n\n" + _table(self._head(), rows)
        )

    def _idle(self) -> str:
        return "\n\n".join(self._held(one) for one in self.workloads if one.held)

    def _held(self, workload) -> str:
        held, kind = workload.held, " with TLS" if workload.tls else ""
        rows = []
        for title, what, scale, unit in (
            ("for each connection", "idle_memory_each", 1 / 1024, "KiB"),
            (f"in all, with {held:,} open", "idle_memory", 1 / 2**20, "MiB"),
        ):
            row = [title]
            for proxy in self.proxies:
                value = self.summary.value(workload.name, proxy, what)
                figure = f"{_figure(value.median * scale)} {unit}" if value else "not measured"
                row.append(_cell(figure, self._ratio(workload.name, proxy, what)))
            rows.append(row)
        return (
            f"## Memory of {held:,} idle connections{kind}\n\n"
            "Each has made one exchange and stays open. "
            "Growth of the process's own memory (Pss, without mapped files), and all of it: "
            "the second line shows what a proxy reserved before.\n\n"
            + _table([""] + self._head()[1:], rows)
        )

    def _calls(self) -> str:
        rows = []
        for workload in self.workloads:
            found = [self.calls.get((workload.name, proxy)) for proxy in self.proxies]
            if any(found):
                rows.append(
                    [workload.title] + [f"{count:.1f}" if count else "" for count in found]
                )
        if not rows:
            return ""
        return f"## System calls per {self.part.unit}\n\n" \
               f"Counted by {self.about['calls_by']} in a run of its own, epoll_wait " \
               "included.\n\n" + _table(self._head(), rows)

    def _server_connections(self) -> str:
        """Says who did not keep its connections to the servers."""
        found, was_counted = [], False
        for workload in self.workloads:
            for proxy in self.proxies:
                value = self.summary.value(workload.name, proxy, "server_connections")
                was_counted = was_counted or value is not None
                if value and value.median > SERVER_CONNECTIONS_MAX:
                    name = NAMES.get(proxy, proxy)
                    found.append(f"- {workload.title}: {name} {value.median:.2f} an exchange")
        if not was_counted:
            return ""
        if not found:
            found = ["All proxies kept their connections to the servers in all workloads."]
        return "## New connections to servers\n\n" + "\n".join(found)

    def _method(self) -> str:
        lines = [f"- {note}" for note in self.about["notes"]]
        dropped = self.summary.dropped()
        lines.append(
            f"- Of {dropped['slices']} slices {dropped['disturbed']} were disturbed and left "
            "out: other programs had more than a tenth of the proxy's core. \\* marks a figure "
            "for which no undisturbed pair was left, so that all were used."
        )
        lines += [
            f"- Invalid: {' '.join(text.split())[:300]}" for text in self.summary.invalid()
        ]
        return "## How it was measured\n\n" + "\n".join(lines)
