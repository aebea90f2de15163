import BelayCore
import BelayHTTP2
import Testing

struct ShutdownTests {
    private static let get = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"

    @Test func `a server says twice that it ends, and loses no request`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        try client.request(Self.get)
        exchange(client, server)
        server.session.shutdown(.notice)
        // Under way when the notice was sent.
        try client.request(Self.get)
        exchange(client, server)
        #expect(client.log.contains("go away 2147483647 0"))
        #expect(server.log.last == "3 request last")
        #expect(throws: HTTP2Refusal.closing) { try client.request(Self.get) }
        #expect(!server.isOver)
        server.session.shutdown(.final)
        exchange(client, server)
        #expect(client.log.last == "go away 3 0")
        #expect(!server.isOver)
        server.respond(1, "HTTP/1.1 200 OK\r\n\r\n")
        server.respond(3, "HTTP/1.1 200 OK\r\n\r\n")
        exchange(client, server)
        #expect(server.isOver)
        #expect(client.isOver)
        #expect(client.log.suffix(2) == ["3 response last", "3 closed"])
    }

    @Test func `requests that a server left out may be sent elsewhere`() throws {
        let client = try Side(.client)
        client.receive(Frames.settings([]))
        try client.request(Self.get)
        try client.request(Self.get)
        _ = client.output()
        client.receive(Frames.goAway(1))
        #expect(client.log.suffix(2) == ["go away 1 0", "3 reset 7 peer"])
        client.receive(Frames.head(1, [(":status", "204")]))
        #expect(client.log.suffix(2) == ["1 response last", "1 closed"])
        _ = client.output()
        #expect(client.isOver)
    }

    @Test func `requests that were not yet written are left out as well`() throws {
        let client = try Side(.client)
        client.receive(Frames.settings([]))
        try client.request(Self.get)
        client.receive(Frames.goAway(0))
        _ = client.output()
        #expect(client.log == ["settings", "go away 0 0", "1 reset 7 peer"])
        #expect(client.streamCount == 0)
        #expect(client.isOver)
    }

    @Test(arguments: [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ClientPreface.Verdict.http2),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", .http2),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", .needsMore), ("P", .needsMore), ("", .needsMore),
        ("POST / HTTP/1.1\r\n", .other), ("PRI / HTTP/2.0", .other), ("GET / HTTP/1.1", .other),
    ])
    func `the first bytes say which version a client speaks`(
        bytes: String,
        want: ClientPreface.Verdict
    ) {
        #expect(ClientPreface.judge(octets("xx" + bytes).span, from: 2) == want)
    }

    @Test func `a client keeps to the streams that its peer takes`() throws {
        let client = try Side(.client)
        client.receive(Frames.settings([(3, 2)]))
        #expect(client.peerStreamsMax == 2)
        try client.request(Self.get)
        let second = try client.request(Self.get)
        #expect(throws: HTTP2Refusal.full) { try client.request(Self.get) }
        client.session.reset(second, code: HTTP2Code.cancel)
        _ = client.output()
        #expect(client.streamCount == 1)
        try client.request(Self.get)
    }

    @Test func `an answer to HEAD says how long the body would be`() throws {
        let client = try Side(.client)
        let server = try Side(.server)
        try client.request("HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        exchange(client, server)
        server.respond(1, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        exchange(client, server)
        #expect(client.log.suffix(2) == ["1 response last", "1 closed"])
        #expect(client.texts[1] == ["HTTP/1.1 200 \r\ncontent-length: 500\r\n\r\n"])
    }
}
