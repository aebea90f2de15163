import BelayBalancing
import BelayCore
import BelayTestSupport
import Testing

@Suite struct BalancerTests {
    // Both hash algorithms are one type, and slow to set up in a debug build: each is in one list.
    @Test(arguments: Algorithm.allCases.filter { $0 != .urlHash })
    func `every algorithm keeps the promises of a balancer`(algorithm: Algorithm) throws {
        try BalancerSuite { weights, seed in
            Balancer(algorithm, weights, seed: seed)
        }.run()
    }

    @Test(arguments: [.roundRobin, .leastConnections, .urlHash] as [Algorithm])
    func `a balancer for another worker keeps them too`(algorithm: Algorithm) throws {
        try BalancerSuite { weights, seed in
            Balancer(algorithm, weights, seed: seed + 1).forAnotherWorker(seed: seed)
        }.run()
    }

    @Test(arguments: Algorithm.allCases)
    func `the workers' table and a model of it get the same answers`(algorithm: Algorithm) {
        let model = ModelServerPool(weights: [1, 2, 0, 3])
        let table = ServerPoolTable(
            weights: model.weights,
            openMax: [0, 0, 0, 0],
            ejection: EjectionPolicy()
        )
        table.setAdminState(.draining, 1)
        model.passedOver[1] = .draining
        let now = Instant(nanoseconds: 0)
        for server in 0..<4 {
            table.answered(server, after: .milliseconds(1), at: now)
        }
        var left = Balancer(algorithm, model.weights, seed: 5)
        var right = left
        var random = (RandomSource(seed: 6), RandomSource(seed: 6))
        for number in 0..<200 {
            let key = PickKey(sourceHash: UInt64(number), urlHash: UInt64(number))
            let first = left.pick(model, key: key, now: now, random: &random.0)
            let second = right.pick(table.view(at: now), key: key, now: now, random: &random.1)
            #expect(first == second)
            guard let first else { continue }
            model.open[first] += 1
            #expect(table.requestOpened(first))
            left.requestOpened(first)
            right.requestOpened(first)
        }
    }

    @Test(arguments: Algorithm.allCases)
    func `a request that began before a reload may end after it`(algorithm: Algorithm) {
        let pool = ModelServerPool(weights: [1, 1])
        var balancer = Balancer(algorithm, pool.weights, seed: 1)
        var random = RandomSource(seed: 1)
        balancer.requestClosed(0)
        balancer.requestClosed(1)
        #expect(balancer.pick(pool, key: PickKey(), random: &random) != nil)
    }

    @Test(arguments: Algorithm.allCases)
    func `two workers don't crowd onto one server`(algorithm: Algorithm) {
        // Both see the same idle pool of 10 and pick at the same moment, 20 times with each of 100
        // pairs of seeds. If each drew by chance they would meet 200 times.
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 10))
        let prototype = Balancer(algorithm, pool.weights, seed: 1)
        var keys = RandomSource(seed: 3)
        var meetings = 0
        for pair in 0..<100 {
            var first = prototype.forAnotherWorker(seed: keys.next())
            var second = prototype.forAnotherWorker(seed: keys.next())
            var random = (RandomSource(seed: UInt64(pair)), RandomSource(seed: keys.next()))
            for _ in 0..<20 {
                let left = first.pick(pool, key: .random(&keys), random: &random.0)
                let right = second.pick(pool, key: .random(&keys), random: &random.1)
                if left == right { meetings += 1 }
            }
        }
        #expect(meetings < 400, "met \(meetings) times")
    }

    @Test(arguments: [.sourceHash, .urlHash] as [Algorithm])
    func `a hash algorithm reads its own key only`(algorithm: Algorithm) {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 8))
        var balancer = Balancer(algorithm, pool.weights, seed: 1)
        var random = RandomSource(seed: 1)
        var sources = Set<Int?>()
        var urls = Set<Int?>()
        for number in 0..<200 {
            let hash = UInt64(number)
            let source = PickKey(sourceHash: hash, urlHash: 0)
            let url = PickKey(sourceHash: 0, urlHash: hash)
            sources.insert(balancer.pick(pool, key: source, random: &random))
            urls.insert(balancer.pick(pool, key: url, random: &random))
        }
        #expect(sources.count == (algorithm == .sourceHash ? 8 : 1))
        #expect(urls.count == (algorithm == .urlHash ? 8 : 1))
    }
}

extension PickKey {
    /// A client that was never seen.
    static func random(_ random: inout RandomSource) -> PickKey {
        PickKey(sourceHash: random.next(), urlHash: random.next())
    }
}

extension Balancer {
    /// With names made up, and a load bound of a quarter.
    init(_ algorithm: Algorithm, _ weights: [Weight], seed: UInt64) {
        self.init(
            algorithm: algorithm,
            weights: weights,
            names: names(weights.count),
            loadBound: 1.25,
            seed: seed
        )
    }
}

extension Balancer {
    /// A pick at the beginning of time.
    mutating func pick(
        _ pool: ModelServerPool,
        key: PickKey,
        random: inout RandomSource
    ) -> Int? {
        self.pick(pool, key: key, now: Instant(nanoseconds: 0), random: &random)
    }
}

func names(_ count: Int) -> [ServerName] {
    (0..<count).compactMap { ServerName("server\($0)") }
}

func weights(_ values: [Int]) -> [Weight] { values.compactMap { Weight($0) } }
