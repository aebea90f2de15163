"""HTTP/2 as every server must speak it: 44 cases in the order of h2spec's generic ones."""

from h2_client import Failed, case
from h2wire import (
    ENABLE_PUSH, HEADER_TABLE_SIZE, INITIAL_WINDOW, MAX_FRAME, MAX_LIST, MAX_STREAMS, PREFACE,
    SETTINGS, block, frame_bytes, literal, priority_payload, settings_payload, string,
)


@case("generic/1", "The first frame of the server is its SETTINGS frame")
def _(c):
    c.send(PREFACE + frame_bytes(SETTINGS, 0, 0, settings_payload([(INITIAL_WINDOW, 65535)])))
    frame = c.watch("SETTINGS first", lambda _: True)
    if frame.kind != SETTINGS or frame.flags:
        raise Failed(f"the first frame was {frame}")


# Streams.


@case("generic/2", "PRIORITY on an idle stream is accepted")
def _(c):
    c.start().priority(1)
    c.ping()
    c.expect_pong()


@case("generic/2", "WINDOW_UPDATE on a half-closed (remote) stream is accepted")
def _(c):
    c.start().settings((INITIAL_WINDOW, 0))
    c.request()
    c.window(1, 1)
    c.expect_data()


@case("generic/2", "PRIORITY on a half-closed (remote) stream is accepted")
def _(c):
    c.start().settings((INITIAL_WINDOW, 0))
    c.request()
    c.priority(1)
    c.window(1, 1)
    c.expect_data()


@case("generic/2", "RST_STREAM on a half-closed (remote) stream is accepted")
def _(c):
    c.start().request()
    c.reset(1)
    c.ping()
    c.expect_pong(or_close=True)


@case("generic/2", "PRIORITY on a closed stream is accepted")
def _(c):
    c.start().request()
    c.expect_stream_end()
    c.priority(1)
    c.ping()
    c.expect_pong()


# Frames.


@case("generic/3.1", "DATA is accepted")
def _(c):
    c.start().request(method="POST", end=False)
    c.data(1, b"test", end=True)
    c.expect_answer()


@case("generic/3.1", "Several DATA frames are accepted")
def _(c):
    c.start().request(method="POST", end=False)
    c.data(1, b"test")
    c.data(1, b"test", end=True)
    c.expect_answer()


@case("generic/3.1", "DATA with padding is accepted")
def _(c):
    c.start().request(method="POST", end=False)
    c.frame(0x0, 0x9, 1, b"\x06test" + bytes(6))
    c.expect_answer()


@case("generic/3.2", "HEADERS is accepted")
def _(c):
    c.start().request()
    c.expect_answer()


@case("generic/3.2", "HEADERS with padding is accepted")
def _(c):
    c.start().request(pad=8)
    c.expect_answer()


@case("generic/3.2", "HEADERS with priority is accepted")
def _(c):
    c.start().request(priority=priority_payload())
    c.expect_answer()


@case("generic/3.3", "PRIORITY with weight 1 is accepted")
def _(c):
    c.start().priority(1, weight=0)
    c.request()
    c.expect_answer()


@case("generic/3.3", "PRIORITY with weight 256 is accepted")
def _(c):
    c.start().priority(1, weight=255)
    c.request()
    c.expect_answer()


@case("generic/3.3", "PRIORITY with a stream dependency is accepted")
def _(c):
    c.start().priority(3, depends_on=1, weight=0)
    c.request()
    c.expect_answer()


@case("generic/3.3", "PRIORITY with the exclusive flag is accepted")
def _(c):
    c.start().priority(1, weight=0, exclusive=True)
    c.request()
    c.expect_answer()


@case("generic/3.3", "After PRIORITY for a higher idle stream, HEADERS on a lower one is answered")
def _(c):
    c.start().priority(3)
    c.request()
    c.expect_answer()


@case("generic/3.4", "RST_STREAM is accepted")
def _(c):
    c.start().request(end=False)
    c.reset(1)
    c.ping()
    c.expect_pong(or_close=True)


@case("generic/3.5", "SETTINGS is accepted and acknowledged")
def _(c):
    c.start().settings(
        (HEADER_TABLE_SIZE, 4096), (ENABLE_PUSH, 1), (MAX_STREAMS, 100), (INITIAL_WINDOW, 65535),
        (MAX_FRAME, 16384), (MAX_LIST, 100),
    )
    c.expect_settings()


@case("generic/3.7", "PING is answered")
def _(c):
    c.start().ping(b"belay!!!")
    c.expect_pong(b"belay!!!")


@case("generic/3.8", "GOAWAY is accepted")
def _(c):
    c.start().frame(0x7, 0, 0, bytes(8))
    c.ping()
    c.expect_pong(or_close=True)


@case("generic/3.9", "WINDOW_UPDATE on stream 0 is accepted")
def _(c):
    c.start().window(0, 1)
    c.ping()
    c.expect_pong()


@case("generic/3.9", "WINDOW_UPDATE on a stream is accepted")
def _(c):
    c.start((INITIAL_WINDOW, 0)).request()
    c.window(1, 1)
    c.expect_data(1)


@case("generic/3.10", "CONTINUATION is accepted")
def _(c):
    fragment = block(c.start().fields())
    c.headers(1, fragment[:5], whole=False)
    c.continuation(1, fragment[5:])
    c.expect_answer()


@case("generic/3.10", "Several CONTINUATION frames are accepted")
def _(c):
    fragment = block(c.start().fields())
    c.headers(1, fragment[:5], whole=False)
    c.continuation(1, fragment[5:10], whole=False)
    c.continuation(1, fragment[10:])
    c.expect_answer()


# Messages.


@case("generic/4", "GET is answered")
def _(c):
    c.start().request()
    c.expect_answer()


@case("generic/4", "HEAD is answered")
def _(c):
    c.start().request(method="HEAD")
    c.expect_answer()


@case("generic/4", "POST is answered")
def _(c):
    c.start().request(method="POST", end=False)
    c.data(1, b"test", end=True)
    c.expect_answer()


@case("generic/4", "POST with trailers is answered")
def _(c):
    c.start().request(method="POST", end=False, more=[("trailer", "x-test")])
    c.data(1, b"test")
    c.headers(1, block([("x-test", "ok")]))
    c.expect_answer()


# HPACK. Index 58 of the static table is user-agent.


@case("generic/5", "An indexed field is accepted")
def _(c):
    c.start().request(after=b"\xba")
    c.expect_answer()


def indexed_name(first, prefix_bits, huffman):
    most = (1 << prefix_bits) - 1
    index = bytes([first | 58]) if most > 58 else bytes([first | most, 58 - most])
    return index + string("h2spec", huffman)


REPRESENTATIONS = (
    ("with incremental indexing", 0x40, 6),
    ("without indexing", 0x00, 4),
    ("never indexed", 0x10, 4),
)


def literal_cases(kind, first, prefix_bits):
    for coded in (False, True):
        how = ", Huffman coded" if coded else ""

        @case("generic/5", f"A literal {kind} with an indexed name{how} is accepted")
        def _(c, coded=coded):
            c.start().request(after=indexed_name(first, prefix_bits, coded))
            c.expect_answer()

        @case("generic/5", f"A literal {kind} with a new name{how} is accepted")
        def _(c, coded=coded):
            c.start().request(after=literal("x-test", "h2spec", first, coded))
            c.expect_answer()


for representation in REPRESENTATIONS:
    literal_cases(*representation)


@case("generic/5", "A dynamic table size update is accepted")
def _(c):
    c.start().request(before=b"\x20")
    c.expect_answer()


@case("generic/5", "Several dynamic table size updates are accepted")
def _(c):
    c.start().request(before=b"\x20\x3f\xe1\x1f")
    c.expect_answer()
