"""What the cases of the HTTP/2 exam are written with: a client that states what it expects."""

import time

from h2wire import (
    ACK, DATA, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, Closed, Connection, block,
    error_name,
)

# Every case: section, sentence, whether only a strict reading of the RFC demands it, function.
CASES = []


class Failed(Exception):
    """The server did something else than the case accepts."""


class Skipped(Exception):
    """The case asks for something that this server does not have."""


def case(section, sentence, strict=False):
    def add(function):
        CASES.append((section, sentence, strict, function))
        return function

    return add


class Client(Connection):
    """A connection whose `expect...` methods raise Failed. As with h2spec, a closed connection
    counts as a connection error, and a connection error as a stream error."""

    def __init__(self, settings):
        super().__init__(settings.address, settings.tls, settings.timeout)
        self.path = settings.path
        self.last = None

    def start(self, *pairs):
        self.handshake(*pairs)
        return self

    def fields(self, method="GET", path=None):
        host, port = self.address
        return [
            (":method", method),
            (":scheme", "https" if self.tls else "http"),
            (":path", self.path if path is None else path),
            (":authority", f"{host}:{port}"),
        ]

    def request(self, stream=1, method="GET", end=True, more=(), after=b"", before=b"", **how):
        """A request's head; `after` and `before` are raw bytes of the header block."""
        fragment = before + block(self.fields(method) + list(more)) + after
        return self.headers(stream, fragment, end, **how)

    def dummies(self, count):
        """Fields of 4,000 bytes each."""
        return [(f"x-dummy{number}", "x" * 4000) for number in range(count)]

    # Expectations.

    def watch(self, wanted, accept, when_closed=False):
        """Reads until a frame is accepted; fails when time is over or the connection ends."""
        deadline = time.monotonic() + self.timeout
        seen = []
        while True:
            try:
                frame = self.read(max(deadline - time.monotonic(), 0))
            except Closed:
                if when_closed:
                    return None
                raise Failed(told(wanted, seen, "the connection was closed")) from None
            if frame is None:
                raise Failed(told(wanted, seen, "no more came in time"))
            seen.append(str(frame))
            if accept(frame):
                return frame

    def expect(self, kind, wanted, stream=None):
        return self.watch(
            wanted, lambda f: f.kind == kind and (stream is None or f.stream == stream)
        )

    def expect_answer(self, stream=1):
        return self.expect(HEADERS, f"HEADERS on {stream}", stream)

    def expect_data(self, length=None):
        frame = self.expect(DATA, "DATA")
        if length is not None and len(frame.payload) != length:
            raise Failed(f"expected {length} bytes of DATA, got: {frame}")

    def expect_settings(self, acknowledges=True):
        return self.watch(
            "SETTINGS", lambda f: f.kind == SETTINGS and bool(f.flags & ACK) == acknowledges
        )

    def expect_pong(self, data=bytes(8), or_close=False):
        self.watch(
            "PING with ACK",
            lambda f: f.kind == PING and f.flags & ACK and f.payload == data,
            when_closed=or_close,
        )

    def expect_close(self):
        self.watch("the end of the connection", lambda _: False, when_closed=True)

    def expect_connection_error(self, *codes):
        wanted = "GOAWAY or the end: " + ", ".join(map(error_name, codes))
        self.watch(wanted, lambda f: f.kind == GOAWAY and f.code in codes, when_closed=True)

    def expect_stream_error(self, *codes):
        wanted = "RST_STREAM, GOAWAY or the end: " + ", ".join(map(error_name, codes))
        self.watch(
            wanted,
            lambda f: f.kind in (GOAWAY, RST_STREAM) and f.code in codes,
            when_closed=True,
        )

    def expect_stream_end(self):
        self.watch("END_STREAM", lambda f: f.kind in (DATA, HEADERS) and f.flags & END_STREAM)


def told(wanted, seen, end):
    frames = "; ".join(seen[-3:]) or "nothing"
    return f"expected {wanted}, but {end} after: {frames}"
