"""The HTTP/1.1 server behind the proxy in the exams that need no more than answers: `/large` is
8 MiB, `/address` says the X-Forwarded-For that came, everything else is a short text.

    exam_server.py PORT     prints “ready” when it listens
"""

import asyncio
import contextlib
import socket
import subprocess
import sys

LARGE = b"x" * (8 << 20)


async def read_body(reader, fields):
    if "chunked" in fields.get("transfer-encoding", ""):
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    elif length := int(fields.get("content-length", 0)):
        await reader.readexactly(length)


async def serve(reader, writer):
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError, ValueError):
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ")
            pairs = (line.partition(":") for line in lines[1:] if line)
            fields = {name.lower(): value.strip() for name, _, value in pairs}
            await read_body(reader, fields)
            body = b"hello from the server\n"
            if path.startswith("/large"):
                body = LARGE
            elif path.startswith("/address"):
                body = f"[{fields.get('x-forwarded-for', '')}]\n".encode("latin-1")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            # In pieces: what is never read must not pile up here.
            for start in range(0, 0 if method == "HEAD" else len(body), 1 << 16):
                writer.write(body[start : start + (1 << 16)])
                await writer.drain()
    writer.close()


async def main(port):
    listener = socket.create_server(("127.0.0.1", port))
    # Small, and inherited: the kernel would take megabytes of each large answer.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 15)
    server = await asyncio.start_server(serve, sock=listener, limit=1 << 20, backlog=4096)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


@contextlib.contextmanager
def running(port):
    """Runs the server beside the exam, as a program of its own."""
    command = [sys.executable, __file__, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
        try:
            if program.stdout.readline().strip() != b"ready":
                sys.exit(f"the exam's server cannot listen on port {port}")
            yield
        finally:
            program.kill()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
