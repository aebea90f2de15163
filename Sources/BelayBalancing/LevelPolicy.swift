package import BelayCore

/// Sends newcomers to the server with the fewest bound clients, so that one that came back empty,
/// or was added, is level with the others after as few newcomers as possible: bound clients don't
/// move, so nobody else can level it.
///
/// It speaks only where a server is clearly behind; else the pool's algorithm decides.
package enum LevelPolicy {
    // Limit: all servers of a pool are looked at up to so many; of more, so many at random. Even
    // then, of 1,000 servers the emptiest is among those looked at often enough to be level soon.
    private static let scanMax = 256
    private static let sampleCount = 64
    // Limit: what a server must be behind the mean: the 500th part. Servers that are closer are
    // level, and picking among thousands of clients need not count single ones.
    private static let shareBehind = 0.002

    /// The server that is clearly behind the mean of those that take newcomers, the emptiest first;
    /// nil if there is none.
    ///
    /// Slow start holds here too, in its own measure: a server that starts may have no larger part
    /// of the mean than of its share. So an empty one gets all newcomers at first, which are few,
    /// and never as many clients at once as the others have. `ignoresStart` is for those who are
    /// moved at a rate that somebody chose.
    package static func pick(
        _ table: ServerPoolTable,
        now: Instant,
        tried: TriedServers,
        ignoresStart: Bool = false,
        random: inout RandomSource
    ) -> Int? {
        let isSampled = table.count > self.scanMax
        let count = isSampled ? self.sampleCount : table.count
        let seed = random.next()
        var draws = RandomSource(seed: seed)
        var (clients, weights) = (0, 0)
        for index in 0..<count {
            let server = isSampled ? draws.below(table.count) : index
            guard self.counts(table.passOver(server, at: now, tried: tried)) else { continue }
            weights += Swift.max(Int(table.weight(server).rawValue), 1)
            clients += table.bound(server)
        }
        guard weights > 0 else { return nil }
        let mean = Double(clients) / Double(weights)
        draws = RandomSource(seed: seed)
        var best: Int?
        var (least, ties) = (Double.infinity, 0)
        for index in 0..<count {
            let server = isSampled ? draws.below(table.count) : index
            guard case .no = table.passOver(server, at: now, tried: tried) else { continue }
            let weight = Double(Swift.max(table.weight(server).rawValue, 1))
            let bound = Double(table.bound(server))
            let share = ignoresStart ? 1 : table.startShare(server, at: now)
            if share < 1, bound >= Swift.max(share * mean * weight, 1) { continue }
            guard mean - bound / weight > Swift.max(mean * self.shareBehind, 1e-9) else { continue }
            if bound / weight < least {
                (best, least, ties) = (server, bound / weight, 1)
            } else if bound / weight == least {
                ties += 1
                if random.below(ties) == 0 { best = server }
            }
        }
        return best
    }

    /// Whether a server belongs to those whose mean is asked: all that take newcomers, though not
    /// this one.
    private static func counts(_ reason: PassOver) -> Bool {
        switch reason {
        case .no, .starting, .stalled, .full, .tried: true
        case .draining, .maintenance, .ejected, .down, .weightZero, .leaving, .removed: false
        }
    }
}
