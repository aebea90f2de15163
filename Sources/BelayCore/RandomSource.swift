/// The random numbers of policies: fast, seeded, never used for secrets (those come from
/// `BelayCrypto`). The same seed gives the same run, which is what the simulator needs.
///
/// The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
package struct RandomSource: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { self.state = seed }

    package mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in `0..<bound`, by multiplication (Lemire): the bias is below `bound / 2^64`.
    package mutating func below(_ bound: Int) -> Int {
        precondition(bound > 0, "no number below \(bound)")
        return Int(truncatingIfNeeded: self.next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}
