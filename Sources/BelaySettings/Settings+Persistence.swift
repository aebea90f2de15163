package import BelayCore

// How clients come back to the server that they are bound to.

extension Settings {
    /// What a pool does to keep clients at their servers. Presets are expanded when they are read.
    package struct Persistence: Sendable, Equatable {
        /// In the order in which they are tried: the first that finds a binding decides. At least
        /// one; what always finds a server (`tuple`, `source-address` with `store: hash`) is last.
        package var ways: [Way]
        /// A request that matches one of these is never bound.
        package var exempt: [ExemptRule] = []
        /// Of bindings in the table; the cookie has its own. Nil: they don't expire by not being
        /// used.
        package var idle: TimeSpan? = .minutes(30)
        /// Of bindings in the table. Nil: they have no end.
        package var lifetime: TimeSpan? = .hours(8)
        package var table = BindingTable()
        /// Key `return`.
        package var returning = Returning.stay
        package var onFull = OnFull.move
        package var onFailure = OnFailure.rebalance
        /// Of the answer to a client that is refused by `onFull` or `onFailure`.
        package var rejectStatus = 503
        /// How long the first requests of a new client follow each other. Nil: they don't.
        package var claim: TimeSpan? = .seconds(2)

        /// With a cookie of Belay's own.
        package init() { self.ways = [.cookie(BindingCookie())] }

        package init(ways: [Way]) { self.ways = ways }

        /// Belay's own cookie, if that is one of the ways.
        package var ownCookie: BindingCookie? {
            for case .cookie(let cookie) in self.ways { return cookie }
            return nil
        }

        /// Whether a way remembers bindings in the table.
        package var learns: Bool { self.ways.contains(where: \.learns) }

        /// Whether a way binds: not all are mere affinity.
        package var binds: Bool { !self.ways.allSatisfy(\.isAffinity) }

        /// Whether a bound client may be refused.
        package var rejects: Bool {
            self.binds && (self.onFull == .reject || self.onFailure == .reject)
        }
    }

    /// One way to bind.
    package enum Way: Sendable, Equatable {
        /// A sealed cookie of Belay's own.
        case cookie(BindingCookie)
        /// The application's own session cookie.
        case applicationCookie(ApplicationCookie)
        case header(BindingHeader)
        case query(BindingQuery)
        case sourceAddress(BindingAddress)
        /// A hash of addresses, ports and protocol; remembers nothing.
        case tuple(TupleFields)
        case tlsSession
        case jwt(BindingToken)
    }

    /// The cookie that carries a binding.
    package struct BindingCookie: Sendable, Equatable {
        package var name = "belay"
        package var domain: String?
        package var path = "/"
        package var sameSite = SameSite.lax
        /// One jar for each site that embeds the page.
        package var partitioned = false
        package var secure = SecureFlag.auto
        package var httpOnly = true
        package var keep = CookieKeeping.session
        /// Nil: a binding does not expire by not being used.
        package var idle: TimeSpan? = .minutes(30)
        /// Nil: a binding has no end.
        package var lifetime: TimeSpan? = .hours(8)
        package var setOn = SetOn.all
        /// The application may end the binding by clearing the cookie.
        package var preserve = false

        package init() {}
    }

    /// The cookie attribute of the same name (RFC 6265bis §5.6.7).
    package enum SameSite: String, Sendable, CaseIterable {
        case lax, strict, none
    }

    /// Whether the cookie has the attribute Secure.
    package enum SecureFlag: String, Sendable, CaseIterable {
        /// As the client came: Secure over TLS, also where a trusted proxy says so.
        case auto
        case always, never
    }

    /// How long browsers keep the cookie. What it is worth is for Belay to say.
    package enum CookieKeeping: String, Sendable, CaseIterable {
        /// Until they are closed.
        case session
        /// For as long as the binding may be used.
        case binding
    }

    /// The requests whose answers may bring the cookie.
    package enum SetOn: String, Sendable, CaseIterable {
        case all
        /// Those for a page (Sec-Fetch-Mode: navigate; without that field, all).
        case navigation
    }
}

extension Settings {
    /// The application's session cookie.
    package struct ApplicationCookie: Sendable, Equatable {
        package var name: String
        package var mode = ApplicationCookieMode.learn
        /// One byte between the server's word and the value; empty for `learn`.
        package var separator = ""

        package init(name: String) { self.name = name }
    }

    /// How the application's cookie names a server.
    package enum ApplicationCookieMode: String, Sendable, CaseIterable {
        /// Its value is learned from the answer that sets it.
        case learn
        /// Belay puts the server's `route` and `~` before the value, and takes them off again.
        case prefix
        /// The application puts `.` and the server's `route` behind the value.
        case route
    }

    /// A field of the request's head.
    package struct BindingHeader: Sendable, Equatable {
        /// In lower case.
        package var name: String
        /// Its value is learned from the answer's field of that name; else what a client brings is
        /// bound with its first request.
        package var learn = true

        package init(name: String) { self.name = name }
    }

    /// A parameter of the request's query.
    package struct BindingQuery: Sendable, Equatable {
        package var name: String
        package var learn = QueryLearning.off

        package init(name: String) { self.name = name }
    }

    /// Where the value of a query's parameter is learned from.
    package enum QueryLearning: Sendable, Equatable {
        /// What a client brings is bound with its first request.
        case off
        /// From a field of the answer's head, in lower case.
        case header(String)
        /// From the member of that name in the JSON with which the answer's body begins.
        case body
    }

    /// The client's address.
    package struct BindingAddress: Sendable, Equatable {
        package var ipv4Prefix = 32
        package var ipv6Prefix = 64
        package var store = AddressStore.table

        package init() {}
    }

    /// Whether addresses are remembered.
    package enum AddressStore: String, Sendable, CaseIterable {
        case table
        /// A server is computed anew for each request.
        case hash
    }

    /// What is hashed. The raw value is the number in the file.
    package enum TupleFields: UInt8, Sendable, CaseIterable {
        /// Source and destination address.
        case two = 2
        /// And the protocol.
        case three = 3
        /// And both ports.
        case five = 5
    }

    /// A claim of a JSON Web Token (RFC 7519).
    package struct BindingToken: Sendable, Equatable {
        package var claim = "sub"
        /// In lower case. In `authorization` the token stands behind `Bearer`.
        package var header = "authorization"
        /// Nil: the signature is not checked. Else one of `secret` and `keyFile` is given.
        package var algorithm: TokenAlgorithm?
        /// Of `HS…` only.
        package var secret: SecretKey?
        /// A path: PEM of a public key, or the bytes of the secret.
        package var keyFile: String?

        package init() {}
    }

    /// How a token is signed (RFC 7518 §3.1, RFC 8037).
    package enum TokenAlgorithm: UInt8, Sendable, CaseIterable {
        case hs256, hs384, hs512
        case rs256, rs384, rs512
        case ps256
        case es256, es384
        case edDSA
    }
}

extension Settings {
    /// Requests that are never bound: those that meet all that is given, which is one at least.
    package struct ExemptRule: Sendable, Equatable {
        package var path = PathPrefix.all
        /// The end of the path, such as `.css`.
        package var suffix: String?
        /// A part of the field User-Agent, in any case; here in lower case.
        package var userAgent: String?
        /// In upper case.
        package var method: String?

        package init() {}
    }

    /// Where bindings are remembered, and those of cookies counted.
    package struct BindingTable: Sendable, Equatable {
        package var entries = 100_000
        /// In the state directory, so that it outlives Belay; else in memory.
        package var file = true

        package init() {}
    }

    /// What becomes of a client whose server is back.
    package enum Returning: String, Sendable, CaseIterable {
        /// It stays where it went.
        case stay
        case home
    }

    /// What becomes of a client whose server has had no room for `queue.timeout`.
    package enum OnFull: String, Sendable, CaseIterable {
        case move, reject
    }

    /// What becomes of a client whose server is down, ejected, in maintenance or gone.
    package enum OnFailure: String, Sendable, CaseIterable {
        case rebalance, reject
    }
}

extension Settings.Way {
    /// The key in the file.
    package var spelled: String {
        switch self {
        case .cookie: "cookie"
        case .applicationCookie: "application-cookie"
        case .header: "header"
        case .query: "query"
        case .sourceAddress: "source-address"
        case .tuple: "tuple"
        case .tlsSession: "tls-session"
        case .jwt: "jwt"
        }
    }

    /// Whether it can be found in a TCP connection.
    package var isForTCP: Bool {
        switch self {
        case .sourceAddress, .tuple, .tlsSession: true
        case .cookie, .applicationCookie, .header, .query, .jwt: false
        }
    }

    /// Whether it computes a server for every client and remembers nothing: affinity.
    package var isAffinity: Bool {
        switch self {
        case .tuple: true
        case .sourceAddress(let address): address.store == .hash
        case .cookie, .applicationCookie, .header, .query, .tlsSession, .jwt: false
        }
    }

    /// Whether it remembers bindings in the table.
    package var learns: Bool {
        switch self {
        case .header, .query, .tlsSession, .jwt: true
        case .sourceAddress(let address): address.store == .table
        case .applicationCookie(let cookie): cookie.mode == .learn
        case .cookie, .tuple: false
        }
    }
}
