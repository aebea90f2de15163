package import BelayCore

/// So many at once, and as many again within ten seconds.
///
/// Kept as the instant at which the bucket would be full again (the generic cell rate algorithm,
/// ITU-T I.371), so that nothing has to be refilled.
package struct TokenBucket: Sendable {
    // Limit: the time within which a bucket refills.
    private static let span: Int64 = 10_000_000_000

    private let cost: Int64
    private var fullAt: Int64 = .min

    package init(capacity: Int) {
        self.cost = Self.span / Int64(Swift.max(1, capacity))
    }

    /// False when there is none left.
    package mutating func take(at now: Instant) -> Bool {
        let start = Swift.max(self.fullAt, now.nanoseconds)
        guard start &- now.nanoseconds &+ self.cost <= Self.span else { return false }
        self.fullAt = start &+ self.cost
        return true
    }
}
