import BelayBytes
import BelayCore
import BelayHTTP2
import Testing

struct ExchangeTests {
    private static let request = "GET /a?b HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n"

    @Test(arguments: [false, true])
    func `a request and its answer cross as HTTP/1.1 text`(cutting: Bool) throws {
        let client = try Side(.client)
        let server = try Side(.server)
        try client.request(Self.request)
        exchange(client, server, cutting: cutting)
        #expect(
            server.texts[1] == ["GET /a?b HTTP/1.1\r\nHost: a.example\r\naccept: */*\r\n\r\n"]
        )
        server.respond(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        exchange(client, server, cutting: cutting)
        #expect(client.texts[1] == ["HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n"])
        #expect(server.log == ["settings", "1 request last", "1 closed"])
        #expect(client.log == ["1 sent", "settings", "1 response last", "1 closed"])
        #expect(client.streamCount == 0)
        #expect(server.streamCount == 0)
    }

    @Test(arguments: [(1 << 20, 70_000), (4096, 1500), (100, 64), (17, 9)])
    func `bodies of a MiB cross both ways however little is written at once`(
        sendMax: Int,
        writer: Int
    ) throws {
        let size = sendMax < 1000 ? 100_000 : 1 << 20
        let client = try Side(.client, writer: writer, sendMax: sendMax)
        let server = try Side(.server, writer: writer, sendMax: sendMax)
        let up = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let down = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 13) }
        try client.request(
            "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(size)\r\n\r\n",
            isLast: false
        )
        client.offer(1, up, isLast: true)
        exchange(client, server, cutting: true)
        #expect(server.received[1] == up)
        #expect(server.log == ["settings", "1 request", "1 data", "1 end"])
        server.respond(1, "HTTP/1.1 200 OK\r\n\r\n", isLast: false)
        server.offer(1, down, isLast: true)
        exchange(client, server, cutting: true)
        #expect(client.received[1] == down)
        #expect(client.log == ["settings", "1 sent", "1 response", "1 data", "1 end", "1 closed"])
        #expect(server.log.last == "1 closed")
    }
}
