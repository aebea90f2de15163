/// The checksum of Castagnoli (CRC-32C; RFC 9260 Appendix A, RFC 3720 Appendix B.4), a byte at a
/// time: for headers of some hundred bytes, not for bodies.
package struct CRC32C: Sendable {
    /// What each byte does to the lowest eight bits, by the reflected polynomial.
    private static let table: InlineArray<256, UInt32> = {
        var table = InlineArray<256, UInt32>(repeating: 0)
        for byte in 0..<256 {
            var rest = UInt32(byte)
            for _ in 0..<8 { rest = rest & 1 == 0 ? rest >> 1 : rest >> 1 ^ 0x82F6_3B78 }
            table[byte] = rest
        }
        return table
    }()

    private var state: UInt32 = 0xFFFF_FFFF

    package init() {}

    /// The checksum of what was added so far.
    package var value: UInt32 { ~self.state }

    @inline(__always)
    package mutating func add(_ byte: UInt8) {
        self.state = Self.table[Int(UInt8(truncatingIfNeeded: self.state) ^ byte)] ^ self.state >> 8
    }

    /// Adds `range` of `bytes`.
    package mutating func add(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
        for index in range { self.add(bytes[index]) }
    }
}
