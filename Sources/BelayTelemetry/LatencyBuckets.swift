import BelayCore

/// The fixed buckets of every histogram of times: 0.5 ms to 60 s, and one without a bound.
package enum LatencyBuckets {
    /// The upper bounds in microseconds.
    ///
    /// Limit: steps of about two to two and a half tell a median well enough to alert on; finer
    /// ones cost a line each on a page that has a histogram per pool.
    package static let bounds: InlineArray<16, Int64> = [
        500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
    ]

    /// The bounds in seconds, as the page writes them.
    package static let labels: [String] = [
        "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1",
        "2.5", "5", "10", "30", "60",
    ]

    /// Buckets, the one without a bound included.
    package static var count: Int { 17 }

    /// The bucket of `span`: a bound belongs to the bucket below it, as Prometheus has it.
    static func index(of span: TimeSpan) -> Int {
        // Most answers of a healthy server fall into the first buckets, so a walk is short.
        let nanoseconds = span.nanoseconds
        var index = 0
        while index < 16, nanoseconds > Self.bounds[index] &* 1_000 { index &+= 1 }
        return index
    }
}
