import BelayAdmin
import BelayBalancing
import BelayBytes
import BelayCore
import BelayPersistence
import BelayProxy
import BelaySettings
import BelayTransport
import Logging
import Synchronization

// Servers are emptied, pools relieved: what a person asked for, kept up every second.

extension RunningProcess {
    var unixNow: UnixTime {
        UnixTime(seconds: SystemClock.unixNanoseconds() / 1_000_000_000)
    }

    private var now: Instant { Instant(nanoseconds: SystemClock.monotonicNanoseconds()) }

    // MARK: Drains
    //
    // Whoever reads or changes a drain, and what the table has of it, holds the book meanwhile:
    // the thread that looks every second, and those that answer the admin address.

    /// Begins a drain, or changes one that is under way.
    func drain(
        _ place: ServerPlace,
        cause: Drain.Cause,
        deadline: TimeSpan?,
        rate: Double?
    ) throws(AdminRefusal) {
        let planned = self.serving.withLock { $0.planned }
        let pool = planned.plan.pools[place.pool]
        let settings = planned.poolSettings(place.pool)
        if let rate, rate > 0, settings?.sessions != .shared {
            throw AdminRefusal(
                409,
                "pool \(pool.name) has \"sessions: server\": a client that moves loses its "
                    + "session, "
                    + "so none is moved at a rate"
            )
        }
        let span = deadline ?? settings?.drainDeadline ?? .minutes(30)
        let now = self.unixNow
        let end = UnixTime(seconds: now.seconds + span.wholeSeconds)
        let bound = pool.bound(place.server)
        let key = pool.key(place.server)
        try self.changeDrains { book throws(AdminRefusal) in
            if var drain = book[key] {
                // A server that leaves has one that nobody needs to ask for.
                if cause == .removal, drain.cause == .removal { return }
                if cause == .removal {
                    // It is drained already: its deadline holds.
                    drain = Drain(
                        cause: .removal,
                        began: drain.began,
                        boundAtStart: drain.boundAtStart,
                        deadline: drain.deadline,
                        rate: drain.rate,
                        pausedAt: drain.pausedAt,
                        pace: (since: drain.paceSince, bound: drain.paceBound)
                    )
                }
                if deadline != nil { drain.setDeadline(end, now: now) }
                if let rate { drain.setRate(rate > 0 ? rate : nil, bound: bound, now: now) }
                book[key] = drain
            } else {
                book[key] = Drain(
                    cause: cause,
                    began: now,
                    bound: bound,
                    deadline: end,
                    rate: rate.flatMap { $0 > 0 ? $0 : nil }
                )
                if cause == .command {
                    self.logger.notice("\(key): the drain begins, \(bound) clients are bound to it")
                }
            }
            // Another deadline may have come too early, and what it did is taken back.
            if let drain = book[key], drain.cause == .command, now < drain.deadline,
                pool.table.isDrained(place.server)
            {
                pool.table.setDrained(false, place.server)
                pool.table.setAdminState(.draining, place.server)
            }
        }
    }

    /// Takes a drain back: the server is again as the settings have it.
    func undoDrain(_ place: ServerPlace) throws(AdminRefusal) {
        let planned = self.serving.withLock { $0.planned }
        let pool = planned.plan.pools[place.pool]
        let key = pool.key(place.server)
        try self.changeDrains { book throws(AdminRefusal) in
            guard let drain = book[key] else { throw Self.noDrain(key) }
            guard drain.cause == .command else {
                throw AdminRefusal(
                    409,
                    "\(key) leaves because it is not in the settings any more: put it back there"
                )
            }
            self.endDrain(key, place, &book)
            let settings = planned.poolSettings(place.pool)?.servers
            let state = settings?.first { $0.name == key.server }?.state ?? .ready
            if pool.table.adminStateSet(place.server) == .maintenance, state == .ready {
                pool.table.started(place.server, at: self.now)
            }
            pool.table.setAdminState(state, place.server)
            self.logger.notice("\(key): the drain is taken back")
        }
    }

    /// Forgets a drain, because somebody wants something else of the server. Whether there was one.
    @discardableResult
    func giveUpDrain(_ place: ServerPlace) throws(AdminRefusal) -> Bool {
        let pool = self.serving.withLock { $0.planned.plan.pools[place.pool] }
        let key = pool.key(place.server)
        guard self.drains.withLock({ $0[key]?.cause }) == .command else { return false }
        try self.changeDrains { book throws(AdminRefusal) in self.endDrain(key, place, &book) }
        return true
    }

    private func endDrain(_ key: DrainBook.Key, _ place: ServerPlace, _ book: inout DrainBook) {
        let table = self.serving.withLock { $0.planned.plan.pools[place.pool].table }
        book[key] = nil
        table.setMoving(rate: 0, limit: nil, place.server, at: self.now)
        table.setDrained(false, place.server)
    }

    /// Pauses a drain, or goes on with it.
    func pauseDrain(_ place: ServerPlace, _ isPaused: Bool) throws(AdminRefusal) {
        let pool = self.serving.withLock { $0.planned.plan.pools[place.pool] }
        let key = pool.key(place.server)
        let (now, bound) = (self.unixNow, pool.bound(place.server))
        try self.changeDrains { book throws(AdminRefusal) in
            guard var drain = book[key] else { throw Self.noDrain(key) }
            guard !isPaused || drain.pausedAt != nil || now < drain.deadline else {
                throw AdminRefusal(409, "the deadline of the drain of \(key) has come already")
            }
            if isPaused { drain.pause(now: now) } else { drain.resume(bound: bound, now: now) }
            book[key] = drain
        }
    }

    private static func noDrain(_ key: DrainBook.Key) -> AdminRefusal {
        AdminRefusal(404, "no drain of \(key) is under way")
    }

    /// Changes drains, and lets the tables follow at once.
    private func changeDrains(
        _ change: (inout DrainBook) throws(AdminRefusal) -> Void
    ) throws(AdminRefusal) {
        guard self.phase.withLock({ $0 }) == .serving else {
            throw AdminRefusal(409, "another process is taking over; ask it, in a moment")
        }
        let result = self.drains.withLock { book -> Result<Void, AdminRefusal> in
            do throws(AdminRefusal) { try change(&book) } catch { return .failure(error) }
            self.keepDrains(&book)
            return .success(())
        }
        try result.get()
    }

    /// Servers that a new plan takes out keep their clients until the pool's deadline; those that
    /// are in it again are drained no more.
    func leave(_ planned: Planned) {
        for place in planned.leaving {
            do throws(AdminRefusal) {
                try self.drain(place, cause: .removal, deadline: nil, rate: nil)
            } catch {
                self.logger.error("\(error.sentence)")
            }
        }
        self.drains.withLock { book in
            for place in planned.leaving {
                let pool = planned.plan.pools[place.pool]
                book.note(DrainBook.Leaver(pool, place.server), pool.key(place.server))
            }
            for (key, drain) in book.drains where drain.cause == .removal {
                guard let place = planned.place(key) else { continue }
                let table = planned.plan.pools[place.pool].table
                guard table.membership(place.server) == .present else { continue }
                book[key] = nil
                table.setMoving(rate: 0, limit: nil, place.server, at: self.now)
            }
            self.save(&book)
        }
    }

    /// Every second: the tables say what the drains want, and deadlines come.
    func keepDrains() { self.drains.withLock { self.keepDrains(&$0) } }

    private func keepDrains(_ book: inout DrainBook) {
        let planned = self.serving.withLock { $0.planned }
        let now = self.unixNow
        for (key, drain) in book.drains {
            guard let place = planned.place(key) else {
                // Of a server that nobody knows, not even as one that leaves.
                if now >= drain.deadline { book[key] = nil }
                continue
            }
            if self.keep(drain, key, place, planned.plan.pools[place.pool], now: now) {
                book[key] = nil
            }
        }
        self.save(&book)
    }

    /// Writes the drains where that is needed. What stands in the way is told once.
    private func save(_ book: inout DrainBook) {
        // Of two processes the one that serves writes.
        guard book.isUnsaved, self.phase.withLock({ $0 }) == .serving else { return }
        let before = book.failure
        book.save()
        self.view.show(.drains, failure: book.failure)
        if let failure = book.failure, failure != before { self.logger.error("\(failure)") }
        if before != nil, book.failure == nil { self.logger.notice("drains are written again") }
    }

    /// Lets the table follow a drain. Whether that is at its end for good.
    private func keep(
        _ drain: Drain,
        _ key: DrainBook.Key,
        _ place: ServerPlace,
        _ pool: PoolPlan,
        now: UnixTime
    ) -> Bool {
        let (table, server) = (pool.table, place.server)
        let bound = pool.bound(server)
        let isLeaving = drain.cause == .removal
        let phase = drain.phase(
            bound: bound,
            open: table.openRequests(server),
            countsAll: pool.countsAll,
            now: now
        )
        // Somebody has removed it at once meanwhile.
        if table.membership(server) == .removed {
            self.endTunnels(place)
            return true
        }
        switch phase {
        case .running, .paused, .empty:
            if isLeaving, phase == .empty, drain.pausedAt == nil {
                table.setMembership(.removed, server)
                self.logger.notice("\(key) is removed: nobody was bound to it any more")
                return true
            }
            if !isLeaving, table.adminStateSet(server) == .ready {
                table.setAdminState(.draining, server)
            }
            let rate = phase == .running ? drain.rate ?? 0 : 0
            if !table.isDrained(server),
                abs(table.moveRate(server) - rate) >= 0.001 || table.movesLeft(server) != nil
            {
                table.setMoving(rate: rate, limit: nil, server, at: self.now)
            }
            return false
        case .over:
            if isLeaving {
                table.setMembership(.removed, server)
                self.logger.notice(
                    "\(key) is removed: its deadline has come, \(bound) clients move"
                )
                self.endTunnels(place)
                return true
            }
            guard !table.isDrained(server) else { return false }
            table.setMoving(rate: 0, limit: nil, server, at: self.now)
            table.setDrained(true, server)
            table.setAdminState(.maintenance, server)
            self.logger.notice("\(key): the drain's deadline has come, \(bound) clients move")
            self.endTunnels(place)
            return false
        }
    }

    private func endTunnels(_ place: ServerPlace) {
        for mailbox in self.mailboxes {
            mailbox.post(.endTunnels(pool: place.pool, server: place.server))
        }
    }

    /// How far the drain of a server is; nil if there is none.
    func drainReport(_ place: ServerPlace) -> DrainReport? {
        let planned = self.serving.withLock { $0.planned }
        let key = planned.plan.pools[place.pool].key(place.server)
        guard let drain = self.drains.withLock({ $0[key] }) else { return nil }
        return planned.report(drain, key, place, now: self.unixNow)
    }

    /// How far all drains are.
    func drainReports() -> [ServerPlace: DrainReport] {
        let planned = self.serving.withLock { $0.planned }
        let drains = self.drains.withLock { $0.drains }
        var reports: [ServerPlace: DrainReport] = [:]
        for (key, drain) in drains {
            guard let place = planned.place(key) else { continue }
            reports[place] = planned.report(drain, key, place, now: self.unixNow)
        }
        return reports
    }

    // MARK: Rebalancing

    /// Relieves the servers of a pool that have too many clients. Says what it does.
    func rebalance(_ index: Int, goal: Double, rate: Double) -> RebalanceReport {
        let planned = self.serving.withLock { $0.planned }
        let pool = planned.plan.pools[index]
        let servers = pool.loads(at: self.now)
        let moves = RebalancePolicy.moves(servers, goal: goal)
        var report = RebalanceReport(
            pool: pool.name.rawValue,
            spread: RebalancePolicy.spread(servers),
            goal: goal,
            moving: 0,
            sentence: ""
        )
        guard pool.bindingTable != nil else {
            report.sentence = "Nobody is moved: this pool binds no clients."
            return report
        }
        guard planned.poolSettings(index)?.sessions == .shared else {
            report.sentence =
                "Nobody is moved: this pool has \"sessions: server\", and a client that moves "
                + "loses "
                + "its session. "
                + (pool.levels
                    ? "Newcomers go to the emptiest servers until they are level."
                    : "With \"newcomers: level\" newcomers would go to the emptiest servers.")
            return report
        }
        report.moving = moves.reduce(0, +)
        guard report.moving > 0 else {
            self.stopRebalancing(index)
            report.sentence = "The servers are level already."
            return report
        }
        let wish = Rebalancing(goal: goal, rate: rate)
        self.rebalancing.withLock { $0[index] = wish }
        self.move(moves, pool, rate)
        let seconds = Int((Double(report.moving) / rate).rounded(.up))
        report.sentence =
            "\(report.moving) clients move with their next requests, \(rateText(rate)) a second: "
            + "\(seconds) s at least."
        self.logger.notice("pool \(pool.name): \(report.moving) clients move, to level the servers")
        return report
    }

    /// Lets each server give so many clients away; all together at the rate.
    private func move(_ moves: [Int], _ pool: PoolPlan, _ rate: Double) {
        let total = Double(moves.reduce(0, +))
        for (server, count) in moves.enumerated() {
            if count > 0 {
                let share = Swift.max(rate * Double(count) / total, 0.001)
                pool.table.setMoving(rate: share, limit: count, server, at: self.now)
            } else if pool.table.movesLeft(server) != nil {
                pool.table.setMoving(rate: 0, limit: nil, server, at: self.now)
            }
        }
    }

    /// Whether one was under way.
    @discardableResult
    func stopRebalancing(_ index: Int) -> Bool {
        let wish = self.rebalancing.withLock { $0.removeValue(forKey: index) }
        let pool = self.serving.withLock { $0.planned.plan.pools[index] }
        self.move(pool.servers.map { _ in 0 }, pool, 1)
        return wish != nil
    }

    /// Every second: who has given away what it should, gives no more; at the goal all is over.
    func keepRebalancing() {
        for (index, wish) in self.rebalancing.withLock({ $0 }) {
            let planned = self.serving.withLock { $0.planned }
            let pool = planned.plan.pools[index]
            let isShared = planned.poolSettings(index)?.sessions == .shared
            let moves = RebalancePolicy.moves(pool.loads(at: self.now), goal: wish.goal)
            let total = moves.reduce(0, +)
            guard total > 0, isShared, !pool.isGone else {
                self.stopRebalancing(index)
                self.logger.notice(
                    total > 0
                        ? "pool \(pool.name): nobody is moved any more"
                        : "pool \(pool.name) is level"
                )
                continue
            }
            if pool.servers.indices.allSatisfy({ pool.table.movesLeft($0) ?? 0 == 0 }) {
                // What was planned is done, or under way: those who move are counted where they
                // come to only once they are answered. When nothing changes any more, what is left
                // is because clients came and went meanwhile.
                if wish.movesBefore == total { self.move(moves, pool, wish.rate) }
            } else {
                // Clients have left by themselves.
                for (server, count) in moves.enumerated() {
                    pool.table.limitMoves(to: count, server)
                }
            }
            self.rebalancing.withLock { $0[index]?.movesBefore = total }
        }
    }
}

/// What somebody asked for when a pool was to be relieved.
struct Rebalancing: Sendable {
    let goal: Double
    let rate: Double
    /// How many clients were to move when it was looked at last.
    var movesBefore = 0
}

extension Planned {
    /// What the settings say of a pool, by its index.
    func poolSettings(_ index: Int) -> Settings.ServerPool? {
        self.poolNumbers[index].map { self.settings.pools[$0] }
    }

    func place(_ key: DrainBook.Key) -> ServerPlace? {
        guard let pool = self.plan.pools.firstIndex(where: { $0.name == key.pool && !$0.isGone }),
            let server = self.plan.pools[pool].servers.firstIndex(where: { $0.name == key.server })
        else { return nil }
        return ServerPlace(pool: pool, server: server)
    }

    /// How far a drain is.
    fileprivate func report(
        _ drain: Drain,
        _ key: DrainBook.Key,
        _ place: ServerPlace,
        now: UnixTime
    ) -> DrainReport {
        let pool = self.plan.pools[place.pool]
        let (bound, open) = (pool.bound(place.server), pool.table.openRequests(place.server))
        let isShared = self.poolSettings(place.pool)?.sessions == .shared
        let countsAll = pool.countsAll
        return DrainReport(
            pool: key.pool.rawValue,
            server: key.server.rawValue,
            cause: drain.cause.rawValue,
            phase: drain.phase(bound: bound, open: open, countsAll: countsAll, now: now).rawValue,
            bound: bound,
            countsAll: countsAll,
            boundAtStart: Swift.max(bound, drain.boundAtStart),
            losing: drain.losing(bound: bound, sessionsAreShared: isShared),
            openRequests: open,
            rate: drain.rate,
            began: drain.began.seconds,
            deadline: drain.deadline.seconds,
            expectedEnd: drain.expectedEnd(bound: bound, countsAll: countsAll, now: now)?.seconds
        )
    }
}

extension PoolPlan {
    func key(_ server: Int) -> DrainBook.Key {
        DrainBook.Key(pool: self.name, server: self.servers[server].name)
    }

    /// Clients that are bound to the server, as this Belay knows it.
    func bound(_ server: Int) -> Int {
        self.bindingTable?.bound(to: self.servers[server].id) ?? self.table.bound(server)
    }

    /// The servers as a rebalance sees them.
    func loads(at now: Instant) -> [RebalancePolicy.Server] {
        self.servers.indices.map { server in
            RebalancePolicy.Server(
                bound: self.bound(server),
                weight: Int(self.table.weightShown(server).rawValue),
                takes: self.table.passOver(server, at: now, tried: TriedServers()).takesNewcomers
            )
        }
    }
}

extension DrainBook.Leaver {
    fileprivate init(_ pool: PoolPlan, _ server: Int) {
        let plan = pool.servers[server]
        let openMax = pool.table.openMax(server)
        self.init(
            address: "\(plan.address)",
            generation: plan.generation,
            maxConnections: openMax > 0 ? openMax : nil,
            route: plan.word.isEmpty ? nil : String(decoding: plan.word, as: UTF8.self)
        )
    }
}

extension PassOver {
    /// Not for lack of room, or for a short while only.
    fileprivate var takesNewcomers: Bool {
        switch self {
        case .no, .starting, .stalled, .full, .tried: true
        case .draining, .maintenance, .ejected, .down, .weightZero, .leaving, .removed: false
        }
    }
}

/// `50`, `0.5`.
private func rateText(_ rate: Double) -> String {
    rate == rate.rounded() ? "\(Int(rate))" : "\(rate)"
}

extension TimeSpan {
    fileprivate var wholeSeconds: Int64 { self.nanoseconds / 1_000_000_000 }
}
