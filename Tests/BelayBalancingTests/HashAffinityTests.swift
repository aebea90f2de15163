import BelayBalancing
import BelayCore
import BelayTestSupport
import Testing

@Suite struct HashAffinityTests {
    /// Enough keys for shares to a percent.
    private static let keys = 20_000

    @Test(arguments: [
        [1, 1, 1], [1, 2, 5], [0, 1, 1], [256, 256, 64], Array(repeating: 1, count: 50),
    ])
    func `shares of keys follow the weights`(weights: [Int]) {
        let owners = Self.owners(Self.names(weights.count), weights)
        for (server, weight) in weights.enumerated() {
            let share = Double(owners.filter { $0 == server }.count) / Double(Self.keys)
            let expected = Double(weight) / Double(weights.reduce(0, +))
            #expect(abs(share - expected) <= 0.15 * expected, "server \(server): \(share)")
        }
    }

    @Test(arguments: [2, 3, 5, 10, 50])
    func `when one of n servers leaves, its keys move and no others`(count: Int) {
        let names = Self.names(count)
        let before = Self.owners(names, Array(repeating: 1, count: count))
        let after = Self.owners(Array(names.dropLast()), Array(repeating: 1, count: count - 1))
        var moved = 0
        for key in 0..<Self.keys where before[key] != after[key] {
            #expect(before[key] == count - 1)
            moved += 1
        }
        let share = Double(moved) / Double(Self.keys)
        #expect(share <= 1.2 / Double(count) && share >= 0.8 / Double(count), "\(share)")
    }

    @Test func `when one comes, keys move to it and to no other`() {
        let names = Self.names(10)
        let before = Self.owners(Array(names.dropLast()), Array(repeating: 1, count: 9))
        let after = Self.owners(names, Array(repeating: 1, count: 10))
        let moved = (0..<Self.keys).filter { before[$0] != after[$0] }
        #expect(moved.allSatisfy { after[$0] == 9 })
        #expect((1_600...2_400).contains(moved.count), "\(moved.count)")
    }

    @Test func `when a server gets less weight, some of its keys move and no others`() {
        let pool = ModelServerPool(weights: [4, 4, 4, 4])
        var balancer = Self.balancer(Self.names(4), pool.weights)
        let before = Self.owners(&balancer, pool)
        balancer.weightsChanged(weights([4, 1, 4, 4]))
        let after = Self.owners(&balancer, pool)
        let moved = (0..<Self.keys).filter { before[$0] != after[$0] }
        #expect(moved.allSatisfy { before[$0] == 1 })
        // From a quarter of the keys to a thirteenth.
        #expect((3_000...3_900).contains(moved.count), "\(moved.count)")
    }

    @Test func `the order of the servers does not matter`() {
        let names = Self.names(7)
        let weights = [1, 2, 3, 4, 5, 6, 7]
        let forward = Self.owners(names, weights)
        let backward = Self.owners(names.reversed(), weights.reversed())
        #expect(zip(forward, backward).allSatisfy { $0 == 6 - $1 })
    }

    @Test func `the keys of a server that is passed over spread over all others and come back`() {
        let pool = ModelServerPool(weights: [1, 1, 1, 1, 2])
        var balancer = Self.balancer(Self.names(5), pool.weights)
        let before = Self.owners(&balancer, pool)
        pool.passedOver[2] = .ejected
        let during = Self.owners(&balancer, pool)
        pool.passedOver[2] = .no
        let after = Self.owners(&balancer, pool)
        #expect(before == after)
        var taken = [0, 0, 0, 0, 0]
        for key in 0..<Self.keys where before[key] != during[key] {
            #expect(before[key] == 2)
            taken[during[key]] += 1
        }
        let all = Double(taken.reduce(0, +))
        for (server, share) in [0.2, 0.2, 0, 0.2, 0.4].enumerated() {
            #expect(abs(Double(taken[server]) / all - share) < 0.04, "\(taken)")
        }
    }

    @Test func `one key overloads no server beyond the bound`() {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 10))
        var balancer = Self.balancer(Self.names(10), pool.weights)
        for number in 1...1_000 {
            guard let server = balancer.pick(pool, key: 42) else { return }
            pool.open[server] += 1
            balancer.requestOpened(server)
            let bound = Swift.max((1.25 * Double(number) / 10).rounded(.up), 8)
            #expect(Double(pool.open[server]) <= bound)
        }
        #expect(pool.open.reduce(0, +) == 1_000)
    }

    @Test func `the bound follows weights and leaves those out that are passed over`() {
        let pool = ModelServerPool(weights: [1, 3, 4, 8])
        pool.passedOver[3] = .draining
        pool.open[3] = 5_000
        var balancer = Self.balancer(Self.names(4), pool.weights)
        for _ in 0..<2_000 {
            guard let server = balancer.pick(pool, key: 7) else { return }
            pool.open[server] += 1
            balancer.requestOpened(server)
        }
        for (server, weight) in [1.0, 3, 4].enumerated() {
            #expect(Double(pool.open[server]) <= (1.25 * 2_000 * weight / 8).rounded(.up))
        }
        #expect(pool.open[3] == 5_000)
    }

    @Test func `what another worker opened counts`() {
        let pool = ModelServerPool(weights: [1, 1, 1])
        var balancer = Self.balancer(Self.names(3), pool.weights)
        guard let first = balancer.pick(pool, key: 1) else { return }
        pool.open[first] = 100
        #expect(balancer.pick(pool, key: 1) != first)
        pool.open = [100, 100, 100]
        for _ in 0..<2 { _ = balancer.pick(pool, key: 1) }
        #expect(balancer.pick(pool, key: 1) == first)
    }

    @Test func `a few requests of one client stay together in an idle pool`() {
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 10))
        var balancer = Self.balancer(Self.names(10), pool.weights)
        var servers = Set<Int?>()
        for _ in 0..<8 {
            let server = balancer.pick(pool, key: 99)
            servers.insert(server)
            guard let server else { continue }
            pool.open[server] += 1
            balancer.requestOpened(server)
        }
        #expect(servers.count == 1)
    }

    @Test func `without a bound the load does not matter`() {
        let pool = ModelServerPool(weights: [1, 1, 1])
        var balancer = HashAffinity(
            weights: pool.weights,
            names: Self.names(3),
            loadBound: .infinity
        )
        guard let first = balancer.pick(pool, key: 1) else { return }
        pool.open[first] = 1_000_000
        #expect(balancer.pick(pool, key: 1) == first)
    }

    @Test func `servers that all have too many requests still get them, the least loaded most`() {
        // A stale estimate: the other worker's requests are seen only where this one looks.
        let pool = ModelServerPool(weights: Array(repeating: 1, count: 100))
        var balancer = Self.balancer(Self.names(100), pool.weights)
        pool.open = Array(repeating: 50, count: 100)
        #expect(balancer.pick(pool, key: 5) != nil)
    }

    @Test func `a pool in which all weights are 0 has nobody`() {
        let pool = ModelServerPool(weights: [0, 0])
        var balancer = Self.balancer(Self.names(2), pool.weights)
        #expect(balancer.pick(pool, key: 5) == nil)
        balancer.weightsChanged(weights([0, 1]))
        pool.weights = weights([0, 1])
        pool.passedOver[1] = .no
        #expect(balancer.pick(pool, key: 5) == 1)
    }

    @Test func `addresses that differ by one bit have different hashes`() {
        let addresses = (0..<1_000).map { IPAddress(v4: 0x0A00_0000 + $0) }
        #expect(Set(addresses.map { PickKey.hash(of: $0) }).count == 1_000)
    }

    // MARK: Keys and servers

    private static func names(_ count: Int) -> [ServerName] {
        (0..<count).compactMap { ServerName("10.0.0.\($0):8080") }
    }

    private static func balancer(_ names: [ServerName], _ weights: [Weight]) -> HashAffinity {
        HashAffinity(weights: weights, names: names, loadBound: 1.25)
    }

    /// The servers of keys 0, 1, 2, …, in an idle pool.
    private static func owners(_ names: [ServerName], _ weights: [Int]) -> [Int] {
        let pool = ModelServerPool(weights: weights)
        var balancer = Self.balancer(names, pool.weights)
        return Self.owners(&balancer, pool)
    }

    private static func owners(_ balancer: inout HashAffinity, _ pool: ModelServerPool) -> [Int] {
        (0..<Self.keys).map { balancer.pick(pool, key: UInt64($0)) ?? -1 }
    }
}
