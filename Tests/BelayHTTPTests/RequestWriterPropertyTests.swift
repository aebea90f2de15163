import BelayBytes
import BelayCore
import BelayHTTP
import Testing

/// Random requests, written and read again.
struct RequestWriterPropertyTests {
    private static let pieces = [
        "Connection: close", "Connection: X-Hop, te", "Connection: upgrade", "X-Hop: 1",
        "Keep-Alive: 5", "Proxy-Connection: x", "TE: trailers", "TE: gzip", "Upgrade: websocket",
        "Cookie: belay=1; a=2", "Cookie: belay=1", "Cookie: z=;belay=3", "Accept: */*",
        "X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4", "Via: 1.0 x", "Trailer: X-Sum",
        "X-Custom:odd", "X-Wide:   v  ", "X-Empty:", "Cache-Control: no-cache", "Proxy: x",
        "X-Real-IP: 9.9.9.9", "Expect: 100-continue", "Date: x", "Set-Cookie: a",
    ]
    private static let bodies: [([String], BodyFraming)] = [
        ([], .none), (["Content-Length: 5"], .length(5)), (["Content-Length: 0"], .length(0)),
        (["Transfer-Encoding: chunked"], .chunked),
    ]
    private static let targets = ["/", "/a?b", "http://shop.example/c?d", "http://shop.example"]

    @Test func `what is written means the same and nothing of the connection goes on`() throws {
        var random = RandomSource(seed: 2_026)
        for round in 0..<3_000 {
            let body = Self.bodies[random.below(Self.bodies.count)]
            let method = ["GET", "POST", "OPTIONS", "BREW"][random.below(4)]
            let target = Self.targets[random.below(Self.targets.count)]
            var request = ["Host: shop.example"] + body.0
            for _ in 0..<random.below(12) {
                request.append(Self.pieces[random.below(Self.pieces.count)])
            }
            request.shuffle(using: &random)
            var rules = ForwardingRules.adding(
                xForwarded: random.below(2) == 0,
                forwarded: random.below(2) == 0,
                via: random.below(2) == 0 ? "belay" : nil
            )
            rules.bindingCookie = random.below(2) == 0 ? InternedText("belay") : nil
            let written = try forwarded(
                ["\(method) \(target) HTTP/1.1"] + request,
                rules: rules,
                facts: random.below(2) == 0 ? .direct : .trusted
            )
            try Self.check(
                written,
                method,
                body.1,
                endsHop: request.contains("Connection: X-Hop, te"),
                cuts: rules.bindingCookie != nil,
                round
            )
            // Writing what was written changes nothing more.
            #expect(try forwarded(written, facts: .trusted) == written, "round \(round)")
        }
    }

    private static func check(
        _ written: [String],
        _ method: String,
        _ framing: BodyFraming,
        endsHop: Bool,
        cuts: Bool,
        _ round: Int
    ) throws {
        let bytes = Array((written + ["", ""]).joined(separator: "\r\n").utf8)
        var fields = FieldList(capacity: 64)
        let head = try RequestHead.parse(bytes.span, from: 0, length: bytes.count, into: &fields)
        let comment: Comment = "round \(round): \(written)"
        #expect(written[0].hasPrefix(method + " "), comment)
        #expect(written[1] == "Host: shop.example", comment)
        #expect(head.form == (written[0].contains(" * ") ? .asterisk : .origin), comment)
        #expect(head.keepsAlive && !head.wantsUpgrade, comment)
        #expect(
            head.framing == framing
                || (framing == .none && method == "POST" && head.framing == .length(0)),
            comment
        )
        for index in 0..<fields.count {
            let line = fields[index]
            let value = String(decoding: bytes[line.value], as: UTF8.self)
            switch line.id {
            case .keepAlive, .proxyConnection, .upgrade: Issue.record(comment)
            case .connection: #expect(value == "TE", comment)
            case .te: #expect(value == "trailers", comment)
            case .other:
                let name = String(decoding: bytes[line.name], as: UTF8.self)
                #expect(name != "X-Hop" || !endsHop, comment)
                #expect(name != "Proxy", comment)
            case .host, .contentLength, .transferEncoding, .trailer, .expect, .forwarded,
                .xForwardedFor, .xForwardedProto, .xForwardedHost, .via, .cookie, .setCookie,
                .cacheControl, .date, .accept, .expires, .authorization:
                break
            }
        }
        if cuts {
            let name = InternedText("belay")
            let left = findCookie(named: name.bytes, fields, in: bytes.span, from: 0).count
            #expect(left == 0, comment)
        }
    }
}
