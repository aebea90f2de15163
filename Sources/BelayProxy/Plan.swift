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
    /// What an application's cookie has for it in front of its value.
    package var cookiePrefix = InternedText.empty
    /// What stands for it in an application's cookie; empty where none names servers.
    package var word: [UInt8] = []
    package var address: SocketAddress
    package var generation = 0
    /// It is no longer in the settings, and takes nobody: connections to it are not kept.
    package var isGone = false
    /// The Host of requests that name none, which only HTTP/1.0 may do.
    package var defaultHost: InternedText

    package init(name: ServerName, address: SocketAddress, generation: Int = 0) {
        self.name = name
        self.generation = generation
        self.id = ServerID(of: name, generation: generation)
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
    /// What the balancer was made for.
    package var balancerKey: BalancerKey?
    /// Another number for each plan of the pool in which its servers or their weights differ.
    package var balancerVersion = 0
    /// Another number for each plan of the pool in which its persistence or the key ring differs.
    package var persistenceVersion = 0
    /// The pool is no longer in the settings.
    package var isGone = false
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
    /// The ways to bind, in order; empty: nobody is bound.
    package var ways: [BindingWay] = [] {
        didSet { self.facts = WayFacts(self.ways) }
    }
    package private(set) var facts = WayFacts([])
    /// Other Belays may seal cookies with the same keys, of which the table here knows nothing.
    package var sharesKeys = false
    /// Every client that is bound stands in the table.
    package var countsAll: Bool {
        self.facts.countsAll && !(self.sharesKeys && self.facts.hasCookie)
    }
    /// Requests that never bind.
    package var exempt: [ExemptRule] = []
    /// Finds servers by the words that an application's cookies have for them.
    package var routes: ServerLookup?
    /// An application's cookie that carries the server's name, in whose place the way stands; nil:
    /// none.
    package var prefixedCookie: InternedText?
    package var prefixSeparator: UInt8 = 0
    /// Where bindings are learned, and those of cookies registered; nil: nowhere.
    package var bindingTable: BindingTable?
    /// Counts how often somebody moved one client: before that nobody asks the register.
    package var marks: CounterTable
    package var rules = BindingRules()
    /// The share of usable servers below which health is ignored; 0: never.
    package var panic = 0.0
    /// Requests open at all servers together; 0: any number.
    package var requestsMax = 0
    /// The share of open requests that may be retries, and how many may be in any case.
    package var retryBudget = 0.2
    package var retriesMin = 3
    /// Newcomers go to a server that has clearly fewer bound clients than the others.
    package var levels = false
    /// The servers speak HTTP/2.
    package var speaksHTTP2 = false
    /// For each server its encryption; empty: clear text.
    package var tls: [ServerEncryption] = []
    /// The encryption of checks where the pool's traffic is in clear text; nil: they are too.
    package var checkEncryption: TLSClientContext?
    package var proxyHeader = ProxyHeaderOut.off
    package var proxyHeaderTLVs: ProxyHeaderTLVSet = []
    /// Tunnels that a server may have; 0: no limit.
    package var tunnelsPerServer = 0
    /// Tunnels that each server has, of all workers.
    package var tunnels: CounterTable
    /// A bound client's connection that is refused is tried again for so long.
    package var refusedPatience = TimeSpan.zero
    /// Requests wait at a server, and nothing was heard of it for so long: it gets no new clients.
    /// Nil: silence is never judged.
    package var stallAfter: TimeSpan?
    /// Requests that may wait for a server with room, over all workers; 0: none.
    package var queueMax = 0
    package var queueTimeout = TimeSpan.seconds(5)
    /// Who waits: row 0 has the number of waiting requests, the worker that was called last, and
    /// how many of them wait for any server; then a row for each worker, with its own number.
    package var queue: CounterTable
    /// Active checks; nil: none.
    package var health: HealthCheckPlan?
    /// When a server that is worse than the others is ejected; nil: never.
    package var outliers: OutlierPlan?
    /// Answers that count as failures of their server.
    package var failureStatuses: [ClosedRange<UInt16>] = []

    // Limit: workers, a core each; there is no larger machine yet.
    package static let workersMax = 1024

    /// Has the tables of `before`, the pool's plan before this one: who counts there counts on.
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
        persistence: PersistenceSettings?,
        after before: PoolPlan? = nil
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
        self.marks = before?.marks ?? CounterTable(rows: 1, columns: 1)
        self.tunnels = before?.tunnels ?? CounterTable(rows: table.capacity, columns: 1)
        self.queue = before?.queue ?? CounterTable(rows: 1 + Self.workersMax, columns: 3)
    }
}

/// What is asked about a pool's ways to bind with every request.
package struct WayFacts: Sendable {
    /// Some way keeps its bindings in the table.
    let hasTable: Bool
    /// Answers say something that is learned.
    let learns: Bool
    /// Some way wants to know Belay's own address on a client's connection.
    let asksForLocal: Bool
    /// Some way wants to know the client's TLS session.
    let asksForTLS: Bool
    /// Every way keeps its bindings in the table, or registers them there. Who is bound by what the
    /// application's cookie says of its server stands nowhere.
    let countsAll: Bool
    /// Some way is Belay's own cookie.
    let hasCookie: Bool

    init(_ ways: [BindingWay]) {
        self.hasCookie = ways.contains { $0.kind == .cookie }
        self.hasTable = ways.contains { $0.kind != nil && $0.kind != .cookie }
        self.asksForLocal = ways.contains { if case .tuple = $0 { true } else { false } }
        self.asksForTLS = ways.contains { if case .tlsSession = $0 { true } else { false } }
        self.countsAll = ways.allSatisfy { way in
            if case .applicationCookie(let cookie) = way { cookie.hasher != nil } else { true }
        }
        self.learns = ways.contains { way in
            switch way {
            case .applicationCookie(let cookie): cookie.hasher != nil
            case .header(let header): header.learnsFrom != nil
            case .query(let query):
                switch query.learning {
                case .off: false
                case .header, .body: true
                }
            case .cookie, .sourceAddress, .tuple, .tlsSession, .jwtClaim: false
            }
        }
    }
}

/// What a balancer is made for: with another key it is made anew.
package struct BalancerKey: Equatable, Sendable {
    let algorithm: Algorithm
    let weights: [Weight]
    let loadBound: Double

    package init(algorithm: Algorithm, weights: [Weight], loadBound: Double) {
        self.algorithm = algorithm
        self.weights = weights
        self.loadBound = loadBound
    }
}

/// What a pool does with its bound clients, beside the ways to bind.
package struct BindingRules: Sendable {
    /// A client whose server is back returns to it.
    package var returnsHome = false
    /// A client whose server has had no room in time is refused; else it moves.
    package var rejectsWhenFull = false
    /// The status for a client whose server is down, ejected, in maintenance or gone; 0: it moves.
    package var rejectStatus: UInt16 = 0
    /// For how long the first requests of a new client follow each other; nil: they don't.
    package var claim: TimeSpan?
    /// Only answers to requests for a page bring the cookie.
    package var setsOnNavigationOnly = false
    /// The application may end the binding by clearing the cookie.
    package var preserves = false

    package init() {}
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

/// All that a worker is told at its start: the settings, resolved and checked.
package struct ProxyPlan: Sendable {
    package var limits: ProxyLimits
    package var listeners: [ListenerPlan]
    /// In the order in which they are tried.
    package var routes: [RoutePlan] {
        didSet { self.routeIndex = RouteIndex(self.routes) }
    }
    package private(set) var routeIndex: RouteIndex
    /// By their indices, which never change while the process lives: those that are gone too.
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
        self.routeIndex = RouteIndex(routes)
        self.pools = pools
        self.rules = rules
        self.trusted = trusted
        self.errorPages = errorPages
        self.keyRing = keyRing
    }
}
