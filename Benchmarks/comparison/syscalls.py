"""System calls of running processes or threads, counted from outside.

By the kernel's tracepoints through perf where that is allowed: it slows nothing. Else by
strace, which slows the process so much that more is ready at each epoll_wait: the share of
epoll_wait then reads lower than it is.
"""

import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from . import children

# Those that a proxy makes for each exchange or connection, by the tracepoint's name.
NAMES = (
    "read", "readv", "recvfrom", "recvmsg", "write", "writev", "sendto", "sendmsg", "splice",
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "accept4", "connect", "socket",
    "close", "shutdown", "setsockopt", "getsockopt", "getsockname", "getpeername", "fcntl",
    "ioctl", "futex", "clock_gettime", "nanosleep", "madvise", "mmap", "munmap",
)


@functools.cache
def method() -> str | None:
    """`perf`, `strace`, or None where neither works."""
    if shutil.which("perf"):
        command = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.search(r"^(\d+),,raw_syscalls", done.stderr, re.M)
        if done.returncode == 0 and found and int(found[1]) > 0:
            return "perf"
    if shutil.which("strace"):
        done = subprocess.run(["strace", "-c", "true"], capture_output=True, check=False)
        if done.returncode == 0:
            return "strace"
    return None


class Counting:
    """Counts within a `with`; `counts` holds calls by name afterwards.

    `ids` are processes, or with `threads` single threads. Calls whose names perf was not
    asked for are in `other`.
    """

    def __init__(self, ids: list[int], threads: bool = False, way: str | None = None):
        self.ids, self.threads = ids, threads
        self.way = way or method()
        self.counts: dict[str, int] = {}

    def __enter__(self) -> "Counting":
        if self.way == "perf":
            self._start_perf()
        elif self.way == "strace":
            self._start_strace()
        else:
            raise RuntimeError("neither perf nor strace can count system calls here")
        return self

    def __exit__(self, kind, *_) -> None:
        if self.way == "perf" and kind is None:
            os.write(self.control, b"disable\n")
            self._acknowledged()
        self.child.send_signal(signal.SIGINT)
        output, _ = self.child.communicate(timeout=20)
        children.stop(self.child)
        if self.way == "perf":
            os.close(self.control)
            os.close(self.acknowledge)
            self._read_perf(output)
        else:
            self._read_strace(output)

    def _start_perf(self) -> None:
        events = ["raw_syscalls:sys_enter"] + [
            f"syscalls:sys_enter_{name}" for name in NAMES if _is_traced(name)
        ]
        theirs, self.control = os.pipe()
        self.acknowledge, answers = os.pipe()
        self.child = children.start(
            [
                "perf", "stat", "-x,", "-D", "-1", f"--control=fd:{theirs},{answers}",
                "-e", ",".join(events), "-t" if self.threads else "-p",
                ",".join(str(number) for number in self.ids),
            ],
            pass_fds=(theirs, answers),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        os.close(theirs)
        os.close(answers)
        os.write(self.control, b"enable\n")
        self._acknowledged()

    def _acknowledged(self) -> None:
        if not os.read(self.acknowledge, 64).startswith(b"ack"):
            raise RuntimeError("perf did not obey")

    def _read_perf(self, output: str) -> None:
        for count, name in re.findall(r"^(\d+),,\w+:(\w+)", output, re.M):
            self.counts[name.removeprefix("sys_enter_")] = int(count)
        total = self.counts.pop("sys_enter", 0)
        self.counts["other"] = total - sum(self.counts.values())
        self.counts = {name: count for name, count in self.counts.items() if count}

    def _start_strace(self) -> None:
        command = ["strace", "-c", "-q", *([] if self.threads else ["-f"])]
        for number in self.ids:
            command += ["-p", str(number)]
        self.child = children.start(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.child.poll() is None:
            traced = [f"/proc/{number}/status" for number in self.ids]
            if all("TracerPid:\t0" not in pathlib.Path(p).read_text() for p in traced):
                return
            time.sleep(0.01)
        raise RuntimeError("strace could not attach")

    def _read_strace(self, output: str) -> None:
        # % time, seconds, usecs/call, calls, errors (often empty), name
        for line in output.splitlines():
            words = line.split()
            if len(words) in (5, 6) and words[3].isdigit() and words[-1] != "total":
                self.counts[words[-1]] = int(words[3])


@functools.cache
def _traced() -> frozenset[str]:
    done = subprocess.run(
        ["perf", "list", "syscalls:sys_enter_*"], capture_output=True, text=True, check=False
    )
    return frozenset(re.findall(r"syscalls:sys_enter_(\w+)", done.stdout))


def _is_traced(name: str) -> bool:
    return name in _traced()
