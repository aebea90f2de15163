import BelayBalancing
package import BelayBytes
package import BelayCore
import BelayHTTP
import BelayPersistence
package import BelayProxy
package import BelaySettings
package import BelayTelemetry
import BelayTransport

/// A plan that can take the place of the one before it: what stays has the indices, the tables and
/// the counters that it had.
///
/// Indices only ever grow. A server, pool, route or listener that is no longer in the settings
/// keeps its index, because exchanges under way, logs and counters name it; it is the same again
/// when it comes back under its name. Only a server that was removed long ago may lose its place to
/// a new one.
package struct Planned: Sendable {
    package var plan: ProxyPlan
    package let settings: Settings
    /// Names of routes by their numbers, those included that are gone.
    package let routeNames: [InternedText]
    /// By index, what a listener is known by; nil for one that is gone.
    package let listenerKeys: [String?]
    /// Listeners that want sockets: their indices, and what the settings say of them.
    package let newListeners: [(index: Int, listener: Settings.Listener)]
    package let closedListeners: [Int]
    /// What is written into the tables that all share, once the plan is sure to be used.
    package let changes: [@Sendable (Instant) -> Void]
    /// The same, once all workers follow the plan: what would be wrong with the one before.
    package let lateChanges: [@Sendable (Instant) -> Void]
    /// Places that another server has had.
    package let recycled: [ServerPlace]
    /// Places of servers that are present again, or new in the place of another, by the changes.
    package let returning: Set<ServerPlace>
    /// Places of servers that the changes remove.
    package let removing: Set<ServerPlace>
    /// What an operator should know of the step from the plan before to this one.
    package let news: [String]
    /// Servers that were taken out of the settings and keep their bound clients.
    package let leaving: [ServerPlace]
    package let warnings: [String]

    /// By index, the number in the settings of what is there now.
    package let listenerNumbers: [Int?]
    package let poolNumbers: [Int?]

    /// The names of all indices. `old` are those of the plan before.
    package func names(after old: TelemetryNames?) -> TelemetryNames {
        TelemetryNames(
            routes: self.routeNames,
            pools: self.plan.pools.enumerated().map { index, pool in
                ServerPoolNames(
                    name: pool.text,
                    servers: pool.servers.map(\.text),
                    isGone: pool.isGone,
                    areGone: pool.servers.indices.map { server in
                        self.isRemoved(ServerPlace(pool: index, server: server))
                    }
                )
            },
            refusals: MessageError.allCases.map { InternedText("\($0.name)") },
            after: old
        )
    }
}

extension Planned {
    /// Whether the server is removed under this plan, once its changes are made.
    private func isRemoved(_ place: ServerPlace) -> Bool {
        if self.returning.contains(place) { return false }
        if self.removing.contains(place) { return true }
        return self.plan.pools[place.pool].table.membership(place.server) == .removed
    }
}

/// A server of a pool, by the indices of both.
package struct ServerPlace: Hashable, Sendable {
    package let pool: Int
    package let server: Int

    package init(pool: Int, server: Int) {
        self.pool = pool
        self.server = server
    }
}

extension PlanBuilder {
    // Limit: listeners that one process may come to have; connections name theirs in a byte.
    private static let listenersMax = 250

    /// The plan for the settings, after another one or as the first. Nothing is changed by it until
    /// its `changes` are made.
    package func planned(connectionsMax: Int, after old: Planned?) throws -> Planned {
        // Binding cookies and session tickets are sealed with the same ring's keys.
        let needsKeys =
            self.settings.pools.contains { $0.persistence != nil }
            || self.settings.listeners.contains { $0.tls?.tickets ?? false }
        let keyRing =
            self.isEdit ? old?.plan.keyRing : needsKeys ? try self.keyRing() : nil
        var draft = Draft(old: old)
        draft.hasSameKeys = Self.isSame(keyRing, old?.plan.keyRing)
        let pools = try self.pools(keyRing, &draft)
        let numbers = self.poolIndices(pools)
        let listeners = try self.listeners(keyRing, numbers, &draft)
        let routes = try self.routes(numbers, &draft)
        let plan = ProxyPlan(
            limits: self.limits(connectionsMax: connectionsMax),
            listeners: listeners,
            routes: routes,
            pools: pools,
            rules: self.rules(),
            trusted: self.settings.trustedProxies,
            errorPages: try self.keptErrorPages(old) ?? self.errorPages(),
            keyRing: keyRing
        )
        return Planned(
            plan: plan,
            settings: self.settings,
            routeNames: draft.routeNames,
            listenerKeys: draft.listenerKeys,
            newListeners: draft.newListeners,
            closedListeners: draft.closedListeners,
            changes: draft.changes,
            lateChanges: draft.lateChanges,
            recycled: draft.recycled,
            returning: draft.returning,
            removing: draft.removing,
            news: draft.news,
            leaving: draft.leaving,
            warnings: draft.warnings,
            listenerNumbers: draft.listenerNumbers,
            poolNumbers: pools.map { pool in
                pool.isGone ? nil : self.settings.pools.firstIndex { $0.name == pool.name }
            }
        )
    }

    private static func isSame(_ ring: KeyRing?, _ old: KeyRing?) -> Bool {
        guard let ring, let old else { return ring == nil && old == nil }
        return ring.isSame(as: old)
    }

    private func keptErrorPages(_ old: Planned?) -> ErrorPages? {
        self.isEdit ? old?.plan.errorPages : nil
    }

    /// By name, the indices of the pools that are there.
    private func poolIndices(_ pools: [PoolPlan]) -> [PoolName: Int] {
        var indices: [PoolName: Int] = [:]
        for (index, pool) in pools.enumerated() where !pool.isGone { indices[pool.name] = index }
        return indices
    }

    // MARK: Routes

    private func routes(_ pools: [PoolName: Int], _ draft: inout Draft) throws -> [RoutePlan] {
        var numbers: [InternedText: Int] = [:]
        for (number, name) in draft.routeNames.enumerated() { numbers[name] = number }
        return try self.settings.routes.map { route in
            guard let pool = pools[route.pool] else {
                throw StartError("the route \(route.name) names no pool of the file")
            }
            var plan = self.route(route, pool: pool)
            if let number = numbers[plan.name] {
                plan.number = number
            } else {
                plan.number = draft.routeNames.count
                numbers[plan.name] = plan.number
                draft.routeNames.append(plan.name)
            }
            return plan
        }
    }

    // MARK: Listeners

    private func listeners(
        _ keys: KeyRing?,
        _ pools: [PoolName: Int],
        _ draft: inout Draft
    ) throws -> [ListenerPlan] {
        var plans = draft.old?.plan.listeners ?? []
        var indices: [String: Int] = [:]
        for (index, key) in draft.listenerKeys.enumerated() { if let key { indices[key] = index } }
        draft.listenerNumbers = Array(repeating: nil, count: plans.count)
        var kept: Set<Int> = []
        for (number, listener) in self.settings.listeners.enumerated() {
            let key = Self.key(of: listener)
            if self.isEdit, let index = indices[key] {
                draft.listenerNumbers[index] = number
                kept.insert(index)
                continue
            }
            let plan = try self.listener(listener, keys: keys, pools: pools)
            if let index = indices[key] {
                plans[index] = plan
                draft.listenerNumbers[index] = number
                kept.insert(index)
            } else {
                guard plans.count < Self.listenersMax else {
                    throw StartError(
                        "so many listeners have come and gone that Belay must be restarted"
                    )
                }
                draft.newListeners.append((index: plans.count, listener: listener))
                draft.listenerNumbers.append(number)
                draft.listenerKeys.append(key)
                kept.insert(plans.count)
                plans.append(plan)
            }
        }
        for index in draft.listenerKeys.indices
        where draft.listenerKeys[index] != nil && !kept.contains(index) {
            draft.closedListeners.append(index)
            draft.news.append("listener \(plans[index].name.text) is closed")
            draft.listenerKeys[index] = nil
        }
        return plans
    }

    /// A listener stays the same while its address, and what it speaks, does.
    private static func key(of listener: Settings.Listener) -> String {
        let name = listener.address.port == 0 ? listener.name : ""
        return "\(listener.address) \(listener.kind) \(name)"
    }
}

/// A plan that is being made.
struct Draft {
    let old: Planned?
    /// The key ring is the one before.
    var hasSameKeys = false
    var routeNames: [InternedText]
    var listenerKeys: [String?]
    var listenerNumbers: [Int?] = []
    var newListeners: [(index: Int, listener: Settings.Listener)] = []
    var closedListeners: [Int] = []
    var changes: [@Sendable (Instant) -> Void] = []
    var lateChanges: [@Sendable (Instant) -> Void] = []
    var recycled: [ServerPlace] = []
    var returning: Set<ServerPlace> = []
    var removing: Set<ServerPlace> = []
    var news: [String] = []
    var leaving: [ServerPlace] = []
    var warnings: [String] = []

    init(old: Planned?) {
        self.old = old
        self.routeNames = old?.routeNames ?? []
        self.listenerKeys = old?.listenerKeys ?? []
    }
}
