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
    /// The plan of one server pool whose servers have these addresses.
    func plan(_ addresses: [SocketAddress]) throws -> ProxyPlan {
        let names = addresses.indices.compactMap { ServerName("server\($0)") }
        let weights = names.map { _ in Weight.one }
        let pool = PoolPlan(
            name: try #require(PoolName("shop")),
            algorithm: self.algorithm,
            servers: zip(names, addresses).map { ServerPlan(name: $0, address: $1) },
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
        return ProxyPlan(
            limits: self.limits,
            routes: self.routes.enumerated().map { index, route in
                RoutePlan(
                    name: InternedText("route\(index)"),
                    host: route.host,
                    path: InternedText(route.path),
                    methods: route.methods,
                    pool: 0
                )
            },
            pools: [pool],
            rules: ForwardingRules(),
            trusted: [],
            errorPages: ErrorPages(),
            keyRing: self.keyRing
        )
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
