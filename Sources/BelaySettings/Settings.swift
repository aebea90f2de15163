package import BelayCore

// BelaySettings: a YAML file to checked settings. `Settings` is the tree that the rest of Belay
// reads: plain values, every default filled in, every reference resolved. How each one is spelled,
// what it may be and what the manual says of it is declared once, in the files `Declaration…`;
// the parser, the reference page and the JSON Schema all read those lines. What can only be judged
// across the file (names, references, routes that nothing reaches) is in `CrossChecks`. Not here:
// anything that acts on a setting. Start with `SettingsFile`.

/// Everything an operator can set. A default is the value that the property starts with.
package struct Settings: Sendable, Equatable {
    /// Nil: one worker per core.
    package var workers: Int?
    package var pinWorkers = false
    /// Nil: the runtime chooses by its environment.
    package var stateDirectory: String?
    package var listeners = [Listener(address: SocketAddress(ip: .anyV6, port: 8080))]
    package var trustedProxies: [Network] = []
    /// In the order in which they are tried; the first that matches is taken.
    package var routes: [Route] = []
    /// In the order of the file, at least one.
    package var pools: [ServerPool] = []
    /// Nil: the system's.
    package var resolver: Resolver?
    package var limits = Limits()
    package var headers = Headers()
    /// The directory of the operator's own error pages.
    package var errorPages: String?
    package var log = Log()
    package var keys = Keys()
    /// Nil: no admin listener.
    package var admin: Admin? = Admin()

    package init() {}

    /// The time a pool's servers have to accept a connection: its own, or the one of `limits`.
    package func connectTimeout(of pool: ServerPool) -> TimeSpan {
        pool.connectTimeout ?? self.limits.connectTimeout
    }
}

extension Settings {
    /// Requests that match go to the server pool. `pool` is always the name of one of `pools`.
    package struct Route: Sendable, Equatable {
        /// Starts as the host, path and methods it matches, such as `*.example.com/v1`.
        package var name = ""
        package var match = Match()
        package var pool: PoolName
        /// The pages that may open WebSockets here; none means every page.
        package var origins: [Origin] = []

        package init(name: String = "", match: Match = Match(), pool: PoolName) {
            self.name = name
            self.match = match
            self.pool = pool
        }
    }

    /// What a route asks of a request; a request has to meet all of it.
    package struct Match: Sendable, Equatable {
        package var host = HostPattern.any
        package var path = PathPrefix.all
        /// Upper case as on the wire; none means every method.
        package var methods: [String] = []

        package init() {}
    }

    /// What a route asks of the host. Texts are in lower case, without a port.
    package enum HostPattern: Sendable, Equatable {
        case any
        /// `example.com`.
        case exact(String)
        /// `*.example.com`, kept as `.example.com`: one label or more in front of it.
        case suffix(String)
    }

    /// The start of a path that ends where a segment does: `/v1` holds for `/v1` and `/v1/users`
    /// and not for `/v10`.
    package struct PathPrefix: Sendable, Equatable {
        /// Without the slash at its end; empty where every path will do.
        package let text: String

        package static let all = PathPrefix(text: "")
    }
}

extension Settings {
    /// Servers that can answer the same requests.
    package struct ServerPool: Sendable, Equatable {
        package var name: PoolName
        package var balance = Algorithm.randomOfTwo
        package var servers: [Server]
        /// Where more servers come from while Belay runs.
        package var sources: [ServerSource] = []
        package var serverProtocol = ServerProtocol.http1
        /// Nil: clear text. Never nil where `serverProtocol` is HTTP/2 over TLS.
        package var tls: PoolTLS?
        package var proxyProtocol = ProxySending.off
        /// What the header adds, each once. Only of version 2.
        package var proxyProtocolTLVs: [ProxyTLV] = []
        package var retries = 2
        /// How far above the pool's mean a hash may load a server: 1.25 is a quarter more.
        package var loadBound = 1.25
        package var failures = Failures()
        /// Nil: no active checks.
        package var health: Health?
        /// Nil: no limit.
        package var tunnelsPerServer: Int?
        /// Nil: that of `limits`.
        package var connectTimeout: TimeSpan?
        package var keep = Keep()
        /// Nil: clients are bound to no server.
        package var persistence: Persistence?
        package var sessions = SessionPlace.server
        package var removal = Removal.drain
        package var drainDeadline = TimeSpan.minutes(30)
        /// Nil: none.
        package var slowStart: TimeSpan? = .seconds(10)
        package var newcomers = Newcomers.level
        /// Nil: silence is never judged.
        package var stall: TimeSpan? = .milliseconds(500)
        /// Nil: a refused client moves at once.
        package var refusedPatience: TimeSpan? = .milliseconds(300)
        /// A share of the servers, 0...1; nil: health is never ignored.
        package var panic: Double?
        /// Nil: nobody waits.
        package var queue: Queue? = Queue()
        package var circuit = Circuit()

        package init(name: PoolName, servers: [Server]) {
            self.name = name
            self.servers = servers
        }
    }

    /// How requests travel to the servers of a pool.
    package enum ServerProtocol: UInt8, Sendable, CaseIterable {
        /// `http/1.1`, over TLS if the pool has that.
        case http1
        /// `h2`: HTTP/2 over TLS.
        case http2
        /// `h2c`: HTTP/2 in clear text, with prior knowledge.
        case http2ClearText
    }

    /// The version of the PROXY protocol that servers are sent.
    package enum ProxySending: String, Sendable, CaseIterable {
        case off, v1, v2
    }

    /// What a header of version 2 can say beside the addresses.
    package enum ProxyTLV: UInt8, Sendable, CaseIterable {
        case alpn, authority, crc32c
        /// `unique-id`.
        case uniqueID
        case ssl
    }

    /// Connections to servers that wait for their next request.
    package struct Keep: Sendable, Equatable {
        /// For each worker and server.
        package var idleConnections = 64
        package var idle = TimeSpan.seconds(30)

        package init() {}
    }
}

extension Settings {
    /// What one Belay takes on before it refuses. Nil is `off`: no limit.
    package struct Limits: Sendable, Equatable {
        package var connections = 100_000
        package var connectionsPerClient: Int?
        package var headSize = ByteCount(kibibytes: 32)
        package var headerCount = 100
        package var bodySize: ByteCount?
        package var handshakeTimeout = TimeSpan.seconds(10)
        /// In a second.
        package var handshakesPerClient: Int?
        package var headTimeout = TimeSpan.seconds(10)
        package var keepAlive = TimeSpan.seconds(60)
        package var idle = TimeSpan.seconds(60)
        package var tunnelIdle = TimeSpan.hours(1)
        package var tunnelsPerClient: Int?
        package var connectTimeout = TimeSpan.seconds(5)
        /// For each worker.
        package var pendingConnects = 1024
        package var requestsPerConnection: Int?
        package var shutdown = TimeSpan.seconds(30)
        /// For the exchanges of a process that handed over to its successor.
        package var upgrade = TimeSpan.hours(1)
        package var http2 = HTTP2Limits()

        package init() {}
    }

    /// What one client connection of HTTP/2 may ask.
    package struct HTTP2Limits: Sendable, Equatable {
        /// Requests at once.
        package var streams = 100
        /// Requests that it may reset before they are answered, until the allowance refills.
        package var resets = 200
        /// Frames that carry no request, until the allowance refills.
        package var controlFrames = 200

        package init() {}
    }

    /// What Belay tells servers about the client and about itself.
    package struct Headers: Sendable, Equatable {
        package var xForwarded = true
        package var forwarded = false
        package var via = Via.off
        package var clientCertificate = true

        package init() {}
    }

    /// What the header Via says (RFC 9110 §7.6.3).
    package enum Via: String, Sendable, CaseIterable {
        case off
        /// The name of the machine.
        case on
        /// `belay`, which tells nothing of the machine.
        case pseudonym
    }

    /// What is written about the exchanges and about Belay itself.
    package struct Log: Sendable, Equatable {
        package var access = AccessFormat.text
        package var accessTo = LogTarget.stdout
        package var level = LogLevel.info

        package init() {}
    }

    /// How the line of an exchange is written.
    package enum AccessFormat: String, Sendable, CaseIterable {
        case json, text, off
    }

    /// Where the lines of exchanges go.
    package enum LogTarget: Sendable, Equatable {
        case stdout
        case file(String)
    }

    /// What Belay writes about itself on stderr: this level and those after it.
    package enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    /// The keys that seal bindings.
    package struct Keys: Sendable, Equatable {
        /// The first seals, all open. Empty: from `file`, or generated in the state directory.
        package var ring: [SecretKey] = []
        package var file: String?

        package init() {}
    }

    /// Where metrics, states and `belay explain` are served.
    package struct Admin: Sendable, Equatable {
        package var address = SocketAddress(ip: .loopbackV4, port: 9900)

        package init() {}
    }
}

/// A key, which no description, dump or problem shows.
package struct SecretKey: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    package let bytes: [UInt8]

    package init(bytes: [UInt8]) { self.bytes = bytes }

    package var description: String { "secret" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// A number of bytes.
package struct ByteCount: Sendable, Hashable, Comparable {
    package var bytes: Int

    package init(bytes: Int) { self.bytes = bytes }

    package init(kibibytes: Int) { self.init(bytes: kibibytes * 1024) }

    package static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
}
