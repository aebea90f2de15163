"""WebSockets over one HTTP/2 connection (RFC 8441); says `ok` when all was as it should be.

    websocket_h2.py PORT CASE [authorities]
"""

import json
import os
import socket
import ssl
import struct
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings

PATIENCE = 60
TEXT, BINARY, CLOSE = 1, 2, 8


def say(*words):
    print(*words, flush=True)


def equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"{str(found)[:200]!r} is not {str(wanted)[:200]!r}")


def frame(kind, payload):
    """A whole message of a client: masked, as it must be over HTTP/2 too."""
    mask = os.urandom(4)
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x80 | kind, 0x80 | length)
    elif length < 65_536:
        head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, 0x80 | 127, length)
    key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
    masked = (int.from_bytes(payload, "big") ^ key).to_bytes(length, "big")
    return head + mask + masked


def parse(data):
    """The first whole message in `data`, and what is left; None while it is not whole."""
    if len(data) < 2:
        return None
    length, start = data[1] & 0x7F, 2
    if length >= 126:
        start = 4 if length == 126 else 10
        if len(data) < start:
            return None
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        return None
    return data[0] & 15, bytes(data[start : start + length]), data[start + length :]


class Connection:
    def __init__(self, port, authorities):
        self.authority = f"127.0.0.1:{port}"
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket = plain
        self.scheme = "http"
        if authorities:
            context = ssl.create_default_context(cafile=authorities)
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
            equal(self.socket.selected_alpn_protocol(), "h2")
            self.scheme = "https"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.heads, self.data, self.ended, self.reset = {}, {}, set(), {}
        self.over = False
        self.h2.initiate_connection()
        self.flush()
        code = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
        self.until(lambda: self.h2.remote_settings.get(code) == 1)

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def until(self, done):
        while not done():
            if self.over:
                raise AssertionError("the connection ended")
            received = self.socket.recv(65_536)
            self.over = not received
            for event in self.h2.receive_data(received) if received else ():
                self.handle(event)
            self.flush()

    def handle(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.ResponseReceived):
            self.heads[stream] = {bytes(name): bytes(value) for name, value in event.headers}
        elif isinstance(event, h2.events.DataReceived):
            self.data[stream] = self.data.get(stream, b"") + event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(stream)
        elif isinstance(event, h2.events.StreamReset):
            self.reset[stream] = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated) and event.error_code == 0:
            # The library takes a GOAWAY for the end of all streams; they go on (RFC 9113 §6.8).
            self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN

    def open(self, path, fields=(), method="CONNECT"):
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method)]
        if method == "CONNECT":
            head.append((":protocol", "websocket"))
        head += [(":scheme", self.scheme), (":authority", self.authority), (":path", path)]
        if method == "CONNECT":
            head.append(("sec-websocket-version", "13"))
        self.h2.send_headers(stream, head + list(fields), end_stream=method == "GET")
        self.flush()
        self.until(lambda: stream in self.heads or stream in self.reset)
        return stream

    def status(self, stream):
        if stream in self.reset:
            raise AssertionError(f"the stream was reset: {self.reset[stream]}")
        return int(self.heads[stream][b":status"])

    def send(self, stream, kind, payload):
        data = frame(kind, payload)
        while data:
            room = min(
                self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size
            )
            if room == 0:
                self.until(lambda: self.h2.local_flow_control_window(stream) > 0)
                continue
            self.h2.send_data(stream, data[:room])
            self.flush()
            data = data[room:]

    def receive(self, stream):
        def whole():
            return parse(self.data.get(stream, b"")) or stream in self.ended | self.reset.keys()

        self.until(whole)
        found = parse(self.data.get(stream, b""))
        if not found:
            raise AssertionError("the stream ended within a message")
        self.data[stream] = found[2]
        return found[:2]

    def ends(self, stream):
        self.until(lambda: stream in self.ended or stream in self.reset)


def echo(connection):
    stream = connection.open("/echo")
    equal(connection.status(stream), 200)
    head = connection.heads[stream]
    for name in (b"upgrade", b"connection"):
        equal(name in head, False)
    for size in (0, 125, 126, 65_535, 65_536, 1 << 20):
        payload = b"x" * size
        connection.send(stream, BINARY, payload)
        equal(connection.receive(stream), (BINARY, payload))
    connection.send(stream, CLOSE, struct.pack("!H", 1000))
    equal(connection.receive(stream), (CLOSE, struct.pack("!H", 1000)))
    connection.h2.end_stream(stream)
    connection.flush()
    connection.ends(stream)


def many(connection):
    """Tunnels and requests share the connection."""
    streams = [connection.open("/echo") for _ in range(20)]
    for number, stream in enumerate(streams):
        equal(connection.status(stream), 200)
        connection.send(stream, TEXT, b"%d" % number)
    for number, stream in reversed(list(enumerate(streams))):
        equal(connection.receive(stream), (TEXT, b"%d" % number))
    # A server of WebSockets refuses what is none: that is an answer as well.
    equal(connection.status(connection.open("/echo", method="GET")), 426)
    connection.send(streams[0], TEXT, b"still there")
    equal(connection.receive(streams[0]), (TEXT, b"still there"))


def server_closes(connection):
    stream = connection.open("/close/4001")
    equal(connection.status(stream), 200)
    kind, payload = connection.receive(stream)
    equal((kind, payload[:2]), (CLOSE, struct.pack("!H", 4001)))
    connection.send(stream, CLOSE, payload)
    connection.ends(stream)


def fields(connection):
    """Says what the server saw of the handshake."""
    stream = connection.open("/fields")
    equal(connection.status(stream), 200)
    for name, value in json.loads(connection.receive(stream)[1]):
        say("field", name.lower(), value)


def hold(connection):
    """Waits for the close frame; says its code."""
    stream = connection.open("/echo")
    equal(connection.status(stream), 200)
    say("holding")
    kind, payload = connection.receive(stream)
    equal(kind, CLOSE)
    say("end", struct.unpack("!H", payload[:2])[0])
    connection.send(stream, CLOSE, payload)
    connection.ends(stream)


def refused(connection):
    """A foreign page's handshake."""
    stream = connection.open("/echo", fields=[("origin", "https://evil.test")])
    say("status", connection.status(stream))
    # The connection serves on.
    stream = connection.open("/echo", fields=[("origin", "https://shop.test")])
    equal(connection.status(stream), 200)


CASES = {
    "echo": echo, "many": many, "server-closes": server_closes, "fields": fields, "hold": hold,
    "refused": refused,
}


def main():
    port, case = sys.argv[1:3]
    CASES[case](Connection(int(port), sys.argv[3] if len(sys.argv) > 3 else None))
    say("ok")


if __name__ == "__main__":
    main()
