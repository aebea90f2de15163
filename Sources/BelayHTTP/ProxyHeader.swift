import BelayBytes
package import BelayCore

// The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): the header that a proxy
// sends before all else, to say whose connection it is. The reader is here, with the text of
// version 1 in `ProxyHeader+Text` and the binary of version 2 in `ProxyHeader+Binary`; the writer
// is `writeProxyHeader`. Who may send such a header is not decided here.

/// The two forms of the header.
package enum ProxyHeaderVersion: UInt8, Sendable, CaseIterable {
    /// One line of text.
    case v1 = 1
    /// Binary, with values of several types behind the addresses.
    case v2 = 2
}

/// Whose connection a header speaks of.
package enum ProxyCommand: Sendable {
    /// The proxy's own, such as a health check: the real addresses count.
    case local
    /// Someone else's, for whom the proxy opened it.
    case proxy
}

/// Why a header is refused. None of it can be repaired: the connection is to be closed.
package enum ProxyHeaderError: Error, Equatable, Sendable, CaseIterable {
    /// Version 1: no CR LF within 107 bytes.
    case lineTooLong
    /// Version 1: neither TCP4, TCP6 nor UNKNOWN.
    case badProtocol
    /// Version 1: not exactly an address of the family, followed by one space.
    case badAddress
    /// Version 1: not a number of 0 to 65535 without leading zeros.
    case badPort
    /// Version 1: CR without LF, or LF without CR.
    case badLineEnd
    /// The signature of version 2, and another version.
    case badVersion
    /// Version 2: neither LOCAL nor PROXY.
    case badCommand
    /// Version 2: no family or transport that there is, or not both unspecified.
    case badFamily
    /// Version 2: datagrams, which nobody forwards over TCP.
    case datagrams
    /// Version 2: shorter than the addresses of its family.
    case tooShort
    /// Version 2: longer than `ProxyHeader.sizeMax`.
    case tooLong
    /// Version 2: a value that runs over the end, or whose size is not allowed for its type.
    case badValue
    /// Version 2: two values of one type that would say two things.
    case repeatedValue
    /// Version 2: the checksum is another one.
    case badChecksum

    /// As it stands in logs and metrics.
    package var name: StaticString {
        switch self {
        case .lineTooLong: "line-too-long"
        case .badProtocol: "bad-protocol"
        case .badAddress: "bad-address"
        case .badPort: "bad-port"
        case .badLineEnd: "bad-line-end"
        case .badVersion: "bad-version"
        case .badCommand: "bad-command"
        case .badFamily: "bad-family"
        case .datagrams: "datagrams"
        case .tooShort: "too-short"
        case .tooLong: "too-long"
        case .badValue: "bad-value"
        case .repeatedValue: "repeated-value"
        case .badChecksum: "bad-checksum"
        }
    }
}

/// What the front of a connection's bytes is.
package enum ProxyHeaderReading: Equatable, Sendable {
    /// The bytes may still become a header.
    case needsMore
    /// The bytes are not the beginning of a header, whatever follows.
    case absent
    /// A header of `length` bytes; the connection's own bytes follow.
    case header(ProxyHeader, length: Int)
}

/// What the client's TLS connection to the proxy was like (PP2_TYPE_SSL).
package struct ProxyHeaderTLS: Equatable, Sendable {
    /// What a `client` field says.
    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The client came over TLS.
        package static let isTLS = Flags(rawValue: 0x01)
        /// It presented a certificate on this connection.
        package static let certificateOnConnection = Flags(rawValue: 0x02)
        /// It presented a certificate in the TLS session that this connection resumes.
        package static let certificateInSession = Flags(rawValue: 0x04)
    }

    package var flags: Flags
    /// 0 if the client presented a certificate and it was verified.
    package var verify: UInt32
    /// Such as `TLSv1.3`.
    package var version: Range<Int>?
    /// Such as `TLS_AES_128_GCM_SHA256`.
    package var cipher: Range<Int>?
    /// The common name in the client's certificate.
    package var commonName: Range<Int>?

    package init(
        flags: Flags,
        verify: UInt32,
        version: Range<Int>? = nil,
        cipher: Range<Int>? = nil,
        commonName: Range<Int>? = nil
    ) {
        self.flags = flags
        self.verify = verify
        self.version = version
        self.cipher = cipher
        self.commonName = commonName
    }
}

/// The values behind the addresses of a header of version 2, the same for reading and writing:
/// where they lie in bytes that stand beside them. Their text is as the sender wrote it, unchecked.
package struct ProxyHeaderTLVs: Equatable, Sendable {
    /// The protocol that was negotiated, such as `h2`.
    package var alpn: Range<Int>?
    /// The name that the client asked for (SNI): at most 255 bytes.
    package var authority: Range<Int>?
    /// The proxy's name for the connection: at most 128 bytes.
    package var uniqueID: Range<Int>?
    package var tls: ProxyHeaderTLS?
    /// The header carries a checksum over itself.
    package var hasChecksum: Bool

    package init(
        alpn: Range<Int>? = nil,
        authority: Range<Int>? = nil,
        uniqueID: Range<Int>? = nil,
        tls: ProxyHeaderTLS? = nil,
        hasChecksum: Bool = false
    ) {
        self.alpn = alpn
        self.authority = authority
        self.uniqueID = uniqueID
        self.tls = tls
        self.hasChecksum = hasChecksum
    }

    // Limits of the protocol (its sections 2.2.2 and 2.2.5; a name in DNS has at most 255 bytes).
    static let authorityMax = 255
    static let uniqueIDMax = 128
}

/// The types of values that are read and written.
enum ProxyTLV {
    static let alpn: UInt8 = 0x01
    static let authority: UInt8 = 0x02
    static let checksum: UInt8 = 0x03
    static let uniqueID: UInt8 = 0x05
    static let tls: UInt8 = 0x20
    static let tlsVersion: UInt8 = 0x21
    static let tlsCommonName: UInt8 = 0x22
    static let tlsCipher: UInt8 = 0x23
}

/// A header of the PROXY protocol that was read.
package struct ProxyHeader: Equatable, Sendable {
    /// Limit: bytes of a header of version 2 in all. Real ones have some hundred.
    package static let sizeMax = 4_096
    /// The longest line of version 1, with its CR LF.
    static let lineMax = 107

    package let version: ProxyHeaderVersion
    package let command: ProxyCommand
    /// The client's address. Both are nil for `local`, and where the header says none that TCP over
    /// IP has (UNKNOWN, AF_UNSPEC, AF_UNIX): then the real addresses count.
    package let source: SocketAddress?
    /// The address that the client connected to.
    package let destination: SocketAddress?
    /// Ranges are indices into the bytes that were read.
    package let tlvs: ProxyHeaderTLVs

    init(
        version: ProxyHeaderVersion,
        command: ProxyCommand,
        source: SocketAddress? = nil,
        destination: SocketAddress? = nil,
        tlvs: ProxyHeaderTLVs = ProxyHeaderTLVs()
    ) {
        self.version = version
        self.command = command
        self.source = source
        self.destination = destination
        self.tlvs = tlvs
    }

    /// Reads the header at `start`, if one is there. Ask again with more bytes after `needsMore`,
    /// never more than `sizeMax` of them: every other answer, and every error, is the same for
    /// whatever follows.
    package static func parse(
        _ bytes: borrowing Span<UInt8>,
        from start: Int
    ) throws(ProxyHeaderError) -> ProxyHeaderReading {
        precondition(start >= 0 && start <= bytes.count, "beyond the end")
        guard start < bytes.count else { return .needsMore }
        switch bytes[start] {
        case UInt8(ascii: "P"): return try bytes.proxyLine(from: start)
        case 0x0D: return try bytes.proxyBinary(from: start)
        default: return .absent
        }
    }
}

extension Span<UInt8> {
    /// Whether the bytes at `start` are `word`; nil if they end before that can be told.
    func begins<let size: Int>(with word: InlineArray<size, UInt8>, at start: Int) -> Bool? {
        for place in 0..<size {
            guard start &+ place < self.count else { return nil }
            guard self[start &+ place] == word[place] else { return false }
        }
        return true
    }

    /// Two bytes in network order.
    @inline(__always)
    func number16(at offset: Int) -> UInt16 {
        UInt16(self[offset]) << 8 | UInt16(self[offset &+ 1])
    }

    /// Four bytes in network order.
    @inline(__always)
    func number32(at offset: Int) -> UInt32 {
        UInt32(self.number16(at: offset)) << 16 | UInt32(self.number16(at: offset &+ 2))
    }

    /// Eight bytes in network order.
    @inline(__always)
    func number64(at offset: Int) -> UInt64 { self.word(at: offset).byteSwapped }
}
