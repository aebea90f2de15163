"""What the floods are judged by: an honest client beside them, and what the process costs."""

import multiprocessing
import os
import signal
import threading
import time

from h2wire import Closed, Connection

TICKS = os.sysconf("SC_CLK_TCK")
EVERY = 0.1


def ask_always(address, tls, pipe):
    """Asks every 100 ms, on one connection as long as it lasts; reports when the parent asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    slowest, answers, failures = 0.0, 0, []
    connection, stream = None, 1
    while True:
        begin = time.monotonic()
        try:
            if connection is None:
                connection, stream = Connection(address, tls, timeout=5), 1
                connection.handshake()
            connection.headers(stream, honest_block(address, tls))
            answer = connection.answer(stream)
            if not isinstance(answer, tuple) or answer[0].get(b":status") != b"200":
                raise ConnectionError(f"answered {answer if answer is None else str(answer)}")
            answers, stream = answers + 1, stream + 2
        except (Closed, OSError, ValueError) as error:
            failures.append(f"{type(error).__name__} {error}")
            if connection is not None:
                connection.socket.close()
            connection = None
        slowest = max(slowest, time.monotonic() - begin)
        if pipe.poll(max(0.0, EVERY - (time.monotonic() - begin))):
            if pipe.recv() == "end":
                return
            pipe.send((slowest, answers, failures))
            slowest, answers, failures = 0.0, 0, []


def honest_block(address, tls):
    # The static table's :method GET, :scheme, :path / and a literal :authority.
    authority = f"{address[0]}:{address[1]}".encode()
    scheme = b"\x87" if tls else b"\x86"
    return b"\x82" + scheme + b"\x84\x01" + bytes([len(authority)]) + authority


class Honest:
    """The honest client, in a process of its own: the flood must not slow it by Python's lock."""

    def __init__(self, address, tls):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(
            target=ask_always, args=(address, tls, theirs), daemon=True
        )
        self.process.start()

    def report(self):
        """The slowest answer in seconds, how many came, and what failed since the last report."""
        self.pipe.send("report")
        if not self.pipe.poll(20):
            return 20.0, 0, ["the honest client waits for ever"]
        return self.pipe.recv()

    def end(self):
        self.pipe.send("end")
        self.process.join(10)


class Cost:
    """The CPU time and the memory of a process and its children, watched from a thread."""

    def __init__(self, pid):
        self.pid = pid
        self.first = self.memory() if pid else 0
        self.most = 0
        self.over = threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while self.pid and not self.over.wait(0.05):
            self.most = max(self.most, self.memory())

    def family(self):
        found = [self.pid]
        for pid in found:
            path = f"/proc/{pid}/task/{pid}/children"
            try:
                with open(path, encoding="ascii") as stream:
                    found += [int(word) for word in stream.read().split()]
            except OSError:
                pass
        return found

    def memory(self):
        """Resident MiB."""
        kib = 0
        for pid in self.family():
            try:
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as stream:
                    lines = stream.read().split("\n")
                kib += sum(int(l.split()[1]) for l in lines if l.startswith("VmRSS:"))
            except OSError:
                pass
        return kib / 1024

    def cpu(self):
        """Seconds so far."""
        ticks = 0
        for pid in self.family() if self.pid else ():
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
                    words = stream.read().rpartition(")")[2].split()
                ticks += int(words[11]) + int(words[12])
            except OSError:
                pass
        return ticks / TICKS

    def is_running(self):
        return not self.pid or os.path.exists(f"/proc/{self.pid}")
