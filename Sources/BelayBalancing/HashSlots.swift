internal import BelayBytes
internal import BelayCore

/// Which server owns which slot of the hash space: rendezvous hashing, computed ahead for 2^16 slots
/// (2^20 for more than 655 servers), so that looking a key up costs one access.
///
/// Every server throws darts at the slots at random times, with a rate that is its weight, both
/// drawn from its name alone; a slot belongs to the server that hits it first. So a server's share
/// follows its weight; a server that leaves, or gets less weight, gives up slots and no other slot
/// changes hands; one that comes takes slots and leaves the rest alone.
///
/// A Maglev table (Eisenbud et al. 2016) spreads slots more evenly (within 1 %, here 1 to 2 % for 10
/// servers, 10 % for 600) but lets slots of servers that stay change hands too when one leaves, and
/// fills in the same time. Here the promise that counts is that keys stay; evenness is kept by the
/// load bound. The order of servers does not matter, and Belays that know the same servers agree.
///
/// Limits: the step from 655 to 656 servers changes the number of slots, and moves most keys. A
/// server whose share is below one slot may get none.
struct HashSlots: Sendable {
    // Limit: at least 100 slots for each server.
    private static let bitsForFew = 16
    private static let bitsForMany = 20
    static let fewMax = 655
    // Limit: an owner is kept in 16 bits, so that the slots of a small pool stay in a core's cache.
    static let serversMax = 65_535

    private let owners: [UInt16]
    private let shift: UInt64

    /// Nil if no server has a weight.
    init?(names: [UInt64], weights: [Weight]) {
        let bits = names.count <= Self.fewMax ? Self.bitsForFew : Self.bitsForMany
        self.init(names: names, weights: weights, bits: bits)
    }

    init?(names: [UInt64], weights: [Weight], bits: Int) {
        precondition(names.count <= Self.serversMax, "too many servers for hash slots")
        guard weights.contains(where: { $0 > .zero }) else { return nil }
        self.shift = UInt64(64 - bits)
        self.owners = Self.owners(names, weights, bits)
    }

    /// The server that owns the key's slot.
    func owner(_ key: UInt64) -> Int {
        Int(self.owners[Int(truncatingIfNeeded: StableHash.mix(key) >> self.shift)])
    }

    /// How many slots each of the servers owns.
    func shares(count: Int) -> [Int] {
        var shares = Array(repeating: 0, count: count)
        for owner in self.owners { shares[Int(owner)] += 1 }
        return shares
    }

    private static func owners(_ names: [UInt64], _ weights: [Weight], _ bits: Int) -> [UInt16] {
        let slots = 1 << bits
        var owners = [UInt16](repeating: 0, count: slots)
        var earliest = [Double](repeating: .infinity, count: slots)
        var throwers = zip(names, weights).enumerated().compactMap { index, pair in
            pair.1 > .zero ? Thrower(index: UInt16(index), name: pair.0, weight: pair.1) : nil
        }
        // In this time all servers together throw one dart for each slot, on average. Time goes on
        // until every slot was hit: about ln(slots) of these.
        let sum = weights.reduce(0) { $0 + Int($1.rawValue) }
        let step = Double(slots) / Double(sum)
        var horizon = 0.0
        var empty = slots
        while empty > 0 {
            horizon += step
            for index in throwers.indices {
                var thrower = throwers[index]
                while thrower.time <= horizon {
                    let slot = Int(truncatingIfNeeded: thrower.hash >> UInt64(64 - bits))
                    if thrower.time < earliest[slot] {
                        if earliest[slot] == .infinity { empty -= 1 }
                        earliest[slot] = thrower.time
                        owners[slot] = thrower.index
                    }
                    thrower.next()
                }
                throwers[index] = thrower
            }
        }
        return owners
    }

    /// One server's darts, in the order of time.
    private struct Thrower {
        let index: UInt16
        let name: UInt64
        let pause: Double
        var darts: UInt64 = 0
        /// Of the next dart: the high bits are its slot.
        var hash: UInt64 = 0
        var time = 0.0

        init(index: UInt16, name: UInt64, weight: Weight) {
            self.index = index
            self.name = name
            self.pause = 1 / Double(weight.rawValue)
            self.next()
        }

        mutating func next() {
            self.darts &+= 1
            self.hash = StableHash.combine(self.name, self.darts)
            // The slot took at most 20 bits; the other 44 are independent of them.
            self.time += StableMath.exponential(self.hash << 20) * self.pause
        }
    }
}
