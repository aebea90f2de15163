import BelayBalancing
import BelayBytes
import BelayCore
import BelayPersistence
import BelayProxy
import BelaySettings
import BelayTransport

// Server pools: as the settings have them, on top of what the plan before had.

extension PlanBuilder {
    // Limit: servers that a pool may come to have while the process lives, beyond four times those
    // that it begins with. Rows that are not used take no memory.
    private static let roomToGrow = 1024
    private static let serversMax = ServerLookup.serversMax

    /// All pools by their indices.
    func pools(_ ring: KeyRing?, _ draft: inout Draft) throws -> [PoolPlan] {
        var plans = draft.old?.plan.pools ?? []
        var indices: [PoolName: Int] = [:]
        for (index, plan) in plans.enumerated() { indices[plan.name] = index }
        var kept: Set<Int> = []
        for pool in self.settings.pools {
            let index = indices[pool.name] ?? plans.count
            let before = index < plans.count ? plans[index] : nil
            let plan = try self.pool(pool, index, before: before, ring, &draft)
            if before == nil { plans.append(plan) } else { plans[index] = plan }
            kept.insert(index)
        }
        for index in plans.indices where !kept.contains(index) && !plans[index].isGone {
            plans[index].isGone = true
            plans[index].health = nil
            draft.news.append("pool \(plans[index].name) is gone")
        }
        guard plans.count <= Worker.poolsMax else {
            throw StartError("so many pools have come and gone that Belay must be restarted")
        }
        return plans
    }

    private func pool(
        _ pool: Settings.ServerPool,
        _ index: Int,
        before: PoolPlan?,
        _ ring: KeyRing?,
        _ draft: inout Draft
    ) throws -> PoolPlan {
        var members = Members(before, of: pool.name)
        try self.place(pool, index, before, &members, &draft)
        if members.servers.isEmpty { members.addNobody() }
        let names = members.servers.map(\.name)
        let ids = Dictionary(members.servers.map { ($0.name, $0.id) }) { first, _ in first }
        let key = BalancerKey(pool, members.weights)
        var balancer = before?.balancer
        if balancer == nil || before?.balancerKey != key {
            balancer = Balancer(
                algorithm: pool.balance,
                weights: members.weights,
                names: names,
                loadBound: pool.loadBound,
                seed: 0
            )
        }
        guard let balancer else { preconditionFailure("made just now") }
        var plan = PoolPlan(
            name: pool.name,
            algorithm: pool.balance,
            servers: members.servers,
            table: members.table.with(EjectionPolicy(pool.failures)),
            lookup: try ServerLookup(names) { ids[$0] ?? ServerID(of: $0) },
            balancer: balancer,
            retries: pool.retries,
            connectTimeout: self.settings.connectTimeout(of: pool),
            idleConnections: pool.keep.idleConnections,
            idleTimeout: pool.keep.idle,
            persistence: try pool.persistence?.ownCookie.map {
                try self.persistence($0, pool.name)
            },
            after: before
        )
        plan.balancerKey = key
        plan.balancerVersion = before?.balancerVersion ?? 0
        if before?.balancerKey != key { plan.balancerVersion += 1 }
        plan.persistenceVersion = before?.persistenceVersion ?? 0
        let was = draft.old?.settings.pools.first { $0.name == pool.name }
        if !draft.hasSameKeys || was?.persistence != pool.persistence {
            plan.persistenceVersion += 1
        }
        self.setStates(&plan, pool, &draft)
        try self.setPersistence(&plan, pool, ring)
        try self.openTable(&plan, pool, before, ring, &draft)
        try self.complete(&plan, pool)
        try self.setHealth(&plan, pool)
        return plan
    }

    /// What a pool does with servers that come, go and fall silent.
    private func setStates(
        _ plan: inout PoolPlan,
        _ pool: Settings.ServerPool,
        _ draft: inout Draft
    ) {
        plan.refusedPatience = pool.refusedPatience ?? .zero
        plan.stallAfter = pool.stall
        plan.queueMax = pool.queue?.size ?? 0
        plan.queueTimeout = pool.queue?.timeout ?? .zero
        plan.levels = pool.newcomers == .level && pool.persistence != nil
        plan.panic = pool.panic ?? 0
        plan.requestsMax = pool.circuit.requests ?? 0
        plan.retryBudget = pool.circuit.retryBudget
        plan.retriesMin = pool.circuit.retriesMin
        let table = plan.table
        let slowStart = pool.slowStart ?? .zero
        draft.changes.append { _ in table.setSlowStart(slowStart) }
    }

    // MARK: Servers

    /// The servers of a pool by their indices, with the weights that newcomers are balanced by.
    private struct Members {
        var servers: [ServerPlan]
        var weights: [Weight]
        var table: ServerPoolTable
        var indices: [ServerName: Int] = [:]
        let pool: PoolName

        init(_ before: PoolPlan?, of pool: PoolName) {
            self.pool = pool
            self.servers = before?.servers ?? []
            self.weights = before.map { Array(repeating: .zero, count: $0.servers.count) } ?? []
            self.table =
                before?.table
                ?? ServerPoolTable(weights: [], openMax: [], ejection: EjectionPolicy())
            for (index, server) in self.servers.enumerated() { self.indices[server.name] = index }
        }

        /// A balancer has to have a server: one that was never there stands for those to come.
        mutating func addNobody() {
            guard let name = ServerName("-"),
                let table = self.table.adding(weight: .zero, openMax: 0)
            else { return }
            table.setMembership(.removed, 0)
            self.table = table
            self.weights = [.zero]
            self.servers = [ServerPlan(name: name, address: SocketAddress(ip: .anyV4, port: 0))]
        }
    }

    private func place(
        _ pool: Settings.ServerPool,
        _ number: Int,
        _ before: PoolPlan?,
        _ members: inout Members,
        _ draft: inout Draft
    ) throws {
        if before == nil {
            members.table = ServerPoolTable(
                weights: [],
                openMax: [],
                ejection: EjectionPolicy(),
                capacity: Swift.min(pool.servers.count * 4 + Self.roomToGrow, Self.serversMax)
            )
        }
        let old = draft.old?.settings.pools.first { $0.name == pool.name }
        var kept: Set<Int> = []
        // A server that comes back has its own place.
        let wanted = Set(pool.servers.map(\.name))
        var free = (self.free[number] ?? []).filter {
            !wanted.contains(members.servers[$0].name)
        }
        for server in pool.servers {
            let was = old?.servers.first { $0.name == server.name }
            let plan = ServerPlan(
                name: server.name,
                address: try self.address(server, was, members, &draft),
                generation: server.generation
            )
            if let index = members.indices[server.name] {
                let place = ServerPlace(pool: number, server: index)
                self.keep(server, plan, at: place, was, &members, &draft)
                kept.insert(index)
            } else if let index = free.popLast() {
                let place = ServerPlace(pool: number, server: index)
                self.recycle(server, plan, at: place, &members, &draft)
                kept.insert(index)
            } else {
                try self.add(server, plan, isFirst: before == nil, &members, &draft)
                kept.insert(members.servers.count - 1)
            }
        }
        for index in members.servers.indices where !kept.contains(index) {
            let table = members.table
            guard table.membership(index) != .removed else {
                members.servers[index].isGone = true
                continue
            }
            guard table.membership(index) == .present else { continue }
            let name = "\(pool.name)/\(members.servers[index].name)"
            switch pool.removal {
            case .drain:
                draft.leaving.append(ServerPlace(pool: number, server: index))
                draft.changes.append { _ in table.setMembership(.leaving, index) }
                draft.news.append("\(name) leaves: it keeps its bound clients for now")
            case .now:
                draft.removing.insert(ServerPlace(pool: number, server: index))
                members.servers[index].isGone = true
                // Once others have taken its place everywhere, so that there is always somebody.
                draft.lateChanges.append { _ in table.setMembership(.removed, index) }
                draft.news.append("\(name) is removed")
            }
        }
    }

    private func keep(
        _ server: Settings.Server,
        _ plan: ServerPlan,
        at place: ServerPlace,
        _ was: Settings.Server?,
        _ members: inout Members,
        _ draft: inout Draft
    ) {
        let index = place.server
        let table = members.table
        let before = members.servers[index]
        members.servers[index] = plan
        // What somebody set by a command holds until the file itself says something else.
        let weight = was?.weight == server.weight ? table.weightSet(index) : server.weight
        members.weights[index] = weight
        let state = was?.state == server.state ? table.adminStateSet(index) : server.state
        let openMax = server.maxConnections ?? 0
        let isNew = table.membership(index) == .removed
        let isOther = before.address != plan.address || before.generation != plan.generation
        draft.changes.append { now in
            table.setWeight(weight, index)
            table.setAdminState(state, index)
            table.setOpenMax(openMax, index)
            if isOther { table.resetHealth(index) }
        }
        let name = "\(members.pool)/\(server.name)"
        if isNew {
            draft.returning.insert(place)
            draft.changes.append { now in
                table.resetHealth(index)
                table.started(index, at: now)
                table.setMembership(.present, index)
            }
            draft.news.append("\(name) is back, at \(plan.address)")
        } else {
            draft.changes.append { _ in table.setMembership(.present, index) }
            if isOther { draft.news.append("\(name) is at \(plan.address)") }
        }
    }

    /// A new server has the place of one that was removed long ago.
    private func recycle(
        _ server: Settings.Server,
        _ plan: ServerPlan,
        at place: ServerPlace,
        _ members: inout Members,
        _ draft: inout Draft
    ) {
        let index = place.server
        let table = members.table
        members.indices[members.servers[index].name] = nil
        members.indices[server.name] = index
        members.servers[index] = plan
        members.weights[index] = server.weight
        draft.recycled.append(place)
        draft.returning.insert(place)
        let (weight, state, openMax) = (server.weight, server.state, server.maxConnections ?? 0)
        draft.lateChanges.append { now in
            table.recycle(index)
            table.setMembership(.removed, index)
            table.setWeight(weight, index)
            table.setAdminState(state, index)
            table.setOpenMax(openMax, index)
            table.started(index, at: now)
            table.setMembership(.present, index)
        }
        draft.news.append("\(members.pool)/\(server.name) is added, at \(plan.address)")
    }

    /// Where a server is: as the resolver says now, or for an edit as it said before. A name that
    /// can't be resolved any more keeps its address.
    private func address(
        _ server: Settings.Server,
        _ was: Settings.Server?,
        _ members: Members,
        _ draft: inout Draft
    ) throws -> SocketAddress {
        let before = members.indices[server.name].map { members.servers[$0].address }
        let isSame = was?.address == server.address
        if let before, isSame, self.isEdit { return before }
        do {
            return try self.resolve(server.address)
        } catch {
            guard let before, isSame else { throw error }
            draft.warnings.append("\(error); it keeps the address \(before)")
            return before
        }
    }

    private func add(
        _ server: Settings.Server,
        _ plan: ServerPlan,
        isFirst: Bool,
        _ members: inout Members,
        _ draft: inout Draft
    ) throws {
        let index = members.servers.count
        guard
            let table = members.table.adding(
                weight: server.weight,
                openMax: server.maxConnections ?? 0
            )
        else {
            throw StartError(
                "so many servers of this pool have come and gone that Belay must be restarted "
                    + "or upgraded"
            )
        }
        members.table = table
        members.servers.append(plan)
        members.weights.append(server.weight)
        members.indices[server.name] = index
        table.setAdminState(server.state, index)
        guard !isFirst else { return }
        draft.changes.append { now in table.started(index, at: now) }
        draft.news.append("\(members.pool)/\(server.name) is added, at \(plan.address)")
    }

    // MARK: The table of bindings

    private func openTable(
        _ plan: inout PoolPlan,
        _ pool: Settings.ServerPool,
        _ before: PoolPlan?,
        _ ring: KeyRing?,
        _ draft: inout Draft
    ) throws {
        guard let persistence = pool.persistence, let ring else { return }
        let times = BindingTimes(idle: persistence.idle, lifetime: persistence.lifetime)
        let cookieTimes = persistence.ownCookie.map {
            BindingTimes(idle: $0.idle, lifetime: $0.lifetime)
        }
        let entries = persistence.table.entries
        if let table = before?.bindingTable, table.entriesMax == entries {
            plan.bindingTable = table.with(times: times, cookieTimes: cookieTimes)
            return
        }
        if before?.bindingTable != nil {
            draft.warnings.append(
                "persistence.table.entries of pool \(pool.name) changes with the next restart"
            )
            plan.bindingTable = before?.bindingTable
            return
        }
        guard persistence.table.file else {
            plan.bindingTable = try BindingTable(
                entriesMax: entries,
                times: times,
                cookieTimes: cookieTimes
            )
            return
        }
        let directory = self.stateDirectory()
        let path = "\(directory)/bindings-\(pool.name).table"
        do {
            let opened = try BindingTable.open(
                path,
                ring: ring,
                pool: pool.name,
                entriesMax: entries,
                times: times,
                cookieTimes: cookieTimes,
                sharing: self.sharesState
            )
            draft.warnings += opened.warnings
            plan.bindingTable = opened.table
        } catch {
            draft.warnings.append(
                "the bindings of pool \(pool.name) are kept in memory only: \(error)"
            )
            plan.bindingTable = try? BindingTable(
                entriesMax: entries,
                times: times,
                cookieTimes: cookieTimes
            )
        }
    }
}

extension EjectionPolicy {
    fileprivate init(_ failures: Settings.Failures) {
        self.init(
            failuresMax: failures.count,
            window: failures.window,
            eject: failures.eject,
            ejectMax: failures.ejectMax,
            ejectShare: failures.ejectShare
        )
    }
}

extension BalancerKey {
    fileprivate init(_ pool: Settings.ServerPool, _ weights: [Weight]) {
        self.init(algorithm: pool.balance, weights: weights, loadBound: pool.loadBound)
    }
}
