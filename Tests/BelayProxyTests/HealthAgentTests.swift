import BelayBalancing
import BelayBytes
import BelayCore
import BelayProxy
import BelayTransport
import Testing

/// What servers say of themselves, by a program beside them or by a field of their answers.
@Suite struct HealthAgentTests {
    /// A server, and behind it in the pool the place where its agent listens. Nothing but agents is
    /// asked for the time of a test.
    private func setup(_ adjust: @escaping (inout PoolPlan) -> Void = { _ in }) -> Setup {
        var setup = Checked.setup { health in
            health.interval = .hours(1)
            health.agentInterval = .milliseconds(1)
        }
        setup.servers = 2
        let health = setup.adjustPool
        setup.adjustPool = { pool in
            health(&pool)
            // The first checks by TCP, an hour later or at once, say nothing new.
            pool.health?.agentPort = pool.servers[1].address.port
            adjust(&pool)
        }
        return setup
    }

    /// Answers all who connect to the agents, until something has come of it.
    private func say(
        _ text: String,
        _ stage: Stage,
        until isDone: () -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        stage.wait("\(text.debugDescription) is obeyed", sourceLocation) {
            for (slot, peer) in stage.peers where peer.server == 1 {
                stage.send(slot, text)
                stage.finish(slot)
                stage.close(slot)
            }
            stage.poll()
            return isDone()
        }
    }

    @Test func `an agent's words hold until it says others`() throws {
        let stage = try Stage(self.setup())
        let table = stage.plan.pools[0].table
        self.say("drain\n", stage) { table.adminState(0) == .draining }
        #expect(table.adminStateSet(0) == .ready)
        // A weight says nothing about a state.
        self.say("50%\n", stage) { table.weight(0) == Weight(8) }
        #expect(table.adminState(0) == .draining)
        self.say("ready\n", stage) { table.adminState(0) == .ready }
        #expect(table.weight(0) == Weight(8))
        self.say("maint 100%\n", stage) { table.adminState(0) == .maintenance }
        #expect(table.weight(0) == Weight(16))
        self.say("ready maxconn:7\n", stage) { table.openMax(0) == 7 }
        #expect(Checked.words(stage, 0).first == "it says draining")
    }

    @Test func `an agent takes its server down at once, and up again`() throws {
        let stage = try Stage(self.setup { $0.health?.fall = 100 })
        let table = stage.plan.pools[0].table
        self.say("down # disk full\n", stage) { table.isDown(0) }
        #expect(Checked.reason(stage, 0) == "its agent says so")
        // The end of the connection ends the line as well.
        self.say("up", stage) { !table.isDown(0) }
    }

    @Test func `who says nothing new is not told of`() throws {
        let stage = try Stage(self.setup())
        let mailbox = stage.checker.mailbox
        self.say("up ready 100%\n", stage) {
            mailbox.lastAgent(pool: 0, server: 0)?.isGood ?? false
        }
        #expect(Checked.words(stage, 0).isEmpty)
    }

    @Test func `an agent that can't be asked changes nothing, and that is told once`() throws {
        var setup = self.setup()
        setup.refusing = [1]
        let stage = try Stage(setup)
        let mailbox = stage.checker.mailbox
        stage.watch("it is asked") { mailbox.lastAgent(pool: 0, server: 0) != nil }
        let first = try #require(mailbox.lastAgent(pool: 0, server: 0))
        stage.watch("it is asked again") {
            (mailbox.lastAgent(pool: 0, server: 0)?.at ?? first.at) > first.at
        }
        #expect(first.reason == "cannot connect: Connection refused")
        #expect(!stage.plan.pools[0].table.isDown(0))
        #expect(
            Checked.words(stage, 0) == [
                "its agent can't be asked, and what it said last holds: \(first.reason)"
            ]
        )
    }

    @Test(arguments: [
        ("sideways\n", "it says \"sideways\", which is no word that Belay knows"),
        (
            "",
            "its agent can't be asked, and what it said last holds: "
                + "it closed the connection and said nothing"
        ),
    ])
    func `what nobody understands is told once`(text: String, want: String) throws {
        let stage = try Stage(self.setup())
        let mailbox = stage.checker.mailbox
        var times: Set<Int64> = []
        self.say(text, stage) {
            if let last = mailbox.lastAgent(pool: 0, server: 0) {
                times.insert(last.at.nanoseconds)
            }
            return times.count > 2
        }
        #expect(Checked.words(stage, 0) == [want])
    }

    // MARK: In answers

    @Test func `a field of an answer has the same words`() throws {
        let stage = try Stage(
            Checked.setup { health in
                health.kind = .http
                health.agentHeader = InternedText("x-server-state")
            }
        )
        let table = stage.plan.pools[0].table
        let answers: [(state: String, isDone: () -> Bool)] = [
            ("drain, 25%", { table.adminState(0) == .draining && table.weight(0) == Weight(4) }),
            ("ready 100%", { table.adminState(0) == .ready && table.weight(0) == Weight(16) }),
            ("down", { table.isDown(0) }),
            ("up", { !table.isDown(0) }),
        ]
        for (state, isDone) in answers {
            stage.wait("\(state) is obeyed") {
                for (slot, _) in stage.peers where stage.take(slot) != nil {
                    let head = "HTTP/1.1 200 OK\r\nX-Server-State: \(state)\r\n"
                    stage.send(slot, head + "Content-Length: 0\r\n\r\n")
                }
                stage.poll()
                return isDone()
            }
        }
        #expect(Checked.reason(stage, 0) == "it says that it is down")
    }

    @Test func `newcomers follow an agent's share`() throws {
        let stage = try Stage(self.setup())
        let table = stage.plan.pools[0].table
        self.say("25%\n", stage) { (0..<2).allSatisfy { table.weight($0) == Weight(4) } }
        // Both have the same agent here; the first goes on as if it had none.
        table.setAgentWord(nil, 0)
        stage.post(.weigh(pool: 0))
        let client = try stage.connect()
        var counts = [0, 0]
        for _ in 0..<100 {
            stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let (slot, _) = try stage.request()
            if let server = stage[slot].server { counts[server] += 1 }
            stage.reply(.text(slot))
            _ = try stage.message(client)
        }
        #expect(counts == [80, 20])
    }
}
