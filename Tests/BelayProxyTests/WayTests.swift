import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayProxy
import BelayTransport
import Testing

/// A pool that knows its clients in some way.
struct WayPool {
    let ring: KeyRing

    init() throws { self.ring = try KeyRing.generate() }

    func hasher(_ kind: BindingKind) throws -> KeyHasher {
        try KeyHasher(
            ring: self.ring,
            pool: try #require(PoolName("shop")),
            kind: kind,
            name: "way"
        )
    }

    /// Three servers in turn, a table, and these ways.
    func setup(
        _ ways: [BindingWay],
        _ adjust: @escaping (inout PoolPlan) -> Void = { _ in },
        listener: (inout ListenerPlan) -> Void = { _ in }
    ) throws -> Setup {
        var setup = Setup(listener)
        setup.servers = 3
        setup.keyRing = self.ring
        if ways.contains(where: { if case .cookie = $0 { true } else { false } }) {
            setup.persistence = try PersistenceSettings()
        }
        let times = BindingTimes(idle: .minutes(30), lifetime: .hours(8))
        let table = try BindingTable(entriesMax: 1_000, times: times, cookieTimes: times)
        setup.adjustPool = { pool in
            pool.ways = ways
            pool.bindingTable = table
            adjust(&pool)
        }
        return setup
    }

    /// Words of the servers for an application's cookie.
    static func setWords(_ pool: inout PoolPlan, _ words: [String], prefix: UInt8? = nil) {
        let ids = words.map { ServerID(ofName: Array($0.utf8).span) }
        let names = pool.servers.map(\.name)
        pool.routes = try? ServerLookup(names) { name in
            names.firstIndex(of: name).map { ids[$0] } ?? ServerID(of: name)
        }
        guard let prefix else { return }
        pool.prefixedCookie = InternedText("sid")
        pool.prefixSeparator = prefix
        for (index, word) in words.enumerated() {
            pool.servers[index].cookiePrefix = InternedText(bytes: Array(word.utf8) + [prefix])
        }
    }
}

/// One exchange as its ends see it.
struct Visit {
    let server: Int
    let request: Message
    let answer: Message
}

extension Stage {
    /// One exchange on a connection of its own, or on `client`. The answer's lines have an end.
    func visit(
        _ lines: String...,
        target: String = "/",
        answer: String = "",
        body: String = "ok",
        client: Int? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Visit {
        let slot = try client ?? self.connect(sourceLocation: sourceLocation)
        let fields = lines.map { $0 + "\r\n" }.joined()
        self.send(slot, "GET \(target) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        let (server, request) = try self.request(sourceLocation: sourceLocation)
        self.send(
            server,
            "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(answer)\r\n\(body)"
        )
        let message = try self.message(slot, sourceLocation: sourceLocation)
        if client == nil { self.close(slot) }
        let index = try #require(self[server].server, sourceLocation: sourceLocation)
        return Visit(server: index, request: request, answer: message)
    }

    /// Bindings in the pool's table.
    var bindings: Int { self.plan.pools[0].bindingTable?.count ?? 0 }

    func bound(_ server: Int) -> Int {
        let pool = self.plan.pools[0]
        return pool.bindingTable?.bound(to: pool.servers[server].id) ?? 0
    }
}

/// Each way to bind, from the request to the server.
@Suite struct WayTests {
    private let pool: WayPool

    init() throws { self.pool = try WayPool() }

    /// The servers of some visits.
    private func servers(_ stage: Stage, _ lines: [String], target: String = "/") throws -> [Int] {
        try lines.map { try stage.visit($0, target: target).server }
    }

    @Test func `a header that the server hands out leads back to it`() throws {
        let way = HeaderBinding(
            name: "Mcp-Session-Id",
            learnsFrom: "Mcp-Session-Id",
            hasher: try self.pool.hasher(.header)
        )
        let stage = try Stage(self.pool.setup([.header(way)]))
        let first = try stage.visit(answer: "MCP-Session-ID: s1\r\n")
        let second = try stage.visit(answer: "mcp-session-id: s2\r\n")
        #expect(first.server != second.server)
        #expect(stage.bindings == 2 && stage.bound(first.server) == 1)
        for _ in 0..<3 {
            #expect(try stage.visit("Mcp-Session-Id: s1").server == first.server)
            #expect(try stage.visit("mcp-session-id: s2").server == second.server)
        }
        #expect(stage.bindings == 2)
        // What a client brings along is bound with its first request.
        let own = try stage.visit("Mcp-Session-Id: mine").server
        #expect(
            try self.servers(stage, Array(repeating: "Mcp-Session-Id: mine", count: 3)) == [
                own, own, own,
            ]
        )
        #expect(try stage.visit("Mcp-Session-Id:").answer.status == 200)
        #expect(stage.bindings == 3)
    }

    @Test(arguments: [true, false])
    func `a parameter that a body hands out leads back to its server`(isTogether: Bool) throws {
        let way = QueryBinding(name: "sid", learning: .body, hasher: try self.pool.hasher(.query))
        let stage = try Stage(self.pool.setup([.query(way)]))
        let client = try stage.connect()
        stage.send(client, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n")
        let (slot, _) = try stage.request()
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        let body = "21\r\n0{\"sid\":\"abc\",\"pingTimeout\":20000\r\n0\r\n\r\n"
        stage.send(slot, isTogether ? head + body : head)
        if !isTogether {
            stage.wait("the head arrives") { stage.text(client).contains("\r\n\r\n") }
            stage.send(slot, body)
        }
        #expect(try stage.message(client).body == "0{\"sid\":\"abc\",\"pingTimeout\":20000")
        let server = try #require(stage[slot].server)
        #expect(stage.bound(server) == 1)
        for target in ["/?sid=abc", "/?a=b&sid=abc&c", "/x?sid=abc"] {
            #expect(try stage.visit(target: target).server == server)
        }
        #expect(stage.bindings == 1)
    }

    @Test func `a parameter that a header hands out leads back to its server`() throws {
        let learning = QueryBinding.Learning.header(InternedText("x-session"))
        let way = QueryBinding(
            name: "sid",
            learning: learning,
            hasher: try self.pool.hasher(.query)
        )
        let stage = try Stage(self.pool.setup([.query(way)]))
        let server = try stage.visit(answer: "X-Session: abc\r\n").server
        for _ in 0..<3 { #expect(try stage.visit(target: "/?sid=abc").server == server) }
        #expect(stage.bindings == 1)
    }

    @Test func `an application's cookie is followed, and forgotten when it is taken away`() throws {
        let mode = ApplicationCookie.Mode.learn(try self.pool.hasher(.applicationCookie))
        let way = ApplicationCookie(name: "PHPSESSID", mode: mode)
        let stage = try Stage(self.pool.setup([.applicationCookie(way)]))
        let set = "Set-Cookie: a=b\r\nSet-Cookie: PHPSESSID=abc; Path=/\r\n"
        let first = try stage.visit(answer: set)
        #expect(first.answer.head.contains(set))
        for line in ["Cookie: PHPSESSID=abc", "Cookie: x=y; PHPSESSID=abc; PHPSESSID=other"] {
            #expect(try stage.visit(line).server == first.server)
        }
        #expect(try stage.visit(target: "/cart;phpsessid=abc?x").server == first.server)
        #expect(stage.bindings == 1 && stage.bound(first.server) == 1)
        // PHP takes it away with a value that is another.
        let gone =
            "Set-Cookie: PHPSESSID=deleted; Expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0\r\n"
        let last = try stage.visit("Cookie: PHPSESSID=abc", answer: gone)
        #expect(last.server == first.server && last.answer.head.contains(gone))
        #expect(stage.bindings == 0)
        // An id that is made anew at the login stays where it is.
        let next = try stage.visit("Cookie: PHPSESSID=old", answer: "Set-Cookie: PHPSESSID=new\r\n")
        #expect(try stage.visit("Cookie: PHPSESSID=new").server == next.server)
        #expect(stage.bindings == 2)
    }

    @Test func `a cookie with the server's word in front needs no table`() throws {
        let way = ApplicationCookie(name: "sid", mode: .prefix(UInt8(ascii: "~")))
        let setup = try self.pool.setup([.applicationCookie(way)]) {
            WayPool.setWords(&$0, ["a", "b", "c"], prefix: UInt8(ascii: "~"))
        }
        let stage = try Stage(setup)
        let first = try stage.visit(answer: "Set-Cookie: sid=abc; Path=/\r\n")
        let word = ["a", "b", "c"][first.server]
        #expect(first.answer.value("Set-Cookie") == "sid=\(word)~abc; Path=/")
        for server in 0..<3 {
            let line = "Cookie: x=1; sid=\(["a", "b", "c"][server])~abc"
            for _ in 0..<2 {
                let visit = try stage.visit(line)
                #expect(visit.server == server)
                #expect(visit.request.value("Cookie") == "x=1; sid=abc")
            }
        }
        #expect(stage.bindings == 0)
        // A server that nobody has: one and the same other, and the server is told.
        let lost = try stage.visit("Cookie: sid=gone~abc")
        #expect(lost.request.value("Belay-Session-Moved") == "from=unknown; reason=removed")
        for _ in 0..<3 { #expect(try stage.visit("Cookie: sid=gone~abc").server == lost.server) }
    }

    @Test func `a cookie with the server's route behind it goes on as it is`() throws {
        let way = ApplicationCookie(name: "JSESSIONID", mode: .route(UInt8(ascii: ".")))
        let setup = try self.pool.setup([.applicationCookie(way)]) {
            WayPool.setWords(&$0, ["node1", "node2", "node3"])
        }
        let stage = try Stage(setup)
        for server in [2, 0, 1, 1] {
            let value = "JSESSIONID=abc.node\(server + 1)"
            let visit = try stage.visit("Cookie: \(value)", answer: "Set-Cookie: \(value)\r\n")
            #expect(visit.server == server)
            #expect(visit.request.value("Cookie") == value)
            #expect(visit.answer.value("Set-Cookie") == value)
            #expect(try stage.visit(target: "/a;\(value)").server == server)
        }
        #expect(stage.bindings == 0)
    }

    @Test func `a user's token leads to one server, whichever token it is`() throws {
        let way = JWTClaimBinding(
            claim: "sub",
            header: "Authorization",
            hasher: try self.pool.hasher(.jwtClaim),
            key: nil
        )
        let stage = try Stage(self.pool.setup([.jwtClaim(way)]))
        // {"sub":"ada"}, {"sub":"ada","n":2}, {"sub":"eve"}
        let (one, two) = ("e30.eyJzdWIiOiJhZGEifQ.x", "e31.eyJzdWIiOiJhZGEiLCJuIjoyfQ.")
        let eve = "e30.eyJzdWIiOiJldmUifQ."
        let server = try stage.visit("Authorization: Bearer \(one)").server
        let other = try stage.visit("Authorization: Bearer \(eve)").server
        #expect(server != other)
        for token in [one, two, one, two] {
            #expect(try stage.visit("authorization: bearer \(token)").server == server)
        }
        #expect(stage.bindings == 2)
        for line in ["Authorization: Bearer nonsense", "Authorization: Basic \(one)"] {
            #expect(try stage.visit(line).answer.status == 200)
        }
        #expect(stage.bindings == 2)
    }

    @Test func `an address is bound, or computed`() throws {
        for isHash in [false, true] {
            let way = SourceAddressBinding(ipv4Prefix: 24, ipv6Prefix: 64, isHash: isHash)
            let stage = try Stage(self.pool.setup([.sourceAddress(way)]))
            let server = try stage.visit().server
            for _ in 0..<4 { #expect(try stage.visit().server == server) }
            #expect(stage.bindings == (isHash ? 0 : 1))
        }
        for fields in [TupleBinding.Fields.two, .three] {
            let stage = try Stage(self.pool.setup([.tuple(TupleBinding(fields: fields))]))
            let server = try stage.visit().server
            for _ in 0..<4 { #expect(try stage.visit().server == server) }
            #expect(stage.bindings == 0)
        }
        let stage = try Stage(self.pool.setup([.tuple(TupleBinding(fields: .five))]))
        let client = try stage.connect()
        let server = try stage.visit(client: client).server
        for _ in 0..<4 { #expect(try stage.visit(client: client).server == server) }
    }

    @Test func `the first way that finds a binding decides`() throws {
        let ways: [BindingWay] = [
            .header(
                HeaderBinding(name: "a", learnsFrom: nil, hasher: try self.pool.hasher(.header))
            ),
            .query(
                QueryBinding(name: "b", learning: .off, hasher: try self.pool.hasher(.query))
            ),
        ]
        let stage = try Stage(self.pool.setup(ways))
        let one = try stage.visit("A: 1").server
        let two = try stage.visit(target: "/?b=1").server
        #expect(one != two)
        #expect(try stage.visit("A: 1", target: "/?b=1").server == one)
        #expect(try stage.visit("A: none", target: "/?b=1").server == two)
    }

    @Test func `what is exempt is never bound, and learns nothing`() throws {
        let way = HeaderBinding(name: "s", learnsFrom: "s", hasher: try self.pool.hasher(.header))
        let setup = try self.pool.setup([.header(way), .cookie]) {
            $0.exempt = [
                ExemptRule(path: "/static/", suffix: nil, userAgent: nil, methods: 0),
                ExemptRule(path: nil, suffix: nil, userAgent: "bot", methods: 0),
            ]
        }
        let stage = try Stage(setup)
        for target in ["/static/a.css", "/static"] {
            let visit = try stage.visit("S: 1", target: target, answer: "S: 2\r\n")
            #expect(visit.answer.value("Set-Cookie") == nil)
        }
        let bot = try stage.visit("S: 1", "User-Agent: GoogleBot", answer: "S: 2\r\n")
        #expect(bot.answer.value("Set-Cookie") == nil)
        #expect(stage.bindings == 0)
        let page = try stage.visit("S: 1", "User-Agent: Firefox", target: "/statics")
        #expect(page.answer.value("Set-Cookie")?.hasPrefix("belay=") == true)
        var servers: Set<Int> = []
        for _ in 0..<3 { servers.insert(try stage.visit("S: 1", target: "/static/x").server) }
        #expect(servers.count == 3)
    }
}

/// The options of Belay's own cookie.
@Suite struct OwnCookieTests {
    private func stage(_ adjust: @escaping (inout PoolPlan) -> Void = { _ in }) throws -> Stage {
        try Stage(try WayPool().setup([.cookie], adjust))
    }

    private func cookie(_ visit: Visit) throws -> String {
        let line = try #require(visit.answer.value("Set-Cookie"))
        return String(try #require(line.split(separator: ";").first))
    }

    private func count(_ visit: Visit) -> Int {
        visit.answer.head.split(separator: "\r\n").count { $0.hasPrefix("Set-Cookie: belay=") }
    }

    @Test func `a server's cookie of that name is dropped`() throws {
        let stage = try self.stage()
        let own = "Set-Cookie: belay=server; Path=/\r\n"
        let first = try stage.visit(answer: own + "Set-Cookie: a=b\r\n")
        #expect(!first.answer.head.contains("belay=server"))
        #expect(first.answer.head.contains("Set-Cookie: a=b\r\n"))
        #expect(self.count(first) == 1 && stage.bindings == 1)
        let line = try first.answer.head.split(separator: "\r\n").first {
            $0.hasPrefix("Set-Cookie: belay=")
        }.map { try #require($0.dropFirst(12).split(separator: ";").first) }
        let cookie = String(try #require(line))
        for answer in [own, "Set-Cookie: belay=; Max-Age=0\r\n", ""] {
            let again = try stage.visit("Cookie: \(cookie)", answer: answer)
            #expect(again.server == first.server)
            #expect(self.count(again) == 0)
        }
        #expect(stage.bindings == 1)
    }

    @Test func `where it is preserved, the application ends the binding`() throws {
        let stage = try self.stage { $0.rules.preserves = true }
        let first = try stage.visit()
        let cookie = try self.cookie(first)
        #expect(stage.bound(first.server) == 1)
        for _ in 0..<2 { #expect(try stage.visit("Cookie: \(cookie)").server == first.server) }
        let gone = "Set-Cookie: belay=; Path=/; Max-Age=0\r\n"
        let last = try stage.visit("Cookie: \(cookie)", answer: gone)
        #expect(last.server == first.server)
        #expect(last.answer.head.contains(gone) && self.count(last) == 1)
        #expect(stage.bindings == 0)
        // Without it the client is bound anew.
        let next = try stage.visit()
        #expect(self.count(next) == 1 && stage.bindings == 1)
        // What a newcomer's answer says under that name is what it gets.
        let fresh = try stage.visit(answer: "Set-Cookie: belay=own\r\n")
        #expect(fresh.answer.value("Set-Cookie") == "belay=own" && self.count(fresh) == 1)
        #expect(stage.bindings == 1)
        #expect(try stage.visit("Cookie: belay=own").answer.status == 200)
    }

    @Test func `only a page brings the cookie, where that is wanted`() throws {
        let stage = try self.stage { $0.rules.setsOnNavigationOnly = true }
        for mode in ["no-cors", "cors", "websocket", "same-origin"] {
            #expect(self.count(try stage.visit("Sec-Fetch-Mode: \(mode)")) == 0, "\(mode)")
        }
        #expect(stage.bindings == 0)
        let page = try stage.visit("Sec-Fetch-Mode: navigate")
        #expect(self.count(page) == 1)
        // A client that does not say what it asks for.
        #expect(self.count(try stage.visit()) == 1)
        let cookie = try self.cookie(page)
        for mode in ["no-cors", "navigate"] {
            let visit = try stage.visit("Cookie: \(cookie)", "Sec-Fetch-Mode: \(mode)")
            #expect(visit.server == page.server && self.count(visit) == 0)
        }
    }
}
