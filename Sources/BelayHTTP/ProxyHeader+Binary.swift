import BelayBytes
import BelayCore

// Version 2 of the PROXY protocol: sixteen bytes, the addresses, then values as type, size, bytes.
// Both are walked as far as bytes are there, so that what is wrong is refused as soon as it is
// read; the checksum comes last, because it needs all of them.

private let signature: InlineArray<12, UInt8> = [
    0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
]

/// The bytes before the addresses.
private let frontSize = 16

/// The family of the addresses, with their size.
private enum ProxyFamily {
    case unspecified, inet, inet6, unix

    var addressesSize: Int {
        switch self {
        case .unspecified: 0
        case .inet: 12
        case .inet6: 36
        case .unix: 216
        }
    }

    /// From the 14th byte. A family without a transport, or the other way round, is a combination
    /// that no sender has; it would be unclear where the values begin.
    init(_ byte: UInt8) throws(ProxyHeaderError) {
        guard byte >> 4 <= 3, byte & 15 <= 2 else { throw .badFamily }
        guard (byte >> 4 == 0) == (byte & 15 == 0) else { throw .badFamily }
        guard byte & 15 != 2 else { throw .datagrams }
        self =
            switch byte >> 4 {
            case 0: .unspecified
            case 1: .inet
            case 2: .inet6
            default: .unix
            }
    }
}

extension Span<UInt8> {
    /// The header of version 2 at `start`.
    func proxyBinary(from start: Int) throws(ProxyHeaderError) -> ProxyHeaderReading {
        switch self.begins(with: signature, at: start) {
        case nil: return .needsMore
        case false?: return .absent
        case true?: break
        }
        guard start &+ 12 < self.count else { return .needsMore }
        let command = self[start &+ 12]
        guard command >> 4 == 2 else { throw .badVersion }
        guard command & 15 <= 1 else { throw .badCommand }
        let isLocal = command & 15 == 0
        guard start &+ 13 < self.count else { return .needsMore }
        // The family of a LOCAL header is to be ignored.
        let family = isLocal ? nil : try ProxyFamily(self[start &+ 13])
        guard start &+ frontSize <= self.count else { return .needsMore }
        let size = frontSize &+ Int(self.number16(at: start &+ 14))
        guard size <= ProxyHeader.sizeMax else { throw .tooLong }
        guard let family else {
            // All that a LOCAL header has is skipped unread: nothing in it may count.
            guard start &+ size <= self.count else { return .needsMore }
            return .header(ProxyHeader(version: .v2, command: .local), length: size)
        }
        let values = start &+ frontSize &+ family.addressesSize
        guard values <= start &+ size else { throw .tooShort }
        var walk = TLVWalk()
        let isWhole = try walk.read(self, values, to: start &+ size)
        guard isWhole, start &+ size <= self.count else { return .needsMore }
        if let checksum = walk.checksum {
            try self.verify(checksum, of: start..<start &+ size)
        }
        let (source, destination) = self.proxyAddresses(family, at: start &+ frontSize)
        let header = ProxyHeader(
            version: .v2,
            command: .proxy,
            source: source,
            destination: destination,
            tlvs: walk.tlvs
        )
        return .header(header, length: size)
    }

    private func proxyAddresses(
        _ family: ProxyFamily,
        at offset: Int
    ) -> (source: SocketAddress?, destination: SocketAddress?) {
        switch family {
        case .unspecified, .unix:
            return (nil, nil)
        case .inet:
            let source = IPAddress(v4: self.number32(at: offset))
            let destination = IPAddress(v4: self.number32(at: offset &+ 4))
            return (
                SocketAddress(ip: source, port: self.number16(at: offset &+ 8)),
                SocketAddress(ip: destination, port: self.number16(at: offset &+ 10))
            )
        case .inet6:
            let source = IPAddress(
                high: self.number64(at: offset),
                low: self.number64(at: offset &+ 8)
            )
            let destination = IPAddress(
                high: self.number64(at: offset &+ 16),
                low: self.number64(at: offset &+ 24)
            )
            return (
                SocketAddress(ip: source, port: self.number16(at: offset &+ 32)),
                SocketAddress(ip: destination, port: self.number16(at: offset &+ 34))
            )
        }
    }

    /// The checksum is over the whole header, with zeros where it stands itself.
    private func verify(
        _ place: Int,
        of header: Range<Int>
    ) throws(ProxyHeaderError) {
        var checksum = CRC32C()
        checksum.add(self, header.lowerBound..<place)
        for _ in 0..<4 { checksum.add(0) }
        checksum.add(self, place &+ 4..<header.upperBound)
        guard checksum.value == self.number32(at: place) else { throw .badChecksum }
    }
}

/// One value: its type, and where it lies or will lie.
private struct TLV {
    let type: UInt8
    let value: Range<Int>

    /// The value at `start`; nil if the bytes end before its size. It must end by `end`.
    init?(
        _ bytes: borrowing Span<UInt8>,
        at start: Int,
        by end: Int
    ) throws(ProxyHeaderError) {
        guard start &+ 3 <= end else { throw .badValue }
        guard start &+ 3 <= bytes.count else { return nil }
        self.type = bytes[start]
        self.value = start &+ 3..<start &+ 3 &+ Int(bytes.number16(at: start &+ 1))
        guard self.value.upperBound <= end else { throw .badValue }
    }
}

/// Puts a value into its place, once.
private func fill(_ place: inout Range<Int>?, _ value: Range<Int>) throws(ProxyHeaderError) {
    guard place == nil else { throw .repeatedValue }
    place = value
}

/// Collects the values that are of interest and skips the others.
private struct TLVWalk {
    var tlvs = ProxyHeaderTLVs()
    /// Where the checksum stands.
    var checksum: Int?

    /// Reads the values from `start` to exactly `end`; false if the bytes end before all is told.
    mutating func read(
        _ bytes: borrowing Span<UInt8>,
        _ start: Int,
        to end: Int
    ) throws(ProxyHeaderError) -> Bool {
        var index = start
        while index < end {
            guard let tlv = try TLV(bytes, at: index, by: end) else { return false }
            switch tlv.type {
            case ProxyTLV.alpn:
                try fill(&self.tlvs.alpn, tlv.value)
            case ProxyTLV.authority:
                guard tlv.value.count <= ProxyHeaderTLVs.authorityMax else { throw .badValue }
                try fill(&self.tlvs.authority, tlv.value)
            case ProxyTLV.checksum:
                guard tlv.value.count == 4 else { throw .badValue }
                guard self.checksum == nil else { throw .repeatedValue }
                self.checksum = tlv.value.lowerBound
                self.tlvs.hasChecksum = true
            case ProxyTLV.uniqueID:
                guard tlv.value.count <= ProxyHeaderTLVs.uniqueIDMax else { throw .badValue }
                try fill(&self.tlvs.uniqueID, tlv.value)
            case ProxyTLV.tls:
                guard self.tlvs.tls == nil else { throw .repeatedValue }
                guard try self.readTLS(bytes, tlv.value) else { return false }
            default:
                break
            }
            index = tlv.value.upperBound
        }
        return true
    }

    /// One byte of flags, four that are zero after a verification, then values of its own.
    private mutating func readTLS(
        _ bytes: borrowing Span<UInt8>,
        _ range: Range<Int>
    ) throws(ProxyHeaderError) -> Bool {
        guard range.count >= 5 else { throw .badValue }
        let start = range.lowerBound
        guard start &+ 5 <= bytes.count else { return false }
        var tls = ProxyHeaderTLS(
            flags: ProxyHeaderTLS.Flags(rawValue: bytes[start]),
            verify: bytes.number32(at: start &+ 1)
        )
        var index = start &+ 5
        while index < range.upperBound {
            guard let tlv = try TLV(bytes, at: index, by: range.upperBound) else { return false }
            switch tlv.type {
            case ProxyTLV.tlsVersion: try fill(&tls.version, tlv.value)
            case ProxyTLV.tlsCipher: try fill(&tls.cipher, tlv.value)
            case ProxyTLV.tlsCommonName: try fill(&tls.commonName, tlv.value)
            default: break
            }
            index = tlv.value.upperBound
        }
        self.tlvs.tls = tls
        return true
    }
}
