/// Logarithm and exponential from additions and multiplications alone. The C library's differ in
/// the last bit from one version to the next; several Belays must agree on every comparison.
enum StableMath {
    /// The natural logarithm of a normal number above 0, to about 15 digits.
    static func logarithm(_ value: Double) -> Double {
        precondition(value >= 0x1p-1022 && value < .infinity, "a logarithm that is not defined")
        // value = mantissa * 2^exponent, with the mantissa within [sqrt(1/2), sqrt(2)): read from
        // the bits, which is several times faster than asking the number.
        var exponent = Double(Int(value.bitPattern >> 52) - 1023)
        var mantissa = Double(bitPattern: value.bitPattern & 0xF_FFFF_FFFF_FFFF | 0x3FF << 52)
        if mantissa > 1.414_213_562_373_095_1 {
            mantissa *= 0.5
            exponent += 1
        }
        // ln m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.1716: ten terms leave less than 1e-17.
        let s = (mantissa - 1) / (mantissa + 1)
        let square = s * s
        var sum = 1.0 / 19
        sum = sum * square + 1.0 / 17
        sum = sum * square + 1.0 / 15
        sum = sum * square + 1.0 / 13
        sum = sum * square + 1.0 / 11
        sum = sum * square + 1.0 / 9
        sum = sum * square + 1.0 / 7
        sum = sum * square + 1.0 / 5
        sum = sum * square + 1.0 / 3
        sum = sum * square + 1
        return exponent * Self.logarithmOfTwo + 2 * s * sum
    }

    /// e to the power of `-value`, for a value of at least 0, to about 12 digits; 0 beyond 700.
    static func decay(_ value: Double) -> Double {
        precondition(value >= 0, "a decay that grows")
        guard value < 700 else { return 0 }
        // value = halvings * ln 2 + rest, with |rest| <= 0.35.
        let halvings = (value / Self.logarithmOfTwo).rounded()
        let rest = halvings * Self.logarithmOfTwo - value
        var sum = 1.0 / 3_628_800
        sum = sum * rest + 1.0 / 362_880
        sum = sum * rest + 1.0 / 40_320
        sum = sum * rest + 1.0 / 5_040
        sum = sum * rest + 1.0 / 720
        sum = sum * rest + 1.0 / 120
        sum = sum * rest + 1.0 / 24
        sum = sum * rest + 1.0 / 6
        sum = sum * rest + 1.0 / 2
        sum = sum * rest + 1
        sum = sum * rest + 1
        // 2^-halvings, from its exponent: at most 1010 halvings, so it is a normal number.
        return sum * Double(bitPattern: UInt64(1023 - Int(halvings)) << 52)
    }

    /// The waiting time of an event with rate 1, from a hash: `-ln u`, u uniform in (0, 1].
    static func exponential(_ hash: UInt64) -> Double {
        // 2^-53: the 53 high bits, plus one so that u is not 0, are exact in a Double.
        let uniform = (Double(hash >> 11) + 1) * 0x1p-53
        return -Self.logarithm(uniform)
    }

    private static let logarithmOfTwo = 0.693_147_180_559_945_3
}
