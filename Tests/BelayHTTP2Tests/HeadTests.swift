import BelayCore
import BelayHTTP2
import Testing

struct HeadTests {
    @Test(arguments: HeadCase.good)
    func `a request becomes the text that says the same`(head: HeadCase) throws {
        let bytes = Frames.hello + Frames.head(1, head.fields, isLast: head.isLast)
        for cuts in [[], Array(1..<bytes.count)] {
            let server = try Side(.server)
            server.receive(bytes, cuts: cuts)
            #expect(server.log == ["settings", "1 request\(head.isLast ? " last" : "")"])
            #expect(server.texts[1] == [try #require(head.want)])
        }
    }

    @Test(arguments: HeadCase.badPseudo + HeadCase.badFields)
    func `a malformed request resets its stream and no other`(head: HeadCase) throws {
        let server = try Side(.server)
        server.receive(Frames.hello + Frames.head(1, head.fields))
        #expect(server.log == ["settings"])
        let resets = ReadFrame.all(server.output()).filter { $0.type == 3 }
        #expect(resets == [ReadFrame(type: 3, flags: 0, stream: 1, payload: [0, 0, 0, 1])])
        #expect(server.streamCount == 0)
        server.receive(Frames.head(3, Frames.get()))
        #expect(server.log == ["settings", "3 request last"])
    }

    @Test(arguments: HeadCase.responses)
    func `a response becomes text, and resets its stream where it is malformed`(
        head: HeadCase
    ) throws {
        let client = try Side(.client)
        try client.request("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        _ = client.output()
        client.log = []
        client.receive(Frames.settings([]) + Frames.head(1, head.fields))
        if let want = head.want {
            #expect(client.texts[1] == [want])
            #expect(client.log == ["settings", "1 response last", "1 closed"])
        } else {
            let bytes = ReadFrame.all(client.output())
            #expect(client.texts[1] == nil)
            #expect(client.log == ["settings", "1 reset 1 here"])
            #expect(bytes.contains { $0.type == 3 && $0.payload == [0, 0, 0, 1] })
        }
    }

    @Test(arguments: [
        ("too short", "5", ["abc"], true),
        ("too long", "5", ["abc", "def"], false),
        ("one byte too long in its last frame", "5", ["abcdef"], true),
    ])
    func `a body that is not as long as was said resets its stream`(
        rule: String,
        length: String,
        pieces: [String],
        ends: Bool
    ) throws {
        let server = try Side(.server)
        var bytes = Frames.hello
        bytes += Frames.head(1, Frames.get("/", [("content-length", length)]), isLast: false)
        for (index, piece) in pieces.enumerated() {
            bytes += Frames.data(1, octets(piece), isLast: ends && index == pieces.count - 1)
        }
        server.receive(bytes)
        _ = server.output()
        #expect(server.log.last == "1 reset 1 here")
        #expect(!server.log.contains("1 end"))
    }

    @Test func `a head that is too large is refused, and its stream can be answered`() throws {
        var limits = HTTP2Limits()
        limits.headSizeMax = 1000
        limits.headerCountMax = 4
        let server = try Side(.server, limits: limits)
        let large = Frames.get("/", [("a", String(repeating: "b", count: 2000))])
        let many = Frames.get("/", (1...5).map { ("a", "\($0)") })
        server.receive(Frames.hello + Frames.head(1, large))
        server.receive(Frames.head(3, many, isLast: false))
        #expect(
            server.log == ["settings", "1 refused tooLarge last", "3 refused tooManyFields"]
        )
        server.respond(1, "HTTP/1.1 431 No\r\nContent-Length: 0\r\n\r\n")
        server.respond(3, "HTTP/1.1 431 No\r\nContent-Length: 0\r\n\r\n")
        let heads = ReadFrame.all(server.output()).filter { $0.type == 1 }
        #expect(heads.map(\.stream) == [1, 3])
        #expect(server.log.suffix(2) == ["1 closed", "3 sent"])
        // The table of HPACK is as it must be, and the limits are met exactly.
        server.receive(Frames.head(5, Frames.get("/", (1...4).map { ("a", "\($0)") })))
        #expect(server.log.last == "5 request last")
    }

    @Test func `a large head that is allowed crosses, in several frames`() throws {
        var limits = HTTP2Limits()
        limits.headSizeMax = 48 * 1024
        let client = try Side(.client, limits: limits)
        let server = try Side(.server, limits: limits)
        let value = String(repeating: "q1", count: 22_000)
        try client.request("GET / HTTP/1.1\r\nHost: a.example\r\nX: \(value)\r\n\r\n")
        exchange(client, server, cutting: true)
        #expect(server.texts[1]?[0].unicodeScalars.count == 44_000 + 40)
        server.respond(1, "HTTP/1.1 200 OK\r\nx: \(value)\r\n\r\n")
        exchange(client, server, cutting: true)
        #expect(client.log.suffix(2) == ["1 response last", "1 closed"])
    }

    @Test func `what only one connection is about stays behind`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        try client.request(
            """
            POST /x HTTP/1.1\r
            Host: a.example\r
            Connection: TE, upgrade\r
            TE: trailers\r
            Upgrade: h2c\r
            Keep-Alive: 5\r
            Proxy-Connection: close\r
            Transfer-Encoding: chunked\r
            X-Y: Z\r
            \r\n
            """,
            scheme: .http
        )
        exchange(client, server)
        #expect(
            server.texts[1] == [
                "POST /x HTTP/1.1\r\nHost: a.example\r\nte: trailers\r\nx-y: Z\r\n\r\n"
            ]
        )
    }

    @Test func `interim heads come before the answer`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        try client.request("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        exchange(client, server)
        server.respond(
            1,
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            isLast: false,
            isInterim: true
        )
        server.respond(1, "HTTP/1.1 200 OK\r\n\r\n")
        exchange(client, server)
        #expect(
            client.log == ["1 sent", "settings", "1 interim", "1 response last", "1 closed"]
        )
        #expect(client.texts[1]?[0] == "HTTP/1.1 103 \r\nlink: </a>\r\n\r\n")
    }
}
