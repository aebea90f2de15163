"""A shop with carts: each is a number in this process's memory, or with --redis in a store that
all servers read. Every answer says which server gave it.

    GET /cart        what is in the cart, at once
    GET /page        the same, in pieces over a tenth of a second
    POST /cart/add   one more
    GET /healthz     ok
    an upgrade       echoes bytes

SIGUSR1 moves it, with its carts, to the port of --next: what is under way is finished first.
"""

import argparse
import asyncio
import base64
import hashlib
import os
import signal

PIECES, PAUSE = 3, 0.04  # of a page
END = b"end of the cart\n"  # the last line of every answer with a cart


class Memory:
    """Carts of this process."""

    def __init__(self):
        self.carts: dict[bytes, int] = {}

    def look(self, session: bytes | None, adds: int, then) -> None:
        """Calls `then` with the session, its count, and whether it was known."""
        is_known = session in self.carts
        session = session if is_known else os.urandom(12).hex().encode()
        count = self.carts[session] = self.carts.get(session, 0) + adds
        then(session, count, is_known)


class Redis(asyncio.Protocol):
    """Carts of all servers. Commands are sent one behind the other, and so are their answers."""

    def __init__(self):
        self.bytes, self.waiting = b"", []

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        os._exit(0)  # the store is gone: the run is over

    def data_received(self, data: bytes):
        self.bytes += data
        while (end := self.bytes.find(b"\r\n")) >= 0:
            line, rest = self.bytes[:end], self.bytes[end + 2:]
            if line[:1] == b"$" and line != b"$-1":
                length = int(line[1:])
                if len(rest) < length + 2:
                    return
                line, rest = rest[:length], rest[length + 2:]
            self.bytes = rest
            self.waiting.pop(0)(None if line == b"$-1" else line)

    def _tell(self, words: list[bytes], then) -> None:
        self.waiting.append(then)
        self.transport.write(
            b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
        )

    def look(self, session: bytes | None, adds: int, then) -> None:
        if session is None:
            return self._make(adds, then)

        def found(count):
            if count is None:
                return self._make(adds, then)
            if not adds:
                return then(session, int(count), True)
            # ":7" is how it writes a number.
            self._tell([b"INCR", b"cart:" + session],
                       lambda line: then(session, int(line[1:]), True))

        self._tell([b"GET", b"cart:" + session], found)

    def _make(self, adds: int, then) -> None:
        session = os.urandom(12).hex().encode()
        self._tell([b"SET", b"cart:" + session, b"%d" % adds],
                   lambda _: then(session, adds, False))


class Cart(asyncio.Protocol):
    """HTTP/1.1 as far as the balancers speak it: one request at a time, bodies with a length."""

    open: set = set()

    def __init__(self, shop):
        self.shop, self.bytes = shop, b""
        self.is_busy = self.is_tunnel = self.is_leaving = False

    def connection_made(self, transport):
        self.transport = transport
        self.open.add(self)

    def connection_lost(self, _):
        self.open.discard(self)

    def data_received(self, data: bytes):
        if self.is_tunnel:
            self.transport.write(data)
            return
        self.bytes += data
        if not self.is_busy:
            self._next()

    def _next(self) -> None:
        end = self.bytes.find(b"\r\n\r\n")
        if end < 0:
            return
        lines = self.bytes[:end].split(b"\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        length = int(fields.get(b"content-length", b"0"))
        if len(self.bytes) < end + 4 + length:
            return
        self.bytes = self.bytes[end + 4 + length:]
        self._answer(lines[0].split(b" "), fields)

    def _answer(self, start: list[bytes], fields: dict) -> None:
        self.is_busy = True
        method, path = start[0], start[1]
        if fields.get(b"upgrade"):
            return self._upgrade(fields)
        if path in (b"/healthz", b"/mark"):
            return self._send(b"", b"ok\n")
        session = None
        for part in fields.get(b"cookie", b"").split(b";"):
            name, _, value = part.strip().partition(b"=")
            if name == b"cart":
                session = value

        def then(found: bytes, count: int, is_known: bool) -> None:
            head = b"X-Cart: %d\r\nX-Lost: %d\r\n" % (count, session is not None and not is_known)
            if not is_known:
                head += b"Set-Cookie: cart=" + found + b"; Path=/; HttpOnly\r\n"
            body = b"%d in the cart of %s\n" % (count, found) + END
            if path == b"/page":
                self._send_slowly(head, body)
            else:
                self._send(head, body)

        self.shop.store.look(session, method == b"POST", then)

    def _head(self, more: bytes) -> bytes:
        closing = b"Connection: close\r\n" if self.is_leaving else b""
        return (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: private\r\n"
                b"X-Server: " + self.shop.name + b"\r\n" + closing + more)

    def _send(self, more: bytes, body: bytes) -> None:
        self.transport.write(
            self._head(more) + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        self._done()

    def _send_slowly(self, more: bytes, body: bytes) -> None:
        """In chunks, as pages are that are written while they are made."""
        size = -(-len(body) // PIECES)
        pieces = [body[at:at + size] for at in range(0, len(body), size)]
        if self.shop.lies:
            pieces.pop()
        head = self._head(more) + b"Transfer-Encoding: chunked\r\n\r\n"
        loop = asyncio.get_running_loop()

        def send(number: int, before: bytes = b"") -> None:
            piece = pieces[number]
            is_last = number + 1 == len(pieces)
            self.transport.write(before + b"%x\r\n%s\r\n" % (len(piece), piece)
                                 + (b"0\r\n\r\n" if is_last else b""))
            if is_last:
                self._done()
            else:
                loop.call_later(PAUSE, send, number + 1)

        send(0, head)

    def _upgrade(self, fields: dict) -> None:
        key = fields.get(b"sec-websocket-key", b"") + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key).digest())
        self.is_tunnel = True
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"X-Server: " + self.shop.name + b"\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def _done(self) -> None:
        self.is_busy = False
        if self.is_leaving:
            self.transport.close()
        elif self.bytes:
            self._next()


class Shop:
    """The process: its name, its carts, its port."""

    def __init__(self, options):
        self.name, self.lies = options.name.encode(), options.lies
        self.options, self.store, self.server = options, Memory(), None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        if self.options.redis:
            _, self.store = await loop.create_connection(Redis, "127.0.0.1", self.options.redis)
        await self._listen(self.options.port)
        if self.options.next:
            loop.add_signal_handler(signal.SIGUSR1, lambda: asyncio.ensure_future(self._move()))

    async def _listen(self, port: int) -> None:
        self.server = await asyncio.get_running_loop().create_server(
            lambda: Cart(self), "127.0.0.1", port, backlog=1024)

    async def _move(self) -> None:
        self.server.close()
        for connection in list(Cart.open):
            connection.is_leaving = True
            if not connection.is_busy:
                connection.transport.close()
        await self._listen(self.options.next)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("--next", type=int, help="the port to go to at SIGUSR1")
    parser.add_argument("--redis", type=int, help="the port of the store")
    parser.add_argument("--lies", action="store_true", help="pages end early, and look whole")
    await Shop(parser.parse_args()).open()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
