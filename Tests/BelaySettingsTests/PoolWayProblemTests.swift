import BelaySettings
import Testing

// What ways to bind ask of their pool's servers and listeners; warnings.

@Suite struct PoolWayProblemTests {
    /// The problems of a pool that only a listener of TCP uses, with these ways on line 2.
    private func problems(inTCP ways: String) -> [String] {
        let listener = "listeners: [{address: ':1', kind: tcp, pool: a}]\n"
        let pool = "pools: {a: {servers: [x:1], persistence: {ways: \(ways)}}}\n"
        return BelaySettingsTests.problems(of: listener + pool)
    }

    @Test(
        arguments: [
            ("[source-address, tls-session, tuple]", nil), ("[cookie]", "50: cookies"),
            ("[{application-cookie: {name: a}}]", "71: cookies"),
            ("[{header: {name: a}}]", "59: fields"), ("[jwt]", "50: fields"),
            ("[{query: {name: a}}]", "58: queries"), ("[tls-session, cookie]", "63: cookies"),
        ] as [(String, String?)]
    )
    func `ways that TCP has not`(ways: String, want: String?) {
        let parts = want?.split(separator: ": ")
        let lines = parts.map { parts in
            [
                "2:\(parts[0]): only listeners of kind tcp use this pool, and TCP carries no "
                    + "\(parts[1]); bind by source-address, tuple or tls-session"
            ]
        }
        #expect(self.problems(inTCP: ways) == lines ?? [])
    }

    @Test func `presets and exempt requests that TCP has not`() {
        let listener = "listeners: [{address: ':1', kind: tcp, pool: a}]\n"
        let lead = listener + "pools: {a: {servers: [x:1], persistence: {\n"
        #expect(
            BelaySettingsTests.problems(of: lead + "preset: aws-alb-duration}}}\n") == [
                "3:9: only listeners of kind tcp use this pool, and TCP carries no cookies; bind "
                    + "by source-address, tuple or tls-session"
            ]
        )
        #expect(
            BelaySettingsTests.problems(of: lead + "ways: [tuple], exempt: [{suffix: a}]}}}\n") == [
                "3:24: only listeners of kind tcp use this pool, and \"exempt\" is for requests"
            ]
        )
    }

    @Test func `a pool that HTTP uses too may have both kinds of ways`() {
        let text = """
            listeners: [":2", {address: ":1", kind: tcp, pool: a}]
            routes: [{pool: a}]
            pools: {a: {servers: [x:1], persistence: {ways: [cookie, source-address]}}}
            """
        #expect(BelaySettingsTests.problems(of: text).isEmpty)
    }

    @Test(
        arguments: [
            ("route", "s1", "s2", []),
            (
                "route", "s.1", "s2",
                [
                    "3:12: the route of this server, \"s.1\", has \".\" in it, which separates it "
                        + "from the value of the cookie sid; give it a \"route\" without"
                ]
            ),
            (
                "route", "s1, route: n.1", "s2",
                [
                    "3:23: the route of this server, \"n.1\", has \".\" in it, which separates it "
                        + "from the value of the cookie sid"
                ]
            ),
            (
                "route", "s1, route: n", "s2, route: n",
                ["4:23: two servers of this pool have the route \"n\"; first on line 3"]
            ),
            (
                "route", "s1", "s2, route: s1",
                ["4:23: two servers of this pool have the route \"s1\"; first on line 3"]
            ),
            ("prefix", "s.1", "s2", []),
            (
                "prefix", "s.1", "s2, route: s.1",
                ["4:23: two servers of this pool have the route \"s.1\"; first on line 3"]
            ),
            (
                "prefix", "s1, route: s2", "s2",
                ["4:12: two servers of this pool have the route \"s2\"; first on line 3"]
            ),
            (
                "prefix, separator: '-'", "s-1", "s2",
                [
                    "3:12: the route of this server, \"s-1\", has \"-\" in it, which separates it "
                        + "from the value of the cookie sid; give it a \"route\" without"
                ]
            ),
            ("learn", "s.1", "s2", []),
        ] as [(String, String, String, [String])]
    )
    func `servers in the application's cookie`(
        mode: String,
        first: String,
        second: String,
        want: [String]
    ) {
        let text = """
            pools:
              a: {servers: [
                {name: \(first), address: x:1},
                {name: \(second), address: x:2}, {dns: x, port: 1}],
                persistence: {ways: [{application-cookie: {name: sid, mode: \(mode)}}]}}
            """
        #expect(BelaySettingsTests.problems(of: text) == want)
    }

    @Test func `names of servers are compared across the sources between them`() {
        let text = """
            pools:
              a:
                servers:
                  - {dns: x, port: 1}
                  - {name: s, address: x:1}
                  - {file: a}
                  - {name: s, address: x:2}
            """
        #expect(
            BelaySettingsTests.problems(of: text) == [
                "7:16: two servers of this pool are named \"s\"; first on line 5"
            ]
        )
    }
}

@Suite struct WarningTests {
    @Test func `a warning leaves the settings as they are, and has its place`() throws {
        let text =
            "pools:\n  a:\n    servers: [x:1]\n    persistence: {cookie: {http-only: false}}\n"
        let (settings, problems) = SettingsFile.load(text: text, file: "f")
        #expect(settings?.pools[0].persistence?.ownCookie?.httpOnly == false)
        #expect(problems.map(\.isWarning) == [true])
        #expect(!problems.hasErrors)
        #expect(
            problems.map(\.description) == [
                "f:4:39: warning: with \"http-only: false\" every script of the page can read this "
                    + "cookie and send it elsewhere"
            ]
        )
    }

    @Test func `an error beside a warning leaves no settings`() {
        let text = "pools: {a: {servers: [x], persistence: {cookie: {http-only: false}}}}\n"
        let (settings, problems) = SettingsFile.load(text: text, file: "f")
        #expect(settings == nil)
        #expect(problems.map(\.isWarning) == [false, true])
    }
}
