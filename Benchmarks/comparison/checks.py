"""A small client that checks every answer, and what is checked before a slice counts."""

import dataclasses
import json
import pathlib
import socket
import ssl
import subprocess
import time

from . import certificates, children

HOST = "shop.example"
# What a browser says of itself.
FIELDS = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: */*",
    "Accept-Language: en-GB,en;q=0.5",
    "Accept-Encoding: gzip, deflate",
)
HEAD = "\r\n".join((f"Host: {HOST}", *FIELDS, ""))
# Every client carries a cookie of the application too, as real ones do.
APPLICATION_COOKIE = "theme=dark"


class WrongAnswer(Exception):
    """The proxy did not do what it must do to be measured."""


class Answer:
    """One answer, read to its end."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes):
        self.status, self.headers, self.body = status, headers, body

    @staticmethod
    def of(head: bytes) -> "Answer":
        """An answer without its body yet."""
        lines = head.decode("latin-1").split("\r\n")
        headers = [
            (line.partition(":")[0], line.partition(":")[2].strip())
            for line in lines[1:] if line
        ]
        return Answer(int(lines[0].split()[1]), headers, b"")

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n.lower() == name), None)

    def cookie(self, name: str) -> str | None:
        """The value that a Set-Cookie gives to this cookie."""
        for header, value in self.headers:
            if header.lower() == "set-cookie" and value.startswith(name + "="):
                return value.partition("=")[2].partition(";")[0]
        return None


@dataclasses.dataclass(frozen=True)
class Door:
    """Where clients come in, and how."""

    port: int
    certificate: certificates.Certificate | None = None
    http2: bool = False

    @property
    def address(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def client(self) -> "Client | Curl":
        return Curl(self) if self.http2 else Client(self)


def _secured(plain: socket.socket, certificate: certificates.Certificate) -> ssl.SSLSocket:
    """TLS on a connection, if it is the TLS that all are to have."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    secured = context.wrap_socket(plain, server_hostname=HOST)
    if secured.cipher()[0] != certificates.SUITE:
        raise WrongAnswer(f"the suite is {secured.cipher()[0]}")
    if secured.getpeercert(True) != certificate.encoded():
        raise WrongAnswer("another certificate")
    return secured


class Client:
    """A connection that makes one exchange after another and believes nothing."""

    def __init__(self, door: Door):
        self.socket = socket.create_connection(("127.0.0.1", door.port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if door.certificate:
            self.socket = _secured(self.socket, door.certificate)
        self.kept = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def _read_until(self, count_or_mark: int | bytes) -> bytes:
        while True:
            if isinstance(count_or_mark, bytes):
                at = self.kept.find(count_or_mark)
                end = at + len(count_or_mark) if at >= 0 else None
            else:
                end = count_or_mark if len(self.kept) >= count_or_mark else None
            if end is not None:
                taken, self.kept = self.kept[:end], self.kept[end:]
                return taken
            more = self.socket.recv(1 << 20)
            if not more:
                raise WrongAnswer("the connection was closed within an answer")
            self.kept += more

    def exchange(self, path: str, cookie: str = "", body: bytes | None = None) -> Answer:
        method = "GET" if body is None else "POST"
        request = f"{method} {path} HTTP/1.1\r\n{HEAD}"
        if cookie:
            request += f"Cookie: {cookie}\r\n"
        if body is not None:
            request += f"Content-Length: {len(body)}\r\n"
        self.socket.sendall(request.encode() + b"\r\n" + (body or b""))
        answer = Answer.of(self._read_until(b"\r\n\r\n"))
        coding = answer.header("transfer-encoding")
        if coding:
            while count := int(self._read_until(b"\r\n").split(b";")[0], 16):
                answer.body += self._read_until(count)
                self._read_until(b"\r\n")
            self._read_until(b"\r\n")
        else:
            answer.body = self._read_until(int(answer.header("content-length") or 0))
        return answer


    def echo(self, size: int) -> None:
        """Makes the connection a WebSocket and has one message echoed."""
        key, accept = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        self.socket.sendall((
            f"GET /echo HTTP/1.1\r\n{HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        ).encode())
        answer = Answer.of(self._read_until(b"\r\n\r\n"))
        if answer.status != 101 or answer.header("sec-websocket-accept") != accept:
            raise WrongAnswer(f"status {answer.status} instead of a WebSocket")
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        mask, message = b"\x01\x02\x03\x04", bytes(at % 251 for at in range(size))
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(message))
        self.socket.sendall(b"\x82" + bytes([length[0] | 0x80]) + length[1:] + mask + masked)
        expected = b"\x82" + length + message
        if self._read_until(len(expected)) != expected:
            raise WrongAnswer("a WebSocket's message came back changed")


class Curl:
    """HTTP/2 by curl, one connection for each exchange."""

    def __init__(self, door: Door):
        self.door = door

    def __enter__(self) -> "Curl":
        return self

    def __exit__(self, *_) -> None:
        pass

    def exchange(self, path: str, cookie: str = "", body: bytes | None = None) -> Answer:
        assert body is None
        scheme = self.door.address.partition(":")[0]
        command = [
            "curl", "-s", "-k", "-i", "--max-time", "5",
            "--http2" if self.door.certificate else "--http2-prior-knowledge",
            "--resolve", f"{HOST}:{self.door.port}:127.0.0.1",
        ]
        for field in FIELDS + ((f"Cookie: {cookie}",) if cookie else ()):
            command += ["-H", field]
        try:
            output = children.run([*command, f"{scheme}://{HOST}:{self.door.port}{path}"])
        except RuntimeError as error:
            raise WrongAnswer(str(error).strip()) from None
        head, _, text = output.partition("\n\n")
        if not head.startswith("HTTP/2 "):
            raise WrongAnswer(f"not HTTP/2 but {head[:20]!r}")
        answer = Answer.of(head.replace("\n", "\r\n").encode("latin-1"))
        answer.body = text.encode("latin-1")
        return answer


def wait_until_answers(door: Door, child: subprocess.Popen, seconds: float = 15) -> None:
    """Waits until an exchange succeeds."""
    deadline = time.monotonic() + seconds
    problem: object = "nothing yet"
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise WrongAnswer(f"it ended with status {child.returncode}")
        try:
            with door.client() as client:
                status = client.exchange("/b/100").status
                if status == 200:
                    return
                problem = f"status {status}"
        except (OSError, WrongAnswer) as error:
            problem = error
        time.sleep(0.02)
    raise WrongAnswer(f"it did not answer within {seconds:g} s: {problem}")


def check(door: Door, path: str, size: int, upload: int, cookie: str | None,
          is_http: bool = True) -> None:
    """Checks what the slice relies on: status, length, the cookie, X-Forwarded-For."""
    body = bytes(upload) if upload else None
    with door.client() as client:
        first = client.exchange(path, APPLICATION_COOKIE, body)
        if first.status != 200:
            raise WrongAnswer(f"status {first.status} for {path}")
        if body is not None and first.body != b"%d\n" % upload:
            raise WrongAnswer(f"of {upload} bytes the server received {first.body!r}")
        if body is None and first.body != b"x" * size:
            raise WrongAnswer(f"{len(first.body)} bytes for {path}")
        value = first.cookie(cookie) if cookie else None
        if cookie and not value:
            raise WrongAnswer("no binding cookie on the first answer")
        presented = APPLICATION_COOKIE + (f"; {cookie}={value}" if cookie else "")
        for _ in range(4):
            again = client.exchange(path, presented, body)
            if again.status != 200 or len(again.body) != len(first.body):
                raise WrongAnswer(f"status {again.status}, {len(again.body)} bytes")
            if cookie and again.header("x-server") != first.header("x-server"):
                raise WrongAnswer("a bound client was sent to another server")
            if cookie and again.cookie(cookie):
                raise WrongAnswer("the binding cookie was set anew although it was valid")
        head = client.exchange("/head", presented).body.decode("latin-1").lower()
        forwarded = "x-forwarded-for: 127.0.0.1" in head.splitlines()
        if forwarded != is_http:
            raise WrongAnswer("no X-Forwarded-For reached the server" if is_http
                              else "the server received X-Forwarded-For by TCP")


def collect_cookies(door: Door, cookie: str | None, count: int, file: pathlib.Path) -> None:
    """Writes `count` Cookie values, each with a binding of its own, for wrk and load.c."""
    lines = []
    for _ in range(count):
        line = APPLICATION_COOKIE
        if cookie:
            with door.client() as client:
                value = client.exchange("/b/100", APPLICATION_COOKIE).cookie(cookie)
            if not value:
                raise WrongAnswer("no binding cookie on a first answer")
            line += f"; {cookie}={value}"
        lines.append(line)
    file.write_text("\n".join(lines) + "\n")


def server_connections(port: int) -> tuple[int, int]:
    """Exchanges and connections that the servers have seen so far."""
    with Client(Door(port)) as client:
        counts = json.loads(client.exchange("/count").body)
    return counts["requests"], counts["connections"]
