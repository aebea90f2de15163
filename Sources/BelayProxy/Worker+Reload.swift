import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
package import BelayTelemetry
import BelayTransport

// A new plan, between two events: no connection is closed, exchanges that run go on with the pool
// and the server that they have, because indices never change, and the next request on every
// connection follows the new plan.

/// A plan that takes the place of the one before, for one worker.
package struct PlanChange: Sendable {
    package var plan: ProxyPlan
    /// This worker's sockets of new listeners; a listener that is there already gets none.
    package var sockets: [WorkerSocket] = []
    /// Listeners that take no more connections.
    package var closing: [Int] = []
    /// Where the worker's lines go and how; nil: nowhere.
    package var log: (sink: LogSink, words: LogWords)?

    /// Called when the worker follows the plan.
    package var whenTaken: @Sendable () -> Void = {}

    package init(plan: ProxyPlan) { self.plan = plan }
}

extension Worker {
    mutating func replacePlan(_ change: PlanChange) {
        let plan = change.plan
        self.limits = plan.limits
        self.trusted = plan.trusted
        self.rules = plan.rules
        self.errorPages = plan.errorPages
        self.routes = plan.routes
        self.routeIndex = plan.routeIndex
        if plan.limits.headerCount > self.fields.capacity {
            self.fields = FieldList(capacity: plan.limits.headerCount)
            self.fieldsOf = -1
        }
        self.replacePools(plan)
        self.replaceListeners(change)
        self.replaceLog(change)
        change.whenTaken()
        self.wakeWaiting()
    }

    private mutating func replaceLog(_ change: PlanChange) {
        guard let (sink, words) = change.log else {
            guard self.logs.count > 0 else { return }
            self.logs[0].flush()
            self.logs.remove(0)
            return
        }
        guard self.logs.count == 0 else {
            self.logs[0].learn(words)
            return
        }
        let clock = WallClock(unixNanoseconds: self.wallNanoseconds, at: self.wallReadAt)
        guard let log = AccessLog(words: words, clock: clock) else { return }
        _ = self.logs.insert(sink.log(of: self.index, log))
    }

    private mutating func replacePools(_ plan: ProxyPlan) {
        for (index, pool) in plan.pools.enumerated() {
            guard index < self.pools.count else {
                self.addPool(pool, ring: plan.keyRing)
                continue
            }
            let moved = self.pools[index].movedServers(pool)
            do {
                try self.pools[index].replace(pool, ring: plan.keyRing, seed: self.random.next())
            } catch {
                // OpenSSL has no memory: the pool goes on as it was.
                continue
            }
            for server in moved { self.closeIdle(index, server) }
        }
    }

    private mutating func addPool(_ pool: PoolPlan, ring: KeyRing?) {
        guard let state = try? PoolState(plan: pool, ring: ring, seed: self.random.next()) else {
            return
        }
        _ = self.pools.insert(state)
    }

    /// Connections to a server's old address carry no more requests.
    private mutating func closeIdle(_ pool: Int, _ server: Int) {
        while self.pools[pool].newestIdle[server] >= 0 {
            let slot = Int(self.pools[pool].newestIdle[server])
            self.removeIdle(slot)
            self.closeServer(slot)
        }
        var session = Int(self.pools[pool].firstSession[server])
        while session >= 0 {
            let next = Int(self.sessions[session].nextSession)
            self.endSessionSoon(session)
            session = next
        }
    }

    private mutating func replaceListeners(_ change: PlanChange) {
        for socket in 0..<self.engine.listenerCount
        where change.closing.contains(self.engine.listener(of: socket)) {
            self.closeListener(socket)
        }
        let before = self.listenerTraits
        self.listeners = change.plan.listeners
        self.listenerTraits = change.plan.listeners.map { Traits($0) }
        for entry in change.sockets {
            do {
                try self.engine.addListener(entry.socket, for: entry.listener)
            } catch {
                entry.socket.descriptor.close()
            }
        }
        if zip(before, self.listenerTraits).contains(where: { $0.rawValue != $1.rawValue }) {
            self.changeTraits()
        }
    }

    /// Open connections follow what their listeners ask of requests from here on. What they began
    /// with, such as TLS, stays.
    private mutating func changeTraits() {
        for slot in 0..<self.roles.count {
            switch self.roles[slot].kind {
            case .client, .session, .arriving:
                // A server's session has no listener of its own, and asks for none of these.
                guard self.roles[slot].pool < 0 else { continue }
                let listener = Int(self.roles[slot].listener)
                let fresh = self.listenerTraits[listener]
                self.roles[slot].traits = self.roles[slot].traits.following(fresh)
            case .free, .server, .idleServer, .lingering: break
            }
        }
    }
}

extension PoolState {
    /// Servers with kept connections whose address is another in the new plan, or which take nobody
    /// any more.
    func movedServers(_ plan: PoolPlan) -> [Int] {
        self.plan.servers.indices.filter { server in
            guard self.newestIdle[server] >= 0 || self.firstSession[server] >= 0 else {
                return false
            }
            return plan.isGone || plan.servers[server].isGone
                || plan.table.membership(server) == .removed
                || self.plan.servers[server].address != plan.servers[server].address
                || self.plan.servers[server].id != plan.servers[server].id
        }
    }

    /// The same pool under a new plan. Throws if OpenSSL has no memory.
    mutating func replace(_ plan: PoolPlan, ring: KeyRing?, seed: UInt64) throws {
        if plan.persistenceVersion != self.plan.persistenceVersion {
            var bindings: BindingPolicy?
            if let settings = plan.persistence, let ring {
                bindings = try BindingPolicy(settings: settings, pool: plan.name, ring: ring)
            }
            self.bindings = bindings
            self.tokens = SeenTokens(seed: seed)
        }
        if plan.balancerVersion != self.plan.balancerVersion {
            self.balancer = plan.balancer.forAnotherWorker(seed: seed)
            self.nameHashes = plan.servers.map { Rendezvous.hash(of: $0.name) }
        }
        let added = plan.servers.count - self.newestIdle.count
        if added > 0 {
            let none = Array(repeating: Int32(-1), count: added)
            self.newestIdle += none
            self.firstSession += none
            self.idleCount += Array(repeating: 0, count: added)
            self.awaited += Array(repeating: 0, count: added)
            self.awaitedSince += Array(repeating: Instant(nanoseconds: 0), count: added)
        }
        self.encryption = plan.tls
        self.plan = plan
        // The new balancer knows the weights that were set, and not what agents made of them.
        if plan.table.weightParts > 1 { self.weigh() }
    }
}
