"""The small C programs of the benchmark, and the servers that one of them is."""

import pathlib
import shutil
import socket
import subprocess

from . import children

HERE = pathlib.Path(__file__).resolve().parent.parent
WORK = HERE / "work"  # what was compiled, and what the proxies write; not in the repository
FLAGS = ["-O2", "-Wall", "-Wextra"]
# What a program has besides its own file: other files, and libraries.
MORE = {"load": ["tls.c", "tls.h"]}
LIBRARIES = {"load": ["-lm", "-lssl", "-lcrypto"], "origin": ["-lcrypto"]}


class Missing(Exception):
    """Something that has to be installed or built first."""


def build(*names: str) -> pathlib.Path:
    """Compiles what has changed. A name that ends in .so becomes a library. Returns WORK."""
    compiler = shutil.which("clang") or shutil.which("cc")
    if not compiler:
        raise Missing("no C compiler (the Swift toolchain brings clang)")
    WORK.mkdir(exist_ok=True)
    for name in names:
        sources = [(HERE / name).with_suffix(".c"), *(HERE / more for more in MORE.get(name, ()))]
        program = WORK / pathlib.Path(name).name
        newest = max(source.stat().st_mtime for source in sources)
        if program.exists() and program.stat().st_mtime > newest:
            continue
        shared = ["-fPIC", "-shared"] if name.endswith(".so") else ["-pthread"]
        fresh = program.with_name(program.name + ".new")
        compiled = [source for source in sources if source.suffix == ".c"]
        libraries = LIBRARIES.get(name, ())
        children.run([compiler, *FLAGS, *shared, "-o", fresh, *compiled, *libraries])
        fresh.rename(program)  # another run may be using the old one
    return WORK


def free_ports(count: int) -> int:
    """The first of `count` ports in a row, below the ephemeral ones, that nobody has."""
    for first in range(20_000, 32_000 - count, 500):
        sockets = []
        try:
            for port in range(first, first + count):
                one = socket.socket()
                sockets.append(one)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise Missing(f"{count} free ports in a row")


def start_servers(count: int, core: int | None) -> int:
    """Starts servers on `count` ports in a row. Returns the first port."""
    first = free_ports(count)
    origin = children.start(
        [WORK / "origin", first, count], core, stdout=subprocess.PIPE, text=True
    )
    if origin.stdout.readline() != "ready\n":
        raise RuntimeError("the servers did not start")
    return first
