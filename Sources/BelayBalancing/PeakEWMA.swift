package import BelayCore

/// How long a server takes to answer, weighted towards the last seconds and towards the worst: a
/// slower answer counts at once and in full, faster ones bring the value down by exponential decay
/// over 10 seconds (after Finagle's peak EWMA).
///
/// Two numbers, so that workers can share it as two atomics. Two workers that write at the same
/// time may lose one of their samples, or pair the value of one with the time of the other; both
/// times are then nearly the same, so the error is one sample's.
package struct PeakEWMA: Equatable, Sendable {
    /// Nanoseconds; 0 when nothing is known.
    package var value: Int64
    /// When the last sample came, in nanoseconds of `Instant`.
    package var stamp: Int64

    // Limit: 10 s, as Finagle has it: some hundred answers of a busy server, and short enough to
    // forgive a garbage collection.
    private static let nanosecondsPerDecay = 10e9
    // Limit: what is older than two decays says little, and has decayed to a seventh: it counts as
    // unknown, so that the server is tried with one request and not with seven times its share.
    private static let decaysMax = 2.0

    package static let unknown = PeakEWMA(value: 0, stamp: 0)

    package init(value: Int64, stamp: Int64) {
        self.value = value
        self.stamp = stamp
    }

    /// With one more answer, which took `sample`. A request that was given up is a sample too: the
    /// server took at least that long.
    package func adding(_ sample: TimeSpan, at now: Instant) -> PeakEWMA {
        // 0 would mean that nothing is known.
        let sample = Swift.max(sample.nanoseconds, 1)
        guard self.value > 0, sample < self.value else {
            return PeakEWMA(value: sample, stamp: now.nanoseconds)
        }
        let share = StableMath.decay(self.decays(until: now))
        let value = Double(self.value) * share + Double(sample) * (1 - share)
        return PeakEWMA(value: Swift.max(Int64(value), 1), stamp: now.nanoseconds)
    }

    /// What to expect now: the value decays while no answers come, so that a server that was slow
    /// once is tried again; `.zero` when that is too long ago to say anything.
    package func latency(at now: Instant) -> TimeSpan {
        guard self.value > 0 else { return TimeSpan(nanoseconds: 0) }
        let decays = self.decays(until: now)
        guard decays < Self.decaysMax else { return TimeSpan(nanoseconds: 0) }
        let value = Double(self.value) * StableMath.decay(decays)
        return TimeSpan(nanoseconds: Swift.max(Int64(value), 1))
    }

    /// The time since the last sample in decays. The clocks of two workers' loops may
    /// differ a little: time that runs backwards counts as none.
    private func decays(until now: Instant) -> Double {
        let elapsed = Swift.max(now.nanoseconds &- self.stamp, 0)
        return Double(elapsed) / Self.nanosecondsPerDecay
    }
}
