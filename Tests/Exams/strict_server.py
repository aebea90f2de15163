"""An HTTP/1.1 server that records what reaches it and reads it strictly: what two programs could
read in two ways is an offence. It is the server behind the proxy in the exams about smuggling.
"""

import re
import socket
import threading
import time

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e\x80-\xff]+) HTTP/1\.1")
FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff\t]*"
                   rb"[\x21-\x7e\x80-\xff])?)?)[ \t]*")
HOST = re.compile(rb"(?:[A-Za-z0-9\-._~%!$&'()*+,;=]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[\x20-\x7e]*)?")
# What decides about the message's length or its route must not come after it.
NO_TRAILERS = {
    b"content-length", b"transfer-encoding", b"host", b"connection", b"te", b"trailer", b"upgrade",
    b"keep-alive", b"proxy-connection", b"cookie", b"authorization", b"content-type",
    b"content-encoding", b"content-range", b"expect", b"max-forwards",
}


class Offence(Exception):
    """Bytes that could be read in two ways."""


class Request:
    def __init__(self, method, target, fields):
        self.method, self.target, self.fields = method, target, fields
        self.body, self.trailers = b"", []

    def values(self, name):
        return [value for found, value in self.fields if found == name]


def read_field(line):
    found = FIELD.fullmatch(line)
    if not found:
        raise Offence(f"the field line {line[:80]!r}")
    return found[1].lower(), found[2]


def read_head(text):
    """The request of a head without its empty line."""
    lines = text.split(b"\r\n")
    if any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines):
        raise Offence(f"a bare CR, LF or NUL in {text[:120]!r}")
    found = REQUEST_LINE.fullmatch(lines[0])
    if not found:
        raise Offence(f"the request line {lines[0][:120]!r}")
    request = Request(found[1], found[2], [read_field(line) for line in lines[1:]])
    is_asterisk = request.target == b"*" and request.method == b"OPTIONS"
    if b"#" in request.target or not (request.target.startswith(b"/") or is_asterisk):
        raise Offence(f"the target {request.target[:120]!r}")
    hosts = request.values(b"host")
    if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
        raise Offence(f"the Host fields {hosts}")
    return request


def body_length(request):
    """The length of the body; None for chunks."""
    lengths = request.values(b"content-length")
    codings = request.values(b"transfer-encoding")
    if len(lengths) > 1 or len(codings) > 1 or (lengths and codings):
        raise Offence(f"lengths {lengths} and transfer codings {codings}")
    if codings and codings[0].lower() != b"chunked":
        raise Offence(f"the transfer coding {codings[0]!r}")
    if lengths and not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
        raise Offence(f"the length {lengths[0]!r}")
    return None if codings else int(lengths[0]) if lengths else 0


class Wire:
    """One connection of the proxy, read line by line."""

    def __init__(self, connection):
        self.socket, self.buffer = connection, b""
        self.received = b""
        # Set between the first byte of a request and its end.
        self.is_within = False

    def fill(self):
        try:
            part = self.socket.recv(1 << 16)
        except OSError:
            part = b""
        self.buffer += part
        self.received += part
        self.is_within = self.is_within or bool(part)
        if not part:
            raise EOFError

    def until(self, mark):
        while mark not in self.buffer:
            # A head that never ends the strict way is not waited for.
            if mark != b"\r\n" and b"\n\n" in self.buffer:
                raise Offence(f"bare line feeds in {self.buffer[:120]!r}")
            self.fill()
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def exactly(self, count):
        while len(self.buffer) < count:
            self.fill()
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def request(self):
        self.is_within = bool(self.buffer)
        request = read_head(self.until(b"\r\n\r\n"))
        length = body_length(request)
        if b"100-continue" in request.values(b"expect"):
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if length is not None:
            request.body = self.exactly(length)
        else:
            self.read_chunks(request)
        self.is_within = False
        return request

    def read_chunks(self, request):
        while True:
            line = self.until(b"\r\n")
            found = CHUNK.fullmatch(line)
            if not found:
                raise Offence(f"the chunk line {line[:80]!r}")
            size = int(found[1], 16)
            if size == 0:
                break
            request.body += self.exactly(size)
            if self.exactly(2) != b"\r\n":
                raise Offence("a chunk without its end")
        while line := self.until(b"\r\n"):
            name, value = read_field(line)
            if name in NO_TRAILERS:
                raise Offence(f"the trailer {name!r}")
            request.trailers.append((name, value))


class StrictServer:
    """Listens, records, and answers each clean request with 200 (or as `answer` says)."""

    def __init__(self, port, answer=None):
        self.answer = answer or plain_answer
        self.lock = threading.Lock()
        self.requests, self.offences, self.received = [], [], []
        self.wires = set()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(Wire(connection),), daemon=True).start()

    def serve(self, wire):
        with self.lock:
            self.wires.add(wire)
            self.received.append(wire)
        try:
            while True:
                request = wire.request()
                with self.lock:
                    self.requests.append(request)
                if not self.answer(wire, request):
                    break
        except Offence as offence:
            with self.lock:
                self.offences.append(str(offence))
            try:
                wire.socket.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                                    b"Content-Length: 0\r\n\r\n")
            except OSError:
                pass
        except (EOFError, OSError):
            pass
        finally:
            wire.is_within = False
            wire.socket.close()
            with self.lock:
                self.wires.discard(wire)

    def begin(self):
        """Forgets what came so far."""
        with self.lock:
            self.requests, self.offences = [], []
            for wire in self.received:
                wire.received = b""
            self.received = list(self.wires)

    def settle(self, patience):
        """Waits until no connection is within a request; whether that came about."""
        deadline = time.monotonic() + patience
        while any(wire.is_within for wire in list(self.wires)):
            if time.monotonic() > deadline:
                self.drop()
                return False
            threading.Event().wait(0.005)
        return True

    def drop(self):
        """Ends all connections: what is left on them must not be taken for the next case's."""
        for wire in list(self.wires):
            wire.is_within = False
            try:
                wire.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def bytes_received(self):
        with self.lock:
            return b"".join(wire.received for wire in self.received)


def plain_answer(wire, request):
    body = b"" if request.method == b"HEAD" else b"served"
    wire.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + body)
    return True
