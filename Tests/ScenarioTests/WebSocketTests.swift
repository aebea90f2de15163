import Foundation
import Testing

extension Scenarios {
    /// WebSockets of Python's `websockets`, client and server.
    @Suite(.serialized) struct WebSocketTests {
        @Test(
            arguments: [
                "echo", "pipelined", "fragments", "ping", "compression", "client-closes",
                "server-closes",
            ],
            [(false, false), (true, false), (true, true)]
        )
        func `a WebSocket is the same through Belay`(
            act: String,
            way: (clientTLS: Bool, serverTLS: Bool)
        ) throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario, secureServers: way.serverTLS)
                let belay = try sockets.belay()
                try sockets.client(belay, act, isSecure: way.clientTLS)
                try belay.wait(for: ["belay_tunnels_open": 0])
            }
        }

        @Test func `close codes of the client reach the server`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay()
                try sockets.client(belay, "client-closes")
                let ends = try sockets.server.program.lines(3, beginning: "closed ")
                #expect(ends == ["1000 gone", "1001 gone", "4321 gone"])
            }
        }

        @Test func `a client that drops its connection ends the server's`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay()
                try sockets.client(belay, "client-drops")
                let ends = try sockets.server.program.lines(beginning: "closed ")
                #expect(ends[0].hasPrefix("1006"))
                try belay.wait(for: ["belay_tunnels_open": 0])
            }
        }

        @Test func `a server that drops its connection ends the client's`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay()
                // No code was said, so that the client must not see one.
                #expect(try sockets.client(belay, "server-drops") == ["code 1006"])
            }
        }

        @Test func `the handshake tells the server what it must know, and nothing else`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay()
                let fields = try sockets.client(belay, "subprotocol", isSecure: true)
                #expect(fields.contains("field sec-websocket-protocol one, two"))
                #expect(fields.contains("field sec-websocket-version 13"))
                #expect(fields.contains { $0.lowercased() == "field upgrade websocket" })
                #expect(fields.contains { $0.lowercased() == "field connection upgrade" })
                #expect(fields.contains("field x-forwarded-for 127.0.0.1"))
                #expect(fields.contains("field x-forwarded-proto https"))
                #expect(fields.filter { $0.contains("sec-websocket-key") }.count == 1)
            }
        }

        @Test func `the handshake binds, and the next one comes to the same server`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario, count: 3)
                let belay = try sockets.belay(["persistence: { cookie: {} }"])
                try sockets.client(belay, "cookie")
                let verdict = "belay_persistence_verdicts_total{pool=\"shop\",verdict=\"valid\"}"
                try belay.wait(for: [verdict: 10])
            }
        }

        @Test func `the log has a line at the opening and one at the end with the code`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay()
                try sockets.client(belay, "client-closes")
                let lines = try belay.log(6)
                let openings = lines.filter { $0["event"] == .text("opened") }
                #expect(openings.count == 3)
                for opening in openings {
                    #expect(opening["status"] == .number(101))
                    #expect(opening["path"] == .text("/echo"))
                    #expect(opening["server"] == .text("peer0"))
                    #expect(opening["close"] == nil && opening["ending"] == nil)
                }
                let ends = lines.filter { $0["event"] == nil }
                #expect(ends.allSatisfy { $0["ending"] == .text("tunnel-closed") })
                let codes = ends.map { $0["close"] }
                #expect(codes == [.number(1000), .number(1001), .number(4321)])
            }
        }

        @Test func `the log has no code where none was said`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay()
                try sockets.client(belay, "server-drops")
                let end = try belay.log(2)[1]
                #expect(end["ending"] == .text("tunnel-closed"))
                #expect(end["close"] == nil || end["close"] == .null)
            }
        }

        @Test(arguments: [(false, 1), (false, 20), (true, 20)])
        func `a stop ends WebSockets with 1012, spread out, on both sides`(
            isSecure: Bool,
            count: Int
        ) throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay(top: ["limits: { shutdown: 2s }"])
                let client = try sockets.start(belay, "hold", isSecure: isSecure, count: count)
                try client.line(with: "holding \(count)", on: client.output)
                #expect(try belay.stop() == 0)
                #expect(try client.waitForEnd() == 0)
                let ends = client.output.now.filter { $0.hasPrefix("end ") }
                #expect(ends == Array(repeating: "end 1012", count: count))
                if count > 1 {
                    // All at once would bring all of them back at once.
                    let spread = Int(client.said("spread-ms") ?? "") ?? 0
                    #expect(spread >= 200, "within \(spread) ms")
                }
                let codes = try sockets.server.program.lines(count, beginning: "closed ")
                #expect(codes.allSatisfy { $0.hasPrefix("1012") || $0.hasPrefix("1001") })
                let lines = try belay.log(2 * count).filter { $0["event"] == nil }
                #expect(lines.allSatisfy { $0["close"] == .number(1012) })
                #expect(lines.allSatisfy { $0["ending"] == .text("tunnel-drained") })
            }
        }

        @Test(
            arguments: [
                ("https://shop.test", 101), ("https://a.shop.test", 101), (nil, 101),
                ("https://evil.test", 403), ("http://shop.test", 403),
                ("https://shop.test.evil.test", 403), ("https://shop.test:8443", 403),
                ("null", 403),
            ] as [(String?, Int)]
        )
        func `only pages of the allowed origins open WebSockets`(
            origin: String?,
            status: Int
        ) throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let allowed = "[\"https://shop.test\", \"https://*.shop.test\"]"
                let belay = try sockets.belay(
                    top: ["routes: [{ pool: shop, origins: \(allowed) }]"]
                )
                let extra = origin.map { ["--origin", $0] } ?? []
                let said = try sockets.client(belay, "once", extra)
                #expect(said == ["status \(status)"])
                try belay.wait(for: [
                    "belay_tunnels_refused_total{reason=\"origin\"}": status == 403 ? 1 : 0
                ])
                // What is no WebSocket is not asked where it comes from.
                let fields = ["--header", "Origin: https://evil.test"]
                #expect(try scenario.ask(belay.url + "/", fields).status == 426)
            }
        }

        @Test func `a client has its limit of tunnels, others are served`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay(top: ["limits: { tunnels-per-client: 2 }"])
                let client = try sockets.start(belay, "hold", count: 3)
                try client.line(with: "holding 2", on: client.output)
                let refused = try #require(client.said("refused"))
                #expect(["429", "503"].contains(refused))
                // Another address, and what is no tunnel, are not refused.
                let other = try belay.connect(from: 0x7F00_0002)
                #expect(try other.ask(fields: upgradeFields).status == 101)
                #expect(try belay.ask().status == 426)
                client.signal(SIGKILL)
                try belay.wait(for: ["belay_tunnels_open": 1])
                #expect(try sockets.client(belay, "once") == ["status 101"])
                try belay.wait(for: ["belay_tunnels_refused_total{reason=\"client-limit\"}": 1])
            }
        }

        @Test func `a server has its limit of tunnels, and the next server is taken`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario, count: 2)
                let belay = try sockets.belay(["tunnels-per-server: 2", "balance: round-robin"])
                let client = try sockets.start(belay, "hold", count: 5)
                try client.line(with: "holding 4", on: client.output)
                #expect(client.said("refused") == "503")
                for server in sockets.servers {
                    #expect(server.program.output.now.filter { $0 == "open /echo" }.count == 2)
                }
                // Requests are none of it.
                #expect(try belay.ask().status == 426)
                try belay.wait(for: "belay_tunnels_refused_total{reason=\"server-limit\"}")
            }
        }

        @Test func `a tunnel that is idle too long ends, one in use goes on`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay(top: ["limits: { tunnel-idle: 2s }"])
                let busy = try sockets.start(belay, "busy")
                try busy.line(with: "busy", on: busy.output)
                // Whoever came later and says nothing ends first.
                let client = try sockets.start(belay, "hold")
                #expect(try client.waitForEnd() == 0)
                try busy.endInput()
                #expect(try busy.waitForEnd() == 0)
                #expect(busy.output.now.last == "ok")
                try belay.wait(for: ["belay_timeouts_total{kind=\"tunnel\"}": 1])
            }
        }
    }
}

/// The fields of a handshake by hand.
let upgradeFields = [
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]

/// Python's WebSocket servers, and clients for a Belay in front of them.
struct Sockets {
    let scenario: Scenario
    let crossing: Crossing
    let servers: [ServerPeer]
    let secureServers: Bool

    var server: ServerPeer { self.servers[0] }

    init(_ scenario: Scenario, count: Int = 1, secureServers: Bool = false) throws {
        self.scenario = scenario
        let crossing = try Crossing(scenario)
        self.crossing = crossing
        self.secureServers = secureServers
        let pair = crossing.certificate
        self.servers = try (0..<count).map { number in
            let name = "peer\(number)"
            return try scenario.serverPeer(
                "websocket_server.py",
                name: name,
                [name] + (secureServers ? [pair.certificate, pair.key] : [])
            )
        }
    }

    /// Belay, whose first listener speaks clear text and whose second TLS.
    func belay(_ lines: [String] = [], top: [String] = []) throws -> Belay {
        let path = self.crossing.authority.path
        let tlsLine = "tls: { authorities: \"\(path)\", server-name: shop.test }"
        let secured = self.secureServers ? [tlsLine] : []
        return try self.scenario.belay(
            listeners: [listener(), listener(tls(self.crossing.certificate))],
            pools: [PoolText(peers: self.servers, lines + secured)],
            top: top
        )
    }

    private func arguments(_ belay: Belay, _ act: String, _ isSecure: Bool) -> [String] {
        let url = isSecure ? "wss://127.0.0.1:\(belay.ports[1])" : "ws://127.0.0.1:\(belay.port)"
        return [url, act] + (isSecure ? ["--authorities", self.crossing.authority.path] : [])
    }

    /// Runs a client to its end; what it said.
    @discardableResult
    func client(
        _ belay: Belay,
        _ act: String,
        _ extra: [String] = [],
        isSecure: Bool = false
    ) throws -> [String] {
        let arguments = self.arguments(belay, act, isSecure)
        return try self.scenario.client("websocket_client.py", arguments + extra)
    }

    func start(
        _ belay: Belay,
        _ act: String,
        isSecure: Bool = false,
        count: Int = 1
    ) throws -> Program {
        let arguments = self.arguments(belay, act, isSecure) + ["--count", "\(count)"]
        return try self.scenario.peer("websocket_client.py", arguments, reads: true)
    }
}
