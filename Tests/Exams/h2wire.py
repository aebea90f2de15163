"""HTTP/2 frames over a plain or a TLS socket. Nothing is checked before it is sent: the exams send
what a careful client never would.
"""

import dataclasses
import selectors
import socket
import ssl
import struct
import sys
import time

try:
    import hpack
    from hpack.huffman import HuffmanEncoder
    from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
except ImportError:
    sys.exit("the Python packages are missing: run Tools/setup test, then use .build/python/bin")

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
(
    DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
    CONTINUATION,
) = range(10)
KINDS = (
    "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION"
).split()
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, WITH_PRIORITY = 0x4, 0x8, 0x20

ERRORS = (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED "
    "FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM "
    "INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
).split()
(
    NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED,
    FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR,
) = range(10)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_LIST = range(1, 7)


class Closed(Exception):
    """The other side has closed the connection."""


@dataclasses.dataclass
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self):
        """The error code of a RST_STREAM or GOAWAY frame."""
        at = 4 if self.kind == GOAWAY else 0
        return struct.unpack_from(">I", self.payload, at)[0]

    @property
    def ends_stream(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    def __str__(self):
        name = KINDS[self.kind] if self.kind < len(KINDS) else f"type {self.kind}"
        text = f"{name} on {self.stream}, flags {self.flags:#x}, {len(self.payload)} bytes"
        if self.kind in (RST_STREAM, GOAWAY):
            text += f", {error_name(self.code)}"
        return text


def error_name(code):
    return ERRORS[code] if code < len(ERRORS) else hex(code)


# HPACK: literals that say what they are told to say.


def raw(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def integer(value, bits, first=0):
    """An integer with a prefix of so many bits (RFC 7541, 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes(out + [value])


def string(text, huffman=False):
    data = raw(text)
    if huffman:
        data = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(data)
    return integer(len(data), 7, 0x80 if huffman else 0) + data


def literal(name, value, first=0x00, huffman=False):
    """A literal field with a new name; `first` says whether it is indexed."""
    return bytes([first]) + string(name, huffman) + string(value, huffman)


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


def frame_bytes(kind, flags, stream, payload=b""):
    size = struct.pack(">I", len(payload))[1:]
    return size + struct.pack(">BBI", kind, flags, stream) + payload


def settings_payload(pairs):
    return b"".join(struct.pack(">HI", key, value) for key, value in pairs)


def priority_payload(depends_on=0, weight=255, exclusive=False):
    return struct.pack(">IB", depends_on | (0x80000000 if exclusive else 0), weight)


def parse_address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


class Connection:
    """A client's connection. Writing to a closed one is remembered, not raised: what the other
    side said before it closed can still be read."""

    def __init__(self, address, tls=False, timeout=5.0):
        self.address, self.tls, self.timeout = address, tls, timeout
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls_context().wrap_socket(self.socket, server_hostname="exam.test")
            if self.socket.selected_alpn_protocol() != "h2":
                raise ConnectionError("the server does not choose h2")
        self.buffer = bytearray()
        self.is_broken = self.is_closed = False
        self.server_settings = {}
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # Writing.

    def send(self, data):
        """Whether the bytes were taken."""
        try:
            self.socket.settimeout(self.timeout)
            self.socket.sendall(data)
        except (OSError, ssl.SSLError):
            self.is_broken = True
        return not self.is_broken

    def frame(self, kind, flags, stream, payload=b""):
        return self.send(frame_bytes(kind, flags, stream, payload))

    def settings(self, *pairs):
        return self.frame(SETTINGS, 0, 0, settings_payload(pairs))

    def ping(self, data=bytes(8), flags=0):
        return self.frame(PING, flags, 0, data)

    def reset(self, stream, code=CANCEL):
        return self.frame(RST_STREAM, 0, stream, struct.pack(">I", code))

    def window(self, stream, increment):
        return self.frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))

    def priority(self, stream, **how):
        return self.frame(PRIORITY, 0, stream, priority_payload(**how))

    def headers(self, stream, fragment, end=True, whole=True, pad=None, priority=None):
        flags = (END_STREAM if end else 0) | (END_HEADERS if whole else 0)
        payload = fragment
        if priority is not None:
            flags |= WITH_PRIORITY
            payload = priority + payload
        if pad is not None:
            flags |= PADDED
            payload = bytes([pad]) + payload + bytes(pad)
        return self.frame(HEADERS, flags, stream, payload)

    def continuation(self, stream, fragment, whole=True):
        return self.frame(CONTINUATION, END_HEADERS if whole else 0, stream, fragment)

    def data(self, stream, content=b"", end=False):
        return self.frame(DATA, END_STREAM if end else 0, stream, content)

    # Reading.

    def read(self, patience=None):
        """The next frame; None when none came in time. Raises Closed at the end."""
        deadline = time.monotonic() + (self.timeout if patience is None else patience)
        while True:
            frame = self.buffered()
            if frame:
                return frame
            if self.is_closed:
                raise Closed
            left = deadline - time.monotonic()
            if left <= 0 and patience != 0:
                return None
            try:
                self.socket.settimeout(max(left, 0.0005))
                part = self.socket.recv(1 << 16)
            except (TimeoutError, ssl.SSLWantReadError):
                return None
            except (OSError, ssl.SSLError):
                part = b""
            if not part:
                self.is_closed = True
            self.buffer += part

    def buffered(self):
        if len(self.buffer) < 9:
            return None
        size = int.from_bytes(self.buffer[:3], "big")
        if len(self.buffer) < 9 + size:
            return None
        kind, flags, stream = struct.unpack_from(">BBI", self.buffer, 3)
        payload = bytes(self.buffer[9 : 9 + size])
        del self.buffer[: 9 + size]
        return Frame(kind, flags, stream & 0x7FFFFFFF, payload)

    def handshake(self, *pairs):
        """Both prefaces, and both acknowledgements."""
        self.send(PREFACE + frame_bytes(SETTINGS, 0, 0, settings_payload(pairs)))
        has_theirs = has_acknowledgement = False
        while not (has_theirs and has_acknowledgement):
            frame = self.read()
            if frame is None:
                raise TimeoutError("no SETTINGS frames from the server")
            if frame.kind == SETTINGS and frame.flags & ACK:
                has_acknowledgement = True
            elif frame.kind == SETTINGS:
                has_theirs = True
                pairs = struct.iter_unpack(">HI", frame.payload)
                self.server_settings = dict(pairs)
                self.frame(SETTINGS, ACK, 0)

    def decode(self, frame):
        """The fields of a whole HEADERS frame, as bytes. To be called for each one that comes."""
        payload = frame.payload
        if frame.flags & PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        if frame.flags & WITH_PRIORITY:
            payload = payload[5:]
        return [(raw(n), raw(v)) for n, v in self.decoder.decode(payload, raw=True)]

    def answer(self, stream, patience=None):
        """The fields and the body of the answer on a stream, with windows kept open; the frame
        that ended it otherwise, or None when nothing came in time."""
        deadline = time.monotonic() + (self.timeout if patience is None else patience)
        fields, body = [], b""
        while True:
            frame = self.read(max(deadline - time.monotonic(), 0))
            if frame is None:
                return None
            if frame.kind == SETTINGS and not frame.flags & ACK:
                self.frame(SETTINGS, ACK, 0)
            elif frame.kind == HEADERS:
                found = self.decode(frame)
                fields = (fields or found) if frame.stream == stream else fields
                if fields and fields[0] == (b":status", b"100"):
                    fields = []
            elif frame.kind == DATA:
                if frame.payload:
                    self.window(0, len(frame.payload))
                if frame.payload and not frame.ends_stream:
                    self.window(frame.stream, len(frame.payload))
                body += frame.payload if frame.stream == stream else b""
            if frame.kind == GOAWAY and frame.code != NO_ERROR:
                return frame
            if frame.kind == RST_STREAM and frame.stream == stream:
                # A server may answer before it has read all, and say so with NO_ERROR.
                return (dict(fields), body) if fields and frame.code == NO_ERROR else frame
            if frame.ends_stream and frame.stream == stream:
                return dict(fields), body


def wait_readable(sock, seconds):
    """Waits for bytes or the end, at most so long."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(seconds))
