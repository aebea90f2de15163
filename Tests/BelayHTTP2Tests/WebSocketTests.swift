import BelayCore
import BelayHTTP2
import Testing

struct WebSocketTests {
    private static let connect = [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
        (":authority", "a.example"), (":path", "/chat"), ("sec-websocket-version", "13"),
        ("sec-websocket-key", "none of ours"),
    ]

    @Test func `an extended CONNECT becomes an upgrade, and its 101 becomes 200`() throws {
        let server = try Side(.server)
        server.receive(Frames.hello + Frames.head(1, Self.connect, isLast: false))
        let text = try #require(server.texts[1]?.first)
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "GET /chat HTTP/1.1")
        #expect(
            lines[1...3] == ["Host: a.example", "Upgrade: websocket", "Connection: Upgrade"]
        )
        #expect(lines[4].hasPrefix("Sec-WebSocket-Key: ") && lines[4].utf8.count == 19 + 24)
        #expect(lines[5...] == ["sec-websocket-version: 13", "", ""])
        server.respond(
            1,
            """
            HTTP/1.1 101 Switching Protocols\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Accept: x\r
            Sec-WebSocket-Protocol: chat\r
            \r\n
            """,
            isLast: false
        )
        server.offer(1, octets("hello"), isLast: false)
        let frames = ReadFrame.all(server.output())
        let head = try #require(frames.first { $0.type == 1 })
        // 200 has an entry in HPACK's table.
        #expect(head.payload.first == 0x88)
        #expect(head.flags & Frames.endStream == 0)
        #expect(frames.last?.payload == octets("hello"))
        server.receive(Frames.data(1, octets("hi")))
        #expect(server.received[1] == octets("hi"))
    }

    @Test func `a WebSocket crosses HTTP/2 between two that speak HTTP/1.1`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        exchange(client, server)
        #expect(client.peerAllowsExtendedConnect)
        // The key and its answer stand in RFC 6455 §1.3.
        try client.request(
            """
            GET /chat HTTP/1.1\r
            Host: a.example\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            \r\n
            """,
            isLast: false
        )
        exchange(client, server)
        #expect(server.texts[1]?[0].hasPrefix("GET /chat HTTP/1.1\r\n") == true)
        server.respond(
            1,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: y\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
            isLast: false
        )
        exchange(client, server)
        #expect(
            client.texts[1] == [
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "sec-websocket-protocol: chat\r\n"
                    + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            ]
        )
        client.offer(1, octets("ping"), isLast: false)
        server.offer(1, octets("pong"), isLast: true)
        exchange(client, server)
        #expect(server.received[1] == octets("ping"))
        #expect(client.received[1] == octets("pong"))
        client.offer(1, [], isLast: true)
        exchange(client, server)
        #expect(client.log.last == "1 closed")
        #expect(server.log.last == "1 closed")
    }

    @Test func `a WebSocket that is turned down is answered as any request`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        exchange(client, server)
        try client.request(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            isLast: false
        )
        exchange(client, server)
        server.respond(1, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        exchange(client, server)
        #expect(client.texts[1] == ["HTTP/1.1 403 \r\ncontent-length: 0\r\n\r\n"])
        #expect(client.log.last == "1 response last")
    }

    @Test func `where the peer takes no WebSockets the request goes elsewhere`() throws {
        let client = try Side(.client)
        client.receive(Frames.settings([]))
        let request =
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        #expect(throws: HTTP2Refusal.noExtendedConnect) {
            try client.request(request, isLast: false)
        }
        #expect(client.streamCount == 0)
    }

    @Test func `another protocol is refused, and none is allowed where WebSockets are not`() throws
    {
        var fields = Self.connect
        fields[1].1 = "connect-udp"
        let server = try Side(.server)
        server.receive(Frames.hello + Frames.head(1, fields, isLast: false))
        #expect(server.log == ["settings", "1 refused unknownProtocol"])
        server.respond(1, "HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n")
        _ = server.output()
        #expect(server.log.last == "1 sent")

        var limits = HTTP2Limits()
        limits.allowsExtendedConnect = false
        let plain = try Side(.server, limits: limits)
        plain.receive(Frames.hello + Frames.head(1, Self.connect, isLast: false))
        #expect(plain.log == ["settings"])
        let frames = ReadFrame.all(plain.output())
        #expect(frames.contains { $0.type == 3 && $0.payload == [0, 0, 0, 1] })
    }
}
