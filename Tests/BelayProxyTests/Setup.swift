import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayProxy
import BelayTelemetry
import Synchronization
import Testing

extension Setup {
    /// The plan of the server pools whose servers have these addresses.
    func plan(_ addresses: [SocketAddress]) throws -> ProxyPlan {
        let names = addresses.indices.compactMap { ServerName("server\($0)") }
        let servers = zip(names, addresses).map { ServerPlan(name: $0, address: $1) }
        let pools =
            self.isApart
            ? try servers.enumerated().map { try self.pool("pool\($0)", [$1]) }
            : [try self.pool("shop", servers)]
        return ProxyPlan(
            limits: self.limits,
            listeners: self.listeners,
            routes: self.routes.enumerated().map { index, route in
                var plan = RoutePlan(
                    name: InternedText("route\(index)"),
                    host: route.host,
                    path: InternedText(route.path),
                    methods: route.methods,
                    pool: 0
                )
                plan.origins = self.origins
                return plan
            },
            pools: pools,
            rules: ForwardingRules(),
            trusted: self.trusted,
            errorPages: ErrorPages(),
            keyRing: self.keyRing
        )
    }

    private func pool(_ name: String, _ servers: [ServerPlan]) throws -> PoolPlan {
        let names = servers.map(\.name)
        let weights = names.map { _ in Weight.one }
        var pool = PoolPlan(
            name: try #require(PoolName(name)),
            algorithm: self.algorithm,
            servers: servers,
            table: ServerPoolTable(
                weights: weights,
                openMax: names.map { _ in self.openMax },
                ejection: self.ejection
            ),
            lookup: try ServerLookup(names),
            balancer: Balancer(
                algorithm: self.algorithm,
                weights: weights,
                names: names,
                loadBound: 1.25,
                seed: 0
            ),
            retries: self.retries,
            connectTimeout: .seconds(5),
            idleConnections: self.idleConnections,
            idleTimeout: .seconds(60),
            persistence: self.persistence
        )
        if self.persistence != nil { pool.ways = [.cookie] }
        // What a budget of retries does is tested by itself.
        pool.retriesMin = 1000
        pool.speaksHTTP2 = self.speaksHTTP2
        if self.persistence != nil { pool.ways = [.cookie] }
        self.adjustPool(&pool)
        return pool
    }

    func names(_ plan: ProxyPlan) -> TelemetryNames {
        TelemetryNames(
            routes: plan.routes.map(\.name),
            pools: plan.pools.map { pool in
                ServerPoolNames(name: pool.text, servers: pool.servers.map(\.text))
            },
            refusals: MessageError.allCases.map { InternedText("\($0.name)") }
        )
    }
}

/// What the worker tells the operator.
final class Notices: Sendable {
    private let list = Mutex<[SharedState.Notice]>([])

    func add(_ notice: SharedState.Notice) { self.list.withLock { $0.append(notice) } }
    var all: [SharedState.Notice] { self.list.withLock { $0 } }
}

/// An answer that another thread gives.
final class Answer: Sendable {
    private let value = Mutex<Explanation?>(nil)

    func set(_ explanation: Explanation) { self.value.withLock { $0 = explanation } }
    func take() -> Explanation? { self.value.withLock { $0 } }
}
