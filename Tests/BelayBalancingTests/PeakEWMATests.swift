import BelayBalancing
import BelayCore
import Testing

@Suite struct PeakEWMATests {
    @Test(arguments: [
        // Value before (ms), sample (ms), seconds between, value after (µs).
        (0, 5, 1, 5_000),
        (5, 9, 1, 9_000),
        (5, 9, 0, 9_000),
        (10, 0, 0, 10_000),
        // Down to 1/e of the difference in 10 s: 2 + 8 / e ms.
        (10, 2, 10, 4_943),
        (10, 2, 20, 3_082),
        (10, 2, 5, 6_852),
        (10, 10, 10, 10_000),
        (10, 2, 3_600, 2_000),
    ])
    func `a slow answer counts at once, fast ones over ten seconds`(
        before: Int64,
        sample: Int64,
        seconds: Int64,
        after: Int64
    ) {
        let start = Instant(nanoseconds: 50_000_000_000)
        let old = PeakEWMA(value: before * 1_000_000, stamp: start.nanoseconds)
        let new = old.adding(.milliseconds(sample), at: start + .seconds(seconds))
        #expect(new.value / 1_000 == after)
        #expect(new.stamp == (start + .seconds(seconds)).nanoseconds)
    }

    @Test(arguments: [
        (0, 8_000), (5, 4_852), (10, 2_943), (19, 1_196), (20, 0), (1_000, 0), (-3, 8_000),
    ])
    func `what is expected decays while no answer comes, and is forgotten`(
        seconds: Int64,
        microseconds: Int64
    ) {
        let start = Instant(nanoseconds: 50_000_000_000)
        let average = PeakEWMA.unknown.adding(.milliseconds(8), at: start)
        #expect(average.latency(at: start + .seconds(seconds)).microseconds == microseconds)
    }

    @Test func `an answer in no time is known all the same`() {
        let now = Instant(nanoseconds: 7)
        #expect(PeakEWMA.unknown.latency(at: now) == .zero)
        #expect(PeakEWMA.unknown.adding(.zero, at: now).latency(at: now).nanoseconds == 1)
    }
}
