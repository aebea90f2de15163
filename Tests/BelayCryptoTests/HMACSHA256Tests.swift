import BelayCrypto
import Testing

struct HMACSHA256Tests {
    private func code(_ parts: [[UInt8]], with hmac: inout HMACSHA256) throws -> [UInt8] {
        var code = [UInt8](repeating: 0, count: HMACSHA256.count)
        var span = code.mutableSpan
        try hmac.begin()
        for part in parts { try hmac.update(part.span) }
        try hmac.finish(into: &span)
        return code
    }

    /// RFC 4231, test cases 1 to 4, 6 and 7.
    static let vectors: [(key: [UInt8], message: [UInt8], code: String)] = [
        (
            repeated(0x0B, 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            repeated(0xAA, 20), repeated(0xDD, 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            Array(1...25), repeated(0xCD, 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            repeated(0xAA, 131),
            Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            repeated(0xAA, 131),
            Array(
                ("This is a test using a larger than block-size key and a larger than block-size "
                    + "data. The key needs to be hashed before being used by the HMAC algorithm.")
                    .utf8
            ),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ]

    @Test(arguments: Self.vectors.indices)
    func `computes what RFC 4231 says`(index: Int) throws {
        let (key, message, want) = Self.vectors[index]
        var hmac = try HMACSHA256(key: key.span)
        #expect(try self.code([message], with: &hmac) == bytes(want))
    }

    @Test func `the same value serves message after message, however they are cut`() throws {
        let (key, message, want) = Self.vectors[1]
        var hmac = try HMACSHA256(key: key.span)
        for cut in message.indices {
            let parts = [Array(message[..<cut]), [], Array(message[cut...])]
            #expect(try self.code(parts, with: &hmac) == bytes(want))
        }
    }

    @Test func `a message that was not finished leaves nothing behind`() throws {
        let (key, message, want) = Self.vectors[0]
        var hmac = try HMACSHA256(key: key.span)
        try hmac.begin()
        try hmac.update(repeated(1, 100).span)
        #expect(try self.code([message], with: &hmac) == bytes(want))
    }

    @Test func `an empty key is a key of zeros`() throws {
        var empty = try HMACSHA256(key: [UInt8]().span)
        var zeros = try HMACSHA256(key: repeated(0, 64).span)
        #expect(try self.code([[1]], with: &empty) == self.code([[1]], with: &zeros))
    }
}
