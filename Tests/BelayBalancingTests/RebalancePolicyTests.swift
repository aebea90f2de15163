import BelayBalancing
import BelayCore
import Testing

struct RebalancePolicyTests {
    typealias Server = RebalancePolicy.Server

    private func servers(_ bound: [Int], weights: [Int]? = nil, takes: [Bool]? = nil) -> [Server] {
        bound.indices.map {
            Server(bound: bound[$0], weight: weights?[$0] ?? 1, takes: takes?[$0] ?? true)
        }
    }

    @Test(arguments: [
        // Scaled out from two to three: a third of the clients belongs to the new one.
        ([150, 150, 0], 1.0, [50, 50, 0]), ([150, 150, 0], 1.1, [40, 40, 0]),
        // Level enough: nobody is disturbed.
        ([105, 100, 95], 1.05, [0, 0, 0]), ([106, 99, 95], 1.05, [1, 0, 0]),
        ([100, 100, 100], 1.0, [0, 0, 0]), ([0, 0, 0], 1.0, [0, 0, 0]),
        // A part of a client can't move.
        ([2, 1, 1], 1.0, [0, 0, 0]), ([3, 1, 0], 1.0, [1, 0, 0]), ([1, 0, 0], 1.0, [0, 0, 0]),
        // One alone can't give anybody away.
        ([77], 1.0, [0]), ([], 1.0, []),
    ])
    func `each server gives away what it has more than the goal allows`(
        bound: [Int],
        goal: Double,
        want: [Int]
    ) {
        #expect(RebalancePolicy.moves(self.servers(bound), goal: goal) == want)
    }

    @Test func `a server of twice the weight has twice the share`() {
        let servers = self.servers([100, 100, 0], weights: [2, 1, 1])
        #expect(RebalancePolicy.moves(servers, goal: 1) == [0, 50, 0])
        #expect(RebalancePolicy.spread(servers) == 2)
    }

    @Test func `servers that take no newcomers neither give nor count`() {
        let servers = self.servers([500, 60, 20], takes: [false, true, true])
        #expect(RebalancePolicy.moves(servers, goal: 1) == [0, 20, 0])
        #expect(RebalancePolicy.spread(servers) == 1.5)
        let weightless = self.servers([500, 60, 20], weights: [0, 1, 1])
        #expect(RebalancePolicy.moves(weightless, goal: 1) == [0, 20, 0])
        let nobody = self.servers([5, 5], takes: [false, false])
        #expect(RebalancePolicy.moves(nobody, goal: 1) == [0, 0])
        #expect(RebalancePolicy.spread(nobody) == 1)
    }

    /// Seeds: each makes another pool.
    @Test(arguments: 0..<200)
    func `after the moves the goal is met, and with one fewer it is not`(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        let count = 2 + random.below(20)
        let goal = 1 + Double(random.below(30)) / 100
        let before = (0..<count).map { _ in
            Server(
                bound: random.below(4) == 0 ? 0 : random.below(1_000),
                weight: 1 + random.below(4),
                takes: random.below(8) != 0
            )
        }
        let moves = RebalancePolicy.moves(before, goal: goal)
        var after = before
        for index in after.indices {
            #expect(moves[index] == 0 || after[index].takes)
            after[index].bound -= moves[index]
        }
        // Those who move go to the emptiest server, one after the other.
        for _ in 0..<moves.reduce(0, +) {
            let takers = after.indices.filter { after[$0].takes }
            let emptiest = takers.min {
                after[$0].bound * after[$1].weight < after[$1].bound * after[$0].weight
            }
            if let emptiest { after[emptiest].bound += 1 }
        }
        let takers = after.filter(\.takes)
        let weight = takers.reduce(0) { $0 + $1.weight }
        guard weight > 0 else { return }
        let mean = Double(takers.reduce(0) { $0 + $1.bound }) / Double(weight)
        for (index, server) in after.enumerated() where server.takes {
            let share = mean * Double(server.weight)
            // A client more than the goal where the share is no whole number.
            #expect(
                Double(server.bound) <= Swift.max(share * goal, share + 1) + 1e-6,
                "seed \(seed), server \(index)"
            )
            guard moves[index] > 0 else { continue }
            let kept = Double(before[index].bound - moves[index] + 1)
            #expect(kept > share * goal - 1e-6 && kept > share, "seed \(seed), server \(index)")
        }
    }
}
