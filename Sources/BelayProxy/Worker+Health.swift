import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayTelemetry
import BelayTransport

// Active checks: one worker connects to each server now and then, and says what it found to all.

/// Where the checks of all pools stand. Only the first worker makes them.
struct HealthChecks {
    struct Check {
        let pool: Int32
        let server: Int32
        /// The connection that is being tried, or -1.
        var slot: Int32 = -1
        var nextAt: Instant
        /// Results of one kind in a row.
        var inRow = 0
    }

    var checks: [Check] = []
    /// By slot, while a check is under way: its index.
    var bySlot: [Int: Int] = [:]

    init() {}
}

extension Worker {
    // Limit: checks begun at one tick, so that thousands of servers are not asked in one moment.
    private static let checksAtOnce = 64

    /// Plans the checks, spread over one interval.
    mutating func planChecks() {
        guard self.index == 0 else { return }
        for pool in 0..<self.pools.count {
            guard let plan = self.pools[pool].plan.health else { continue }
            for server in 0..<self.pools[pool].plan.servers.count {
                let offset = Int64(
                    truncatingIfNeeded: self.random.next()
                        % UInt64(Swift.max(1, plan.interval.nanoseconds))
                )
                self.checks.checks.append(
                    HealthChecks.Check(
                        pool: Int32(truncatingIfNeeded: pool),
                        server: Int32(truncatingIfNeeded: server),
                        nextAt: self.engine.now + TimeSpan(nanoseconds: offset)
                    )
                )
            }
        }
    }

    /// Begins the checks that are due.
    mutating func runChecks() {
        guard !self.checks.checks.isEmpty, self.stopping == .running else { return }
        var begun = 0
        for index in 0..<self.checks.checks.count
        where self.checks.checks[index].slot < 0
            && self.checks.checks[index].nextAt <= self.engine.now
        {
            self.beginCheck(index)
            begun += 1
            if begun == Self.checksAtOnce { return }
        }
    }

    private mutating func beginCheck(_ index: Int) {
        let pool = Int(self.checks.checks[index].pool)
        let server = Int(self.checks.checks[index].server)
        guard let plan = self.pools[pool].plan.health else { return }
        // A tenth sooner or later, so that several Belays do not fall into step.
        let jitter = Int64(self.random.below(201)) - 100
        let interval = plan.interval.nanoseconds
        self.checks.checks[index].nextAt =
            self.engine.now + TimeSpan(nanoseconds: interval + interval / 1000 * jitter)
        switch self.engine.connect(to: self.pools[pool].plan.servers[server].address) {
        case .failure(let error):
            // Belay's own want says nothing about the server.
            if error.isOutOfDescriptors || error.isOutOfMemory || error.isOutOfPorts { return }
            self.noteCheck(index, isGood: false)
        case .success(let slot):
            self.growRoles(to: slot)
            self.roles[slot] = Role()
            self.roles[slot].kind = .check
            self.checks.checks[index].slot = Int32(truncatingIfNeeded: slot)
            self.checks.bySlot[slot] = index
            self.engine.setDeadline(slot, self.engine.now + plan.timeout)
        }
    }

    /// Something changed on a check's connection.
    mutating func checkChanged(_ slot: Int) {
        switch self.engine.continueConnecting(slot) {
        case .waiting: return
        case .accepted, .ready:
            self.sayLocal(slot)
            self.endCheck(slot, isGood: true)
        case .failed: self.endCheck(slot, isGood: false)
        }
    }

    /// A server that wants PROXY headers is told that the connection is Belay's own.
    private mutating func sayLocal(_ slot: Int) {
        guard let index = self.checks.bySlot[slot] else { return }
        let pool = Int(self.checks.checks[index].pool)
        let version: ProxyHeaderVersion
        switch self.pools[pool].plan.proxyHeader {
        case .off: return
        case .version1: version = .v1
        case .version2: version = .v2
        }
        self.composed.removeAll()
        writeLocalProxyHeader(version, into: &self.composed)
        _ = self.engine.sendAhead(slot, self.composed)
    }

    mutating func checkFailed(_ slot: Int) { self.endCheck(slot, isGood: false) }

    private mutating func endCheck(_ slot: Int, isGood: Bool) {
        let index = self.checks.bySlot.removeValue(forKey: slot)
        self.roles[slot].kind = .free
        self.engine.close(slot)
        guard let index else { return }
        self.checks.checks[index].slot = -1
        self.noteCheck(index, isGood: isGood)
    }

    private mutating func noteCheck(_ index: Int, isGood: Bool) {
        let pool = Int(self.checks.checks[index].pool)
        let server = Int(self.checks.checks[index].server)
        guard let plan = self.pools[pool].plan.health else { return }
        let table = self.pools[pool].plan.table
        let isDown = table.isDown(server)
        guard isGood == isDown else {
            self.checks.checks[index].inRow = 0
            return
        }
        self.checks.checks[index].inRow += 1
        guard self.checks.checks[index].inRow >= (isDown ? plan.rise : plan.fall) else { return }
        self.checks.checks[index].inRow = 0
        table.setDown(!isDown, server)
        self.shared.notices(
            isDown
                ? .checkedUp(pool: pool, server: server)
                : .checkedDown(pool: pool, server: server)
        )
    }
}
