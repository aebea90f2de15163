import BelayBalancing
import BelayBytes
import BelayCore
import BelayTransport

// Which checks there are: made when the checker starts, and with each plan that takes another's
// place. What stays the same goes on, under way or not, with all that was found.

extension HealthChecker {
    // Limit: at the beginning first checks are spread over so long at most, and over the interval.
    private static let spreadMax = TimeSpan.seconds(10)

    mutating func plan(_ plans: [PoolPlan], isFirst: Bool) {
        let before = self.pools
        self.mailbox.makeRoom(plans.map(\.servers.count))
        self.pools = plans.enumerated().map { index, plan in
            let old = index < before.count ? before[index] : nil
            return CheckedPool(plan, found: self.found(plan, index, old))
        }
        for index in self.pools.indices { self.takeBack(index) }
        self.planChecks(isFirst: isFirst)
        self.totals = self.totals.filter { self.pools[$0.key].isJudged }
        for (index, pool) in self.pools.enumerated() where !isFirst {
            // A plan's balancers may not know what agents said.
            if pool.found.contains(where: { $0.percent != nil }) { self.tellWeights(index) }
        }
    }

    /// What is known about the servers of a pool: of those that are the same, all that was found.
    private func found(_ plan: PoolPlan, _ pool: Int, _ old: CheckedPool?) -> [Found] {
        plan.servers.enumerated().map { server, serverPlan in
            let checked = CheckedServer(serverPlan)
            guard let old, server < old.found.count else {
                var found = Found(checked)
                found.isCheckedDown =
                    plan.health.map { !$0.isProbe } ?? false && plan.table.isDown(server)
                return found
            }
            if old.found[server].server == checked { return old.found[server] }
            // Another server, or at another place: what was found says nothing about it.
            if old.found[server].isDown { plan.table.setDown(false, server) }
            if old.found[server].word != nil { plan.table.setAgentWord(nil, server) }
            self.mailbox.forget(pool: pool, server: server)
            return Found(checked)
        }
    }

    /// What nobody checks any more, or asks, is forgotten.
    private func takeBack(_ index: Int) {
        let pool = self.pools[index]
        let asks =
            pool.isChecked && (pool.health.agentPort != nil || pool.health.agentHeader != nil)
        let table = pool.plan.table
        if asks {
            let present = pool.found.indices.filter { table.membership($0) == .present }
            table.setWeightParts(heaviest: present.map { table.weightSet($0) }.max() ?? .one)
        } else {
            table.resetWeightParts()
        }
        for server in pool.found.indices {
            if !asks {
                if pool.found[server].word != nil { pool.plan.table.setAgentWord(nil, server) }
                pool.found[server].state = nil
                pool.found[server].percent = nil
                pool.found[server].isAgentDown = false
            }
            if !pool.isChecked {
                pool.found[server].isCheckedDown = false
                self.mailbox.forget(pool: index, server: server)
            }
            if !pool.found[server].isDown, pool.plan.table.isDown(server) {
                pool.plan.table.setDown(false, server)
            }
        }
    }

    private mutating func planChecks(isFirst: Bool) {
        let before = self.checks
        var kept: [CheckKey: Int] = [:]
        for (index, check) in before.enumerated() { kept[check.key] = index }
        var checks: [Check] = []
        var next: [Instant] = []
        for (number, pool) in self.pools.enumerated() where pool.isChecked || pool.isProbed {
            for server in pool.plan.servers.indices
            where pool.plan.table.membership(server) != .removed {
                for isAgent in pool.health.agentPort == nil ? [false] : [false, true] {
                    let key = CheckKey(pool: number, server: server, isAgent: isAgent)
                    let question = self.question(key, pool)
                    let interval = isAgent ? pool.health.agentInterval : pool.health.interval
                    if let old = kept[key], before[old].question == question {
                        kept[key] = nil
                        checks.append(before[old])
                        let latest = self.engine.now + interval
                        next.append(Swift.min(self.schedule.deadline(old), latest))
                        continue
                    }
                    checks.append(
                        Check(
                            key: key,
                            question: question,
                            policy: CheckPolicy(
                                fall: question.fall,
                                rise: question.rise,
                                isDown: pool.found[server].isCheckedDown
                            ),
                            began: self.engine.now
                        )
                    )
                    let wait = isFirst ? self.spread(interval) : .zero
                    next.append(pool.isProbed ? .distantFuture : self.engine.now + wait)
                }
            }
        }
        for index in kept.values { self.close(index) }
        self.put(checks, next)
    }

    /// A random part of the interval.
    private mutating func spread(_ interval: TimeSpan) -> TimeSpan {
        let span = Swift.min(interval, Self.spreadMax).nanoseconds
        return TimeSpan(nanoseconds: Int64(self.random.next() % UInt64(Swift.max(span, 1))))
    }

    private mutating func put(_ checks: [Check], _ next: [Instant]) {
        self.checks = checks
        self.schedule = TimerWheel(slots: checks.count, now: self.engine.now)
        for (index, check) in checks.enumerated() {
            if check.slot >= 0 {
                self.owners[Int(check.slot)] = Int32(truncatingIfNeeded: index)
            } else {
                self.schedule.set(index, next[index])
            }
        }
    }

    // MARK: Questions

    private func question(_ key: CheckKey, _ pool: CheckedPool) -> CheckQuestion {
        let health = pool.health
        let server = pool.plan.servers[key.server]
        var address = server.address
        if let port = key.isAgent ? health.agentPort : health.port { address.port = port }
        let isGRPC = health.kind == .grpc
        let isHTTP2 = isGRPC || pool.plan.speaksHTTP2
        let body = isGRPC && !key.isAgent ? GRPCHealth.question(health.service) : []
        var head: [UInt8] = []
        switch health.kind {
        case .tcp, .tls: break
        case .http, .grpc:
            if key.isAgent { break }
            let host = health.host(of: key.server) ?? "\(server.address)"
            head = Self.head(health, host, isHTTP2: isHTTP2, body: body.count)
        }
        // Another port is another program: only the server itself is known to want the header.
        let isElsewhere = key.isAgent || health.port != nil
        return CheckQuestion(
            server: CheckedServer(server),
            address: address,
            kind: key.isAgent ? .tcp : health.kind,
            isHTTP2: isHTTP2 && !key.isAgent,
            head: head,
            body: body,
            proxyHeader: isElsewhere ? .off : pool.plan.proxyHeader,
            fall: key.isAgent ? 1 : health.fall,
            rise: key.isAgent ? 1 : health.rise
        )
    }

    private static func head(
        _ health: HealthCheckPlan,
        _ host: String,
        isHTTP2: Bool,
        body: Int
    ) -> [UInt8] {
        let isGRPC = health.kind == .grpc
        var text = isGRPC ? "POST \(GRPCHealth.path)" : "\(health.method) \(health.path)"
        text += " HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: belay-check\r\n"
        text +=
            isGRPC
            ? "Content-Type: application/grpc\r\nTE: trailers\r\nContent-Length: \(body)\r\n"
            : "Accept: */*\r\n"
        if !isHTTP2 { text += "Connection: close\r\n" }
        return Array((text + "\r\n").utf8)
    }
}
