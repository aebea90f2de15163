import BelayAdmin
import BelayCore
import Foundation
import Logging
import Testing

struct AdminServerTests {
    @Test func `metrics are handed on with Prometheus's content type`() async throws {
        let answer = try await withAdmin { try await $0.get("/metrics") }
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(answer.body == "# HELP a b\n# TYPE a counter\na 1\n")
    }

    @Test(arguments: [[], ["listener :8080 is not open yet", "pool shop: no server is up"]])
    func `health is told while the process runs, readiness with its reasons`(
        reasons: [String]
    ) async throws {
        let (health, answer) = try await withAdmin(FakeSource(reasons: reasons)) {
            (try await $0.get("/healthz"), try await $0.get("/readyz"))
        }
        #expect(health.status == 200)
        #expect(health.body == "ok\n")
        #expect(answer.status == (reasons.isEmpty ? 200 : 503))
        let list = reasons.map { "\"\($0)\"" }.joined(separator: ",")
        let ready = "{\"ready\":\(reasons.isEmpty),\"reasons\":[\(list)],\"warnings\":[]}\n"
        #expect(answer.body == ready)
    }

    @Test func `the pools as JSON`() async throws {
        let answer = try await withAdmin { try await $0.get("/api/pools") }
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "application/json")
        #expect(
            answer.body == """
                {"pools":[\
                {"algorithm":"least-time","name":"api","servers":[\
                {"address":"[::1]:9000","agent":null,"bound":0,"check":null,"drain":null,\
                "ejectedForSeconds":null,\
                "exchanges":0,"failures":0,"health":"up","latencyMs":null,"name":"api1",\
                "openRequests":0,"state":"ready","weight":1}]},\
                {"algorithm":"random-of-two","name":"shop","servers":[\
                {"address":"10.0.0.11:3000","agent":null,"bound":12,"check":null,\
                "drain":{"began":1000,"bound":12,\
                "boundAtStart":40,"cause":"command","countsAll":true,"deadline":2800,\
                "expectedEnd":1900,"losing":12,"openRequests":3,"phase":"running",\
                "pool":"shop","rate":null,"server":"shop1"},\
                "ejectedForSeconds":null,"exchanges":1234,\
                "failures":5,"health":"up","latencyMs":12.345,"name":"shop1","openRequests":3,\
                "state":"draining","weight":256},\
                {"address":"10.0.0.12:3000",\
                "agent":{"good":true,"reason":null,"said":"drain 50%","secondsAgo":0.4,\
                "tookMs":2},"bound":2000,\
                "check":{"good":false,"reason":"it answered 503","said":null,\
                "secondsAgo":1.25,"tookMs":0.8},"drain":null,"ejectedForSeconds":8.25,\
                "exchanges":40,"failures":40,"health":"ejected","latencyMs":1.5,\
                "name":"shop2<script>","openRequests":0,"state":"ready","weight":1}]}]}

                """
        )
    }

    // MARK: Explain

    @Test func `a decision is explained as JSON`() async throws {
        let answer = try await withAdmin { try await $0.get("/api/explain?host=shop.example") }
        #expect(answer.status == 200)
        #expect(
            answer.body == """
                {"candidates":[\
                {"address":"10.0.0.11:3000","health":"up","openRequests":3,"passedOver":"no",\
                "server":"shop1","state":"ready","weight":1},\
                {"address":"10.0.0.12:3000","health":"ejected","openRequests":0,\
                "passedOver":"ejected","server":"shop2","state":"draining","weight":0}],\
                "persistence":"valid","pool":"shop","reason":"the client is bound to shop1",\
                "route":"all","rule":"binding","server":"shop1"}

                """
        )
    }

    @Test func `what there is not is null`() async throws {
        let answer = try await withAdmin { try await $0.get("/api/explain?host=nowhere") }
        #expect(
            answer.body == """
                {"candidates":[],"persistence":"off","pool":null,"reason":"no route matches",\
                "route":null,"rule":"none","server":null}

                """
        )
    }

    @Test func `every parameter of a question arrives, and may hold any character`() async throws {
        let source = FakeSource()
        let question = ExplainQuestion(
            method: "POST",
            host: "shop.example:8443",
            path: "/cart?a=1&b=%20#é",
            from: IPAddress("2001:db8::1"),
            cookie: "belay=abc+/==; other=\"ü\"",
            headers: [
                .init(name: "X-Tenant", value: "a&b=c"), .init(name: "Accept", value: ""),
            ]
        )
        let answer = try await withAdmin(source) {
            try await $0.get("/api/explain?\(question.query)")
        }
        #expect(answer.status == 200)
        #expect(source.questions == [question])
    }

    @Test func `what a question leaves out has defaults`() async throws {
        let source = FakeSource()
        _ = try await withAdmin(source) { try await $0.get("/api/explain?host=h") }
        #expect(source.questions == [ExplainQuestion(method: "GET", host: "h", path: "/")])
    }

    @Test(arguments: [
        ("", 400, "the parameter host is missing"),
        ("host=", 400, "the parameter host is missing"),
        ("host=h&from=10.0.0", 400, "from=10.0.0 is no IP address"),
        ("host=h&header=nonsense", 400, "header=nonsense is not of the form Name: value"),
        (
            "host=h&cookies=a", 400,
            "unknown parameter cookies; known are method, host, path, from, cookie, header"
        ),
        ("host=stopping", 503, "Belay is stopping"),
    ])
    func `a question that can't be answered says why`(
        query: String,
        status: Int,
        sentence: String
    ) async throws {
        let answer = try await withAdmin { try await $0.get("/api/explain?\(query)") }
        #expect(answer.status == status)
        #expect(answer.body == "{\"error\":\"\(sentence)\"}\n")
    }

    // MARK: Who may ask

    @Test(arguments: [
        ("127.0.0.1", true), ("127.0.0.1:9900", true), ("localhost", true), ("LocalHost:1", true),
        ("[::1]:9900", true), ("127.8.9.1", true),
        ("evil.example", false), ("evil.example:9900", false), ("127.0.0.1.evil.example", false),
        ("localhost.evil.example", false), ("10.0.0.1", false), ("[::2]", false), ("", false),
        ("[localhost", false),
    ])
    func `only this machine's own address may be the host`(
        host: String,
        isAllowed: Bool
    )
        async throws
    {
        let answer = try await withAdmin { try await $0.get("/metrics", host: host) }
        #expect((answer.status == 200) == isAllowed)
        if !isAllowed { #expect(!answer.body.contains("HELP")) }
    }

    @Test(arguments: [("10.0.0.1", 200), ("[2001:db8::1]:9900", 200), ("evil.example", 421)])
    func `listening on every address, any address may be the host, but no name`(
        host: String,
        status: Int
    ) async throws {
        let answer = try await withAdmin(ip: .anyV4) { browser in
            let local = BelayCore.SocketAddress(ip: .loopbackV4, port: browser.address.port)
            return try await Browser(address: local).get("/healthz", host: host)
        }
        #expect(answer.status == status)
    }

    @Test func `a request without Host is not answered`() async throws {
        let text = try await withAdmin {
            try await $0.exchange("GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n")
        }
        #expect(!text.contains("HELP"))
        #expect(text.hasPrefix("HTTP/1.1 4"))
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
    func `nothing but GET and HEAD is answered`(method: String) async throws {
        let answer = try await withAdmin {
            try await $0.send(method, "/api/pools", headers: ["Origin: http://evil.example"])
        }
        #expect(answer.status == 405)
        #expect(answer.headers["allow"] == "GET, HEAD")
        #expect(answer.headers.keys.allSatisfy { !$0.hasPrefix("access-control-") })
    }

    @Test(arguments: ["/", "/metrics", "/healthz", "/readyz", "/api/pools", "/nowhere"])
    func `HEAD has GET's status and length, and no body`(path: String) async throws {
        let (get, head) = try await withAdmin {
            (try await $0.get(path), try await $0.send("HEAD", path))
        }
        #expect(head.status == get.status)
        #expect(head.headers["content-length"] == get.headers["content-length"])
        #expect(head.headers["content-length"] == "\(get.body.utf8.count)")
        #expect(head.body.isEmpty)
    }

    @Test(arguments: ["/", "/metrics", "/api/pools", "/nowhere"])
    func `every answer tells browsers to keep to themselves`(path: String) async throws {
        let headers = try await withAdmin { try await $0.get(path) }.headers
        #expect(headers["x-content-type-options"] == "nosniff")
        #expect(headers["x-frame-options"] == "DENY")
        #expect(headers["cache-control"] == "no-store")
        #expect(headers["referrer-policy"] == "no-referrer")
        #expect(headers["cross-origin-resource-policy"] == "same-origin")
        #expect(headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
        #expect(headers["server"] == nil)
    }

    @Test func `a head beyond 32 KiB and a body are refused`() async throws {
        let long = "X-Long: " + String(repeating: "a", count: 40_000)
        let (head, body) = try await withAdmin {
            (
                try await $0.exchange(
                    "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\(long)\r\n\r\n"
                ),
                try await $0.send("GET", "/healthz", headers: ["Content-Length: 1000000000"])
            )
        }
        #expect(!head.contains("ok"))
        #expect(body.status == 413)
    }

    // MARK: The page

    @Test func `the page shows the pools, and what was set and found`() async throws {
        let answer = try await withAdmin(FakeSource(reasons: ["pool <b> is down"])) {
            try await $0.get("/")
        }
        #expect(answer.headers["content-type"] == "text/html; charset=utf-8")
        for piece in [
            "<h2>shop <small>random-of-two</small></h2>", "shop2&lt;script&gt;",
            "<span class=\"chip bad\">ejected for 8.3 s</span>",
            "<span class=\"chip warn\">draining</span> <small>12 of 40 left</small>", "12.3 ms",
            "pool &lt;b&gt; is down",
            "href=\"/metrics\"", "href=\"/api/pools\"",
        ] {
            #expect(answer.body.contains(piece), "\(piece)")
        }
        #expect(!answer.body.contains("<script"))
        #expect(!answer.body.contains("http://") && !answer.body.contains("https://"))
    }

    @Test func `the page's style comes from here`() async throws {
        let answer = try await withAdmin { try await $0.get("/style.css") }
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "text/css; charset=utf-8")
        #expect(!answer.body.contains("url("))
    }

    // MARK: Start

    @Test func `an address that another program has is a clear error`() async throws {
        let logger = Logger(label: "admin") { _ in SwiftLogNoOpLogHandler() }
        let error = try await withAdmin { browser in
            await #expect(throws: AdminError.self) {
                try await AdminServer.run(
                    source: FakeSource(),
                    address: browser.address,
                    logger: logger
                )
            }
        }
        guard case .addressInUse = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `an address that this machine doesn't have is a clear error`() async throws {
        let logger = Logger(label: "admin") { _ in SwiftLogNoOpLogHandler() }
        // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
        let address = SocketAddress(ip: IPAddress(v4: 0xC000_0201), port: 0)
        await #expect(throws: AdminError.addressMissing(address)) {
            try await AdminServer.run(source: FakeSource(), address: address, logger: logger)
        }
        #expect(
            "\(AdminError.addressMissing(address))"
                == "cannot listen for admin on 192.0.2.1:0: "
                + "this machine does not have that address"
        )
    }
}
