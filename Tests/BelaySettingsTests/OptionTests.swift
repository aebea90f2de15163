import BelayCore
import BelaySettings
import Testing

@Suite struct OptionTests {
    @Test func `servers without a file make a pool with a binding cookie`() throws {
        let (loaded, problems) = Settings.forServers(["10.0.0.1:3000", "web2:3000"])
        #expect(problems.isEmpty)
        let settings = try #require(loaded)
        #expect(settings.pools.map(\.name.rawValue) == ["servers"])
        #expect(settings.pools[0].servers.map(\.address.spelled) == ["10.0.0.1:3000", "web2:3000"])
        #expect(settings.pools[0].persistence == Settings.Persistence())
        #expect(settings.routes.map(\.pool.rawValue) == ["servers"])
        #expect(settings.listeners.map(\.address.spelled) == [":8080"])
    }

    @Test(
        arguments: [
            (["a"], ["belay: --to: \"a\" has no port"]),
            (["a:1", "a:1"], ["belay: two servers of this pool are named \"a:1\""]),
            (
                ["a", "http://b:1"],
                [
                    "belay: --to: \"a\" has no port",
                    "belay: --to: \"http://b:1\" is a URL; did you mean \"b:1\"?",
                ]
            ),
            ([], ["belay: --to is empty"]),
        ]
    )
    func `servers that are none`(servers: [String], want: [String]) {
        let (settings, problems) = Settings.forServers(servers)
        #expect(settings == nil)
        #expect(problems.map(\.description) == want)
    }

    @Test(
        arguments: [
            (
                ["80"],
                ["belay: --listen: \"80\" is a port without its colon; did you mean \":80\"?"]
            ),
            ([":1", ":1"], ["belay: --listen: :1 is given twice"]),
            (
                ["127.0.0.1:9900"],
                ["belay: --listen: 127.0.0.1:9900 would be both a listener and the admin address"]
            ),
            ([":1", "127.0.0.1:0", "127.0.0.1:0"], []),
        ]
    )
    func `listeners`(listen: [String], want: [String]) throws {
        var settings = try #require(Settings.forServers(["a:1"]).0)
        var options = SettingsOptions()
        options.listen = listen
        #expect(settings.apply(options).map(\.description) == want)
    }

    @Test func `listeners of HTTP need routes, which a file for TCP has not`() throws {
        let text = """
            listeners: [{address: ":1", kind: tcp, pool: db}]
            pools: {db: {servers: [a:1]}}
            """
        var settings = try #require(SettingsFile.load(text: text, file: "f").0)
        #expect(settings.apply(SettingsOptions()).isEmpty)
        var options = SettingsOptions()
        options.listen = [":2"]
        #expect(
            settings.apply(options).map(\.description) == [
                "belay: --listen: the file has no routes for requests that come there"
            ]
        )
    }

    @Test(
        arguments: [
            (nil, "3", nil, []),
            ("off", "auto", "json", []),
            (
                nil, "many", nil,
                ["belay: --workers must be auto or a whole number within 1...256, not \"many\""]
            ),
            (
                "localhost:1", nil, "jsn",
                [
                    "belay: --admin: \"localhost:1\" must be an IP address, not a name; "
                        + "did you mean \"127.0.0.1:1\"?",
                    "belay: --log-format must be json, text or off, not \"jsn\"; "
                        + "did you mean \"json\"?",
                ]
            ),
            (
                ":8080", nil, nil,
                ["belay: --admin: :8080 would be both a listener and the admin address"]
            ),
        ] as [(String?, String?, String?, [String])]
    )
    func `other options`(admin: String?, workers: String?, format: String?, want: [String]) throws {
        var settings = try #require(Settings.forServers(["a:1"]).0)
        var options = SettingsOptions()
        options.admin = admin
        options.workers = workers
        options.logFormat = format
        #expect(settings.apply(options).map(\.description) == want)
    }

    @Test func `options take the place of what the file says, and of nothing else`() throws {
        let loaded = SettingsFile.load(text: fullFile, file: "f").0
        var settings = try #require(loaded)
        var options = SettingsOptions()
        options.listen = ["127.0.0.1:0"]
        options.admin = "off"
        options.workers = "auto"
        options.logFormat = "text"
        #expect(settings.apply(options).isEmpty)
        #expect(settings.listeners.map(\.name) == ["127.0.0.1:0"])
        #expect(settings.admin == nil)
        #expect(settings.workers == nil)
        #expect(settings.log.access == .text)
        #expect(settings.log.level == .debug)
        #expect(settings.pools == loaded?.pools)
    }
}
