/// How many clients each server gives away so that no server has more than `goal` times its share:
/// the fewest possible, because every move disturbs somebody.
package enum RebalancePolicy {
    package struct Server: Equatable, Sendable {
        package var bound: Int
        package var weight: Int
        /// It takes newcomers, and so those who move.
        package var takes: Bool

        package init(bound: Int, weight: Int, takes: Bool) {
            self.bound = bound
            self.weight = weight
            self.takes = takes
        }
    }

    /// For each server the number of clients that it gives away so that the largest load, clients
    /// for each unit of weight, is at most `goal` times the mean (at least 1). Only servers that
    /// take newcomers give any: others are emptied by a drain, or are to be left in peace.
    package static func moves(_ servers: [Server], goal: Double) -> [Int] {
        guard let mean = self.mean(servers) else { return servers.map { _ in 0 } }
        return servers.map { server in
            guard server.takes, server.weight > 0 else { return 0 }
            return Swift.max(0, server.bound - self.most(server, mean, goal))
        }
    }

    /// Clients that the server may have. A part of a client more than its share is not too much:
    /// nobody could take it.
    private static func most(_ server: Server, _ mean: Double, _ goal: Double) -> Int {
        let share = mean * Double(server.weight)
        // Sums of fractions are a little beside the whole number that they stand for.
        let rounding = 1e-9 * Swift.max(share, 1)
        return Int(
            Swift.max(
                (share * goal + rounding).rounded(.down),
                (share - rounding).rounded(.up)
            )
        )
    }

    /// The largest load as a multiple of the mean; 1 where nobody is bound.
    package static func spread(_ servers: [Server]) -> Double {
        guard let mean = self.mean(servers), mean > 0 else { return 1 }
        return servers.reduce(1) { most, server in
            guard server.takes, server.weight > 0 else { return most }
            return Swift.max(most, Double(server.bound) / Double(server.weight) / mean)
        }
    }

    /// Clients for each unit of weight, of those servers that take any; nil where none does.
    private static func mean(_ servers: [Server]) -> Double? {
        let takers = servers.filter { $0.takes && $0.weight > 0 }
        let weight = takers.reduce(0) { $0 + $1.weight }
        guard weight > 0 else { return nil }
        return Double(takers.reduce(0) { $0 + $1.bound }) / Double(weight)
    }
}
