#!/usr/bin/env python3
"""HTTP/2 requests that would smuggle something into HTTP/1.1, sent through a proxy.

    h2_downgrade.py --address HOST:PORT --server-port PORT [--tls] [--strict] [--list]

The exam listens as the HTTP/1.1 server itself and reads strictly. A case is passed when its request
was refused, or reached the server in one clean form with its values as they were sent; nothing
else reached the server; and the next request is answered rightly. With --strict, what RFC 9113
calls malformed has to be refused. The exit status is 1 when a case failed.
"""

import argparse
import sys
import threading

from downgrade_cases import BAD, CASES, GOOD, SMUGGLED
from h2wire import (
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, Closed, Connection, block,
    error_name, frame_bytes, parse_address,
)
from strict_server import StrictServer

# Fields that a proxy writes itself, or may write in another way.
OWN_FIELDS = {
    b"host", b"connection", b"content-length", b"transfer-encoding", b"te", b"trailer", b"expect",
    b"via", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded",
    b"user-agent", b"accept-encoding", b"cookie", b"keep-alive", b"proxy-connection", b"upgrade",
    b"x-forwarded-port", b"x-real-ip",
}


def send(connection, case):
    """Sends the case on stream 1, in one piece where it fits."""
    has_more = bool(case.data or case.trailers)
    flags = END_HEADERS | (0 if has_more else END_STREAM)
    out = frame_bytes(HEADERS, flags, 1, block(case.fields))
    for number, part in enumerate(case.data, 1):
        is_last = number == len(case.data) and case.trailers is None and case.beyond != "reset"
        out += frame_bytes(DATA, END_STREAM if is_last else 0, 1, part)
    if case.trailers is not None:
        flags = END_HEADERS | (END_STREAM if case.beyond != "open" else 0)
        out += frame_bytes(HEADERS, flags, 1, block(case.trailers))
    out += {
        "data": frame_bytes(DATA, END_STREAM, 1, SMUGGLED),
        "headers": frame_bytes(HEADERS, END_HEADERS | END_STREAM, 1, block([("x-a", "b")])),
        "request": frame_bytes(HEADERS, END_HEADERS | END_STREAM, 1, block(case.fields)),
        "reset": frame_bytes(RST_STREAM, 0, 1, b"\0\0\0\x08"),
    }.get(case.beyond, b"")
    connection.send(out)
    if case.beyond == "reset":
        connection.ping()


def outcome(settings, case):
    """What the client sees: a status, or a word."""
    with Connection(settings.address, settings.tls, settings.timeout) as connection:
        try:
            connection.handshake()
            send(connection, case)
            if case.beyond == "reset":
                threading.Event().wait(0.1)
                return "reset by the client"
            answer = connection.answer(1)
        except Closed:
            return "closed"
        except ValueError as error:
            return f"an answer that cannot be read: {error}"
    if answer is None:
        return "nothing"
    if not isinstance(answer, tuple):
        name = "GOAWAY" if answer.kind == GOAWAY else "RST_STREAM"
        return f"{name} {error_name(answer.code)}"
    return int(answer[0].get(b":status", b"0"))


def changed_values(case, request):
    """The fields whose values came otherwise than they were sent, in words."""
    sent = {}
    for name, value in case.fields:
        if not name.startswith(b":") and name.lower() not in OWN_FIELDS:
            sent.setdefault(name.lower(), []).append(value)
    for name, values in sent.items():
        came = request.values(name)
        if came != values and b", ".join(came) != b", ".join(values):
            if came or case.kind == GOOD:
                yield f"{name!r} came as {came}"
    if cookies := [value for name, value in case.fields if name == b"cookie"]:
        if b"; ".join(request.values(b"cookie")) != b"; ".join(cookies):
            yield f"the cookies came as {request.values(b'cookie')}"
    names = {name.lower() for name, _ in case.fields} | OWN_FIELDS
    for name, value in request.fields:
        if b"smuggled" in name or (b"smuggled" in value and name not in names):
            yield f"{name!r} was smuggled in"


def judge_request(case, request):
    """What is wrong with the one request that reached the server."""
    yield from changed_values(case, request)
    body = b"".join(case.data)
    if request.body != body and (case.kind == GOOD or not body.startswith(request.body)):
        yield f"the body came as {request.body[:60]!r}"
    if case.kind == GOOD:
        path = dict(case.fields)[b":path"]
        if request.target != path:
            yield f"the target came as {request.target!r}"


def judge(settings, server, case):
    """How a case went, and what is wrong."""
    server.begin()
    seen = outcome(settings, case)
    wrong = []
    if seen != 200:
        # What was refused may still be on its way to the server.
        threading.Event().wait(0.015)
    if not server.settle(1.0):
        wrong.append("the server was left waiting within a request")
    with server.lock:
        requests, offences = list(server.requests), list(server.offences)
    wrong += [f"the server got {offence}" for offence in offences]
    if len(requests) > 1:
        wrong.append(f"{len(requests)} requests reached the server: {requests[1].target!r}")
    if requests:
        wrong += judge_request(case, requests[0])
    if case.kind == GOOD and (seen != 200 or len(requests) != 1):
        wrong.append("it was not answered by the server")
    if case.kind == BAD and settings.strict and requests:
        wrong.append("it is malformed, but was forwarded")
    if seen == "nothing" or str(seen).startswith("an answer that"):
        wrong.append(f"the client got {seen}")
    wrong += probe(settings, server)
    fate = "forwarded" if requests else "refused"
    return fate, seen, wrong


def probe(settings, server):
    """The next client's request must be itself, and be answered as such."""
    server.begin()
    scheme = "https" if settings.tls else "http"
    fields = [(":method", "GET"), (":scheme", scheme), (":path", "/next"), (":authority", "a.test")]
    try:
        with Connection(settings.address, settings.tls, settings.timeout) as connection:
            connection.handshake()
            connection.headers(1, block(fields))
            answer = connection.answer(1)
    except (Closed, OSError) as error:
        return [f"the next request failed: {type(error).__name__}"]
    with server.lock:
        targets = [request.target for request in server.requests]
        offences = list(server.offences)
    if not isinstance(answer, tuple) or answer[0].get(b":status") != b"200":
        return [f"the next request was answered {answer if answer is None else str(answer)}"]
    if targets != [b"/next"] or offences:
        return [f"with the next request, the server got {targets} {offences}"]
    return []


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--address", type=parse_address, required=True)
    parser.add_argument("--tls", action="store_true", help="TLS with ALPN instead of clear text")
    parser.add_argument("--server-port", type=int, required=True)
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds to wait for answers")
    parser.add_argument("--strict", action="store_true", help="malformed means refused")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--list", action="store_true", help="prints each case and its outcome")
    return parser.parse_args()


def main():
    settings = options()
    server = StrictServer(settings.server_port)
    cases = [case for case in CASES if settings.only in case.name]
    if settings.tls:
        for case in cases:
            case.fields = [
                (name, b"https" if (name, value) == (b":scheme", b"http") else value)
                for name, value in case.fields
            ]
    failed = lenient = 0
    for case in cases:
        try:
            fate, seen, wrong = judge(settings, server, case)
        except OSError as error:
            fate, seen, wrong = "lost", "no connection", [f"{type(error).__name__} {error}"]
        failed += bool(wrong)
        lenient += case.kind == BAD and fate == "forwarded"
        if wrong or settings.list:
            print(f"{case.name} [{case.kind}]: {fate}, {seen}: {'; '.join(wrong) or 'passed'}")
    print(f"h2_downgrade: {len(cases)} cases, {failed} failed, {lenient} malformed ones forwarded")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
