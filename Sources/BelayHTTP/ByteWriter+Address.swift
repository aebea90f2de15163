package import BelayBytes
package import BelayCore

extension ByteWriter {
    /// Writes `1.2.3.4` or `2001:db8::1` (RFC 5952).
    package mutating func append(_ address: IPAddress) {
        let text = AddressText(address)
        self.append(text.bytes)
    }

    /// Writes `1.2.3.4:80` or `[2001:db8::1]:80`.
    package mutating func append(_ address: SocketAddress) {
        let text = AddressText(address)
        self.append(text.bytes)
    }
}
