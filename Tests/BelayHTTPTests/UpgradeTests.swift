import BelayBytes
import BelayHTTP
import Testing

/// What a request wants to become, and which pages may ask for it.
@Suite struct UpgradeTests {
    /// Parses a request with these lines, behind bytes of another, and asks about it.
    private func ask<Answer>(
        _ lines: [String],
        _ question: (borrowing FieldList, borrowing Span<UInt8>, Int) -> Answer
    ) throws -> Answer {
        let front = "previous message"
        let head = (["GET /ws HTTP/1.1", "Host: a"] + lines + ["", ""]).joined(separator: "\r\n")
        let bytes = Array((front + head).utf8)
        var fields = FieldList(capacity: 16)
        _ = try RequestHead.parse(
            bytes.span,
            from: front.utf8.count,
            length: head.utf8.count,
            into: &fields
        )
        return question(fields, bytes.span, front.utf8.count)
    }

    @Test(arguments: [
        (["Upgrade: websocket"], UpgradeWish.webSocket),
        (["Upgrade: WebSocket"], .webSocket),
        (["UPGRADE:websocket "], .webSocket),
        (["Upgrade: chat, websocket"], .webSocket),
        (["Upgrade: chat", "Upgrade: websocket"], .webSocket),
        (["Upgrade: websocket/13"], .other),
        (["Upgrade: xwebsocket"], .other),
        (["Upgrade: chat"], .other),
        (["Upgrade: h2c"], .http2),
        (["Upgrade: H2C"], .http2),
        (["Upgrade: h2"], .http2),
        (["Upgrade: websocket, h2c"], .http2),
        (["Upgrade: h2c, websocket"], .http2),
        (["Upgrade: websocket", "Upgrade: h2c"], .http2),
        (["Upgrade: h2c2"], .other),
        (["Upgrade: h3"], .other),
        (["X-Upgrade: h2c"], .other),
        ([], .other),
    ])
    func `what the Upgrade fields want`(lines: [String], want: UpgradeWish) throws {
        #expect(try self.ask(lines) { upgradeWish($0, in: $1, from: $2) } == want)
    }

    private static let exact = OriginRule(
        scheme: "https",
        host: "shop.example.com",
        isSuffix: false,
        port: nil
    )
    private static let below = OriginRule(
        scheme: "https",
        host: ".example.com",
        isSuffix: true,
        port: nil
    )
    private static let port = OriginRule(
        scheme: "http",
        host: "localhost",
        isSuffix: false,
        port: 8080
    )
    private static let portBelow = OriginRule(
        scheme: "https",
        host: ".example.com",
        isSuffix: true,
        port: 8443
    )

    private func may(_ rules: [OriginRule], _ origins: [String]) throws -> Bool {
        try self.ask(origins.map { "Origin: \($0)" }) { mayOpen(rules, $0, in: $1, from: $2) }
    }

    @Test(arguments: [
        ("https://shop.example.com", true),
        ("HTTPS://Shop.Example.COM", true),
        ("http://shop.example.com", false),
        ("https://shop.example.com:443", false),
        ("https://shop.example.com:8443", false),
        ("https://shop.example.com.", false),
        ("https://shop.example.com/", false),
        ("https://shop.example.com.evil.test", false),
        ("https://evil.test/https://shop.example.com", false),
        ("https://evilshop.example.com", false),
        ("https://a.shop.example.com", false),
        ("https://shop.example.co", false),
        ("https://user@shop.example.com", false),
        ("https://shop.example.com https://evil.test", false),
        ("https:/shop.example.com", false),
        ("//shop.example.com", false),
        ("shop.example.com", false),
        ("https://", false),
        ("null", false),
        ("", false),
    ])
    func `a page of exactly this origin may`(origin: String, may: Bool) throws {
        #expect(try self.may([Self.exact], [origin]) == may)
    }

    @Test(arguments: [
        ("https://a.example.com", true),
        ("https://a.b.example.com", true),
        ("HTTPS://A.Example.Com", true),
        ("https://example.com", false),
        ("https://.example.com", false),
        ("https://aexample.com", false),
        ("https://a.example.com.evil.test", false),
        ("https://evil.test/.example.com", false),
        ("https://evil.test?.example.com", false),
        ("https://evil.test#.example.com", false),
        ("https://evil.test:80.example.com", false),
        ("https://a@b.example.com", false),
        ("https://evil.test https://a.example.com", false),
        ("https://a.example.com:8443", false),
        ("http://a.example.com", false),
        ("null", false),
    ])
    func `a page below a host may`(origin: String, may: Bool) throws {
        #expect(try self.may([Self.below], [origin]) == may)
    }

    @Test(arguments: [
        ("http://localhost:8080", true),
        ("http://LOCALHOST:8080", true),
        ("http://localhost", false),
        ("http://localhost:80", false),
        ("http://localhost:80800", false),
        ("http://localhost:18080", false),
        ("https://localhost:8080", false),
        ("https://a.example.com:8443", true),
        ("https://a.b.example.com:8443", true),
        ("https://a.example.com", false),
        ("https://a.example.com:443", false),
        ("https://a.example.com:1:8443", false),
        ("https://example.com:8443", false),
    ])
    func `a port is asked for where the rule has one`(origin: String, may: Bool) throws {
        #expect(try self.may([Self.port, Self.portBelow], [origin]) == may)
    }

    @Test func `each Origin field must be allowed, and none need be there`() throws {
        let rules = [Self.exact, Self.port]
        let (good, other) = ("https://shop.example.com", "http://localhost:8080")
        #expect(try self.may(rules, []))
        #expect(try self.may([], []))
        #expect(try !self.may([], [good]))
        #expect(try self.may(rules, [other]))
        #expect(try self.may(rules, [good, other]))
        #expect(try !self.may(rules, [good, "https://evil.test"]))
        #expect(try !self.may(rules, ["https://evil.test", good]))
    }

    @Test(arguments: ["ORIGIN", "origin", "oRiGiN"])
    func `the field's name may be written in any case`(name: String) throws {
        let may = try self.ask(["\(name): https://evil.test"]) {
            mayOpen([Self.exact], $0, in: $1, from: $2)
        }
        #expect(!may)
    }

    @Test(arguments: ["X-Origin", "Origins", "Origi"])
    func `other fields are none of its business`(name: String) throws {
        let may = try self.ask(["\(name): https://evil.test"]) {
            mayOpen([Self.exact], $0, in: $1, from: $2)
        }
        #expect(may)
    }
}
