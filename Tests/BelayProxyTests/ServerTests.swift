import BelayBalancing
import BelayCore
import BelayProxy
import Testing

/// What becomes of an exchange when servers refuse, die or close.
@Suite struct ServerTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    private func request(_ method: String, body: String = "") -> String {
        let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
        return "\(method) /x HTTP/1.1\r\nHost: a\r\n\(length)\r\n\(body)"
    }

    @Test func `a server's connection is used again, the newest first`() throws {
        let stage = try Stage()
        let (first, second) = (try stage.connect(), try stage.connect())
        stage.send(first, self.request("GET"))
        let (one, _) = try stage.request()
        stage.send(second, self.request("GET"))
        let (other, _) = try stage.request()
        #expect(one != other, "one connection carries one exchange at a time")
        stage.send(one, Self.ok)
        _ = try stage.message(first)
        stage.send(other, Self.ok)
        _ = try stage.message(second)
        for _ in 0..<3 {
            stage.send(first, self.request("POST", body: "abc"))
            let (slot, request) = try stage.request()
            #expect(slot == other)
            #expect(request.body == "abc")
            stage.send(slot, Self.ok)
            #expect(try stage.message(first).status == 200)
        }
    }

    @Test func `no more idle connections are kept than wanted`() throws {
        var setup = Setup()
        setup.idleConnections = 1
        let stage = try Stage(setup)
        let clients = [try stage.connect(), try stage.connect()]
        var servers: [Int] = []
        for client in clients {
            stage.send(client, self.request("GET"))
            servers.append(try stage.request().slot)
        }
        for (client, server) in zip(clients, servers) {
            stage.send(server, Self.ok)
            _ = try stage.message(client)
        }
        stage.end(servers[1])
        #expect(!stage[servers[0]].isOver)
    }

    @Test(arguments: ["GET", "POST"])
    func `a server that refuses the connection is passed over`(method: String) throws {
        var setup = Setup()
        setup.servers = 3
        setup.refusing = [0, 2]
        setup.retries = 2
        let stage = try Stage(setup)
        for _ in 0..<4 {
            let client = try stage.connect()
            stage.send(client, self.request(method, body: "abc"))
            let (server, request) = try stage.request()
            #expect(stage[server].server == 1)
            #expect(request.body == "abc")
            stage.send(server, Self.ok)
            #expect(try stage.message(client).status == 200)
            stage.close(client)
        }
    }

    @Test(arguments: [0, 1, 3])
    func `when all refuse the client is told`(retries: Int) throws {
        var setup = Setup()
        setup.servers = 2
        setup.refusing = [0, 1]
        setup.retries = retries
        let stage = try Stage(setup)
        let client = try stage.connect()
        for _ in 0..<2 {
            stage.send(client, self.request("GET"))
            let answer = try stage.message(client)
            #expect(answer.status == 502)
            #expect(answer.body.contains("connect-failed"))
        }
        #expect(!stage[client].isOver, "the connection is as good as before")
    }

    /// What a server does with a request instead of answering.
    enum Death: Sendable, CaseIterable { case closes, cuts, halfHead }

    private func die(_ how: Death, _ slot: Int, _ stage: Stage) {
        if how == .halfHead { stage.send(slot, "HTTP/1.1 200 O") }
        stage.close(slot, cutting: how == .cuts)
    }

    @Test(
        arguments: [
            ("GET", 1, .closes, 200), ("GET", 1, .cuts, 200), ("GET", 0, .closes, 502),
            ("DELETE", 1, .closes, 200), ("PUT", 1, .cuts, 200),
            // What may have acted is not repeated.
            ("POST", 1, .closes, 502), ("PATCH", 1, .cuts, 502),
            // An answer has begun: this server spoke, badly.
            ("GET", 1, .halfHead, 502),
        ] as [(String, Int, Death, Int)]
    )
    func `a server that dies before its answer`(
        method: String,
        retries: Int,
        how: Death,
        status: Int
    ) throws {
        var setup = Setup()
        setup.servers = 2
        setup.retries = retries
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, self.request(method, body: "abc"))
        let (slot, _) = try stage.request()
        let dead = stage[slot].server
        self.die(how, slot, stage)
        if status == 200 {
            let (next, request) = try stage.request()
            #expect(stage[next].server != dead)
            #expect(request.body == "abc")
            stage.send(next, Self.ok)
        }
        #expect(try stage.message(client).status == status)
        #expect(!stage[client].isOver)
    }

    @Test(arguments: [("GET", 200), ("PUT", 200)])
    func `an idle connection that closes under a request is no failure`(
        method: String,
        status: Int
    ) throws {
        var setup = Setup()
        setup.retries = 0
        setup.ejection = EjectionPolicy(failuresMax: 1)
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, self.request("GET"))
        let (first, _) = try stage.request()
        stage.send(first, Self.ok)
        _ = try stage.message(client)
        stage.send(client, self.request(method, body: "abc"))
        let (again, _) = try stage.request()
        #expect(again == first)
        stage.close(again)
        let (fresh, request) = try stage.request()
        #expect(request.body == "abc")
        stage.send(fresh, Self.ok)
        #expect(try stage.message(client).status == status)
        #expect(stage.notices.all.isEmpty)
    }

    @Test func `a POST on a connection that closes under it is not repeated`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, self.request("GET"))
        let (slot, _) = try stage.request()
        stage.send(slot, Self.ok)
        _ = try stage.message(client)
        stage.send(client, self.request("POST", body: "abc"))
        let (again, _) = try stage.request()
        #expect(again == slot)
        stage.close(again)
        #expect(try stage.message(client).status == 502)
    }

    @Test(
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        ]
    )
    func `a server that dies within its answer cuts the client`(answer: String) throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, self.request("GET"))
        let (slot, _) = try stage.request()
        stage.send(slot, answer)
        stage.wait("the half has arrived") { stage.text(client).contains("half") }
        stage.close(slot)
        stage.end(client)
        #expect(stage[client].isCut, "an orderly end would make it look whole")
    }

    @Test func `a server that fails too often is left alone, and the operator told`() throws {
        var setup = Setup()
        setup.servers = 2
        setup.refusing = [0]
        setup.ejection = EjectionPolicy(failuresMax: 2)
        let stage = try Stage(setup)
        for _ in 0..<12 {
            let client = try stage.connect()
            stage.send(client, self.request("GET"))
            let (server, _) = try stage.request()
            stage.send(server, Self.ok)
            #expect(try stage.message(client).status == 200)
            stage.close(client)
        }
        #expect(stage.plan.pools[0].table.health(0, at: Instant(nanoseconds: 0)) == .ejected)
        #expect(stage.notices.all.count == 1)
        guard case .ejected(pool: 0, server: 0, _) = stage.notices.all.first else {
            Issue.record("no notice of it")
            return
        }
    }

    @Test func `a server takes no more requests at once than it may`() throws {
        var setup = Setup()
        setup.openMax = 1
        let stage = try Stage(setup)
        let (first, second) = (try stage.connect(), try stage.connect())
        stage.send(first, self.request("GET"))
        let (slot, _) = try stage.request()
        stage.send(second, self.request("GET"))
        let refusal = try stage.message(second)
        #expect(refusal.status == 503)
        #expect(refusal.body.contains("no-server"))
        stage.send(slot, Self.ok)
        #expect(try stage.message(first).status == 200)
        stage.send(second, self.request("GET"))
        stage.send(try stage.request().slot, Self.ok)
        #expect(try stage.message(second).status == 200)
        stage.settle()
        #expect(stage.plan.pools[0].table.openRequests(0) == 0)
    }

    @Test func `bytes that nobody asked for end an idle connection`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(client, self.request("GET"))
        let (slot, _) = try stage.request()
        stage.send(slot, Self.ok)
        _ = try stage.message(client)
        stage.send(slot, Self.ok)
        stage.end(slot)
        stage.send(client, self.request("GET"))
        let (fresh, _) = try stage.request()
        stage.send(fresh, "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(try stage.message(client).status == 204, "not the answer of before")
    }
}
