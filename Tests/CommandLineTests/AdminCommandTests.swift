import ArgumentParser
import BelayAdmin
import BelayCore
import Testing
import belay

/// Commands that ask the running Belay: what they ask, and how its answers read.
@Suite struct AdminCommandTests {
    // MARK: Questions

    @Test(arguments: [
        (["shop1"], "POST", "/api/pools/-/servers/shop1/drain"),
        (["shop/shop1"], "POST", "/api/pools/shop/servers/shop1/drain"),
        (["shop1", "--pool", "a b"], "POST", "/api/pools/a%20b/servers/shop1/drain"),
        // An address has no pool in front of it.
        (["[::1]:80"], "POST", "/api/pools/-/servers/%5B%3A%3A1%5D%3A80/drain"),
        (["büro"], "POST", "/api/pools/-/servers/b%C3%BCro/drain"),
        (
            ["shop1", "--deadline", "30m", "--rate", "50/s"], "POST",
            "/api/pools/-/servers/shop1/drain?deadline=30m&rate=50%2Fs"
        ),
        (["shop1", "--rate", "0", "--wait"], "POST", "/api/pools/-/servers/shop1/drain?rate=0"),
        (["shop1", "--pause"], "POST", "/api/pools/-/servers/shop1/drain/pause"),
        (["shop1", "--resume"], "POST", "/api/pools/-/servers/shop1/drain/resume"),
        (["shop1", "--undo"], "DELETE", "/api/pools/-/servers/shop1/drain"),
    ])
    func `a drain is asked for so`(arguments: [String], method: String, path: String) throws {
        let question = try DrainCommand.parse(arguments).question()
        #expect(question.method == method)
        #expect(question.path == path)
    }

    @Test(arguments: [
        (["drain"], "Missing expected argument '<server>'"),
        (["drain", "a", "--pause", "--undo"], "Give one of --pause, --resume and --undo."),
        (
            ["drain", "a", "--resume", "--rate", "5/s"],
            "--deadline and --rate begin or change a drain; give them alone."
        ),
        (
            ["drain", "a", "--undo", "--wait"],
            "There is nothing to wait for after --pause or --undo."
        ),
        (
            ["drain", "a", "--deadline", "soon"],
            "--deadline must be a time such as 30m, not \"soon\"."
        ),
        (["drain", "a", "--deadline", "0"], "--deadline must be a time such as 30m, not \"0\"."),
        (["drain", "a", "--rate", "fast"], "--rate must be a rate such as 50/s, not \"fast\"."),
        (
            ["drain", "a", "--admin", "here"],
            "--admin must be an address such as 127.0.0.1:9900, not \"here\"."
        ),
        (["rebalance", "a", "--rate", "0"], "--rate must be a rate such as 50/s, not \"0\"."),
        (
            ["rebalance", "a", "--goal", "0.9"],
            "--goal must be a number of at least 1, such as 1.05."
        ),
        (["server", "set", "a"], "Give --weight, --state or --address."),
        (
            ["bindings", "find", "--pool", "a", "--way", "header"],
            "Missing expected argument '--value <value>'"
        ),
        (["bindings", "move", "--pool", "a", "00"], "Missing expected argument '--to <to>'"),
    ])
    func `what can't be meant is a usage error`(arguments: [String], want: String) throws {
        let error = #expect(throws: (any Error).self) { try BelayCommand.parseAsRoot(arguments) }
        let found = try #require(error)
        #expect(BelayCommand.exitCode(for: found).rawValue == 64)
        #expect(BelayCommand.message(for: found) == want)
    }

    // MARK: Answers

    private func drain(
        _ phase: String,
        cause: String = "command",
        bound: Int = 12,
        rate: Double? = nil,
        end: Int64? = 1_795_228_200
    ) -> DrainReport {
        DrainReport(
            pool: "shop",
            server: "shop1",
            cause: cause,
            phase: phase,
            bound: bound,
            countsAll: true,
            boundAtStart: 40,
            losing: rate == nil ? bound : 0,
            openRequests: 3,
            rate: rate,
            began: 1_795_226_400,
            deadline: 1_795_233_600,
            expectedEnd: end
        )
    }

    private static let now: Int64 = 1_795_227_300

    @Test func `a drain says who is left, who would lose a session, and when it is done`() {
        let want = """
            shop/shop1: draining
              bound clients         12 of 40
              would lose a session  12
              open requests         3
              expected end          2026-11-21 02:30:00 UTC (in 15 min)
              deadline              2026-11-21 04:00:00 UTC (in 105 min)

            """
        #expect(drainText(self.drain("running"), now: Self.now) == want)
    }

    @Test func `a drain of clients that are not all counted says so`() {
        var report = self.drain("running")
        report.countsAll = false
        let text = drainText(report, now: Self.now)
        #expect(text.contains("  bound clients         12 known here; not all are counted\n"))
        #expect(text.contains("  would lose a session  12 known here\n"))
        #expect(report.left == "at least 12 left")
        report.bound = 0
        #expect(report.left == "not all are counted")
    }

    @Test func `a drain at a rate says it, and that nobody loses a session`() {
        let want = """
            shop/shop1: draining
              bound clients         12 of 40
              would lose a session  0
              open requests         3
              moving                0.5 a second
              expected end          2026-11-21 02:15:24 UTC (in 24 s)
              deadline              2026-11-21 04:00:00 UTC (in 105 min)

            """
        let report = self.drain("running", rate: 0.5, end: Self.now + 24)
        #expect(drainText(report, now: Self.now) == want)
    }

    @Test(arguments: [
        (
            "paused", "command",
            "shop/shop1: the drain is paused; it takes no newcomers all the same"
        ),
        ("empty", "command", "shop/shop1: empty: it can be taken away"),
        ("over", "command", "shop/shop1: the deadline has come: who is still bound moves"),
        ("running", "removal", "shop/shop1: leaving: it is in no settings any more"),
        ("what is that", "command", "shop/shop1: draining"),
    ])
    func `each phase has its sentence`(phase: String, cause: String, want: String) {
        let end: Int64? = phase == "paused" ? nil : Self.now
        let text = drainText(self.drain(phase, cause: cause, end: end), now: Self.now)
        #expect(text.hasPrefix(want + "\n"))
        let hasEnd = phase != "paused" && phase != "empty" && phase != "over"
        #expect(text.contains("expected end") == hasEnd)
    }

    @Test func `what comes from elsewhere can't write on the terminal`() {
        var report = self.drain("running")
        report.server = "a\u{1B}[31mb"
        #expect(!drainText(report, now: Self.now).contains("\u{1B}"))
    }

    private func server(
        _ name: String,
        _ last: UInt32,
        state: String = "ready",
        health: String = "up",
        bound: Int,
        drain: DrainReport? = nil
    ) -> ServerReport {
        ServerReport(
            name: name,
            address: SocketAddress(ip: IPAddress(v4: 0x0A00_0000 | last), port: 3000),
            weight: .one,
            state: state,
            health: health,
            ejectedFor: nil,
            openRequests: Int(last),
            bound: bound,
            exchanges: 0,
            failures: 0,
            latency: nil,
            drain: drain
        )
    }

    @Test func `servers read as a table`() {
        let pools = [
            PoolReport(
                name: "shop",
                algorithm: .leastConnections,
                servers: [
                    self.server(
                        "shop1",
                        11,
                        state: "draining",
                        bound: 12,
                        drain: self.drain("running")
                    ),
                    self.server("shop2", 2, health: "starting", bound: 1_234),
                ]
            ),
            PoolReport(
                name: "api",
                algorithm: .leastTime,
                servers: [self.server("10.0.0.21:3000", 21, health: "down", bound: 0)]
            ),
        ]
        let want = """
            POOL  SERVER          ADDRESS         STATE     HEALTH    WEIGHT  BOUND  OPEN  DRAIN
            shop  shop1           10.0.0.11:3000  draining  up             1     12    11  \
            12 of 40 left
            shop  shop2           10.0.0.2:3000   ready     starting       1   1234     2
            api   10.0.0.21:3000  10.0.0.21:3000  ready     down           1      0    21

            """
        #expect(serversText(pools) == want)
        let quiet = """
            POOL  SERVER          ADDRESS         STATE  HEALTH  WEIGHT  BOUND  OPEN
            api   10.0.0.21:3000  10.0.0.21:3000  ready  down         1      0    21

            """
        #expect(serversText([pools[1]]) == quiet)
    }

    @Test func `the last check and the agent's last word stand in the table`() {
        var bad = self.server("shop1", 11, health: "down", bound: 0)
        bad.check = CheckReport(
            isGood: false,
            reason: "it answered 503",
            said: nil,
            ago: .milliseconds(1_999),
            took: .milliseconds(3)
        )
        var slow = self.server("shop2", 12, bound: 0)
        slow.check = CheckReport(
            isGood: true,
            reason: "",
            said: nil,
            ago: .zero,
            took: .milliseconds(3)
        )
        slow.agent = CheckReport(
            isGood: false,
            reason: "cannot connect",
            said: "75%",
            ago: .seconds(90),
            took: .milliseconds(3)
        )
        let pool = PoolReport(name: "shop", algorithm: .leastTime, servers: [bad, slow])
        let want = """
            POOL  SERVER  ADDRESS         STATE  HEALTH  WEIGHT  BOUND  OPEN  CHECK\
                                 AGENT
            shop  shop1   10.0.0.11:3000  ready  down         1      0    11  \
            it answered 503, 1 s ago
            shop  shop2   10.0.0.12:3000  ready  up           1      0    12  good, 0 s ago\
                         cannot connect, 75%, 90 s ago

            """
        #expect(serversText([pool]) == want)
    }

    @Test func `a rebalance says what it found and what it does`() {
        let report = RebalanceReport(
            pool: "shop",
            spread: 1.4967,
            goal: 1.05,
            moving: 40,
            sentence: "40 clients move with their next requests, 50 a second: 1 s at least."
        )
        let want = """
            shop: the fullest server has 1.5 times its share of bound clients
            40 clients move with their next requests, 50 a second: 1 s at least.

            """
        #expect(rebalanceText(report) == want)
    }

    @Test(
        arguments: [
            (
                "cookie", nil, "shop1",
                "0a  cookie  shop1  bound for 300 s, seen 60 s ago"
            ),
            (
                "source-address", "10.0.0.0", nil,
                "0a  source-address  (a server that is gone)  bound for 300 s, seen 60 s ago"
                    + "  10.0.0.0"
            ),
        ] as [(String, String?, String?, String)]
    )
    func `a binding is a line`(way: String, address: String?, server: String?, want: String) {
        let binding = BindingReport(
            key: "0a",
            way: way,
            address: address,
            server: server,
            issued: 1_000,
            renewed: 1_240
        )
        #expect(bindingText(binding, now: 1_300) == want)
    }
}
