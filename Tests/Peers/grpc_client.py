"""A gRPC client; each case says `ok` when all was as it should be, and fails otherwise.

    grpc_client.py PORT CASE [authorities]

With the authorities' file it speaks TLS.
"""

import os
import sys
import threading

import grpc

MESSAGE_MAX = 64 * 1024 * 1024
# Far more than a slow machine needs: no answer at all shall fail and not hang.
PATIENCE = 60


class Peer:
    def __init__(self, port, authorities):
        target = f"127.0.0.1:{port}"
        options = [
            ("grpc.max_receive_message_length", MESSAGE_MAX),
            ("grpc.max_send_message_length", MESSAGE_MAX),
            ("grpc.enable_http_proxy", 0),
            # What Belay answers is what is told, not that of a second attempt.
            ("grpc.enable_retries", 0),
        ]
        if authorities:
            with open(authorities, "rb") as stream:
                credentials = grpc.ssl_channel_credentials(stream.read())
            self.channel = grpc.secure_channel(target, credentials, options)
        else:
            self.channel = grpc.insecure_channel(target, options)

    def unary(self, name="Unary"):
        return self.channel.unary_unary("/test.Peer/" + name)

    def server_stream(self, name="ServerStream"):
        return self.channel.unary_stream("/test.Peer/" + name)

    def client_stream(self):
        return self.channel.stream_unary("/test.Peer/ClientStream")

    def both_streams(self):
        return self.channel.stream_stream("/test.Peer/BothStreams")


def equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"{str(found)[:300]!r} is not {str(wanted)[:300]!r}")


def error_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")


def unary(peer):
    for message in (b"", b"hello", os.urandom(70_000)):
        equal(peer.unary()(message, timeout=PATIENCE), message)


def client_streaming(peer):
    messages = (b"x" * size for size in range(1000))
    equal(peer.client_stream()(messages, timeout=PATIENCE), b"1000 499500")
    equal(peer.client_stream()(iter(()), timeout=PATIENCE), b"0 0")


def server_streaming(peer):
    found = list(peer.server_stream()(b"1000 300", timeout=PATIENCE))
    equal(found, [bytes([number % 256]) * 300 for number in range(1000)])
    equal(list(peer.server_stream()(b"0 0", timeout=PATIENCE)), [])


def bidirectional(peer):
    """Each message is sent when the answer to the one before is there."""
    may_send = threading.Semaphore(1)

    def messages():
        for number in range(100):
            may_send.acquire()
            yield b"%d" % number

    count = 0
    for answer in peer.both_streams()(messages(), timeout=PATIENCE):
        equal(answer, b"echo %d" % count)
        count += 1
        may_send.release()
    equal(count, 100)


def metadata(peer):
    sent = (("x-asked", "a, b"),)
    _, call = peer.unary().with_call(b"m", timeout=PATIENCE, metadata=sent)
    equal(dict(call.initial_metadata())["x-initial"], "first")
    final = dict(call.trailing_metadata())
    equal(final["x-final"], "last")
    equal(final["x-final-bin"], bytes(range(256)))
    equal(final["x-asked"], "a, b")
    equal(call.code(), grpc.StatusCode.OK)


def application_error(peer):
    error = error_of(lambda: peer.unary("Fail")(b"", timeout=PATIENCE))
    equal(error.code(), grpc.StatusCode.FAILED_PRECONDITION)
    equal(error.details(), "not yet: 100 % größer\n")
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    equal(details, b"\x00details\xff")


def error_after_messages(peer):
    found = []
    error = error_of(
        lambda: found.extend(
            message for message in peer.server_stream("FailLate")(b"", timeout=PATIENCE)
        )
    )
    equal(error.code(), grpc.StatusCode.DATA_LOSS)
    equal(error.details(), "no more")
    messages = []
    try:
        for message in peer.server_stream("FailLate")(b"", timeout=PATIENCE):
            messages.append(message)
    except grpc.RpcError:
        pass
    equal(messages, [b"0", b"1", b"2"])


def unknown_method(peer):
    error = error_of(lambda: peer.unary("Nothing")(b"", timeout=PATIENCE))
    equal(error.code(), grpc.StatusCode.UNIMPLEMENTED)


def deadline(peer):
    error = error_of(lambda: peer.unary("Wait")(b"", timeout=0.5))
    equal(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)


def cancellation(peer):
    call = peer.server_stream("WaitStream")(b"", timeout=PATIENCE)
    equal(next(call), b"first")
    call.cancel()
    equal(call.code(), grpc.StatusCode.CANCELLED)


def large_messages(peer):
    message = os.urandom(8 * 1024 * 1024)
    equal(peer.unary()(message, timeout=PATIENCE), message)
    found = list(peer.server_stream()(b"3 4000000", timeout=PATIENCE))
    equal([len(part) for part in found], [4_000_000] * 3)


def many_calls(peer):
    calls = [peer.unary().future(b"%d" % number, timeout=PATIENCE) for number in range(500)]
    equal([call.result() for call in calls], [b"%d" % number for number in range(500)])


def after_an_error(peer):
    """A call that fails leaves the connection to the others."""
    application_error(peer)
    unary(peer)


def error_code(name):
    def case(peer):
        error = error_of(lambda: peer.unary()(b"", timeout=PATIENCE))
        equal(error.code(), grpc.StatusCode[name])
        print("details", error.details())

    return case


def lost_stream(peer):
    """The server ends in the middle of a call; that is an error, and it comes at once."""
    call = peer.server_stream("WaitStream")(b"", timeout=PATIENCE)
    equal(next(call), b"first")
    print("streaming", flush=True)
    error = error_of(lambda: next(call))
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        raise AssertionError("the loss was not told")
    print("lost", error.code().name)


def slow_call(peer):
    """A stream of which the second half is sent when the input ends."""
    go_on = threading.Event()

    def messages():
        yield b"one"
        go_on.wait()
        yield b"two"

    call = peer.both_streams()(messages(), timeout=PATIENCE)
    equal(next(call), b"echo one")
    print("streaming", flush=True)
    sys.stdin.read()
    go_on.set()
    equal(next(call), b"echo two")
    equal(list(call), [])
    equal(call.code(), grpc.StatusCode.OK)


CASES = {
    "unary": unary,
    "client-streaming": client_streaming,
    "server-streaming": server_streaming,
    "bidirectional": bidirectional,
    "metadata": metadata,
    "application-error": application_error,
    "error-after-messages": error_after_messages,
    "unknown-method": unknown_method,
    "deadline": deadline,
    "cancellation": cancellation,
    "large-messages": large_messages,
    "many-calls": many_calls,
    "after-an-error": after_an_error,
    "unavailable": error_code("UNAVAILABLE"),
    "unimplemented": error_code("UNIMPLEMENTED"),
    "exhausted": error_code("RESOURCE_EXHAUSTED"),
    "lost-stream": lost_stream,
    "slow-call": slow_call,
}


def main():
    port, case = sys.argv[1:3]
    CASES[case](Peer(port, sys.argv[3] if len(sys.argv) > 3 else None))
    print("ok", flush=True)


if __name__ == "__main__":
    main()
