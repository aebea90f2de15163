"""The workloads: what each asks of a proxy, and how; and the parts that have one report each."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Workload:
    """One kind of load. `client` is the program that makes it."""

    name: str
    title: str
    part: str = "plain"
    size: int = 100
    connections: int = 64
    servers: int = 4
    client: str = "wrk"
    upload: int = 0  # bytes
    closes: bool = False
    presents_cookie: bool = True
    held: int = 0  # connections that are opened and then nearly idle
    tls: str = ""  # the version, "1.2" or "1.3"; empty: clear text
    certificate: str = "ecdsa"
    resumes: bool = False  # handshakes, by tickets
    http2: bool = False
    streams: int = 1  # of each connection at once
    speech: str = "http"  # or "ws", messages of `size`; or "raw", answers of `size`

    @property
    def path(self) -> str:
        return "/upload" if self.upload else f"/b/{self.size}"

    @property
    def in_flight(self) -> int:
        """Requests that are under way at once."""
        return self.connections * self.streams


@dataclasses.dataclass(frozen=True)
class Part:
    """Workloads that are reported together. `unit` is what CPU is divided by."""

    name: str
    title: str
    unit: str
    units: str
    minutes_max: int  # after so long no further round is begun
    notes: tuple[str, ...] = ()

    @property
    def workloads(self) -> list[Workload]:
        return [one for one in ALL.values() if one.part == self.name]


def _tls(name: str, title: str, **options) -> Workload:
    return Workload(name, title, part="tls", **{"tls": "1.3", **options})


def _handshake(name: str, title: str, **options) -> Workload:
    return _tls(name, title, client="load", closes=True, **options)


def _http2(name: str, title: str, **options) -> Workload:
    return Workload(name, title, part="http2", client="h2load", http2=True, **options)


def _websocket(name: str, title: str, **options) -> Workload:
    return Workload(name, title, part="websocket", client="load", speech="ws",
                    connections=1000, **options)


def _tcp(name: str, title: str, **options) -> Workload:
    return Workload(name, title, part="tcp", client="load", speech="raw", **options)


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
        _tls("tls-100", "TLS, keep-alive, 100 B"),
        _tls("tls-64k", "TLS, keep-alive, 64 KiB", size=64 << 10),
        _handshake("handshake-ecdsa", "full handshakes, P-256"),
        _handshake("handshake-rsa", "full handshakes, RSA 2048", certificate="rsa"),
        _handshake("resumed", "resumed handshakes", resumes=True),
        _handshake("handshake-12", "full, P-256, TLS 1.2", tls="1.2"),
        _handshake("resumed-12", "resumed, TLS 1.2", tls="1.2", resumes=True),
        _tls("tls-idle", "10,000 idle connections, TLS", client="idle", held=10_000),
        _http2("h2-1", "HTTP/2 over TLS, 1 stream", tls="1.3"),
        _http2("h2-100", "HTTP/2 over TLS, 100 streams", tls="1.3", connections=10, streams=100),
        _http2("h2c-1", "h2c, 1 stream"),
        _http2("h2c-100", "h2c, 100 streams", connections=10, streams=100),
        _websocket("ws-64", "WebSocket, 64 B", size=64),
        _websocket("ws-16k", "WebSocket, 16 KiB", size=16 << 10),
        _tcp("tcp-100", "TCP, kept, 100 B"),
        _tcp("tcp-64k", "TCP, kept, 64 KiB", size=64 << 10),
        _tcp("tcp-new", "TCP, new connection each", closes=True),
    )
}

_TLS = (
    "TLS: every proxy has both versions, TLS_AES_128_GCM_SHA256 (in 1.2 "
    "ECDHE-...-AES128-GCM-SHA256), X25519, tickets, and a self-signed certificate without a "
    "chain, made for the run. A slice with another suite or certificate is not measured."
)

PARTS = {
    part.name: part
    for part in (
        Part("plain", "", "exchange", "requests", 36),
        Part("tls", "TLS", "exchange or handshake", "exchanges or handshakes", 24, (
            _TLS,
            "A handshake is a new connection, the handshake in TLS 1.3 unless the workload says "
            "1.2, one small exchange and the end; 64 at once. Where it is resumed each of 64 "
            "clients presents the newest ticket that it was given, and what resumes nothing is an "
            "error; full ones present none, and are given tickets like any browser.",
            "Keep-alive is measured by wrk, whose 64 handshakes at the beginning are in the "
            "figure: about a hundredth of it.",
        )),
        Part("http2", "HTTP/2", "exchange", "exchanges", 24, (
            _TLS,
            "h2load, with the fields of a browser's request: 64 connections with one stream, or "
            "10 with 100 streams each. All present the same binding cookie, so that all go to "
            "one server, by HTTP/1.1. The connections' beginning is in the figure.",
        )),
        Part("websocket", "WebSocket", "message and echo", "messages and echoes", 24, (
            "1,000 WebSockets to 4 servers, all busy: a message in a masked frame, its echo in "
            "a frame without a mask, and the next. The upgrades are not in the figure.",
            "A message of 16 KiB with its head is a little more than one buffer of HAProxy (16 "
            "KiB, the default) and of nginx (as it is set here) holds; Caddy copies with 32 KiB.",
        )),
        Part("tcp", "TCP", "round trip", "round trips", 24, (
            "Bytes without HTTP: 100 bytes are answered with 100 bytes or 64 KiB, on 64 "
            "connections to 4 servers; or each on a connection of its own, which the client "
            "closes.",
        )),
    )
}

IDLE_RATE = 1000  # requests a second, over all that are held
IDLE_SOURCES = 100  # client addresses that hold them
SETTLE = 1.0  # s, after which memory of connections that fell idle is looked at


def fitting(workload: Workload, files_max: int) -> Workload:
    """The workload with no more connections than descriptors allow, two for each."""
    fit = (files_max - 800) // 2
    if workload.connections > fit:
        workload = dataclasses.replace(workload, connections=fit)
    if workload.held > fit:
        title = workload.title.replace(f"{workload.held:,}", f"{fit:,}")
        workload = dataclasses.replace(workload, held=fit, title=title)
    return workload
