import BelayCore
import BelaySettings
import Foundation
import Testing

@Suite struct SettingsFileTests {
    @Test func `three lines are a whole file, everything else has a default`() throws {
        let text = "pools:\n  shop:\n    servers: [10.0.0.1:3000, web2:3000]\n"
        let settings = try #require(SettingsFile.load(text: text, file: "f").0)

        #expect(settings.workers == nil)
        #expect(settings.listeners.map(\.address.spelled) == [":8080"])
        #expect(settings.listeners.map(\.name) == [":8080"])
        #expect(settings.admin?.address.spelled == "127.0.0.1:9900")
        #expect(settings.routes.map(\.name) == ["*/"])
        #expect(settings.routes.map(\.pool.rawValue) == ["shop"])
        #expect(settings.routes[0].match == Settings.Match())

        let pool = try #require(settings.pools.first)
        #expect(pool.name.rawValue == "shop")
        #expect(pool.balance == .randomOfTwo)
        #expect(pool.servers.map(\.name.rawValue) == ["10.0.0.1:3000", "web2:3000"])
        #expect(pool.servers.map(\.address.host) == ["10.0.0.1", "web2"])
        #expect(pool.servers.map(\.address.port) == [3000, 3000])
        #expect(pool.servers.allSatisfy { $0.weight == .one && $0.state == .ready })
        #expect(pool.persistence == nil)
        #expect(pool.serverProtocol == .http1)
        #expect(pool.tls == nil && pool.health == nil && pool.tunnelsPerServer == nil)
        #expect(pool.proxyProtocol == .off && pool.proxyProtocolTLVs.isEmpty)
        #expect(pool.failures == Settings.Failures())
        #expect(settings.connectTimeout(of: pool) == .seconds(5))
        #expect(settings.limits == Settings.Limits())
    }

    @Test func `every setting reaches its value`() throws {
        let (loaded, problems) = SettingsFile.load(text: fullFile, file: "f")
        #expect(problems.isEmpty)
        let settings = try #require(loaded)

        #expect(settings.workers == 2)
        #expect(settings.pinWorkers)
        #expect(settings.stateDirectory == "/var/lib/belay")
        #expect(
            settings.listeners.map(\.address.spelled) == [":8080", "[::1]:8443", ":80", ":5432"]
        )
        #expect(settings.listeners.map(\.name) == [":8080", "inner", ":80", ":5432"])
        #expect(settings.trustedProxies.map(\.spelled) == ["10.0.0.0/8", "::1"])
        #expect(settings.routes.map(\.name) == ["api.example.com/v1", "wild", "*/"])
        #expect(settings.routes[0].match.host == .exact("api.example.com"))
        #expect(settings.routes[0].match.path.text == "/v1")
        #expect(settings.routes[1].match.host == .suffix(".example.com"))
        #expect(settings.routes[1].match.methods == ["GET", "HEAD"])
        #expect(settings.pools.map(\.name.rawValue) == ["api", "db", "grpc", "shop"])
        #expect(settings.resolver?.servers.map(\.description) == ["127.0.0.1:8600", "[::1]:53"])
        #expect(settings.resolver?.timeout == .seconds(3))
        #expect(settings.resolver?.attempts == 1)
        #expect(settings.errorPages == "/etc/belay/pages")
        #expect(!settings.headers.xForwarded)
        #expect(settings.headers.forwarded)
        #expect(settings.headers.via == .pseudonym)
        #expect(!settings.headers.clientCertificate)
        #expect(settings.log.access == .json)
        #expect(settings.log.accessTo == .file("/var/log/belay.log"))
        #expect(settings.log.level == .debug)
        #expect(settings.keys.ring.map(\.bytes) == [Array(0..<32)])
        #expect(settings.admin?.address.spelled == "127.0.0.1:9901")
    }

    @Test func `every setting of a pool reaches its value`() throws {
        let settings = try #require(SettingsFile.load(text: fullFile, file: "f").0)
        #expect(settings.pools[0].balance == .leastTime)
        #expect(settings.pools[0].servers[1].address.host == "2001:db8::1")
        #expect(settings.connectTimeout(of: settings.pools[0]) == .milliseconds(500))

        let pool = settings.pools[3]
        #expect(settings.connectTimeout(of: pool) == .seconds(1))
        #expect(pool.balance == .urlHash)
        #expect(pool.servers[0].name.rawValue == "shop1")
        #expect(pool.servers[0].address.host == "shop1.internal")
        #expect(pool.servers[0].weight == Weight(2))
        #expect(pool.servers[1].state == .draining)
        #expect(pool.servers[1].maxConnections == 200)
        #expect(pool.retries == 3)
        #expect(pool.loadBound == 1.5)
        #expect(pool.failures.count == 3)
        #expect(pool.failures.window == .seconds(5))
        #expect(pool.failures.eject == .seconds(2))
        #expect(pool.failures.ejectMax == .minutes(1))
        #expect(pool.failures.ejectShare == 0.3)
        #expect(pool.keep.idleConnections == 8)
        #expect(pool.keep.idle == .seconds(10))
        let cookie = try #require(pool.persistence?.ownCookie)
        #expect(cookie.name == "__Host-shop")
        #expect(cookie.secure == .always)
        #expect(cookie.sameSite == .none)
        #expect(cookie.idle == nil)
        #expect(cookie.lifetime == .hours(24))
    }

    @Test func `every limit reaches its value`() throws {
        let limits = try #require(SettingsFile.load(text: fullFile, file: "f").0).limits
        #expect(limits.connections == 5000)
        #expect(limits.connectionsPerClient == 100)
        #expect(limits.pendingConnects == 64)
        #expect(limits.requestsPerConnection == 1000)
        #expect(limits.headSize == ByteCount(kibibytes: 16))
        #expect(limits.headerCount == 50)
        #expect(limits.bodySize == ByteCount(bytes: 1 << 30))
        #expect(limits.headTimeout == .seconds(5))
        #expect(limits.keepAlive == .seconds(30))
        #expect(limits.idle == .minutes(2))
        #expect(limits.connectTimeout == .seconds(1))
        #expect(limits.shutdown == .seconds(10))
        #expect(limits.handshakeTimeout == .seconds(3))
        #expect(limits.handshakesPerClient == 30)
        #expect(limits.tunnelsPerClient == 20)
        #expect(limits.http2.streams == 50)
        #expect(limits.http2.resets == 10)
        #expect(limits.http2.controlFrames == 1000)
    }

    @Test(
        arguments: [
            fullFile, "pools: {a: {servers: [x:1], persistence: {cookie: {}}}}\n",
            "listeners: [{address: ':1', kind: tcp, pool: a}]\npools: {a: {servers: [x:1]}}\n",
            "pools: {a: {servers: [x:1], protocol: h2}}\n",
            "pools: {a: {servers: [{dns: x, port: 1}], persistence: {ways: [tuple]}}}\n",
            "pools: {a: {servers: [x:1], health: {}, persistence: {ways: [cookie, jwt]}}}\n",
        ]
    )
    func `settings that are written down are read as the same settings`(text: String) throws {
        var settings = try #require(SettingsFile.load(text: text, file: "f").0)
        let texts = [Reference.file(of: settings), Reference.expandedFile(of: settings)]
        // Keys are never written.
        settings.keys.ring = []
        for text in texts {
            let (again, problems) = SettingsFile.load(text: text, file: "f")
            #expect(problems.isEmpty)
            #expect(again == settings)
        }
    }

    @Test func `short forms are the same as long ones`() {
        let short = "listeners: [\":1\"]\nadmin: 127.0.0.1:2\npools: {a: {servers: [x:1]}}\n"
        let long = """
            listeners: [{address: ":1"}]
            admin: {address: 127.0.0.1:2}
            routes: [{match: {}, pool: a}]
            pools: {a: {servers: [{name: x:1, address: x:1, weight: 1}], persistence: off}}
            """
        #expect(SettingsFile.load(text: short, file: "f").0 != nil)
        #expect(
            SettingsFile.load(text: short, file: "f").0
                == SettingsFile.load(text: long, file: "f").0
        )
    }

    @Test func `Windows line ends and a byte-order mark change nothing, places neither`() {
        let windows = "\u{FEFF}" + fullFile.split(separator: "\n").joined(separator: "\r\n")
        #expect(SettingsFile.load(text: windows, file: "f").0 != nil)
        #expect(
            problems(of: "\u{FEFF}wrokers: 1\r\npools: {a: {servers: [x:1], retires: 1}}\r\n") == [
                "1:1: unknown key \"wrokers\"; did you mean \"workers\"?",
                "2:29: unknown key \"retires\" in pools.a; did you mean \"retries\"?",
            ]
        )
    }

    @Test func `an alias stands for what its anchor has`() throws {
        let text = """
            pools:
              a: &web { servers: [x:1] }
              b: *web
            routes: [{ match: { path: /a }, pool: a }, { pool: b }]
            """
        let settings = try #require(SettingsFile.load(text: text, file: "f").0)
        #expect(settings.pools[0].servers == settings.pools[1].servers)
    }

    @Test func `no description and no dump shows a key`() throws {
        let settings = try #require(SettingsFile.load(text: fullFile, file: "f").0)
        var dumped = ""
        dump(settings, to: &dumped)
        for text in [
            dumped, "\(settings)", String(reflecting: settings), Reference.file(of: settings),
        ] {
            #expect(!text.contains("AAECAw"))
            #expect(!text.contains("0, 1, 2, 3"))
        }
        #expect(dumped.contains("secret"))
    }
}

@Suite struct FileReadingTests {
    private let directory = FileManager.default.temporaryDirectory
        .appendingPathComponent("belay-settings-\(UUID().uuidString)")

    @Test(
        arguments: [
            (Data(fullFile.utf8), nil),
            (Data(), ":1:1: the file sets nothing; it needs at least a pool with a server"),
            (Data([0xFF, 0xFE, 0x61, 0]), ": the file is in UTF-16; save it as UTF-8"),
            (Data([0x61, 0xC3, 0x28]), ": the file is not in UTF-8"),
            (Data(repeating: 0x23, count: 4 << 20 | 1), ": the file is larger than 4 MiB"),
        ] as [(Data, String?)]
    )
    func `a file is read, or says why not`(content: Data, want: String?) throws {
        try FileManager.default.createDirectory(
            at: self.directory,
            withIntermediateDirectories: true
        )
        defer { try? FileManager.default.removeItem(at: self.directory) }
        let path = self.directory.appendingPathComponent("belay.yaml").path
        try content.write(to: URL(fileURLWithPath: path))
        let (settings, problems) = SettingsFile.load(path: path)
        #expect(problems.map(\.description) == (want.map { [path + $0] } ?? []))
        #expect((settings == nil) == (want != nil))
    }

    @Test func `what is not a file is named as such`() {
        let gone = self.directory.path
        #expect(
            SettingsFile.load(path: gone).1.map(\.description) == ["\(gone): there is no such file"]
        )
        #expect(
            SettingsFile.load(path: "/").1.map(\.description)
                == ["/: this is a directory, not a settings file"]
        )
    }
}
