import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP2
import BelayProxy
import Testing

/// What becomes of streams when servers that speak HTTP/2 refuse, end early or leave.
@Suite struct HTTP2FaultTests {
    private func stage(servers: Int = 1, retries: Int = 1) throws -> Stage {
        var setup = Setup()
        setup.servers = servers
        setup.retries = retries
        setup.speaksHTTP2 = true
        return try Stage(setup)
    }

    private static let put = "PUT / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test(arguments: Version.allCases)
    func `a whole answer and a reset without an error may come in one piece`(
        client version: Version
    ) throws {
        let stage = try self.stage()
        for _ in 0..<3 {
            let end: End
            switch version {
            case .http1:
                let slot = try stage.connect()
                stage.send(slot, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
                end = .text(slot)
            case .http2:
                let client = try stage.talk()
                end = .frames(client, try client.request(Self.put, body: "half", isLast: false))
            }
            let (server, stream) = try stage.arrival()
            stage.wait("the half arrives") { server[stream].text == "half" }
            server.hold {
                server.ok(stream)
                server.reset(stream, HTTP2Code.noError)
            }
            let answer = try stage.answer(end)
            #expect(answer.status == 200)
            #expect(answer.body == "ok")
        }
        stage.waitUntilFree()
    }

    @Test(arguments: [66_000, 69_000, 100_000])
    func `an answer while much of the request waits for the server leaves no trace`(
        size: Int
    ) throws {
        let stage = try self.stage()
        let client = try stage.connect()
        // The window of a stream is 65,535 bytes: the rest waits in Belay.
        let body = String(repeating: "b", count: size)
        stage.send(client, "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n\(body)")
        let (server, stream) = try stage.arrival()
        server.givesCredit = false
        stage.wait("the window is full") { server[stream].body.count >= 65_535 }
        server.ok(stream)
        #expect(try stage.message(client).body == "ok")
        // The window opens after all.
        server.credit(stream, 65_535)
        server.givesCredit = true
        let other = try stage.connect()
        stage.send(other, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
        let (again, next) = try stage.arrival()
        #expect(again[next].path == "/b")
        #expect(again.failure == nil)
        again.ok(next, "b")
        #expect(try stage.message(other).body == "b")
        stage.waitUntilFree()
    }

    enum Leaving: CaseIterable {
        case closes, goesAway, goesAwayAndCloses
    }

    @Test(arguments: Leaving.allCases, [100_000, 130_000])
    func `a server that leaves behind a whole answer does not spoil it`(
        leaving: Leaving,
        size: Int
    ) throws {
        let stage = try self.stage()
        let client = try stage.talk()
        client.givesCredit = false
        let id = try client.get("/")
        let (server, stream) = try stage.arrival()
        server.ok(stream, String(repeating: "b", count: size))
        stage.wait("all of it is on its way") {
            server.waiting(stream) == 0 && client[id].body.count == 65_535
        }
        stage.settle()
        if leaving != .closes { server.goAway(last: stream) }
        if leaving != .goesAway { stage.close(server.slot) }
        stage.settle()
        client.givesCredit = true
        client.credit(id, 65_535)
        let answer = stage.whole(client, id)
        #expect(answer.reset == nil)
        #expect(answer.body.count == size)
        stage.waitUntilFree()
    }

    @Test(arguments: [2, 1])
    func `a stream that the server refuses goes elsewhere, or there again`(servers: Int) throws {
        let stage = try self.stage(servers: servers)
        let client = try stage.talk()
        let id = try client.request("POST / HTTP/1.1\r\nHost: a\r\n\r\n", body: "held")
        let (server, stream) = try stage.arrival()
        server.reset(stream, HTTP2Code.refusedStream)
        let (other, again) = try stage.arrival()
        #expect((other.server == server.server) == (servers == 1))
        #expect(stage.whole(other, again).text == "held")
        other.ok(again)
        #expect(stage.whole(client, id).text == "ok")
        stage.waitUntilFree()
    }

    @Test(arguments: [2, 1])
    func `streams that a server leaves out when it goes away go elsewhere, or there again`(
        servers: Int
    ) throws {
        let stage = try self.stage(servers: servers)
        let client = try stage.talk()
        var ids = [try client.get("/0")]
        let (server, first) = try stage.arrival()
        if servers == 2 {
            ids.append(try client.get("/elsewhere"))
            let (other, stream) = try stage.arrival()
            other.ok(stream)
        }
        let left = try client.request("POST /1 HTTP/1.1\r\nHost: a\r\n\r\n", body: "held")
        let (same, second) = try stage.arrival()
        try #require(same === server)
        server.goAway(last: first)
        let (other, again) = try stage.arrival()
        #expect(other !== server)
        #expect(second > first)
        #expect(stage.whole(other, again).text == "held")
        other.ok(again)
        #expect(stage.whole(client, left).text == "ok")
        // What the server had begun it ends.
        server.ok(first, "first")
        #expect(stage.whole(client, ids[0]).text == "first")
        stage.end(server.slot)
        stage.waitUntilFree()
    }

    @Test(arguments: [true, false])
    func `a connection that is lost with many streams costs each one attempt`(
        cutting: Bool
    ) throws {
        let stage = try self.stage(servers: 2)
        stage.plan.pools[0].table.setAdminState(.maintenance, 1)
        let client = try stage.talk()
        let ids = try (0..<30).map { try client.get("/\($0)") }
        let post = try client.request("POST / HTTP/1.1\r\nHost: a\r\n\r\n", body: "")
        var slot = -1
        for _ in 0..<31 { slot = try stage.arrival().talker.slot }
        stage.plan.pools[0].table.setAdminState(.ready, 1)
        stage.close(slot, cutting: cutting)
        for _ in ids {
            let (server, stream) = try stage.arrival()
            #expect(server.server == 1)
            server.ok(stream, server[stream].path)
        }
        for (number, id) in ids.enumerated() {
            #expect(stage.whole(client, id).text == "/\(number)")
        }
        // It may have acted on this one.
        #expect(stage.whole(client, post).status == 502)
        stage.waitUntilFree()
    }

    @Test func `an idle connection that is lost just then is excused`() throws {
        let stage = try self.stage(retries: 0)
        let client = try stage.talk()
        let first = try client.get("/")
        let (server, stream) = try stage.arrival()
        server.ok(stream)
        #expect(stage.whole(client, first).text == "ok")
        let second = try client.get("/")
        _ = try stage.arrival()
        stage.close(server.slot)
        let (again, next) = try stage.arrival()
        #expect(again !== server)
        again.ok(next)
        #expect(stage.whole(client, second).text == "ok")
    }

    @Test(arguments: Version.allCases)
    func `a body within its limit stays so when it is sent again`(server: Version) throws {
        var setup = Setup()
        setup.servers = 2
        setup.speaksHTTP2 = server == .http2
        setup.limits.bodySize = 10
        let stage = try Stage(setup)
        for version in Version.allCases {
            let asker = try stage.ask(version, body: "12345678")
            switch try stage.asked(server).0 {
            case .text(let slot): stage.close(slot)
            case .frames(let talker, _): stage.close(talker.slot)
            }
            let (end, request) = try stage.asked(server)
            #expect(request.body == "12345678")
            stage.reply(end)
            #expect(try stage.answer(asker).status == 200)
        }
    }

    @Test func `what a client sends behind a refused body is passed over`() throws {
        var setup = Setup()
        setup.limits.bodySize = 10
        let stage = try Stage(setup)
        let client = try stage.talk()
        var id: Int32 = 0
        try client.hold {
            id = try client.request(Self.put, isLast: false)
            for _ in 0..<8 { client.offer(id, Array("12345".utf8), isLast: false) }
            client.reset(id, HTTP2Code.cancel)
        }
        id = try client.request(Self.put, isLast: false)
        for _ in 0..<8 { client.offer(id, Array("12345".utf8), isLast: false) }
        client.offer(id, [], isLast: true)
        #expect(stage.whole(client, id).status == 413)
        stage.waitUntilFree()
    }

    @Test func `a server that takes few streams gets further ones on other connections`() throws {
        let stage = try self.stage()
        stage.streamsMax = 2
        let client = try stage.talk()
        let first = try client.get("/0")
        let (server, stream) = try stage.arrival()
        server.ok(stream)
        #expect(stage.whole(client, first).text == "ok")
        let ids = try (1..<6).map { try client.get("/\($0)") }
        var slots: [Int: Int] = [:]
        var open: [(Talker, Int32)] = []
        for _ in ids {
            let (server, stream) = try stage.arrival()
            slots[server.slot, default: 0] += 1
            open.append((server, stream))
        }
        #expect(slots.values.allSatisfy { $0 <= 2 }, "\(slots)")
        for (server, stream) in open { server.ok(stream, server[stream].path) }
        for (number, id) in ids.enumerated() {
            #expect(stage.whole(client, id).text == "/\(number + 1)")
        }
        stage.waitUntilFree()
    }

    @Test func `many requests at once find a server that takes few streams`() throws {
        let stage = try self.stage()
        stage.streamsMax = 2
        let client = try stage.talk()
        let ids = try (0..<12).map { try client.get("/\($0)") }
        stage.watch("all are answered") {
            for talker in stage.talkers.values where talker.server != nil {
                for id in talker.fresh { talker.ok(id, talker[id].path) }
                talker.fresh = []
            }
            return ids.allSatisfy { client[$0].isOver }
        }
        for (number, id) in ids.enumerated() { #expect(client[id].text == "/\(number)") }
        stage.waitUntilFree()
    }
}
