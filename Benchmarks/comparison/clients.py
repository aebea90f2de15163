"""The clients: a small one that checks every answer, wrk, hey, and load.c."""

import json
import pathlib
import re
import socket
import subprocess
import time

from . import children

HEAD = (
    "Host: shop.example\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: */*\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
)
# Every client carries a cookie of the application too, as real ones do.
APPLICATION_COOKIE = "theme=dark"


class WrongAnswer(Exception):
    """The proxy did not do what it must do to be measured."""


class Answer:
    """One answer, read to its end."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n.lower() == name), None)

    def cookie(self, name: str) -> str | None:
        """The value that a Set-Cookie gives to this cookie."""
        for header, value in self.headers:
            if header.lower() == "set-cookie" and value.startswith(name + "="):
                return value.partition("=")[2].partition(";")[0]
        return None


class Client:
    """A connection that makes one exchange after another and believes nothing."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def _read_until(self, count_or_mark: int | bytes) -> bytes:
        while True:
            if isinstance(count_or_mark, bytes):
                at = self.kept.find(count_or_mark)
                end = at + len(count_or_mark) if at >= 0 else None
            else:
                end = count_or_mark if len(self.kept) >= count_or_mark else None
            if end is not None:
                taken, self.kept = self.kept[:end], self.kept[end:]
                return taken
            more = self.socket.recv(1 << 20)
            if not more:
                raise WrongAnswer("the connection was closed within an answer")
            self.kept += more

    def exchange(self, path: str, cookie: str = "", body: bytes | None = None) -> Answer:
        method = "GET" if body is None else "POST"
        request = f"{method} {path} HTTP/1.1\r\n{HEAD}"
        if cookie:
            request += f"Cookie: {cookie}\r\n"
        if body is not None:
            request += f"Content-Length: {len(body)}\r\n"
        self.socket.sendall(request.encode() + b"\r\n" + (body or b""))
        head = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        headers = [
            (line.partition(":")[0], line.partition(":")[2].strip())
            for line in head[1:] if line
        ]
        answer = Answer(status, headers, b"")
        coding = answer.header("transfer-encoding")
        if coding:
            while count := int(self._read_until(b"\r\n").split(b";")[0], 16):
                answer.body += self._read_until(count)
                self._read_until(b"\r\n")
            self._read_until(b"\r\n")
        else:
            answer.body = self._read_until(int(answer.header("content-length") or 0))
        return answer


def wait_until_answers(port: int, child: subprocess.Popen, seconds: float = 15) -> None:
    """Waits until an exchange succeeds."""
    deadline = time.monotonic() + seconds
    problem: object = "nothing yet"
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise WrongAnswer(f"it ended with status {child.returncode}")
        try:
            with Client(port) as client:
                status = client.exchange("/b/100").status
                if status == 200:
                    return
                problem = f"status {status}"
        except (OSError, WrongAnswer) as error:
            problem = error
        time.sleep(0.02)
    raise WrongAnswer(f"it did not answer within {seconds:g} s: {problem}")


def check(port: int, path: str, size: int, upload: int, cookie: str | None) -> None:
    """Checks what the slice relies on: status, length, the cookie, X-Forwarded-For."""
    body = bytes(upload) if upload else None
    with Client(port) as client:
        first = client.exchange(path, APPLICATION_COOKIE, body)
        if first.status != 200:
            raise WrongAnswer(f"status {first.status} for {path}")
        if body is not None and first.body != b"%d\n" % upload:
            raise WrongAnswer(f"of {upload} bytes the server received {first.body!r}")
        if body is None and first.body != b"x" * size:
            raise WrongAnswer(f"{len(first.body)} bytes for {path}")
        value = first.cookie(cookie) if cookie else None
        if cookie and not value:
            raise WrongAnswer("no binding cookie on the first answer")
        presented = APPLICATION_COOKIE + (f"; {cookie}={value}" if cookie else "")
        for _ in range(4):
            again = client.exchange(path, presented, body)
            if again.status != 200 or len(again.body) != len(first.body):
                raise WrongAnswer(f"status {again.status}, {len(again.body)} bytes")
            if cookie and again.header("x-server") != first.header("x-server"):
                raise WrongAnswer("a bound client was sent to another server")
            if cookie and again.cookie(cookie):
                raise WrongAnswer("the binding cookie was set anew although it was valid")
        head = client.exchange("/head", presented).body.decode("latin-1").lower()
        if "x-forwarded-for: 127.0.0.1\r\n" not in head:
            raise WrongAnswer("no X-Forwarded-For reached the server")


def collect_cookies(port: int, cookie: str | None, count: int, file: pathlib.Path) -> None:
    """Writes `count` Cookie values, each with a binding of its own, for wrk and load.c."""
    lines = []
    for _ in range(count):
        line = APPLICATION_COOKIE
        if cookie:
            with Client(port) as client:
                value = client.exchange("/b/100", APPLICATION_COOKIE).cookie(cookie)
            if not value:
                raise WrongAnswer("no binding cookie on a first answer")
            line += f"; {cookie}={value}"
        lines.append(line)
    file.write_text("\n".join(lines) + "\n")


def server_connections(port: int) -> tuple[int, int]:
    """Exchanges and connections that the servers have seen so far."""
    with Client(port) as client:
        counts = json.loads(client.exchange("/count").body)
    return counts["requests"], counts["connections"]


class Wrk:
    """wrk, one thread, on the load's core."""

    def __init__(self, script: pathlib.Path, core: int):
        self.script, self.core = script, core

    def run(self, port: int, path: str, seconds: float, workload, cookies) -> dict:
        output = children.run(
            [
                "wrk", "-t1", f"-c{workload.connections}", f"-d{_whole(seconds)}",
                "--timeout", "10s", "-s", self.script, f"http://127.0.0.1:{port}{path}", "--",
                "POST" if workload.upload else "GET", workload.upload,
                "close" if workload.closes else "keep", cookies,
            ],
            self.core,
            seconds + 30,
        )
        figures = json.loads(output.strip().splitlines()[-1])
        figures["errors"] = {k: v for k, v in figures["errors"].items() if v}
        return figures


def _whole(seconds: float) -> str:
    """wrk counts in whole seconds, at least one."""
    return f"{max(1, round(seconds))}s"


class Hey:
    """hey, on the load's core: a second opinion on new connections."""

    def __init__(self, core: int):
        self.core = core

    def run(self, port: int, path: str, seconds: float, workload, cookies) -> dict:
        cookie = pathlib.Path(cookies).read_text().splitlines()[0]
        output = children.run(
            [
                "hey", "-cpus", 1, "-c", workload.connections, "-z", f"{seconds}s",
                "-disable-keepalive", "-disable-compression", "-H", f"Cookie: {cookie}",
                f"http://127.0.0.1:{port}{path}",
            ],
            self.core,
            seconds + 30,
        )
        statuses = {
            int(status): int(count)
            for status, count in re.findall(r"\[(\d{3})\]\s+(\d+) responses", output)
        }
        good = statuses.get(200, 0)
        errors = {f"status {s}": n for s, n in statuses.items() if s != 200}
        if "Error distribution" in output:
            tail = output.partition("Error distribution:")[2]
            errors["socket"] = sum(int(n) for n in re.findall(r"^\s*\[(\d+)\]", tail, re.M))
        total = float(re.search(r"Total:\s+([\d.]+) secs", output)[1])
        percentiles = dict(re.findall(r"(\d+)% in ([\d.]+) secs", output))
        return {
            "exchanges": good,
            "seconds": total,
            "bytes": None,
            "p50_us": float(percentiles.get("50", 0)) * 1e6,
            "p99_us": float(percentiles.get("99", 0)) * 1e6,
            "errors": errors,
        }


class Load:
    """load.c under orders: it holds its connections between them."""

    def __init__(self, program, core, port, connections, path, cookies="", sources=0):
        self.child = children.start(
            [program, port, connections, path, cookies, sources],
            core,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_) -> None:
        children.stop(self.child)

    def order(self, order: str) -> dict:
        self.child.stdin.write(order + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise WrongAnswer(f"the load generator ended at '{order}'")
        figures = json.loads(line)
        count = figures.pop("errors")
        return {**figures, "errors": {"failed": count} if count else {}}
