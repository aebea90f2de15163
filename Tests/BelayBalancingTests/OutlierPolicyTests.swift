import BelayBalancing
import BelayCore
import Testing

/// Which servers stand out among their pool's others.
@Suite struct OutlierPolicyTests {
    typealias Sample = OutlierPolicy.Sample

    /// Samples from `answers/failures/milliseconds`.
    private func samples(_ text: String) -> [Sample] {
        text.split(separator: " ").map { entry in
            let numbers = entry.split(separator: "/").compactMap { Int($0) }
            return Sample(
                answers: numbers[0],
                failures: numbers[1],
                latency: .milliseconds(Int64(numbers[2]))
            )
        }
    }

    @Test(arguments: [
        // Sixty of a hundred where the others have none.
        ("100/60/0 100/0/0 100/0/0", [0]),
        ("100/50/0 100/0/0 100/0/0", []),
        // Where all are bad none is worse.
        ("100/90/0 100/90/0 100/90/0", []),
        ("100/100/0 100/100/0 100/0/0 100/0/0", [0, 1]),
        // A busy server is one among the others.
        ("100/60/0 100000/0/0 100/10/0", [0]),
        ("100/60/0 100/90/0 100000/0/0", [1]),
        // Too little traffic to judge by, or too few servers that have enough.
        ("99/99/0 100/0/0 100/0/0 100/0/0", []),
        ("100/99/0 100/0/0 99/0/0", []),
        ("100/99/0 100/0/0", []),
        ("100/99/0", []),
        ("", []),
    ])
    func `a share of failures far above the others'`(text: String, want: [Int]) {
        let policy = OutlierPolicy(errorRate: 0.5, latency: nil, requestsMin: 100)
        #expect(policy.outliers(self.samples(text)).map(\.server) == want)
    }

    @Test(arguments: [
        ("100/0/31 100/0/10 100/0/10", [0]),
        ("100/0/30 100/0/10 100/0/10", []),
        // The median of an even number is between the two in the middle.
        ("100/0/46 100/0/10 100/0/20 100/0/20 100/0/10", [0]),
        ("100/0/44 100/0/10 100/0/20 100/0/20 100/0/10", []),
        // One slow server does not excuse another.
        ("100/0/100 100/0/100 100/0/10 100/0/10 100/0/10", [0, 1]),
        // A fast one is no outlier, and makes none of the others.
        ("100/0/1 100/0/50 100/0/50", []),
        // Times that nobody knows.
        ("100/0/0 100/0/10 100/0/10", []),
        ("100/0/90 100/0/0 100/0/10", []),
    ])
    func `a response time many times the others'`(text: String, want: [Int]) {
        let policy = OutlierPolicy(errorRate: nil, latency: 3, requestsMin: 100)
        #expect(policy.outliers(self.samples(text)).map(\.server) == want)
    }

    @Test func `the reason is told`() throws {
        let policy = OutlierPolicy(errorRate: 0.5, latency: 3, requestsMin: 1)
        let failing = policy.outliers(self.samples("100/75/9 100/0/9 50/5/9"))
        let errors = try #require(failing.first).reason
        #expect(errors == .errorRate(0.75, others: 0.05))
        #expect(errors.text == "75% of its answers failed, and 5% of the others'")
        let slow = policy.outliers(self.samples("100/0/45 100/0/10 50/0/10"))
        let latency = try #require(slow.first).reason
        #expect(latency == .latency(4.5))
        #expect(latency.text == "it takes 4.5 times as long as the others")
    }

    // MARK: The typical time

    @Test func `a time comes back from its logarithm within a part in 256`() {
        var random = RandomSource(seed: 3)
        for bits in 0..<63 {
            let time = Int64((random.next() >> 1) >> UInt64(62 - bits))
            let back = LatencyScale.time(
                LatencyScale.logarithm(TimeSpan(nanoseconds: time))
            )
            let difference = abs(back.nanoseconds - max(time, 1))
            #expect(difference <= max(time, 1) / 256, "\(time)")
        }
        #expect(LatencyScale.logarithm(.zero) == 0)
        #expect(LatencyScale.logarithm(TimeSpan(nanoseconds: -5)) == 0)
    }

    @Test func `logarithms grow with times`() {
        var last = Int64(-1)
        for time in 1..<5_000 {
            let logarithm = LatencyScale.logarithm(TimeSpan(nanoseconds: Int64(time)))
            #expect(logarithm >= last)
            last = logarithm
        }
    }

    private func table() -> ServerPoolTable {
        ServerPoolTable(weights: [.one], openMax: [0], ejection: EjectionPolicy())
    }

    @Test func `one slow page hardly changes what is typical`() {
        let table = self.table()
        for _ in 0..<99 { table.noteAnswer(isFailure: false, after: .milliseconds(5), 0) }
        table.noteAnswer(isFailure: false, after: .seconds(5), 0)
        let sample = table.traffic(0).since(TrafficTotals())
        #expect(sample.answers == 100)
        #expect(sample.latency > .milliseconds(5) && sample.latency < .microseconds(5_500))
    }

    @Test func `what came since the last time is judged`() {
        let table = self.table()
        for _ in 0..<10 { table.noteAnswer(isFailure: true, after: .seconds(1), 0) }
        let before = table.traffic(0)
        table.noteAnswer(isFailure: false, after: .milliseconds(8), 0)
        table.noteAnswer(isFailure: true, after: nil, 0)
        let sample = table.traffic(0).since(before)
        #expect(sample.answers == 2)
        #expect(sample.failures == 1)
        #expect(abs(sample.latency.nanoseconds - 8_000_000) < 8_000_000 / 256)
        #expect(before.since(before) == Sample(answers: 0, failures: 0, latency: .zero))
    }

    @Test func `a row that another server has taken begins at nothing`() {
        let table = self.table()
        for _ in 0..<10 { table.noteAnswer(isFailure: true, after: .seconds(1), 0) }
        let before = table.traffic(0)
        let fresh = self.table()
        fresh.noteAnswer(isFailure: false, after: nil, 0)
        let want = Sample(answers: 1, failures: 0, latency: .zero)
        #expect(fresh.traffic(0).since(before) == want)
    }
}
