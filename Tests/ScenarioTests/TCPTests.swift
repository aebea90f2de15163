import Foundation
import Testing

extension Scenarios {
    /// Listeners of kind `tcp`.
    @Suite(.serialized) struct TCPTests {
        @Test func `ten mebibytes go both ways at the same time`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario)
                let belay = try ways.belay()
                let bytes = (0..<(10 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
                let client = try belay.connect()
                let socket = client.socket
                onThread {
                    try? socket.write(bytes)
                    socket.closeWrite()
                }
                let back = try client.read(bytes.count)
                #expect(back == bytes)
                #expect(try client.read(1) == [])
                try ways.servers[0].program.lines(beginning: "closed 1 \(bytes.count)")
                try belay.wait(for: ["belay_tunnels_open": 0, "belay_tunnels_opened_total": 1])
            }
        }

        @Test func `a client that closes its side first still gets its answer`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario, mode: "digest")
                let belay = try ways.belay()
                let client = try belay.connect()
                try client.write("abc")
                client.closeWrite()
                let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                #expect(try client.readToEnd() == "tcp0 3 \(digest)\n")
            }
        }

        @Test func `a server that closes its side first still gets what comes`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario, mode: "hello")
                let belay = try ways.belay()
                let client = try belay.connect()
                // All there is, up to the server's end.
                #expect(try client.readToEnd() == "tcp0\n")
                try client.write([UInt8](repeating: 7, count: 100_000))
                client.close()
                try ways.servers[0].program.lines(beginning: "closed 1 100000")
            }
        }

        @Test func `a server may speak first`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario, mode: "hello")
                let client = try ways.belay().connect()
                #expect(try client.read(until: "\n") == "tcp0\n")
            }
        }

        @Test func `a reset of the client ends the server's connection`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario)
                let belay = try ways.belay()
                let client = try belay.connect()
                try client.write("x")
                #expect(try client.read(1) == [120])
                client.reset()
                let program = ways.servers[0].program
                try program.output.wait(for: "the end") { lines in
                    lines.contains { $0.hasPrefix("closed 1") || $0.hasPrefix("broken 1") }
                        ? true : nil
                }
                try belay.wait(for: ["belay_tunnels_open": 0])
            }
        }

        @Test func `a client stays with its server, many are spread`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario, count: 3, mode: "hello")
                let belay = try ways.belay(["balance: source-hash"])
                var names: Set<String> = []
                for number in UInt32(1)...30 {
                    var own: Set<String> = []
                    for _ in 0..<3 {
                        let client = try belay.connect(from: 0x7F00_0000 + number)
                        own.insert(try client.read(until: "\n"))
                        client.close()
                    }
                    #expect(own.count == 1)
                    names.formUnion(own)
                }
                #expect(names.count == 3)
            }
        }

        @Test func `a server that refuses is passed over`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario, mode: "hello")
                let dead = ("dead", try scenario.freePort())
                let belay = try ways.belay(["balance: round-robin"], others: [dead])
                for _ in 0..<10 {
                    let client = try belay.connect()
                    #expect(try client.read(until: "\n") == "tcp0\n")
                    client.close()
                }
                try belay.wait(for: "belay_server_connect_failures_total")
            }
        }

        @Test func `without any server a connection is closed`() throws {
            try Scenario.run { scenario in
                let dead = PoolText("tcp", [("dead", try scenario.freePort())])
                let belay = try scenario.belay(
                    listeners: [listener("kind: tcp", "pool: tcp")],
                    pools: [dead]
                )
                #expect(try belay.connect().readToEnd() == "")
                #expect(try belay.log(1)[0]["ending"] == .text("connect-failed"))
            }
        }

        @Test func `a connection that is idle too long ends`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario)
                let belay = try ways.belay(top: ["limits: { tunnel-idle: 1s }"])
                let client = try belay.connect()
                try client.write("x")
                #expect(try client.read(1) == [120])
                #expect(try client.readToEnd() == "")
                try belay.wait(for: ["belay_timeouts_total{kind=\"tunnel\"}": 1])
                try belay.wait(for: ["belay_tunnels_closed_total{reason=\"idle\"}": 1])
            }
        }

        @Test func `the log tells where a connection went and how much it carried`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario)
                let belay = try ways.belay()
                let client = try belay.connect()
                try client.write("hello")
                client.closeWrite()
                #expect(try client.readToEnd() == "hello")
                let lines = try belay.log(2)
                #expect(lines[0]["event"] == .text("opened"))
                let end = lines[1]
                #expect(end["protocol"] == .text("tcp"))
                #expect(end["pool"] == .text("tcp"))
                #expect(end["server"] == .text("tcp0"))
                #expect(end["received_bytes"] == .number(5))
                #expect(end["sent_bytes"] == .number(5))
                #expect(end["ending"] == .text("tunnel-closed"))
            }
        }

        @Test func `TLS that is decrypted reaches the server in clear text`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario)
                let authority = try Authority(scenario)
                let certificate = try authority.certificate()
                let belay = try ways.belay(listener: [tls(certificate)])
                let client = try scenario.keptClient(belay.port, authority, ["--raw"])
                _ = try client.greeting()
                for word in ["one", "two"] { #expect(try client.ask(word) == "line \(word)") }
                try client.endInput()
                try client.waitForEnd()
                // The lines with their ends, in clear text.
                try ways.servers[0].program.lines(beginning: "closed 1 8")
            }
        }

        @Test func `a stop lets connections go on until its deadline`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario)
                let belay = try ways.belay(top: ["limits: { shutdown: 2s }"])
                let client = try belay.connect()
                try client.write("x")
                #expect(try client.read(1) == [120])
                belay.program.signal(SIGTERM)
                try belay.program.line(with: "stopping: no new connections")
                try client.write("y")
                #expect(try client.read(1) == [121])
                #expect(try belay.program.waitForEnd() == 0)
                #expect(try client.readToEnd() == "")
            }
        }

        @Test func `one address has its limits here too, others are served`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario, mode: "hello")
                let belay = try ways.belay(top: ["limits: { connections-per-client: 2 }"])
                let clients = try (0..<2).map { _ in try belay.connect() }
                for client in clients { #expect(try client.read(until: "\n") == "tcp0\n") }
                #expect(try belay.connect().readToEnd() == "")
                let other = try belay.connect(from: 0x7F00_0002)
                #expect(try other.read(until: "\n") == "tcp0\n")
                try belay.wait(for: ["belay_connections_refused_total{reason=\"client-limit\"}": 1])
            }
        }
    }
}

/// A listener of TCP before Python's servers.
struct TCPWays {
    let scenario: Scenario
    let servers: [ServerPeer]

    init(
        _ scenario: Scenario,
        count: Int = 1,
        mode: String = "echo",
        _ options: [String] = []
    ) throws {
        self.scenario = scenario
        self.servers = try (0..<count).map { number in
            let arguments = ["tcp\(number)", "--mode", mode] + options
            return try scenario.serverPeer("tcp_server.py", name: "tcp\(number)", arguments)
        }
    }

    func belay(
        _ lines: [String] = [],
        listener settings: [String] = [],
        others: [(String, UInt16)] = [],
        top: [String] = []
    ) throws -> Belay {
        let all = (["address: \"127.0.0.1:0\"", "kind: tcp", "pool: tcp"] + settings)
        let servers = others + self.servers.map { ($0.name, $0.port) }
        return try self.scenario.belay(
            listeners: ["  - { " + all.joined(separator: ", ") + " }"],
            pools: [PoolText("tcp", servers, lines)],
            top: top
        )
    }
}
