import BelayBytes
import Testing

struct CRC32CTests {
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var checksum = CRC32C()
        checksum.add(bytes.span, 0..<bytes.count)
        return checksum.value
    }

    /// The second to fifth are the examples of RFC 3720 Appendix B.4.
    private static let published: [([UInt8], UInt32)] = [
        (Array("123456789".utf8), 0xE306_9283),
        (Array(repeating: 0x00, count: 32), 0x8A91_36AA),
        (Array(repeating: 0xFF, count: 32), 0x62A8_AB43),
        (Array(0..<32), 0x46DD_794E),
        (Array((0..<32).reversed()), 0x113F_DB5C),
        (Array("a".utf8), 0xC1D0_4330),
        ([], 0),
    ]

    @Test(arguments: Self.published)
    func `the checksum is the published one`(bytes: [UInt8], want: UInt32) {
        #expect(Self.checksum(bytes) == want)
    }

    @Test func `the pieces make the whole`() {
        let bytes = Array("The quick brown fox jumps over the lazy dog".utf8)
        for cut in 0...bytes.count {
            var checksum = CRC32C()
            checksum.add(bytes.span, 0..<cut)
            checksum.add(bytes.span, cut..<bytes.count)
            #expect(checksum.value == 0x2262_0404)
        }
    }
}
