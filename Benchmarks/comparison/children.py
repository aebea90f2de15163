"""Every process that the benchmark starts, and the promise that none outlives it.

Each child leads a process group of its own and is told by the kernel to stop when this
program dies. What a child leaves behind is adopted by this program and killed at the end.
"""

import ctypes
import os
import pathlib
import resource
import signal
import subprocess

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None)

# The children's niceness: the same for proxies, servers and load.
niceness = 0

_living: list[subprocess.Popen] = []


def prepare() -> int:
    """Adopts orphans and raises the limit of file descriptors. Returns that limit."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 65536
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    return wanted


def start(command: list, core: int | None = None, **options) -> subprocess.Popen:
    """Starts a child, on one core if a core is given."""

    def before_exec() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if core is not None:
            os.sched_setaffinity(0, {core})
        if niceness:
            os.setpriority(os.PRIO_PROCESS, 0, niceness)
            # Where the kernel groups by session (autogroup), only the group's counts.
            if os.path.exists("/proc/self/autogroup"):
                pathlib.Path("/proc/self/autogroup").write_text(str(niceness))

    child = subprocess.Popen(
        [str(word) for word in command],
        start_new_session=True,
        preexec_fn=before_exec,
        **options,
    )
    _living.append(child)
    return child


def stop(child: subprocess.Popen) -> None:
    """Ends a child and its group at once."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()
    try:
        # Its own children are ours now.
        while True:
            os.waitpid(-child.pid, 0)
    except ChildProcessError:
        pass
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream:
            stream.close()
    if child in _living:
        _living.remove(child)


def run(command: list, core: int | None = None, seconds: float = 60) -> str:
    """Runs a child to its end, at most `seconds`, and returns what it printed."""
    child = start(
        command, core, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        output, _ = child.communicate(timeout=seconds)
    finally:
        stop(child)
    if child.returncode:
        raise RuntimeError(f"{command[0]} ended with {child.returncode}: {output[-2000:]}")
    return output


def stop_all() -> list[str]:
    """Ends all children, and what they left. Returns the names of such orphans."""
    for child in list(_living):
        stop(child)
    orphans: list[str] = []
    try:
        # What has ended already is only waiting to be asked.
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return orphans
    for _ in range(10):
        found = descendants(os.getpid())[1:]
        if not found:
            break
        for pid in found:
            try:
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                if name not in orphans:
                    orphans.append(name)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (OSError, ChildProcessError):
                pass
    return orphans


def descendants(root: int) -> list[int]:
    """A process and all below it."""
    found = [root]
    for pid in found:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                text = pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text()
                found += [int(child) for child in text.split()]
        except OSError:
            continue
    return found
