"""What a server does when settings, windows, header blocks or messages break RFC 9113, sections 6.5
to 8 (in h2spec's numbering, which is RFC 7540's).
"""

from h2_client import Failed, case
from h2wire import (
    CONTINUATION, ENABLE_PUSH, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, INITIAL_WINDOW,
    MAX_FRAME, PING, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS, STREAM_CLOSED,
    WINDOW_UPDATE, block,
)

MOST = 0x7FFFFFFF


@case("http2/6.3", "After PRIORITY for a higher idle stream, HEADERS is no error", strict=True)
def _(c):
    c.start().priority(3)
    c.request()
    c.expect_answer()


@case("http2/6.5", "SETTINGS with ACK and a payload is a connection error FRAME_SIZE_ERROR")
def _(c):
    c.start().frame(SETTINGS, 0x1, 0, b"\x00")
    c.expect_connection_error(FRAME_SIZE_ERROR)


@case("http2/6.5", "SETTINGS on a stream is a connection error")
def _(c):
    c.start().frame(SETTINGS, 0, 1, b"\x00\x03\x00\x00\x00\x64")
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.5", "SETTINGS of no multiple of 6 bytes is a connection error FRAME_SIZE_ERROR")
def _(c):
    c.start().frame(SETTINGS, 0, 0, b"\x00\x03\x00\x00\x00\x64\x00\x02\x00")
    c.expect_connection_error(FRAME_SIZE_ERROR, PROTOCOL_ERROR)


@case("http2/6.5.2", "SETTINGS_ENABLE_PUSH other than 0 and 1 is a connection error")
def _(c):
    c.start().settings((ENABLE_PUSH, 2))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1 is a FLOW_CONTROL_ERROR")
def _(c):
    c.start().settings((INITIAL_WINDOW, MOST + 1))
    c.expect_connection_error(FLOW_CONTROL_ERROR)


@case("http2/6.5.2", "SETTINGS_MAX_FRAME_SIZE below 2^14 is a connection error")
def _(c):
    c.start().settings((MAX_FRAME, 16383))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.5.2", "SETTINGS_MAX_FRAME_SIZE above 2^24-1 is a connection error")
def _(c):
    c.start().settings((MAX_FRAME, 1 << 24))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.5.2", "An unknown setting is ignored")
def _(c):
    c.start().settings((0xFF, 1))
    c.ping()
    c.expect_pong()


@case("http2/6.5.3", "The values of SETTINGS are processed in their order")
def _(c):
    c.start().settings((INITIAL_WINDOW, 100), (INITIAL_WINDOW, 1))
    c.expect_settings()
    c.request()
    c.expect_data(1)


@case("http2/6.5.3", "SETTINGS is acknowledged at once")
def _(c):
    c.start().settings((ENABLE_PUSH, 0))
    c.expect_settings()


@case("http2/6.7", "PING is answered with the same payload")
def _(c):
    c.start().ping(b"h2spec\0\0")
    c.expect_pong(b"h2spec\0\0")


@case("http2/6.7", "PING with ACK is not answered")
def _(c):
    c.start().ping(b"invalid\0", flags=0x1)
    c.ping(b"h2spec\0\0")
    frame = c.expect(PING, "PING with ACK")
    if frame.payload != b"h2spec\0\0":
        raise Failed("a PING with ACK was answered")


@case("http2/6.7", "PING on a stream is a connection error")
def _(c):
    c.start().frame(PING, 0, 1, bytes(8))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.7", "PING of another length than 8 is a connection error FRAME_SIZE_ERROR")
def _(c):
    c.start().frame(PING, 0, 0, bytes(6))
    c.expect_connection_error(FRAME_SIZE_ERROR)


@case("http2/6.8", "GOAWAY on a stream is a connection error")
def _(c):
    c.start().frame(GOAWAY, 0, 1, bytes(8))
    c.expect_connection_error(PROTOCOL_ERROR)


# Windows.


@case("http2/6.9", "WINDOW_UPDATE by 0 on the connection is a connection error")
def _(c):
    c.start().window(0, 0)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.9", "WINDOW_UPDATE by 0 on a stream is a stream error")
def _(c):
    c.start().request(end=False)
    c.window(1, 0)
    c.expect_stream_error(PROTOCOL_ERROR)


@case("http2/6.9", "WINDOW_UPDATE of another length than 4 is a FRAME_SIZE_ERROR")
def _(c):
    c.start().frame(WINDOW_UPDATE, 0, 0, b"\0\0\x01")
    c.expect_connection_error(FRAME_SIZE_ERROR)


@case("http2/6.9.1", "With a window of 1 no more than 1 byte is sent")
def _(c):
    c.start().settings((INITIAL_WINDOW, 1))
    c.expect_settings()
    c.request()
    c.expect_data(1)


@case("http2/6.9.1", "A connection window above 2^31-1 is told in GOAWAY FLOW_CONTROL_ERROR")
def _(c):
    c.start().window(0, MOST)
    c.window(0, MOST)
    if c.expect(GOAWAY, "GOAWAY").code != FLOW_CONTROL_ERROR:
        raise Failed("the GOAWAY frame has another code")


@case("http2/6.9.1", "A stream's window above 2^31-1 is told in RST_STREAM FLOW_CONTROL_ERROR")
def _(c):
    c.start().request(end=False)
    c.window(1, MOST)
    c.window(1, MOST)
    if c.expect(RST_STREAM, "RST_STREAM", 1).code != FLOW_CONTROL_ERROR:
        raise Failed("the RST_STREAM frame has another code")


@case("http2/6.9.2", "A new SETTINGS_INITIAL_WINDOW_SIZE changes the windows of open streams")
def _(c):
    c.start().settings((INITIAL_WINDOW, 0))
    c.expect_settings()
    c.request()
    c.settings((INITIAL_WINDOW, 1))
    c.expect_settings()
    c.expect_data(1)


@case("http2/6.9.2", "A window that became negative is kept account of")
def _(c):
    c.start().settings((INITIAL_WINDOW, 3))
    c.expect_settings()
    c.request()
    c.expect_data()
    c.settings((INITIAL_WINDOW, 2))
    c.expect_settings()
    c.window(1, 2)
    c.expect_data(1)


@case("http2/6.9.2", "SETTINGS that lifts windows above 2^31-1 is a FLOW_CONTROL_ERROR")
def _(c):
    c.start().frame(SETTINGS, 0, 0, b"\x00\x04\x80\x00\x00\x00")
    c.expect_connection_error(FLOW_CONTROL_ERROR)


# Header blocks in pieces.


@case("http2/6.10", "Several CONTINUATION frames after HEADERS are accepted")
def _(c):
    c.start().request(whole=False)
    c.continuation(1, block(c.dummies(1)), whole=False)
    c.continuation(1, block(c.dummies(1)))
    c.expect_answer()


@case("http2/6.10", "CONTINUATION followed by DATA is a connection error")
def _(c):
    c.start().request(method="POST", end=False, whole=False)
    c.continuation(1, block(c.dummies(1)), whole=False)
    c.data(1, b"test", end=True)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.10", "CONTINUATION on stream 0 is a connection error")
def _(c):
    c.start().request(whole=False)
    c.continuation(0, block(c.dummies(1)))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.10", "CONTINUATION after HEADERS with END_HEADERS is a connection error")
def _(c):
    c.start().request()
    c.continuation(1, block(c.dummies(1)))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.10", "CONTINUATION after CONTINUATION with END_HEADERS is a connection error")
def _(c):
    c.start().request(whole=False)
    c.continuation(1, block(c.dummies(1)))
    c.frame(CONTINUATION, 0x4, 1, block(c.dummies(1)))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.10", "CONTINUATION after DATA is a connection error")
def _(c):
    c.start().request(method="POST", end=False)
    c.data(1, b"test", end=True)
    c.continuation(1, block(c.dummies(1)))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/7", "GOAWAY with an unknown code has no special effect")
def _(c):
    c.start().frame(GOAWAY, 0, 0, bytes(7) + b"\xff")
    c.ping()
    c.expect_pong(or_close=True)


@case("http2/7", "RST_STREAM with an unknown code has no special effect")
def _(c):
    c.start().request(method="POST", end=False)
    c.reset(1, 0xFF)
    c.ping()
    c.expect_pong(or_close=True)


# Messages. A malformed one is a stream error PROTOCOL_ERROR.


@case("http2/8.1", "Second HEADERS without END_STREAM is malformed")
def _(c):
    c.start().request(method="POST", end=False)
    c.data(1, b"test")
    c.headers(1, block([("x-test", "ok")]), end=False)
    c.expect_stream_error(PROTOCOL_ERROR)


def malformed(section, sentence, change, after=()):
    """A request whose fields `change` makes malformed, with a body and trailers if any."""

    @case(section, sentence)
    def _(c):
        fields = change(c.start().fields("POST" if after else "GET"))
        c.headers(1, block(fields), end=not after)
        for number, part in enumerate(after, 1):
            part(c, number == len(after))
        c.expect_stream_error(PROTOCOL_ERROR)


def data(content):
    return lambda c, end: c.data(1, content, end)


def without(name):
    return lambda fields: [field for field in fields if field[0] != name]


def twice(name):
    return lambda fields: fields + [field for field in fields if field[0] == name]


def plus(name, value):
    return lambda fields: fields + [(name, value)]


malformed("http2/8.1.2", "An upper-case name is malformed", plus("X-TEST", "ok"))
malformed("http2/8.1.2.1", "An unknown pseudo-header is malformed", plus(":test", "ok"))
malformed("http2/8.1.2.1", "A response's pseudo-header is malformed", plus(":status", "200"))
malformed(
    "http2/8.1.2.1", "A pseudo-header among trailers is malformed", plus("trailer", "x-test"),
    (data(b"test"), lambda c, end: c.headers(1, block([(":method", "200")]), end)),
)
malformed(
    "http2/8.1.2.1", "A pseudo-header after a regular field is malformed",
    lambda fields: fields[:3] + [("x-test", "ok")] + fields[3:],
)
malformed(
    "http2/8.1.2.2", "A field for one connection is malformed", plus("connection", "keep-alive")
)
malformed(
    "http2/8.1.2.2", "TE with more than trailers is malformed", plus("te", "trailers, deflate")
)
malformed(
    "http2/8.1.2.3", "An empty :path is malformed",
    lambda fields: [(name, "" if name == ":path" else value) for name, value in fields],
)
for missing in (":method", ":scheme", ":path"):
    malformed("http2/8.1.2.3", f"A request without {missing} is malformed", without(missing))
for double in (":method", ":scheme", ":path"):
    malformed("http2/8.1.2.3", f"A request with two {double} is malformed", twice(double))
malformed(
    "http2/8.1.2.6", "A content-length other than the length of the one DATA is malformed",
    plus("content-length", "1"), (data(b"test"),),
)
malformed(
    "http2/8.1.2.6", "A content-length other than the sum of all DATA is malformed",
    plus("content-length", "1"), (data(b"test"), data(b"test")),
)


@case("http2/8.2", "PUSH_PROMISE from a client is a connection error")
def _(c):
    c.start().frame(PUSH_PROMISE, 0x4, 1, b"\0\0\0\x03" + block(c.fields()))
    c.expect_connection_error(PROTOCOL_ERROR)


# Not among h2spec's cases, but next to them.


@case("extra/5.1", "half-closed (remote): trailers after END_STREAM are an error", strict=True)
def _(c):
    c.start().request(method="POST")
    c.headers(1, block([("x-test", "ok")]))
    c.expect_stream_error(STREAM_CLOSED, PROTOCOL_ERROR)
