import BelayBalancing
import BelayBytes
import BelayCore
import BelayProxy
import BelayTransport
import Testing

/// What becomes of checks when another plan takes a plan's place; and what else the checker sees.
@Suite struct HealthPlanTests {
    private func replace(_ stage: Stage, _ change: (inout PoolPlan) -> Void) {
        var pool = stage.plan.pools[0]
        change(&pool)
        stage.checker.mailbox.post(.replace([pool]))
    }

    private func downNotices(_ stage: Stage) -> Int {
        stage.notices.all.count { notice in
            if case .checkedDown = notice { true } else { false }
        }
    }

    /// Two servers of which the first refuses, found down.
    private func halfDown(
        _ adjust: @escaping (inout HealthCheckPlan) -> Void = { _ in }
    ) throws
        -> Stage
    {
        var setup = Checked.setup(adjust)
        setup.servers = 2
        setup.refusing = [0]
        let stage = try Stage(setup)
        _ = Checked.reason(stage, 0)
        return stage
    }

    private func isChecked(_ stage: Stage, after moment: Instant, _ server: Int = 0) {
        stage.watch("it is checked again") {
            let last = stage.checker.mailbox.lastCheck(pool: 0, server: server)
            return last.map { $0.at > moment } ?? false
        }
    }

    private var now: Instant { Instant(nanoseconds: SystemClock.monotonicNanoseconds()) }

    @Test func `what was found of a server that stays is known further`() throws {
        let stage = try self.halfDown()
        self.replace(stage) { $0.health?.rise = 3 }
        let moment = self.now
        self.isChecked(stage, after: moment)
        self.replace(stage) { $0.health?.statuses = [200...200] }
        self.isChecked(stage, after: self.now)
        #expect(stage.plan.pools[0].table.isDown(0))
        #expect(self.downNotices(stage) == 1)
    }

    @Test func `a server with another address is another one`() throws {
        let stage = try self.halfDown()
        let table = stage.plan.pools[0].table
        self.replace(stage) { $0.servers[0].address = $0.servers[1].address }
        stage.watch("it is taken for up") { !table.isDown(0) }
        self.isChecked(stage, after: self.now)
        #expect(stage.checker.mailbox.lastCheck(pool: 0, server: 0)?.isGood == true)
        // It did not rise: it is new.
        #expect(!Checked.isUp(stage, 0))
    }

    @Test func `another generation is another server`() throws {
        let stage = try self.halfDown { $0.fall = 2 }
        self.replace(stage) { $0.servers[0].generation = 1 }
        stage.watch("it is found down again") { self.downNotices(stage) == 2 }
    }

    @Test func `where nobody checks any more nothing is known`() throws {
        let stage = try self.halfDown()
        let table = stage.plan.pools[0].table
        self.replace(stage) { $0.health = nil }
        stage.watch("it is taken for up") { !table.isDown(0) }
        #expect(stage.checker.mailbox.lastCheck(pool: 0, server: 0) == nil)
        self.replace(stage) { _ in }
        stage.watch("it is found down again") { table.isDown(0) }
    }

    @Test func `a new server is checked at once`() throws {
        let stage = try self.halfDown { health in
            health.interval = .hours(1)
            health.fastInterval = .hours(1)
        }
        self.replace(stage) { $0.servers[0].generation = 1 }
        stage.watch("it is found down again") { self.downNotices(stage) == 2 }
    }

    @Test func `checks of a server that is removed end`() throws {
        var setup = Checked.setup { $0.kind = .http }
        setup.servers = 2
        let stage = try Stage(setup)
        let (slot, _) = try stage.request()
        let server = try #require(stage[slot].server)
        stage.plan.pools[0].table.setMembership(.removed, server)
        self.replace(stage) { _ in }
        stage.end(slot)
    }

    @Test func `who works on a server is left alone, its agent is asked`() throws {
        var setup = Checked.setup { health in
            health.agentInterval = .milliseconds(1)
            health.agentPort = 1
        }
        let checked = setup.adjustPool
        setup.adjustPool = { pool in
            checked(&pool)
            pool.table.setAdminState(.maintenance, 0)
        }
        let stage = try Stage(setup)
        let mailbox = stage.checker.mailbox
        stage.watch("its agent is asked") { mailbox.lastAgent(pool: 0, server: 0) != nil }
        let first = try #require(mailbox.lastAgent(pool: 0, server: 0)).at
        stage.watch("and again") { (mailbox.lastAgent(pool: 0, server: 0)?.at ?? first) > first }
        #expect(mailbox.lastCheck(pool: 0, server: 0) == nil)
        stage.plan.pools[0].table.setAdminState(.ready, 0)
        #expect(Checked.result(stage, 0) == "")
    }

    @Test func `an agent that is not asked any more says nothing`() throws {
        var setup = Checked.setup { health in
            health.kind = .http
            health.agentHeader = InternedText("x-state")
        }
        setup.servers = 1
        let stage = try Stage(setup)
        let table = stage.plan.pools[0].table
        let (slot, _) = try stage.request()
        stage.send(slot, "HTTP/1.1 200 OK\r\nX-State: drain 50%\r\n\r\n")
        stage.watch("it is obeyed") { table.adminState(0) == .draining }
        #expect(table.weight(0) == Weight(8))
        self.replace(stage) { $0.health?.agentHeader = nil }
        stage.watch("it is ready") { table.adminState(0) == .ready }
        stage.watch("weights are whole") { table.weight(0) == .one }
    }

    // MARK: Probes

    @Test func `a server that was ejected for refusing is back as soon as it accepts`() throws {
        var setup = Checked.setup { $0.isProbe = true }
        setup.servers = 2
        setup.ejection = EjectionPolicy(failuresMax: 1, eject: .hours(1), ejectMax: .hours(1))
        let stage = try Stage(setup)
        let table = stage.plan.pools[0].table
        table.noteRefused(true, 0)
        #expect(table.requestFailed(0, at: self.now) == .ejected(.hours(1)))
        stage.watch("it is back") { table.health(0, at: self.now) == .up }
        let isTold = stage.notices.all.contains { notice in
            if case .returned(0, 0) = notice { true } else { false }
        }
        #expect(isTold)
        #expect(stage.checker.mailbox.lastCheck(pool: 0, server: 0) == nil)
    }

    // MARK: Traffic

    @Test func `a server that is worse than the others is ejected, and why is told`() throws {
        var setup = Setup()
        setup.servers = 3
        setup.adjustPool = { pool in
            pool.outliers = OutlierPlan(
                errorRate: 0.5,
                latency: nil,
                interval: .milliseconds(1),
                requestsMin: 10
            )
        }
        let stage = try Stage(setup)
        let table = stage.plan.pools[0].table
        var told: String?
        stage.watch("it is ejected") {
            for server in 0..<3 {
                for _ in 0..<10 {
                    table.noteAnswer(isFailure: server == 1, after: .milliseconds(1), server)
                }
            }
            for case .outlier(0, 1, let reason, _) in stage.notices.all { told = reason }
            return told != nil
        }
        #expect(told == "100% of its answers failed, and 0% of the others'")
        #expect(table.health(1, at: self.now) == .ejected)
        let pool = stage.plan.pools[0]
        let labels = "{pool=\"\(pool.name)\",server=\"\(pool.servers[1].name)\"}"
        #expect(stage.metric("belay_server_ejections_total\(labels)") == 1)
    }

    @Test func `workers note what they see for who compares servers`() throws {
        var setup = Setup()
        setup.adjustPool = { pool in
            pool.outliers = OutlierPlan(
                errorRate: 0.5,
                latency: nil,
                interval: .hours(1),
                requestsMin: 10
            )
        }
        setup.retries = 0
        let stage = try Stage(setup)
        let table = stage.plan.pools[0].table
        let client = try stage.connect()
        stage.send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        let (slot, _) = try stage.request()
        stage.close(slot, cutting: true)
        #expect(try stage.message(client).status == 502)
        for status in [200, 404, 500, 503] {
            stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let (slot, _) = try stage.request()
            stage.send(slot, "HTTP/1.1 \(status) X\r\nContent-Length: 0\r\n\r\n")
            _ = try stage.message(client)
        }
        let totals = table.traffic(0)
        #expect(totals.answers == 5)
        #expect(totals.failures == 3)
        #expect(totals.timed == 4)
    }

    @Test func `where too few are up health is ignored`() throws {
        var setup = Checked.setup()
        setup.servers = 3
        setup.refusing = [0, 1]
        let checked = setup.adjustPool
        setup.adjustPool = { pool in
            checked(&pool)
            pool.panic = 0.5
        }
        let stage = try Stage(setup)
        stage.watch("panic is told") {
            stage.notices.all.contains { notice in
                if case .panic(0, true) = notice { true } else { false }
            }
        }
        #expect(stage.plan.pools[0].table.isPanicking)
    }
}
