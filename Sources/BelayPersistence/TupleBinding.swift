import BelayBytes
package import BelayCore

/// A hash of what a connection is known by, as network balancers have it: 2 are the addresses of
/// both sides, 3 the protocol too, 5 the ports too. Nothing is kept.
package struct TupleBinding: Sendable {
    package enum Fields: Int, Sendable {
        case two = 2
        case three = 3
        case five = 5
    }

    package let fields: Fields

    package init(fields: Fields) { self.fields = fields }

    /// The hash of a connection by its client's side and Belay's; nil counts as nothing.
    package func hash(client: SocketAddress, local: SocketAddress?) -> UInt64 {
        var hash = StableHash.combine(client.ip.high, client.ip.low)
        if let local {
            hash = StableHash.combine(hash, StableHash.combine(local.ip.high, local.ip.low))
        }
        switch self.fields {
        case .two: return hash
        case .three: return StableHash.combine(hash, Self.tcp)
        case .five:
            let ports = UInt64(client.port) << 16 | UInt64(local?.port ?? 0)
            return StableHash.combine(StableHash.combine(hash, Self.tcp), ports)
        }
    }

    /// The number of TCP among the protocols of IP.
    private static let tcp: UInt64 = 6
}
