import BelayBalancing
import BelayCore
import Testing

struct DrainPolicyTests {
    private static let began = UnixTime(seconds: 1_000)

    private func drain(rate: Double? = nil, bound: Int = 100) -> Drain {
        Drain(
            cause: .command,
            began: Self.began,
            bound: bound,
            deadline: UnixTime(seconds: 2_800),
            rate: rate
        )
    }

    private func at(_ seconds: Int) -> UnixTime { UnixTime(seconds: Int64(1_000 + seconds)) }

    @Test(arguments: [
        // Bound clients, open requests, seconds since it began, paused then.
        (100, 7, 0, false, Drain.Phase.running), (1, 0, 1_799, false, .running),
        (0, 1, 0, false, .running), (0, 0, 0, false, .empty), (0, 0, 900, true, .empty),
        (100, 7, 900, true, .paused), (0, 1, 900, true, .paused),
        (100, 7, 1_800, false, .over), (100, 7, 9_000, false, .over),
        // Nobody is left, and the server is given up all the same.
        (0, 0, 1_800, false, .over),
        (100, 7, 1_800, true, .paused), (0, 0, 9_000, true, .empty),
    ])
    func `a drain runs until nobody is left or the deadline comes`(
        bound: Int,
        open: Int,
        seconds: Int,
        isPaused: Bool,
        want: Drain.Phase
    ) {
        var drain = self.drain()
        if isPaused { drain.pause(now: self.at(Swift.min(seconds, 900))) }
        #expect(drain.phase(bound: bound, open: open, now: self.at(seconds)) == want)
    }

    @Test func `where not all are counted it runs to its deadline, whoever is left`() {
        var drain = self.drain(bound: 0)
        func phase(_ seconds: Int) -> Drain.Phase {
            drain.phase(bound: 0, open: 0, countsAll: false, now: self.at(seconds))
        }
        #expect(phase(0) == .running && phase(1_799) == .running && phase(1_800) == .over)
        let end = drain.expectedEnd(bound: 0, countsAll: false, now: self.at(60))
        #expect(end == self.at(1_800))
        drain.pause(now: self.at(60))
        #expect(drain.phase(bound: 0, open: 0, countsAll: false, now: self.at(61)) == .paused)
        #expect(drain.expectedEnd(bound: 0, countsAll: false, now: self.at(61)) == nil)
    }

    @Test func `a pause puts the deadline off by as long as it lasts`() {
        var drain = self.drain()
        drain.pause(now: self.at(600))
        // A second one changes nothing.
        drain.pause(now: self.at(700))
        #expect(drain.phase(bound: 1, open: 0, now: self.at(5_000)) == .paused)
        drain.resume(bound: 1, now: self.at(1_600))
        #expect(drain.deadline == self.at(2_800))
        #expect(drain.phase(bound: 1, open: 0, now: self.at(2_799)) == .running)
        #expect(drain.phase(bound: 1, open: 0, now: self.at(2_800)) == .over)
        drain.resume(bound: 1, now: self.at(2_000))
        #expect(drain.deadline == self.at(2_800))
    }

    @Test func `a clock that was set back does not bring the deadline nearer`() {
        var drain = self.drain()
        drain.pause(now: self.at(600))
        drain.resume(bound: 1, now: self.at(500))
        #expect(drain.deadline == self.at(1_800))
    }

    @Test func `a deadline set while it is paused is as far off when it goes on`() {
        var drain = self.drain()
        drain.pause(now: self.at(600))
        drain.setDeadline(self.at(1_000 + 60), now: self.at(1_000))
        drain.resume(bound: 1, now: self.at(1_500))
        #expect(drain.deadline == self.at(1_560))
    }

    @Test func `where every server can read every session nobody loses one`() {
        #expect(self.drain().losing(bound: 42, sessionsAreShared: false) == 42)
        #expect(self.drain().losing(bound: 42, sessionsAreShared: true) == 0)
    }

    @Test(
        arguments: [
            // Rate, bound now, seconds since it began; the end, in seconds since it began.
            // Nothing is known but the deadline.
            (nil, 100, 5, 1_800), (nil, 100, 600, 1_800),
            // The pace so far: 50 in 100 s, so 50 more take as long.
            (nil, 50, 100, 200), (nil, 90, 100, 1_000),
            // So slowly that the deadline comes first.
            (nil, 99, 100, 1_800),
            // Nine seconds say nothing yet.
            (nil, 50, 9, 1_800), (nil, 50, 10, 20),
            // More than at the start.
            (nil, 120, 100, 1_800),
            // At a rate: what it allows, until the pace shows that fewer come.
            (10.0, 100, 0, 10), (10.0, 95, 1, 11), (10.0, 50, 100, 200), (0.01, 100, 0, 1_800),
            // Those who end by themselves don't make it faster than the rate says for the rest.
            (1.0, 10, 10, 20),
            // Nobody is left, or the deadline has come.
            (nil, 0, 77, 77), (nil, 10, 1_900, 1_800),
        ] as [(Double?, Int, Int, Int)]
    )
    func `the expected end follows the pace so far, the rate and the deadline`(
        rate: Double?,
        bound: Int,
        seconds: Int,
        want: Int
    ) {
        let drain = self.drain(rate: rate)
        #expect(drain.expectedEnd(bound: bound, now: self.at(seconds)) == self.at(want))
    }

    @Test func `a drain that is paused has no end, and its pace begins anew afterwards`() {
        var drain = self.drain()
        drain.pause(now: self.at(100))
        #expect(drain.expectedEnd(bound: 50, now: self.at(100)) == nil)
        drain.resume(bound: 50, now: self.at(1_100))
        #expect(drain.expectedEnd(bound: 50, now: self.at(1_105)) == self.at(2_800))
        #expect(drain.expectedEnd(bound: 40, now: self.at(1_120)) == self.at(1_200))
    }

    @Test func `with another rate the pace of before says nothing any more`() {
        var drain = self.drain(rate: 1)
        drain.setRate(25, bound: 50, now: self.at(50))
        #expect(drain.expectedEnd(bound: 50, now: self.at(50)) == self.at(52))
        drain.setRate(25, bound: 10, now: self.at(60))
        #expect(drain.paceSince == self.at(50))
        drain.setRate(nil, bound: 10, now: self.at(60))
        #expect(drain.rate == nil)
        #expect(drain.expectedEnd(bound: 10, now: self.at(60)) == self.at(1_800))
    }
}
