#!/usr/bin/env python3
"""PROXY protocol, versions 1 and 2, into a listener that requires it.

    proxy_header_exam.py --address HOST:PORT --server-port PORT [--seed 1] [--list]

The exam listens as the HTTP/1.1 server itself and looks at the X-Forwarded-For that it gets. Each
header is sent in one piece, cut at random, and byte by byte. The exit status is 1 when one failed.
"""

import argparse
import concurrent.futures
import random
import socket
import sys

from proxy_header_cases import CASES, EITHER
from strict_server import StrictServer

WAYS = ("whole", "cut at random", "byte by byte")
# Longer headers are sent in fewer pieces.
BYTES_ALONE = 600


def answer(wire, request):
    body = b"[" + b",".join(request.values(b"x-forwarded-for")) + b"]"
    wire.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return True


def pieces(data, way, seed):
    if way == "whole" or not data:
        return [data]
    if way == "byte by byte":
        alone = data[:BYTES_ALONE]
        return [bytes([byte]) for byte in alone] + [data[BYTES_ALONE:]]
    chance = random.Random(seed)
    cuts = sorted({chance.randrange(len(data)) for _ in range(chance.randrange(1, 6))} - {0})
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)])]


def ask(settings, number, way):
    """Everything that the proxy says."""
    _, header, _, is_cut = CASES[number]
    target = f"/{number}/{way.replace(' ', '-')}"
    request = f"GET {target} HTTP/1.1\r\nHost: exam.test\r\nConnection: close\r\n\r\n".encode()
    said = b""
    with socket.create_connection(settings.address, settings.timeout) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces(header + (b"" if is_cut else request), way, settings.seed + number):
                sock.sendall(piece)
                # Long enough that the pieces come one by one.
                sock.settimeout(0.0005 if way == "byte by byte" else 0.003)
                try:
                    said += (part := sock.recv(65536))
                    if not part:
                        return target, said
                except TimeoutError:
                    pass
                sock.settimeout(settings.timeout)
            if is_cut:
                sock.shutdown(socket.SHUT_WR)
            while part := sock.recv(65536):
                said += part
        except TimeoutError:
            said += b"(and waits)"
        except OSError:
            pass
    return target, said


def run(settings, server, job):
    """What is wrong with one case in one way, if anything."""
    number, way = job
    expect = CASES[number][2]
    try:
        target, said = ask(settings, number, way)
    except OSError as error:
        return f"no connection: {error}"
    with server.lock:
        has_come = any(request.target == target.encode() for request in server.requests)
    is_answered = said.startswith(b"HTTP/1.1 200")
    if expect == EITHER:
        return None if is_answered == has_come else "the request reached the server unanswered"
    if expect is None:
        if has_come or is_answered:
            return f"it was accepted: {said.rpartition(bytes([10]))[2]!r}"
        return None
    addresses = said.rpartition(b"[")[2].partition(b"]")[0].decode("latin-1").split(",")
    if not is_answered or addresses[-1].strip() != expect:
        return f"expected {expect}, got {said[-80:]!r}"
    return None


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    host_and_port = lambda text: (text.rpartition(":")[0], int(text.rpartition(":")[2]))
    parser.add_argument("--address", type=host_and_port, required=True)
    parser.add_argument("--server-port", type=int, required=True)
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds to wait for answers")
    parser.add_argument("--seed", type=int, default=1, help="of the random cuts")
    parser.add_argument("--jobs", type=int, default=16, help="connections at the same time")
    parser.add_argument("--list", action="store_true", help="prints each case and its outcome")
    return parser.parse_args()


def main():
    settings = options()
    server = StrictServer(settings.server_port, answer)
    jobs = [(number, way) for way in WAYS for number in range(len(CASES))]
    with concurrent.futures.ThreadPoolExecutor(settings.jobs) as pool:
        outcomes = dict(zip(jobs, pool.map(lambda job: run(settings, server, job), jobs)))
    failed = 0
    for (number, way), wrong in outcomes.items():
        failed += bool(wrong)
        if wrong or settings.list:
            print(f"{CASES[number][0]}, {way}: {wrong or 'passed'}")
    bad_cases = len({number for (number, _), wrong in outcomes.items() if wrong})
    print(
        f"proxy_header_exam: {len(CASES)} headers in {len(WAYS)} ways, {failed} failed "
        f"(of {bad_cases} headers)"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
