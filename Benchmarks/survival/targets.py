"""What Belay has to reach, by disturbance: words, and whether a result does."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass
class Target:
    words: str
    is_met: Callable[[dict], bool]
    measured: Callable[[dict], str]


def failed(result: dict) -> int:
    return result["failed_idempotent"] + result["failed_other"]


def at_most(words: str, key: str, limit: float) -> Target:
    return Target(words, lambda r: r[key] is not None and r[key] <= limit, lambda r: f"{r[key]}")


def in_progress_only(result: dict) -> bool:
    """A GET may end in the middle; a POST that was sent can't be sent again."""
    return all(reason == "GET: cut in its answer" or reason.startswith("POST: ")
               for reason in result["reasons"])


NOTHING_FAILED = Target("nothing failed", lambda r: failed(r) == 0, lambda r: f"{failed(r)}")
NOTHING_LOST = at_most("no cart lost", "lost", 0)
NOBODY_MOVED = at_most("nobody moved", "moved", 0)
NEVER_TWICE = at_most("nobody moved more than once", "moved_again", 0)
NO_FALSE_END = at_most("no false end", "false_ends", 0)
NOTHING_CUT = at_most("no connection cut", "cut", 0)
TUNNELS_STAY = at_most("no tunnel cut", "tunnels_cut", 0)
NOT_SLOWER = at_most("no wait over 0.3 s", "longest", 0.3)
NO_NEWCOMER = at_most("no newcomer there", "newcomers_there", 0)


def failed_at_most(limit: int) -> Target:
    return Target(f"at most {limit} failed", lambda r: failed(r) <= limit, lambda r: f"{failed(r)}")


def imbalance(limit: float) -> Target:
    return Target(f"max/mean at most {limit:.2f}", lambda r: round(r["imbalance"], 2) <= limit,
                  lambda r: f"{r['imbalance']:.3f}")


CLEAN = [NOTHING_FAILED, NOTHING_LOST, NOBODY_MOVED, NO_FALSE_END]
STAYS = CLEAN + [NOT_SLOWER, NOTHING_CUT, TUNNELS_STAY]

TARGETS: dict[str, list[Target]] = {
    "nothing": STAYS,
    "server-killed": [
        Target("only answers in progress fail", in_progress_only,
               lambda r: f"{failed(r)} failed"),
        NO_FALSE_END, NOTHING_LOST, at_most("longest wait at most 1.2 s", "longest", 1.2),
        NEVER_TWICE, imbalance(1.25),
    ],
    "server-frozen": CLEAN + [
        at_most("at most 2 newcomers there", "newcomers_there", 2), NOTHING_CUT, TUNNELS_STAY,
    ],
    "server-drained": STAYS + [NO_NEWCOMER, imbalance(1.0)],
    "weight-zero": STAYS + [NO_NEWCOMER, imbalance(1.0)],
    "server-removed": STAYS + [NO_NEWCOMER],
    "server-removed-now": [NOTHING_FAILED, NEVER_TWICE, NO_FALSE_END, NOT_SLOWER, NO_NEWCOMER],
    "server-added": STAYS,
    "server-added-shared": [NOTHING_FAILED, NOTHING_LOST, NEVER_TWICE, imbalance(1.1)],
    "address-changed": CLEAN + [TUNNELS_STAY],
    "ten-reloads": STAYS + [
        Target("every answer by the new file", lambda r: r["marks_old"] == 0 and r["marks"] > 0,
               lambda r: f"{r['marks_old']} of {r['marks']} by an old one"),
    ],
    "restarted": [failed_at_most(40), NOTHING_LOST, NOBODY_MOVED,
                  at_most("accepts 10 ms after its start", "ready_ms", 10)],
    "restarted-sockets": [
        Target("none refused", lambda r: not any("refused" in reason for reason in r["reasons"]),
               lambda r: f"{sum(n for w, n in r['reasons'].items() if 'refused' in w)}"),
        NOTHING_LOST, NOBODY_MOVED,
    ],
    "killed": [failed_at_most(45), NOTHING_LOST, NOBODY_MOVED],
    "upgraded": CLEAN + [NOTHING_CUT, TUNNELS_STAY],
}
