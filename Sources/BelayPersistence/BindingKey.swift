package import BelayCore

/// By what the table of bindings finds a client: 128 bits.
///
/// For what a client presents (a session id, a token's claim) they are a keyed hash, made by a
/// `KeyHasher`, so that neither the table nor its file holds anything that could be presented
/// again. A source address is kept as itself, so that listings can show it.
package struct BindingKey: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    @inline(__always)
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The key under which the table registers the binding of a sealed cookie. The binding's id is
    /// random and says nothing.
    package init(_ id: BindingID) { self.init(high: 0, low: id.rawValue) }

    /// The key of all clients of one network: an address masked to the prefix that counts.
    package init(_ network: Network) {
        self.init(high: network.address.high, low: network.address.low)
    }

    /// The address that `init(_: Network)` was given, for bindings of the kind `sourceAddress`.
    package var address: IPAddress { IPAddress(high: self.high, low: self.low) }
}

/// What the client presented: which way to bind made the entry. The values are kept in files.
package enum BindingKind: UInt8, Sendable, CaseIterable {
    case cookie = 1
    case applicationCookie = 2
    case header = 3
    case query = 4
    case sourceAddress = 5
    case tlsSession = 6
    case jwtClaim = 7

    /// The spelling in configuration, listings and logs.
    package var name: StaticString {
        switch self {
        case .cookie: "cookie"
        case .applicationCookie: "application-cookie"
        case .header: "header"
        case .query: "query"
        case .sourceAddress: "source-address"
        case .tlsSession: "tls-session"
        case .jwtClaim: "jwt"
        }
    }
}
