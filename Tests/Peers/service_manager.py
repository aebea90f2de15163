"""A service manager in small: it holds the listening socket, hands it to the program that it starts
(sd_listen_fds(3)), hears what that says of itself (sd_notify(3)), and starts it again for each line
that it reads. `service_manager.py PORT PROGRAM ARGUMENT...`
"""

import os
import signal
import socket
import sys
import threading


def hear(notices: socket.socket) -> None:
    while True:
        for line in notices.recv(4096).decode().splitlines():
            print("heard", line, flush=True)


def start(listener: socket.socket, arguments: list[str]) -> int:
    pid = os.fork()
    if pid == 0:
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ["LISTEN_FDS"] = "1"
        os.environ["LISTEN_FDNAMES"] = "web"
        os.environ["LISTEN_PID"] = str(os.getpid())
        os.execvp(arguments[0], arguments)
    print("started", pid, flush=True)
    return pid


def main() -> None:
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind("notices")
    os.environ["NOTIFY_SOCKET"] = os.path.abspath("notices")
    threading.Thread(target=hear, args=(notices,), daemon=True).start()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    listener.listen(4096)
    pid = start(listener, sys.argv[2:])
    for _ in sys.stdin:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        pid = start(listener, sys.argv[2:])
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


main()
