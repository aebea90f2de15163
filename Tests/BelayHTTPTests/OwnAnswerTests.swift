import BelayBytes
import BelayHTTP
import Testing

/// Answers of Belay's own beside the error pages.
@Suite struct OwnAnswerTests {
    private static let date = "Sun, 06 Nov 1994 08:49:37 GMT"

    /// Parses a request that stands behind bytes of another.
    private func parse<Answer>(
        _ text: String,
        _ then: (RequestHead, borrowing FieldList, borrowing Span<UInt8>, Int) -> Answer
    ) throws -> Answer {
        let front = "previous message"
        let bytes = Array((front + text).utf8)
        var fields = FieldList(capacity: 16)
        let head = try RequestHead.parse(
            bytes.span,
            from: front.utf8.count,
            length: text.utf8.count,
            into: &fields
        )
        return then(head, fields, bytes.span, front.utf8.count)
    }

    private func redirect(
        _ request: String,
        port: UInt16 = 443,
        closes: Bool = false
    ) throws -> (status: UInt16, lines: [String]) {
        try self.parse(request) { head, _, bytes, start in
            var out = ByteWriter(capacity: 4096)
            let date = Array(Self.date.utf8)
            let status = writeRedirect(
                head,
                in: bytes,
                from: start,
                port: port,
                closes: closes,
                date: date.span,
                into: &out
            )
            return (status, headLines(of: out))
        }
    }

    @Test(arguments: [
        ("GET /a/b?c=d HTTP/1.1\r\nHost: shop.example", UInt16(443), "shop.example/a/b?c=d"),
        ("GET / HTTP/1.1\r\nHost: Shop.Example", 443, "Shop.Example/"),
        ("GET / HTTP/1.1\r\nHost: a:80", 443, "a/"),
        ("GET / HTTP/1.1\r\nHost: a:8080", 8443, "a:8443/"),
        ("GET / HTTP/1.1\r\nHost: a", 1, "a:1/"),
        ("GET / HTTP/1.1\r\nHost: a", 65535, "a:65535/"),
        ("GET / HTTP/1.1\r\nHost: 192.0.2.1:80", 443, "192.0.2.1/"),
        ("GET / HTTP/1.1\r\nHost: [2001:db8::1]", 443, "[2001:db8::1]/"),
        ("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80", 443, "[2001:db8::1]/"),
        ("GET / HTTP/1.1\r\nHost: [2001:db8::80]", 8443, "[2001:db8::80]:8443/"),
        ("GET http://a/x?y HTTP/1.1\r\nHost: a", 443, "a/x?y"),
        ("GET http://a:81/x HTTP/1.1\r\nHost: a:81", 444, "a:444/x"),
        ("GET http://a HTTP/1.1\r\nHost: a", 443, "a/"),
        ("GET http://a?b HTTP/1.1\r\nHost: a", 443, "a?b"),
        ("OPTIONS * HTTP/1.1\r\nHost: a", 443, "a/"),
        ("GET //evil.test/ HTTP/1.1\r\nHost: a", 443, "a//evil.test/"),
        ("GET / HTTP/1.0\r\nHost: a", 443, "a/"),
    ])
    func `the way to https keeps host and target`(
        request: String,
        port: UInt16,
        location: String
    ) throws {
        for closes in [false, true] {
            let answer = try self.redirect(request + "\r\n\r\n", port: port, closes: closes)
            #expect(answer.status == 308)
            #expect(
                answer.lines == [
                    "HTTP/1.1 308 Permanent Redirect", "Date: \(Self.date)",
                    "Location: https://\(location)", "Content-Length: 0",
                ] + (closes ? ["Connection: close"] : [])
            )
        }
    }

    @Test func `who names no host is told so`() throws {
        let answer = try self.redirect("GET / HTTP/1.0\r\n\r\n")
        #expect(answer.status == 400)
        #expect(answer.lines.first == "HTTP/1.1 400 Bad Request")
        #expect(answer.lines.contains("Connection: close"))
    }

    // MARK: gRPC

    @Test(arguments: [
        (UInt16(400), 13), (401, 16), (403, 7), (404, 12), (405, 12), (408, 4), (413, 8),
        (429, 14), (431, 13), (500, 2), (501, 2), (502, 14), (503, 14), (504, 14),
    ])
    func `an error in gRPC's words is a 200 with a code`(status: UInt16, code: Int) {
        var out = ByteWriter(capacity: 1024)
        writeGRPCAnswer(status: status, sentence: "Nothing is there.", into: &out)
        #expect(
            headLines(of: out) == [
                "HTTP/1.1 200 OK", "Content-Type: application/grpc", "Grpc-Status: \(code)",
                "Grpc-Message: Nothing is there.",
            ]
        )
    }

    @Test(arguments: [
        ("Content-Type: application/grpc", true),
        ("content-type: application/grpc+proto", true),
        ("CONTENT-TYPE: Application/GRPC; x=y", true),
        ("Content-Type: application/json", false),
        ("Content-Type: application/grp", false),
        ("Content-Type: text/application/grpc", false),
        ("Content-Type:", false),
        ("X-Content-Type: application/grpc", false),
        ("Accept: application/grpc", false),
    ])
    func `a request of gRPC is known by its type`(line: String, isOne: Bool) throws {
        let text = "POST /a.B/C HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n"
        let known = try self.parse(text) { _, fields, bytes, start in
            fields.announceGRPC(in: bytes, from: start)
        }
        #expect(known == isOne)
    }

    // MARK: Written heads

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\n", true),
        ("HTTP/1.1 200 OK\r\nA: b\r\nstrict-transport-SECURITY:max-age=1\r\n", true),
        ("HTTP/1.1 200 OK\r\nA: b\r\n", false),
        ("HTTP/1.1 200 OK\r\nX-Strict-Transport-Security: a\r\n", false),
        ("HTTP/1.1 200 OK\r\nStrict-Transport-Security-Not: a\r\n", false),
        ("HTTP/1.1 200 OK\r\nA: strict-transport-security: b\r\n", false),
        ("HTTP/1.1 200 strict-transport-security: b\r\n", false),
        ("HTTP/1.1 200 OK\r\nstrict-transport-security", false),
        ("HTTP/1.1 200 OK\r\nstrict", false),
        ("", false),
    ])
    func `a field that was written is found by its name`(head: String, isThere: Bool) {
        #expect(Array(head.utf8).span.hasField("strict-transport-security") == isThere)
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\n\r\n", 19), ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", 25),
        ("HTTP/1.1 200 OK\r\nA: b\r\n\r\n\r\n\r\n", 25), ("HTTP/1.1 200 OK\r\nA: b\r\n", 23),
        ("no line", 7), ("", 0),
    ])
    func `a head ends behind its empty line`(text: String, end: Int) {
        #expect(Array(text.utf8).span.endOfHead == end)
    }
}
