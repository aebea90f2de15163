internal import BelayBytes
package import BelayCore

/// Highest random weight hashing (Thaler, Ravishankar 1998), weighted by the logarithmic method
/// (Schindelhauer, Schomaker 2005): every server draws a waiting time from the key and its own
/// name, shortened by its weight, and the shortest wins. Whoever computes it gets the same answer;
/// when a server leaves, only its keys move, and they spread over the others by weight. O(n): for
/// what is rare, such as finding the next server of a binding whose own is gone.
package enum Rendezvous {
    /// What a server is known by. Compute it once, for each name.
    package static func hash(of name: ServerName) -> UInt64 {
        StableHash.of(name.rawValue, seed: 0x5265_6E64_657A)
    }

    /// The server for the key; nil if all are excluded or have weight 0. `names` are the names'
    /// hashes. Equal scores are as good as impossible, and go to the lower hash.
    package static func pick(
        _ key: UInt64,
        names: borrowing Span<UInt64>,
        weight: (Int) -> Weight,
        isExcluded: (Int) -> Bool
    ) -> Int? {
        var best: Int?
        var shortest = Double.infinity
        for server in 0..<names.count {
            let weight = weight(server)
            guard weight > .zero, !isExcluded(server) else { continue }
            let time = Self.time(key, names[server], weight)
            let isShorter =
                if time == shortest, let best {
                    names[server] < names[best]
                } else {
                    time < shortest
                }
            guard isShorter else { continue }
            best = server
            shortest = time
        }
        return best
    }

    /// The server for the key among those that may take a client; nil if none may.
    package static func pick(
        _ key: UInt64,
        names: borrowing Span<UInt64>,
        among view: some ServerPoolView
    ) -> Int? {
        var best: Int?
        var shortest = Double.infinity
        for server in 0..<names.count where view.mayTake(server) {
            // A server of weight 0 is passed over; should a view differ, it counts for 1.
            let time = Self.time(key, names[server], Swift.max(view.weight(server), .one))
            guard time < shortest else { continue }
            best = server
            shortest = time
        }
        return best
    }

    private static func time(_ key: UInt64, _ name: UInt64, _ weight: Weight) -> Double {
        StableMath.exponential(StableHash.combine(name, key)) / Double(weight.rawValue)
    }
}
