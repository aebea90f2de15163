import BelayBytes
import BelayCore
import BelayHTTP
import BelayHTTP2
import BelayProxy
import BelayTelemetry
import Foundation
import Testing

/// A frame of a WebSocket (RFC 6455 §5.2), written and read without BelayHTTP.
private struct Frame: Equatable {
    var code: UInt8
    var payload: [UInt8]
    var isMasked = false

    static func text(_ text: String, isMasked: Bool = false) -> Frame {
        Frame(code: 1, payload: Array(text.utf8), isMasked: isMasked)
    }

    static func close(_ code: UInt16, _ reason: String = "", isMasked: Bool = false) -> Frame {
        let number = [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)]
        return Frame(code: 8, payload: number + Array(reason.utf8), isMasked: isMasked)
    }

    var bytes: [UInt8] {
        let flag: UInt8 = self.isMasked ? 0x80 : 0
        let count = self.payload.count
        var bytes: [UInt8] = [0x80 | self.code]
        switch count {
        case ..<126: bytes.append(flag | UInt8(count))
        case ..<65_536: bytes += [flag | 126, UInt8(count >> 8), UInt8(count & 255)]
        default:
            bytes.append(flag | 127)
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
        }
        guard self.isMasked else { return bytes + self.payload }
        let key: [UInt8] = [1, 2, 3, 4]
        return bytes + key + self.payload.enumerated().map { $1 ^ key[$0 & 3] }
    }

    /// The whole frames at the beginning.
    static func all(_ bytes: [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var rest = bytes[...]
        while rest.count >= 2 {
            let start = rest.startIndex
            let isMasked = rest[start + 1] & 0x80 != 0
            var size = Int(rest[start + 1] & 0x7F)
            var head = 2
            if size >= 126 {
                head = size == 126 ? 4 : 10
                guard rest.count >= head else { break }
                size = rest[(start + 2)..<(start + head)].reduce(0) { $0 << 8 | Int($1) }
            }
            let place = start + head + (isMasked ? 4 : 0)
            guard rest.endIndex >= place + size else { break }
            let key = Array(rest[(start + head)..<place])
            let payload = rest[place..<(place + size)].enumerated().map {
                isMasked ? $1 ^ key[$0 & 3] : $1
            }
            frames.append(
                Frame(code: rest[start] & 15, payload: payload, isMasked: isMasked)
            )
            rest = rest[(place + size)...]
        }
        return frames
    }
}

@Suite struct WebSocketTests {
    private static func setup(_ server: Version = .http1) -> Setup {
        var setup = Setup()
        setup.speaksHTTP2 = server == .http2
        return setup
    }

    private func status(_ stage: Stage, _ end: End) throws -> Int {
        switch end {
        case .text(let slot): return try stage.message(slot).status
        case .frames(let talker, let id): return stage.whole(talker, id).status
        }
    }

    // MARK: Bytes

    @Test(arguments: Version.pairs)
    func `frames pass both ways, from version to version`(
        client: Version,
        server: Version
    ) throws {
        let stage = try Stage(Self.setup(server))
        let ends = try stage.socket(client, server)
        for size in [0, 5, 126, 70_000, 1_000_000] {
            let up = Frame(code: 2, payload: Array(repeating: 9, count: size), isMasked: true)
            let down = Frame(code: 2, payload: Array(repeating: 7, count: size))
            let (above, below) = (stage.heard(ends.client).count, stage.heard(ends.server).count)
            stage.say(ends.client, up.bytes)
            stage.say(ends.server, down.bytes)
            stage.wait("\(size) bytes arrive on both sides") {
                stage.heard(ends.client).count == above + down.bytes.count
                    && stage.heard(ends.server).count == below + up.bytes.count
            }
            #expect(Frame.all(stage.heard(ends.server)).last == up)
            #expect(Frame.all(stage.heard(ends.client)).last == down)
        }
    }

    @Test(arguments: Version.pairs, [true, false])
    func `one side finishes, then the other, and nothing is left`(
        versions: (client: Version, server: Version),
        clientFirst: Bool
    ) throws {
        let stage = try Stage(Self.setup(versions.server))
        for _ in 0..<3 {
            let ends = try stage.socket(versions.client, versions.server)
            let (early, late) =
                clientFirst ? (ends.client, ends.server) : (ends.server, ends.client)
            stage.say(early, Frame.close(1000, isMasked: clientFirst).bytes)
            stage.finish(early)
            stage.wait("the end arrives") { stage.isOver(late) }
            #expect(!stage.isCut(late))
            stage.say(late, Frame.close(1000, isMasked: !clientFirst).bytes)
            stage.finish(late)
            stage.wait("the other end arrives") { stage.isOver(early) }
            #expect(!stage.isCut(early))
            #expect(Frame.all(stage.heard(early)) == [.close(1000, isMasked: !clientFirst)])
        }
        stage.waitUntilFree()
        let side = clientFirst ? "client" : "server"
        #expect(stage.metric("belay_tunnels_closed_total{reason=\"\(side)\"}") == 3)
        for talker in stage.talkers.values { #expect(talker.openStreams == 0) }
    }

    @Test(arguments: Version.pairs, [true, false])
    func `a cut goes through to the other side`(
        versions: (client: Version, server: Version),
        cutsClient: Bool
    ) throws {
        let stage = try Stage(Self.setup(versions.server))
        let ends = try stage.socket(versions.client, versions.server)
        stage.leave(cutsClient ? ends.client : ends.server)
        let other = cutsClient ? ends.server : ends.client
        stage.wait("the other side learns of it") { stage.isOver(other) }
        stage.waitUntilFree()
    }

    @Test func `a server of HTTP/2 that opens no WebSockets is not asked to`() throws {
        let stage = try Stage(Self.setup(.http2))
        stage.takesSockets = false
        let client = try stage.askForSocket(.http1)
        #expect(try self.status(stage, client) == 502)
        stage.waitUntilFree()
    }

    @Test func `the wish for HTTP/2 ends here`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(
            client,
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        )
        let (server, request) = try stage.request()
        #expect(request.value("upgrade") == nil)
        #expect(request.value("http2-settings") == nil)
        stage.send(
            server,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                + "Upgrade: h2c\r\n\r\n"
        )
        #expect(try stage.message(client).status == 502)
    }

    // MARK: Gates

    @Test(
        arguments: [
            ("", true), ("Origin: https://shop.example\r\n", true),
            ("Origin: https://a.b.example\r\n", true), ("Origin: http://shop.example\r\n", false),
            ("Origin: https://evil.example\r\n", false), ("Origin: null\r\n", false),
            ("Origin: https://shop.example\r\nOrigin: https://evil.example\r\n", false),
        ],
        Version.allCases
    )
    func `pages of other origins open none`(
        origin: (fields: String, may: Bool),
        version: Version
    ) throws {
        var setup = Setup()
        setup.origins = [
            OriginRule(scheme: "https", host: "shop.example", isSuffix: false, port: nil),
            OriginRule(scheme: "https", host: ".b.example", isSuffix: true, port: nil),
        ]
        let stage = try Stage(setup)
        let end = try stage.askForSocket(version, fields: origin.fields)
        if origin.may {
            stage.openSocket(try stage.askedForSocket(.http1))
            stage.wait("it opens") { stage.metric("belay_tunnels_open") == 1 }
        } else {
            #expect(try self.status(stage, end) == 403)
            stage.settle()
            #expect(stage.metric("belay_tunnels_refused_total{reason=\"origin\"}") == 1)
        }
        // What is no tunnel is nobody's business.
        let client = try stage.connect()
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n")
        stage.reply(.text(try stage.request().slot))
        #expect(try stage.message(client).status == 200)
    }

    @Test(arguments: Version.allCases)
    func `a client has as many as it may have`(version: Version) throws {
        var setup = Setup()
        setup.limits.tunnelsPerClient = 2
        let stage = try Stage(setup)
        let first = try stage.socket(version, .http1)
        // One that is refused by the server does not count.
        let refused = try stage.askForSocket(version)
        if case .text(let slot) = try stage.askedForSocket(.http1) {
            stage.send(slot, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
        }
        #expect(try self.status(stage, refused) == 404)
        _ = try stage.socket(version, .http1)
        #expect(try self.status(stage, try stage.askForSocket(version)) == 429)
        stage.leave(first.client)
        stage.watch("one has gone") { stage.metric("belay_tunnels_open") == 1 }
        _ = try stage.socket(version, .http1)
        #expect(stage.metric("belay_tunnels_refused_total{reason=\"client-limit\"}") == 1)
    }

    @Test(arguments: Version.allCases)
    func `servers have as many as they may have`(version: Version) throws {
        var setup = Self.setup(version)
        setup.servers = 2
        setup.adjustPool = { $0.tunnelsPerServer = 1 }
        let stage = try Stage(setup)
        let ends = [try stage.socket(.http1, version), try stage.socket(.http1, version)]
        #expect(stage.plan.pools[0].tunnels.load(0, 0) == 1)
        #expect(stage.plan.pools[0].tunnels.load(1, 0) == 1)
        #expect(try self.status(stage, try stage.askForSocket(.http1)) == 503)
        stage.leave(ends[0].client)
        stage.watch("one has gone") { stage.metric("belay_tunnels_open") == 1 }
        _ = try stage.socket(.http1, version)
        // Others are not in their way.
        let asker = try stage.ask(.http1)
        stage.reply(try stage.asked(version).0)
        #expect(try stage.answer(asker).status == 200)
    }

    @Test func `a server that had closed its idle connection keeps its limit`() throws {
        var setup = Setup()
        setup.adjustPool = { $0.tunnelsPerServer = 1 }
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let idle = try stage.request().slot
        stage.reply(.text(idle))
        #expect(try stage.message(client).status == 200)
        let asker = try stage.askForSocket(.http1)
        guard case .text(let same) = try stage.askedForSocket(.http1) else { return }
        #expect(same == idle)
        stage.close(same)
        stage.openSocket(try stage.askedForSocket(.http1))
        #expect(try self.status(stage, asker) == 101)
        #expect(stage.plan.pools[0].tunnels.load(0, 0) == 1)
        #expect(try self.status(stage, try stage.askForSocket(.http1)) == 503)
    }

    // MARK: The end of Belay

    // Limit: the turn of a tunnel comes within the second half of it.
    private static let time = TimeSpan.seconds(4)

    @Test(arguments: [(Version.http1, Version.http1), (.http2, .http2)])
    func `at a graceful stop both sides get a close frame, and may answer it`(
        client: Version,
        server: Version
    ) throws {
        let stage = try Stage(Self.setup(server))
        let ends = try stage.socket(client, server)
        stage.post(.stop(within: Self.time))
        stage.wait("both get one") {
            !stage.heard(ends.client).isEmpty && !stage.heard(ends.server).isEmpty
        }
        #expect(Frame.all(stage.heard(ends.client)) == [.close(1012, "restart")])
        #expect(Frame.all(stage.heard(ends.server)) == [.close(1012, "restart", isMasked: true)])
        // What comes meanwhile is passed over.
        stage.say(ends.server, Frame.text("late").bytes + Frame.close(1012).bytes)
        stage.finish(ends.server)
        stage.wait("the client's side ends") { stage.isOver(ends.client) }
        stage.say(ends.client, Frame.close(1012, isMasked: true).bytes)
        stage.finish(ends.client)
        stage.wait("the server's side ends") { stage.isOver(ends.server) }
        #expect(Frame.all(stage.heard(ends.client)).count == 1)
        #expect(Frame.all(stage.heard(ends.server)).count == 1)
        stage.join()
        #expect(stage.metric("belay_tunnels_closed_total{reason=\"drained\"}") == 1)
    }

    @Test(arguments: [(Version.http1, Version.http1), (.http2, .http2)], [true, false])
    func `a frame that is half on its way is whole before the close frame`(
        versions: (client: Version, server: Version),
        fromClient: Bool
    ) throws {
        let stage = try Stage(Self.setup(versions.server))
        let ends = try stage.socket(versions.client, versions.server)
        let (from, to) = fromClient ? (ends.client, ends.server) : (ends.server, ends.client)
        let frame = Frame.text("a text of some length", isMasked: fromClient)
        // Far more than a block holds; the sockets' buffers grow by it.
        let much = Frame(code: 2, payload: Array(repeating: 5, count: 2_000_000)).bytes
        let before = much.count
        stage.say(from, much)
        stage.say(from, Array(frame.bytes.prefix(9)))
        stage.wait("the half arrives") { stage.heard(to).count == before + 9 }
        stage.post(.stop(within: Self.time))
        stage.wait("the other direction's turn comes") { !stage.heard(from).isEmpty }
        #expect(Frame.all(stage.heard(from)) == [.close(1012, "restart", isMasked: !fromClient)])
        #expect(stage.heard(to).count == before + 9)
        stage.whileHeld { stage.say(from, Array(frame.bytes.dropFirst(9)) + much) }
        let close = Frame.close(1012, "restart", isMasked: fromClient)
        stage.wait("the rest arrives, and a close frame") {
            stage.isOver(to)
                || stage.heard(to).count >= before + frame.bytes.count + close.bytes.count
        }
        stage.settle()
        stage.poll()
        #expect(Frame.all(Array(stage.heard(to).dropFirst(before))) == [frame, close])
    }

    @Test func `a tunnel of something else ends without a word`() throws {
        let stage = try Stage()
        let client = try stage.connect()
        stage.send(
            client,
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
        )
        let (server, _) = try stage.request()
        stage.send(
            server,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhi"
        )
        #expect(try stage.message(client).status == 101)
        stage.post(.stop(within: .seconds(1)))
        stage.end(client)
        stage.end(server)
        #expect(stage.text(client) == "hi")
        #expect(!stage[client].isCut)
        #expect(stage.text(server) == "")
        stage.join()
        #expect(stage.metric("belay_tunnels_closed_total{reason=\"drained\"}") == 1)
    }

    // MARK: The log

    @Test(arguments: Version.allCases)
    func `a tunnel's opening and its end are written down`(version: Version) throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("belay-log-\(UUID().uuidString)").path
        let sink = try LogSink(target: .file(path), workers: 1)
        var setup = Setup()
        setup.log = sink
        let stage = try Stage(setup)
        let ends = try stage.socket(version, .http1)
        stage.say(ends.client, Frame.close(4001, isMasked: true).bytes)
        stage.finish(ends.client)
        stage.wait("the end arrives") { stage.isOver(ends.server) }
        stage.say(ends.server, Frame.close(4001).bytes)
        stage.finish(ends.server)
        stage.wait("the other end arrives") { stage.isOver(ends.client) }
        stage.waitUntilFree()
        stage.post(.stopNow)
        stage.join()
        #expect(sink.stop())
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        try #require(lines.count == 2)
        #expect(lines[0].contains("\"path\":\"/ws\""))
        #expect(!lines[0].contains("\"ending\""))
        #expect(lines[1].contains("\"path\":\"/ws\""))
        #expect(lines[1].contains("\"ending\":\"tunnel-closed\""))
        #expect(lines[1].contains("4001"))
        for line in lines {
            #expect(line.contains("\"status\":101"))
            #expect(line.contains("\"server\":\"server0\""))
        }
        try FileManager.default.removeItem(atPath: path)
    }
}
