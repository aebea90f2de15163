import BelayBytes
import BelayCore
import BelayHTTP
import Testing

struct RequestWriterTests {
    @Test(arguments: [
        (["GET /a?b=c HTTP/1.1", "Host: shop"], "GET /a?b=c HTTP/1.1", "Host: shop"),
        (["GET /a HTTP/1.0", "Host: shop"], "GET /a HTTP/1.1", "Host: shop"),
        (["GET /a HTTP/1.0"], "GET /a HTTP/1.1", "Host: "),
        (
            ["GET http://shop:81/a?b HTTP/1.1", "Host: shop:81"], "GET /a?b HTTP/1.1",
            "Host: shop:81"
        ),
        (["GET http://shop HTTP/1.1", "Host: shop"], "GET / HTTP/1.1", "Host: shop"),
        (["GET http://shop?q HTTP/1.1", "Host: shop"], "GET /?q HTTP/1.1", "Host: shop"),
        (["OPTIONS http://shop HTTP/1.1", "Host: shop"], "OPTIONS * HTTP/1.1", "Host: shop"),
        (["OPTIONS * HTTP/1.1", "Host: shop"], "OPTIONS * HTTP/1.1", "Host: shop"),
        (["OPTIONS http://shop/ HTTP/1.1", "Host: shop"], "OPTIONS / HTTP/1.1", "Host: shop"),
        (["BREW /pot HTTP/1.1", "Host: shop"], "BREW /pot HTTP/1.1", "Host: shop"),
    ])
    func `the target is in origin form and Host comes first`(
        request: [String],
        line: String,
        host: String
    ) throws {
        let written = try forwarded(request)
        #expect(written.first == line)
        #expect(written[1] == host)
        #expect(written.count { $0.lowercased().hasPrefix("host:") } == 1)
    }

    @Test func `a request that names no host gets the host of the rules`() throws {
        var rules = ForwardingRules.none
        rules.defaultHost = InternedText("shop.internal")
        #expect(try forwarded(["GET / HTTP/1.0"], rules: rules)[1] == "Host: shop.internal")
        #expect(try forwarded(["GET / HTTP/1.0", "Host: a"], rules: rules)[1] == "Host: a")
    }

    @Test func `fields that do not end here go on as they came and in their order`() throws {
        let fields = [
            "User-Agent: someone/1.0 (x; y)", "accept: */*", "X-CUSTOM:  spaced", "X-Tight:value",
            "X-Empty:", "Range: bytes=0-1", "X-Trailing: space", "x-last: \u{E9}",
        ]
        let written = try forwarded(
            ["GET / HTTP/1.1"] + fields.prefix(4) + ["Host: a"] + fields[4...]
        )
        #expect(
            written == [
                "GET / HTTP/1.1", "Host: a", "User-Agent: someone/1.0 (x; y)", "accept: */*",
                "X-CUSTOM: spaced", "X-Tight: value", "X-Empty: ", "Range: bytes=0-1",
                "X-Trailing: space", "x-last: \u{E9}",
            ]
        )
    }

    @Test func `white space around a value does not go on`() throws {
        let written = try forwarded([
            "GET / HTTP/1.1", "Host: a", "A: 1 ", "B: 2", "C: 3\t ", "D:\t4", "E: 5",
        ])
        #expect(written == ["GET / HTTP/1.1", "Host: a", "A: 1", "B: 2", "C: 3", "D: 4", "E: 5"])
    }

    @Test(arguments: [
        ["Connection: close"],
        ["Connection: keep-alive", "Keep-Alive: timeout=5"],
        ["Proxy-Connection: keep-alive"],
        ["Connection: X-Hop, X-Other", "X-Hop: 1", "x-other: 2"],
        ["Connection: x-hop", "X-Hop: 1", "X-Hop: 2"],
        ["TE: gzip"],
        ["Connection: TE", "TE: deflate;q=0.5"],
        ["Connection: upgrade", "Upgrade: websocket"],
        ["Upgrade: websocket"],
        ["Proxy: http://evil/"],
        ["Expect: 100-continue"],
    ])
    func `fields of this connection end here`(fields: [String]) throws {
        let written = try forwarded(["GET / HTTP/1.1", "Host: a", "A: 1"] + fields + ["B: 2"])
        #expect(written == ["GET / HTTP/1.1", "Host: a", "A: 1", "B: 2"])
    }

    @Test(arguments: [
        (["TE: trailers"], ["TE: trailers", "Connection: TE"]),
        (["Connection: TE", "TE: gzip, Trailers"], ["TE: trailers", "Connection: TE"]),
    ])
    func `the wish for trailers goes on`(fields: [String], want: [String]) throws {
        let written = try forwarded(["GET / HTTP/1.1", "Host: a"] + fields)
        #expect(written == ["GET / HTTP/1.1", "Host: a"] + want)
    }

    @Test func `a wish for trailers in HTTP 1 0 means nothing`() throws {
        let written = try forwarded(["GET / HTTP/1.0", "Host: a", "TE: trailers"])
        #expect(written == ["GET / HTTP/1.1", "Host: a"])
    }

    @Test func `the wish to upgrade goes on when it may`() throws {
        let request = [
            "GET /chat HTTP/1.1", "Host: a", "Connection: keep-alive, Upgrade",
            "Upgrade: websocket", "Sec-WebSocket-Key: x", "TE: trailers",
        ]
        #expect(
            try forwarded(request, keepsUpgrade: true) == [
                "GET /chat HTTP/1.1", "Host: a", "Upgrade: websocket", "Sec-WebSocket-Key: x",
                "TE: trailers", "Connection: upgrade, TE",
            ]
        )
    }

    @Test(arguments: [
        ("GET", [], BodyFraming.none, []),
        ("POST", [], .none, ["Content-Length: 0"]),
        ("PUT", [], .none, ["Content-Length: 0"]),
        ("DELETE", ["Content-Length: 0"], .length(0), ["Content-Length: 0"]),
        ("POST", ["Content-Length: 12"], .length(12), ["Content-Length: 12"]),
        ("POST", ["Transfer-Encoding: chunked"], .chunked, ["Transfer-Encoding: chunked"]),
        ("POST", ["Transfer-Encoding: Chunked"], .length(7), ["Content-Length: 7"]),
        ("POST", ["Content-Length: 12"], .chunked, ["Transfer-Encoding: chunked"]),
        ("GET", ["Content-Length: 12"], .none, ["Content-Length: 0"]),
        (
            "POST", ["Expect: 100-continue", "Content-Length: 3"], .length(3),
            ["Expect: 100-continue", "Content-Length: 3"]
        ),
    ])
    func `the framing is that of the body as it is sent`(
        method: String,
        fields: [String],
        framing: BodyFraming,
        want: [String]
    ) throws {
        let written = try forwarded(
            ["\(method) / HTTP/1.1", "Host: a"] + fields,
            framing: framing
        )
        #expect(written == ["\(method) / HTTP/1.1", "Host: a"] + want)
    }

    @Test func `an expectation of HTTP 1 0 ends here`() throws {
        let written = try forwarded([
            "POST / HTTP/1.0", "Host: a", "Expect: 100-continue", "Content-Length: 3",
        ])
        #expect(written == ["POST / HTTP/1.1", "Host: a", "Content-Length: 3"])
    }

    @Test func `Via is added behind what is there`() throws {
        let rules = ForwardingRules.adding(via: "belay")
        let new = try forwarded(["GET / HTTP/1.1", "Host: a", "Via: 1.1 other"], rules: rules)
        #expect(new.suffix(2) == ["Via: 1.1 other", "Via: 1.1 belay"])
        let old = try forwarded(["GET / HTTP/1.0", "Host: a"], rules: rules)
        #expect(old.last == "Via: 1.0 belay")
    }

    @Test func `a head that does not fit is told by the writer`() throws {
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789\r\n\r\n".utf8)
        var fields = FieldList(capacity: 8)
        let head = try RequestHead.parse(bytes.span, from: 0, length: bytes.count, into: &fields)
        for capacity in 1..<41 {
            var out = ByteWriter(capacity: capacity)
            writeRequest(
                head,
                fields,
                in: bytes.span,
                from: 0,
                rules: .none,
                facts: .direct,
                framing: .none,
                keepsUpgrade: false,
                into: &out
            )
            #expect(out.hasOverflowed == (capacity < bytes.count), "capacity \(capacity)")
        }
    }
}

struct CookieCutTests {
    @Test(arguments: [
        (["Cookie: a=b"], ["Cookie: a=b"]),
        (["Cookie: belay=x"], []),
        (["Cookie: belay=x; a=b"], ["Cookie: a=b"]),
        (["Cookie: a=b; belay=x"], ["Cookie: a=b"]),
        (["Cookie: a=b; belay=x; c=d"], ["Cookie: a=b; c=d"]),
        (["Cookie: a=b;belay=x;c=d"], ["Cookie: a=b;c=d"]),
        (["Cookie: a=b;  belay = x ;  c=d"], ["Cookie: a=b;  c=d"]),
        (["Cookie: belay=x; belay=y;belay=z"], []),
        (["Cookie: belay=x; a=b; belay=y"], ["Cookie: a=b"]),
        (["cookie: a=\"q;belay=x\""], ["cookie: a=\"q"]),
        (["Cookie: BELAY=x"], ["Cookie: BELAY=x"]),
        (["Cookie: belay2=x; xbelay=y; belay"], ["Cookie: belay2=x; xbelay=y; belay"]),
        (["Cookie: belay="], []),
        (["Cookie: belay==; ; "], []),
        (["Cookie: ;;belay=x;;a=b;"], ["Cookie: a=b;"]),
        (["Cookie: a=belay=x"], ["Cookie: a=belay=x"]),
        (["Cookie:\tbelay=x;\ta=b"], ["Cookie: a=b"]),
        (["Cookie: ;; a=b ;;"], ["Cookie: ;; a=b ;;"]),
        (
            ["Cookie: a=b", "Cookie: belay=x", "COOKIE: c=d; belay=y"],
            ["Cookie: a=b", "COOKIE: c=d"]
        ),
        (["Cookie:"], ["Cookie: "]),
    ])
    func `the binding cookie is cut out wherever it stands`(
        fields: [String],
        want: [String]
    ) throws {
        let head = ["GET / HTTP/1.1", "Host: a", "A: 1"]
        let written = try forwarded(head + fields + ["B: 2"], rules: .cutting("belay"))
        #expect(written == head + want + ["B: 2"])
    }

    @Test func `cutting costs time in proportion to the field`() throws {
        // 4,000 pairs of our name: a search that began anew each time would take seconds.
        let field = "Cookie: " + Array(repeating: "belay=x", count: 4_000).joined(separator: ";")
        let written = try forwarded(["GET / HTTP/1.1", "Host: a", field], rules: .cutting("belay"))
        #expect(written == ["GET / HTTP/1.1", "Host: a"])
    }
}

struct WhoAskedTests {
    private static let claims = [
        "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil",
        "X-Forwarded-Port: 1", "X-Forwarded: x", "X-Forwarded-Prefix: /x", "Forwarded: for=6.6.6.6",
        "X-Real-IP: 6.6.6.6", "Client-IP: 6.6.6.6", "X-Client-IP: 6.6.6.6",
        "True-Client-IP: 6.6.6.6", "CF-Connecting-IP: 6.6.6.6", "Fastly-Client-IP: 6.6.6.6",
        "X-Cluster-Client-IP: 6.6.6.6", "X-Client-Verify: SUCCESS", "Client-Cert: :AAAA:",
        "Client-Cert-Chain: :AAAA:", "X-Client-Subject: CN=root", "x-client-issuer: CN=us",
        "X-Client-Serial: 01", "X-CLIENT-FINGERPRINT: 00",
    ]

    @Test(arguments: Self.claims)
    func `what a client claims about who asked ends here`(field: String) throws {
        let request = ["GET / HTTP/1.1", "Host: a", field, "A: 1"]
        #expect(try forwarded(request) == ["GET / HTTP/1.1", "Host: a", "A: 1"])
        #expect(try forwarded(request, facts: .trusted) == request)
    }

    @Test(arguments: [
        "X_Real_IP: 6.6.6.6", "x-forwarded_port: 1", "Client_IP: 6.6.6.6", "Client_Cert: :AAAA:",
        "X-Client_Verify: SUCCESS", "X_Client_Fingerprint: 00", "client_cert_chain: :AAAA:",
    ])
    func `a claim with underscores goes on from nobody`(field: String) throws {
        let request = ["GET / HTTP/1.1", "Host: a", field]
        #expect(try forwarded(request) == ["GET / HTTP/1.1", "Host: a"])
        #expect(try forwarded(request, facts: .trusted) == ["GET / HTTP/1.1", "Host: a"])
    }

    @Test(arguments: [
        "X-Requested-With: x", "X-Real-IPs: x", "X-Forwarder: x", "Client-ID: x",
        "True-Client-IQ: x", "Proxies: x", "X: x", "X_Custom: x", "Forwarded-By: x",
        "Priority: u=1", "X-Client-Data: x", "X-Client-Versions: x", "Client-Certs: x",
        "X-Client-Fingerprints: x", "X-Client-Fingerprint2: x", "Client-Cert-Chains: x",
        "X-Client-Verifies: x",
    ])
    func `a field that only resembles a claim goes on`(field: String) throws {
        let request = ["GET / HTTP/1.1", "Host: a", field]
        #expect(try forwarded(request) == request)
    }

    @Test func `a client's own words are replaced`() throws {
        let written = try forwarded(
            ["GET / HTTP/1.1", "Host: shop:8080"] + Self.claims,
            rules: .adding(xForwarded: true, forwarded: true)
        )
        #expect(
            written.dropFirst(2) == [
                "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http",
                "X-Forwarded-Host: shop:8080",
                "Forwarded: for=192.0.2.7;host=\"shop:8080\";proto=http",
            ]
        )
    }

    @Test func `a trusted proxy's words are kept and Belay's follow`() throws {
        let written = try forwarded(
            [
                "GET / HTTP/1.1", "Host: shop", "X-Forwarded-For: 1.1.1.1, 2.2.2.2",
                "X-Forwarded-Proto: http", "X-Forwarded-For: ", "x-forwarded-for: 3.3.3.3",
                "Forwarded: for=1.1.1.1;proto=http, for=\"[::2]\"", "X-Forwarded-Host: outside",
                "A: 1",
            ],
            rules: .adding(xForwarded: true, forwarded: true),
            facts: .trusted
        )
        #expect(
            written.dropFirst(2) == [
                "X-Forwarded-Proto: http", "X-Forwarded-Host: outside", "A: 1",
                "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 10.0.0.1",
                "Forwarded: for=1.1.1.1;proto=http, for=\"[::2]\", "
                    + "for=10.0.0.1;host=shop;proto=https",
            ]
        )
    }

    @Test(arguments: [
        (["for=1.1.1.1", "for=2.2.2.2"], "for=1.1.1.1, for=2.2.2.2, "),
        (["for=1.1.1.1, garbage, for=2.2.2.2", "for=3.3.3.3"], "for=2.2.2.2, for=3.3.3.3, "),
        (["for=1.1.1.1;host=\"open", "for=2.2.2.2\"", "for=3.3.3.3"], "for=3.3.3.3, "),
        (["for=\"open, for=2.2.2.2"], "for=2.2.2.2, "),
        (["for=1.1.1.1", "garbage"], ""),
        (["", "for=1.1.1.1"], "for=1.1.1.1, "),
    ])
    func `what a trusted proxy's Forwarded says is joined as far as it can be read`(
        values: [String],
        want: String
    ) throws {
        let written = try forwarded(
            ["GET / HTTP/1.1", "Host: a"] + values.map { "Forwarded: \($0)" },
            rules: .adding(forwarded: true),
            facts: .trusted
        )
        #expect(written.last == "Forwarded: \(want)for=10.0.0.1;host=a;proto=https")
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7", "for=192.0.2.7"),
        ("2001:db8::7", "2001:db8::7", "for=\"[2001:db8::7]\""),
    ])
    func `an IPv6 client is quoted where the standard wants it`(
        client: String,
        listed: String,
        node: String
    ) throws {
        var facts = ForwardingFacts.direct
        facts.client = try #require(IPAddress(client))
        let written = try forwarded(
            ["GET / HTTP/1.0"],
            rules: .adding(xForwarded: true, forwarded: true),
            facts: facts
        )
        // Without a host there is none to pass on.
        #expect(
            written.dropFirst(2) == [
                "X-Forwarded-For: \(listed)", "X-Forwarded-Proto: http",
                "Forwarded: \(node);proto=http",
            ]
        )
    }
}
