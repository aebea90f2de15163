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
            (["a"], [], ["--to: an entry of pools.servers.servers: \"a\" has no port"]),
            (["a:1", "a:1"], [], ["--to: two servers of this pool are named \"a:1\""]),
            ([], [], ["--to: pools.servers.servers is empty"]),
            (
                ["a:1"], ["80"],
                [
                    "--listen: an entry of listeners: \"80\" is a port without its colon; "
                        + "did you mean \":80\"?"
                ]
            ),
            (
                ["a"], ["x"],
                [
                    "--to: an entry of pools.servers.servers: \"a\" has no port",
                    "--listen: an entry of listeners: \"x\" has no port",
                ]
            ),
            (["a:1"], [":1", ":1"], ["--listen: the address :1 is given twice"]),
            (["a:1"], [":1", "127.0.0.1:0"], []),
        ]
    )
    func `servers and listeners`(to: [String], listen: [String], want: [String]) {
        let (settings, problems) = Settings.forServers(to, listen: listen)
        #expect(problems.map(\.description) == want)
        #expect((settings == nil) == !want.isEmpty)
    }

    @Test(
        arguments: [
            (nil, "3", nil, []),
            (
                nil, "many", nil,
                ["--workers: workers must be auto or a whole number within 1...256, not \"many\""]
            ),
            ("off", "auto", "json", []),
            (
                "localhost:1", nil, "jsn",
                [
                    "--admin: admin: \"localhost:1\" must be an IP address, not a name; "
                        + "did you mean \"127.0.0.1:1\"?",
                    "--log-format: log.access must be json, text or off, not \"jsn\"; "
                        + "did you mean \"json\"?",
                ]
            ),
            (
                ":8080", nil, nil,
                ["--admin: :8080 would be both a listener and the admin address"]
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
