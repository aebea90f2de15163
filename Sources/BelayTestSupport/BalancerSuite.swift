package import BelayBalancing
package import BelayCore

/// What the suite needs of a balancing algorithm. A test of the suite itself brings broken ones.
package protocol PickingAlgorithm {
    mutating func pick(
        _ view: some ServerPoolView,
        key: PickKey,
        now: Instant,
        random: inout RandomSource
    ) -> Int?
    func draw(_ key: PickKey, _ random: inout RandomSource) -> UInt32
    mutating func requestOpened(_ index: Int)
    mutating func requestClosed(_ index: Int)
    mutating func weightsChanged(_ weights: [Weight])
}

extension Balancer: PickingAlgorithm {}

/// The promises of a balancing algorithm. Every algorithm runs `run()`; the seeds are fixed, so a
/// broken promise is broken each time.
package struct BalancerSuite<Algorithm: PickingAlgorithm> {
    package enum Promise: String, Sendable {
        case picksOnlyServersThatMayBePicked
        case answersNilOnlyIfAllArePassedOver
        case followsWeightsWhenIdle
        case followsWeightsWhenBusy
        case followsWeightsThatChanged
        case servesReturnedServersTheirShare
        case servesStartingServersAPart
        case countsNoTurnsOfBoundClients
        case costsTheSameForManyServers
        case repeatsItselfForTheSameSeed
    }

    /// Which promise was broken, and how.
    package struct Broken: Error, CustomStringConvertible {
        package let promise: Promise
        package let description: String
    }

    private let make: ([Weight], _ seed: UInt64) -> Algorithm

    /// - Parameter make: a new balancer for servers of these weights.
    package init(_ make: @escaping ([Weight], _ seed: UInt64) -> Algorithm) { self.make = make }

    package func run() throws(Broken) {
        for count in [1, 2, 3, 10, 100] { try self.checkPassedOver(count) }
        try self.checkOneOfMany(10_000)
        let pools = [
            [1, 1, 1, 1], [5, 1, 1], [0, 3, 0, 1], [100, 200], [8, 4, 2, 1, 1], [256, 16],
        ]
        for weights in pools {
            try self.checkSharesWhenIdle(weights)
            try self.checkSharesWhenBusy(weights)
            try self.checkSharesAfterChange(weights)
        }
        try self.checkReturn()
        for weights in [[1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [3, 1, 2]] {
            for share in [0.1, 0.5] {
                try self.checkSlowStart(weights, share, open: 0)
                try self.checkSlowStart(weights, share, open: 200)
            }
        }
        try self.checkAllStarting()
        try self.checkBoundClients()
        try self.checkCost()
        try self.checkRepetition()
    }

    // MARK: The promises

    /// Servers come and go at random while requests open and close.
    private func checkPassedOver(_ count: Int) throws(Broken) {
        var chance = RandomSource(seed: UInt64(count))
        let weights = (0..<count).map { _ in chance.below(4) }
        let reasons = PassOver.allCases
        var run = self.begin(weights, seed: 1)
        for _ in 0..<2_000 {
            let changed = chance.below(count)
            if weights[changed] > 0 {
                let reason = reasons[chance.below(reasons.count)]
                run.pool.passedOver[changed] = chance.below(2) == 0 ? .no : reason
            }
            try run.pick(with: &chance)
            if chance.below(2) == 0 { run.closeOne(with: &chance) }
        }
    }

    /// Of many servers one may be picked, a different one each time.
    private func checkOneOfMany(_ count: Int) throws(Broken) {
        var chance = RandomSource(seed: 11)
        var run = self.begin(Array(repeating: 1, count: count), seed: 2)
        run.pool.passedOver = Array(repeating: .ejected, count: count)
        guard try run.pick(with: &chance) == nil else { return }
        for _ in 0..<10 {
            let only = chance.below(count)
            run.pool.passedOver[only] = .no
            try run.pick(with: &chance)
            run.pool.passedOver[only] = .draining
        }
    }

    /// One request at a time.
    private func checkSharesWhenIdle(_ weights: [Int]) throws(Broken) {
        var chance = RandomSource(seed: 3)
        var run = self.begin(weights, seed: 3)
        for _ in 0..<Self.picks {
            try run.pick(with: &chance)
            run.closeOne(with: &chance)
        }
        try run.checkShares(weights, slack: 0, .followsWeightsWhenIdle)
    }

    /// Many open requests, which end in no order, all servers being equally fast for their weight.
    private func checkSharesWhenBusy(_ weights: [Int]) throws(Broken) {
        var chance = RandomSource(seed: 4)
        var run = self.begin(weights, seed: 4)
        for _ in 0..<200 { try run.pick(with: &chance) }
        run.forgetPicks()
        for _ in 0..<Self.picks {
            run.closeOne(with: &chance)
            try run.pick(with: &chance)
        }
        // Algorithms that compare loads round them to whole requests.
        try run.checkShares(weights, slack: 0.02, .followsWeightsWhenBusy)
    }

    private func checkSharesAfterChange(_ weights: [Int]) throws(Broken) {
        var chance = RandomSource(seed: 5)
        var run = self.begin(weights, seed: 5)
        for _ in 0..<100 { try run.pick(with: &chance) }
        let changed = Array(weights.reversed())
        run.changeWeights(changed)
        for _ in 0..<100 { run.closeOne(with: &chance) }
        run.forgetPicks()
        for _ in 0..<Self.picks {
            try run.pick(with: &chance)
            run.closeOne(with: &chance)
        }
        try run.checkShares(changed, slack: 0, .followsWeightsThatChanged)
    }

    /// After a long absence a server gets its share: no flood, no famine.
    private func checkReturn() throws(Broken) {
        var chance = RandomSource(seed: 6)
        var run = self.begin(Array(repeating: 1, count: 10), seed: 6)
        run.pool.passedOver[3] = .ejected
        for _ in 0..<5_000 {
            try run.pick(with: &chance)
            run.closeOne(with: &chance)
        }
        run.pool.passedOver[3] = .no
        run.forgetPicks()
        for _ in 0..<200 {
            try run.pick(with: &chance)
            run.closeOne(with: &chance)
        }
        let picks = run.picks[3]
        // 20 are its share; 5 standard deviations of a binomial are 21.
        guard (4...41).contains(picks) else {
            throw Broken(
                promise: .servesReturnedServersTheirShare,
                description: "\(picks) of 200 picks for one server of 10 that returned"
            )
        }
    }

    /// A server in slow start, with requests at all times or none, gets its part of its share.
    private func checkSlowStart(
        _ weights: [Int],
        _ share: Double,
        open: Int
    ) throws(Broken) {
        var chance = RandomSource(seed: 9)
        var run = self.begin(weights, seed: 9)
        run.pool.startShares[0] = share
        for _ in 0..<open { try run.pick(with: &chance) }
        for _ in 0..<200 {
            run.closeOne(with: &chance)
            try run.pick(with: &chance)
        }
        run.forgetPicks()
        for _ in 0..<Self.picks / 2 {
            run.closeOne(with: &chance)
            try run.pick(with: &chance)
        }
        let part = share * Double(weights[0])
        let all = Double(weights.reduce(0, +))
        let picks = Double(Self.picks / 2)
        // Fair is the part of its share, and the share that a part of its weight makes. A factor of
        // one and a half: algorithms that compare loads round them to whole requests.
        let least = part / all * picks / 1.5
        let most = part / (all - Double(weights[0]) + part) * picks * 1.5
        guard (least...most).contains(Double(run.picks[0])) else {
            throw Broken(
                promise: .servesStartingServersAPart,
                description: "weights \(weights), \(open) open, the first at \(share): "
                    + "\(run.picks), not within \(Int(least))...\(Int(most))"
            )
        }
    }

    /// Where all servers start, all newcomers find one, and they share.
    private func checkAllStarting() throws(Broken) {
        var chance = RandomSource(seed: 10)
        var run = self.begin([1, 1, 1], seed: 10)
        run.pool.startShares = [0.1, 0.1, 0.1]
        for _ in 0..<Self.picks / 10 {
            try run.pick(with: &chance)
            run.closeOne(with: &chance)
        }
        let fair = Self.picks / 30
        guard run.picks.allSatisfy({ (fair / 2...fair * 2).contains($0) }) else {
            throw Broken(
                promise: .servesStartingServersAPart,
                description: "all three start: \(run.picks)"
            )
        }
    }

    /// Bound clients ask and ask again at one server, between newcomers, and no request lasts: all
    /// servers look equally idle, and newcomers are spread evenly.
    private func checkBoundClients() throws(Broken) {
        var chance = RandomSource(seed: 12)
        var run = self.begin([1, 1, 1, 1], seed: 12)
        for _ in 0..<Self.picks {
            for _ in 0..<5 {
                run.open(at: 2)
                run.closeOne(with: &chance)
            }
            try run.pick(with: &chance)
            run.closeOne(with: &chance)
        }
        try run.checkShares([1, 1, 1, 1], slack: 0, .countsNoTurnsOfBoundClients)
    }

    /// Among 10,000 servers about as many questions are asked as among 10.
    private func checkCost() throws(Broken) {
        let few = try self.questionsPerPick(10)
        let many = try self.questionsPerPick(10_000)
        guard many <= 1.5 * few + 2 else {
            throw Broken(
                promise: .costsTheSameForManyServers,
                description: "\(few) questions a pick among 10 servers, \(many) among 10,000"
            )
        }
    }

    private func questionsPerPick(_ count: Int) throws(Broken) -> Double {
        var chance = RandomSource(seed: 7)
        var run = self.begin((0..<count).map { $0 % 3 + 1 }, seed: 7)
        // A fifth is away, in the middle of traffic.
        for index in stride(from: 0, to: count, by: 5) { run.pool.passedOver[index] = .ejected }
        let before = run.pool.questions
        for _ in 0..<2_000 {
            try run.pick(with: &chance)
            if chance.below(10) > 0 { run.closeOne(with: &chance) }
        }
        return Double(run.pool.questions - before) / 2_000
    }

    private func checkRepetition() throws(Broken) {
        var traces: [[Int]] = []
        for _ in 0..<2 {
            var chance = RandomSource(seed: 8)
            var run = self.begin([3, 1, 2], seed: 8)
            for _ in 0..<500 {
                try run.pick(with: &chance)
                if chance.below(3) > 0 { run.closeOne(with: &chance) }
            }
            traces.append(run.trace)
        }
        guard traces[0] == traces[1] else {
            throw Broken(
                promise: .repeatsItselfForTheSameSeed,
                description: "two runs with the same seed differ"
            )
        }
    }

    // Limit: enough picks for shares to a percent, few enough for a debug build.
    private static var picks: Int { 10_000 }

    private func begin(_ weights: [Int], seed: UInt64) -> Run {
        let pool = ModelServerPool(weights: weights)
        return Run(pool: pool, algorithm: self.make(pool.weights, seed))
    }
}

extension BalancerSuite {
    /// One balancer at work on one pool.
    private struct Run {
        let pool: ModelServerPool
        var algorithm: Algorithm
        var picks: [Int]
        var trace: [Int] = []
        private var openOnes: [Int] = []
        private var now = Instant(nanoseconds: 0)

        init(pool: ModelServerPool, algorithm: Algorithm) {
            self.pool = pool
            self.algorithm = algorithm
            self.picks = Array(repeating: 0, count: pool.count)
        }

        /// A client comes, with a key of its own.
        @discardableResult
        mutating func pick(with chance: inout RandomSource) throws(Broken) -> Int? {
            self.now = self.now + .microseconds(50)
            let hash = chance.next()
            let key = PickKey(sourceHash: hash, urlHash: hash)
            let isSlow = self.pool.startShares.contains { $0 < 1 }
            self.pool.draw = isSlow ? self.algorithm.draw(key, &chance) : 0
            var picked = self.algorithm.pick(self.pool, key: key, now: self.now, random: &chance)
            if picked == nil, isSlow {
                // Servers in slow start are better than none.
                self.pool.draw = 0
                picked = self.algorithm.pick(self.pool, key: key, now: self.now, random: &chance)
            }
            guard let server = picked else {
                if !self.pool.isUsable { return nil }
                throw Broken(
                    promise: .answersNilOnlyIfAllArePassedOver,
                    description: "nil although a server of \(self.pool.count) may be picked"
                )
            }
            guard self.pool.passedOver.indices.contains(server),
                self.pool.passedOver[server] == .no
            else {
                throw Broken(
                    promise: .picksOnlyServersThatMayBePicked,
                    description: "picked server \(server) of \(self.pool.count)"
                )
            }
            self.open(at: server)
            self.picks[server] += 1
            self.trace.append(server)
            return server
        }

        /// A request goes to the server, picked or bound.
        mutating func open(at server: Int) {
            self.pool.open[server] += 1
            self.algorithm.requestOpened(server)
            self.openOnes.append(server)
        }

        /// One of the open requests ends, if there is one.
        mutating func closeOne(with chance: inout RandomSource) {
            guard !self.openOnes.isEmpty else { return }
            let place = chance.below(self.openOnes.count)
            let server = self.openOnes[place]
            self.openOnes[place] = self.openOnes[self.openOnes.count - 1]
            self.openOnes.removeLast()
            self.pool.open[server] -= 1
            self.algorithm.requestClosed(server)
        }

        mutating func changeWeights(_ weights: [Int]) {
            self.pool.weights = weights.map { Weight($0) ?? .one }
            self.pool.passedOver = weights.map { $0 == 0 ? .weightZero : .no }
            self.algorithm.weightsChanged(self.pool.weights)
        }

        mutating func forgetPicks() { self.picks = self.picks.map { _ in 0 } }

        /// Within five standard deviations of a draw by weight, and of as many hash slots.
        func checkShares(_ weights: [Int], slack: Double, _ promise: Promise) throws(Broken) {
            let sum = Double(weights.reduce(0, +))
            let all = Double(self.picks.reduce(0, +))
            for (server, weight) in weights.enumerated() {
                let expected = Double(weight) / sum
                let deviation = (expected * (1 - expected)).squareRoot()
                let bound = 5 * deviation * (1 / all.squareRoot() + 1 / 256) + slack
                let share = Double(self.picks[server]) / all
                guard abs(share - expected) <= bound else {
                    throw Broken(
                        promise: promise,
                        description: "weights \(weights), picks \(self.picks)"
                    )
                }
            }
        }
    }
}
