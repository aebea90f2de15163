import BelayBytes
package import BelayCore

/// Where the first request of a new client went, for the others that arrive beside it: a page with
/// ten images asks for all of them before the first answer can bring a cookie, and all should find
/// the server that the first one has been bound to.
///
/// A client is told by its address and User-Agent, hashed by the caller; who sends no User-Agent is
/// no browser, and claims nothing. Many people may share both (a company behind one address), so a
/// claim is short and small: it ends a moment after the first answer has begun, and leads at most
/// `usesMax` requests.
///
/// A fixed table of atomics for all workers. Two clients that fall on one place overwrite each
/// other: then the later requests of one are balanced as if there were no claims.
package struct ClaimTable: Sendable {
    // Limit: a browser has six connections to a host in HTTP/1.1; of an older page's requests some
    // come twice.
    private static let usesMax: UInt64 = 16
    // Limit: places; each claim lives for milliseconds, so that few of them are in use at a time.
    private static let rows = 256
    private static let columns = 16
    /// How long a claim outlives the beginning of its first answer: what was sent before that
    /// arrives within a round trip.
    private static let grace = TimeSpan.milliseconds(10)
    /// Times are kept in units of 4 ms: 24 bits go round in 18 hours.
    private static let unit: Int64 = 4_000_000
    private static let timeMask: UInt64 = (1 << 24) - 1

    /// A place: from high to low a part of the hash (19 bits), uses left (5), server (16), end
    /// (24).
    private let places = CounterTable(rows: Self.rows, columns: Self.columns)

    package init() {}

    /// The server that another first request of the client has claimed; nil if there is none. Takes
    /// one use of it.
    package func follow(_ client: UInt64, now: Instant) -> Int? {
        let (row, column) = Self.place(client)
        while true {
            let word = UInt64(bitPattern: self.places.load(row, column))
            guard word != 0, word >> 45 == Self.tag(client), !Self.isOver(word, now) else {
                return nil
            }
            let uses = word >> 40 & 31
            guard uses > 0 else { return nil }
            let next = word & ~(31 << 40) | (uses - 1) << 40
            if self.exchange(word, for: next, row, column) {
                return Int(word >> 24 & 0xFFFF)
            }
        }
    }

    /// The client's first request goes to this server; others may follow until `end` at the latest.
    package func claim(_ client: UInt64, server: Int, until end: Instant) {
        guard (0..<65_536).contains(server) else { return }
        let (row, column) = Self.place(client)
        let word =
            Self.tag(client) << 45 | Self.usesMax << 40 | UInt64(server) << 24 | Self.time(end)
        self.places.store(Int64(bitPattern: word), row, column)
    }

    /// The first answer has begun: a moment later the client knows its server itself.
    package func answered(_ client: UInt64, now: Instant) {
        let (row, column) = Self.place(client)
        let word = UInt64(bitPattern: self.places.load(row, column))
        guard word != 0, word >> 45 == Self.tag(client), !Self.isOver(word, now) else { return }
        let end = Self.time(now + Self.grace)
        // Only ever earlier.
        guard (word &- end) & Self.timeMask <= Self.timeMask / 2 else { return }
        _ = self.exchange(word, for: word & ~Self.timeMask | end, row, column)
    }

    private func exchange(_ old: UInt64, for new: UInt64, _ row: Int, _ column: Int) -> Bool {
        self.places.compareExchange(
            expected: Int64(bitPattern: old),
            desired: Int64(bitPattern: new),
            row,
            column
        )
    }

    private static func place(_ client: UInt64) -> (Int, Int) {
        (
            Int(truncatingIfNeeded: client) & (Self.rows - 1),
            Int(truncatingIfNeeded: client >> 8) & (Self.columns - 1)
        )
    }

    private static func tag(_ client: UInt64) -> UInt64 { client >> 45 | 1 }

    private static func time(_ instant: Instant) -> UInt64 {
        UInt64(truncatingIfNeeded: instant.nanoseconds / Self.unit) & Self.timeMask
    }

    private static func isOver(_ word: UInt64, _ now: Instant) -> Bool {
        let left = (word &- Self.time(now)) & Self.timeMask
        return left == 0 || left > Self.timeMask / 2
    }
}
