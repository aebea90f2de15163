import BelayBalancing
import BelayCore
import Testing

/// What an agent's word makes of what a person set.
@Suite struct AgentWeightTests {
    private func table(_ weights: [Int]) throws -> ServerPoolTable {
        ServerPoolTable(
            weights: try weights.map { try #require(Weight($0)) },
            openMax: weights.map { _ in 0 },
            ejection: EjectionPolicy()
        )
    }

    @Test(arguments: [
        // Weights, the agent's percentage for the first of them, and what algorithms compare.
        ([1, 1], 50, [8, 16], [1, 1]),
        ([1, 1], 100, [16, 16], [1, 1]),
        ([1, 1], 200, [32, 16], [2, 1]),
        ([1, 1], 0, [0, 16], [0, 1]),
        ([1, 1], 1, [1, 16], [1, 1]),
        ([10, 1], 75, [120, 16], [8, 1]),
        ([100, 50], 75, [150, 100], [75, 50]),
        ([256, 1], 10, [25, 1], [25, 1]),
        ([256, 256], 300, [256, 256], [256, 256]),
        ([0, 1], 50, [0, 16], [0, 1]),
    ])
    func `a share of a weight`(
        weights: [Int],
        percent: Int,
        compared: [Int],
        shown: [Int]
    ) throws {
        let table = try self.table(weights)
        table.setWeightParts(heaviest: try #require(Weight(weights.max() ?? 0)))
        table.setAgentWord((state: .ready, percent: percent), 0)
        #expect(weights.indices.map { Int(table.weight($0).rawValue) } == compared)
        #expect(weights.indices.map { Int(table.weightShown($0).rawValue) } == shown)
        #expect(weights.indices.map { Int(table.weightSet($0).rawValue) } == weights)
        table.setAgentWord(nil, 0)
        table.resetWeightParts()
        #expect(weights.indices.map { Int(table.weight($0).rawValue) } == weights)
    }

    @Test func `the more restrictive of a person and an agent holds`() throws {
        let table = try self.table([1])
        let states = AdminState.allCases
        for person in states {
            for agent in states {
                table.setAdminState(person, 0)
                table.setAgentWord((state: agent, percent: 100), 0)
                let want = person.rawValue > agent.rawValue ? person : agent
                #expect(table.adminState(0) == want)
                #expect(table.adminStateSet(0) == person)
            }
        }
    }

    @Test func `a server's new life knows nothing of its agent`() throws {
        let table = try self.table([4])
        table.setAgentWord((state: .draining, percent: 50), 0)
        #expect(table.adminState(0) == .draining)
        table.resetHealth(0)
        #expect(table.adminState(0) == .ready)
        #expect(table.weight(0) == Weight(4))
    }
}
