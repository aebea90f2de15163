import BelayBalancing
import BelayCore
import BelayTestSupport
import Testing

@Suite struct LeastTimeTests {
    @Test(arguments: [
        // Latency alone, load alone, and one against the other.
        ([1, 1], [1, 2], [0, 0], 0),
        ([1, 1], [2, 2], [5, 4], 1),
        ([1, 1], [10, 2], [0, 3], 1),
        ([1, 1], [10, 2], [0, 5], 0),
        // Twice the weight carries twice the waiting requests.
        ([1, 3], [2, 2], [2, 5], 1),
        // The scale of weights means nothing.
        ([50, 150], [2, 2], [2, 5], 1),
        // Unknown: tried at once while nothing is open, then left alone.
        ([1, 1], [1, 0], [0, 0], 1),
        ([1, 1], [1, 0], [9, 1], 0),
        ([1, 1], [0, 0], [2, 1], 1),
    ])
    func `of two servers the one that is likely to answer sooner`(
        weights: [Int],
        milliseconds: [Int64],
        open: [Int],
        expected: Int
    ) {
        let pool = ModelServerPool(weights: weights)
        pool.latencies = milliseconds.map { .milliseconds($0) }
        pool.open = open
        let picks = self.picks(1_000, pool)
        // The other is picked only when all draws hit it.
        #expect(picks[expected] > 930 || weights != [1, 1])
        #expect(picks[expected] > 650, "\(picks)")
    }

    @Test func `the fastest of many gets more than its share, and not everything`() {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 10))
        pool.latencies[0] = .microseconds(10)
        let picks = self.picks(10_000, pool)
        // It is one of the two that are drawn in a fifth of the picks.
        #expect((1_800...2_300).contains(picks[0]), "\(picks)")
    }

    @Test func `a new server is probed by one request, not flooded`() {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 5))
        pool.latencies[2] = .zero
        var balancer = LeastTime(weights: pool.weights)
        var random = RandomSource(seed: 1)
        // Nothing ends: the new server does not answer.
        for _ in 0..<200 {
            if let server = self.pick(&balancer, pool, &random) { pool.open[server] += 1 }
        }
        // Only when both draws hit it, which a redraw makes rare.
        #expect((1...4).contains(pool.open[2]), "\(pool.open)")
    }

    @Test func `a pool of which nothing is known is balanced by open requests`() {
        let pool = ModelServerPool(weights: [1, 1, 2])
        pool.latencies = [.zero, .zero, .zero]
        var balancer = LeastTime(weights: pool.weights)
        var random = RandomSource(seed: 1)
        for _ in 0..<400 {
            if let server = self.pick(&balancer, pool, &random) { pool.open[server] += 1 }
        }
        #expect(abs(pool.open[0] - 100) <= 10 && abs(pool.open[2] - 200) <= 15, "\(pool.open)")
    }

    @Test func `two workers with the same news don't send everything to the same server`() {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 10))
        pool.latencies = (0..<10).map { .milliseconds(Int64($0) + 1) }
        var workers = [LeastTime(weights: pool.weights), LeastTime(weights: pool.weights)]
        var random = [RandomSource(seed: 1), RandomSource(seed: 2)]
        var meetings = 0
        for _ in 0..<1_000 {
            let first = self.pick(&workers[0], pool, &random[0])
            let second = self.pick(&workers[1], pool, &random[1])
            if first == second { meetings += 1 }
        }
        // The sum over servers of ((2k + 1) / 100)^2 is 0.133; with the minimum it would be 1.
        #expect(meetings < 200)
    }

    private func picks(_ count: Int, _ pool: ModelServerPool) -> [Int] {
        var balancer = LeastTime(weights: pool.weights)
        var random = RandomSource(seed: 7)
        var picks = Array(repeating: 0, count: pool.count)
        for _ in 0..<count {
            if let server = self.pick(&balancer, pool, &random) { picks[server] += 1 }
        }
        return picks
    }

    private func pick(
        _ balancer: inout LeastTime,
        _ pool: ModelServerPool,
        _ random: inout RandomSource
    ) -> Int? {
        balancer.pick(pool, now: Instant(nanoseconds: 0), random: &random)
    }
}
