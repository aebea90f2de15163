import BelayBytes
import BelayCore
import BelayHTTP2
import BelayProxy
import Testing

/// Clients and servers that speak HTTP/2, in all combinations with those that do not.
@Suite struct HTTP2Tests {
    private func stage(_ server: Version, servers: Int = 1) throws -> Stage {
        var setup = Setup()
        setup.servers = servers
        setup.speaksHTTP2 = server == .http2
        return try Stage(setup)
    }

    @Test(arguments: Version.pairs)
    func `requests without and with bodies are answered`(
        client: Version,
        server: Version
    ) throws {
        let stage = try self.stage(server)
        for body in [nil, "", "a", String(repeating: "b", count: 300_000)] {
            let asker = try stage.ask(client, "/x?y", body: body)
            let (asked, request) = try stage.asked(server)
            #expect(request.head.contains(" /x?y HTTP/1.1\r\n"))
            #expect(request.body == body ?? "")
            stage.reply(asked, body: body ?? "")
            let answer = try stage.answer(asker)
            #expect(answer.status == 200)
            #expect(answer.body == body ?? "")
        }
        stage.waitUntilFree()
    }

    @Test(arguments: Version.pairs)
    func `trailers pass both ways`(client: Version, server: Version) throws {
        let stage = try self.stage(server)
        for body in ["", "body"] {
            let asker = try stage.ask(client, body: body, trailers: "x-sum: 1\r\nx-more: 2\r\n")
            let (asked, request) = try stage.asked(server)
            #expect(request.body == body)
            #expect(request.trailers == "x-sum: 1\r\nx-more: 2\r\n")
            stage.reply(asked, body: body, trailers: "x-back: 3\r\n")
            let answer = try stage.answer(asker)
            #expect(answer.body == body)
            #expect(answer.trailers == "x-back: 3\r\n")
        }
        stage.waitUntilFree()
    }

    @Test(arguments: Version.allCases)
    func `many streams on one connection get their own answers`(server: Version) throws {
        let stage = try self.stage(server, servers: 3)
        let client = try stage.talk()
        let ids = try (0..<60).map { try client.get("/\($0)") }
        var open: [(End, String)] = []
        for _ in ids {
            let (end, request) = try stage.asked(server)
            open.append((end, String(request.head.split(separator: " ")[1])))
        }
        // The last one is answered first.
        for (end, path) in open.reversed() { stage.reply(end, body: path) }
        for (number, id) in ids.enumerated() {
            #expect(stage.whole(client, id).text == "/\(number)")
        }
        #expect(stage.metric("belay_http2_streams_total") == 60)
        stage.waitUntilFree()
    }

    @Test func `interim answers pass, and the final one after them`() throws {
        let stage = try self.stage(.http2)
        let client = try stage.talk()
        let id = try client.get("/")
        let (server, stream) = try stage.arrival()
        server.respond(
            stream,
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            isInterim: true
        )
        stage.wait("the hint arrives") { client[id].heads.count == 1 }
        #expect(client[id].head.contains("103"))
        server.ok(stream)
        let answer = stage.whole(client, id)
        #expect(answer.status == 200)
        #expect(answer.heads.count == 2)
    }

    @Test func `one connection to a server carries the streams of all clients`() throws {
        let stage = try self.stage(.http2)
        var ends: [(Talker, Int32)] = []
        for number in 0..<8 {
            let client = try stage.talk()
            ends.append((client, try client.get("/\(number)")))
        }
        var talkers: Set<Int> = []
        for _ in ends {
            let (server, stream) = try stage.arrival()
            talkers.insert(server.slot)
            server.ok(stream, server[stream].path)
        }
        #expect(talkers.count == 1)
        for (number, (client, id)) in ends.enumerated() {
            #expect(stage.whole(client, id).text == "/\(number)")
        }
    }

    @Test(arguments: Version.allCases)
    func `a stream that is not read holds back its own server alone`(server: Version) throws {
        let stage = try self.stage(server)
        let client = try stage.talk()
        let (slow, quick) = (try client.get("/slow"), try client.get("/quick"))
        client.givesCredit = false
        var ends: [String: End] = [:]
        for _ in 0..<2 {
            let (end, request) = try stage.asked(server)
            ends[String(request.head.split(separator: " ")[1])] = end
        }
        let body = String(repeating: "s", count: 8 << 20)
        stage.reply(try #require(ends["/slow"]), body: body)
        stage.wait("the window is full") { client[slow].body.count == 65_535 }
        stage.reply(try #require(ends["/quick"]), body: "quick")
        #expect(stage.whole(client, quick).text == "quick")
        #expect(client[slow].body.count == 65_535)
        client.givesCredit = true
        client.credit(slow, 65_535)
        #expect(stage.whole(client, slow).body.count == body.utf8.count)
        stage.waitUntilFree()
    }

    @Test(arguments: Version.allCases)
    func `a slow server holds back its own stream alone`(server: Version) throws {
        let stage = try self.stage(server, servers: 2)
        let client = try stage.talk()
        let big = [UInt8](repeating: 7, count: 8 << 20)
        let head = "PUT /slow HTTP/1.1\r\nHost: a\r\n\r\n"
        let slow = try client.request(head, isLast: false)
        var slot = -1
        var talker: (Talker, Int32)?
        switch server {
        case .http1:
            stage.wait("the head arrives") {
                slot = stage.peers.keys.first { stage.text($0).contains("/slow") } ?? -1
                return slot >= 0
            }
            stage.pause(slot)
        case .http2:
            let (server, id) = try stage.arrival()
            server.givesCredit = false
            talker = (server, id)
        }
        client.offer(slow, big, isLast: true)
        let other = try client.get("/other")
        let (end, request) = try stage.asked(server)
        #expect(request.head.contains("/other"))
        stage.reply(end)
        #expect(stage.whole(client, other).text == "ok")
        #expect(client.waiting(slow) > 0)
        if let (server, id) = talker {
            server.givesCredit = true
            server.credit(id, server[id].body.count)
            #expect(stage.whole(server, id).body.count == big.count)
            server.ok(id)
        } else {
            stage.resume(slot)
            let (again, message) = try stage.request()
            #expect(message.body.utf8.count == big.count)
            stage.reply(.text(again))
        }
        #expect(stage.whole(client, slow).text == "ok")
        stage.waitUntilFree()
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\n\r\n"], Version.allCases)
    func `a client that resets its stream frees everything`(
        answer: String,
        server: Version
    ) throws {
        let stage = try self.stage(server)
        let client = try stage.talk()
        let head = "PUT / HTTP/1.1\r\nHost: a\r\n\r\n"
        for _ in 0..<3 {
            let id = try client.request(head, body: "half", isLast: false)
            var end: End?
            switch server {
            case .http1:
                stage.wait("the half arrives") {
                    let slot = stage.peers.keys.first {
                        stage[$0].server != nil && stage.text($0).hasSuffix("half\r\n")
                    }
                    end = slot.map { .text($0) }
                    return end != nil
                }
            case .http2:
                let (talker, stream) = try stage.arrival()
                end = .frames(talker, stream)
            }
            if !answer.isEmpty {
                switch try #require(end) {
                case .text(let slot): stage.send(slot, answer + "half of it")
                case .frames(let talker, let stream):
                    talker.respond(stream, answer, body: "half of it", isLast: false)
                }
                stage.wait("the half arrives") { client[id].text == "half of it" }
            }
            client.reset(id, HTTP2Code.cancel)
            switch try #require(end) {
            case .text(let slot):
                stage.end(slot)
                stage.close(slot)
            case .frames(let talker, let stream):
                #expect(stage.whole(talker, stream).reset != nil)
            }
        }
        stage.waitUntilFree()
        // The connection is as good as before.
        let id = try client.get("/")
        stage.reply(try stage.asked(server).0)
        #expect(stage.whole(client, id).text == "ok")
    }

    @Test(arguments: Version.allCases)
    func `a client that leaves with many streams frees everything`(server: Version) throws {
        let stage = try self.stage(server)
        let client = try stage.talk()
        for number in 0..<20 { try client.get("/\(number)") }
        for number in 0..<20 {
            let end = try stage.asked(server).0
            if number & 1 == 0, case .frames(let talker, let id) = end {
                talker.respond(id, "HTTP/1.1 200 OK\r\n\r\n", body: "half", isLast: false)
            }
        }
        stage.close(client.slot, cutting: server == .http1)
        stage.waitUntilFree()
        #expect(stage.shared.openConnections == 0)
    }

    @Test(arguments: Version.allCases)
    func `an answer before the whole request ends the stream without an error`(
        server: Version
    ) throws {
        let stage = try self.stage(server)
        let client = try stage.talk()
        let head = "PUT / HTTP/1.1\r\nHost: a\r\n\r\n"
        let id = try client.request(head, body: "half", isLast: false)
        switch server {
        case .http1:
            stage.wait("the half arrives") {
                stage.peers.keys.contains { slot in
                    guard stage.text(slot).hasSuffix("half\r\n") else { return false }
                    stage.send(slot, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
                    return true
                }
            }
        case .http2:
            let (talker, stream) = try stage.arrival()
            talker.respond(stream, "HTTP/1.1 403 No\r\n\r\n", body: "no")
        }
        stage.wait("the whole answer arrives") { client[id].isWhole }
        #expect(client[id].status == 403)
        #expect(client[id].text == "no")
        // The rest of the request need not come.
        stage.watch("the stream is ended") { client[id].reset != nil }
        #expect(client[id].reset == HTTP2Code.noError)
        let next = try client.get("/")
        stage.reply(try stage.asked(server).0)
        #expect(stage.whole(client, next).text == "ok")
        stage.waitUntilFree()
    }
}
