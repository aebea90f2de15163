import BelayCore
import BelayHTTP2
import Testing

/// Something that costs us and brings nothing, sent again and again.
struct Flood: Sendable, CustomTestStringConvertible {
    var rule: String
    var piece: @Sendable (Int) -> [UInt8]
    var failure: HTTP2Failure
    /// What may come at once.
    var allowed: Int

    var testDescription: String { self.rule }

    private static func open(_ id: Int) -> [UInt8] { Frames.head(id, Frames.get()) }

    static let all: [Flood] = [
        Flood(
            rule: "requests that are reset at once (CVE-2023-44487)",
            piece: { Self.open(2 * $0 + 1) + Frames.reset(2 * $0 + 1) },
            failure: .resets,
            allowed: 50
        ),
        Flood(
            rule: "requests that we must reset (CVE-2025-8671)",
            piece: { Self.open(2 * $0 + 1) + Frames.window(2 * $0 + 1, 0x7FFF_FFFF) },
            failure: .resets,
            allowed: 50
        ),
        Flood(
            rule: "malformed requests",
            piece: { Frames.head(2 * $0 + 1, [(":method", "GET")]) },
            failure: .resets,
            allowed: 50
        ),
        Flood(
            rule: "resets of streams that are over",
            piece: { _ in Frames.reset(1) },
            failure: .resets,
            allowed: 30
        ),
        Flood(rule: "PING", piece: { _ in Frames.ping }, failure: .pings, allowed: 30),
        Flood(
            rule: "SETTINGS",
            piece: { _ in Frames.settings([(4, 65_535)]) },
            failure: .settings,
            allowed: 29
        ),
        Flood(
            rule: "PRIORITY",
            piece: { Frames.priority(2 * $0 + 1001) },
            failure: .priorities,
            allowed: 30 + 4
        ),
        Flood(
            rule: "empty DATA",
            piece: { _ in Frames.data(1, []) },
            failure: .emptyFrames,
            allowed: 30 + 4
        ),
        Flood(
            rule: "DATA of one byte",
            piece: { _ in Frames.data(1, [1]) },
            failure: .emptyFrames,
            allowed: 30 * 64 + 4
        ),
        Flood(
            rule: "DATA that is padding",
            piece: { _ in
                Frames.frame(0, Frames.padded, 1, [20] + [UInt8](repeating: 0, count: 20))
            },
            failure: .emptyFrames,
            allowed: 30 * 64 + 4
        ),
        Flood(
            rule: "frames of a type nobody knows",
            piece: { _ in Frames.frame(0xEE, 0, 0, [1, 2, 3]) },
            failure: .unknownFrames,
            allowed: 30
        ),
        Flood(
            rule: "window updates without anything sent",
            piece: { _ in Frames.window(1, 1) },
            failure: .windowUpdates,
            allowed: 30 + 128
        ),
    ]

    var limits: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.controlFrames = 30
        limits.resets = 50
        return limits
    }
}

struct FloodTests {
    /// A server that has an open request on stream 1, but for floods of requests.
    private func server(_ flood: Flood) throws -> Side {
        let server = try Side(.server, limits: flood.limits)
        server.receive(Frames.hello)
        if flood.piece(0)[3] != 1 {
            server.receive(Frames.head(1, Frames.get(), isLast: false))
        }
        if flood.rule.hasPrefix("resets of streams") {
            server.receive(Frames.reset(1))
        }
        _ = server.output()
        return server
    }

    @Test(arguments: Flood.all)
    func `a flood ends the connection, and an allowance does not`(flood: Flood) throws {
        let server = try self.server(flood)
        // One SETTINGS came with the preface, and resets may have come.
        var sent = 0
        while server.failure == nil, sent < flood.allowed * 2 + 200 {
            server.receive(flood.piece(sent))
            _ = server.output()
            sent += 1
        }
        #expect(server.failure == flood.failure)
        #expect((flood.allowed - 1...flood.allowed + 2).contains(sent - 1))
        #expect(server.isOver)
    }

    @Test(arguments: Flood.all)
    func `a flood that is not read for ends as well`(flood: Flood) throws {
        let server = try self.server(flood)
        for index in 0..<flood.allowed + 200 { server.receive(flood.piece(index)) }
        #expect(server.failure != nil)
        let last = ReadFrame.all(server.output()).last
        #expect(last?.type == 7)
        #expect(last?.payload.suffix(1) == [UInt8(HTTP2Code.enhanceYourCalm)])
        // What comes after that is swallowed.
        server.receive(flood.piece(0))
        #expect(server.log.last?.hasPrefix("failed") == true)
    }

    @Test(arguments: Flood.all)
    func `what comes slowly is no flood`(flood: Flood) throws {
        let server = try self.server(flood)
        let pause = TimeSpan.milliseconds(10_000 / Int64(min(flood.allowed, 30)) + 1)
        for index in 0..<flood.allowed * 2 {
            server.now = server.now + pause
            server.receive(flood.piece(index))
            _ = server.output()
        }
        #expect(server.failure == nil)
    }

    @Test func `answers do not pile up for a peer that never reads them`() throws {
        var limits = HTTP2Limits()
        limits.controlFrames = 10
        limits.resets = 10
        limits.streamsMax = 10
        let server = try Side(.server, limits: limits)
        server.receive(Frames.hello)
        var sent = 0
        while server.failure == nil, sent < 1000 {
            server.now = server.now + .seconds(2)
            server.receive(Frames.ping)
            sent += 1
        }
        #expect(server.failure == .queue)
        #expect(sent < 200)
    }

    @Test func `requests that were answered may be reset`() throws {
        var limits = HTTP2Limits()
        limits.resets = 10
        let server = try Side(.server, limits: limits)
        server.receive(Frames.hello)
        for index in 0..<100 {
            let id = Int32(2 * index + 1)
            server.receive(Frames.head(Int(id), Frames.get()))
            server.respond(id, "HTTP/1.1 200 OK\r\n\r\n", isLast: false)
            server.offer(id, [1, 2, 3], isLast: false)
            _ = server.output()
            server.receive(Frames.reset(Int(id)))
            #expect(server.log.last == "\(id) reset 8 peer")
        }
        #expect(server.failure == nil)
        #expect(server.streamCount == 0)
    }

    @Test(arguments: [
        (33, [("a", "")], HTTP2Failure.continuations),
        (3, [], .continuations),
        (20, [("a", String(repeating: "b", count: 16_000))], .headSize),
    ])
    func `a head in too many pieces ends the connection`(
        count: Int,
        fields: [(String, String)],
        failure: HTTP2Failure
    ) throws {
        let server = try Side(.server)
        server.receive(Frames.hello + Frames.frame(1, 0, 1, Frames.block(Frames.get())))
        let piece = Frames.continuation(1, Frames.block(fields), isEnd: false)
        for _ in 1..<count { server.receive(piece) }
        #expect(server.failure == nil || failure == .headSize)
        server.receive(piece)
        #expect(server.failure == failure)
        #expect(server.log == ["settings", "failed \(failure)"])
    }

    @Test func `a few bytes that decode to many end the connection`() throws {
        let server = try Side(.server)
        let bomb = Frames.indexed("a", String(repeating: "b", count: 3900))
        server.receive(Frames.hello + Frames.frame(1, 0, 1, Frames.block(Frames.get()) + bomb))
        #expect(server.failure == nil)
        // Each byte stands for the whole field.
        server.receive(Frames.continuation(1, [UInt8](repeating: 0xBE, count: 16_000), isEnd: true))
        #expect(server.failure == .headSize)
        let last = ReadFrame.all(server.output()).last
        #expect(last?.type == 7)
        #expect(server.isOver)
    }

    @Test func `a stream too many is refused, and the others go on`() throws {
        var limits = HTTP2Limits()
        limits.streamsMax = 2
        limits.resets = 5
        let server = try Side(.server, limits: limits)
        server.receive(Frames.hello)
        let settings = ReadFrame.all(server.output())[0]
        #expect(settings.payload.prefix(6) == [0, 3, 0, 0, 0, 2])
        server.receive(Frames.settingsAck)
        for id in [1, 3, 5, 7] { server.receive(Frames.head(id, Frames.get())) }
        #expect(server.log == ["settings", "1 request last", "3 request last"])
        let resets = ReadFrame.all(server.output()).filter { $0.type == 3 }
        #expect(resets.map(\.stream) == [5, 7])
        #expect(resets.allSatisfy { $0.payload == [0, 0, 0, 7] })
        server.respond(1, "HTTP/1.1 200 OK\r\n\r\n")
        _ = server.output()
        server.receive(Frames.head(9, Frames.get()))
        #expect(server.log.last == "9 request last")
        // Those who insist have a limit.
        for id in 0..<10 { server.receive(Frames.head(11 + 2 * id, Frames.get())) }
        #expect(server.failure == .resets)
    }

    @Test func `a peer that is no HTTP/2 client is told so`() throws {
        let server = try Side(.server)
        server.receive(octets("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        #expect(server.failure == .badPreface)
        _ = server.output()
        #expect(server.isOver)
    }

    @Test(arguments: [
        (
            "a first frame that is not SETTINGS", Frames.preface + Frames.ping,
            HTTP2Failure.protocolError
        ),
        ("DATA on stream 0", Frames.hello + Frames.data(0, [1]), .protocolError),
        ("DATA before its head", Frames.hello + Frames.data(1, [1]), .protocolError),
        (
            "a stream with an even number", Frames.hello + Frames.head(2, Frames.get()),
            .protocolError
        ),
        (
            "a frame that is too large",
            Frames.hello + Frames.frame(0xEE, 0, 0, [UInt8](repeating: 0, count: 16_385)),
            .frameSize
        ),
        (
            "a PING of seven bytes", Frames.hello + Frames.frame(6, 0, 0, [0, 0, 0, 0, 0, 0, 0]),
            .frameSize
        ),
        (
            "a head that HPACK cannot read",
            Frames.hello + Frames.frame(1, 5, 1, [0xFF, 0xFF, 0xFF]), .compression
        ),
        ("a window beyond 2^31", Frames.hello + Frames.window(0, 0x7FFF_FFFF), .flowControl),
        (
            "a frame between the pieces of a head",
            Frames.hello + Frames.frame(1, 0, 1, Frames.block(Frames.get())) + Frames.ping,
            .protocolError
        ),
        (
            "a push from a client", Frames.hello + Frames.frame(5, 4, 1, [0, 0, 0, 2]),
            .protocolError
        ),
    ])
    func `a connection that broke the protocol says why it ends`(
        rule: String,
        bytes: [UInt8],
        failure: HTTP2Failure
    ) throws {
        let server = try Side(.server)
        server.receive(bytes)
        let last = ReadFrame.all(server.output()).last
        #expect(server.failure == failure)
        #expect(last?.type == 7)
        #expect(last?.payload.dropFirst(4).prefix(4) == [0, 0, 0, UInt8(failure.code)])
        #expect(server.isOver)
    }
}

/// Honest peers that send much of what floods are made of.
struct HonestTests {
    private var limits: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.controlFrames = 10
        limits.resets = 10
        return limits
    }

    @Test func `gRPC measures the line, opens windows in small steps and sends small messages`()
        throws
    {
        let server = try Side(.server, limits: self.limits)
        server.receive(Frames.hello)
        for index in 0..<500 {
            let id = Int32(2 * index + 1)
            server.receive(Frames.head(Int(id), Frames.get(), isLast: false))
            server.receive(Frames.data(Int(id), [0, 0, 0, 0, 0]))
            server.receive(Frames.data(Int(id), [], isLast: true))
            server.respond(id, "HTTP/1.1 200 OK\r\n\r\n", isLast: false)
            server.offer(id, [UInt8](repeating: 0, count: 100), isLast: true, trailers: true)
            server.session.submitTrailers(
                try #require(server.streams[id]),
                lines: octets("grpc-status: 0\r\n").span
            )
            _ = server.output()
            server.receive(Frames.window(0, 100) + Frames.ping)
        }
        #expect(server.failure == nil)
        #expect(server.streamCount == 0)
    }

    @Test func `browsers order their requests anew, and stop reading answers`() throws {
        let server = try Side(.server, limits: self.limits)
        server.receive(Frames.hello)
        for index in 0..<500 {
            let id = 2 * index + 1
            server.receive(Frames.head(id, Frames.get()) + Frames.priority(id))
            server.receive(Frames.frame(16, 0, 0, [0, 0, 0, UInt8(id & 127)] + octets("u=1")))
            server.respond(Int32(id), "HTTP/1.1 200 OK\r\n\r\n", isLast: false)
            _ = server.output()
            server.receive(Frames.reset(id))
        }
        #expect(server.failure == nil)
    }

    @Test func `events that were left are handled before more is read`() throws {
        let server = try Side(.server)
        let bytes = Frames.hello + Frames.head(1, Frames.get()) + Frames.head(3, Frames.get())
        let now = server.now
        let first = server.session.receive(bytes.span, from: 0, now: now)
        #expect(first == bytes.count - Frames.head(3, Frames.get()).count)
        let waiting = server.session.receive(bytes.span, from: first, now: now)
        #expect(waiting == 0)
        server.handleEvents()
        server.receive(Array(bytes[first...]))
        #expect(server.log == ["settings", "1 request last", "3 request last"])
    }
}
