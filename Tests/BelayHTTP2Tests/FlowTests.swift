import BelayCore
import BelayHTTP2
import Testing

struct FlowTests {
    private static let post = "POST / HTTP/1.1\r\nHost: a.example\r\n\r\n"
    private static let get = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"

    @Test func `a stream without a window holds no other up, and credit opens it`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        server.givesCredit = false
        let body = [UInt8](repeating: 9, count: 200_000)
        try client.request(Self.post, isLast: false)
        try client.request(Self.post, isLast: false)
        client.offer(1, body, isLast: true)
        exchange(client, server)
        #expect(server.received[1]?.count == 65_535)
        #expect(!client.wantsWrite)
        client.offer(3, [1, 2, 3], isLast: true)
        exchange(client, server)
        #expect(server.received[3] == [1, 2, 3])
        #expect(server.log.last == "3 end")

        var credited = 0
        while credited < body.count {
            let count = (server.received[1]?.count ?? 0) - credited
            #expect(count > 0 && count <= 65_535)
            guard count > 0, let stream = server.streams[1] else { break }
            server.session.credit(stream, count)
            credited += count
            exchange(client, server)
        }
        #expect(server.received[1] == body)
        #expect(server.log.last == "1 end")
    }

    @Test func `the connection's window is given back for streams that were reset`() throws {
        var limits = HTTP2Limits()
        limits.connectionWindow = 65_535
        let client = try Side(.client)
        let server = try Side(.server, limits: limits)
        server.givesCredit = false
        for id in stride(from: Int32(1), to: 21, by: 2) {
            try client.request(Self.post, isLast: false)
            client.offer(id, [UInt8](repeating: 1, count: 60_000), isLast: false)
            exchange(client, server)
            #expect(server.received[id]?.count == 60_000)
            let stream = try #require(server.streams[id])
            switch id % 4 {
            case 1: server.session.reset(stream, code: HTTP2Code.cancel)
            default: client.session.reset(try #require(client.streams[id]), code: HTTP2Code.cancel)
            }
            exchange(client, server)
        }
        #expect(client.streamCount == 0)
        #expect(server.streamCount == 0)
        #expect(client.failure == nil)
        #expect(server.failure == nil)
    }

    @Test func `streams take turns`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        for _ in 0..<4 { try client.request(Self.get) }
        exchange(client, server)
        for id in [1, 3, 5, 7] as [Int32] {
            server.respond(id, "HTTP/1.1 200 OK\r\n\r\n", isLast: false)
            server.offer(id, [UInt8](repeating: UInt8(id), count: 50_000), isLast: true)
        }
        let data = ReadFrame.all(server.write(max: 60_000)).filter { $0.type == 0 }
        #expect(Set(data.map(\.stream)) == [1, 3, 5, 7])
        #expect(data.allSatisfy { $0.payload.count <= 16_384 })
    }

    @Test func `what is offered bit by bit arrives, and an end of its own ends it`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        try client.request(Self.post, isLast: false)
        for byte in 0..<UInt8(20) {
            client.offer(1, [UInt8](repeating: byte, count: 10), isLast: false)
            exchange(client, server)
        }
        #expect(server.received[1]?.count == 200)
        client.offer(1, [], isLast: true)
        exchange(client, server)
        #expect(server.log.suffix(2) == ["1 data", "1 end"])
    }

    @Test func `a write is no longer than it may be`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        try client.request(Self.get)
        exchange(client, server)
        server.respond(1, "HTTP/1.1 200 OK\r\n\r\n", isLast: false)
        server.offer(1, [UInt8](repeating: 1, count: 50_000), isLast: true)
        var total = 0
        while server.wantsWrite {
            let bytes = server.write(max: 1000)
            #expect(bytes.count <= 1000 + 9 + 1)
            if bytes.isEmpty { break }
            total += bytes.count
            client.receive(bytes)
        }
        #expect(total > 50_000)
        #expect(client.received[1]?.count == 50_000)
        #expect(client.log.last == "1 closed")
    }

    @Test(arguments: [true, false])
    func `trailers end a body, both ways`(early: Bool) throws {
        let client = try Side(.client)
        let server = try Side(.server)
        try client.request(Self.post, isLast: false)
        let body = [UInt8](repeating: 1, count: early ? 100_000 : 0)
        client.offer(1, body, isLast: true, trailers: true)
        if !early { exchange(client, server) }
        let lines = octets("X-Sum: 5\r\nConnection: x\r\nExpires: 0\r\n")
        client.session.submitTrailers(try #require(client.streams[1]), lines: lines.span)
        exchange(client, server)
        #expect(server.received[1] ?? [] == body)
        #expect(server.log.last == "1 trailers")
        #expect(server.texts[1]?.last == "x-sum: 5\r\n")

        server.respond(1, "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n\r\n", isLast: false)
        server.offer(1, body, isLast: true, trailers: true)
        server.session.submitTrailers(
            try #require(server.streams[1]),
            lines: octets("X-Sum: 6\r\n").span
        )
        exchange(client, server)
        #expect(client.received[1] ?? [] == body)
        #expect(client.log.suffix(2) == ["1 trailers", "1 closed"])
        #expect(client.texts[1]?.last == "x-sum: 6\r\n")
        #expect(server.log.last == "1 closed")
    }

    @Test(arguments: [
        ("a pseudo-header field", [(":path", "/")], true),
        ("a name in upper case", [("X", "y")], true),
        ("a length", [("content-length", "5")], true),
        ("a Host", [("host", "a.example")], true),
        ("a field of the connection", [("connection", "close")], true),
        ("a line end in a value", [("x", "a\r\nb: c")], true),
        ("no end of the stream", [("x", "y")], false),
    ])
    func `malformed trailers reset their stream`(
        rule: String,
        fields: [(String, String)],
        ends: Bool
    ) throws {
        let server = try Side(.server)
        server.receive(Frames.hello + Frames.head(1, Frames.get(), isLast: false))
        server.receive(Frames.head(1, fields, isLast: ends))
        let resets = ReadFrame.all(server.output()).filter { $0.type == 3 }
        #expect(resets.map(\.payload) == [[0, 0, 0, 1]])
        #expect(server.log == ["settings", "1 request", "1 reset 1 here"])
    }

    @Test func `trailers that are too large reset their stream`() throws {
        let server = try Side(.server)
        server.receive(Frames.hello + Frames.head(1, Frames.get(), isLast: false))
        let value = String(repeating: "a", count: 16_000)
        let block = Frames.block([("a", value), ("b", value), ("c", value)])
        server.receive(Frames.frame(1, 1, 1, Array(block.prefix(16_000))))
        server.receive(
            Frames.continuation(1, Array(block.dropFirst(16_000).prefix(16_000)), isEnd: false)
        )
        server.receive(Frames.continuation(1, Array(block.dropFirst(32_000)), isEnd: true))
        #expect(server.log.last == "1 reset 11 here")
    }

    @Test func `a server may stop a request that it has answered`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        try client.request(Self.post, isLast: false)
        exchange(client, server)
        server.respond(1, "HTTP/1.1 413 Too Large\r\n\r\n")
        exchange(server, client)
        #expect(server.log.last == "1 sent")
        server.session.reset(try #require(server.streams[1]), code: HTTP2Code.noError)
        exchange(server, client)
        #expect(client.log.suffix(2) == ["1 response last", "1 reset 0 peer"])
        #expect(client.streamCount == 0)
        #expect(server.streamCount == 0)
    }

    @Test func `names of streams that are over are harmless`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        let old = try client.request(Self.post, isLast: false)
        client.session.reset(old, code: HTTP2Code.cancel)
        exchange(client, server)
        #expect(client.streamCount == 0)
        let new = try client.request(Self.post, isLast: false)
        #expect(new.place == old.place)
        client.session.setTag(old, 99)
        client.session.offer(old, count: 10, isLast: true)
        client.session.credit(old, 10)
        client.session.reset(old, code: 0)
        client.session.submitTrailers(old, lines: octets("a: b\r\n").span)
        exchange(client, server)
        #expect(server.log.suffix(1) == ["3 request"])
        #expect(client.streamCount == 1)
    }
}
