import BelayBalancing
import BelayCore
import BelayTestSupport
import Testing

@Suite struct RendezvousTests {
    private static let keys = 10_000

    @Test(arguments: [[1, 1, 1, 1], [1, 2, 5], [256, 256], [0, 1, 3]])
    func `shares of keys follow the weights`(values: [Int]) {
        let owners = self.owners(values)
        for (server, weight) in values.enumerated() {
            let share = Double(owners.filter { $0 == server }.count) / Double(Self.keys)
            let expected = Double(weight) / Double(values.reduce(0, +))
            #expect(abs(share - expected) < 0.025, "server \(server): \(share)")
        }
    }

    @Test func `when a server is excluded its keys move, by weight, and no others`() {
        let before = self.owners([1, 1, 1, 2])
        let after = self.owners([1, 1, 1, 2], excluded: [0])
        var taken = [0, 0, 0, 0]
        for key in 0..<Self.keys where before[key] != after[key] {
            #expect(before[key] == 0)
            taken[after[key] ?? 0] += 1
        }
        #expect(taken[0] == 0)
        #expect(taken[3] > taken[1] * 3 / 2 && taken[3] > taken[2] * 3 / 2, "\(taken)")
    }

    @Test(
        arguments: [([1, 1], [0, 1]), ([0, 0], []), ([0, 1], [1]), ([], [])]
            as [([Int], Set<Int>)]
    )
    func `nobody is picked when all are excluded or without weight`(
        values: [Int],
        excluded: Set<Int>
    ) {
        #expect(self.owners(values, excluded: excluded).allSatisfy { $0 == nil })
    }

    @Test func `the order of the servers does not matter`() {
        let names = names(9).map(Rendezvous.hash(of:))
        for key in 0..<1_000 {
            let forward = Rendezvous.pick(
                UInt64(key),
                names: names.span,
                weight: { _ in .one },
                isExcluded: { _ in false }
            )
            let backward = Rendezvous.pick(
                UInt64(key),
                names: Array(names.reversed()).span,
                weight: { _ in .one },
                isExcluded: { _ in false }
            )
            #expect(forward == backward.map { 8 - $0 })
        }
    }

    @Test func `a view gives the same answers`() {
        let pool = ModelServerPool(weights: [1, 0, 3, 2])
        pool.passedOver[3] = .draining
        let names = names(4).map(Rendezvous.hash(of:))
        for key in 0..<1_000 {
            let plain = Rendezvous.pick(
                UInt64(key),
                names: names.span,
                weight: { pool.weights[$0] },
                isExcluded: { $0 == 3 }
            )
            #expect(Rendezvous.pick(UInt64(key), names: names.span, among: pool) == plain)
        }
    }

    /// Bindings outlive a release: these must never change.
    @Test(arguments: [(0, 3), (1, 1), (2, 2), (3, 3), (0xDEAD_BEEF, 2)])
    func `the answers are the same for ever`(key: UInt64, expected: Int) {
        let names = names(5).map(Rendezvous.hash(of:))
        let picked = Rendezvous.pick(
            key,
            names: names.span,
            weight: { Weight($0 + 1) ?? .one },
            isExcluded: { _ in false }
        )
        #expect(picked == expected)
    }

    private func owners(_ values: [Int], excluded: Set<Int> = []) -> [Int?] {
        let names = names(values.count).map(Rendezvous.hash(of:))
        let weights = weights(values)
        return (0..<Self.keys).map {
            Rendezvous.pick(
                UInt64($0),
                names: names.span,
                weight: { weights[$0] },
                isExcluded: { excluded.contains($0) }
            )
        }
    }
}
