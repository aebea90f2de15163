import BelayBalancing
import BelayCore
import BelayTestSupport
import Testing

@Suite struct LeastConnectionsTests {
    @Test(arguments: [
        ([1, 1, 1], [3, 1, 2], 1),
        ([1, 1, 1], [2, 2, 0], 2),
        ([1, 2], [2, 3], 1),
        ([1, 2], [1, 3], 0),
        ([4, 1], [3, 1], 0),
        ([256, 1], [255, 1], 0),
        ([1, 0, 1], [5, 0, 6], 0),
        ([1], [9], 0),
    ])
    func `the server with the fewest open requests for its weight`(
        weights: [Int],
        open: [Int],
        expected: Int
    ) {
        let pool = ModelServerPool(weights: weights)
        var balancer = LeastConnections(weights: pool.weights, seed: 1)
        balancer.open(open, pool)
        #expect(balancer.pick(pool) == expected)
    }

    @Test(arguments: [[1, 1, 1], [3, 1], [5, 1, 1]])
    func `idle servers take turns by weight`(weights: [Int]) {
        let pool = ModelServerPool(weights: weights)
        var balancer = LeastConnections(weights: pool.weights, seed: 1)
        var picks = weights.map { _ in 0 }
        for _ in 0..<(weights.reduce(0, +) * 10) {
            if let server = balancer.pick(pool) { picks[server] += 1 }
        }
        for (server, weight) in weights.enumerated() {
            #expect(abs(picks[server] - weight * 10) <= 1, "\(picks)")
        }
    }

    @Test func `it is always the best while the worker is alone`() {
        // Random traffic against a search through all servers.
        var random = RandomSource(seed: 9)
        let weights = (0..<37).map { _ in 1 + random.below(5) }
        let pool = ModelServerPool(weights: weights)
        var balancer = LeastConnections(weights: pool.weights, seed: 2)
        func load(_ server: Int) -> Double { Double(pool.open[server]) / Double(weights[server]) }
        for _ in 0..<3_000 {
            guard let server = balancer.pick(pool) else { return }
            let best = weights.indices.map(load).min() ?? 0
            #expect(load(server) == best)
            balancer.open(server, pool)
            while random.below(100) < 49 {
                let busy = pool.open.indices.filter { pool.open[$0] > 0 }
                guard let closed = busy.randomElement(using: &random) else { break }
                balancer.close(closed, pool)
            }
        }
    }

    @Test func `requests that another worker opened are seen before a server is picked`() {
        let pool = ModelServerPool(weights: [1, 1, 1, 1])
        var balancer = LeastConnections(weights: pool.weights, seed: 1)
        pool.open = [9, 9, 0, 9]
        #expect(balancer.pick(pool) == 2)
        pool.open = [9, 9, 9, 0]
        #expect(balancer.pick(pool) == 3)
    }

    @Test func `requests that another worker closed are seen within n / 2 picks`() {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 10))
        var balancer = LeastConnections(weights: pool.weights, seed: 1)
        pool.open = Array(repeating: 5, count: 10)
        for _ in 0..<5 { _ = balancer.pick(pool) }
        pool.open[7] = 0
        var picks: [Int?] = []
        for _ in 0..<5 { picks.append(balancer.pick(pool)) }
        #expect(picks.contains(7))
    }

    @Test func `two workers together keep the servers even`() {
        // They take turns, and each sees what the other counted when it reads the table.
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 10))
        var workers = [1, 2].map { LeastConnections(weights: pool.weights, seed: $0) }
        for number in 0..<400 {
            guard let server = workers[number % 2].pick(pool) else { continue }
            workers[number % 2].open(server, pool)
        }
        let highest = pool.open.max() ?? 0
        let lowest = pool.open.min() ?? 0
        #expect(highest - lowest <= 2, "\(pool.open)")
    }

    @Test func `a server that is passed over is not asked at each pick`() {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 100))
        var balancer = LeastConnections(weights: pool.weights, seed: 1)
        for server in 0..<99 { pool.passedOver[server] = .ejected }
        #expect(balancer.pick(pool) == 99)
        let before = pool.questions
        for _ in 0..<100 { #expect(balancer.pick(pool) == 99) }
        #expect(pool.questions - before <= 100 * 8)
    }

    @Test func `a full server is picked again as soon as a request of it ends`() {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 50))
        var balancer = LeastConnections(weights: pool.weights, seed: 1)
        for server in 0..<50 { balancer.open(server, pool) }
        pool.passedOver[20] = .full
        for _ in 0..<30 { _ = balancer.pick(pool) }
        balancer.close(20, pool)
        pool.passedOver[20] = .no
        #expect(balancer.pick(pool) == 20)
    }

    @Test func `when every estimate is too low a pick still asks a bounded number of questions`() {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 1_000))
        var balancer = LeastConnections(weights: pool.weights, seed: 1)
        pool.open = (0..<1_000).map { 1_000 - $0 }
        let before = pool.questions
        #expect(balancer.pick(pool) != nil)
        #expect(pool.questions - before <= 40)
    }
}

extension LeastConnections {
    /// Requests of this worker.
    fileprivate mutating func open(_ counts: [Int], _ pool: ModelServerPool) {
        for (server, count) in counts.enumerated() {
            for _ in 0..<count { self.open(server, pool) }
        }
    }

    fileprivate mutating func open(_ server: Int, _ pool: ModelServerPool) {
        pool.open[server] += 1
        self.requestOpened(server)
    }

    fileprivate mutating func close(_ server: Int, _ pool: ModelServerPool) {
        pool.open[server] -= 1
        self.requestClosed(server)
    }
}
