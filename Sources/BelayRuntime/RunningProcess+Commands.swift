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

// What a person asks of the running process, through the admin address.

extension RunningProcess {
    func perform(_ command: AdminCommand) throws(AdminRefusal) -> AdminResult {
        switch command {
        case .reload: return .reload(self.reload().answer)
        case .upgrade:
            let report = self.upgrade()
            if let problem = report.problem { throw AdminRefusal(409, problem) }
            return .done("Process \(report.pid ?? 0) serves now.")
        case .drain(let ref, let deadline, let rate):
            let place = try self.place(ref)
            if let rate, rate > 0, rate < Self.rateMin { throw Self.badRate }
            if let deadline, deadline < .seconds(1) {
                throw AdminRefusal(400, "deadline must be at least 1 s")
            }
            try self.drain(place, cause: .command, deadline: deadline, rate: rate)
            return try self.drainResult(place)
        case .drainStatus(let ref): return try self.drainResult(try self.place(ref))
        case .pauseDrain(let ref):
            let place = try self.place(ref)
            try self.pauseDrain(place, true)
            return try self.drainResult(place)
        case .resumeDrain(let ref):
            let place = try self.place(ref)
            try self.pauseDrain(place, false)
            return try self.drainResult(place)
        case .undoDrain(let ref):
            let place = try self.place(ref)
            try self.undoDrain(place)
            return .done("\(self.name(place)) is drained no more: \(self.newcomers(place))")
        case .setServer(let ref, let changes): return try self.set(try self.place(ref), changes)
        case .addServer(let pool, let changes): return try self.add(pool, changes)
        case .removeServer(let ref, let now): return try self.remove(try self.place(ref), now)
        case .rebalance(let pool, let goal, let rate):
            guard goal >= 1 else { throw AdminRefusal(400, "goal must be at least 1") }
            guard rate >= Self.rateMin else { throw Self.badRate }
            return .rebalance(self.rebalance(try self.poolIndex(pool), goal: goal, rate: rate))
        case .stopRebalance(let pool):
            let wasMoving = self.stopRebalancing(try self.poolIndex(pool))
            return .done(wasMoving ? "Nobody is moved any more." : "Nobody was being moved.")
        case .bindings, .findBinding, .moveBinding, .forgetBinding:
            return try self.performOnBindings(command)
        }
    }

    // Limit: what the table can count is a client in a thousand seconds.
    private static let rateMin = 0.001
    private static let badRate = AdminRefusal(400, "rate must be at least \(rateMin) a second")

    private func newcomers(_ place: ServerPlace) -> String {
        let pool = self.serving.withLock { $0.planned.plan.pools[place.pool] }
        return switch pool.table.adminState(place.server) {
        case .ready: "it takes newcomers"
        case .draining: "it is draining all the same, as its settings or its agent say"
        case .maintenance: "it is in maintenance, as its settings or its agent say"
        }
    }

    private func drainResult(_ place: ServerPlace) throws(AdminRefusal) -> AdminResult {
        guard let report = self.drainReport(place) else {
            throw AdminRefusal(404, "no drain of \(self.name(place)) is under way")
        }
        return .drain(report)
    }

    // MARK: Names

    func name(_ place: ServerPlace) -> String {
        let pool = self.serving.withLock { $0.planned.plan.pools[place.pool] }
        return "\(pool.name)/\(pool.servers[place.server].name)"
    }

    func poolIndex(_ name: String) throws(AdminRefusal) -> Int {
        let pools = self.serving.withLock { $0.planned.plan.pools }
        if let index = pools.firstIndex(where: { $0.name.rawValue == name && !$0.isGone }) {
            return index
        }
        let names = pools.filter { !$0.isGone }.map(\.name.rawValue).joined(separator: ", ")
        throw AdminRefusal(404, "there is no pool \"\(name)\"; there are \(names)")
    }

    /// The server that is meant.
    func place(_ ref: ServerRef) throws(AdminRefusal) -> ServerPlace {
        let pools = self.serving.withLock { $0.planned.plan.pools }
        var found: [ServerPlace] = []
        let wanted: Int? =
            if let pool = ref.pool { try self.poolIndex(pool) } else { nil }
        for (index, pool) in pools.enumerated()
        where !pool.isGone && (wanted == nil || wanted == index) {
            for (server, plan) in pool.servers.enumerated()
            where plan.name.rawValue == ref.server && pool.table.membership(server) != .removed {
                found.append(ServerPlace(pool: index, server: server))
            }
        }
        guard let first = found.first else {
            throw AdminRefusal(404, "there is no server \"\(ref.server)\"")
        }
        guard found.count == 1 else {
            let names = found.map { self.name($0) }.joined(separator: ", ")
            throw AdminRefusal(409, "several servers are meant; name the pool: \(names)")
        }
        return first
    }

    // MARK: Servers

    private func set(
        _ place: ServerPlace,
        _ changes: ServerChanges
    ) throws(AdminRefusal) -> AdminResult {
        let planned = self.serving.withLock { $0.planned }
        let pool = planned.plan.pools[place.pool]
        let name = pool.servers[place.server].name
        guard pool.table.membership(place.server) == .present else {
            throw AdminRefusal(409, "\(pool.name)/\(name) leaves; add it anew to have it back")
        }
        guard changes.name == nil, changes.maxConnections == nil, changes.generation == nil else {
            throw AdminRefusal(400, "only weight, state and address of a server can be changed")
        }
        guard changes != ServerChanges() else {
            throw AdminRefusal(400, "nothing is to be changed; give weight, state or address")
        }
        // All of it is judged before any is done.
        let state = try changes.state.map(Self.state)
        var edits: [ServerChange] = []
        if let weight = changes.weight { edits.append(.setWeight(name, try Self.weight(weight))) }
        if let text = changes.address { edits.append(.setAddress(name, try Self.address(text))) }
        if let state { edits.append(.setState(name, state)) }
        let wasAway = pool.table.adminStateSet(place.server) == .maintenance
        try self.edit(pool.name, edits)
        guard let state else { return .done("\(pool.name)/\(name) is changed.") }
        let wasDrained = try self.giveUpDrain(place)
        if state == .ready, wasAway {
            let now = Instant(nanoseconds: SystemClock.monotonicNanoseconds())
            pool.table.started(place.server, at: now)
        }
        pool.table.setAdminState(state, place.server)
        return .done(
            "\(pool.name)/\(name) is \(state == .maintenance ? "in " : "")\(state.name)"
                + (wasDrained ? "; its drain is over." : ".")
        )
    }

    private static func state(_ text: String) throws(AdminRefusal) -> AdminState {
        guard let state = AdminState.allCases.first(where: { "\($0.name)" == text }) else {
            throw AdminRefusal(400, "state must be ready, draining or maintenance, not \"\(text)\"")
        }
        return state
    }

    private static func weight(_ number: Int) throws(AdminRefusal) -> Weight {
        guard let weight = Weight(number) else {
            throw AdminRefusal(400, "weight must be within 0...256, not \(number)")
        }
        return weight
    }

    private static func address(_ text: String) throws(AdminRefusal) -> Settings.ServerAddress {
        guard let address = Settings.ServerAddress(text) else {
            throw AdminRefusal(400, "\"\(text)\" is not an address such as 10.0.0.11:3000")
        }
        return address
    }

    private func add(
        _ pool: String,
        _ changes: ServerChanges
    ) throws(AdminRefusal) -> AdminResult {
        let index = try self.poolIndex(pool)
        guard let text = changes.address else {
            throw AdminRefusal(400, "the address is missing")
        }
        let address = try Self.address(text)
        guard let name = ServerName(changes.name ?? text) else {
            throw AdminRefusal(400, "\"\(changes.name ?? text)\" can't be a server's name")
        }
        let plan = self.serving.withLock { $0.planned.plan.pools[index] }
        let isThere = plan.servers.indices.contains {
            plan.servers[$0].name == name && plan.table.membership($0) == .present
        }
        guard !isThere else { throw AdminRefusal(409, "there is a server \(pool)/\(name) already") }
        var server = Settings.Server(name: name, address: address)
        if let number = changes.weight { server.weight = try Self.weight(number) }
        if let text = changes.state { server.state = try Self.state(text) }
        if let number = changes.maxConnections {
            guard (1...1_000_000).contains(number) else {
                throw AdminRefusal(400, "maxConnections must be within 1...1000000, not \(number)")
            }
            server.maxConnections = number
        }
        if let number = changes.generation {
            guard (0...1_000_000_000).contains(number) else {
                throw AdminRefusal(400, "generation must be within 0...1000000000, not \(number)")
            }
            server.generation = number
        }
        try self.edit(plan.name, [.add(server)])
        return .done("\(pool)/\(name) is added.")
    }

    private func remove(
        _ place: ServerPlace,
        _ now: Bool
    ) throws(AdminRefusal) -> AdminResult {
        let pool = self.serving.withLock { $0.planned.plan.pools[place.pool] }
        let name = pool.servers[place.server].name
        let isLast = pool.servers.indices.allSatisfy {
            $0 == place.server || pool.table.membership($0) != .present
        }
        guard !isLast else { throw AdminRefusal(409, "it is the pool's last server") }
        if pool.table.membership(place.server) == .present {
            try self.edit(pool.name, [.remove(name)])
        }
        if now {
            pool.table.setMembership(.removed, place.server)
            self.keepDrains()
        }
        guard pool.table.membership(place.server) == .leaving else {
            return .done(
                "\(pool.name)/\(name) is removed: its clients move with their next requests."
            )
        }
        let bound = pool.bound(place.server)
        return .done("\(pool.name)/\(name) leaves: \(bound) clients stay until they end.")
    }

    private func edit(_ pool: PoolName, _ changes: [ServerChange]) throws(AdminRefusal) {
        guard !changes.isEmpty else { return }
        let report = self.change(pool, changes, by: .admin)
        guard report.succeeded else {
            throw AdminRefusal(409, report.problems.joined(separator: "; "))
        }
    }

    // MARK: Bindings

    private func performOnBindings(_ command: AdminCommand) throws(AdminRefusal) -> AdminResult {
        switch command {
        case .bindings(let pool, let server, let limit, let cursor):
            return try self.listBindings(try self.poolIndex(pool), server, limit, cursor)
        case .findBinding(let pool, let way, let value):
            return try self.findBinding(try self.poolIndex(pool), way, value)
        case .moveBinding(let pool, let key, let server):
            let index = try self.poolIndex(pool)
            let (table, plan) = try self.table(index)
            let place = try self.place(ServerRef(pool: pool, server: server))
            let key = try Self.key(key)
            guard table.find(key, now: self.unixNow) != nil else {
                throw AdminRefusal(404, "no such binding")
            }
            _ = table.move(key, to: plan.servers[place.server].id, now: self.unixNow)
            _ = table.mark(key)
            plan.marks.add(1, 0, 0)
            return .done("The client moves to \(server) with its next request.")
        case .forgetBinding(let pool, let key):
            let (table, _) = try self.table(try self.poolIndex(pool))
            guard table.forget(try Self.key(key)) else {
                throw AdminRefusal(404, "no such binding")
            }
            return .done("The binding is forgotten.")
        case .reload, .upgrade, .drain, .drainStatus, .pauseDrain, .resumeDrain, .undoDrain,
            .setServer, .addServer, .removeServer, .rebalance, .stopRebalance:
            preconditionFailure("not a question about bindings")
        }
    }

    private func table(_ index: Int) throws(AdminRefusal) -> (BindingTable, PoolPlan) {
        let pool = self.serving.withLock { $0.planned.plan.pools[index] }
        guard let table = pool.bindingTable else {
            throw AdminRefusal(409, "pool \(pool.name) keeps no bindings")
        }
        return (table, pool)
    }

    private func listBindings(
        _ index: Int,
        _ server: String?,
        _ limit: Int,
        _ cursor: Int
    ) throws(AdminRefusal) -> AdminResult {
        let (table, pool) = try self.table(index)
        var bound: ServerID?
        if let server {
            guard let found = pool.servers.first(where: { $0.name.rawValue == server }) else {
                throw AdminRefusal(404, "there is no server \"\(server)\"")
            }
            bound = found.id
        }
        let page = table.entries(
            after: cursor,
            limit: Swift.min(Swift.max(limit, 1), 1000),
            boundTo: bound,
            now: self.unixNow
        )
        return .bindings(
            BindingsReport(
                bindings: page.entries.map { Self.report($0, pool) },
                next: page.next,
                count: table.count,
                evictions: table.evictions
            )
        )
    }

    private func findBinding(
        _ index: Int,
        _ way: String,
        _ value: String
    ) throws(AdminRefusal) -> AdminResult {
        let (table, pool) = try self.table(index)
        let known = pool.ways.map { "\($0.name)" }
        guard known.contains(way) else {
            let list = known.isEmpty ? "it has none" : "it has " + known.joined(separator: ", ")
            throw AdminRefusal(400, "pool \(pool.name) has no way \"\(way)\"; \(list)")
        }
        let ring = self.serving.withLock { $0.planned.plan.keyRing }
        guard let key = pool.key(way: way, value: value, ring, now: self.unixNow) else {
            throw AdminRefusal(404, "nobody with that value is bound")
        }
        guard let entry = table.find(key, now: self.unixNow) else {
            throw AdminRefusal(404, "nobody with that value is bound")
        }
        return .binding(Self.report(entry, pool))
    }

    private static func key(_ text: String) throws(AdminRefusal) -> BindingKey {
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else { throw AdminRefusal(400, "a key has 32 hexadecimal digits, as the list shows them") }
        return BindingKey(high: high, low: low)
    }

    private static func report(_ entry: TableEntry, _ pool: PoolPlan) -> BindingReport {
        func digits(_ word: UInt64) -> String {
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return BindingReport(
            key: digits(entry.key.high) + digits(entry.key.low),
            way: "\(entry.kind.name)",
            address: entry.kind == .sourceAddress ? "\(entry.key.address)" : nil,
            server: pool.lookup.index(of: entry.serverID).map { pool.servers[$0].name.rawValue },
            issued: entry.issued.seconds,
            renewed: entry.renewed.seconds
        )
    }

    // MARK: Pools

    /// Every second: bindings expire, and bound clients are counted.
    func keepPools() {
        let plan = self.serving.withLock { $0.planned.plan }
        for pool in plan.pools where !pool.isGone {
            guard let table = pool.bindingTable else { continue }
            // The pages of an empty one are left unread: they need no memory then.
            if table.count > 0 {
                let budget = Swift.max(10_000, table.entriesMax / 4)
                _ = table.sweep(now: self.unixNow, budget: budget)
            }
            for server in pool.servers.indices {
                pool.table.setBound(table.bound(to: pool.servers[server].id), server)
            }
        }
    }
}

extension ReloadReport {
    var answer: ReloadAnswer {
        ReloadAnswer(
            served: self.succeeded,
            problems: self.problems,
            news: self.news,
            warnings: self.warnings
        )
    }
}

extension PoolPlan {
    /// The key under which the table has what a client presents in a way.
    /// Nil where it has nothing under such a value.
    func key(way: String, value: String, _ ring: KeyRing?, now: UnixTime) -> BindingKey? {
        for candidate in self.ways where "\(candidate.name)" == way {
            if case .cookie = candidate {
                return ring.flatMap { self.key(cookie: value, $0, now: now) }
            }
            if case .sourceAddress(let binding) = candidate, let address = IPAddress(value) {
                return binding.key(of: address)
            }
            guard let hasher = candidate.hasher else { continue }
            let text = Array(value.utf8)
            return self.bindingTable?.look(text.span, by: hasher, touching: false, now: now).key
                ?? hasher.key(of: text.span)
        }
        return nil
    }
    /// The key of a binding cookie of Belay's own, which may be given with its name.
    private func key(cookie text: String, _ ring: KeyRing, now: UnixTime) -> BindingKey? {
        guard let settings = self.persistence,
            var policy = try? BindingPolicy(settings: settings, pool: self.name, ring: ring)
        else { return nil }
        let name = settings.name + "="
        let value = Array((text.hasPrefix(name) ? String(text.dropFirst(name.count)) : text).utf8)
        guard case .binding(let binding) = policy.open(value.span, now: now) else { return nil }
        return BindingKey(binding.id)
    }
}
