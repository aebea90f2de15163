package import BelayBytes
package import BelayCore

/// Writes the header of a connection that Belay opens for a client. `values` holds what the ranges
/// of `tlvs` point into; version 1 carries none of it. A value that is longer than the protocol
/// allows (a unique id over 128 bytes, any other over 255) is left out.
///
/// Two IPv4 addresses go out as IPv4. If one of them is IPv6, both go out as IPv6, the IPv4 one
/// mapped (`::ffff:192.0.2.1`), as HAProxy does: a header has one family.
package func writeProxyHeader(
    _ version: ProxyHeaderVersion,
    source: SocketAddress,
    destination: SocketAddress,
    tlvs: ProxyHeaderTLVs = ProxyHeaderTLVs(),
    in values: borrowing Span<UInt8> = Span(),
    into out: inout ByteWriter
) {
    switch version {
    case .v1:
        out.appendProxyLine(source, destination)
    case .v2:
        out.appendProxyBinary(source, destination, ProxyValues(tlvs), in: values)
    }
}

/// Writes the header of a connection that is Belay's own, such as a health check: LOCAL, and
/// UNKNOWN in version 1, which has nothing nearer.
package func writeLocalProxyHeader(_ version: ProxyHeaderVersion, into out: inout ByteWriter) {
    switch version {
    case .v1:
        out.append("PROXY UNKNOWN\r\n")
    case .v2:
        out.appendProxyFront(command: 0, family: 0, size: 0)
    }
}

/// The values that are written: those of the caller that are within their limits.
private struct ProxyValues {
    // Limit: 255 bytes for a value without a limit of its own, so that the header stays far below
    // `ProxyHeader.sizeMax`: 52 bytes and at most seven values.
    private static let valueMax = 255

    let tlvs: ProxyHeaderTLVs

    init(_ tlvs: ProxyHeaderTLVs) {
        var tlvs = tlvs
        tlvs.alpn = Self.limited(tlvs.alpn, Self.valueMax)
        tlvs.authority = Self.limited(tlvs.authority, ProxyHeaderTLVs.authorityMax)
        tlvs.uniqueID = Self.limited(tlvs.uniqueID, ProxyHeaderTLVs.uniqueIDMax)
        if var tls = tlvs.tls {
            tls.version = Self.limited(tls.version, Self.valueMax)
            tls.cipher = Self.limited(tls.cipher, Self.valueMax)
            tls.commonName = Self.limited(tls.commonName, Self.valueMax)
            tlvs.tls = tls
        }
        self.tlvs = tlvs
    }

    private static func limited(_ value: Range<Int>?, _ max: Int) -> Range<Int>? {
        guard let value, value.count <= max else { return nil }
        return value
    }

    private static func size(_ value: Range<Int>?) -> Int { value.map { 3 &+ $0.count } ?? 0 }

    static func size(_ tls: ProxyHeaderTLS) -> Int {
        5 &+ Self.size(tls.version) &+ Self.size(tls.cipher) &+ Self.size(tls.commonName)
    }

    var size: Int {
        var size =
            Self.size(self.tlvs.alpn) &+ Self.size(self.tlvs.authority)
            &+ Self.size(self.tlvs.uniqueID)
        if let tls = self.tlvs.tls { size &+= 3 &+ Self.size(tls) }
        return self.tlvs.hasChecksum ? size &+ 7 : size
    }
}

extension ByteWriter {
    fileprivate mutating func appendProxyLine(
        _ source: SocketAddress,
        _ destination: SocketAddress
    ) {
        let isV4 = source.ip.isV4 && destination.ip.isV4
        self.append(isV4 ? "PROXY TCP4 " : "PROXY TCP6 ")
        self.append(source.ip, mapped: !isV4)
        self.append(0x20)
        self.append(destination.ip, mapped: !isV4)
        self.append(0x20)
        self.append(decimal: Int(source.port))
        self.append(0x20)
        self.append(decimal: Int(destination.port))
        self.append("\r\n")
    }

    private mutating func append(_ ip: IPAddress, mapped: Bool) {
        if mapped, ip.isV4 { self.append("::ffff:") }
        self.append(ip)
    }

    fileprivate mutating func appendProxyFront(command: UInt8, family: UInt8, size: Int) {
        self.append("\r\n\r\n\0\r\nQUIT\n")
        self.append(0x20 | command)
        self.append(family)
        self.append(network: UInt64(size), bytes: 2)
    }

    fileprivate mutating func appendProxyBinary(
        _ source: SocketAddress,
        _ destination: SocketAddress,
        _ values: ProxyValues,
        in bytes: borrowing Span<UInt8>
    ) {
        let isV4 = source.ip.isV4 && destination.ip.isV4
        let start = self.count
        self.appendProxyFront(
            command: 1,
            family: isV4 ? 0x11 : 0x21,
            size: (isV4 ? 12 : 36) &+ values.size
        )
        if isV4 {
            self.append(network: source.ip.low, bytes: 4)
            self.append(network: destination.ip.low, bytes: 4)
        } else {
            // IPv4 addresses are kept in their mapped form.
            self.append(network: source.ip.high, bytes: 8)
            self.append(network: source.ip.low, bytes: 8)
            self.append(network: destination.ip.high, bytes: 8)
            self.append(network: destination.ip.low, bytes: 8)
        }
        self.append(network: UInt64(source.port), bytes: 2)
        self.append(network: UInt64(destination.port), bytes: 2)
        let tlvs = values.tlvs
        self.append(ProxyTLV.alpn, tlvs.alpn, of: bytes)
        self.append(ProxyTLV.authority, tlvs.authority, of: bytes)
        self.append(ProxyTLV.uniqueID, tlvs.uniqueID, of: bytes)
        if let tls = tlvs.tls {
            self.append(ProxyTLV.tls)
            self.append(network: UInt64(ProxyValues.size(tls)), bytes: 2)
            self.append(tls.flags.rawValue)
            self.append(network: UInt64(tls.verify), bytes: 4)
            self.append(ProxyTLV.tlsVersion, tls.version, of: bytes)
            self.append(ProxyTLV.tlsCipher, tls.cipher, of: bytes)
            self.append(ProxyTLV.tlsCommonName, tls.commonName, of: bytes)
        }
        if tlvs.hasChecksum { self.appendProxyChecksum(from: start) }
    }

    /// The checksum of what was written from `start` on, itself counted as zeros.
    private mutating func appendProxyChecksum(from start: Int) {
        self.append(ProxyTLV.checksum)
        self.append(network: 4, bytes: 2)
        let place = self.count
        self.append(network: 0, bytes: 4)
        // What did not fit is not there to be summed or written over.
        guard !self.hasOverflowed else { return }
        var checksum = CRC32C()
        checksum.add(self.bytes, start..<self.count)
        for byte in 0..<4 {
            let part = UInt8(truncatingIfNeeded: checksum.value >> UInt32(24 &- 8 &* byte))
            self.replace(at: place &+ byte, with: part)
        }
    }

    private mutating func append(
        _ type: UInt8,
        _ value: Range<Int>?,
        of bytes: borrowing Span<UInt8>
    ) {
        guard let value else { return }
        self.append(type)
        self.append(network: UInt64(value.count), bytes: 2)
        self.append(bytes, value)
    }

    /// Writes the lowest bytes of a number in network order.
    private mutating func append(network value: UInt64, bytes: Int) {
        var shift = UInt64(bytes &* 8)
        while shift > 0 {
            shift &-= 8
            self.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}
