import BelayCore
import BelaySettings
import Testing

/// What ways to bind, checks and sources of servers become.
@Suite struct PersistenceSettingsTests {
    private func pool(_ index: Int) throws -> Settings.ServerPool {
        let (settings, problems) = SettingsFile.load(text: fullFile, file: "f")
        #expect(problems.isEmpty)
        return try #require(settings).pools[index]
    }

    /// The persistence of a pool with a server that has these settings.
    private func persistence(_ text: String) throws -> Settings.Persistence {
        let file = "pools: {a: {servers: [x:1], persistence: \(text)}}\n"
        let (settings, problems) = SettingsFile.load(text: file, file: "f")
        #expect(problems.isEmpty)
        return try #require(settings?.pools[0].persistence)
    }

    @Test func `every setting of cookies reaches its value`() throws {
        let ways = try #require(self.pool(3).persistence).ways
        var cookie = Settings.BindingCookie()
        cookie.name = "__Host-shop"
        cookie.secure = .always
        cookie.sameSite = .none
        cookie.partitioned = true
        cookie.keep = .binding
        cookie.idle = nil
        cookie.lifetime = .hours(24)
        cookie.setOn = .navigation
        cookie.preserve = true
        var route = Settings.ApplicationCookie(name: "JSESSIONID")
        (route.mode, route.separator) = (.route, ".")
        var prefix = Settings.ApplicationCookie(name: "sid")
        (prefix.mode, prefix.separator) = (.prefix, "!")
        let learned = Settings.ApplicationCookie(name: "connect.sid")
        var address = Settings.BindingAddress()
        (address.ipv4Prefix, address.ipv6Prefix) = (24, 56)
        #expect(
            ways == [
                .cookie(cookie), .applicationCookie(route), .applicationCookie(prefix),
                .applicationCookie(learned), .sourceAddress(address),
            ]
        )
    }

    @Test func `every setting of other ways reaches its value`() throws {
        var query = Settings.BindingQuery(name: "sid")
        query.learn = .header("x-sid")
        var token = Settings.BindingToken()
        (token.claim, token.header) = ("user", "x-token")
        (token.algorithm, token.keyFile) = (.rs256, "keys/jwt.pem")
        #expect(
            try self.pool(2).persistence?.ways == [
                .header(Settings.BindingHeader(name: "mcp-session-id")), .query(query),
                .query(Settings.BindingQuery(name: "key")), .jwt(token), .tuple(.three),
            ]
        )
        var hash = Settings.BindingAddress()
        hash.store = .hash
        #expect(try self.pool(1).persistence?.ways == [.tlsSession, .sourceAddress(hash)])
    }

    @Test func `every rule for bindings reaches its value`() throws {
        let persistence = try #require(self.pool(3).persistence)
        var path = Settings.ExemptRule()
        path.path = try #require(persistence.exempt.first?.path)
        path.method = "GET"
        var suffix = Settings.ExemptRule()
        suffix.suffix = ".css"
        var agent = Settings.ExemptRule()
        agent.userAgent = "googlebot"
        #expect(persistence.exempt == [path, suffix, agent])
        #expect(path.path.text == "/static")
        #expect(persistence.idle == .hours(1) && persistence.lifetime == nil)
        #expect(persistence.table.entries == 5000 && !persistence.table.file)
        #expect(persistence.returning == .home)
        #expect(persistence.onFull == .reject && persistence.onFailure == .reject)
        #expect(persistence.rejectStatus == 429)
        #expect(persistence.claim == .milliseconds(500))
    }

    @Test func `what is left out has its default`() throws {
        let persistence = try self.persistence("{cookie: {}}")
        #expect(persistence == Settings.Persistence())
        #expect(persistence.ways == [.cookie(Settings.BindingCookie())])
        #expect(persistence.idle == .minutes(30) && persistence.lifetime == .hours(8))
        #expect(persistence.table.entries == 100_000 && persistence.table.file)
        #expect(persistence.returning == .stay && persistence.rejectStatus == 503)
        #expect(persistence.onFull == .move && persistence.onFailure == .rebalance)
        #expect(persistence.claim == .seconds(2) && persistence.exempt.isEmpty)
        let cookie = try #require(persistence.ownCookie)
        #expect(cookie.httpOnly && !cookie.partitioned && !cookie.preserve)
        #expect(cookie.keep == .session && cookie.setOn == .all)
    }

    @Test func `a word is a way with every default`() throws {
        let words = "{ways: [cookie, jwt, source-address]}"
        let groups = "{ways: [{cookie: {}}, {jwt: {}}, {source-address: {}}]}"
        #expect(try self.persistence(words) == self.persistence(groups))
        #expect(try self.persistence("{ways: [tuple]}").ways == [.tuple(.five)])
    }

    @Test func `a secret is kept and never shown`() throws {
        let secret = "0123456789abcdef0123456789abcdef"
        let text = "{ways: [{jwt: {algorithm: HS256, secret: \(secret)}}]}"
        let persistence = try self.persistence(text)
        guard case .jwt(let token) = persistence.ways[0] else {
            Issue.record("not a token")
            return
        }
        #expect(token.secret?.bytes == Array(secret.utf8))
        var dumped = "\(persistence)"
        dump(persistence, to: &dumped)
        #expect(!dumped.contains("0123"))
    }

    @Test func `an expanded file says that secrets are left out, and does not load without`() throws
    {
        let text = """
            pools:
              a:
                servers: [x:1]
                persistence:
                  ways: [{jwt: {algorithm: HS256, secret: \(String(repeating: "k", count: 32))}}]
            """
        let settings = try #require(SettingsFile.load(text: text, file: "f").0)
        let written = Reference.expandedFile(of: settings)
        #expect(written.hasPrefix("# Keys and secrets are left out here.\n"))
        #expect(!written.contains("kkk"))
        #expect(
            problems(of: written).map { String($0.split(separator: " ", maxSplits: 1)[1]) } == [
                "pools.a.persistence.ways.jwt: the algorithm HS256 needs a \"secret\" or a "
                    + "\"key-file\""
            ]
        )
    }

    @Test func `what ways are`() {
        var hash = Settings.BindingAddress()
        hash.store = .hash
        var prefix = Settings.ApplicationCookie(name: "a")
        prefix.mode = .prefix
        let ways: [Settings.Way] = [
            .cookie(.init()), .applicationCookie(.init(name: "a")), .applicationCookie(prefix),
            .header(.init(name: "a")), .query(.init(name: "a")), .jwt(.init()),
            .sourceAddress(.init()), .sourceAddress(hash), .tuple(.two), .tlsSession,
        ]
        #expect(
            ways.map(\.isForTCP) == [false, false, false, false, false, false] + [
                true, true, true, true,
            ]
        )
        #expect(ways.filter(\.isAffinity) == [.sourceAddress(hash), .tuple(.two)])
        #expect(
            ways.map(\.learns) == [false, true, false, true, true, true, true, false, false, true]
        )
    }
}

@Suite struct HealthSettingsTests {
    @Test func `every setting of checks reaches its value`() throws {
        let pools = try #require(SettingsFile.load(text: fullFile, file: "f").0).pools
        let health = try #require(pools[3].health)
        #expect(health.check == .http && health.path == "/healthz?deep=1")
        #expect(health.host == "shop.example.com" && health.method == "OPTIONS")
        #expect(
            health.statuses == [Settings.StatusRange(200...299), Settings.StatusRange(304...304)]
        )
        #expect(health.body == "all: well")
        #expect(health.agent?.port == 9999 && health.agent?.interval == .seconds(1))
        #expect(health.agentHeader == "x-server-state")
        let grpc = try #require(pools[2].health)
        #expect(grpc.check == .grpc && grpc.service == "shop.Cart" && grpc.port == 50052)
        #expect(grpc.host == "shop.internal")
        #expect(grpc.changingInterval == .milliseconds(250))
        #expect(pools[1].health?.check == .tcp)
    }

    @Test func `every setting of ejection reaches its value`() throws {
        let failures = try #require(SettingsFile.load(text: fullFile, file: "f").0).pools[3]
            .failures
        #expect(failures.statuses.map { [$0.first, $0.last] } == [[502, 504], [500, 500]])
        #expect(failures.statuses[0].contains(503) && !failures.statuses[0].contains(505))
        #expect(failures.errorRate == 0.4 && failures.latency == 2.5)
        #expect(failures.interval == .seconds(20) && failures.requestsMin == 50)
    }

    @Test(
        arguments: [
            ("{}", .tcp), ("{path: /x}", .http), ("{service: a}", .grpc), ("{check: tls}", .tls),
            ("{check: http}", .http), ("{check: grpc, host: a}", .grpc),
        ] as [(String, Settings.HealthCheck)]
    )
    func `the kind of check follows from its settings`(
        text: String,
        want: Settings.HealthCheck
    ) throws {
        let file = "pools: {a: {servers: [x:1], health: \(text)}}\n"
        #expect(SettingsFile.load(text: file, file: "f").0?.pools[0].health?.check == want)
    }

    @Test(arguments: [("2s", 500), ("400ms", 100), ("200ms", 100), ("1m", 15_000)])
    func `a changing state is looked at four times as often`(interval: String, want: Int) throws {
        let file = "pools: {a: {servers: [x:1], health: {interval: \(interval)}}}\n"
        let health = SettingsFile.load(text: file, file: "f").0?.pools[0].health
        #expect(health?.changingInterval == .milliseconds(Int64(want)))
    }
}

@Suite struct ServerSourceTests {
    @Test func `servers and sources stand in one list`() throws {
        let settings = try #require(SettingsFile.load(text: fullFile, file: "f").0)
        let pool = settings.pools[2]
        #expect(pool.servers.map(\.name.rawValue) == ["10.0.0.41:50051"])
        #expect(
            pool.sources.map(\.kind) == [
                .srv("_grpc._tcp.shop.internal"), .dns(host: "shop.internal", port: 50051),
                .file("servers.txt"),
            ]
        )
        #expect(pool.sources.map(\.maxConnections) == [50, nil, nil])
        #expect(pool.sources.map(\.weight) == [.one, Weight(3), .one])
        let shop = settings.pools[3].servers
        #expect(shop.map(\.routeWord) == ["node1", "shop2"])
        #expect(shop.map(\.generation) == [3, 0])
        #expect(settings.limits.upgrade == .hours(2))
    }

    @Test func `a source alone is a pool`() throws {
        let text = "pools: {a: {servers: [{file: servers.txt}]}}\n"
        let pool = try #require(SettingsFile.load(text: text, file: "f").0).pools[0]
        #expect(pool.servers.isEmpty && pool.sources.count == 1)
    }
}
