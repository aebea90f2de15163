import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayProxy
import BelayTransport
import Testing

/// Listeners that pass bytes on as they come.
@Suite struct TCPTests {
    private static func setup(_ adjust: (inout ListenerPlan) -> Void = { _ in }) -> Setup {
        Setup {
            $0.kind = .tcp
            $0.pool = 0
            adjust(&$0)
        }
    }

    /// Waits for a new connection at a server.
    private func arrival(_ stage: Stage, besides known: Set<Int> = []) -> Int {
        var found = -1
        stage.wait("a connection arrives at a server") {
            found =
                stage.peers.keys.first {
                    stage[$0].server != nil && !known.contains($0) && !stage[$0].isOver
                } ?? -1
            return found >= 0
        }
        return found
    }

    @Test func `bytes pass both ways, whoever speaks first`() throws {
        let stage = try Stage(Self.setup())
        for serverFirst in [true, false] {
            let client = try stage.connect()
            let server = self.arrival(stage)
            let (one, other) = serverFirst ? (server, client) : (client, server)
            for text in ["hello", "GET / HTTP/1.1\r\n\r\n", "\0\u{16}\u{3}"] {
                stage.send(one, text)
                stage.wait("\(text) arrives") { stage.text(other).hasSuffix(text) }
                stage.send(other, text + "!")
                stage.wait("its answer arrives") { stage.text(one).hasSuffix(text + "!") }
            }
            stage.close(client)
            stage.end(server)
            stage.close(server)
        }
        stage.waitUntilFree()
        #expect(stage.metric("belay_tunnels_opened_total") == 2)
    }

    @Test(arguments: [true, false])
    func `one side finishes, the other speaks on until it finishes too`(client first: Bool) throws {
        let stage = try Stage(Self.setup())
        let client = try stage.connect()
        let server = self.arrival(stage)
        let (early, late) = first ? (client, server) : (server, client)
        stage.send(early, "bye")
        stage.finish(early)
        stage.end(late)
        #expect(stage.text(late) == "bye")
        stage.send(late, String(repeating: "x", count: 3_000_000))
        stage.wait("the other direction goes on") { stage[early].received.count == 3_000_000 }
        stage.finish(late)
        stage.end(early)
        #expect(!stage[early].isCut)
        stage.waitUntilFree()
        let side = first ? "client" : "server"
        #expect(stage.metric("belay_tunnels_closed_total{reason=\"\(side)\"}") == 1)
    }

    @Test func `a client that has finished before its server is found is served`() throws {
        let stage = try Stage(Self.setup())
        let client = try stage.connect()
        stage.send(client, "all")
        stage.finish(client)
        let server = self.arrival(stage)
        stage.end(server)
        #expect(stage.text(server) == "all")
        stage.send(server, "answer")
        stage.finish(server)
        stage.end(client)
        #expect(stage.text(client) == "answer")
    }

    @Test(arguments: [true, false])
    func `a slow reader holds its writer back`(client isSlow: Bool) throws {
        let stage = try Stage(Self.setup())
        let client = try stage.connect()
        let server = self.arrival(stage)
        let (from, to) = isSlow ? (server, client) : (client, server)
        stage.pause(to)
        let bytes = [UInt8](repeating: 1, count: 32 << 20)
        stage.send(from, bytes)
        stage.settle()
        stage.count(to)
        #expect(stage[from].isSending)
        stage.resume(to)
        stage.wait("all arrives") { stage[to].counted == bytes.count }
    }

    @Test func `a server that refuses is passed over, and counted`() throws {
        var setup = Self.setup()
        setup.servers = 3
        setup.refusing = [0, 1]
        setup.retries = 2
        let stage = try Stage(setup)
        var known: Set<Int> = []
        for _ in 0..<3 {
            let client = try stage.connect()
            stage.send(client, "hello")
            let server = self.arrival(stage, besides: known)
            known.insert(server)
            #expect(stage[server].server == 2)
            stage.wait("the bytes arrive") { stage.text(server) == "hello" }
        }
        for server in 0..<2 { #expect(stage.plan.pools[0].table.failures(server) > 0) }
    }

    @Test func `where every server refuses, the client is closed`() throws {
        var setup = Self.setup()
        setup.refusing = [0]
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.end(client)
        stage.waitUntilFree()
        #expect(stage.shared.openConnections == 0)
    }

    @Test(arguments: [true, false])
    func `either side's cut ends the connection`(cutsClient: Bool) throws {
        let stage = try Stage(Self.setup())
        let client = try stage.connect()
        let server = self.arrival(stage)
        stage.send(client, "x")
        stage.wait("the tunnel is open") { stage.text(server) == "x" }
        stage.close(cutsClient ? client : server, cutting: true)
        stage.end(cutsClient ? server : client)
        stage.waitUntilFree()
        #expect(stage.metric("belay_tunnels_closed_total{reason=\"broken\"}") == 1)
    }

    @Test func `a server has as many connections as it may have, the next goes elsewhere`() throws {
        var setup = Self.setup()
        setup.servers = 2
        setup.adjustPool = { $0.tunnelsPerServer = 1 }
        let stage = try Stage(setup)
        let first = try stage.connect()
        let one = self.arrival(stage)
        _ = try stage.connect()
        let other = self.arrival(stage, besides: [one])
        #expect(stage[one].server != stage[other].server)
        let third = try stage.connect()
        stage.end(third)
        // When one has gone there is room again.
        let server = stage[one].server
        stage.close(first)
        stage.close(one)
        stage.watch("the tunnel is given back") { stage.metric("belay_tunnels_open") == 1 }
        _ = try stage.connect()
        #expect(stage[self.arrival(stage, besides: [other])].server == server)
    }

    // MARK: Names

    /// Three pools: for two names, and for all others.
    private func named(_ fallback: Int?, encrypted: Bool = true) throws -> Stage {
        var setup = Self.setup {
            $0.pool = fallback
            $0.names = [
                (.exact(InternedText("shop.example")), 0),
                (.suffix(InternedText(".shop.example")), 1),
            ]
        }
        setup.servers = 3
        setup.isApart = true
        if encrypted { setup.serverTLS = try Certificates.shared.server([]) }
        return try Stage(setup)
    }

    @Test(arguments: [
        ("shop.example", 0), ("SHOP.example", 0), ("a.shop.example", 1), ("a.b.Shop.Example", 1),
        ("other.example", 2), ("xshop.example", 2),
    ])
    func `encrypted connections go by the name they ask for`(name: String, pool: Int) throws {
        let stage = try self.named(2)
        var settings = TLSClientSettings()
        settings.verifies = false
        let client = try stage.connect(tls: try TLSClientContext(settings), name: name)
        let server = self.arrival(stage)
        #expect(stage[server].server == pool)
        stage.send(client, "hello")
        stage.wait("the bytes arrive") { stage.text(server) == "hello" }
        stage.send(server, "welcome")
        stage.wait("the answer arrives") { stage.text(client) == "welcome" }
    }

    @Test(arguments: [2, nil])
    func `what is not encrypted goes where all others go, or nowhere`(fallback: Int?) throws {
        let stage = try self.named(fallback, encrypted: false)
        let client = try stage.connect()
        stage.send(client, "GET / HTTP/1.1\r\n\r\n")
        if fallback == nil {
            stage.end(client)
            stage.settle()
            #expect(stage.metric("belay_exchanges_total{ending=\"no-route\"}") == 1)
        } else {
            let server = self.arrival(stage)
            #expect(stage[server].server == 2)
            stage.close(server)
        }
        stage.close(client)
        stage.waitUntilFree()
    }

    @Test func `a connection that is decrypted here goes on in clear text`() throws {
        let context = try Certificates.shared.server([])
        let stage = try Stage(Self.setup { $0.tls = context })
        let client = try stage.connect(tls: try Certificates.shared.client())
        let server = self.arrival(stage)
        let long = String(repeating: "0123456789", count: 300_000)
        stage.send(client, long)
        stage.wait("all arrives") { stage[server].received.count == long.utf8.count }
        stage.send(server, long)
        stage.finish(server)
        stage.end(client)
        #expect(stage.text(client) == long)
        stage.finish(client)
        stage.end(server)
        stage.waitUntilFree()
    }
}
