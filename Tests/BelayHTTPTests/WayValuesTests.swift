import BelayBytes
import BelayHTTP
import Testing

/// The values by which clients are known again, where they stand in a head.
@Suite struct WayValuesTests {
    private func text(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> String {
        String(decoding: range.map { bytes[$0] }, as: UTF8.self)
    }

    @Test(
        arguments: [
            ([], nil),
            (["Mcp-Session-Id: a"], "a"), (["mcp-session-id:a"], "a"),
            (["MCP-SESSION-ID:   a b  "], "a b"), (["Mcp-Session-Id:"], ""),
            (["X: y", "Mcp-Session-Id: 1", "Mcp-Session-Id: 2"], "1"),
            (["Mcp-Session-Idx: a", "Mcp-Session-I: b", "XMcp-Session-Id: c"], nil),
            (["Mcp_Session_Id: a"], nil),
        ] as [([String], String?)]
    )
    func `a header is found by its name in whichever case, the first of several`(
        fields: [String],
        want: String?
    ) throws {
        try fieldList(fields) { list, bytes in
            let line = list.first(named: InternedText("mcp-session-id"), in: bytes, from: 0)
            #expect(line.map { self.text(bytes, $0.value) } == want)
        }
    }

    @Test(
        arguments: [
            ("/a?b=c", "/a", "b=c"), ("/a", "/a", ""), ("/a?", "/a", ""), ("/?a?b", "/", "a?b"),
            ("/a%3Fb?c", "/a%3Fb", "c"), ("http://b/c?d=e", "/c", "d=e"),
            ("http://b?d=e", "", "d=e"), ("/;x=?;y", "/;x=", ";y"),
        ]
    )
    func `the query stands behind the first question mark`(
        target: String,
        path: String,
        query: String
    ) throws {
        // Bytes in front, because a head rarely begins a connection's buffer.
        let bytes = Array("front?GET \(target) HTTP/1.1\r\nHost: b\r\n\r\n".utf8)
        var fields = FieldList(capacity: 8)
        let head = try RequestHead.parse(
            bytes.span,
            from: 6,
            length: bytes.count - 6,
            into: &fields
        )
        #expect(self.text(bytes.span, head.pathOnly(in: bytes.span, from: 6)) == path)
        #expect(self.text(bytes.span, head.query(in: bytes.span, from: 6)) == query)
    }

    @Test(
        arguments: [
            ("Bearer abc", "abc"), ("bearer abc", "abc"), ("BEARER   abc", "abc"),
            ("abc", "abc"), ("Basic abc", "Basic abc"), ("Bearer", "Bearer"), ("Bearer ", ""),
            ("Bearerabc", "Bearerabc"), ("", ""), ("Bearer\tabc", "Bearer\tabc"),
        ]
    )
    func `a token stands behind its scheme`(value: String, want: String) {
        let bytes = Array("x\(value)y".utf8)
        let range = bearerToken(1..<bytes.count - 1, in: bytes.span)
        #expect(self.text(bytes.span, range) == want)
    }

    @Test(
        arguments: [
            ([], true), (["Sec-Fetch-Mode: navigate"], true), (["sec-fetch-mode: Navigate"], true),
            (["Sec-Fetch-Mode: no-cors"], false), (["Sec-Fetch-Mode: cors"], false),
            (["Sec-Fetch-Mode: websocket"], false), (["Sec-Fetch-Mode:"], false),
            (["Sec-Fetch-Dest: image"], true), (["Sec-Fetch-Mode: navigate2"], false),
        ] as [([String], Bool)]
    )
    func `who says that it asks for no page does not`(fields: [String], want: Bool) throws {
        try fieldList(fields) { list, bytes in
            #expect(isNavigation(list, in: bytes, from: 0) == want)
        }
    }

    @Test(
        arguments: [
            ("a=b", "b", false), ("a=b; Path=/", "b", false), (" a = b ;Secure", "b", false),
            ("a=\"b c\"; HttpOnly", "\"b c\"", false), ("a=b=c", "b=c", false),
            ("a=", "", true), ("a=; Path=/", "", true), ("a=b; Max-Age=0", "b", true),
            ("a=b; max-age = 0", "b", true), ("a=b; Max-Age=-1", "b", true),
            ("a=b; Max-Age=", "b", false), ("a=b; Max-Age=00", "b", true),
            ("a=b; Max-Age=x; Max-Age=0", "b", true), ("a=b; Max-Age=010", "b", false),
            ("a=b; Max-Age=10", "b", false), ("a=b; Max-Age", "b", false),
            ("a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b", true),
            ("a=b; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/", "b", true),
            ("a=b; Expires=Tue, 12-Oct-1999 04:00:00 GMT", "b", true),
            ("a=b; Expires=Thu, 01 Jan 2037 19:00:00 GMT", "b", false),
            ("a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", "b", false),
            ("a=b; Expires=0", "b", false), ("a=1970; Path=/1970", "1970", false),
            ("a=b;;; ;Max-Age=0", "b", true),
        ]
    )
    func `a line of Set-Cookie is read as browsers do`(
        line: String,
        value: String,
        isRemoved: Bool
    ) throws {
        let bytes = Array(line.utf8)
        let parsed = SetCookieText(bytes.span)
        let cookie = try #require(parsed)
        #expect(self.text(bytes.span, cookie.value) == value)
        let found = cookie.isRemoved(in: bytes.span)
        #expect(found == isRemoved)
        let names = ["a": true, "A": false, "": false, "ab": false]
        for (name, want) in names {
            let isNamed = cookie.isNamed(InternedText(name).bytes, in: bytes.span)
            #expect(isNamed == want, "\(name)")
        }
    }

    @Test(arguments: ["", "a", "=b", " =b; a=c", "a; b=c", ";a=b", "\t"])
    func `what sets nothing is no cookie`(line: String) {
        let parsed = SetCookieText(Array(line.utf8).span)
        #expect(parsed == nil)
    }
}

/// The cookie in whose values a server's word stands.
@Suite struct PrefixedCookieTests {
    private func request(_ lines: String...) throws -> [String] {
        var rules = ForwardingRules.none
        rules.prefixedCookie = InternedText("sid")
        rules.prefixSeparator = UInt8(ascii: "~")
        let head = ["GET / HTTP/1.1", "Host: a"]
        return Array(try forwarded(head + lines, rules: rules).dropFirst(2))
    }

    private func response(_ lines: String...) throws -> [String] {
        var options = ResponseOptions(framing: .length(0))
        options.prefixedCookie = (InternedText("sid"), InternedText("shop1~"))
        let head = ["HTTP/1.1 200 OK"]
        return Array(try answered(head + lines, options: options).dropFirst().dropLast())
    }

    @Test func `the server gets the value that it gave`() throws {
        #expect(try self.request("Cookie: sid=shop1~abc") == ["Cookie: sid=abc"])
        #expect(
            try self.request("Cookie: a=b~c; sid=shop1~abc; d=e~f")
                == ["Cookie: a=b~c; sid=abc; d=e~f"]
        )
        #expect(
            try self.request("Cookie: sid=1~a; sid=2~b;sid=c;sid =  3~d ; e")
                == ["Cookie: sid=a; sid=b;sid=c;sid =  d ; e"]
        )
        #expect(
            try self.request("A: 1", "Cookie: sid=1~a", "B: 2", "cookie: x; sid=2~\"b~c\"", "C: 3")
                == ["A: 1", "Cookie: sid=a", "B: 2", "cookie: x; sid=\"b~c\"", "C: 3"]
        )
    }

    @Test(arguments: [
        "Cookie: sid=abc", "Cookie: SID=shop1~abc", "Cookie: sid", "Cookie: xsid=a~b; sidx=c~d",
        "Cookie: a=sid=b~c", "X-Cookie: sid=a~b", "Cookie: sid=", "Cookie: sid=;~", "Cookie: ~",
    ])
    func `all else goes on as it came`(line: String) throws {
        #expect(try self.request(line) == [line])
    }

    @Test func `the client gets the server's word in front of the value`() throws {
        #expect(try self.response("Set-Cookie: sid=abc") == ["Set-Cookie: sid=shop1~abc"])
        #expect(
            try self.response("A: 1", "set-cookie: sid=abc; Path=/; HttpOnly", "B: 2", "C: 3")
                == ["A: 1", "set-cookie: sid=shop1~abc; Path=/; HttpOnly", "B: 2", "C: 3"]
        )
        #expect(
            try self.response("Set-Cookie: sid=a", "Set-Cookie: t=u", "Set-Cookie:  sid = \"b\" ;x")
                == [
                    "Set-Cookie: sid=shop1~a", "Set-Cookie: t=u",
                    "Set-Cookie: sid = shop1~\"b\" ;x",
                ]
        )
    }

    @Test(arguments: [
        "Set-Cookie: SID=a", "Set-Cookie: sid", "Set-Cookie: sid=; Max-Age=0", "Set-Cookie: =sid",
        "Set-Cookie: a=sid=b", "Cookie: sid=b", "Set-Cookie2: sid=b",
    ])
    func `other lines stay, and one that takes the cookie away`(line: String) throws {
        #expect(try self.response(line) == [line])
    }

    @Test func `values of every byte that a field may have come back as they were`() throws {
        let value = String(String.UnicodeScalarView((0x21...0x7E).map { Unicode.Scalar($0) }))
            .replacing(";", with: "").replacing("~", with: "")
        let set = try self.response("Set-Cookie: sid=\(value); Path=/")
        #expect(set == ["Set-Cookie: sid=shop1~\(value); Path=/"])
        #expect(try self.request("Cookie: sid=shop1~\(value)") == ["Cookie: sid=\(value)"])
    }
}

/// What a server says under the name of Belay's own cookie, and of what only Belay says.
@Suite struct OwnNameTests {
    @Test(
        arguments: [
            (["Set-Cookie: belay=x; Path=/"], []),
            (["A: 1", "Set-Cookie: belay=x", "set-cookie:belay=", "B: 2"], ["A: 1", "B: 2"]),
            (["Set-Cookie: belay2=x", "Set-Cookie: a=belay"], nil),
            (["Set-Cookie: Belay=x", "Cookie: belay=x"], nil),
        ] as [([String], [String]?)]
    )
    func `a server's cookie of that name is dropped, unless it may pass`(
        lines: [String],
        want: [String]?
    ) throws {
        var options = ResponseOptions(framing: .none)
        let head = ["HTTP/1.1 204 No Content"]
        let all = try answered(head + lines, options: options).dropFirst()
        #expect(all.count == lines.count)
        options.ownCookie = InternedText("belay")
        #expect(Array(try answered(head + lines, options: options).dropFirst()) == want ?? lines)
    }

    @Test(arguments: [
        "Belay-Session-Moved: from=a", "belay-session-moved:", "BELAY_SESSION_MOVED: x",
        "Belay-Session_Moved: x",
    ])
    func `nobody but Belay says that a client has moved`(line: String) throws {
        let head = ["GET / HTTP/1.1", "Host: a", line, "Belay-Session-Move: b", "X: y"]
        let want = ["GET / HTTP/1.1", "Host: a", "Belay-Session-Move: b", "X: y"]
        for facts in [ForwardingFacts.direct, .trusted] {
            #expect(try forwarded(head, facts: facts) == want)
        }
    }

    @Test func `the server is told where a client comes from, and why`() throws {
        var facts = ForwardingFacts.direct
        facts.moved = (InternedText("shop1"), "drain")
        let head = ["GET / HTTP/1.1", "Host: a", "Belay-Session-Moved: from=evil; reason=x"]
        #expect(
            try forwarded(head, facts: facts) == [
                "GET / HTTP/1.1", "Host: a", "Belay-Session-Moved: from=shop1; reason=drain",
            ]
        )
    }
}
