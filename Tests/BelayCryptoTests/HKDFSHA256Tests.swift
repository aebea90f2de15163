import BelayCrypto
import Testing

struct HKDFSHA256Tests {
    private func derive(
        _ keyMaterial: [UInt8],
        salt: [UInt8],
        info: [UInt8],
        count: Int
    ) throws -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        var span = output.mutableSpan
        var key = try HKDFSHA256.extract(keyMaterial.span, salt: salt.span)
        try HKDFSHA256.expand(&key, info: info.span, into: &span)
        return output
    }

    /// RFC 5869, appendix A.1 to A.3.
    static let vectors: [(key: [UInt8], salt: [UInt8], info: [UInt8], output: String)] = [
        (
            repeated(0x0B, 22), Array(0x00...0x0C), Array(0xF0...0xF9),
            """
            3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf
            34007208d5b887185865
            """
        ),
        (
            Array(0x00...0x4F), Array(0x60...0xAF), Array(0xB0...0xFF),
            """
            b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c
            59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71
            cc30c58179ec3e87c14c01d5c1f3434f1d87
            """
        ),
        (
            repeated(0x0B, 22), [], [],
            """
            8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d
            9d201395faa4b61a96c8
            """
        ),
    ]

    @Test(arguments: Self.vectors.indices)
    func `derives what RFC 5869 says`(index: Int) throws {
        let (key, salt, info, want) = Self.vectors[index]
        let output = bytes(want)
        #expect(try self.derive(key, salt: salt, info: info, count: output.count) == output)
    }

    @Test(arguments: [1, 31, 32, 33, 64, 8160])
    func `a shorter output is the beginning of a longer one`(count: Int) throws {
        let longest = try self.derive([1], salt: [2], info: [3], count: HKDFSHA256.expandedMax)
        let shorter = try self.derive([1], salt: [2], info: [3], count: count)
        #expect(shorter == Array(longest.prefix(count)))
    }
}
