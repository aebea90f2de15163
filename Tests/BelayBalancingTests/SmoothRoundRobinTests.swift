import BelayBalancing
import BelayCore
import BelayTestSupport
import Testing

@Suite struct SmoothRoundRobinTests {
    @Test(arguments: [
        ([5, 1, 1], "aabacaa"),
        ([1, 1, 1], "abcabc"),
        ([3, 2, 1], "abacba"),
        ([2, 1], "aba"),
        ([4, 2, 3], "acbacabca"),
        ([0, 2, 1], "bcb"),
        ([7], "aaaa"),
        // The same shares as 5, 1, 1, in the same order.
        ([50, 10, 10], "aabacaaaabacaa"),
    ])
    func `turns interleave smoothly`(weights: [Int], turns: String) {
        let pool = ModelServerPool(weights: weights)
        var balancer = SmoothRoundRobin(weights: pool.weights)
        #expect(balancer.turns(turns.count, pool) == turns)
    }

    @Test func `the order is that of the plain algorithm`() {
        // What nginx does, literally: raise all, take the highest, lower it by the sum.
        for seed in 0..<20 {
            var random = RandomSource(seed: UInt64(seed))
            let weights = (0..<(1 + random.below(8))).map { _ in 1 + random.below(6) }
            let pool = ModelServerPool(weights: weights)
            var balancer = SmoothRoundRobin(weights: pool.weights)
            var credits = weights.map { _ in 0 }
            for _ in 0..<200 {
                for server in weights.indices { credits[server] += weights[server] }
                let expected = weights.indices.max {
                    (credits[$0], -$0) < (credits[$1], -$1)
                }
                if let expected { credits[expected] -= weights.reduce(0, +) }
                #expect(balancer.pick(pool) == expected)
            }
        }
    }

    @Test func `workers start at different places and keep the order`() {
        let pool = ModelServerPool(weights: [5, 1, 1])
        var starts = Set<String>()
        for seed in 0..<50 {
            var balancer = SmoothRoundRobin(weights: pool.weights, seed: UInt64(seed))
            let turns = balancer.turns(7, pool)
            #expect("aabacaaaabacaa".contains(turns))
            starts.insert(turns)
        }
        #expect(starts.count == 7)
    }

    @Test func `the others share the turns of a server that is passed over`() {
        let pool = ModelServerPool(weights: [5, 1, 2])
        var balancer = SmoothRoundRobin(weights: pool.weights)
        pool.passedOver[0] = .ejected
        #expect(balancer.turns(9, pool) == "cbccbccbc")
    }

    @Test func `a server that returns is owed one turn at most`() {
        let pool = ModelServerPool(weights: [1, 1, 1])
        var balancer = SmoothRoundRobin(weights: pool.weights)
        pool.passedOver[1] = .full
        _ = balancer.turns(1_000, pool)
        pool.passedOver[1] = .no
        let turns = balancer.turns(9, pool)
        #expect(turns.prefix(3).contains("b"))
        #expect(!turns.contains("bb"))
        #expect(turns.filter { $0 == "b" }.count <= 4)
    }

    @Test func `a server that is often full gets no more than its share and keeps most of it`() {
        let pool = ModelServerPool(weights: [3, 3, 1])
        var balancer = SmoothRoundRobin(weights: pool.weights)
        var picks = [0, 0, 0]
        for number in 0..<70_000 {
            pool.passedOver[0] = number % 2 == 0 ? .full : .no
            if let server = balancer.pick(pool) { picks[server] += 1 }
        }
        // Three sevenths of all turns are 30,000, of those in which it is free 15,000.
        #expect((20_000...30_000).contains(picks[0]), "\(picks)")
        #expect((5 * picks[2] / 2...7 * picks[2] / 2).contains(picks[1]), "\(picks)")
    }

    @Test func `nobody loses a turn when all come and go`() {
        let pool = ModelServerPool(weights: [1, 1])
        var balancer = SmoothRoundRobin(weights: pool.weights)
        pool.passedOver = [.full, .full]
        #expect(balancer.pick(pool) == nil)
        pool.passedOver = [.no, .no]
        #expect(balancer.turns(4, pool).filter { $0 == "a" }.count == 2)
    }

    @Test func `with half of 1,000 servers away a pick asks few questions`() {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 1_000))
        for server in stride(from: 0, to: 1_000, by: 2) { pool.passedOver[server] = .ejected }
        var balancer = SmoothRoundRobin(weights: pool.weights)
        // The first round finds out who is away.
        for _ in 0..<500 { _ = balancer.pick(pool) }
        let before = pool.questions
        for _ in 0..<500 { _ = balancer.pick(pool) }
        #expect(pool.questions - before <= 3 * 500)
    }

    @Test func `a server whose weight was 0 is found by a view that has a weight for it`() {
        let pool = ModelServerPool(weights: [1, 0])
        var balancer = SmoothRoundRobin(weights: pool.weights)
        pool.passedOver = [.draining, .no]
        #expect(balancer.pick(pool) == 1)
    }
}

extension SmoothRoundRobin {
    /// The next turns, a letter for each server; `-` for nobody.
    fileprivate mutating func turns(_ count: Int, _ pool: ModelServerPool) -> String {
        var turns = ""
        for _ in 0..<count {
            guard let server = self.pick(pool) else {
                turns += "-"
                continue
            }
            turns += String("abcdefgh".dropFirst(server).prefix(1))
        }
        return turns
    }
}
