"""A WebSocket server.

    websocket_server.py NAME [certificate key]

It prints its port, `open PATH` for each connection and `closed CODE REASON` for its end. What it
does depends on the path: `/echo` sends back, in the kind and the fragments that came; `/name` says
its name; `/ping` pings its client and says what the ping was worth; `/close/CODE` closes at once;
`/drop` ends the connection without a close frame; `/fields` says what the handshake had.
"""

import asyncio
import json
import ssl
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

NAME = sys.argv[1]


def say(*words):
    print(*words, flush=True)


async def echo(socket):
    while True:
        parts = [part async for part in socket.recv_streaming()]
        await socket.send(parts if len(parts) > 1 else parts[0])


async def act(socket):
    path = socket.request.path
    if path.startswith("/close/"):
        await socket.close(int(path.rpartition("/")[2]), "so it is")
    elif path == "/drop":
        socket.transport.abort()
    elif path == "/name":
        await socket.send(NAME)
        await socket.wait_closed()
    elif path == "/fields":
        await socket.send(json.dumps(list(socket.request.headers.raw_items())))
        await socket.wait_closed()
    elif path == "/ping":
        await socket.recv()
        waiter = await socket.ping(b"are you there")
        await waiter
        await socket.send("ponged")
        await socket.wait_closed()
    else:
        await echo(socket)


async def handle(socket):
    say("open", socket.request.path)
    try:
        await act(socket)
    except ConnectionClosed:
        pass
    await socket.wait_closed()
    say("closed", socket.close_code, socket.close_reason)


async def main():
    context = None
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
    options = {"max_size": None, "ping_interval": None, "ssl": context}
    async with serve(handle, "127.0.0.1", 0, **options) as server:
        say("port", server.sockets[0].getsockname()[1])
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
