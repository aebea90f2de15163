"""The workloads: what each asks of a proxy, and how."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Workload:
    """One kind of load. `client` is the program that makes it."""

    name: str
    title: str
    size: int = 100
    connections: int = 64
    servers: int = 4
    client: str = "wrk"
    upload: int = 0  # bytes
    closes: bool = False
    presents_cookie: bool = True
    held: int = 0  # connections that are opened and then nearly idle

    @property
    def path(self) -> str:
        return "/upload" if self.upload else f"/b/{self.size}"


ALL = {
    workload.name: workload
    for workload in (
        Workload("keep-100", "keep-alive, 100 B"),
        Workload("keep-1k", "keep-alive, 1 KiB", size=1 << 10),
        Workload("keep-64k", "keep-alive, 64 KiB", size=64 << 10),
        Workload("keep-1m", "keep-alive, 1 MiB", size=1 << 20, connections=16),
        Workload("new", "new connection each, 100 B", closes=True),
        Workload("new-hey", "new connection each, by hey", closes=True, client="hey"),
        Workload("upload-64k", "uploads of 64 KiB", upload=64 << 10),
        Workload("servers-10", "10 servers, unbound", servers=10, presents_cookie=False),
        Workload("servers-100", "100 servers, unbound", servers=100, presents_cookie=False),
        Workload("servers-1000", "1,000 servers, unbound", servers=1000, presents_cookie=False),
        Workload("fixed-rate", "fixed rate, 100 B", client="open loop"),
        Workload("idle", "10,000 idle connections", client="idle", held=10_000),
    )
}

IDLE_RATE = 1000  # requests a second, over all that are held
IDLE_SOURCES = 100  # client addresses that hold them
SETTLE = 1.0  # s, after which memory of connections that fell idle is looked at


def fitting(workload: Workload, files_max: int) -> Workload:
    """The workload with no more held connections than descriptors allow, two for each."""
    fit = (files_max - 800) // 2
    if workload.held <= fit:
        return workload
    return dataclasses.replace(workload, held=fit, title=f"{fit:,} idle connections")
