import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayTelemetry
import BelayTransport

// Exchanges without a server, for a while: a bound client's server refuses connections, as it does
// while it starts again, or all that may take the request are full.

/// An exchange that is to be looked at again.
struct Waiter {
    let exchange: Int32
    let generation: UInt32
    let at: Instant
}

extension Worker {
    // Limit: how often a refused connection is tried again: a server that listens again is found
    // within that time, and one that does not costs twenty attempts a second for each client.
    private static let refusedInterval = TimeSpan.milliseconds(50)

    // MARK: Refused connections

    /// Whether a bound client waits for its own server, which has refused its connection or lost
    /// it. Its session is there and nowhere else, so moving it is the last that is tried.
    mutating func waitsForServer(_ exchange: Int, _ pool: Int, _ failure: AttemptFailure) -> Bool {
        let patience = self.pools[pool].plan.refusedPatience
        guard patience > .zero, self.exchanges[exchange].record.rule == .binding else {
            return false
        }
        let state = self.exchanges[exchange].state
        let isIdempotent = self.exchanges[exchange].request.method.isIdempotent
        switch failure {
        case .connectFailed: break
        case .connectionClosed, .idleConnectionClosed:
            guard isIdempotent || state.contains(.isTCP) else { return false }
        case .timedOut, .stalled, .notProcessed: return false
        }
        guard !state.contains(.bodyLetGo) else { return false }
        let now = self.engine.now
        let ends = self.exchanges[exchange].wait.patienceEnds ?? now + patience
        guard now < ends else { return false }
        self.exchanges[exchange].wait.patienceEnds = ends
        self.exchanges[exchange].state.insert(.isWaiting)
        self.refused.append(
            Waiter(
                exchange: Int32(truncatingIfNeeded: exchange),
                generation: self.exchanges.generation(exchange),
                at: Swift.min(now + Self.refusedInterval, ends)
            )
        )
        return true
    }

    /// Tries those again whose time has come. All wait equally long, so the first is the next.
    mutating func runRefused() {
        while let first = self.refused.first, first.at <= self.engine.now {
            _ = self.refused.popFirst()
            self.goOn(first)
        }
    }

    /// Something about the servers has changed: who waits for one looks again now.
    mutating func wakeWaiting() {
        for _ in 0..<self.refused.count {
            guard let waiter = self.refused.popFirst() else { break }
            self.goOn(waiter)
        }
        for pool in 0..<self.pools.count { self.callQueue(pool) }
    }

    private mutating func goOn(_ waiter: Waiter) {
        let exchange = Int(waiter.exchange)
        guard self.exchanges.isCurrent(exchange, waiter.generation),
            self.exchanges[exchange].state.contains(.isWaiting)
        else { return }
        self.exchanges[exchange].state.remove(.isWaiting)
        self.rewindRequest(exchange)
        self.judgeAgain(exchange)
        self.chooseServer(exchange)
    }

    // MARK: The queue

    /// Whether the exchange waits before a server is chosen at all: for room at the server that its
    /// client is bound to, or behind others who wait for any.
    mutating func waitsForRoom(_ exchange: Int, _ pool: Int) -> Bool {
        guard self.pools[pool].plan.queueMax > 0 else { return false }
        switch self.exchanges[exchange].record.persistence.step {
        case .overflow:
            guard let server = self.boundServer(exchange, pool) else { return false }
            return self.enqueue(exchange, pool, server: server)
        case .pick, .pickUnbound:
            guard self.exchanges[exchange].wait.ticket == 0,
                self.pools[pool].plan.queue.load(0, 2) > 0
            else { return false }
            return self.enqueue(exchange, pool, server: nil)
        case .keep, .redispatch: return false
        }
    }

    /// Whether the client of this exchange is refused, because its own server can't take it and the
    /// pool moves nobody.
    mutating func rejects(_ exchange: Int, _ pool: Int) -> Bool {
        let verdict = self.exchanges[exchange].record.persistence
        guard self.rejects(verdict, pool) else { return false }
        if verdict == .serverFull {
            let isOver = self.exchanges[exchange].wait.isOver
            let queues = self.pools[pool].plan.queueMax > 0
            self.answer(exchange, isOver ? .queueTimedOut : queues ? .queueFull : .noServer)
        } else {
            self.answer(exchange, .bindingRejected(self.pools[pool].plan.rules.rejectStatus))
        }
        return true
    }

    /// Whether the pool refuses clients with that verdict.
    func rejects(_ verdict: PersistenceVerdict, _ pool: Int) -> Bool {
        let rules = self.pools[pool].plan.rules
        switch verdict {
        case .serverDown, .serverEjected, .serverMaintenance, .unknownServer:
            return rules.rejectStatus > 0
        case .serverFull: return rules.rejectsWhenFull
        case .off, .exempt, .none, .claimed, .valid, .serverStarting, .serverWeightZero,
            .serverDraining, .serverLeaving, .moved, .expiredIdle, .expiredLifetime, .tampered,
            .foreign:
            return false
        }
    }

    /// No server could be had: whether the exchange waits until one has room. Where none would
    /// take it even then, it need not wait.
    mutating func waitsForAnyRoom(_ exchange: Int, _ pool: Int) -> Bool {
        guard self.pools[pool].plan.queueMax > 0, self.hasFullServer(exchange, pool) else {
            return false
        }
        return self.enqueue(exchange, pool, server: nil)
    }

    /// Whether a server would take the exchange if it had room.
    private func hasFullServer(_ exchange: Int, _ pool: Int) -> Bool {
        let table = self.pools[pool].plan.table
        let tried = self.exchanges[exchange].tried
        for server in 0..<table.count
        where table.passOver(server, at: self.engine.now, tried: tried) == .full {
            return true
        }
        return false
    }

    /// The answer to a request for which there is neither a server nor a place in the queue.
    func whyNoServer(_ exchange: Int, _ pool: Int) -> OwnAnswer {
        if self.exchanges[exchange].wait.isOver { return .queueTimedOut }
        let queues = self.pools[pool].plan.queueMax > 0
        return queues && self.hasFullServer(exchange, pool) ? .queueFull : .noServer
    }

    /// Lets the exchange wait for room at `server`, or at any server of its pool. False when it
    /// may not wait, or not any longer.
    mutating func enqueue(_ exchange: Int, _ pool: Int, server: Int?) -> Bool {
        let plan = self.pools[pool].plan
        guard plan.queueMax > 0, !self.exchanges[exchange].wait.isOver else { return false }
        guard plan.queue.add(1, 0, 0) <= Int64(plan.queueMax) else {
            plan.queue.add(-1, 0, 0)
            return false
        }
        plan.queue.add(1, 1 + self.index, 0)
        if server == nil { plan.queue.add(1, 0, 2) }
        self.exchanges[exchange].wait.server = Int32(truncatingIfNeeded: server ?? -1)
        self.exchanges[exchange].wait.isQueued = true
        self.exchanges[exchange].state.insert(.isWaiting)
        if self.exchanges[exchange].wait.ticket == 0 {
            self.ticket &+= 1
            self.exchanges[exchange].wait.ticket = self.ticket
            self.metrics.count(.requestsQueued)
            // Time spent in the queue is counted once, from here.
            self.engine.setDeadline(
                Int(self.exchanges[exchange].client),
                self.engine.now + plan.queueTimeout
            )
        }
        self.link(exchange, pool)
        return true
    }

    /// Puts it where its ticket belongs: nearly always at the end.
    private mutating func link(_ exchange: Int, _ pool: Int) {
        let ticket = self.exchanges[exchange].wait.ticket
        var after = self.pools[pool].lastWaiting
        while after >= 0, self.exchanges[Int(after)].wait.ticket > ticket {
            after = self.exchanges[Int(after)].wait.previous
        }
        let next = after < 0 ? self.pools[pool].firstWaiting : self.exchanges[Int(after)].wait.next
        let own = Int32(truncatingIfNeeded: exchange)
        self.exchanges[exchange].wait.previous = after
        self.exchanges[exchange].wait.next = next
        if after >= 0 {
            self.exchanges[Int(after)].wait.next = own
        } else {
            self.pools[pool].firstWaiting = own
        }
        if next >= 0 {
            self.exchanges[Int(next)].wait.previous = own
        } else {
            self.pools[pool].lastWaiting = own
        }
    }

    /// Takes the exchange out of its pool's queue, if it stands there.
    mutating func leaveQueue(_ exchange: Int) {
        guard self.exchanges[exchange].wait.isQueued,
            let pool = self.exchanges[exchange].record.pool
        else { return }
        self.exchanges[exchange].wait.isQueued = false
        self.exchanges[exchange].state.remove(.isWaiting)
        let (previous, next) = (
            self.exchanges[exchange].wait.previous, self.exchanges[exchange].wait.next
        )
        if previous >= 0 {
            self.exchanges[Int(previous)].wait.next = next
        } else {
            self.pools[pool].firstWaiting = next
        }
        if next >= 0 {
            self.exchanges[Int(next)].wait.previous = previous
        } else {
            self.pools[pool].lastWaiting = previous
        }
        self.pools[pool].plan.queue.add(-1, 0, 0)
        if self.exchanges[exchange].wait.server < 0 { self.pools[pool].plan.queue.add(-1, 0, 2) }
        self.pools[pool].plan.queue.add(-1, 1 + self.index, 0)
    }

    /// A request has left a server of limited room: whoever waits longest may come. Workers take
    /// turns, so that none of them keeps the servers to itself.
    mutating func roomCame(_ pool: Int, _ server: Int, passed: Int = 0) {
        let queue = self.pools[pool].plan.queue
        let workers = Swift.max(1, self.shared.mailboxes.count)
        guard queue.load(0, 0) > 0, passed < workers else { return }
        let last = Int(queue.load(0, 1))
        for step in 1...workers {
            let worker = (last + step) % workers
            guard queue.load(1 + worker, 0) > 0 else { continue }
            queue.store(Int64(worker), 0, 1)
            if worker == self.index {
                self.rooms.append(Room(pool: pool, server: server, passed: passed))
            } else {
                self.shared.mailboxes[worker].post(
                    .roomAt(pool: pool, server: server, passed: passed)
                )
            }
            return
        }
    }

    /// Calls those who wait for the room that has come.
    mutating func giveRooms() {
        while let room = self.rooms.popFirst() {
            guard !self.call(room.pool, room.server) else { continue }
            self.roomCame(room.pool, room.server, passed: room.passed + 1)
        }
    }

    /// Calls the first in the queue who may use room at the server; whether there is one.
    private mutating func call(_ pool: Int, _ server: Int) -> Bool {
        var waiting = Int(self.pools[pool].firstWaiting)
        while waiting >= 0 {
            let wanted = self.exchanges[waiting].wait.server
            if wanted < 0 || Int(wanted) == server {
                self.leaveQueue(waiting)
                self.judgeAgain(waiting)
                self.chooseServer(waiting)
                return true
            }
            waiting = Int(self.exchanges[waiting].wait.next)
        }
        return false
    }

    /// Calls everybody in the queue: limits or servers have changed, or a call was lost. Who finds
    /// no room stands where he stood.
    mutating func callQueue(_ pool: Int) {
        var waiting = self.pools[pool].firstWaiting
        var called: [Int32] = []
        while waiting >= 0 {
            called.append(waiting)
            waiting = self.exchanges[Int(waiting)].wait.next
        }
        for exchange in called.map(Int.init)
        where self.exchanges.isUsed(exchange) && self.exchanges[exchange].wait.isQueued {
            self.leaveQueue(exchange)
            self.judgeAgain(exchange)
            self.chooseServer(exchange)
        }
    }

    /// About ten times a second: a call that was lost, because the worker that had it found nobody,
    /// is made up for.
    mutating func callQueues() {
        for pool in 0..<self.pools.count where self.pools[pool].firstWaiting >= 0 {
            self.callQueue(pool)
        }
    }

    /// It has waited for as long as it may.
    mutating func queueTimedOut(_ exchange: Int) {
        self.leaveQueue(exchange)
        self.exchanges[exchange].wait.isOver = true
        self.metrics.timedOut(.queue)
        self.engine.setDeadline(
            Int(self.exchanges[exchange].client),
            self.engine.now + self.limits.idle
        )
        // A bound client may go elsewhere now, if its pool says so.
        self.judgeAgain(exchange)
        self.chooseServer(exchange)
    }

    // MARK: Silence

    /// A request without a body waits for its answer as soon as it has a server: while it connects
    /// too, because a frozen server's system accepts connections until its own queue is full.
    @inline(__always)
    mutating func beginAwaitingHeads(_ exchange: Int, _ pool: Int, _ server: Int) {
        guard self.exchanges[exchange].request.framing == .none else { return }
        self.beginAwaiting(exchange, pool, server)
    }

    /// One with a body waits once all of it is on its way: before that the client may be the slow
    /// one.
    @inline(__always)
    mutating func beginAwaitingBodies(_ exchange: Int) {
        guard
            !self.exchanges[exchange].state.hasAny(
                of: .awaitsAnswer | .responseStarted | .isTunnel
            ), let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        else { return }
        self.beginAwaiting(exchange, pool, server)
    }

    /// The exchange waits for its server's answer from here on.
    @inline(__always)
    mutating func beginAwaiting(_ exchange: Int, _ pool: Int, _ server: Int) {
        self.exchanges[exchange].state.insert(.awaitsAnswer)
        if self.pools[pool].awaited[server] == 0 {
            self.pools[pool].awaitedSince[server] = self.engine.now
        }
        self.pools[pool].awaited[server] &+= 1
    }

    /// The answer has begun, or nobody waits for it any more.
    @inline(__always)
    mutating func endAwaiting(_ exchange: Int) {
        guard self.exchanges[exchange].state.contains(.awaitsAnswer),
            let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        else { return }
        self.exchanges[exchange].state.remove(.awaitsAnswer)
        self.pools[pool].awaited[server] &-= 1
    }

    /// About ten times a second: looks for servers of which nothing is heard while requests wait
    /// there. They get no new clients, and requests that another server may answer go there.
    mutating func findStalled() {
        for pool in 0..<self.pools.count {
            guard let after = self.pools[pool].plan.stallAfter else { continue }
            var hasNew = false
            for server in 0..<self.pools[pool].awaited.count {
                guard self.pools[pool].awaited[server] > 0 else {
                    self.forgetStall(pool, server)
                    continue
                }
                if self.isStalled(pool, server, after) { hasNew = true }
            }
            if hasNew { self.rescue(pool) }
        }
    }

    /// Whether the server is silent now; told to all workers.
    private mutating func isStalled(_ pool: Int, _ server: Int, _ after: TimeSpan) -> Bool {
        let now = self.engine.now
        let table = self.pools[pool].plan.table
        let latency = table.latency(server)
        let isSilent = StallPolicy.isStalled(
            waiting: Int(self.pools[pool].awaited[server]),
            heardAt: Instant(nanoseconds: latency.stamp),
            waitingSince: self.pools[pool].awaitedSince[server],
            latency: latency.latency(at: now),
            now: now,
            after: after
        )
        guard isSilent else { return false }
        if !table.isStalled(server) {
            table.setStalled(server, since: now)
            self.metrics.count(.serverStalls)
            self.shared.notices(.stalled(pool: pool, server: server))
        }
        return true
    }

    /// Nobody waits at the server any more: what was said of it says nothing now.
    private mutating func forgetStall(_ pool: Int, _ server: Int) {
        let table = self.pools[pool].plan.table
        if table.isStalled(server), table.openRequests(server) == 0 { table.clearStalled(server) }
    }

    /// Moves what waits at silent servers and may be answered by any other one.
    private mutating func rescue(_ pool: Int) {
        let table = self.pools[pool].plan.table
        for exchange in 0..<self.exchanges.count where self.exchanges.isUsed(exchange) {
            guard self.exchanges[exchange].record.pool == pool,
                let server = self.exchanges[exchange].record.server,
                self.exchanges[exchange].state.contains(.awaitsAnswer),
                !self.exchanges[exchange].state.hasAny(
                    of: .responseStarted | .isTunnel | .isTCP | .bodyLetGo
                ),
                self.exchanges[exchange].request.method.isIdempotent,
                self.exchanges[exchange].record.persistence.isUnbound,
                table.isStalled(server), self.hasAnother(exchange, pool),
                self.pools[pool].plan.retries > Int(self.exchanges[exchange].record.retries),
                self.retryIsWithinBudget(exchange, pool, .stalled)
            else { continue }
            self.attemptFailed(exchange, .stalled, .serverTimedOut)
        }
    }
}

/// Room for one request at a server.
struct Room {
    let pool: Int
    let server: Int
    /// So many workers had no use for it.
    let passed: Int
}

extension PersistenceVerdict {
    /// The client was bound to no server when its request came.
    var isUnbound: Bool {
        switch self.step {
        case .pick, .pickUnbound: true
        case .keep, .redispatch, .overflow: false
        }
    }
}
