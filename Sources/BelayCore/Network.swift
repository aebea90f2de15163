/// A network in CIDR notation: the addresses that share its first `bits` bits.
package struct Network: Hashable, Sendable {
    /// The first address; everything after the first `bits` bits is zero.
    package let address: IPAddress
    /// Counted over 128 bits, so an IPv4 network has 96 more than its notation says.
    private let bits: UInt8

    /// The length as it is written after the slash: up to 32 for IPv4, up to 128 for IPv6.
    package var prefixLength: Int { Int(self.bits) - (self.address.isV4 ? 96 : 0) }

    /// Nil unless the length fits the address' family. Bits of `address` after the prefix are
    /// dropped; whoever minds them compares `address` with what was given.
    package init?(_ address: IPAddress, prefixLength: Int) {
        let offset = address.isV4 ? 96 : 0
        guard prefixLength >= 0, prefixLength <= 128 - offset else { return nil }
        self.bits = UInt8(prefixLength + offset)
        self.address = address.masked(to: prefixLength + offset)
    }

    /// The network of one address.
    package init(_ address: IPAddress) {
        self.bits = 128
        self.address = address
    }

    /// Whether the address lies in the network. An IPv4 address lies in an IPv6 network only where
    /// its mapped form does, as in `::/0`.
    package func contains(_ address: IPAddress) -> Bool {
        address.masked(to: Int(self.bits)) == self.address
    }
}

extension IPAddress {
    /// The address with only its first `bits` bits kept, counted over 128.
    fileprivate func masked(to bits: Int) -> IPAddress {
        // A shift by 64 gives 0 in Swift, which is the mask of no bits.
        let high: UInt64 = bits >= 64 ? .max : ~(UInt64.max >> UInt64(bits))
        let low: UInt64 = bits <= 64 ? 0 : ~(UInt64.max >> UInt64(bits - 64))
        return IPAddress(high: self.high & high, low: self.low & low)
    }
}
