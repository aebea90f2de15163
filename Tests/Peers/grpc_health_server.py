"""A gRPC server with gRPC's own health service (grpc.health.v1).

    grpc_health_server.py [--without] [certificate key]

It prints its port. Each line that it reads, `STATUS` or `STATUS service`, is a status from then on,
which it prints; at first nothing has one. `--without` leaves the health service out.
"""

import sys
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


def say(*words):
    print(*words, flush=True)


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def main():
    arguments = sys.argv[1:]
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=4), options=[("grpc.so_reuseport", 0)]
    )
    statuses = health.HealthServicer()
    if "--without" in arguments:
        arguments.remove("--without")
    else:
        health_pb2_grpc.add_HealthServicer_to_server(statuses, server)
    if arguments:
        pair = (read(arguments[1]), read(arguments[0]))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    say("port", port)
    for line in sys.stdin:
        status, _, service = line.strip().partition(" ")
        statuses.set(service, health_pb2.HealthCheckResponse.ServingStatus.Value(status))
        say("is", status)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
