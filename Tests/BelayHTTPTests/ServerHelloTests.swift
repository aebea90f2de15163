import BelayBytes
import BelayHTTP
import Testing

/// Builds ServerHellos, right and wrong ones.
private struct Hello {
    var type: UInt8 = 2
    var version: [UInt8] = [3, 3]
    var sessionID: [UInt8] = Array(1...32)
    /// Nil: what the id has.
    var idSize: UInt8?
    /// Nil for none, not even their length.
    var extensions: [UInt8]? = []
    /// Nil: what the message has.
    var size: Int?
    /// What stands behind it in its record.
    var behind: [UInt8] = [11, 0, 0, 1, 0]

    var bytes: [UInt8] {
        var body = self.version + Array(repeating: 0xAA, count: 32)
        body += [self.idSize ?? UInt8(self.sessionID.count)] + self.sessionID + [0xC0, 0x2B, 0]
        if let extensions { body += sized(extensions) }
        let size = self.size ?? body.count
        let head: [UInt8] = [
            self.type, UInt8(size >> 16), UInt8(size >> 8 & 255), UInt8(size & 255),
        ]
        return [22, 3, 3] + sized(head + body + self.behind)
    }
}

private func sized(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
}

/// What the front of some bytes is, as text.
private func reading(_ bytes: [UInt8], from start: Int = 0) -> String {
    switch ServerHello.parse(bytes.span, from: start) {
    case .needsMore: return "needs more"
    case .other: return "other"
    case .hello(let hello):
        let id = bytes[hello.sessionID].map { String($0) }.joined(separator: ",")
        return "\(String(hello.version, radix: 16)) \(hello.namesSession) \(id)"
    }
}

@Suite struct ServerHelloTests {
    private static let id = (1...32).map { "\($0)" }.joined(separator: ",")
    private static let tls13: [UInt8] = [0, 43, 0, 2, 3, 4]
    private static let point: [UInt8] = [0, 11, 0, 2, 1, 0]

    @Test func `the session that a server names is found`() {
        #expect(reading(Hello().bytes) == "303 true \(Self.id)")
        #expect(reading(Hello(extensions: nil).bytes) == "303 true \(Self.id)")
        #expect(reading(Hello(extensions: Self.point).bytes) == "303 true \(Self.id)")
        #expect(reading(Hello(sessionID: [7]).bytes) == "303 true 7")
        #expect(reading(Hello(version: [3, 1]).bytes) == "301 true \(Self.id)")
        #expect(reading(Array("abc".utf8) + Hello().bytes, from: 3) == "303 true \(Self.id)")
    }

    @Test func `none is named where it is empty, and in TLS 1.3, where it is an echo`() {
        #expect(reading(Hello(sessionID: []).bytes) == "303 false ")
        let hello = Hello(extensions: Self.point + Self.tls13)
        #expect(reading(hello.bytes) == "304 false \(Self.id)")
    }

    @Test func `what is cut needs more, and what is whole does not`() {
        let hello = Hello(extensions: Self.point, behind: [])
        for count in 0..<hello.bytes.count {
            #expect(reading(Array(hello.bytes.prefix(count))) == "needs more", "\(count) bytes")
        }
        #expect(reading(hello.bytes) == "303 true \(Self.id)")
        let longer = Hello(extensions: Self.point, behind: Array(repeating: 9, count: 9_000))
        #expect(reading(Array(longer.bytes.prefix(hello.bytes.count))) == "303 true \(Self.id)")
    }

    @Test(arguments: [
        Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), [21, 3, 3, 0, 2, 2, 40], [22, 2],
        Hello(type: 1).bytes, Hello(version: [4, 3]).bytes, Hello(idSize: 33).bytes,
        Hello(idSize: 32 + 3).bytes, Hello(sessionID: Array(1...33)).bytes,
        // In more than one record, or longer than any.
        Hello(size: 200).bytes, Hello(size: 5_000).bytes, Hello(size: 0xFF_FFFF).bytes,
        // Lengths that don't fit.
        Hello(size: 0).bytes, Hello(size: 34).bytes, Hello(size: 40).bytes, Hello(size: 71).bytes,
        Hello(extensions: [0]).bytes, Hello(extensions: [0, 43, 0, 3, 3, 4]).bytes,
        Hello(extensions: [0, 43, 0, 1, 3]).bytes, Hello(extensions: [0, 11, 0, 9, 1]).bytes,
    ])
    func `all else is something else`(bytes: [UInt8]) {
        #expect(reading(bytes) == "other")
    }
}
