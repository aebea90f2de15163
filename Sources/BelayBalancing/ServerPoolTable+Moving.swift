internal import BelayBytes
package import BelayCore

// A server gives bound clients away: at a rate that all workers share, each client with its next
// request.

extension ServerPoolTable {
    /// The server gives bound clients away, each with its next request: `rate` in a second, `limit`
    /// in all (nil: any number). A rate of 0 ends it. Only ever called by the thread that controls
    /// servers.
    package func setMoving(rate: Double, limit: Int?, _ server: Int, at now: Instant) {
        let wasMoving = self.givesAway(server)
        self.store(limit.map(Int64.init) ?? -1, .moveLeft, server)
        if !wasMoving {
            self.store(now.nanoseconds, .moveBegan, server)
            self.store(now.nanoseconds, .moveNext, server)
        }
        self.store(Int64((rate * 1000).rounded()), .moveRate, server)
    }

    /// Lets the server give away so many more at most.
    package func limitMoves(to limit: Int, _ server: Int) {
        while true {
            let left = self.load(.moveLeft, server)
            guard left > Int64(limit) else { return }
            if self.exchange(left, for: Int64(limit), .moveLeft, server) { return }
        }
    }

    /// The server was drained to its end, and takes nobody any more.
    package func isDrained(_ server: Int) -> Bool { self.load(.moveLeft, server) == Self.drained }

    package func setDrained(_ isDrained: Bool, _ server: Int) {
        self.store(isDrained ? Self.drained : -1, .moveLeft, server)
    }

    private static let drained: Int64 = -2

    /// Whether its clients are to go, in time: it drains, or has left the settings.
    package func isBeingEmptied(_ server: Int) -> Bool {
        self.adminState(server) == .draining || self.membership(server) == .leaving
    }

    @inline(__always)
    package func givesAway(_ server: Int) -> Bool { self.load(.moveRate, server) != 0 }

    /// Bound clients that the server gives away in a second; 0: none.
    package func moveRate(_ server: Int) -> Double { Double(self.load(.moveRate, server)) / 1000 }

    /// How many more the server is to give away; nil: any number, or none.
    package func movesLeft(_ server: Int) -> Int? {
        let left = self.load(.moveLeft, server)
        return left < 0 ? nil : Int(left)
    }

    /// Whether a bound client of the server moves now, with this request (`MovePolicy`). Counts it
    /// if so.
    package func mayMove(_ server: Int, idleFor idle: TimeSpan, now: Instant) -> Bool {
        let rate = self.load(.moveRate, server)
        guard rate > 0, self.load(.moveLeft, server) != 0 else { return false }
        let gap = TimeSpan(nanoseconds: 1_000_000_000_000 / rate)
        let watched = now - Instant(nanoseconds: self.load(.moveBegan, server))
        while true {
            let next = self.load(.moveNext, server)
            let after = MovePolicy.next(
                Instant(nanoseconds: next),
                gap: gap,
                // Who was seen last before anybody looked may have been busy until then.
                idle: Swift.min(idle, watched),
                now: now
            )
            guard let after else { return false }
            guard self.exchange(next, for: after.nanoseconds, .moveNext, server) else { continue }
            return self.countMove(server)
        }
    }

    private func countMove(_ server: Int) -> Bool {
        while true {
            let left = self.load(.moveLeft, server)
            if left < 0 { return true }
            guard left > 0 else { return false }
            if self.exchange(left, for: left - 1, .moveLeft, server) { return true }
        }
    }
}

/// Which bound clients move first when a server gives them away at a rate.
///
/// Moves are `gap` apart, and those that nobody used are saved for a second, one at least. A client
/// that was idle for `idleAfter` takes a move as soon as there is one. Another one is in the middle
/// of something: it takes only what these leave over, which is what lies saved beyond half a
/// second,
/// or beyond one move. So as long as enough idle clients come, no other one moves; if none come,
/// the others move at the whole rate; and an idle one always finds a move.
package enum MovePolicy {
    // Limit: who has asked for nothing for so long is least disturbed by moving.
    package static let idleAfter = TimeSpan.seconds(10)
    /// Moves that nobody used are kept for so long.
    package static let saved = TimeSpan.seconds(1)

    /// When the one after this client may move, if this one moves now; nil: it may not. The next
    /// move is due at `next`, moves are `gap` apart, and the client has not been seen for `idle`,
    /// for all that is known.
    package static func next(
        _ next: Instant,
        gap: TimeSpan,
        idle: TimeSpan,
        now: Instant
    ) -> Instant? {
        let half = TimeSpan(nanoseconds: Self.saved.nanoseconds / 2)
        let reserve = idle >= Self.idleAfter ? .zero : Swift.max(half, gap)
        guard now >= next + reserve else { return nil }
        let saved = Swift.max(Self.saved, gap)
        let earliest = Instant(nanoseconds: now.nanoseconds &- saved.nanoseconds)
        return Swift.max(next, earliest) + gap
    }
}
