import BelayBytes
import BelayCore
import BelayPersistence
import Testing

@Suite struct QueryBindingTests {
    @Test(
        arguments: [
            ("sid=abc", "abc"), ("a=b&sid=abc", "abc"), ("a=b&sid=abc&c=d", "abc"),
            ("&&sid=abc&", "abc"), ("sid=1&sid=2", "1"), ("sid=&sid=2", "2"),
            ("sid=a=b", "a=b"), ("sid=%41", "%41"), ("sid=a+b", "a+b"), ("sid==", "="),
            ("sid=\u{E9}\u{0}", "\u{E9}\u{0}"), ("", nil), ("sid", nil), ("sid=", nil),
            ("sid&", nil), ("SID=abc", nil), ("xsid=abc", nil), ("sidx=abc", nil),
            ("s%69d=abc", nil), ("a=sid=b", nil), ("a;sid=b", nil), ("sid =a", nil),
            ("si", nil), ("&", nil), ("=abc", nil),
        ] as [(String, String?)]
    )
    func `the value stands behind its name as it is spelled, the first of several`(
        query: String,
        want: String?
    ) throws {
        let way = QueryBinding(name: "sid", learning: .off, hasher: try hasher(.query))
        let bytes = octets(query)
        let found = way.value(in: bytes.span)
        #expect(text(bytes, found) == want)
    }

    @Test(
        arguments: [
            ("0{\"sid\":\"abc\",\"upgrades\":[\"websocket\"]}", "abc"),
            ("{\"sid\":\"abc\"}", "abc"),
            ("{\"a\":\"sid\",\"sid\" :\r\n\t \"a b\"}", "a b"), ("{\"sid\":1,\"sid\":\"2\"}", "2"),
            ("{\"sid\":\"\",\"sid\":\"2\"}", "2"), ("{\"sid\":\"1\",\"sid\":\"2\"}", "1"),
            ("7\r\n{\"sid\":\"abc\"}\r\n", "abc"), ("\"\"sid\":\"a\"", "a"),
            ("", nil), ("\"", nil), ("\"sid", nil), ("\"sid\"", nil), ("\"sid\":", nil),
            ("\"sid\":\"", nil), ("\"sid\":\"abc", nil), ("\"sid\":abc\"", nil),
            ("{\"SID\":\"abc\"}", nil), ("{\"xsid\":\"abc\"}", nil), ("{\"sidx\":\"abc\"}", nil),
            ("{\"sid\",\"abc\"}", nil), ("<html sid=\"abc\">", nil),
        ] as [(String, String?)]
    )
    func `a body hands out the value of its member`(body: String, want: String?) throws {
        let way = QueryBinding(name: "sid", learning: .body, hasher: try hasher(.query))
        let bytes = octets(body)
        let found = way.valueInBody(bytes.span)
        #expect(text(bytes, found) == want)
    }

    @Test func `only the beginning of a body is looked at`() throws {
        let way = QueryBinding(name: "sid", learning: .body, hasher: try hasher(.query))
        let end = octets("\"sid\":\"abc\"")
        for (before, isFound) in [(4096 - end.count, true), (4097 - end.count, false)] {
            for filler in [0x22, 0x61] as [UInt8] {
                let bytes = [UInt8](repeating: filler, count: before) + end
                let found = way.valueInBody(bytes.span)
                #expect((found != nil) == isFound)
            }
        }
    }
}

@Suite struct ExemptRuleTests {
    private func holds(
        _ rule: ExemptRule,
        _ path: String,
        _ agent: String = "",
        _ method: UInt16 = 1
    ) -> Bool {
        rule.holds(path: octets(path).span, agent: octets(agent).span, method: method)
    }

    private func rule(
        path: String? = nil,
        suffix: String? = nil,
        userAgent: String? = nil,
        methods: UInt16 = 0
    ) -> ExemptRule {
        ExemptRule(path: path, suffix: suffix, userAgent: userAgent, methods: methods)
    }

    @Test func `a path holds in whole segments`() {
        for path in ["/static", "/static/", "/static//"] {
            let rule = self.rule(path: path)
            for yes in ["/static", "/static/", "/static/a", "/static/a/b.css", "/static//"] {
                #expect(self.holds(rule, yes), "\(yes)")
            }
            for no in ["", "/", "/stati", "/statics", "/Static/a", "/a/static/b", "static/"] {
                #expect(!self.holds(rule, no), "\(no)")
            }
        }
        for all in ["/", ""] { #expect(self.holds(self.rule(path: all), "/any")) }
        #expect(self.holds(self.rule(), ""))
    }

    @Test func `a suffix is the end of the path`() {
        let rule = self.rule(suffix: ".css")
        for yes in [".css", "/a.css", "/a/b.css.css"] { #expect(self.holds(rule, yes)) }
        for no in ["", "css", "/a.CSS", "/a.css/", "/a.cssx"] { #expect(!self.holds(rule, no)) }
    }

    @Test func `a word of the agent counts in whichever case`() {
        let rule = self.rule(userAgent: "BoT")
        for yes in ["bot", "Googlebot/2.1", "xBOTx", "bobot", "bo bot"] {
            #expect(self.holds(rule, "/", yes), "\(yes)")
        }
        for no in ["", "bo", "b ot", "\u{22}ot", "bo\u{14}"] {
            #expect(!self.holds(rule, "/", no), "\(no)")
        }
        // `@` and `[` stand beside the letters, and are none.
        #expect(!self.holds(self.rule(userAgent: "@["), "/", "`{"))
        #expect(!self.holds(self.rule(userAgent: "`{"), "/", "@["))
        #expect(self.holds(self.rule(userAgent: ""), "/"))
    }

    @Test func `a method is one of those that are named`() {
        let rule = self.rule(methods: 0b101)
        #expect(self.holds(rule, "/", "", 1) && self.holds(rule, "/", "", 4))
        #expect(!self.holds(rule, "/", "", 2))
        for method in 0..<16 { #expect(self.holds(self.rule(), "/", "", 1 << UInt16(method))) }
    }

    @Test func `all that a rule names must hold`() {
        let rule = self.rule(path: "/img", suffix: ".png", userAgent: "bot", methods: 2)
        #expect(self.holds(rule, "/img/a.png", "Bot", 2))
        #expect(!self.holds(rule, "/im/a.png", "Bot", 2))
        #expect(!self.holds(rule, "/img/a.gif", "Bot", 2))
        #expect(!self.holds(rule, "/img/a.png", "Fox", 2))
        #expect(!self.holds(rule, "/img/a.png", "Bot", 1))
    }
}

@Suite struct ApplicationCookieTests {
    private func cookie(_ mode: ApplicationCookie.Mode) -> ApplicationCookie {
        ApplicationCookie(name: "JSESSIONID", mode: mode)
    }

    @Test(
        arguments: [
            ("shop1~abc", "shop1"), ("a~b~c", "a"), ("a~", "a"), ("~abc", nil), ("abc", nil),
            ("", nil), ("~", nil), ("\"a~b\"", "\"a"),
        ] as [(String, String?)]
    )
    func `in front of the value stands the server's word`(value: String, want: String?) {
        let bytes = octets(value)
        let found = self.cookie(.prefix(UInt8(ascii: "~"))).server(in: bytes.span)
        #expect(text(bytes, found) == want)
    }

    @Test(
        arguments: [
            ("abc.node1", "node1"), ("a.b.node1", "node1"), (".node1", "node1"), ("abc.", nil),
            ("abc", nil), ("", nil), (".", nil), ("a..b", "b"), ("abc.node1!123", "node1!123"),
        ] as [(String, String?)]
    )
    func `behind the value stands the server's route`(value: String, want: String?) {
        let bytes = octets(value)
        let found = self.cookie(.route(UInt8(ascii: "."))).server(in: bytes.span)
        #expect(text(bytes, found) == want)
    }

    @Test(
        arguments: [
            ("/cart;jsessionid=abc.node1", "abc.node1"), ("/;JSESSIONID=a/b", "a"),
            ("/a;v=1;JSessionID=b;c=d", "b"), ("/;jsessionid=;jsessionid=2", "2"),
            ("/;jsessionid==", "="), (";jsessionid=a", "a"),
            ("/a", nil), ("", nil), (";", nil), ("/a;jsessionid", nil), ("/a;jsessionid=", nil),
            ("/jsessionid=a", nil), ("/;xjsessionid=a", nil), ("/;jsessionidx=a", nil),
            ("/%3Bjsessionid=a", nil), ("/;jsessionid=/b", nil),
        ] as [(String, String?)]
    )
    func `the session stands in the path of clients without cookies`(
        path: String,
        want: String?
    ) throws {
        let bytes = octets(path)
        for mode in [.route(UInt8(ascii: ".")), .learn(try hasher())] as [ApplicationCookie.Mode] {
            let found = self.cookie(mode).value(inPath: bytes.span)
            #expect(text(bytes, found) == want)
        }
        let found = self.cookie(.prefix(UInt8(ascii: "~"))).value(inPath: bytes.span)
        #expect(found == nil)
    }

    @Test func `what is learned has no server in it, and what has one is not learned`() throws {
        let learning = self.cookie(.learn(try hasher(.applicationCookie)))
        let server = learning.server(in: octets("a~b.c").span)
        #expect(server == nil && learning.hasher != nil)
        #expect(self.cookie(.prefix(1)).hasher == nil)
        #expect(self.cookie(.route(1)).hasher == nil)
    }
}

@Suite struct AddressWayTests {
    private func v6(_ high: UInt64, _ low: UInt64) -> IPAddress { IPAddress(high: high, low: low) }

    @Test func `addresses of one prefix are one client`() {
        let way = SourceAddressBinding(ipv4Prefix: 24, ipv6Prefix: 64, isHash: false)
        let home = IPAddress(v4: 0xC0A8_0117)
        #expect(way.key(of: home) == way.key(of: IPAddress(v4: 0xC0A8_01FF)))
        #expect(way.key(of: home) != way.key(of: IPAddress(v4: 0xC0A8_0217)))
        #expect(way.key(of: home).address == IPAddress(v4: 0xC0A8_0100))
        let six = self.v6(0x2001_0DB8_0000_0001, 1)
        #expect(way.key(of: six) == way.key(of: self.v6(0x2001_0DB8_0000_0001, .max)))
        #expect(way.key(of: six) != way.key(of: self.v6(0x2001_0DB8_0000_0002, 1)))
        #expect(way.hash(of: six) == way.hash(of: self.v6(0x2001_0DB8_0000_0001, 9)))
        #expect(way.hash(of: six) != way.hash(of: home))
    }

    @Test func `an IPv4 address that is written as one of IPv6 is of IPv4`() {
        let way = SourceAddressBinding(ipv4Prefix: 32, ipv6Prefix: 0, isHash: true)
        let mapped = self.v6(0, 0x0000_FFFF_C0A8_0117)
        #expect(way.key(of: mapped) == way.key(of: IPAddress(v4: 0xC0A8_0117)))
        #expect(way.key(of: mapped) != way.key(of: IPAddress(v4: 0xC0A8_0118)))
        #expect(way.key(of: self.v6(1, 1)) == way.key(of: self.v6(2, 2)))
    }

    @Test(arguments: [(0, 0), (32, 128), (1, 127)])
    func `every length of a prefix works`(v4: Int, v6: Int) {
        let way = SourceAddressBinding(ipv4Prefix: v4, ipv6Prefix: v6, isHash: false)
        let (one, other) = (IPAddress(v4: 0), IPAddress(v4: .max))
        #expect((way.key(of: one) == way.key(of: other)) == (v4 == 0))
        let (low, high) = (self.v6(0, 0), self.v6(.max, .max))
        #expect((way.key(of: low) == way.key(of: high)) == (v6 == 0))
        #expect((way.key(of: low) == way.key(of: self.v6(0, 1))) == (v6 < 128))
    }

    private func hash(
        _ fields: TupleBinding.Fields,
        _ client: UInt32 = 1,
        _ port: UInt16 = 1,
        local: UInt32? = 2,
        _ localPort: UInt16 = 2
    ) -> UInt64 {
        TupleBinding(fields: fields).hash(
            client: SocketAddress(ip: IPAddress(v4: client), port: port),
            local: local.map { SocketAddress(ip: IPAddress(v4: $0), port: localPort) }
        )
    }

    @Test(arguments: [TupleBinding.Fields.two, .three, .five])
    func `a tuple is told by what it has, and by nothing else`(fields: TupleBinding.Fields) {
        let all = self.hash(fields)
        #expect(self.hash(fields) == all)
        #expect(self.hash(fields, 3) != all)
        #expect(self.hash(fields, local: 3) != all)
        #expect(self.hash(fields, local: nil) != all)
        #expect(self.hash(fields, 2, 2, local: 1, 1) != all)
        #expect((self.hash(fields, 1, 9) == all) == (fields != .five))
        #expect((self.hash(fields, 1, 1, local: 2, 9) == all) == (fields != .five))
    }

    @Test func `clients spread over the hash of every tuple`() {
        for fields in [TupleBinding.Fields.two, .three, .five] {
            var counts = [0, 0, 0, 0]
            for client in 0..<4_000 as Range<UInt32> {
                counts[Int(self.hash(fields, client) & 3)] += 1
            }
            #expect(counts.allSatisfy { (850...1150).contains($0) }, "\(counts)")
        }
    }
}

@Suite struct BindingWayTests {
    @Test func `each way says what is kept, and how it is spelled`() throws {
        let hasher = try hasher()
        let key = ApplicationCookie.Mode.learn(hasher)
        let address = { SourceAddressBinding(ipv4Prefix: 32, ipv6Prefix: 64, isHash: $0) }
        let ways: [(BindingWay, BindingKind?, Bool, String)] = [
            (.cookie, .cookie, false, "cookie"),
            (
                .applicationCookie(ApplicationCookie(name: "a", mode: key)), .applicationCookie,
                true, "application-cookie"
            ),
            (
                .applicationCookie(ApplicationCookie(name: "a", mode: .route(1))), nil, false,
                "application-cookie"
            ),
            (
                .header(HeaderBinding(name: "A", learnsFrom: nil, hasher: hasher)), .header, true,
                "header"
            ),
            (
                .query(QueryBinding(name: "a", learning: .off, hasher: hasher)), .query, true,
                "query"
            ),
            (.sourceAddress(address(false)), .sourceAddress, false, "source-address"),
            (.sourceAddress(address(true)), nil, false, "source-address"),
            (.tuple(TupleBinding(fields: .five)), nil, false, "tuple"),
            (.tlsSession(TLSSessionBinding(hasher: hasher)), .tlsSession, true, "tls-session"),
            (
                .jwtClaim(JWTClaimBinding(claim: "sub", header: "A", hasher: hasher, key: nil)),
                .jwtClaim, true, "jwt"
            ),
        ]
        for (way, kind, hasHasher, name) in ways {
            #expect(way.kind == kind)
            #expect((way.hasher != nil) == hasHasher)
            #expect("\(way.name)" == name)
        }
    }

    @Test func `names of headers count in whichever case`() throws {
        let way = HeaderBinding(name: "Mcp-Session-Id", learnsFrom: "X-Sid", hasher: try hasher())
        #expect(way.name == InternedText("mcp-session-id"))
        #expect(way.learnsFrom == InternedText("x-sid"))
    }
}
