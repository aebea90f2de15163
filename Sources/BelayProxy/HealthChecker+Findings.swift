import BelayBalancing
import BelayCore
import BelayTelemetry
import BelayTransport

// What a check's end says about the server: to the pool's table, to who reads the log, and to who
// asks for the last result.

extension HealthChecker {
    /// A check is over, and its connection closed.
    mutating func finish(_ index: Int, _ outcome: CheckOutcome) {
        let key = self.checks[index].key
        let pool = self.pools[key.pool]
        if key.isAgent {
            self.setNext(index, pool.health.agentInterval)
            self.heard(index, key, pool, outcome)
            return
        }
        var problem: String?
        switch outcome {
        case .good: self.forgive(pool, key)
        case .bad(let reason): problem = reason
        case .untold:
            self.setNext(index, pool.health.interval)
            return
        }
        if pool.isProbed { return }
        if let word = self.checks[index].talk.word {
            self.obey(word, pool, key)
            if problem == nil, word.isUp == false { problem = "it says that it is down" }
        }
        self.note(index, problem)
        _ = self.checks[index].policy.note(isGood: problem == nil)
        pool.found[key.server].isCheckedDown = self.checks[index].policy.isDown
        let isUnsettled = self.checks[index].policy.isUnsettled
        self.setNext(index, isUnsettled ? pool.health.fastInterval : pool.health.interval)
        self.settle(pool, key, problem ?? "")
    }

    /// An agent was asked. One that can't be asked says nothing; what it says holds at once.
    private mutating func heard(
        _ index: Int,
        _ key: CheckKey,
        _ pool: CheckedPool,
        _ outcome: CheckOutcome
    ) {
        let server = key.server
        switch outcome {
        case .untold: return
        case .bad(let reason):
            self.note(index, reason)
            guard !pool.found[server].isAgentTold else { return }
            pool.found[server].isAgentTold = true
            self.tell(key, "its agent can't be asked, and what it said last holds: \(reason)")
        case .good:
            self.note(index, nil)
            let word = self.checks[index].talk.word ?? AgentWord()
            self.obey(word, pool, key)
            if let isUp = word.isUp { pool.found[server].isAgentDown = !isUp }
            self.settle(pool, key, "its agent says so")
        }
    }

    /// It accepts connections: if it was ejected because it refused them, that is over.
    private func forgive(_ pool: CheckedPool, _ key: CheckKey) {
        let now = self.engine.now
        guard pool.plan.table.isEjectedForRefusing(key.server, at: now),
            pool.plan.table.forgive(key.server, at: now) != nil
        else { return }
        self.metrics.count(.returns, pool: key.pool, server: key.server)
        self.notices(.returned(pool: key.pool, server: key.server))
    }

    private func note(_ index: Int, _ problem: String?) {
        let key = self.checks[index].key
        let result = CheckResult(
            isGood: problem == nil,
            reason: problem ?? "",
            said: self.checks[index].talk.word.flatMap { $0.isEmpty ? nil : "\($0)" },
            at: self.engine.now,
            took: self.engine.now - self.checks[index].began
        )
        self.mailbox.note(result, pool: key.pool, server: key.server, isAgent: key.isAgent)
    }

    private func tell(_ key: CheckKey, _ text: String) {
        self.notices(.agent(pool: key.pool, server: key.server, text))
    }

    /// Puts into the table whether the server is down, if that is something new.
    private func settle(_ pool: CheckedPool, _ key: CheckKey, _ reason: String) {
        let table = pool.plan.table
        let now = self.engine.now
        let isDown = pool.found[key.server].isDown
        guard isDown != table.isDown(key.server) else { return }
        table.setDown(isDown, key.server)
        if isDown {
            self.notices(.checkedDown(pool: key.pool, server: key.server, reason))
        } else {
            _ = table.forgive(key.server, at: now)
            table.started(key.server, at: now)
            self.notices(.checkedUp(pool: key.pool, server: key.server))
        }
        self.updatePanic(key.pool, pool)
    }

    // MARK: What a server says of itself

    /// What a server says of itself holds until it says something else: `50%` changes nothing about
    /// `drain`, and the other way round.
    private func obey(_ word: AgentWord, _ pool: CheckedPool, _ key: CheckKey) {
        let server = key.server
        let table = pool.plan.table
        let before = pool.found[server]
        if let state = word.state { pool.found[server].state = state }
        if let percent = word.percent { pool.found[server].percent = percent }
        let found = pool.found[server]
        if found.state != before.state || found.percent != before.percent {
            table.setAgentWord(found.word, server)
            let weight = found.percent.map { ", \($0)% of its weight" } ?? ""
            let isNews = before.state != nil || before.percent != nil || found.word != nil
            if isNews { self.tell(key, "it says \(found.state ?? .ready)\(weight)") }
            if found.percent != before.percent { self.tellWeights(key.pool) }
        }
        if let most = word.openMax, most != table.openMax(server) {
            table.setOpenMax(most, server)
            self.tell(key, "it says that it takes \(most) requests at once")
        }
        guard let unknown = word.unknown else {
            if !word.isEmpty { pool.found[server].isAgentTold = false }
            return
        }
        guard !pool.found[server].isAgentTold else { return }
        pool.found[server].isAgentTold = true
        self.tell(key, "it says \"\(unknown)\", which is no word that Belay knows")
    }

    /// The weights that an agent changes are in the table; balancers keep some of their own.
    func tellWeights(_ pool: Int) {
        for worker in self.workers { worker.post(.weigh(pool: pool)) }
    }
}
