import BelayBytes
package import BelayCore

/// Claims of tokens that one worker has seen of late, so that a signature is checked once and not
/// with every request. A token is known by a hash of 128 bits; nothing of it is kept but its claim.
package struct SeenTokens: Sendable {
    private struct Seen: Sendable {
        var low: UInt64 = 0
        var high: UInt64 = 0
        var claim: [UInt8]?
        var until = UnixTime(seconds: 0)
    }

    // Limit: tokens of the clients that are busy just now; beyond it they push each other out.
    private static let count = 1024
    // Limit: for how long a token's judgement holds: an expired one may live that much longer.
    private static let span: Int64 = 10

    private var seen: [Seen] = []
    private let seed: UInt64

    package init(seed: UInt64) { self.seed = seed }

    /// The claim of the token, or nil; by the way that wants it, which is told from the pool's
    /// others by its number.
    package mutating func claim(
        _ way: JWTClaimBinding,
        _ number: Int,
        of token: borrowing Span<UInt8>,
        now: UnixTime
    ) -> [UInt8]? {
        if self.seen.isEmpty { self.seen = Array(repeating: Seen(), count: Self.count) }
        let seed = StableHash.combine(self.seed, UInt64(truncatingIfNeeded: number))
        let low = StableHash.of(token, seed: seed)
        let high = StableHash.of(token, seed: ~seed)
        let place = Int(truncatingIfNeeded: low) & (Self.count - 1)
        if self.seen[place].low == low, self.seen[place].high == high,
            self.seen[place].until >= now
        {
            return self.seen[place].claim
        }
        let claim = way.value(of: token, now: now)
        self.seen[place] = Seen(
            low: low,
            high: high,
            claim: claim,
            until: UnixTime(seconds: now.seconds + Self.span)
        )
        return claim
    }
}
