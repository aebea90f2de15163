import Foundation
import Testing

extension Scenarios {
    /// What the documentation says of moves and first requests beside the table of states.
    @Suite(.serialized) struct PersistenceMoveTests {
        @Test func `a move that falls on an answer for shared caches is made again`() throws {
            try Scenario.run { scenario in
                let site = try PersistenceSite(scenario, [.cookie])
                let client = try site.bind(.cookie)
                try site.commandFirsts("PUT", body: "{\"state\":\"maintenance\"}")
                let told = "from=a; reason=maintenance"
                let first = try client.ask("/", ["X-Caching: public, max-age=60"])
                #expect(first.server != "a" && first.told == told)
                let second = try client.ask()
                #expect(second.server == first.server && second.told == told)
                let third = try client.ask()
                #expect(third.server == first.server && third.told == nil)
                let lines = try #require(try site.log(of: site.answers)[client.address])
                #expect(
                    lines.suffix(3).map { $0["persistence"]?.description } == [
                        "server-maintenance", "server-maintenance", "valid",
                    ]
                )
            }
        }

        @Test func `a server that leaves keeps clients whose cookies another Belay sealed`() throws
        {
            try Scenario.run { scenario in
                let servers = try ["a", "b"].map { try scenario.server($0) }
                let key = Data(repeating: 7, count: 32).base64EncodedString()
                func write(_ servers: [RawServer], _ name: String) throws {
                    let file = BelayFile(
                        servers,
                        pool: ["persistence: { cookie: {} }"],
                        top: ["keys: { ring: [\"\(key)\"] }"]
                    )
                    try scenario.file(name + ".yaml", file.text(state: scenario.path(name)))
                }
                func start(_ name: String) throws -> Belay {
                    try write(servers, name)
                    return try scenario.belay(starting: [try belayPath(), "run", name + ".yaml"])
                }
                let (one, two) = (try start("one"), try start("two"))
                let first = try one.ask()
                let binding = ["Cookie: \(try #require(first.setCookie))"]
                try write(servers.filter { $0.name != first.text }, "two")
                let admin = ["--admin", "127.0.0.1:\(two.admin)"]
                #expect(try scenario.command(["reload"] + admin).waitForEnd() == 0)
                #expect(try two.ask(fields: binding).text == first.text)
                // From its first request on it is counted.
                try look(for: "the client in the report of the drain") {
                    let pools = try two.adminPage("/api/pools").text
                    #expect(!pools.contains("\"countsAll\":true"))
                    return pools.contains("\"bound\":1,\"boundAtStart\":1") ? true : nil
                }
                #expect(try two.ask(fields: binding).text == first.text)
                try two.wait(for: [
                    "belay_persistence_verdicts_total{pool=\"shop\",verdict=\"server-leaving\"}": 2
                ])
            }
        }

        @Test func `a server that is back within refused-patience keeps its clients`() throws {
            let ways = Way.allCases.filter { !$0.isHash && !$0.isTLS }
            try Scenario.run { scenario in
                let site = try PersistenceSite(scenario, ways) { $0.set("refused-patience", "1m") }
                let clients = try ways.map { try site.bind($0) }
                site.stopFirsts()
                let waiting = try clients.map { ($0, try $0.begin()) }
                // Belay has one worker: when it has answered somebody in every pool, it has found
                // that server a refuses those who came before.
                for way in ways { #expect(try site.client(way).ask().server != "a") }
                try site.restartFirsts()
                for (client, question) in waiting {
                    let answer = try client.finish(question)
                    #expect(answer.server == "a" && answer.told == nil, "\(client.way)")
                    #expect(try client.ask().server == "a", "\(client.way)")
                }
                let log = try site.log(of: site.answers)
                for client in clients {
                    let verdicts = log[client.address]?.map { $0["persistence"]?.description }
                    #expect(verdicts == ["none", "valid", "valid"], "\(client.way)")
                }
            }
        }

        @Test(arguments: [
            ServerState.weightZero, .draining, .drained, .leaving, .maintenance, .removed,
            .addressChanged, .generationChanged, .drainedToItsEnd,
        ])
        func `a connection of TCP that is open stays, until a drain's deadline`(
            state: ServerState
        ) throws {
            let ways = Way.allCases.filter { $0.isTCP && !$0.isTLS }
            try Scenario.run { scenario in
                // A listener of HTTP has to have a pool.
                let site = try PersistenceSite(scenario, ways + [.cookie], state.prepare)
                let wires = try ways.map { way in
                    try look(for: "a connection to a") {
                        let wire = Wire(
                            try Socket.connect(
                                to: site.port(way),
                                from: site.client(way).source
                            )
                        )
                        return try wire.read(until: "\n") == "a\n" ? wire : nil
                    }
                }
                if state == .addressChanged {
                    // The server at the old address goes on until its connections have ended.
                    try site.moveFirsts()
                    try site.reload { _ in }
                } else {
                    try StateCourse(state, site).bring(about: [])
                }
                for wire in wires {
                    if state != .drainedToItsEnd { try wire.write("end\n") }
                    let rest = try wire.readToEnd()
                    #expect(rest == (state == .drainedToItsEnd ? "" : "a\n"), "\(state)")
                    wire.close()
                }
            }
        }

        @Test(arguments: [Way.prefix, .route])
        func `another route of another generation moves whom the application's cookie binds`(
            way: Way
        ) throws {
            try Scenario.run { scenario in
                let site = try PersistenceSite(scenario, [way])
                let client = try site.bind(way)
                try site.reload { $0.extra += ["generation: 1", "route: a2"] }
                let told = try client.ask().told
                #expect(told == "from=unknown; reason=removed")
                let log = try site.log(of: site.answers)
                #expect(log[client.address]?.last?["persistence"] == .text("unknown-server"))
            }
        }

        @Test func `TLS that passes through is bound by the session that its server names`() throws
        {
            try Scenario.run { scenario in
                let site = try PassedTLS(scenario)
                try site.ask()
                try site.ask(resuming: true)
                let home = try #require(try site.belay.log(2)[0]["server"]?.description)
                try site.set(home, "draining")
                try site.ask(resuming: true)
                try site.set(home, "maintenance")
                // The other server does not know the session, and names another.
                try site.ask(resuming: false)
                try site.set(home, "ready")
                try site.ask(resuming: true)
                // Each connection has a line when it opens, and one when it ends.
                let ends = try site.belay.log(10).filter { $0["event"] == nil }
                #expect(
                    ends.map { $0["persistence"]?.description } == [
                        "none", "valid", "server-draining", "server-maintenance", "valid",
                    ]
                )
                let servers = ends.compactMap { $0["server"]?.description }
                #expect(servers[..<3].allSatisfy { $0 == home } && servers[3] != home)
                #expect(servers[4] == servers[3])
            }
        }
    }
}

/// TLS servers behind a listener of TCP that does not decrypt.
private final class PassedTLS {
    private let scenario: Scenario
    let belay: Belay

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        let certificate = try Authority(scenario).certificate()
        let servers = try ["a", "b", "c"].map { name in
            let program = try scenario.start([
                "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate.certificate,
                "-key", certificate.key, "-tls1_2", "-no_ticket", "-www",
            ])
            let text = try program.line(with: "ACCEPT 127.0.0.1:", on: program.output)
            return (name, try #require(UInt16(text)))
        }
        self.belay = try scenario.belay(
            listeners: [listener("kind: tcp", "pool: tcp")],
            pools: [PoolText("tcp", servers, ["persistence: { ways: [tls-session] }"])]
        )
    }

    func set(_ server: String, _ state: String) throws {
        let program = try self.scenario.command([
            "server", "set", server, "--state", state, "--admin", "127.0.0.1:\(self.belay.admin)",
        ])
        #expect(try program.waitForEnd() == 0)
    }

    /// A new connection, and whether its server let it resume the session of the one before; nil:
    /// there was none.
    func ask(resuming: Bool? = nil) throws {
        let path = self.scenario.path("session")
        let known = resuming == nil ? [] : ["-sess_in", path]
        let text = try self.scenario.handshakeAndRequest(
            self.belay.port,
            ["-servername", "shop.test", "-sess_out", path] + known
        )
        #expect(text.contains("Reused, TLSv1.2") == (resuming ?? false))
        #expect(text.contains("HTTP/1.0 200"))
    }
}
