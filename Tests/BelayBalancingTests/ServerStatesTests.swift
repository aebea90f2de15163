import BelayBalancing
import BelayCore
import Testing

/// What becomes of a server in the table: whether it belongs to the pool, what its agent says,
/// panic, a new life of its row.
@Suite struct ServerStatesTests {
    private let start = Instant(nanoseconds: 50_000_000_000)
    private let tried = TriedServers()

    // MARK: Members

    @Test(arguments: [
        (Membership.present, PassOver.no, PassOver.no),
        (.leaving, .leaving, .no),
        (.removed, .removed, .removed),
    ])
    func `who is taken by a server that leaves`(
        membership: Membership,
        new: PassOver,
        bound: PassOver
    ) {
        let table = self.table(2)
        table.setMembership(membership, 1)
        #expect(table.membership(1) == membership)
        #expect(table.passOver(1, at: self.start, tried: self.tried) == new)
        #expect(table.passOverBound(1, at: self.start, tried: self.tried) == bound)
        #expect(table.passOver(0, at: self.start, tried: self.tried) == .no)
        // Nothing else that was set is touched, and it may come back.
        #expect(table.weight(1) == .one)
        table.setMembership(.present, 1)
        #expect(table.passOver(1, at: self.start, tried: self.tried) == .no)
    }

    @Test func `servers are added while others use the table as it was`() throws {
        let table = ServerPoolTable(
            weights: weights([1, 2]),
            openMax: [0, 0],
            ejection: EjectionPolicy(),
            capacity: 4
        )
        #expect(table.requestOpened(1))
        let grown = try #require(table.adding(weight: .maximum, openMax: 7))
        #expect((table.count, grown.count) == (2, 3))
        #expect(grown.weight(2) == .maximum)
        #expect(grown.openMax(2) == 7)
        #expect(grown.openRequests(1) == 1)
        table.requestClosed(1)
        #expect(grown.openRequests(1) == 0)
        table.setDown(true, 0)
        #expect(grown.isDown(0))
        let full = try #require(grown.adding(weight: .one, openMax: 0))
        #expect(full.adding(weight: .one, openMax: 0) == nil)
        #expect(full.count == full.capacity)
    }

    @Test func `a table may have many more rows than servers`() {
        let table = ServerPoolTable(
            weights: weights([1]),
            openMax: [0],
            ejection: EjectionPolicy(),
            capacity: 65_535
        )
        #expect(table.capacity == 65_535)
        #expect(table.passOver(0, at: self.start, tried: self.tried) == .no)
        #expect(table.updatePanic(threshold: 0.5, at: self.start) == false)
    }

    @Test func `a row's new life begins with nothing of the old one`() {
        let table = self.table(3)
        table.setSlowStart(.seconds(10))
        for _ in 0..<5 { _ = table.requestFailed(1, at: self.start) }
        for server in [1, 2] {
            table.setDown(true, server)
            table.setStalled(server, since: self.start)
            table.started(server, at: self.start)
            table.setBound(9, server)
            table.answered(server, after: .seconds(1), at: self.start)
            table.setAgentWord((state: .draining, percent: 50), server)
            table.setMoving(rate: 5, limit: 3, server, at: self.start)
            table.noteAnswer(isFailure: true, after: nil, server)
        }
        table.setMembership(.removed, 1)
        table.recycle(1)
        table.setMembership(.present, 1)
        #expect(table.health(1, at: self.start) == .up)
        #expect(table.passOver(1, at: self.start, tried: self.tried, draw: 1) == .no)
        #expect(table.adminState(1) == .ready)
        #expect(table.bound(1) == 0)
        #expect(table.ejections(1) == 0)
        #expect(table.latency(1) == self.table(1).latency(0))
        #expect(!table.givesAway(1))
        #expect(table.traffic(1).answers == 0)
        // The place of its ejection is free: two of three may not be ejected.
        for _ in 0..<5 { _ = table.requestFailed(0, at: self.start) }
        #expect(table.health(0, at: self.start) == .ejected)
        #expect(table.bound(2) == 9)
    }

    @Test func `a new address says nothing of what the old one did`() {
        let table = self.table(2)
        table.setWeight(.maximum, 1)
        for _ in 0..<5 { _ = table.requestFailed(1, at: self.start) }
        table.setDown(true, 1)
        table.setAgentWord((state: .maintenance, percent: 10), 1)
        table.setBound(9, 1)
        table.resetHealth(1)
        #expect(table.health(1, at: self.start) == .up)
        #expect(table.adminState(1) == .ready)
        #expect(table.weight(1) == .maximum)
        #expect(table.passOver(1, at: self.start, tried: self.tried) == .no)
        // Its clients are still its own.
        #expect(table.bound(1) == 9)
        for _ in 0..<5 { _ = table.requestFailed(0, at: self.start) }
        #expect(table.health(0, at: self.start) == .ejected)
    }

    // MARK: A person's word and an agent's

    @Test(arguments: Algorithm.allCases)
    func `a balancer follows the weights of agents`(algorithm: Algorithm) {
        let table = self.table(2)
        table.setWeight(.maximum, 0)
        table.setWeight(.maximum, 1)
        let given = weights([256, 256])
        var balancer = Balancer(algorithm, given, seed: 1)
        var random = RandomSource(seed: 2)
        table.setAgentWord((state: .ready, percent: 25), 0)
        balancer.weightsChanged((0..<2).map(table.weight))
        var picks = [0, 0]
        for _ in 0..<5_000 {
            let hash = random.next()
            let key = PickKey(sourceHash: hash, urlHash: hash)
            let picked = balancer.pick(
                from: table,
                key: key,
                tried: self.tried,
                now: self.start,
                random: &random
            )
            if let picked { picks[picked] += 1 }
        }
        // A fifth.
        #expect((800...1_200).contains(picks[0]), "\(picks)")
    }

    @Test func `a person and an agent who speak at the same time are both heard`() async {
        let table = self.table(1)
        for round in 0..<200 {
            let state = AdminState.allCases[round % 3]
            let word = AdminState.allCases[round / 3 % 3]
            await withTaskGroup(of: Void.self) { group in
                group.addTask { table.setAdminState(state, 0) }
                group.addTask { table.setAgentWord((state: word, percent: round % 101), 0) }
                group.addTask { table.setWeight(.maximum, 0) }
            }
            #expect(table.adminState(0).rawValue == max(state.rawValue, word.rawValue))
            #expect(table.adminStateSet(0) == state)
            #expect(table.weightSet(0) == .maximum)
        }
    }

    // MARK: Panic

    @Test func `with too few usable servers health is ignored, until enough are back`() {
        let table = self.table(5)
        table.setAdminState(.maintenance, 4)
        #expect(!table.updatePanic(threshold: 0.5, at: self.start))
        table.setDown(true, 0)
        for _ in 0..<5 { _ = table.requestFailed(1, at: self.start) }
        // Two of four are as many as it needs.
        #expect(!table.updatePanic(threshold: 0.5, at: self.start))
        table.setDown(true, 2)
        #expect(table.updatePanic(threshold: 0.5, at: self.start))
        #expect(!table.updatePanic(threshold: 0.5, at: self.start), "it is known already")
        #expect(table.isPanicking)
        for server in 0..<4 {
            #expect(table.passOver(server, at: self.start, tried: self.tried) == .no)
            #expect(table.passOverBound(server, at: self.start, tried: self.tried) == .no)
        }
        // What a person said is no matter of health.
        #expect(table.passOver(4, at: self.start, tried: self.tried) == .maintenance)
        #expect(table.isDown(0), "what was found stays known")
        table.setDown(false, 0)
        #expect(table.updatePanic(threshold: 0.5, at: self.start))
        #expect(table.passOver(1, at: self.start, tried: self.tried) == .ejected)
        #expect(table.passOver(2, at: self.start, tried: self.tried) == .down)
    }

    @Test func `without a threshold there is no panic`() {
        let table = self.table(2)
        table.setDown(true, 0)
        table.setDown(true, 1)
        #expect(!table.updatePanic(threshold: 0, at: self.start))
        #expect(table.updatePanic(threshold: 0.1, at: self.start))
        #expect(table.updatePanic(threshold: 0, at: self.start))
        #expect(!table.isPanicking)
    }

    // MARK: Silence

    @Test func `a silent server keeps its clients and gets no others`() {
        let table = self.table(2)
        table.setStalled(1, since: self.start)
        #expect(table.isStalled(1))
        #expect(table.passOver(1, at: self.start, tried: self.tried) == .stalled)
        #expect(table.passOverBound(1, at: self.start, tried: self.tried) == .no)
        table.answered(1, after: .seconds(3), at: self.start)
        #expect(!table.isStalled(1))
        #expect(table.passOver(1, at: self.start, tried: self.tried) == .no)
    }

    struct Silence: CustomTestStringConvertible {
        var waiting = 1
        /// Milliseconds before now.
        var heard: Int64 = 10_000
        var waitingFor: Int64 = 501
        var latency: Int64 = 0
        let isStalled: Bool

        var testDescription: String {
            "\(self.waiting) waiting for \(self.waitingFor) ms, heard \(self.heard) ms ago"
        }
    }

    @Test(arguments: [
        Silence(isStalled: true),
        Silence(waitingFor: 500, isStalled: false),
        Silence(waiting: 0, isStalled: false),
        Silence(heard: 500, waitingFor: 5_000, isStalled: false),
        Silence(heard: 501, waitingFor: 5_000, isStalled: true),
        // It is slow, and always was.
        Silence(waitingFor: 3_000, latency: 1_000, isStalled: false),
        Silence(waitingFor: 3_001, latency: 1_000, isStalled: true),
        Silence(waitingFor: 501, latency: 10, isStalled: true),
    ])
    func `when a server counts as silent`(given: Silence) {
        let isStalled = StallPolicy.isStalled(
            waiting: given.waiting,
            heardAt: self.start + .milliseconds(-given.heard),
            waitingSince: self.start + .milliseconds(-given.waitingFor),
            latency: .milliseconds(given.latency),
            now: self.start,
            after: .milliseconds(500)
        )
        #expect(isStalled == given.isStalled)
    }

    private func table(_ count: Int) -> ServerPoolTable {
        ServerPoolTable(
            weights: weights(Array(repeating: 1, count: count)),
            openMax: Array(repeating: 0, count: count),
            ejection: EjectionPolicy()
        )
    }
}
