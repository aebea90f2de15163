import BelayBalancing
import BelayCore
import Testing

@Suite struct LevelPolicyTests {
    private let start = Instant(nanoseconds: 50_000_000_000)

    struct Case: CustomTestStringConvertible {
        let bound: [Int]
        var weights: [Int]?
        /// The servers that may be picked; none: the algorithm decides.
        let expected: Set<Int>

        var testDescription: String { "\(self.bound) by \(self.weights ?? [])" }
    }

    @Test(arguments: [
        Case(bound: [0, 0, 0], expected: []),
        Case(bound: [125, 125, 125, 125], expected: []),
        Case(bound: [0, 125, 125, 125], expected: [0]),
        Case(bound: [125, 60, 125, 40], expected: [3]),
        Case(bound: [0, 125, 0, 125], expected: [0, 2]),
        // Small counts are levelled to the client, large ones to a 500th.
        Case(bound: [1, 2, 2], expected: [0]),
        Case(bound: [2_008, 2_010, 2_010], expected: []),
        Case(bound: [1_960, 2_010, 2_010], expected: [0]),
        // By weight: 50 for each unit, but for the last.
        Case(bound: [100, 50, 20], weights: [2, 1, 1], expected: [2]),
        Case(bound: [100, 50, 50], weights: [2, 1, 1], expected: []),
        Case(bound: [80, 50, 50], weights: [2, 1, 1], expected: [0]),
        Case(bound: [90, 0], weights: [1, 0], expected: []),
        Case(bound: [7], expected: []),
    ])
    func `the server that is clearly behind`(given: Case) {
        let table = self.table(given.bound, given.weights)
        var random = RandomSource(seed: 1)
        var picked: Set<Int> = []
        for _ in 0..<100 {
            guard let server = self.pick(table, &random) else { continue }
            picked.insert(server)
        }
        #expect(picked == given.expected)
    }

    @Test func `all newcomers go to a server that lost its clients until it is level`() {
        let table = self.table([0, 125, 125, 125])
        var random = RandomSource(seed: 2)
        for _ in 0..<36 {
            #expect(self.pick(table, &random) == 0)
            table.boundSoon(0)
        }
        while let server = self.pick(table, &random) {
            #expect(server == 0)
            table.boundSoon(server)
        }
        #expect((123...126).contains(table.bound(0)))
    }

    @Test func `in slow start it fills up step by step`() {
        let table = self.table([0, 125, 125, 125])
        table.setSlowStart(.seconds(10))
        table.started(0, at: self.start)
        var random = RandomSource(seed: 3)
        // A tenth of the mean at once, then more and more; 12 newcomers a second.
        var atEmpty = 0
        for number in 0..<36 {
            let now = self.start + .milliseconds(Int64(number) * 1_000 / 12)
            guard let server = self.pick(table, &random, now) else { continue }
            #expect(server == 0)
            table.boundSoon(0)
            atEmpty += 1
        }
        #expect(atEmpty >= 30)
        #expect(Double(table.bound(0)) <= 0.4 * Double(375 + atEmpty) / 4 + 1)
        // Those who are moved on purpose don't wait for that.
        #expect(self.pick(table, &random, ignoresStart: true) == 0)
    }

    @Test func `servers that take no newcomers are not levelled, and don't count`() {
        let table = self.table([0, 0, 0, 0, 0, 90, 100, 100])
        table.setAdminState(.draining, 0)
        table.setDown(true, 1)
        table.setWeight(.zero, 2)
        table.setMembership(.leaving, 3)
        table.setMembership(.removed, 4)
        var random = RandomSource(seed: 4)
        #expect(self.pick(table, &random) == 5)
        table.setBound(100, 5)
        #expect(self.pick(table, &random) == nil)
        // One that is silent is not picked, but belongs to those who share.
        table.setBound(10, 5)
        table.setStalled(5, since: self.start)
        #expect(self.pick(table, &random) == nil)
        table.clearStalled(5)
        var tried = TriedServers()
        tried.insert(5)
        let picked = LevelPolicy.pick(table, now: self.start, tried: tried, random: &random)
        #expect(picked == nil)
    }

    @Test func `workers that level at the same time don't flood`() async {
        let table = self.table([0, 125, 125, 125])
        let now = self.start
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    var random = RandomSource(seed: UInt64(worker))
                    for number in 0..<100 {
                        let server = LevelPolicy.pick(
                            table,
                            now: now,
                            tried: TriedServers(),
                            random: &random
                        )
                        table.boundSoon(server ?? number % 4)
                    }
                }
            }
        }
        let bound = (0..<4).map(table.bound)
        #expect(bound.reduce(0, +) == 775)
        #expect(bound.allSatisfy { (184...204).contains($0) }, "\(bound)")
    }

    @Test func `of many servers the emptiest are found soon`() {
        var bound = Array(repeating: 100, count: 1_000)
        bound[777] = 0
        let table = self.table(bound)
        var random = RandomSource(seed: 5)
        var newcomers = 0
        while table.bound(777) < 90, newcomers < 10_000 {
            newcomers += 1
            guard let server = self.pick(table, &random) else { continue }
            table.boundSoon(server)
        }
        // One in sixteen sees it.
        #expect(newcomers < 3_000)
        #expect((0..<1_000).allSatisfy { $0 == 777 || table.bound($0) <= 104 })
    }

    private func pick(
        _ table: ServerPoolTable,
        _ random: inout RandomSource,
        _ now: Instant? = nil,
        ignoresStart: Bool = false
    ) -> Int? {
        LevelPolicy.pick(
            table,
            now: now ?? self.start,
            tried: TriedServers(),
            ignoresStart: ignoresStart,
            random: &random
        )
    }

    private func table(_ bound: [Int], _ given: [Int]? = nil) -> ServerPoolTable {
        let table = ServerPoolTable(
            weights: weights(given ?? bound.map { _ in 1 }),
            openMax: bound.map { _ in 0 },
            ejection: EjectionPolicy()
        )
        for (server, clients) in bound.enumerated() { table.setBound(clients, server) }
        return table
    }
}
