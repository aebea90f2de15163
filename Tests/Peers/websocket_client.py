"""A WebSocket client; each case says `ok` when all was as it should be, and fails otherwise.

    websocket_client.py URL CASE [--authorities FILE] [--origin ORIGIN] [--count N]
"""

import argparse
import asyncio
import contextlib
import json
import os
import ssl
import sys
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

# Far more than a slow machine needs: no answer at all shall fail and not hang.
PATIENCE = 60
# Lengths where the frame's header changes its form, and more than one buffer.
SIZES = (0, 1, 125, 126, 65_535, 65_536, 1 << 20)


def say(*words):
    print(*words, flush=True)


def equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"{str(found)[:200]!r} is not {str(wanted)[:200]!r}")


class Peer:
    def __init__(self, arguments):
        self.url = arguments.url
        self.count = arguments.count
        self.options = {
            "max_size": None,
            "ping_interval": None,
            "proxy": None,
            "open_timeout": PATIENCE,
            "close_timeout": PATIENCE,
            "compression": None,
            "origin": arguments.origin,
        }
        if arguments.url.startswith("wss:"):
            context = ssl.create_default_context(cafile=arguments.authorities)
            self.options["ssl"] = context

    def open(self, path="/echo", **options):
        return connect(self.url + path, **{**self.options, **options})


async def end_of(socket):
    """The code with which the other side closed."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code


async def echo(peer):
    async with peer.open() as socket:
        for size in SIZES:
            binary = os.urandom(size)
            text = ("0123456789abcdeä" * (size // 16 + 1))[:size]
            for message in (binary, text):
                # Sending and receiving at the same time: a message may be larger than all buffers.
                _, found = await asyncio.gather(socket.send(message), socket.recv())
                equal(found, message)


async def pipelined(peer):
    async with peer.open() as socket:

        async def send():
            for number in range(1000):
                await socket.send(str(number))

        async def receive():
            for number in range(1000):
                equal(await socket.recv(), str(number))

        await asyncio.gather(send(), receive())


async def fragments(peer):
    async with peer.open() as socket:
        parts = ["first ", "", "x" * 70_000, "last"]
        await socket.send(parts)
        found = [part async for part in socket.recv_streaming()]
        # Either side ends a message in fragments with one that is empty.
        equal(found, parts + ["", ""])
        await socket.send([b"\x00", b"\xff" * 200])
        equal(await socket.recv(), b"\x00" + b"\xff" * 200)


async def ping(peer):
    async with peer.open() as socket:
        for payload in (b"", b"hello", b"x" * 125):
            await (await socket.ping(payload))
    async with peer.open("/ping") as socket:
        await socket.send("now")
        equal(await socket.recv(), "ponged")


async def compression(peer):
    async with peer.open(compression="deflate") as socket:
        names = [extension.name for extension in socket.protocol.extensions]
        equal(names, ["permessage-deflate"])
        for size in SIZES:
            message = "ab" * size
            _, found = await asyncio.gather(socket.send(message), socket.recv())
            equal(found, message)


async def subprotocol(peer):
    async with peer.open("/fields", subprotocols=["one", "two"]) as socket:
        fields = dict(json.loads(await socket.recv()))
        for name, value in fields.items():
            say("field", name.lower(), value)


async def client_closes(peer):
    for code in (1000, 1001, 4321):
        socket = await peer.open()
        await socket.close(code, "gone")
        equal(socket.close_code, code)


async def server_closes(peer):
    for code in (1000, 1011, 4000):
        async with peer.open(f"/close/{code}") as socket:
            equal(await end_of(socket), code)
            equal(socket.close_reason, "so it is")


async def server_drops(peer):
    async with peer.open("/drop") as socket:
        say("code", await end_of(socket))


async def client_drops(peer):
    socket = await peer.open()
    await socket.send("x")
    equal(await socket.recv(), "x")
    socket.transport.abort()


async def cookie(peer):
    """The binding that the handshake brings leads to the same server again."""
    async with peer.open("/name") as socket:
        name = await socket.recv()
        binding = socket.response.headers["set-cookie"].partition(";")[0]
        equal(binding.partition("=")[0], "belay")
    for _ in range(10):
        async with peer.open("/name", additional_headers={"Cookie": binding}) as socket:
            equal(await socket.recv(), name)
            equal("set-cookie" in socket.response.headers, False)


async def once(peer):
    """Opens, sends back once, closes; or says with which status it was refused."""
    try:
        async with peer.open() as socket:
            await socket.send("hello")
            equal(await socket.recv(), "hello")
            say("status 101")
    except InvalidStatus as refused:
        say("status", refused.response.status_code)


async def busy(peer):
    """Uses one connection all the time, until the input ends."""
    enough = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    async with peer.open() as socket:
        say("busy")
        while not enough.done():
            await socket.send("hello")
            equal(await socket.recv(), "hello")


async def hold(peer):
    """Opens so many, one after the other, and waits for their ends; says how each ended."""
    sockets = []
    for _ in range(peer.count):
        try:
            sockets.append(await peer.open())
        except InvalidStatus as refused:
            say("refused", refused.response.status_code)
    for socket in sockets:
        await socket.send("hello")
        equal(await socket.recv(), "hello")
    say("holding", len(sockets))

    async def watch(socket):
        code = await end_of(socket)
        return time.monotonic(), code

    ends = await asyncio.gather(*map(watch, sockets))
    for _, code in ends:
        say("end", code)
    times = [at for at, _ in ends]
    say("spread-ms", int((max(times) - min(times)) * 1000) if times else 0)


CASES = {
    function.__name__.replace("_", "-"): function
    for function in (
        echo, pipelined, fragments, ping, compression, subprotocol, client_closes,
        server_closes, server_drops, client_drops, cookie, once, hold, busy,
    )
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--authorities")
    parser.add_argument("--origin")
    parser.add_argument("--count", type=int, default=1)
    arguments = parser.parse_args()
    asyncio.run(CASES[arguments.case](Peer(arguments)))
    say("ok")


if __name__ == "__main__":
    main()
