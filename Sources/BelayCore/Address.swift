/// An IPv4 or IPv6 address. IPv4 is kept in its mapped form (`::ffff:a.b.c.d`), so a client is the
/// same client on a dual-stack listener.
package struct IPAddress: Hashable, Sendable {
    /// The first eight bytes, as a big-endian number.
    package let high: UInt64
    /// The last eight bytes.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// An IPv4 address from its four bytes, as a big-endian number.
    package init(v4 bits: UInt32) {
        self.init(high: 0, low: 0x0000_FFFF_0000_0000 | UInt64(bits))
    }

    package var isV4: Bool { self.high == 0 && self.low >> 32 == 0xFFFF }

    package static let anyV4 = IPAddress(v4: 0)
    package static let anyV6 = IPAddress(high: 0, low: 0)
    package static let loopbackV4 = IPAddress(v4: 0x7F00_0001)
}

/// An address and a port of TCP.
package struct SocketAddress: Hashable, Sendable {
    package var ip: IPAddress
    package var port: UInt16

    package init(ip: IPAddress, port: UInt16) {
        self.ip = ip
        self.port = port
    }
}
