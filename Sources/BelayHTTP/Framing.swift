import BelayBytes

// How long a body is, what Connection says, and the other fields that both sides of a connection
// must understand in the same way (RFC 9112 §6, RFC 9110 §7.6.1).

/// What the Connection fields of a head say.
struct ConnectionOptions {
    var closes = false
    var keepsAlive = false
    var upgrades = false

    /// Limit: options in one head. Browsers send one or two; each one that names a field costs a
    /// walk over the fields.
    private static let optionsMax = 32

    /// What the Connection fields of `head` say; those in `fields` that they name are marked.
    @inline(__always)
    init(
        _ head: borrowing Span<UInt8>,
        _ section: FieldSection,
        _ fields: inout FieldList,
        refusesEndToEnd: Bool
    ) throws(MessageError) {
        guard section.connections > 0 else { return }
        // Nearly every head has one that says one of these.
        if section.connections == 1 {
            let size = section.connection.count
            if size == 5 || size == 10, self.take(head, section.connection) { return }
        }
        try self.read(head, &fields, refusesEndToEnd: refusesEndToEnd)
    }

    /// Reads the Connection fields in `fields` and marks there the lines that they name.
    ///
    /// A request that names a field which decides its framing, its route or who asked is refused
    /// (`refusesEndToEnd`): that would make Belay drop what the server must see. In a response
    /// such names are passed over: some servers send them, and the fields stay.
    private mutating func read(
        _ head: borrowing Span<UInt8>,
        _ fields: inout FieldList,
        refusesEndToEnd: Bool
    ) throws(MessageError) {
        var options = 0
        for index in 0..<fields.count where fields[index].id == .connection {
            var list = TokenList(fields[index].value)
            while let option = list.next(head) {
                guard head.isToken(option) else { throw .badConnection }
                options &+= 1
                guard options <= Self.optionsMax else { throw .badConnection }
                if self.take(head, option) { continue }
                if head.fieldName(option).mustReachServer {
                    if refusesEndToEnd { throw .badConnection }
                } else {
                    fields.nominate(head, option)
                }
            }
        }
    }

    /// False when the option is none of these, which name no field (or one that goes anyway).
    @inline(__always)
    private mutating func take(_ head: borrowing Span<UInt8>, _ option: Range<Int>) -> Bool {
        let size = option.count
        let small: UInt64 = 0x2020_2020_2020_2020
        let word = head.word(at: option.lowerBound, size: size) | small
        switch size {
        case 5 where word == 0x2020_2065_736F_6C63:
            self.closes = true
        case 7 where word == 0x2065_6461_7267_7075:
            self.upgrades = true
        case 10
        where word == 0x696C_612D_7065_656B
            && head.word(at: option.upperBound &- 8) | small == 0x6576_696C_612D_7065:
            self.keepsAlive = true
        default: return false
        }
        return true
    }

    /// Whether the connection goes on after the message (RFC 9112 §9.3).
    func lets(keepAliveIn minorVersion: UInt8) -> Bool {
        !self.closes && (minorVersion == 1 || self.keepsAlive)
    }
}

extension FieldName {
    /// Fields that a Connection option must not take away from the server.
    fileprivate var mustReachServer: Bool {
        switch self {
        case .host, .contentLength, .transferEncoding, .expect, .cookie, .setCookie, .forwarded,
            .xForwardedFor, .xForwardedProto, .xForwardedHost, .via, .cacheControl, .authorization:
            true
        case .other, .connection, .keepAlive, .proxyConnection, .te, .trailer, .upgrade, .date,
            .accept, .expires:
            false
        }
    }
}

extension FieldList {
    /// Marks every line with that name.
    fileprivate mutating func nominate(_ head: borrowing Span<UInt8>, _ name: Range<Int>) {
        for index in 0..<self.count where head.isEqualIgnoringCase(self[index].name, name) {
            self[index].isNominated = true
        }
    }
}

/// The elements of a comma-separated list (RFC 9110 §5.6.1), without those that are empty.
struct TokenList {
    private var rest: Range<Int>

    init(_ value: Range<Int>) { self.rest = value }

    mutating func next(_ bytes: borrowing Span<UInt8>) -> Range<Int>? {
        while !self.rest.isEmpty {
            var end = self.rest.lowerBound
            while end < self.rest.upperBound, bytes[end] != 0x2C { end &+= 1 }
            let element = bytes.trimmed(self.rest.lowerBound..<end)
            self.rest = Swift.min(end &+ 1, self.rest.upperBound)..<self.rest.upperBound
            if !element.isEmpty { return element }
        }
        return nil
    }
}

extension Span<UInt8> {
    func fieldName(_ range: Range<Int>) -> FieldName {
        .recognize(self, from: range.lowerBound, size: range.count)
    }

    func isToken(_ range: Range<Int>) -> Bool {
        for index in range where !ByteClass.token.contains(self[index]) { return false }
        return !range.isEmpty
    }

    /// One way to write a length: decimal digits without zeros before them (a program may read
    /// those as octal), at most 2^63 - 1.
    func length(_ range: Range<Int>) -> UInt64? {
        // Limit: 19 digits hold 2^63 - 1, and any 19 digits fit into 64 bits.
        guard !range.isEmpty, range.count <= 19 else { return nil }
        guard range.count == 1 || self[range.lowerBound] != 0x30 else { return nil }
        var value: UInt64 = 0
        for index in range {
            guard isDigit(self[index]) else { return nil }
            value = value &* 10 &+ UInt64(self[index] &- 0x30)
        }
        return value <= UInt64(Int64.max) ? value : nil
    }

    /// Whether a framing field is written as every client writes it: at most one space behind the
    /// colon and nothing behind the value. Tabs and more spaces are how smuggled ones look.
    func isPlain(_ line: FieldLine) -> Bool {
        let gap = line.name.upperBound &+ 1..<line.value.lowerBound
        guard gap.isEmpty || gap.count == 1 && self[gap.lowerBound] == 0x20 else { return false }
        return line.value.upperBound < self.count && self[line.value.upperBound] == 0x0D
    }
}

extension FieldSection {
    /// The length that Content-Length states; nil where there is none.
    func statedLength(
        _ head: borrowing Span<UInt8>,
        isRequest: Bool
    ) throws(MessageError) -> UInt64? {
        guard self.contentLengths > 0 else { return nil }
        guard self.transferEncodings == 0 else { throw .lengthAndTransferEncoding }
        guard self.contentLengths == 1 else { throw .severalContentLengths }
        guard let length = head.length(self.contentLength.value),
            !isRequest || head.isPlain(self.contentLength)
        else { throw .badContentLength }
        return length
    }

    /// Whether the body is chunked: Transfer-Encoding must be exactly `chunked`.
    func isChunked(
        _ head: borrowing Span<UInt8>,
        minorVersion: UInt8,
        isRequest: Bool
    ) throws(MessageError) -> Bool {
        guard self.transferEncodings > 0 else { return false }
        guard self.transferEncodings == 1 else { throw .severalTransferEncodings }
        guard minorVersion == 1 else { throw .transferEncodingInOldVersion }
        let line = self.transferEncoding
        guard head.isToken(line.value), !isRequest || head.isPlain(line) else {
            throw .badTransferEncoding
        }
        guard head.isEqual(line.value, toLowercase: "chunked") else {
            throw .unsupportedTransferCoding
        }
        return true
    }
}

extension FieldList {
    /// Whether every Expect is `100-continue`, the one expectation there is (RFC 9110 §10.1.1).
    func checkExpectations(_ head: borrowing Span<UInt8>) throws(MessageError) {
        for index in 0..<self.count where self[index].id == .expect {
            guard head.isEqual(self[index].value, toLowercase: "100-continue") else {
                throw .badExpectation
            }
        }
    }

    /// Whether Upgrade names only protocols that may run through a tunnel. HTTP/2 and TLS may
    /// not: what came through would be requests that no rule of Belay has seen.
    func allowsTunnel(_ head: borrowing Span<UInt8>) throws(MessageError) -> Bool {
        var allows = false
        for index in 0..<self.count where self[index].id == .upgrade {
            var list = TokenList(self[index].value)
            while let protocolRange = list.next(head) {
                var end = protocolRange.lowerBound
                while end < protocolRange.upperBound, head[end] != 0x2F { end &+= 1 }
                let name = protocolRange.lowerBound..<end
                let version = Swift.min(end &+ 1, protocolRange.upperBound)
                guard head.isToken(name),
                    end == protocolRange.upperBound
                        || head.isToken(version..<protocolRange.upperBound)
                else { throw .badUpgrade }
                if head.isEqual(name, toLowercase: "h2c") || head.isEqual(name, toLowercase: "h2")
                    || head.isEqual(name, toLowercase: "http")
                    || head.isEqual(name, toLowercase: "tls")
                {
                    return false
                }
                allows = true
            }
        }
        return allows
    }
}
