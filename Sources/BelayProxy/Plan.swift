package import BelayBalancing
package import BelayBytes
package import BelayCore
package import BelayHTTP
package import BelayPersistence
import BelayTransport

/// The limits of a worker, resolved from the settings. Each has a stated answer at the limit.
package struct ProxyLimits: Sendable {
    /// Client connections of all workers together; the next one is closed at once.
    package var connections = 100_000
    /// Client connections from one address; 0: no limit.
    package var connectionsPerClient = 0
    /// Bytes of a head: 431.
    package var headSize = 32 * 1024
    /// Field lines of a head: 431.
    package var headerCount = 100
    /// Bytes of a request's body: 413; 0: no limit.
    package var bodySize: UInt64 = 0
    /// From a head's first byte (on a new connection: from its beginning) to its last: 408.
    package var headTimeout = TimeSpan.seconds(10)
    /// Between two requests: closed.
    package var keepAlive = TimeSpan.seconds(60)
    /// Without a byte in either direction while an exchange runs: 408, 504, or cut.
    package var idle = TimeSpan.seconds(60)
    /// The same for a tunnel.
    package var tunnelIdle = TimeSpan.hours(1)
    /// Connects that a worker has under way: 503.
    package var pendingConnects = 1024
    /// Requests on one client connection; 0: no limit. Then it is closed.
    package var requestsPerConnection = 0

    package init() {}
}

/// What the workers need to know of a server.
package struct ServerPlan: Sendable {
    package var name: ServerName
    package var text: InternedText
    package var id: ServerID
    package var address: SocketAddress
    /// The Host of requests that name none, which only HTTP/1.0 may do.
    package var defaultHost: InternedText

    package init(name: ServerName, address: SocketAddress) {
        self.name = name
        self.id = ServerID(of: name)
        self.text = InternedText(name.rawValue)
        self.address = address
        self.defaultHost = InternedText(address.description)
    }
}

/// What the workers need to know of a server pool.
package struct PoolPlan: Sendable {
    package var name: PoolName
    package var text: InternedText
    package var algorithm: Algorithm
    package var servers: [ServerPlan]
    /// State that all workers share.
    package var table: ServerPoolTable
    package var lookup: ServerLookup
    /// The balancer that each worker gets one like.
    package var balancer: Balancer
    /// Attempts after the first.
    package var retries: Int
    package var connectTimeout: TimeSpan
    /// Idle connections that a worker keeps to each server, and for how long.
    package var idleConnections: Int
    package var idleTimeout: TimeSpan
    package var persistence: PersistenceSettings?
    package var cookieName: InternedText?

    package init(
        name: PoolName,
        algorithm: Algorithm,
        servers: [ServerPlan],
        table: ServerPoolTable,
        lookup: ServerLookup,
        balancer: Balancer,
        retries: Int,
        connectTimeout: TimeSpan,
        idleConnections: Int,
        idleTimeout: TimeSpan,
        persistence: PersistenceSettings?
    ) {
        self.name = name
        self.text = InternedText(name.rawValue)
        self.algorithm = algorithm
        self.servers = servers
        self.table = table
        self.lookup = lookup
        self.balancer = balancer
        self.retries = retries
        self.connectTimeout = connectTimeout
        self.idleConnections = idleConnections
        self.idleTimeout = idleTimeout
        self.persistence = persistence
        self.cookieName = persistence.map { InternedText($0.name) }
    }
}

/// All that a worker is told at its start: the settings, resolved and checked.
package struct ProxyPlan: Sendable {
    package var limits: ProxyLimits
    package var routes: [RoutePlan]
    package var pools: [PoolPlan]
    package var rules: ForwardingRules
    package var trusted: [Network]
    package var errorPages: ErrorPages
    package var keyRing: KeyRing?

    package init(
        limits: ProxyLimits,
        routes: [RoutePlan],
        pools: [PoolPlan],
        rules: ForwardingRules,
        trusted: [Network],
        errorPages: ErrorPages,
        keyRing: KeyRing?
    ) {
        self.limits = limits
        self.routes = routes
        self.pools = pools
        self.rules = rules
        self.trusted = trusted
        self.errorPages = errorPages
        self.keyRing = keyRing
    }
}
