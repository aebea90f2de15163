import BelayBalancing
import BelayCore
import Testing

@Suite struct SlowStartTests {
    private let start = Instant(nanoseconds: 50_000_000_000)

    @Test(arguments: [(-1, 0.1), (0, 0.1), (2_500, 0.325), (5_000, 0.55), (9_999, 1), (10_000, 1)])
    func `the part rises evenly from a tenth to all`(passed: Int, share: Double) {
        let part = SlowStart.share(passed: .milliseconds(Int64(passed)), of: .seconds(10))
        #expect(abs(part - share) < 0.001)
    }

    @Test func `without a time there is no slow start`() {
        #expect(SlowStart.share(passed: .zero, of: .zero) == 1)
        let table = self.table(2)
        table.setSlowStart(.zero)
        table.started(0, at: self.start)
        #expect(!table.isStarting(0, at: self.start))
        #expect(table.passOver(0, at: self.start, tried: TriedServers(), draw: 1) == .no)
    }

    @Test func `servers that start draw for themselves`() {
        var random = RandomSource(seed: 1)
        var (first, second, both) = (0, 0, 0)
        for _ in 0..<20_000 {
            let draw = UInt32(truncatingIfNeeded: random.next()) | 1
            let takes = (0..<2).map { SlowStart.takes(draw: draw, server: $0, share: 0.3) }
            if takes[0] { first += 1 }
            if takes[1] { second += 1 }
            if takes[0] && takes[1] { both += 1 }
        }
        // 6,000 and 1,800, and five standard deviations.
        #expect((5_676...6_324).contains(first))
        #expect((5_676...6_324).contains(second))
        #expect((1_598...2_002).contains(both))
    }

    @Test func `a number that lets a server take a client does so for every larger part`() {
        var random = RandomSource(seed: 2)
        for _ in 0..<1_000 {
            let draw = UInt32(truncatingIfNeeded: random.next()) | 1
            let takes = stride(from: 0.1, through: 1, by: 0.1).map {
                SlowStart.takes(draw: draw, server: 3, share: $0)
            }
            let first = takes.firstIndex(of: true) ?? takes.count
            #expect(takes[first...].allSatisfy { $0 })
        }
    }

    @Test func `a slow start ends by itself, and bound clients never notice it`() {
        let table = self.table(2)
        table.started(1, at: self.start)
        let tried = TriedServers()
        let late = self.start + .seconds(10)
        #expect(table.isStarting(1, at: self.start))
        #expect(table.passOverBound(1, at: self.start, tried: tried) == .no)
        // Who has no number is taken.
        #expect(table.passOver(1, at: self.start, tried: tried) == .no)
        let passed = (1...1_000).filter {
            table.passOver(1, at: self.start, tried: tried, draw: UInt32($0)) == .starting
        }.count
        #expect((850...950).contains(passed))
        #expect(!table.isStarting(1, at: late))
        for draw in 1...100 {
            #expect(table.passOver(1, at: late, tried: tried, draw: UInt32(draw)) == .no)
        }
        #expect(table.startShare(1, at: self.start) == 1, "it is over for good")
    }

    @Test(arguments: Algorithm.allCases)
    func `over the whole slow start newcomers come in rising numbers`(algorithm: Algorithm) {
        let table = self.table(4)
        var balancer = Balancer(algorithm, weights([1, 1, 1, 1]), seed: 3)
        var random = RandomSource(seed: 4)
        table.started(2, at: self.start)
        var perSecond: [Int] = []
        for second in 0..<12 {
            var picks = 0
            for number in 0..<1_000 {
                let now = self.start + .milliseconds(Int64(second * 1_000 + number))
                let hash = random.next()
                let picked = balancer.pick(
                    from: table,
                    key: PickKey(sourceHash: hash, urlHash: hash),
                    tried: TriedServers(),
                    now: now,
                    random: &random
                )
                if picked == 2 { picks += 1 }
            }
            perSecond.append(picks)
        }
        #expect((10...75).contains(perSecond[0]), "a tenth of a quarter: \(perSecond)")
        #expect((80...190).contains(perSecond[5]), "half of a quarter: \(perSecond)")
        #expect((190...310).contains(perSecond[10]), "a quarter: \(perSecond)")
    }

    @Test(arguments: [.sourceHash, .urlHash] as [Algorithm])
    func `a key moves once to the server that starts, and stays`(algorithm: Algorithm) {
        let table = self.table(4)
        var balancer = Balancer(algorithm, weights([1, 1, 1, 1]), seed: 5)
        var random = RandomSource(seed: 6)
        var places = (0..<200).map { self.place($0, table, &balancer, &random, self.start) }
        let home = places
        table.started(1, at: self.start)
        var moves = Array(repeating: 0, count: 200)
        for step in 0...22 {
            let now = self.start + .milliseconds(Int64(step) * 500)
            for key in 0..<200 {
                let place = self.place(key, table, &balancer, &random, now)
                if place != places[key] { moves[key] += 1 }
                places[key] = place
            }
        }
        #expect(places == home)
        // Away when it starts, and back once: who was not there never moves.
        for key in 0..<200 { #expect(moves[key] <= (home[key] == 1 ? 2 : 0)) }
    }

    @Test(arguments: Algorithm.allCases)
    func `where all servers start or are silent, one is taken`(algorithm: Algorithm) {
        let table = self.table(3)
        var balancer = Balancer(algorithm, weights([1, 1, 1]), seed: 7)
        var random = RandomSource(seed: 8)
        table.started(0, at: self.start)
        table.setStalled(1, since: self.start)
        table.setAdminState(.maintenance, 2)
        for key in 0..<200 {
            let picked = self.place(key, table, &balancer, &random, self.start)
            #expect(picked == 0 || picked == 1)
        }
        table.setDown(true, 0)
        #expect(self.place(0, table, &balancer, &random, self.start) == 1)
        table.setDown(true, 1)
        #expect(self.place(0, table, &balancer, &random, self.start) == nil)
    }

    @Test(arguments: Algorithm.allCases)
    func `newcomers stay away from a silent server`(algorithm: Algorithm) {
        let table = self.table(4)
        var balancer = Balancer(algorithm, weights([1, 1, 1, 1]), seed: 9)
        var random = RandomSource(seed: 10)
        table.setStalled(3, since: self.start)
        for key in 0..<500 {
            #expect(self.place(key, table, &balancer, &random, self.start) != 3)
        }
        table.answered(3, after: .seconds(3), at: self.start)
        // In use again with its first byte. (`least-time` has seen how slow it was.)
        let isBack = (0..<500).contains {
            self.place($0, table, &balancer, &random, self.start) == 3
        }
        #expect(isBack || algorithm == .leastTime)
    }

    private func place(
        _ key: Int,
        _ table: ServerPoolTable,
        _ balancer: inout Balancer,
        _ random: inout RandomSource,
        _ now: Instant
    ) -> Int? {
        let hash = UInt64(key) &* 0x9E37_79B9_7F4A_7C15
        return balancer.pick(
            from: table,
            key: PickKey(sourceHash: hash, urlHash: hash),
            tried: TriedServers(),
            now: now,
            random: &random
        )
    }

    private func table(_ count: Int) -> ServerPoolTable {
        let table = ServerPoolTable(
            weights: weights(Array(repeating: 1, count: count)),
            openMax: Array(repeating: 0, count: count),
            ejection: EjectionPolicy()
        )
        table.setSlowStart(.seconds(10))
        return table
    }
}
