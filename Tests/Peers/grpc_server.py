"""A gRPC server with one call of each kind; messages are plain bytes.

    grpc_server.py [certificate key]

It prints its port and, a line each, what the calls of /test.Peer/ did.
"""

import sys
import threading
from concurrent import futures

import grpc

MESSAGE_MAX = 64 * 1024 * 1024


def say(*words):
    print(*words, flush=True)


def unary(request, context):
    """Sends the message back, with the metadata it came with as trailers."""
    sent = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-initial", "first"),))
    trailers = [("x-final", "last"), ("x-final-bin", bytes(range(256)))]
    if "x-asked" in sent:
        trailers.append(("x-asked", sent["x-asked"]))
    context.set_trailing_metadata(trailers)
    return request


def client_stream(requests, context):
    """How many messages came, and how many bytes they had."""
    count = size = 0
    for request in requests:
        count += 1
        size += len(request)
    return b"%d %d" % (count, size)


def server_stream(request, context):
    """`COUNT SIZE`: so many messages of such a size."""
    count, size = map(int, request.split())
    for number in range(count):
        yield bytes([number % 256]) * size


def both_streams(requests, context):
    """Answers each message before the next one comes."""
    for request in requests:
        yield b"echo " + request


def fail(request, context):
    """An error of the application, with a message that needs escaping and binary details."""
    context.set_trailing_metadata((("grpc-status-details-bin", b"\x00details\xff"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not yet: 100 % größer\n")


def fail_late(request, context):
    """Messages first, then an error."""
    for number in range(3):
        yield b"%d" % number
    context.abort(grpc.StatusCode.DATA_LOSS, "no more")


def wait(request, context):
    """Answers nothing until its client gives up."""
    over = threading.Event()
    context.add_callback(over.set)
    remaining = context.time_remaining()
    say("waiting", "forever" if remaining is None or remaining > 1e6 else "with-deadline")
    over.wait()
    say("given-up")
    return b""


def wait_stream(request, context):
    """One message, and then nothing until its client gives up."""
    over = threading.Event()
    context.add_callback(over.set)
    yield b"first"
    over.wait()
    say("given-up")


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
    "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
    "BothStreams": grpc.stream_stream_rpc_method_handler(both_streams),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "FailLate": grpc.unary_stream_rpc_method_handler(fail_late),
    "Wait": grpc.unary_unary_rpc_method_handler(wait),
    "WaitStream": grpc.unary_stream_rpc_method_handler(wait_stream),
}


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def main():
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=64),
        options=[
            ("grpc.max_receive_message_length", MESSAGE_MAX),
            ("grpc.max_send_message_length", MESSAGE_MAX),
            ("grpc.so_reuseport", 0),
        ],
    )
    handlers = grpc.method_handlers_generic_handler("test.Peer", HANDLERS)
    server.add_generic_rpc_handlers((handlers,))
    if len(sys.argv) == 3:
        pair = (read(sys.argv[2]), read(sys.argv[1]))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    say("port", port)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
