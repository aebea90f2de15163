import BelayBalancing
import BelayCore
import Testing

/// Clients that are given away at a rate: random ones, a hand-moved clock, and the same calls that
/// the proxy makes.
struct MovingTests {
    /// A crowd of clients that are bound to server 0.
    private struct Crowd {
        let table = ServerPoolTable(
            weights: [.one, .one],
            openMax: [0, 0],
            ejection: EjectionPolicy()
        )
        var random: RandomSource
        var now = Instant(nanoseconds: 5_000_000_000_000)
        /// When each client that is still bound asks next, and when it asked last; by its number.
        var next: [Instant]
        var last: [Instant?]
        let pauses: [TimeSpan]
        /// Who has moved, and when.
        var moved: [(client: Int, at: Instant, wasIdle: Bool)] = []
        var isBound: [Bool]

        /// `pauses`: for each client the mean time between two of its requests.
        init(seed: UInt64, pauses: [TimeSpan]) {
            self.random = RandomSource(seed: seed)
            self.pauses = pauses
            self.last = pauses.map { _ in nil }
            self.isBound = pauses.map { _ in true }
            self.next = []
            let now = self.now
            for pause in pauses { self.next.append(now + self.draw(pause)) }
        }

        /// Between none and twice the pause.
        private mutating func draw(_ pause: TimeSpan) -> TimeSpan {
            TimeSpan(nanoseconds: Int64(self.random.below(Int(pause.nanoseconds) * 2) + 1))
        }

        /// Lets all that happens until `end` happen, in its order.
        mutating func run(until end: Instant) {
            while true {
                var first: Int?
                for client in self.next.indices where self.isBound[client] {
                    if first.map({ self.next[client] < self.next[$0] }) ?? true { first = client }
                }
                guard let client = first, self.next[client] <= end else { break }
                self.now = self.next[client]
                let last = self.last[client]
                let idle = last.map { self.now - $0 } ?? .hours(1)
                if self.table.mayMove(0, idleFor: idle, now: self.now) {
                    self.isBound[client] = false
                    let wasIdle = idle >= MovePolicy.idleAfter
                    self.moved.append((client: client, at: self.now, wasIdle: wasIdle))
                }
                self.last[client] = self.now
                self.next[client] = self.now + self.draw(self.pauses[client])
            }
            self.now = end
        }

        /// The most clients that moved within any one span.
        func most(within span: TimeSpan) -> Int {
            var (most, first) = (0, 0)
            for index in self.moved.indices {
                while self.moved[index].at - self.moved[first].at > span { first += 1 }
                most = Swift.max(most, index - first + 1)
            }
            return most
        }
    }

    @Test(arguments: [1, 2, 3])
    func `busy clients alone move at the whole rate, and no faster`(seed: Int) {
        var crowd = Crowd(
            seed: UInt64(seed),
            pauses: Array(repeating: .milliseconds(800), count: 330)
        )
        crowd.table.setMoving(rate: 20, limit: nil, 0, at: crowd.now)
        crowd.run(until: crowd.now + .seconds(15))
        // 300 by the rate, less what is kept for idle ones.
        #expect((280...301).contains(crowd.moved.count), "seed \(seed): \(crowd.moved.count)")
        // What a second saved comes on top of the second's own.
        #expect(crowd.most(within: .seconds(1)) <= 41, "seed \(seed)")
    }

    @Test(arguments: [1, 2, 3])
    func `idle clients move first, and busy ones only in what these leave over`(seed: Int) {
        // 60 who come every half second, 600 who come every half minute: about 20 of these a
        // second, more than move.
        var crowd = Crowd(
            seed: UInt64(seed),
            pauses: (0..<660).map { $0 < 60 ? .milliseconds(500) : .seconds(30) }
        )
        crowd.table.setMoving(rate: 10, limit: nil, 0, at: crowd.now)
        // Nobody is known to be idle before the server was watched for a while.
        crowd.run(until: crowd.now + .seconds(12))
        let early = crowd.moved.count
        #expect((100...125).contains(early), "seed \(seed): \(early)")
        crowd.run(until: crowd.now + .seconds(30))
        let later = crowd.moved[early...]
        #expect((280...311).contains(later.count), "seed \(seed): \(later.count)")
        let busy = later.filter { !$0.wasIdle }
        #expect(busy.count * 50 <= later.count, "seed \(seed): \(busy.count) busy ones moved")
    }

    @Test func `an idle client finds a move, however many busy ones there are`() {
        var crowd = Crowd(seed: 7, pauses: Array(repeating: .milliseconds(100), count: 300))
        crowd.table.setMoving(rate: 50, limit: nil, 0, at: crowd.now)
        for _ in 0..<20 {
            crowd.run(until: crowd.now + .milliseconds(600))
            if crowd.now - Instant(nanoseconds: 5_000_000_000_000) < .seconds(11) { continue }
            #expect(crowd.table.mayMove(0, idleFor: .minutes(5), now: crowd.now))
        }
    }

    @Test(arguments: [(0.1, 600, 60), (0.5, 100, 50), (2.0, 60, 120), (1_000.0, 2, 2_000)])
    func `the rate holds from one in ten seconds to a thousand in one`(
        rate: Double,
        seconds: Int,
        want: Int
    ) {
        for idle in [TimeSpan.zero, .minutes(1)] {
            let table = ServerPoolTable(weights: [.one], openMax: [0], ejection: EjectionPolicy())
            var now = Instant(nanoseconds: 77_000_000_000)
            table.setMoving(rate: rate, limit: nil, 0, at: now)
            var moved = 0
            // Somebody asks ten thousand times a second, or as often as it takes.
            let step = TimeSpan.microseconds(rate > 100 ? 100 : 10_000)
            let end = now + .seconds(Int64(seconds))
            while now < end {
                now = now + step
                if table.mayMove(0, idleFor: idle, now: now) { moved += 1 }
            }
            // Half a second's worth, or one, may lie saved.
            let slack = Swift.max(2, Int(rate / 2) + 2)
            #expect(abs(moved - want) <= slack, "\(moved) of \(want), idle for \(idle.seconds) s")
        }
    }

    @Test func `no more move than the limit, and a lower limit holds at once`() {
        var crowd = Crowd(seed: 3, pauses: Array(repeating: .milliseconds(200), count: 200))
        crowd.table.setMoving(rate: 100, limit: 30, 0, at: crowd.now)
        crowd.run(until: crowd.now + .milliseconds(700))
        let early = crowd.moved.count
        #expect(early > 0 && early < 30)
        crowd.table.limitMoves(to: 5, 0)
        crowd.table.limitMoves(to: 50, 0)
        #expect(crowd.table.movesLeft(0) == 5)
        crowd.run(until: crowd.now + .seconds(5))
        #expect(crowd.moved.count == early + 5)
        #expect(crowd.table.movesLeft(0) == 0)
    }

    @Test func `a rate of 0 ends it, and the end of a drain is no limit`() {
        let table = ServerPoolTable(weights: [.one], openMax: [0], ejection: EjectionPolicy())
        let now = Instant(nanoseconds: 1_000_000_000)
        #expect(!table.givesAway(0))
        #expect(!table.mayMove(0, idleFor: .hours(1), now: now))
        table.setMoving(rate: 50, limit: nil, 0, at: now)
        #expect(table.givesAway(0) && table.moveRate(0) == 50 && table.movesLeft(0) == nil)
        table.setMoving(rate: 0, limit: nil, 0, at: now)
        #expect(!table.mayMove(0, idleFor: .hours(1), now: now + .hours(1)))
        table.setDrained(true, 0)
        #expect(table.isDrained(0) && table.movesLeft(0) == nil && !table.givesAway(0))
        table.setDrained(false, 0)
        #expect(!table.isDrained(0))
    }

    @Test func `a change of the rate neither gives nor takes what was saved`() {
        let table = ServerPoolTable(weights: [.one], openMax: [0], ejection: EjectionPolicy())
        var now = Instant(nanoseconds: 1_000_000_000)
        table.setMoving(rate: 10, limit: nil, 0, at: now)
        now = now + .seconds(20)
        // Ten lie saved; changing the rate again and again makes no more of them.
        var moved = 0
        for rate in [10.0, 5, 10, 5, 10, 5, 10] {
            table.setMoving(rate: rate, limit: nil, 0, at: now)
            while table.mayMove(0, idleFor: .minutes(1), now: now) { moved += 1 }
        }
        #expect(moved == 11)
    }

    @Test(arguments: [
        // What was saved when the client asks, in milliseconds (negative: so long until a move),
        // its idle time in seconds, moves a second; whether it moves.
        (-1, 60, 10, false), (0, 60, 10, true), (0, 10, 10, true), (0, 9, 10, false),
        (499, 9, 10, false), (500, 9, 10, true), (999, 0, 1, false), (1_000, 0, 1, true),
        (0, 60, 1, true),
    ])
    func `half a second of moves is kept for idle clients`(
        saved: Int,
        idle: Int,
        rate: Int,
        want: Bool
    ) {
        let now = Instant(nanoseconds: 60_000_000_000)
        let next = MovePolicy.next(
            Instant(nanoseconds: now.nanoseconds - Int64(saved) * 1_000_000),
            gap: TimeSpan(nanoseconds: Int64(1_000_000_000 / rate)),
            idle: .seconds(Int64(idle)),
            now: now
        )
        #expect((next != nil) == want)
    }
}
