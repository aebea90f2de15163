import BelayBytes
package import BelayCore

/// The client's address, cut to a prefix: a household or a company behind one of IPv6 stays
/// together.
package struct SourceAddressBinding: Sendable {
    package let ipv4Prefix: Int
    package let ipv6Prefix: Int
    /// The address itself names the server, and nothing is kept.
    package let isHash: Bool

    package init(ipv4Prefix: Int, ipv6Prefix: Int, isHash: Bool) {
        precondition((0...32).contains(ipv4Prefix) && (0...128).contains(ipv6Prefix), "a prefix")
        self.ipv4Prefix = ipv4Prefix
        self.ipv6Prefix = ipv6Prefix
        self.isHash = isHash
    }

    /// What stays of an address.
    package func network(of address: IPAddress) -> Network {
        let length = address.isV4 ? self.ipv4Prefix : self.ipv6Prefix
        guard let network = Network(address, prefixLength: length) else {
            preconditionFailure("a prefix of the address")
        }
        return network
    }

    package func key(of address: IPAddress) -> BindingKey { BindingKey(self.network(of: address)) }

    /// Names the server of the address, where nothing is kept.
    package func hash(of address: IPAddress) -> UInt64 {
        let key = self.key(of: address)
        return StableHash.combine(key.high, key.low)
    }
}
