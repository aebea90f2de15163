"""Clients that shop without pause, and know what should be in their cart.

A client keeps its cookies and its connection. What it asks for is repeated until it is answered,
as its user would; it is one request all the same, which failed if its first attempt did.
"""

import asyncio
import base64
import collections
import os
import random
import time

AGAIN = 0.05  # seconds until a request is made again
ITEM = b"item=climbing-rope&size=60m"
END = b"end of the cart\n"
LOOK, PAGE, ADD, MARK = b"GET /cart", b"GET /page", b"POST /cart/add", b"GET /mark"


class Answer:
    """A whole answer."""

    def __init__(self, status: int, fields: dict, cookies: dict, body: bytes):
        self.status, self.fields, self.cookies, self.body = status, fields, cookies, body
        self.server = fields.get(b"x-server", b"").decode()
        self.cart = int(fields.get(b"x-cart", b"-1"))
        self.is_lost = fields.get(b"x-lost") == b"1"
        self.closes = fields.get(b"connection", b"").lower() == b"close"

    @classmethod
    def read(cls, data: bytes) -> "Answer | None":
        """None while it is not whole."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        lines = data[:end].split(b"\r\n")
        fields, cookies = {}, {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            name, value = name.lower(), value.strip()
            fields[name] = value
            if name == b"set-cookie":
                key, _, text = value.partition(b";")[0].partition(b"=")
                cookies[key] = text
        rest = data[end + 4:]
        if b"chunked" in fields.get(b"transfer-encoding", b""):
            body = unchunked(rest)
        else:
            length = int(fields.get(b"content-length", b"0"))
            body = rest[:length] if len(rest) >= length else None
        if body is None:
            return None
        return cls(int(lines[0].split(b" ")[1]), fields, cookies, body)


def unchunked(data: bytes) -> bytes | None:
    """What the chunks hold; None while the last is missing."""
    parts, at = [], 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end].split(b";")[0], 16)
        if size == 0:
            return b"".join(parts) if data.find(b"\r\n\r\n", end) >= 0 else None
        parts.append(data[end + 2:end + 2 + size])
        at = end + 2 + size + 2
    return None


class Tally:
    """What happened to all clients."""

    def __init__(self):
        self.requests = 0
        self.failed_idempotent = 0
        self.failed_other = 0
        self.attempts_failed = 0
        self.reasons: collections.Counter[str] = collections.Counter()
        self.false_ends = 0
        self.doubled = 0  # more in a cart than was put there
        self.lost: set[int] = set()  # clients whose cart is gone though its server lived
        self.lost_with_server: set[int] = set()
        self.longest = 0.0
        self.waits: list[float] = []
        self.cut: collections.Counter[str] = collections.Counter()  # ended, and not told to
        self.told = 0  # ended by `Connection: close`
        self.tunnels_cut = 0
        self.marks = 0
        self.marks_old = 0  # answers from a file that had been replaced


class Connection(asyncio.Protocol):
    """One connection to the balancer, one request at a time."""

    def __init__(self, stage):
        self.stage, self.bytes, self.waiter = stage, b"", None
        self.answer, self.is_open, self.is_told, self.is_ours = None, False, False, False

    def connection_made(self, transport):
        self.transport, self.is_open = transport, True

    def data_received(self, data):
        self.bytes += data
        if self.waiter and not self.waiter.done():
            self.answer = Answer.read(self.bytes)
            if self.answer:
                self.is_told = self.answer.closes
                self.waiter.set_result(None)

    def connection_lost(self, _):
        self.is_open = False
        if self.is_told:
            self.stage.tally.told += 1
        elif not self.is_ours:
            is_asking = self.waiter and not self.waiter.done()
            self.stage.tally.cut["asking" if is_asking else "idle"] += 1
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    async def ask(self, request: bytes) -> Answer | None:
        """The whole answer; None when the connection ended before."""
        self.bytes, self.answer = b"", None
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        await self.waiter
        return self.answer

    def close(self) -> None:
        self.is_ours = True
        self.transport.abort()


class Shopper:
    """One client."""

    def __init__(self, stage, number: int):
        self.stage, self.number = stage, number
        self.random = random.Random(number)
        self.cookies: dict[bytes, bytes] = {}
        self.least = self.most = 0  # what may be in the cart
        self.server = self.first_server = ""
        self.life = None  # of the process that has the cart
        self.moves = 0
        self.connection: Connection | None = None
        self.waits_since: float | None = None
        self.leaves = False
        self.reason = ""

    async def shop(self) -> None:
        stage = self.stage
        await asyncio.sleep(self.random.random() * stage.think if not stage.disturbed_at else 0)
        while not self.leaves:
            await self._step(self._choose())
            await asyncio.sleep(stage.think * (0.5 + self.random.random()))
        if self.connection and self.connection.is_open:
            self.connection.close()

    def _choose(self) -> bytes:
        if not self.server:
            return LOOK  # as every visitor begins
        draw = self.random.random()
        if draw < 0.2:
            return ADD
        if draw < 0.2 + self.stage.pages:
            return PAGE
        return MARK if draw < 0.2 + self.stage.pages + self.stage.marks else LOOK

    def request(self, start: bytes) -> bytes:
        lines = [start + b" HTTP/1.1", b"Host: shop.example", b"User-Agent: shopper"]
        if self.cookies:
            lines.append(b"Cookie: " + b"; ".join(b"=".join(one) for one in self.cookies.items()))
        body = b""
        if start == ADD:
            body = ITEM
            lines += [b"Content-Type: application/x-www-form-urlencoded",
                      b"Content-Length: %d" % len(body)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    async def _step(self, start: bytes) -> None:
        self.stage.tally.requests += 1
        began = self.waits_since = time.monotonic()
        has_failed = False
        while True:
            answer = await self._attempt(self.request(start))
            if answer and answer.status < 400:
                break
            self._fail(start, f"status {answer.status}" if answer else self.reason, has_failed)
            has_failed = True
            if self.leaves:
                return
            await asyncio.sleep(AGAIN)
        self.waits_since = None
        took = time.monotonic() - began
        # A calm start may have ended meanwhile: then it counts for what came after.
        tally = self.stage.tally
        tally.longest = max(tally.longest, took)
        tally.waits.append(took)
        self.cookies.update(answer.cookies)
        if start == MARK:
            self.stage.marked(answer.server, began)
        elif not answer.body.endswith(END):
            tally.false_ends += 1
        else:
            self._look_into(answer, start == ADD)

    def _fail(self, start: bytes, reason: str, has_failed: bool) -> None:
        tally = self.stage.tally
        tally.attempts_failed += 1
        if start == ADD:
            self.most += 1  # it may have been obeyed
        if has_failed:
            return
        tally.reasons[f"{start.decode().split(' ')[0]}: {reason}"] += 1
        if start == ADD:
            tally.failed_other += 1
        else:
            tally.failed_idempotent += 1

    async def _attempt(self, request: bytes) -> Answer | None:
        if self.connection is None or not self.connection.is_open:
            try:
                _, self.connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self.stage), "127.0.0.1", self.stage.port)
            except OSError:
                self.reason = "connection refused"
                return None
        connection = self.connection
        answer = await connection.ask(request)
        if answer is None:
            self.reason = "cut in its answer" if connection.bytes else "closed without an answer"
            self.connection = None
        elif answer.closes:
            connection.transport.close()
            self.connection = None
        return answer

    def _look_into(self, answer: Answer, adds: bool) -> None:
        """Whether the cart is what it should be."""
        tally = self.stage.tally
        if answer.is_lost or answer.cart < self.least + adds:
            is_dead = self.life in self.stage.dead
            (tally.lost_with_server if is_dead else tally.lost).add(self.number)
        elif answer.cart > self.most + adds:
            tally.doubled += 1
        self.least = self.most = answer.cart
        if self.server and answer.server != self.server:
            self.moves += 1
        self.first_server = self.first_server or answer.server
        self.server, self.life = answer.server, self.stage.life_of(answer.server)


class Tunnel:
    """A WebSocket of a client that is bound already; its messages come back."""

    def __init__(self, shopper: Shopper):
        self.shopper, self.stage = shopper, shopper.stage
        self.life, self.echoes = None, 0

    async def run(self) -> None:
        while not self.shopper.server:
            await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.stage.port)
        try:
            head = self.shopper.request(b"GET /socket")[:-2]
            writer.write(head + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                         + base64.b64encode(os.urandom(16)) + b"\r\n\r\n")
            answer = Answer.read(await reader.readuntil(b"\r\n\r\n"))
            if answer.status != 101:
                raise ConnectionError(f"status {answer.status} for a WebSocket")
            self.life = self.stage.life_of(answer.server)
            # A masked message of 8 bytes: balancers may look at frames.
            message = b"\x82\x88\x00\x00\x00\x00climbing"
            while True:
                writer.write(message)
                if await reader.readexactly(len(message)) != message:
                    raise ConnectionError("another message came back")
                self.echoes += 1
                await asyncio.sleep(self.stage.think)
        except (OSError, asyncio.IncompleteReadError) as error:
            if self.life is None or self.life not in self.stage.dead:
                self.stage.tally.tunnels_cut += 1
                self.stage.tally.reasons[f"tunnel: {type(error).__name__}"] += 1
        finally:
            writer.transport.abort()
