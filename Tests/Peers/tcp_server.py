"""A TCP server that says where its clients come from, by the PROXY protocol if told to.

    tcp_server.py NAME [--proxy] [--mode echo|digest|hello|silent]

It prints its port, `open N` for each connection, `proxy ...` for each header that it read and
`closed N BYTES` for the end of what a client sent. The modes: `echo` sends back what comes and
closes when its client has; `digest` reads to the end and answers with length and SHA-256; `hello`
says its name and closes its own side first, and reads on; `silent` reads and says nothing.
"""

import argparse
import hashlib
import json
import socket
import struct
import sys
import threading

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TLVS = {0x01: "alpn", 0x02: "authority", 0x03: "crc32c", 0x05: "unique-id", 0x20: "ssl"}
LOCK = threading.Lock()


def say(*words):
    with LOCK:
        print(*words, flush=True)


def crc32c(data):
    """The checksum of the PROXY protocol (Castagnoli), bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError("the connection ended within its PROXY header")
        data += more
    return data


def read_text(connection, start):
    """Version 1, whose first bytes were read."""
    line = start
    while not line.endswith(b"\r\n"):
        if len(line) > 107:
            raise ValueError("the line of version 1 has no end")
        line += exactly(connection, 1)
    return {"version": 1, "line": line[:-2].decode("ascii")}


def read_binary(connection, start):
    """Version 2: its addresses and what follows them."""
    head = start + exactly(connection, 16 - len(start))
    command, family, length = head[12], head[13], int.from_bytes(head[14:16], "big")
    body = exactly(connection, length)
    found = {"version": command >> 4, "command": command & 15, "family": family}
    size = {0x11: 4, 0x21: 16}.get(family, 0)
    rest = body
    if size:
        kind = socket.AF_INET if size == 4 else socket.AF_INET6
        found["source"] = socket.inet_ntop(kind, body[:size])
        found["destination"] = socket.inet_ntop(kind, body[size : 2 * size])
        ports = struct.unpack("!HH", body[2 * size : 2 * size + 4])
        found["source-port"], found["destination-port"] = ports
        rest = body[2 * size + 4 :]
    while rest:
        kind, length = rest[0], int.from_bytes(rest[1:3], "big")
        value = rest[3 : 3 + length]
        if len(value) < length:
            raise ValueError("a TLV is longer than the header")
        found[TLVS.get(kind, f"tlv-{kind}")] = tlv(kind, value, head + body, len(rest))
        rest = rest[3 + length :]
    return found


def tlv(kind, value, header, left):
    if kind in (0x01, 0x02):
        return value.decode("ascii")
    if kind == 0x03:
        # The sum is over the whole header with zeros in its own place.
        at = len(header) - left + 3
        blank = header[:at] + b"\0\0\0\0" + header[at + 4 :]
        return "right" if crc32c(blank) == int.from_bytes(value, "big") else "wrong"
    return value.hex()


def read_header(connection):
    start = exactly(connection, 6)
    if start == b"PROXY ":
        return read_text(connection, start)
    if start == SIGNATURE[:6]:
        start += exactly(connection, 6)
    if start == SIGNATURE:
        return read_binary(connection, start)
    raise ValueError(f"no PROXY header: {start!r}")


def serve(connection, number, arguments):
    if arguments.proxy:
        say("proxy", json.dumps(read_header(connection)))
    if arguments.mode == "hello":
        connection.sendall(arguments.name.encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
    digest, length = hashlib.sha256(), 0
    while data := connection.recv(65_536):
        length += len(data)
        digest.update(data)
        if arguments.mode == "echo":
            connection.sendall(data)
    say("closed", number, length)
    if arguments.mode == "digest":
        connection.sendall(f"{arguments.name} {length} {digest.hexdigest()}\n".encode())
    connection.close()


def guarded(connection, number, arguments):
    try:
        serve(connection, number, arguments)
    except (OSError, EOFError, ValueError) as error:
        say("broken", number, error)
        connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--proxy", action="store_true")
    parser.add_argument("--mode", default="echo", choices=("echo", "digest", "hello", "silent"))
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    say("port", listener.getsockname()[1])
    number = 0
    while True:
        connection, _ = listener.accept()
        number += 1
        say("open", number)
        threading.Thread(
            target=guarded, args=(connection, number, arguments), daemon=True
        ).start()


if __name__ == "__main__":
    sys.exit(main())
