"""What a server does when frames break RFC 9113, sections 3 to 5 (in h2spec's numbering, which is
RFC 7540's), and HPACK's rules.
"""

from h2_client import Skipped, case
from h2wire import (
    CANCEL, COMPRESSION_ERROR, DATA, FRAME_SIZE_ERROR, GOAWAY, INITIAL_WINDOW, MAX_STREAMS, PING,
    PREFACE, PROTOCOL_ERROR, REFUSED_STREAM, SETTINGS, STREAM_CLOSED, block, frame_bytes, literal,
    priority_payload, settings_payload,
)

UNKNOWN = 0x16


@case("http2/3.5", "The server's preface is a SETTINGS frame, without being asked twice")
def _(c):
    c.send(PREFACE + frame_bytes(SETTINGS, 0, 0, settings_payload([(INITIAL_WINDOW, 65535)])))
    c.expect_settings(acknowledges=False)


@case("http2/3.5", "After an invalid preface the connection is closed")
def _(c):
    c.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
    c.expect_close()


@case("http2/4.1", "A frame of unknown type is ignored")
def _(c):
    c.start().frame(UNKNOWN, 0, 0, bytes(8))
    c.ping()
    c.expect_pong()


@case("http2/4.1", "Undefined flags are ignored")
def _(c):
    c.start().ping(flags=0x16)
    c.expect_pong()


@case("http2/4.1", "The reserved bit is ignored")
def _(c):
    c.start().frame(PING, 0x16, 0x80000000, bytes(8))
    c.expect_pong()


@case("http2/4.2", "DATA of 2^14 bytes is accepted")
def _(c):
    c.start().request(method="POST", end=False)
    c.data(1, b"x" * 16384, end=True)
    c.expect_answer()


@case("http2/4.2", "DATA above SETTINGS_MAX_FRAME_SIZE is a FRAME_SIZE_ERROR")
def _(c):
    c.start().request(method="POST", end=False)
    c.data(1, b"x" * (c.server_settings.get(0x5, 16384) + 1), end=True)
    c.expect_stream_error(FRAME_SIZE_ERROR)


@case("http2/4.2", "HEADERS above SETTINGS_MAX_FRAME_SIZE is a connection error FRAME_SIZE_ERROR")
def _(c):
    c.start()
    c.request(more=c.dummies(2 + c.server_settings.get(0x5, 16384) // 4000))
    c.expect_connection_error(FRAME_SIZE_ERROR)


@case("http2/4.3", "An invalid header block is a COMPRESSION_ERROR")
def _(c):
    c.start().headers(1, b"\x40")
    c.expect_connection_error(COMPRESSION_ERROR)


@case("http2/4.3", "PRIORITY within a header block is a connection error")
def _(c):
    c.start().request(end=False, whole=False)
    c.priority(1)
    c.continuation(1, block(c.dummies(1)))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/4.3", "HEADERS of another stream within a header block is a connection error")
def _(c):
    c.start().request(end=False, whole=False)
    c.request(3)
    c.continuation(1, block(c.dummies(1)))
    c.expect_connection_error(PROTOCOL_ERROR)


# 5.1: the states of a stream.


@case("http2/5.1", "idle: DATA is a connection error")
def _(c):
    c.start().data(1, b"test", end=True)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/5.1", "idle: RST_STREAM is a connection error")
def _(c):
    c.start().reset(1)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/5.1", "idle: WINDOW_UPDATE is a connection error")
def _(c):
    c.start().window(1, 100)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/5.1", "idle: CONTINUATION is a connection error")
def _(c):
    c.start().continuation(1, block(c.fields()))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/5.1", "half-closed (remote): DATA is a stream error STREAM_CLOSED")
def _(c):
    c.start().request()
    c.data(1, b"test", end=True)
    c.expect_stream_error(STREAM_CLOSED)


@case("http2/5.1", "half-closed (remote): HEADERS is a stream error STREAM_CLOSED")
def _(c):
    c.start().request()
    c.request()
    c.expect_stream_error(STREAM_CLOSED)


@case("http2/5.1", "half-closed (remote): CONTINUATION is an error")
def _(c):
    c.start().request()
    c.continuation(1, block(c.fields()))
    c.expect_stream_error(STREAM_CLOSED, PROTOCOL_ERROR)


@case("http2/5.1", "closed: DATA after RST_STREAM is a stream error STREAM_CLOSED")
def _(c):
    c.start().request(end=False)
    c.reset(1)
    c.data(1, b"test", end=True)
    c.expect_stream_error(STREAM_CLOSED)


@case("http2/5.1", "closed: HEADERS after RST_STREAM is a stream error STREAM_CLOSED")
def _(c):
    c.start().request(end=False)
    c.reset(1)
    c.request()
    c.expect_stream_error(STREAM_CLOSED)


@case("http2/5.1", "closed: CONTINUATION after RST_STREAM is an error")
def _(c):
    c.start().request(end=False)
    c.reset(1)
    c.continuation(1, block(c.dummies(1)))
    c.expect_stream_error(STREAM_CLOSED, PROTOCOL_ERROR)


@case("http2/5.1", "closed: DATA is a connection error STREAM_CLOSED")
def _(c):
    c.start().request()
    c.expect_stream_end()
    c.data(1, b"test", end=True)
    c.expect_stream_error(STREAM_CLOSED)


@case("http2/5.1", "closed: HEADERS is a connection error STREAM_CLOSED", strict=True)
def _(c):
    c.start().request()
    c.expect_stream_end()
    c.request()
    c.expect_connection_error(STREAM_CLOSED, PROTOCOL_ERROR)


@case("http2/5.1", "closed: CONTINUATION is a connection error")
def _(c):
    c.start().request()
    c.expect_stream_end()
    c.continuation(1, block(c.dummies(1)))
    c.expect_connection_error(STREAM_CLOSED, PROTOCOL_ERROR)


@case("http2/5.1.1", "An even stream identifier is a connection error")
def _(c):
    c.start().request(2)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/5.1.1", "A stream identifier below an earlier one is a connection error")
def _(c):
    c.start().request(5)
    c.request(3)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/5.1.2", "A stream above the limit is refused")
def _(c):
    c.start()
    most = c.server_settings.get(MAX_STREAMS)
    if most is None:
        raise Skipped("the server states no limit of streams")
    c.settings((INITIAL_WINDOW, 0))
    for number in range(most + 1):
        c.request(1 + 2 * number)
    c.expect_stream_error(PROTOCOL_ERROR, REFUSED_STREAM)


@case("http2/5.3.1", "HEADERS that depends on its own stream is a stream error")
def _(c):
    c.start().request(priority=priority_payload(depends_on=1))
    c.expect_stream_error(PROTOCOL_ERROR)


@case("http2/5.3.1", "PRIORITY that depends on its own stream is a stream error")
def _(c):
    c.start().priority(1, depends_on=1)
    c.expect_stream_error(PROTOCOL_ERROR)


@case("http2/5.4.1", "After a connection error the connection is closed")
def _(c):
    c.start().frame(PING, 0, 3, bytes(8))
    c.expect_close()


@case("http2/5.4.1", "A connection error is told in a GOAWAY frame", strict=True)
def _(c):
    c.start().frame(PING, 0, 3, bytes(8))
    c.expect(GOAWAY, "GOAWAY")


@case("http2/5.5", "An extension frame is ignored")
def _(c):
    c.start().frame(UNKNOWN, 0, 0, bytes(8))
    c.ping()
    c.expect_pong()


@case("http2/5.5", "An extension frame within a header block is a connection error")
def _(c):
    c.start().request(whole=False)
    c.frame(UNKNOWN, 0, 0, bytes(8))
    c.expect_connection_error(PROTOCOL_ERROR)


# 6.1 to 6.4.


@case("http2/6.1", "DATA on stream 0 is a connection error")
def _(c):
    c.start().data(0, b"test", end=True)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.1", "DATA on a stream that is not open is a stream error STREAM_CLOSED")
def _(c):
    c.start().request(method="POST")
    c.data(1, b"test", end=True)
    c.expect_stream_error(STREAM_CLOSED)


@case("http2/6.1", "DATA whose padding is longer than the frame is a connection error")
def _(c):
    c.start().request(method="POST", end=False, more=[("content-length", "4")])
    c.frame(DATA, 0x9, 1, b"\x06Test")
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.2", "HEADERS without END_HEADERS, then PRIORITY, is a connection error")
def _(c):
    c.start().request(end=False, whole=False)
    c.priority(1)
    c.continuation(1, block(c.dummies(1)))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.2", "HEADERS without END_HEADERS, then HEADERS elsewhere, is a connection error")
def _(c):
    c.start().request(end=False, whole=False)
    c.request(3)
    c.continuation(1, block(c.dummies(1)))
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.2", "HEADERS on stream 0 is a connection error")
def _(c):
    c.start().request(0)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.2", "HEADERS whose padding is longer than the frame is a connection error")
def _(c):
    fragment = block(c.start().fields())
    c.frame(0x1, 0x0D, 1, bytes([len(fragment) + 2]) + fragment)
    c.expect_stream_error(PROTOCOL_ERROR)


@case("http2/6.3", "PRIORITY on stream 0 is a connection error")
def _(c):
    c.start().priority(0)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.3", "PRIORITY of another length than 5 is a stream error FRAME_SIZE_ERROR")
def _(c):
    c.start().request()
    c.frame(0x2, 0, 1, b"\x80\x00\x00\x01")
    c.expect_stream_error(FRAME_SIZE_ERROR)


@case("http2/6.4", "RST_STREAM on stream 0 is a connection error")
def _(c):
    c.start().reset(0)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.4", "RST_STREAM on an idle stream is a connection error")
def _(c):
    c.start().reset(1, CANCEL)
    c.expect_connection_error(PROTOCOL_ERROR)


@case("http2/6.4", "RST_STREAM of another length than 4 is a connection error FRAME_SIZE_ERROR")
def _(c):
    c.start().request()
    c.frame(0x3, 0, 1, bytes(3))
    c.expect_stream_error(FRAME_SIZE_ERROR)


# HPACK.


@case("hpack/2.3.3", "An indexed field beyond both tables is a decoding error")
def _(c):
    c.start().request(after=b"\xfe")
    c.expect_connection_error(COMPRESSION_ERROR)


@case("hpack/2.3.3", "A literal whose name's index is beyond both tables is a decoding error")
def _(c):
    c.start().request(after=b"\x7f\x0f\x04test")
    c.expect_connection_error(COMPRESSION_ERROR)


@case("hpack/4.2", "A table size update at the end of a header block is a decoding error")
def _(c):
    c.start().request(after=literal("x-test", "ok", 0x40) + b"\x21")
    c.expect_connection_error(COMPRESSION_ERROR)


# The Huffman code of “x-test” is f2b24a84ff.
@case("hpack/5.2", "Huffman padding longer than 7 bits is a decoding error")
def _(c):
    c.start().request(after=b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff")
    c.expect_connection_error(COMPRESSION_ERROR)


@case("hpack/5.2", "Huffman padding with zeros is a decoding error")
def _(c):
    c.start().request(after=b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90")
    c.expect_connection_error(COMPRESSION_ERROR)


@case("hpack/5.2", "A Huffman string that contains EOS is a decoding error")
def _(c):
    c.start().request(after=b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\xff\xff\xff\xfd\x25\x42\x7f")
    c.expect_connection_error(COMPRESSION_ERROR)


@case("hpack/6.1", "Index 0 is a decoding error")
def _(c):
    c.start().request(after=b"\x80")
    c.expect_connection_error(COMPRESSION_ERROR)


@case("hpack/6.3", "A table size update above SETTINGS_HEADER_TABLE_SIZE is a decoding error")
def _(c):
    c.start().request(before=b"\x3f\xe1\xff\xff\x07")
    c.expect_connection_error(COMPRESSION_ERROR)
