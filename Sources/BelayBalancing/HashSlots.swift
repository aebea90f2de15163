internal import BelayBytes
internal import BelayCore

/// Which server owns which slot of the hash space: rendezvous hashing, computed ahead for 2^16
/// slots (2^20 for more than 655 servers), so that looking a key up costs one access.
///
/// Every server throws darts at the slots at random times, with a rate that is its weight, both
/// drawn from its name alone; a slot belongs to the server that hits it first. So a server's share
/// follows its weight; a server that leaves, or gets less weight, gives up slots and no other slot
/// changes hands; one that comes takes slots and leaves the rest alone.
///
/// A Maglev table (Eisenbud et al. 2016) spreads slots more evenly (within 1 %, here 1 to 2 % for
/// 10 servers, 10 % for 600) but lets slots of servers that stay change hands too: measured with
/// 65,537 slots, the loss of one server of n moves 1.03 / n of the keys for n = 10, 1.6 / n for 100
/// and 6 / n for 600; here 1 / n. The promise that counts is that keys stay; evenness is kept by
/// the load bound. The order of servers does not matter, and Belays that know the same servers
/// agree.
///
/// Limits: the step from 655 to 656 servers changes the number of slots, and moves most keys. A
/// server whose share is below one slot may get none.
struct HashSlots: Sendable {
    // Limit: at least 100 slots for each server.
    private static let bitsForFew = 16
    private static let bitsForMany = 20
    static let fewMax = 655
    // Limit: slots are filled in blocks of 4,096, whose working memory stays in a core's cache.
    private static let blockBits = 12
    // Limit: an owner is kept in 16 bits, so that the slots of a small pool stay in a core's cache.
    // Of more servers none is looked up here: each pick asks them all.
    static let serversMax = 65_535

    private let owners: [UInt16]
    private let shift: UInt64

    /// Nil if no server has a weight, or there are too many.
    init?(names: [UInt64], weights: [Weight]) {
        let bits = names.count <= Self.fewMax ? Self.bitsForFew : Self.bitsForMany
        self.init(names: names, weights: weights, bits: bits)
    }

    init?(names: [UInt64], weights: [Weight], bits: Int) {
        guard names.count <= Self.serversMax,
            weights.contains(where: { $0.rawValue > 0 })
        else { return nil }
        self.shift = UInt64(64 - bits)
        self.owners = Self.owners(names, weights, bits)
    }

    /// The server that owns the key's slot.
    func owner(_ key: UInt64) -> Int {
        Int(self.owners[Int(truncatingIfNeeded: StableHash.mix(key) >> self.shift)])
    }

    private static func owners(_ names: [UInt64], _ weights: [Weight], _ bits: Int) -> [UInt16] {
        var throwers = zip(names, weights).enumerated().compactMap { index, pair in
            pair.1.rawValue > 0
                ? Thrower(index: UInt16(index), name: pair.0, weight: pair.1) : nil
        }
        let sum = weights.reduce(0) { $0 + Int($1.rawValue) }
        var owners = [UInt16](repeating: 0, count: 1 << bits)
        var earliest = [Double](repeating: .infinity, count: 1 << Swift.min(bits, Self.blockBits))
        for block in 0..<(1 << Swift.max(bits - Self.blockBits, 0)) {
            let base = block * earliest.count
            Self.fill(&owners, from: base, &earliest, &throwers, weightTotal: sum)
        }
        return owners
    }

    /// Fills the block of slots that begins at `base`.
    private static func fill(
        _ owners: inout [UInt16],
        from base: Int,
        _ earliest: inout [Double],
        _ throwers: inout [Thrower],
        weightTotal: Int
    ) {
        let slots = earliest.count
        for slot in 0..<slots { earliest[slot] = .infinity }
        for index in 0..<throwers.count { throwers[index].begin(block: UInt64(base)) }
        // In one round all servers together throw one dart for each slot, on average. It takes
        // about ln(slots) rounds, 8.3 for a block, until every slot was hit.
        let round = Double(slots) / Double(weightTotal)
        var horizon = 7 * round
        var empty = slots
        while empty > 0 {
            horizon += round
            for index in 0..<throwers.count where throwers[index].time <= horizon {
                var thrower = throwers[index]
                while thrower.time <= horizon {
                    let slot = Int(truncatingIfNeeded: thrower.hash) & (slots - 1)
                    if thrower.time < earliest[slot] {
                        if earliest[slot] == .infinity { empty -= 1 }
                        earliest[slot] = thrower.time
                        owners[base + slot] = thrower.index
                    }
                    thrower.next()
                }
                throwers[index] = thrower
            }
        }
    }

    /// One server's darts at one block, in the order of time.
    private struct Thrower {
        let index: UInt16
        let name: UInt64
        let pause: Double
        var seed: UInt64 = 0
        var darts: UInt64 = 0
        /// Of the next dart: the low bits are its slot.
        var hash: UInt64 = 0
        var time = 0.0

        init(index: UInt16, name: UInt64, weight: Weight) {
            self.index = index
            self.name = name
            self.pause = 1 / Double(weight.rawValue)
        }

        mutating func begin(block: UInt64) {
            self.seed = StableHash.combine(self.name, block)
            self.darts = 0
            self.time = 0
            self.next()
        }

        mutating func next() {
            self.darts &+= 1
            self.hash = StableHash.combine(self.seed, self.darts)
            // The slot takes the low 12 bits; the time takes the high 53, of which at most the
            // lowest is one of them.
            self.time += StableMath.exponential(self.hash) * self.pause
        }
    }
}
