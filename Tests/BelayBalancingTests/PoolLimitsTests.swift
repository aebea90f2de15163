import BelayBalancing
import BelayCore
import Testing

/// What a pool allows all its servers together: requests, retries, ejections, moves at a rate.
@Suite struct PoolLimitsTests {
    private let start = Instant(nanoseconds: 50_000_000_000)

    // MARK: Requests and retries

    @Test(arguments: [(0, true), (5, false), (6, true)])
    func `a pool has room for so many requests`(requestsMax: Int, hasRoom: Bool) {
        let table = self.table(3)
        for number in 0..<5 { #expect(table.requestOpened(number % 3)) }
        #expect(table.openInPool == 5)
        #expect(table.hasRoom(requestsMax: requestsMax) == hasRoom)
        table.requestClosed(0)
        #expect(table.hasRoom(requestsMax: requestsMax))
    }

    @Test(arguments: [(0, 3), (10, 3), (15, 3), (20, 4), (100, 20)])
    func `retries are a part of the open requests, and some in any case`(open: Int, max: Int) {
        let table = self.table(2)
        for number in 0..<open { #expect(table.requestOpened(number % 2)) }
        var begun = 0
        while begun < 1_000, table.retryBegan(budget: 0.2, min: 3) { begun += 1 }
        #expect(begun == max)
        table.retryEnded()
        #expect(table.retryBegan(budget: 0.2, min: 3))
        #expect(!table.retryBegan(budget: 0.2, min: 3))
    }

    @Test func `workers that retry at the same time keep the budget`() async {
        let table = self.table(1)
        for _ in 0..<50 { #expect(table.requestOpened(0)) }
        let begun = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    (0..<100).filter { _ in table.retryBegan(budget: 0.2, min: 0) }.count
                }
            }
            return await group.reduce(0, +)
        }
        // Some may be refused while another one that is refused is counted.
        #expect((1...10).contains(begun))
        for _ in 0..<begun { table.retryEnded() }
        #expect((0..<20).filter { _ in table.retryBegan(budget: 0.2, min: 0) }.count == 10)
    }

    // MARK: Outliers

    @Test func `a server that is worse than the others is ejected as one that failed`() {
        let table = self.table(4)
        #expect(table.ejectOutlier(1, at: self.start) == .ejected(.seconds(10)))
        #expect(table.health(1, at: self.start) == .ejected)
        #expect(table.ejectOutlier(1, at: self.start) == nil, "it is known already")
        #expect(table.ejectOutlier(2, at: self.start) == .ejected(.seconds(10)))
        #expect(table.ejectOutlier(3, at: self.start) == nil, "half of the pool, no more")
        // On probation, and no better: for twice as long.
        let later = self.start + .seconds(10)
        #expect(table.ejectOutlier(1, at: later) == .ejected(.seconds(20)))
        #expect(table.ejections(1) == 2)
        // Its failures count for the same row.
        #expect(table.requestFailed(1, at: self.start + .seconds(30)) == .ejected(.seconds(40)))
    }

    @Test func `where ejection is switched off, outliers stay too`() {
        let table = self.table(4, EjectionPolicy(ejectShare: 0))
        #expect(table.ejectOutlier(1, at: self.start) == nil)
        #expect(self.table(1).ejectOutlier(0, at: self.start) == nil, "the last one never")
    }

    @Test func `answers are counted, and those that failed`() {
        let table = self.table(2)
        for number in 0..<10 {
            table.noteAnswer(isFailure: number % 4 == 0, after: .milliseconds(8), 1)
        }
        #expect(table.traffic(1).answers == 10)
        #expect(table.traffic(1).failures == 3)
        #expect(table.traffic(0).answers == 0)
    }

    @Test func `a server that accepts again is forgiven, once, and starts slowly`() {
        let table = self.table(4)
        table.setSlowStart(.seconds(10))
        #expect(table.forgive(1, at: self.start) == nil, "it did nothing")
        for _ in 0..<5 { _ = table.requestFailed(1, at: self.start) }
        table.noteRefused(true, 1)
        #expect(table.isEjectedForRefusing(1, at: self.start))
        #expect(table.forgive(1, at: self.start) == .returned)
        #expect(table.forgive(1, at: self.start) == nil)
        #expect(!table.isEjectedForRefusing(1, at: self.start))
        #expect(table.health(1, at: self.start) == .up)
        #expect(table.isStarting(1, at: self.start))
        for server in 2..<4 {
            #expect(table.ejectOutlier(server, at: self.start) != nil, "its place is free")
        }
        for _ in 0..<4 { #expect(table.requestFailed(1, at: self.start) == nil) }
    }

    // MARK: Moves

    @Test func `workers that give away at the same time keep the limit`() async {
        let table = self.table(1)
        table.setMoving(rate: 1_000, limit: 77, 0, at: self.start)
        let start = self.start
        let moved = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    (0..<1_000).filter { number in
                        let now = start + .milliseconds(Int64(number))
                        return table.mayMove(0, idleFor: .minutes(1), now: now)
                    }.count
                }
            }
            return await group.reduce(0, +)
        }
        #expect(moved == 77)
        #expect(table.movesLeft(0) == 0)
    }

    private func table(
        _ count: Int,
        _ policy: EjectionPolicy = EjectionPolicy()
    ) -> ServerPoolTable {
        ServerPoolTable(
            weights: weights(Array(repeating: 1, count: count)),
            openMax: Array(repeating: 0, count: count),
            ejection: policy
        )
    }
}
