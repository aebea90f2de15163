"""A TLS client that keeps its connection and asks whenever it is told to.

    tls_client.py PORT [--authorities FILE] [--name SERVER] [--alpn PROTOCOL] [--raw]

It prints `open VERSION PROTOCOL SERIAL`, where SERIAL is that of the server's certificate, or
`refused REASON`. Then it sends a request for each line that it reads, of which the line is the
path, and prints `answer STATUS BODY`; `ended` when the server has closed. With `--raw` it sends the
lines as they are and prints `line ...` for each that comes back.
"""

import argparse
import http.client
import socket
import ssl
import sys

PATIENCE = 60


def say(*words):
    print(*words, flush=True)


def context_for(arguments):
    context = ssl.create_default_context(cafile=arguments.authorities)
    if not arguments.authorities:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if arguments.alpn:
        context.set_alpn_protocols([arguments.alpn])
    return context


def ask(connection, lines):
    for line in lines:
        request = f"GET {line.strip()} HTTP/1.1\r\nHost: shop.test\r\n\r\n"
        try:
            connection.sendall(request.encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            say("answer", answer.status, answer.read().decode().strip())
        except (OSError, http.client.HTTPException):
            say("ended")
            return


def converse(connection, lines):
    stream = connection.makefile("rb")
    for line in lines:
        connection.sendall(line.encode())
        say("line", stream.readline().decode().strip())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--authorities")
    parser.add_argument("--name", default="shop.test")
    parser.add_argument("--alpn")
    parser.add_argument("--raw", action="store_true")
    arguments = parser.parse_args()
    plain = socket.create_connection(("127.0.0.1", arguments.port), timeout=PATIENCE)
    try:
        context = context_for(arguments)
        connection = context.wrap_socket(plain, server_hostname=arguments.name)
    except (OSError, ssl.SSLError) as error:
        say("refused", error)
        return
    serial = "-"
    if arguments.authorities:
        serial = connection.getpeercert()["serialNumber"]
    say("open", connection.version(), connection.selected_alpn_protocol() or "-", serial)
    (converse if arguments.raw else ask)(connection, sys.stdin)


if __name__ == "__main__":
    main()
