#!/usr/bin/env python3
"""Upgrades over HTTP/1.1: a tunnel is opened only when a client asked for it and the server agreed.

    upgrade_exam.py --address HOST:PORT --server-port PORT [--list]

The exam listens as the server itself. After each answer the client sends a request with a field
that no proxy may forward: its bytes reach the server only through a tunnel. The exit status is 1
when a case failed.
"""

import argparse
import base64
import dataclasses
import hashlib
import socket
import sys
import threading
import time

from strict_server import StrictServer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ACCEPT = base64.b64encode(hashlib.sha1((KEY + GUID).encode()).digest()).decode()
MARK = b"Smug gled"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: exam.test\r\n" + MARK + b": yes\r\n\r\n"

OPEN, SHUT, EITHER = "a tunnel", "no tunnel", "either"

ASKS = [
    "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version: 13",
]
AGREES = [
    "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
    f"Sec-WebSocket-Accept: {ACCEPT}",
]
LENGTH = "Content-Length: 6"


@dataclasses.dataclass
class Case:
    name: str
    expect: str
    answer: list
    asks: list = dataclasses.field(default_factory=lambda: ASKS)
    method: str = "GET"
    version: str = "HTTP/1.1"
    # Bytes behind the head, which belong to the request.
    body: bytes = b""
    # Whether the hidden request comes together with the first one.
    is_pipelined: bool = False
    # Words that must not be in the head that reaches the server.
    forbidden: tuple = ()
    # What the server writes before its answer.
    before: bytes = b""


def without(lines, *starts):
    return [line for line in lines if not line.lower().startswith(starts)]


H2C = ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"]
H2C_101 = ["HTTP/1.1 101 Switching Protocols", "Upgrade: h2c", "Connection: Upgrade"]
OK = ["HTTP/1.1 200 OK", LENGTH, "", "served"]

CASES = [
    Case("the server agrees", OPEN, AGREES),
    Case("the server agrees, in other letters", OPEN,
         [line.replace("websocket", "WebSocket") for line in AGREES],
         [ASKS[0].replace("websocket", "WebSocket"), "Connection: keep-alive, upgrade", *ASKS[2:]]),
    Case("the server answers 200", SHUT, OK),
    Case("the server answers 200 with upgrade fields", SHUT, [OK[0], *AGREES[1:], *OK[1:]]),
    Case("the server answers 204", SHUT, ["HTTP/1.1 204 No Content"]),
    Case("the server answers 302", SHUT, ["HTTP/1.1 302 Found", "Location: /", *OK[1:]]),
    Case("the server answers 400", SHUT, ["HTTP/1.1 400 Bad Request", *OK[1:]]),
    Case("the server answers 401 in chunks", SHUT,
         ["HTTP/1.1 401 Unauthorized", "Transfer-Encoding: chunked", "", "6", "served", "0", "",
          ""]),
    Case("the server answers 426", SHUT,
         ["HTTP/1.1 426 Upgrade Required", "Upgrade: websocket", "Connection: Upgrade", *OK[1:]]),
    Case("the server answers 426 to a bad version", SHUT,
         ["HTTP/1.1 426 Upgrade Required", "Sec-WebSocket-Version: 13", *OK[1:]],
         [*ASKS[:3], "Sec-WebSocket-Version: 777"]),
    Case("the server answers 500", SHUT, ["HTTP/1.1 500 Internal Server Error", *OK[1:]]),
    Case("103 and then 200", SHUT, OK, before=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    Case("103 and then 101", EITHER, AGREES,
         before=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    Case("the server closes without an answer", SHUT, []),
    Case("101 without Upgrade", SHUT, without(AGREES, "upgrade:")),
    Case("101 without Connection", SHUT, without(AGREES, "connection:")),
    Case("101 without either", SHUT, without(AGREES, "connection:", "upgrade:")),
    Case("101 to another protocol", SHUT, [line.replace("websocket", "h2c") for line in AGREES]),
    Case("101 to two protocols", SHUT,
         [line.replace("websocket", "h2c, websocket") for line in AGREES]),
    Case("101 that was not asked for", SHUT, AGREES, []),
    Case("101 to a POST that was not asked for", SHUT, AGREES, [LENGTH], "POST", body=b"a body"),
    Case("101 without Upgrade that was not asked for", SHUT, ["HTTP/1.1 101 Go On"], []),
    Case("101 when only Connection asked", SHUT, AGREES, without(ASKS, "upgrade:")),
    Case("101 when only Upgrade asked", SHUT, AGREES, without(ASKS, "connection:")),
    Case("101 when Connection names something else", SHUT, AGREES,
         [*without(ASKS, "connection:"), "Connection: x-upgrade"]),
    Case("101 with Content-Length", EITHER, [*AGREES, LENGTH]),
    Case("101 with Transfer-Encoding", EITHER, [*AGREES, "Transfer-Encoding: chunked"]),
    Case("h2c is not asked for on", SHUT, OK, H2C, forbidden=(b"h2c", b"http2-settings")),
    Case("h2c, and the server would agree", SHUT, H2C_101, H2C, forbidden=(b"h2c",)),
    Case("h2c with Connection: Upgrade alone", SHUT, H2C_101,
         [H2C[0], "Connection: Upgrade", H2C[2]], forbidden=(b"upgrade: h2c",)),
    Case("h2c before websocket", SHUT, H2C_101, ["Upgrade: h2c, websocket", *ASKS[1:]],
         forbidden=(b"h2c",)),
    Case("h2c behind websocket", SHUT, H2C_101, ["Upgrade: websocket, h2c", *ASKS[1:]],
         forbidden=(b"h2c",)),
    Case("h2c in a second field", SHUT, H2C_101, [*ASKS, "Upgrade: h2c"], forbidden=(b"h2c",)),
    Case("TLS, and the server would agree", SHUT, [H2C_101[0], "Upgrade: TLS/1.0", H2C_101[2]],
         ["Upgrade: TLS/1.0", "Connection: Upgrade"], forbidden=(b"upgrade: tls",)),
    Case("with a body, and the server answers 200", SHUT, OK, [*ASKS, LENGTH], "POST",
         body=b"a body"),
    Case("with chunks, and the server answers 200", SHUT, OK,
         [*ASKS, "Transfer-Encoding: chunked"], "POST", body=b"6\r\na body\r\n0\r\n\r\n"),
    Case("with a body, and the server agrees", EITHER, AGREES, [*ASKS, LENGTH], body=b"a body"),
    Case("pipelined, and the server answers 200", SHUT, OK, is_pipelined=True),
    Case("pipelined, and the server answers 426", SHUT, ["HTTP/1.1 426 No", *OK[1:]],
         is_pipelined=True),
    Case("pipelined, and the server agrees", EITHER, AGREES, is_pipelined=True),
    Case("HTTP/1.0, and the server agrees", SHUT, AGREES, version="HTTP/1.0"),
    Case("HEAD, and the server answers 200", SHUT, [*OK[:3], ""], method="HEAD"),
]


class Server:
    """Answers as the case says. After any 101 it takes what comes as a tunnel's bytes."""

    def __init__(self, port):
        self.case = None
        self.heads = []
        self.strict = StrictServer(port, self.answer)

    def answer(self, wire, request):
        if request.target == b"/next":
            wire.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserved")
            return True
        self.heads.append(wire.received)
        case = self.case
        if not case.answer or request.target != b"/upgrade":
            return False
        text = "\r\n".join(case.answer) + ("" if "" in case.answer else "\r\n\r\n")
        wire.socket.sendall(case.before + text.encode())
        if " 101 " not in case.answer[0]:
            return True
        while True:
            if wire.buffer:
                wire.socket.sendall(b"echo:" + wire.buffer)
                wire.buffer = b""
            wire.is_within = False
            wire.fill()
            wire.is_within = False


def read_until(sock, mark, patience):
    """What came until the mark was among it, the end, or the end of patience."""
    out, deadline = b"", time.monotonic() + patience
    while mark not in out:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            sock.settimeout(left)
            part = sock.recv(65536)
        except OSError:
            break
        if not part:
            break
        out += part
    return out


def ask(settings, case):
    """What the client saw: the first answer, and what came after the hidden request."""
    head = [f"{case.method} /upgrade {case.version}", "Host: exam.test", *case.asks, "", ""]
    first = "\r\n".join(head).encode() + case.body
    with socket.create_connection(settings.address, settings.timeout) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(first + (HIDDEN if case.is_pipelined else b""))
        answer = read_until(sock, b"\r\n\r\n", settings.timeout)
        while answer.startswith((b"HTTP/1.1 100", b"HTTP/1.1 103")):
            answer = answer.partition(b"\r\n\r\n")[2]
            if b"\r\n\r\n" not in answer:
                answer += read_until(sock, b"\r\n\r\n", settings.timeout)
        if not case.is_pipelined:
            try:
                sock.sendall(HIDDEN)
            except OSError:
                pass
        is_tunnel = answer.startswith(b"HTTP/1.1 101")
        after = read_until(sock, MARK if is_tunnel else b"HTTP/1.", 0.3)
    return answer, after


def judge(settings, server, case):
    server.case, server.heads = case, []
    server.strict.begin()
    try:
        answer, after = ask(settings, case)
    except OSError as error:
        return "no connection", [f"{type(error).__name__} {error}"]
    threading.Event().wait(0.02)
    has_leaked = MARK in server.strict.bytes_received()
    status = answer.split(b" ")[1].decode("latin-1") if b" " in answer else "closed"
    wrong = []
    if case.expect == OPEN:
        if status != "101" or not has_leaked or MARK not in after:
            wrong.append("the tunnel was not opened")
        if b"echo:" + HIDDEN[:30] not in after:
            wrong.append("the tunnel's bytes did not come back as they were sent")
    elif case.expect == SHUT:
        if status == "101":
            wrong.append("the client was told 101")
        if has_leaked:
            wrong.append("the hidden request's bytes reached the server")
    elif has_leaked != (status == "101") and not case.is_pipelined:
        wrong.append(f"the client was told {status}, and the hidden bytes leaked: {has_leaked}")
    for word in case.forbidden:
        if any(word in head.lower() for head in server.heads):
            wrong.append(f"{word.decode()!r} reached the server")
    if any(b"/hidden" in request.target for request in server.strict.requests) and has_leaked:
        wrong.append("the server answered the hidden request")
    wrong += follow_up(settings)
    server.strict.drop()
    return status, wrong


def follow_up(settings):
    with socket.create_connection(settings.address, settings.timeout) as sock:
        sock.sendall(b"GET /next HTTP/1.1\r\nHost: exam.test\r\nConnection: close\r\n\r\n")
        answer = read_until(sock, b"served", settings.timeout)
    if not answer.startswith(b"HTTP/1.1 200") or b"served" not in answer:
        return [f"the next request was answered {answer[:60]!r}"]
    return []


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    host_and_port = lambda text: (text.rpartition(":")[0], int(text.rpartition(":")[2]))
    parser.add_argument("--address", type=host_and_port, required=True)
    parser.add_argument("--server-port", type=int, required=True)
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds to wait for answers")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--list", action="store_true", help="prints each case and its outcome")
    return parser.parse_args()


def main():
    settings = options()
    server = Server(settings.server_port)
    cases = [case for case in CASES if settings.only in case.name]
    failed = 0
    for case in cases:
        status, wrong = judge(settings, server, case)
        failed += bool(wrong)
        if wrong or settings.list:
            print(f"{case.name} [{case.expect}]: {status}: {'; '.join(wrong) or 'passed'}")
    print(f"upgrade_exam: {len(cases)} cases, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
