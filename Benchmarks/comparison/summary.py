"""From slices to figures: ratios within a round, their medians and spreads, the targets.

A ratio compares two slices of one round. Slices in which other programs took the proxy's
core are left out, in pairs; where none is left, all are used and the figure is marked.
"""

import dataclasses
import statistics

from .workloads import ALL, PARTS

REFERENCE = "haproxy"
# Memory is the same however busy the machine is.
UNDISTURBED = ("peak_memory", "idle_memory", "idle_memory_each")


@dataclasses.dataclass(frozen=True)
class Spread:
    """A median, with the least and the most."""

    median: float
    least: float
    most: float
    count: int
    is_disturbed: bool = False

    @staticmethod
    def of(values: list[float], is_disturbed: bool = False) -> "Spread | None":
        if not values:
            return None
        return Spread(
            statistics.median(values), min(values), max(values), len(values), is_disturbed
        )


class Summary:
    """All slices of a run: `slices` are dictionaries with round, workload, proxy."""

    def __init__(self, slices: list[dict]):
        self.slices = slices
        self.by_key = {(s["round"], s["workload"], s["proxy"]): s for s in slices}
        self.rounds = sorted({s["round"] for s in slices})

    def _all(self, workload: str, proxy: str) -> list[dict]:
        return [s for s in self.slices if s["workload"] == workload and s["proxy"] == proxy]

    def value(self, workload: str, proxy: str, what: str) -> Spread | None:
        """One figure of one proxy over the rounds."""
        valid = [s for s in self._all(workload, proxy) if s["valid"] and s.get(what) is not None]
        clean = [s for s in valid if what in UNDISTURBED or not s["disturbed"]]
        return Spread.of([s[what] for s in clean or valid], not clean)

    def ratio(
        self, workload: str, proxy: str, what: str, reference: str = REFERENCE
    ) -> Spread | None:
        """One figure as a ratio to another proxy's in the same round."""
        pairs = []
        for number in self.rounds:
            one = self.by_key.get((number, workload, proxy))
            other = self.by_key.get((number, workload, reference))
            if one and other and one["valid"] and other["valid"] and other.get(what):
                disturbed = one["disturbed"] or other["disturbed"]
                pairs.append((one[what] / other[what], disturbed))
        clean = [ratio for ratio, disturbed in pairs if what in UNDISTURBED or not disturbed]
        return Spread.of(clean or [ratio for ratio, _ in pairs], not clean)

    def dropped(self) -> dict[str, int]:
        """How many slices were disturbed and how many invalid, of how many."""
        return {
            "slices": len(self.slices),
            "disturbed": sum(s["disturbed"] for s in self.slices),
            "invalid": sum(not s["valid"] for s in self.slices),
        }

    def invalid(self) -> list[str]:
        return [
            f"{s['workload']}, {s['proxy']}, round {s['round']}: {s['reason']}"
            for s in self.slices if not s["valid"]
        ]


@dataclasses.dataclass(frozen=True)
class Target:
    """One figure that Belay is to reach: at most `limit`."""

    text: str
    workload: str
    what: str
    limit: float
    reference: str | None = None  # the figure is a ratio to this proxy's

    def judge(self, summary: Summary) -> dict:
        if self.reference:
            spread = summary.ratio(self.workload, "belay", self.what, self.reference)
        else:
            spread = summary.value(self.workload, "belay", self.what)
        return {
            "target": self.text,
            "workload": self.workload,
            "limit": self.limit,
            "measured": dataclasses.asdict(spread) if spread else None,
            "reached": spread.median <= self.limit if spread else None,
        }


# Of HAProxy's CPU per unit, by workload where one has its own, else by part.
LIMITS = {
    "tls": 1.0, "tls-100": 0.75, "tls-64k": 0.75,
    "http2": 0.80, "websocket": 0.60, "tcp": 0.80,
}


def targets(workloads: list[str], proxies: list[str]) -> list[Target]:
    """The targets that these workloads and proxies can show."""
    limits = {"keep-100": 0.70, "keep-1k": 0.70, "keep-64k": 0.60, "new": 0.80}
    limits |= {
        one.name: LIMITS.get(one.name, LIMITS[one.part])
        for one in ALL.values() if one.part != "plain"
    }
    units = {name: PARTS[ALL[name].part].unit for name in workloads}
    found = [
        Target(f"CPU per {units[name]}, of HAProxy's", name, "cpu_us", limit, "haproxy")
        for name, limit in limits.items() if name in workloads
    ]
    found += [
        Target(f"CPU per {units[name]} below {title}'s", name, "cpu_us", 1.0, reference)
        for reference, title in (("nginx", "nginx"), ("caddy", "Caddy"))
        for name in workloads
    ]
    found += [
        Target("user time per exchange, µs", name, "user_us", 4.0)
        for name in ("keep-100", "keep-1k") if name in workloads
    ]
    found += [
        Target("memory per idle connection, of HAProxy's", name, "idle_memory_each", 1.0, "haproxy")
        for name in ("idle", "tls-idle") if name in workloads
    ]
    return [one for one in found if not one.reference or one.reference in proxies]
