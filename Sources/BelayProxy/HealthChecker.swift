import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayHTTP2
package import BelayTelemetry
import BelayTransport

/// Asks the servers of all pools now and then how they are: on one thread with an engine of its
/// own, so that a busy worker delays no check and a check no request. Every check is a connection
/// of its own, because that the server accepts one is the first thing to know.
///
/// +Planning  which checks there are
/// +Talking   what is said on a check's connection, in HTTP/1.1 and by agents
/// +HTTP2     the same in HTTP/2, gRPC's health service with it
/// +Findings  what a check's end says about the server
/// +Traffic   what live traffic says beside it: outliers, panic
package struct HealthChecker: ~Copyable {
    // Limit: checks under way at once; the next ones wait for their turn.
    private static let underWayMax = 1024
    // Limit: checks begun in one turn, so that thousands of servers are not asked in one moment.
    private static let begunAtOnce = 64
    // How often traffic is looked at; and the memory that checks took and no longer need.
    private static let lookInterval = TimeSpan.milliseconds(250)
    private static let idleInterval = TimeSpan.seconds(5)

    var engine: Engine
    let mailbox: HealthMailbox
    let notices: @Sendable (SharedState.Notice) -> Void
    /// Those who balance by weights that an agent may change.
    let workers: [Mailbox]
    let metrics: WorkerMetrics
    var pools: [CheckedPool] = []
    var checks: [Check] = []
    /// When each check begins, by its index; those under way are not in it.
    var schedule: TimerWheel
    /// By slot, the check that has it, or -1.
    var owners: [Int32]
    var underWay = 0
    var sessions: Slab<CheckSession>
    var random: RandomSource
    var composed = ByteWriter(capacity: BlockMemory.blockSize)
    var frames = ByteWriter(capacity: BlockMemory.blockSize)
    var fields = FieldList(capacity: 200)
    /// By pool: when its traffic is judged again, and the totals of last time.
    var judgedAt: [Int: Instant] = [:]
    var totals: [Int: [TrafficTotals]] = [:]
    private var isStopped = false
    /// More checks are due than were begun.
    private var isBehind = false

    package init(
        pools: [PoolPlan],
        mailbox: HealthMailbox,
        workers: [Mailbox],
        metrics: WorkerMetrics,
        notices: @escaping @Sendable (SharedState.Notice) -> Void,
        seed: UInt64
    ) throws {
        let slots = Self.underWayMax + 8
        let engine = try Engine(
            limits: EngineLimits(connectionsMax: slots, blocksMax: slots * 2),
            wakeup: mailbox.wakeup
        )
        self.schedule = TimerWheel(slots: 0, now: engine.now)
        self.engine = engine
        self.mailbox = mailbox
        self.workers = workers
        self.metrics = metrics
        self.notices = notices
        self.owners = Array(repeating: -1, count: slots)
        self.sessions = Slab(capacity: slots)
        self.random = RandomSource(seed: seed)
        self.plan(pools, isFirst: true)
    }

    /// Checks until it is told to stop.
    package mutating func run() {
        var nextLook = self.engine.now
        while !self.isStopped {
            self.engine.wait(until: Swift.min(self.nextCheck, nextLook))
            while let event = self.engine.nextEvent() {
                switch event {
                case .connection(let slot): self.changed(slot)
                case .deadline(let slot): self.timedOut(slot)
                case .wakeup: self.readMail()
                case .listener: break
                }
            }
            self.beginChecks()
            if self.engine.now >= nextLook {
                self.engine.tick()
                self.judgeTraffic()
                self.beginProbes()
                let isLooking = self.pools.contains { $0.isJudged || $0.isProbed }
                nextLook = self.engine.now + (isLooking ? Self.lookInterval : Self.idleInterval)
            }
        }
        for slot in self.owners.indices where self.owners[slot] >= 0 { self.engine.close(slot) }
    }

    private mutating func readMail() {
        for message in self.mailbox.takeAll() {
            switch message {
            case .replace(let pools): self.plan(pools, isFirst: false)
            case .encrypt(let pool, let tls): self.pools[pool].plan.tls = tls
            case .stop: self.isStopped = true
            }
        }
    }

    // MARK: Beginning and ending checks

    /// When to begin the next ones. With no room for more, what ends makes some and wakes.
    private var nextCheck: Instant {
        if self.underWay >= Self.underWayMax { return .distantFuture }
        if self.isBehind { return self.engine.now }
        return self.schedule.nextWake() ?? .distantFuture
    }

    private mutating func beginChecks() {
        self.isBehind = false
        for _ in 0..<Self.begunAtOnce {
            guard self.underWay < Self.underWayMax,
                let index = self.schedule.popExpired(now: self.engine.now)
            else { return }
            self.begin(index)
        }
        self.isBehind = true
    }

    /// Servers that are ejected because they refused connections are tried again.
    private mutating func beginProbes() {
        for index in self.checks.indices where self.checks[index].slot < 0 {
            let key = self.checks[index].key
            let pool = self.pools[key.pool]
            if pool.isProbed,
                pool.plan.table.isEjectedForRefusing(key.server, at: self.engine.now)
            {
                self.schedule.set(index, self.engine.now)
            }
        }
    }

    private mutating func begin(_ index: Int) {
        let key = self.checks[index].key
        let pool = self.pools[key.pool]
        let table = pool.plan.table
        // Who works on a server does not want to read of it; its agent may say that it is over.
        let isAway = !key.isAgent && table.adminStateSet(key.server) == .maintenance
        if isAway || table.membership(key.server) == .removed {
            self.setNext(index, pool.health.interval)
            return
        }
        self.checks[index].began = self.engine.now
        self.checks[index].talk = Talk()
        switch self.engine.connect(to: self.checks[index].question.address) {
        case .failure(let error):
            let isOwn = error.isOutOfDescriptors || error.isOutOfMemory || error.isOutOfPorts
            self.finish(index, isOwn ? .untold : .bad("cannot connect: \(error)"))
        case .success(let slot):
            self.checks[index].slot = Int32(truncatingIfNeeded: slot)
            self.owners[slot] = Int32(truncatingIfNeeded: index)
            self.underWay += 1
            self.engine.setDeadline(slot, self.engine.now + pool.health.timeout)
            if !key.isAgent, !self.encrypt(slot, key.server, pool) { self.end(slot, .untold) }
        }
    }

    /// Encrypts a check's connection where that is wanted. False when there is no memory.
    private mutating func encrypt(_ slot: Int, _ server: Int, _ pool: CheckedPool) -> Bool {
        let health = pool.health
        let isHandshake = health.kind == .tls
        guard health.kind != .tcp else { return true }
        // Only a whole handshake proves the server's certificate; where that is not the question,
        // an earlier session saves both sides its cost.
        let session: UInt32? = isHandshake ? nil : UInt32(truncatingIfNeeded: server)
        if isHandshake, let context = pool.plan.checkEncryption {
            return self.engine.connectTLS(
                slot,
                context,
                serverName: health.host,
                session: session
            )
        }
        guard server < pool.plan.tls.count else { return true }
        let name = pool.plan.tls[server].serverName
        // gRPC is HTTP/2, whatever the pool's requests travel by.
        let isOtherProtocol = health.kind == .grpc && !pool.plan.speaksHTTP2
        return self.engine.connectTLS(
            slot,
            pool.plan.tls[server].context,
            serverName: isHandshake ? health.host ?? name : name,
            // Another port is another program, whose sessions are its own.
            session: health.port == nil && !isOtherProtocol ? session : nil,
            protocols: isOtherProtocol ? [.http2] : nil
        )
    }

    private mutating func timedOut(_ slot: Int) {
        guard self.owners[slot] >= 0 else { return }
        let talk = self.checks[Int(self.owners[slot])].talk
        if talk.hasAsked {
            self.end(slot, .bad(talk.status == 0 ? "no answer in time" : "no whole answer in time"))
        } else {
            let what =
                talk.isAccepted ? "no TLS in time" : "the connection was not accepted in time"
            self.end(slot, .bad(what))
        }
    }

    /// A check's connection is done with.
    mutating func end(_ slot: Int, _ outcome: CheckOutcome) {
        let index = Int(self.owners[slot])
        guard index >= 0 else { return }
        self.close(index)
        self.finish(index, outcome)
    }

    /// Ends the check's connection, if it has one. With a reset: it leaves no port behind that
    /// waits for a minute, and the server need not wait for more.
    mutating func close(_ index: Int) {
        let slot = Int(self.checks[index].slot)
        guard slot >= 0 else { return }
        let session = Int(self.checks[index].talk.session)
        if session >= 0 { self.sessions.remove(session) }
        self.checks[index].talk.session = -1
        self.checks[index].slot = -1
        self.owners[slot] = -1
        self.underWay -= 1
        self.engine.close(slot, cutting: true)
    }

    /// Begins the check again after about this time; a probe when there is reason to.
    mutating func setNext(_ index: Int, _ interval: TimeSpan) {
        if self.pools[self.checks[index].key.pool].isProbed { return }
        let wait = CheckPolicy.next(interval, draw: self.random.next())
        self.schedule.set(index, self.engine.now + wait)
    }
}
