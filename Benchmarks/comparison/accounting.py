"""What a process spent, read from the kernel's own books.

CPU in all is /proc/PID/task/TID/schedstat, nanoseconds, added over the threads of the
proxy's processes. Kernels without exact accounting of user and system time
(CONFIG_TICK_CPU_ACCOUNTING, the usual one) sample which of the two a tick found: so user and
system are the total above, divided by the proportion of utime to stime in /proc/PID/stat
over the same slice.

What others took of the proxy's core is at least the time that the proxy's busiest thread was
ready to run and did not. It is at most the time that the core was not idle without the proxy
running, and at most the time that other tasks ran which were last seen on this core: the
first counts waking up, too, and the second what a task did before it moved here.
"""

import dataclasses
import os
import pathlib
import re
import time

from . import children

TICKS = os.sysconf("SC_CLK_TCK")


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


@dataclasses.dataclass
class Reading:
    """The books at one moment: a proxy's processes, and the core they are pinned to."""

    at: float
    threads: dict[int, tuple[int, int]]  # thread: (ran, waited), in ns
    user: float  # s, of all processes, ended threads included
    system: float
    others: dict[int, int]  # other threads of the machine, last seen on this core: ns they ran
    core_idle: float  # s
    load_core_idle: float

    @staticmethod
    def take(pid: int, core: int, load_core: int) -> "Reading":
        threads, user, system = {}, 0.0, 0.0
        for process in children.descendants(pid):
            # After the name, which may hold spaces: utime and stime are fields 14 and 15.
            fields = _read(f"/proc/{process}/stat").rpartition(")")[2].split()
            if len(fields) > 13:
                user += int(fields[11]) / TICKS
                system += int(fields[12]) / TICKS
            for thread in os.listdir(f"/proc/{process}/task"):
                numbers = _read(f"/proc/{process}/task/{thread}/schedstat").split()
                if len(numbers) >= 2:
                    threads[int(thread)] = (int(numbers[0]), int(numbers[1]))
        others = {t: ran for t, ran in _running_on(core).items() if t not in threads}
        return Reading(
            time.monotonic(), threads, user, system, others, _idle(core), _idle(load_core)
        )


def _running_on(core: int) -> dict[int, int]:
    """All threads of the machine that ran on a core last, and how long they ran so far."""
    found = {}
    for process in os.listdir("/proc"):
        if not process.isdigit():
            continue
        try:
            threads = os.listdir(f"/proc/{process}/task")
        except OSError:
            continue
        for thread in threads:
            fields = _read(f"/proc/{process}/task/{thread}/stat").rpartition(")")[2].split()
            # The processor is field 39, after the two that were cut off.
            if len(fields) > 36 and int(fields[36]) == core:
                numbers = _read(f"/proc/{process}/task/{thread}/schedstat").split()
                found[int(thread)] = int(numbers[0]) if numbers else 0
    return found


def _idle(core: int) -> float:
    """Seconds that a core had nothing to do."""
    for line in _read("/proc/stat").splitlines():
        words = line.split()
        if words[0] == f"cpu{core}":
            return (int(words[4]) + int(words[5])) / TICKS
    return 0.0


def spent(before: Reading, after: Reading) -> dict:
    """What lies between two readings. Times in seconds, the rest in cores."""
    elapsed = after.at - before.at
    ran, waited = (
        {
            thread: now[which] - before.threads.get(thread, (0, 0))[which]
            for thread, now in after.threads.items()
        }
        for which in (0, 1)
    )
    user, system = after.user - before.user, after.system - before.system
    # A thread that ended took its nanoseconds along: then only the ticks know.
    gone = set(before.threads) - set(after.threads)
    total = user + system if gone else sum(ran.values()) / 1e9
    share = user / (user + system) if user + system > 0 else 0.0
    ran_by_others = sum(
        (now - before.others.get(thread, 0)) / 1e9 for thread, now in after.others.items()
    )
    busy = elapsed - (after.core_idle - before.core_idle) - total
    # The busiest thread's waiting for the core, beyond what its own siblings can explain.
    busiest = max(ran, key=ran.get) if ran else 0
    siblings = sum(ran.values()) - ran.get(busiest, 0)
    kept_waiting = (waited.get(busiest, 0) - siblings) / 1e9
    return {
        "elapsed": elapsed,
        "cpu": total,
        "user": total * share,
        "system": total * (1 - share),
        "core_share": total / elapsed,
        "others": max(0.0, min(ran_by_others, busy), kept_waiting) / elapsed,
        "load_core_share": 1 - (after.load_core_idle - before.load_core_idle) / elapsed,
    }


def peak_memory(pid: int) -> int:
    """The most memory that the processes held at once each, in bytes (VmHWM, added)."""
    total = 0
    for process in children.descendants(pid):
        match = re.search(r"VmHWM:\s+(\d+) kB", _read(f"/proc/{process}/status"))
        total += int(match[1]) * 1024 if match else 0
    return total


def memory(pid: int) -> int:
    """Memory that the processes hold now, in bytes.

    Proportional shares, of what is the process's own (anonymous) or shared between its
    processes. Pages of mapped files are left out: they come and go with the page cache.
    """
    total = 0
    for process in children.descendants(pid):
        text = _read(f"/proc/{process}/smaps_rollup")
        for name in ("Pss_Anon", "Pss_Shmem"):
            match = re.search(rf"{name}:\s+(\d+) kB", text)
            total += int(match[1]) * 1024 if match else 0
    return total
