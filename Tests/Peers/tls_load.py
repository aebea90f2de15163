"""Makes handshakes as fast as it can, each on a connection of its own.

    tls_load.py PORT COUNT|until-told [--authorities FILE] [--from ADDRESS] [--bare]

After each handshake it asks once; with `--bare` it closes at once. `until-told` goes on until its
input ends. It prints `going` after the first, and in the end `done N` and `failed N`.
"""

import argparse
import http.client
import select
import socket
import ssl
import sys

PATIENCE = 60


def exchange(context, arguments):
    address = ("127.0.0.1", arguments.port)
    source = (arguments.source, 0)
    plain = socket.create_connection(address, timeout=PATIENCE, source_address=source)
    with context.wrap_socket(plain, server_hostname="shop.test") as connection:
        if arguments.bare:
            return
        connection.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        if answer.status != 200 or not answer.read():
            raise ConnectionError(f"status {answer.status}")


def is_over(arguments, count):
    if arguments.count == "until-told":
        return bool(select.select([sys.stdin], [], [], 0)[0])
    return count >= int(arguments.count)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("count")
    parser.add_argument("--authorities")
    parser.add_argument("--from", dest="source", default="127.0.0.1")
    parser.add_argument("--bare", action="store_true")
    arguments = parser.parse_args()
    context = ssl.create_default_context(cafile=arguments.authorities)
    if not arguments.authorities:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    done = failed = 0
    while not is_over(arguments, done + failed):
        try:
            exchange(context, arguments)
            done += 1
        except (OSError, http.client.HTTPException) as error:
            print("error", error, flush=True)
            failed += 1
        if done + failed == 1:
            print("going", flush=True)
    print("done", done)
    print("failed", failed)


if __name__ == "__main__":
    main()
