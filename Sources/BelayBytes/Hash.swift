/// Hashes for balancing: fixed for ever, the same on every machine, so that several Belays agree.
/// They do not resist an adversary who picks the keys; what must, uses `BelayCrypto`.
package enum StableHash {
    /// The finalizer of MurmurHash3 (Appleby): every bit of the input moves every bit of the
    /// output.
    @inline(__always)
    package static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        mixed = (mixed ^ (mixed >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return mixed ^ (mixed >> 33)
    }

    /// A hash of two numbers, in which the order counts.
    @inline(__always)
    package static func combine(_ left: UInt64, _ right: UInt64) -> UInt64 {
        Self.mix(left &* 0x9E37_79B9_7F4A_7C15 ^ Self.mix(right))
    }

    /// A hash of bytes, eight at a time.
    package static func of(_ bytes: borrowing Span<UInt8>, seed: UInt64 = 0) -> UInt64 {
        var state = seed ^ UInt64(bytes.count) &* 0x9E37_79B9_7F4A_7C15
        var index = 0
        while index &+ 8 <= bytes.count {
            state = (state ^ Self.mix(bytes.word(at: index))) &* 0x9FB2_1C65_1E98_DF25
            state ^= state >> 32
            index &+= 8
        }
        var tail: UInt64 = 0
        var shift: UInt64 = 0
        while index < bytes.count {
            tail |= UInt64(bytes[index]) << shift
            shift &+= 8
            index &+= 1
        }
        return Self.mix(state ^ Self.mix(tail))
    }

    /// A hash of a text's UTF-8. For names, at start.
    package static func of(_ text: String, seed: UInt64 = 0) -> UInt64 {
        Self.of(Array(text.utf8).span, seed: seed)
    }
}
