package import BelayBalancing
package import BelayBytes
package import BelayCore
package import BelayHTTP
package import BelayPersistence
package import BelayTransport

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
    /// From a connection's beginning to the end of its TLS handshake, PROXY header included: cut.
    package var handshakeTimeout = TimeSpan.seconds(10)
    /// TLS handshakes of one client address in a second; 0: no limit. The next one is cut.
    package var handshakesPerClient = 0
    /// Tunnels of one client address; 0: no limit. The next one is answered 429.
    package var tunnelsPerClient = 0
    /// Streams on one client connection; more are refused.
    package var streams = 100
    /// Streams that a client may reset before they are answered, and frames that only control the
    /// connection, at once; both refill within 10 s. Beyond it the connection is ended.
    package var resets = 200
    package var controlFrames = 200

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
    /// The servers speak HTTP/2.
    package var speaksHTTP2 = false
    /// For each server its encryption; empty: clear text.
    package var tls: [ServerEncryption] = []
    package var proxyHeader = ProxyHeaderOut.off
    package var proxyHeaderTLVs: ProxyHeaderTLVSet = []
    /// Tunnels that a server may have; 0: no limit.
    package var tunnelsPerServer = 0
    /// Tunnels that each server has, of all workers.
    package var tunnels: CounterTable
    /// Active checks; nil: none.
    package var health: HealthCheckPlan?

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
        self.tunnels = CounterTable(rows: servers.count, columns: 1)
    }
}

/// How connections to one server are encrypted.
package struct ServerEncryption: Sendable {
    package var context: TLSClientContext
    /// What the certificate must name; for a host also asked for by SNI.
    package var serverName: String?

    package init(context: TLSClientContext, serverName: String?) {
        self.context = context
        self.serverName = serverName
    }
}

/// The PROXY header that servers get.
package enum ProxyHeaderOut: Sendable {
    case off, version1, version2
}

/// What a PROXY header of version 2 says beside the addresses.
package struct ProxyHeaderTLVSet: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let alpn = ProxyHeaderTLVSet(rawValue: 1)
    package static let authority = ProxyHeaderTLVSet(rawValue: 2)
    package static let checksum = ProxyHeaderTLVSet(rawValue: 4)
    package static let uniqueID = ProxyHeaderTLVSet(rawValue: 8)
    package static let ssl = ProxyHeaderTLVSet(rawValue: 16)
}

/// How servers are checked by connecting to them.
package struct HealthCheckPlan: Sendable {
    package var interval: TimeSpan
    package var timeout: TimeSpan
    package var fall: Int
    package var rise: Int

    package init(interval: TimeSpan, timeout: TimeSpan, fall: Int, rise: Int) {
        self.interval = interval
        self.timeout = timeout
        self.fall = fall
        self.rise = rise
    }
}

/// All that a worker is told at its start: the settings, resolved and checked.
package struct ProxyPlan: Sendable {
    package var limits: ProxyLimits
    package var listeners: [ListenerPlan]
    package var routes: [RoutePlan]
    package var pools: [PoolPlan]
    package var rules: ForwardingRules
    package var trusted: [Network]
    package var errorPages: ErrorPages
    package var keyRing: KeyRing?

    package init(
        limits: ProxyLimits,
        listeners: [ListenerPlan],
        routes: [RoutePlan],
        pools: [PoolPlan],
        rules: ForwardingRules,
        trusted: [Network],
        errorPages: ErrorPages,
        keyRing: KeyRing?
    ) {
        self.limits = limits
        self.listeners = listeners
        self.routes = routes
        self.pools = pools
        self.rules = rules
        self.trusted = trusted
        self.errorPages = errorPages
        self.keyRing = keyRing
    }
}
