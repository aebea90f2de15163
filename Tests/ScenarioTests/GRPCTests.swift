import Foundation
import Testing

/// The calls that every way to a server must carry.
private let calls = [
    "unary", "client-streaming", "server-streaming", "bidirectional", "metadata",
    "application-error", "error-after-messages", "unknown-method", "deadline", "cancellation",
    "large-messages", "many-calls", "after-an-error",
]

extension Scenarios {
    /// gRPC's own client and server.
    @Suite(.serialized) struct GRPCTests {
        @Test(arguments: calls, [(false, ServerVersion.h2c), (true, .h2c), (true, .h2)])
        func `a call is the same through Belay`(
            call: String,
            way: (isSecure: Bool, server: ServerVersion)
        ) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let server = try crossing.grpc(way.server)
                let belay = try crossing.belay([("grpc", server.port)], way.server)
                try crossing.call(belay, call, isSecure: way.isSecure)
            }
        }

        @Test(arguments: ["deadline", "cancellation"])
        func `the server learns that its client has given up`(call: String) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let server = try crossing.grpc(.h2c)
                let belay = try crossing.belay([("grpc", server.port)], .h2c)
                try crossing.call(belay, call)
                try server.program.line(with: "given-up", on: server.program.output)
                if call == "deadline" {
                    #expect(server.program.output.now.contains("waiting with-deadline"))
                }
            }
        }

        @Test(arguments: calls)
        func `a call passes nginx behind Belay`(call: String) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let server = try crossing.grpc(.h2c)
                let nginx = try scenario.nginxServer(
                    "grpc",
                    listen: "http2",
                    lines: [
                        "http2_max_concurrent_streams 1000;",
                        "location / { grpc_pass grpc://127.0.0.1:\(server.port); }",
                    ]
                )
                let belay = try crossing.belay([("nginx", nginx.port)], .h2c)
                try crossing.call(belay, call)
            }
        }

        @Test func `a server that is down makes the status UNAVAILABLE`() throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let belay = try crossing.belay([("none", try scenario.freePort())], .h2c)
                try crossing.call(belay, "unavailable")
            }
        }

        @Test func `a server in maintenance makes the status UNAVAILABLE`() throws {
            try Scenario.run { scenario in
                let port = try scenario.freePort()
                var file = BelayFile(pool: ["protocol: h2c"])
                file.servers = [("one", port)]
                file.serverExtras = ["one": "state: maintenance"]
                let belay = try scenario.belay(file)
                try scenario.client("grpc_client.py", ["\(belay.port)", "unavailable"])
            }
        }

        @Test func `a call that no route takes has the status UNIMPLEMENTED`() throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let server = try crossing.grpc(.h2c)
                let belay = try crossing.belay(
                    [("grpc", server.port)],
                    .h2c,
                    top: ["routes: [{ match: { path: /other }, pool: shop }]"]
                )
                try crossing.call(belay, "unimplemented")
            }
        }

        @Test func `a server that dies within a call fails it at once`() throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let server = try crossing.grpc(.h2c)
                let belay = try crossing.belay([("grpc", server.port)], .h2c)
                let client = try scenario.peer(
                    "grpc_client.py",
                    ["\(belay.port)", "lost-stream"]
                )
                try client.line(with: "streaming", on: client.output)
                server.program.signal(SIGKILL)
                #expect(try client.waitForEnd() == 0)
                let code = try #require(client.said("lost"))
                #expect(["UNAVAILABLE", "INTERNAL", "UNKNOWN"].contains(code))
            }
        }

        @Test func `calls are spread over the servers and not bound to a connection`() throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let servers = try (0..<2).map { _ in try crossing.grpc(.h2c) }
                let belay = try crossing.belay(
                    servers.enumerated().map { ("s\($0.offset)", $0.element.port) },
                    .h2c
                )
                // One channel, so one connection of the client.
                try crossing.call(belay, "many-calls")
                for name in ["s0", "s1"] {
                    let labels = "{pool=\"shop\",server=\"\(name)\",class=\"2xx\"}"
                    try belay.wait(for: "belay_server_exchanges_total\(labels)", atLeast: 50)
                }
            }
        }

        @Test func `a stop lets a call end that runs`() throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let server = try crossing.grpc(.h2c)
                let belay = try crossing.belay([("grpc", server.port)], .h2c)
                let client = try scenario.peer(
                    "grpc_client.py",
                    ["\(belay.port)", "slow-call"],
                    reads: true
                )
                try client.line(with: "streaming", on: client.output)
                belay.program.signal(SIGTERM)
                try belay.program.line(with: "stopping: no new connections")
                // The rest of the stream is asked for only now.
                try client.endInput()
                #expect(try client.waitForEnd() == 0)
                #expect(client.output.now.last == "ok")
                #expect(try belay.program.waitForEnd() == 0)
            }
        }
    }
}

extension Crossing {
    func grpc(_ version: ServerVersion) throws -> ServerPeer {
        let files = version == .h2 ? [self.certificate.certificate, self.certificate.key] : []
        return try self.scenario.serverPeer("grpc_server.py", name: "grpc", files)
    }

    /// Makes a call of the client's, which says itself whether all was right.
    func call(_ belay: Belay, _ call: String, isSecure: Bool = false) throws {
        let port = belay.ports[isSecure ? 1 : 0]
        let authorities = isSecure ? [self.authority.path] : []
        try self.scenario.client("grpc_client.py", ["\(port)", call] + authorities)
    }
}
