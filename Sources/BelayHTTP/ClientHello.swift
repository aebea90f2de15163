import BelayBytes

// The first message of a TLS client, read without decrypting (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2):
// which name it asks for and which protocols it offers, so that a connection can be passed on still
// sealed. Read only once it is whole; strict, because the server behind reads it as well, and both
// must find the same name.

/// Why the bytes of a TLS client are no ClientHello.
package enum ClientHelloError: Error, Equatable, Sendable, CaseIterable {
    /// A record that is no handshake record of TLS, empty, or over 2^14 bytes.
    case badRecord
    /// A handshake that begins with another message.
    case otherMessage
    /// Longer than `ClientHello.sizeMax`.
    case tooLong
    /// Bytes behind the message in its record, which no client sends.
    case trailingBytes
    /// A length that runs over the end of what it is in, or is not allowed there.
    case badLength
    /// Not of TLS or SSL 3.
    case badVersion
    /// An extension twice.
    case repeatedExtension
    /// Not exactly one name, or one that no host has.
    case badServerName
    /// A list of protocols that is empty or has an empty name.
    case badProtocols

    /// As it stands in logs and metrics.
    package var name: StaticString {
        switch self {
        case .badRecord: "bad-record"
        case .otherMessage: "other-message"
        case .tooLong: "too-long"
        case .trailingBytes: "trailing-bytes"
        case .badLength: "bad-length"
        case .badVersion: "bad-version"
        case .repeatedExtension: "repeated-extension"
        case .badServerName: "bad-server-name"
        case .badProtocols: "bad-protocols"
        }
    }
}

/// What the front of a connection's bytes is.
package enum ClientHelloReading: Sendable {
    /// The bytes may still become a ClientHello.
    case needsMore
    /// The client does not speak TLS.
    case notTLS
    case hello(ClientHello)
}

/// A ClientHello that was read. Ranges are indices into the bytes that were read.
package struct ClientHello: Sendable {
    /// Limit: bytes of the records that hold a ClientHello, in all. Real ones have 200 to 2,000.
    package static let sizeMax = 16_384

    /// How many bytes the records are that hold it.
    package let length: Int
    // Limit: a name in DNS has at most 255 bytes. Copied, because a record's head may stand in it.
    private var name = InlineArray<255, UInt8>(repeating: 0)
    private var nameCount: UInt8 = 0
    /// The names of protocols that the client offers, each behind a byte with its length, in its
    /// order of preference. Nil where it offers none, and where a record's head stands in the list.
    package fileprivate(set) var protocols: Range<Int>?
    /// The highest version offered, 0x0304 for TLS 1.3; 0 if it offers none that is known.
    package fileprivate(set) var highestVersion: UInt16 = 0
    /// Nil where a record's head stands in it; empty if there is none.
    package fileprivate(set) var sessionID: Range<Int>?

    fileprivate init(length: Int) { self.length = length }

    /// The client asks for a name.
    package var hasServerName: Bool { self.nameCount > 0 }

    /// The name of the host that the client asks for (SNI), as it wrote it: letters of either case.
    /// Empty if it asks for none.
    package var serverName: Span<UInt8> {
        @_lifetime(borrow self)
        get { self.name.span.extracting(first: Int(self.nameCount)) }
    }

    fileprivate mutating func appendToName(_ byte: UInt8) {
        self.name[Int(self.nameCount)] = byte
        self.nameCount &+= 1
    }

    /// Reads the ClientHello at `start`, if one is there. Ask again with more bytes after
    /// `needsMore`, never more than `sizeMax` of them: every other answer, and every error, is the
    /// same for whatever follows.
    package static func parse(
        _ bytes: borrowing Span<UInt8>,
        from start: Int
    ) throws(ClientHelloError) -> ClientHelloReading {
        precondition(start >= 0 && start <= bytes.count, "beyond the end")
        // A record of a handshake, of version 3.x: anything else is no TLS.
        if start < bytes.count, bytes[start] != recordType { return .notTLS }
        if start &+ 1 < bytes.count, bytes[start &+ 1] != 3 { return .notTLS }
        var records = HelloRecords()
        guard try records.read(bytes, from: start) else { return .needsMore }
        var cursor = HelloCursor(at: start, size: records.messageSize)
        var hello = ClientHello(length: records.end &- start)
        try hello.read(bytes, &cursor)
        return .hello(hello)
    }
}

/// The type of records that carry a handshake.
private let recordType: UInt8 = 22
private let recordHeadSize = 5

/// The type of a message, and its length.
private let messageHeadSize = 4

/// Finds the records that hold a ClientHello.
private struct HelloRecords {
    /// Where the last of them ends.
    private(set) var end = 0
    /// What came of the message's head: its type, and its length.
    private var headCount = 0
    private var bodySize = 0
    /// Bytes of the message in the records so far.
    private var carried = 0

    /// The size of the message with its head.
    var messageSize: Int { messageHeadSize &+ self.bodySize }

    /// False if the bytes end before the message does.
    mutating func read(
        _ bytes: borrowing Span<UInt8>,
        from start: Int
    ) throws(ClientHelloError) -> Bool {
        self.end = start
        while true {
            let head = self.end
            guard head &+ recordHeadSize &- start < ClientHello.sizeMax else { throw .tooLong }
            guard head < bytes.count else { return false }
            guard bytes[head] == recordType else { throw .badRecord }
            guard head &+ 1 < bytes.count else { return false }
            guard bytes[head &+ 1] == 3 else { throw .badRecord }
            guard head &+ recordHeadSize <= bytes.count else { return false }
            let size = Int(bytes.number16(at: head &+ 3))
            guard size > 0, size <= 16_384 else { throw .badRecord }
            let payload = head &+ recordHeadSize
            self.end = payload &+ size
            guard self.end &- start <= ClientHello.sizeMax else { throw .tooLong }
            try self.readMessageHead(bytes, payload, from: start)
            self.carried &+= size
            if self.headCount == messageHeadSize {
                guard self.carried <= self.messageSize else { throw .trailingBytes }
            }
            guard self.end <= bytes.count else { return false }
            if self.headCount == messageHeadSize, self.carried == self.messageSize { return true }
        }
    }

    private mutating func readMessageHead(
        _ bytes: borrowing Span<UInt8>,
        _ payload: Int,
        from start: Int
    ) throws(ClientHelloError) {
        var index = payload
        while self.headCount < messageHeadSize, index < Swift.min(self.end, bytes.count) {
            if self.headCount == 0 {
                guard bytes[index] == 1 else { throw .otherMessage }
            } else {
                self.bodySize = self.bodySize << 8 | Int(bytes[index])
            }
            self.headCount &+= 1
            index &+= 1
            if self.headCount == messageHeadSize {
                guard self.bodySize <= ClientHello.sizeMax else { throw .tooLong }
            }
        }
    }
}

/// Walks over a message that is whole, from record to record.
private struct HelloCursor {
    private var index: Int
    private var recordEnd: Int
    /// Bytes of the message, or of the part that is being read, that are left.
    private(set) var left: Int

    init(at start: Int, size: Int) {
        self.index = start
        self.recordEnd = start
        self.left = size
    }

    /// Goes over the head of the next record if this one is at its end.
    private mutating func enterRecord(_ bytes: borrowing Span<UInt8>) {
        guard self.index == self.recordEnd else { return }
        self.index &+= recordHeadSize
        self.recordEnd = self.index &+ Int(bytes.number16(at: self.index &- 2))
    }

    mutating func byte(_ bytes: borrowing Span<UInt8>) throws(ClientHelloError) -> UInt8 {
        guard self.left > 0 else { throw .badLength }
        self.enterRecord(bytes)
        let byte = bytes[self.index]
        self.index &+= 1
        self.left &-= 1
        return byte
    }

    mutating func number16(_ bytes: borrowing Span<UInt8>) throws(ClientHelloError) -> Int {
        let high = try self.byte(bytes)
        return Int(high) << 8 | Int(try self.byte(bytes))
    }

    mutating func skip(
        _ size: Int,
        _ bytes: borrowing Span<UInt8>
    ) throws(ClientHelloError) {
        guard size <= self.left else { throw .badLength }
        self.left &-= size
        var rest = size
        while rest > 0 {
            self.enterRecord(bytes)
            let step = Swift.min(rest, self.recordEnd &- self.index)
            self.index &+= step
            rest &-= step
        }
    }

    /// Where the next `size` bytes lie; nil if a record's head stands among them.
    func range(_ size: Int, _ bytes: borrowing Span<UInt8>) -> Range<Int>? {
        var next = self
        if size > 0 { next.enterRecord(bytes) }
        guard size <= next.recordEnd &- next.index else { return nil }
        return next.index..<next.index &+ size
    }

    /// The next `size` bytes as a part of their own, which `close` ends.
    mutating func open(_ size: Int) throws(ClientHelloError) -> Int {
        guard size <= self.left else { throw .badLength }
        let outside = self.left &- size
        self.left = size
        return outside
    }

    /// Ends a part, which must have been read to its end.
    mutating func close(_ outside: Int) throws(ClientHelloError) {
        guard self.left == 0 else { throw .badLength }
        self.left = outside
    }
}

extension ClientHello {
    fileprivate mutating func read(
        _ bytes: borrowing Span<UInt8>,
        _ cursor: inout HelloCursor
    ) throws(ClientHelloError) {
        try cursor.skip(messageHeadSize, bytes)
        let version = UInt16(truncatingIfNeeded: try cursor.number16(bytes))
        guard version >> 8 == 3 else { throw .badVersion }
        // TLS 1.3 is never said here (RFC 8446 §4.1.2).
        self.highestVersion = Swift.min(version, 0x0303)
        // The client's random bytes.
        try cursor.skip(32, bytes)
        let idSize = Int(try cursor.byte(bytes))
        guard idSize <= 32, idSize <= cursor.left else { throw .badLength }
        self.sessionID = cursor.range(idSize, bytes)
        try cursor.skip(idSize, bytes)
        let suitesSize = try cursor.number16(bytes)
        guard suitesSize >= 2, suitesSize & 1 == 0 else { throw .badLength }
        try cursor.skip(suitesSize, bytes)
        let compressionsSize = Int(try cursor.byte(bytes))
        guard compressionsSize >= 1 else { throw .badLength }
        try cursor.skip(compressionsSize, bytes)
        // Clients of old have no extensions.
        guard cursor.left > 0 else { return }
        let outside = try cursor.open(try cursor.number16(bytes))
        guard outside == 0 else { throw .badLength }
        try self.readExtensions(bytes, &cursor)
    }

    private mutating func readExtensions(
        _ bytes: borrowing Span<UInt8>,
        _ cursor: inout HelloCursor
    ) throws(ClientHelloError) {
        // Only those that are read here are looked at for repetition.
        var seen: UInt64 = 0
        while cursor.left > 0 {
            let type = try cursor.number16(bytes)
            let size = try cursor.number16(bytes)
            let outside = try cursor.open(size)
            if type == 0 || type == 16 || type == 43 {
                guard seen & 1 << UInt64(type) == 0 else { throw .repeatedExtension }
                seen |= 1 << UInt64(type)
            }
            switch type {
            case 0: try self.readServerName(bytes, &cursor)
            case 16: try self.readProtocols(bytes, &cursor)
            case 43: try self.readVersions(bytes, &cursor)
            default: try cursor.skip(size, bytes)
            }
            try cursor.close(outside)
        }
    }

    /// server_name (RFC 6066 §3): a list, of which only one entry, a host's name, was ever defined.
    private mutating func readServerName(
        _ bytes: borrowing Span<UInt8>,
        _ cursor: inout HelloCursor
    ) throws(ClientHelloError) {
        let listSize = try cursor.number16(bytes)
        guard listSize == cursor.left else { throw .badLength }
        guard listSize > 0, try cursor.byte(bytes) == 0 else { throw .badServerName }
        let size = try cursor.number16(bytes)
        guard size == cursor.left, size >= 1, size <= 255 else { throw .badServerName }
        for _ in 0..<size {
            let byte = try cursor.byte(bytes)
            guard ByteClass.hostName.contains(byte) else { throw .badServerName }
            self.appendToName(byte)
        }
    }

    /// application_layer_protocol_negotiation (RFC 7301 §3.1).
    private mutating func readProtocols(
        _ bytes: borrowing Span<UInt8>,
        _ cursor: inout HelloCursor
    ) throws(ClientHelloError) {
        let listSize = try cursor.number16(bytes)
        guard listSize == cursor.left else { throw .badLength }
        guard listSize > 0 else { throw .badProtocols }
        self.protocols = cursor.range(listSize, bytes)
        while cursor.left > 0 {
            let size = Int(try cursor.byte(bytes))
            guard size > 0 else { throw .badProtocols }
            try cursor.skip(size, bytes)
        }
    }

    /// supported_versions (RFC 8446 §4.2.1). It counts instead of the version at the front.
    private mutating func readVersions(
        _ bytes: borrowing Span<UInt8>,
        _ cursor: inout HelloCursor
    ) throws(ClientHelloError) {
        let listSize = Int(try cursor.byte(bytes))
        guard listSize == cursor.left, listSize >= 2, listSize & 1 == 0 else { throw .badLength }
        self.highestVersion = 0
        while cursor.left > 0 {
            // Clients mix in versions that do not exist, to keep servers used to them (RFC 8701).
            let version = UInt16(truncatingIfNeeded: try cursor.number16(bytes))
            if known(version) { self.highestVersion = Swift.max(self.highestVersion, version) }
        }
    }
}

/// SSL 3 to TLS 1.3.
private func known(_ version: UInt16) -> Bool { (0x0300...0x0304).contains(version) }
