import BelayBalancing
import BelayCore
import BelayTelemetry
import BelayTransport

// What live traffic says about the servers beside each request's own failure: whether one is worse
// than its pool's others, and whether too few are left.

extension HealthChecker {
    /// Looks at pools whose time has come. Called a few times a second.
    mutating func judgeTraffic() {
        let now = self.engine.now
        for (index, pool) in self.pools.enumerated() where pool.isJudged {
            self.updatePanic(index, pool)
            guard let plan = pool.plan.outliers else { continue }
            if now < self.judgedAt[index] ?? Instant(nanoseconds: 0) { continue }
            self.judgedAt[index] = now + plan.interval
            self.judge(pool, index, plan)
        }
    }

    func updatePanic(_ index: Int, _ pool: CheckedPool) {
        let table = pool.plan.table
        if table.updatePanic(threshold: pool.plan.panic, at: self.engine.now) {
            self.notices(.panic(pool: index, table.isPanicking))
        }
    }

    private mutating func judge(_ pool: CheckedPool, _ index: Int, _ plan: OutlierPlan) {
        let now = self.engine.now
        let table = pool.plan.table
        let totals = pool.plan.servers.indices.map { table.traffic($0) }
        // The first time there is nothing to compare with.
        guard let before = self.totals.updateValue(totals, forKey: index) else { return }
        let samples = totals.enumerated().map { server, total in
            total.since(server < before.count ? before[server] : TrafficTotals())
        }
        let policy = OutlierPolicy(
            errorRate: plan.errorRate,
            latency: plan.latency,
            requestsMin: plan.requestsMin
        )
        for (server, reason) in policy.outliers(samples) {
            guard case .ejected(let span) = table.ejectOutlier(server, at: now) else { continue }
            self.metrics.count(.ejections, pool: index, server: server)
            self.notices(.outlier(pool: index, server: server, reason.text, span))
        }
        self.updatePanic(index, pool)
    }
}
