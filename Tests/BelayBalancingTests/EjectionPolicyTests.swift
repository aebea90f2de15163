import BelayBalancing
import BelayCore
import Testing

@Suite struct EjectionPolicyTests {
    @Test(arguments: [
        (0, 10), (1, 10), (2, 20), (3, 40), (4, 80), (5, 100), (6, 100), (32, 100), (1_000, 100),
    ])
    func `each ejection in a row lasts twice as long, up to the limit`(
        inRow: Int,
        seconds: Int64
    ) {
        let policy = EjectionPolicy(eject: .seconds(10), ejectMax: .seconds(100))
        #expect(policy.span(inRow: inRow) == .seconds(seconds))
    }

    @Test(arguments: [
        (0, 1_000, 0),
        (1, 9, 1), (1, 10, 0),
        (3, 0, 3), (3, 39, 3), (3, 40, 2), (3, 59, 2), (3, 60, 1), (3, 69, 1), (3, 70, 0),
        (5, 100, 4), (5, -5, 5), (1_000, 0, 32),
    ])
    func `a server that stays up is forgiven, step by step`(
        inRow: Int,
        upFor: Int64,
        expected: Int
    ) {
        let policy = EjectionPolicy(eject: .seconds(10), ejectMax: .seconds(100))
        #expect(policy.inRow(inRow, upFor: .seconds(upFor)) == expected)
    }

    @Test(arguments: [
        // Servers, of which usable, share, most that may be ejected at once.
        (1, 1, 0.5, 0), (2, 2, 0.5, 1), (3, 3, 0.5, 1), (10, 10, 0.5, 5), (10, 10, 1.0, 9),
        // One may always be, however small the share, unless it is nothing.
        (3, 3, 0.1, 1), (3, 3, 0.0, 0),
        // Those in maintenance do not count as servers that are left.
        (10, 3, 0.5, 2), (10, 1, 0.5, 0), (10, 0, 0.5, 0),
    ])
    func `never the last server, never more than the share`(
        servers: Int,
        usable: Int,
        share: Double,
        expected: Int
    ) {
        let policy = EjectionPolicy(ejectShare: share)
        #expect(policy.ejectedMax(servers: servers, usable: usable) == expected)
    }

    @Test(arguments: [
        ([0, 0, 0, 0, 0], 5),
        ([0, 2, 4, 6], 4),
        // The quarter before the last three is counted too while it is in the window.
        ([0, 2_600, 5_100, 7_600], 4),
        ([0, 2_600, 5_100, 7_600, 10_000], 4),
        ([0, 9_999], 2),
        ([0, 10_000], 1),
        ([0, 1_000_000], 1),
        // A worker's clock that is a little behind.
        ([5_000, 4_000, 5_000], 3),
    ])
    func `failures of the last window are counted`(milliseconds: [Int64], expected: Int) {
        // Times begin with a quarter of the window.
        let start = Instant(nanoseconds: 5_000_000_000_000)
        var window = FailureWindow.empty
        for time in milliseconds {
            window = window.adding(at: start + .milliseconds(time), window: .seconds(10))
        }
        #expect(window.count == expected)
    }

    @Test func `a count stops at its limit`() {
        var window = FailureWindow.empty
        for _ in 0..<2_000 {
            window = window.adding(at: Instant(nanoseconds: 0), window: .seconds(10))
        }
        #expect(window.count == 1_023)
    }

    @Test func `the window never counts a failure that is older, and misses at most a quarter`() {
        var random = RandomSource(seed: 4)
        for _ in 0..<200 {
            var times: [Int64] = []
            var window = FailureWindow.empty
            var now = Instant(nanoseconds: Int64(random.below(1 << 50)))
            for _ in 0..<30 {
                now = now + .milliseconds(Int64(random.below(3_000)))
                times.append(now.nanoseconds)
                window = window.adding(at: now, window: .seconds(10))
                let all = times.filter { now.nanoseconds - $0 < 10_000_000_000 }.count
                let sure = times.filter { now.nanoseconds - $0 <= 7_500_000_000 }.count
                #expect((sure...all).contains(window.count))
            }
        }
    }
}
