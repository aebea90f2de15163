import BelayBytes
package import BelayCore
import BelayCrypto

// The table of bindings: what is here, and where to go on.
//
// Which client is bound to which server, where the client's cookie doesn't carry that itself: keyed
// by `BindingKey`, bounded, shared without locks by all workers and, while one Belay takes over
// from another, by two processes. `TableLayout` says where everything lies and why one word is all
// that changes of an entry; this file finds and renews; `BindingTable+Changes` binds, moves and
// forgets; `BindingTable+Room` makes room; `BindingTable+Servers` counts for each server;
// `BindingTable+Listing` lists and sweeps; `BindingTableFile` opens and checks the file. No clock
// is read: `now` is passed, the same for all threads to within a second or two.

/// The bindings of one pool. A copy is another name for the same table; any thread may call
/// anything, and nothing waits for another thread longer than some microseconds.
///
/// An entry is bound to one place, found through the key, and stays there: it is never moved to
/// make room, so a look finds what was bound before, whatever others do meanwhile. A look reads two
/// cache lines and the entry's own.
package struct BindingTable: Sendable {
    let cells: MappedCells
    let layout: TableLayout
    private let seeds: (UInt64, UInt64)
    private let start: Int
    private let bucketCount: Int
    private let times: TableTimes

    /// A table in memory. The cookie's bindings may have other times than the rest.
    package init(
        entriesMax: Int,
        times: BindingTimes,
        cookieTimes: BindingTimes? = nil
    ) throws(BindingTableError) {
        let layout = TableLayout(entriesMax: entriesMax)
        let seeds: (UInt64, UInt64)
        do throws(CryptoError) { seeds = try tableSeeds() } catch { throw .noKey }
        let cells: MappedCells
        do throws(FileError) { cells = try MappedCells(count: layout.count) } catch {
            throw .file(error)
        }
        self.init(
            cells: cells,
            layout: layout,
            seeds: seeds,
            times: TableTimes(times, cookie: cookieTimes ?? times)
        )
    }

    init(cells: MappedCells, layout: TableLayout, seeds: (UInt64, UInt64), times: TableTimes) {
        self.cells = cells
        self.layout = layout
        self.seeds = seeds
        self.start = layout.bucketStart
        self.bucketCount = layout.bucketCount
        self.times = times
    }

    /// The same table with other times: what a reload may change.
    package func with(times: BindingTimes, cookieTimes: BindingTimes? = nil) -> BindingTable {
        BindingTable(
            cells: self.cells,
            layout: self.layout,
            seeds: self.seeds,
            times: TableTimes(times, cookie: cookieTimes ?? times)
        )
    }

    /// How many bindings there may be.
    package var entriesMax: Int { self.layout.entriesMax }
    /// How many servers bindings may name at a time.
    package var serversMax: Int { self.layout.serversMax }
    /// Bindings that are written, with those that expired and were not met since.
    package var count: Int { self.counter(TableHeader.entries) }
    /// Bindings that gave way to newer ones because the table was full.
    package var evictions: Int { self.counter(TableHeader.evictions) }
    package var expirations: Int { self.counter(TableHeader.expirations) }
    /// All of the table's memory, for each binding that there may be.
    package var bytesPerEntry: Double {
        Double(self.layout.count * 8) / Double(self.layout.entriesMax)
    }

    private func counter(_ word: Int) -> Int { Int(clamping: self.cells.loadRelaxed(word)) }

    /// Finds a binding and, if `touching`, renews it. An expired one is taken out.
    package func look(
        _ key: BindingKey,
        touching: Bool = false,
        now: UnixTime
    ) -> TableFinding {
        let placing = self.placing(of: key)
        while let found = self.locate(key, placing) {
            if let expiry = self.expiry(of: found, now: now) {
                // Somebody renewed it, or took it out, a moment ago: look again.
                guard self.remove(found.place, found.state, TableHeader.expirations) else {
                    continue
                }
                switch expiry {
                case .idle: return .expiredIdle(found.entry(key))
                case .lifetime: return .expiredLifetime(found.entry(key))
                }
            }
            if touching { self.renew(found, now: now) }
            return .bound(found.entry(key))
        }
        return .absent
    }

    /// The binding, if there is one and it is worth something.
    package func find(_ key: BindingKey, now: UnixTime) -> TableEntry? {
        if case .bound(let entry) = self.look(key, now: now) { entry } else { nil }
    }

    /// Renews a binding: at most one write a second. Whether there is one.
    @discardableResult
    package func touch(_ key: BindingKey, now: UnixTime) -> Bool {
        if case .bound = self.look(key, touching: true, now: now) { true } else { false }
    }

    // MARK: Parts for the other files

    @inline(__always)
    func placing(of key: BindingKey) -> KeyPlacing {
        KeyPlacing(key, seeds: self.seeds, start: self.start, bucketCount: self.bucketCount)
    }

    /// The entry of a key. Of two, which processes that were killed or stopped at the wrong moment
    /// may have left, the second is taken out.
    @inline(__always)
    func locate(_ key: BindingKey, _ placing: KeyPlacing) -> FoundEntry? {
        // Both buckets' states, and the rest of the first one, where most entries are, are asked
        // for before any of it has come from memory: so most looks wait for one trip to it, not for
        // two. (The bit that this may set by chance costs one comparison of keys.)
        let rest =
            self.cells.loadRelaxed(placing.first &+ 8) & self.cells.loadRelaxed(placing.first &+ 16)
            & self.cells.loadRelaxed(placing.first &+ 24)
        var matches =
            self.matches(placing.first, placing.tag)
            | self.matches(placing.second, placing.tag) << 8 | (rest == .max ? 1 : 0)
        var kept: FoundEntry?
        while matches != 0 {
            let index = matches.trailingZeroBitCount
            matches &= matches &- 1
            let state = index < 8 ? placing.first &+ index : placing.second &+ index &- 8
            guard let found = self.read(state, key) else { continue }
            if kept == nil {
                kept = found
            } else {
                self.remove(found.place, found.state)
            }
        }
        return kept
    }

    /// The places of a bucket with that tag, a bit for each.
    @inline(__always)
    private func matches(_ bucket: Int, _ tag: UInt64) -> UInt32 {
        self.cells.matches(bucket, tag, mask: PlaceState.tagMask)
    }

    /// The words of the place whose state is at `state`: the key's, and the one of issue and check.
    @inline(__always)
    func entryWord(ofState state: Int) -> Int {
        let offset = state &- self.start
        let index = offset & (TableLayout.places - 1)
        return state &- index &+ TableLayout.places &+ 3 &* index
    }

    /// The entry there, if it is whole and of that key.
    @inline(__always)
    func read(_ state: Int, _ key: BindingKey) -> FoundEntry? {
        let word = self.entryWord(ofState: state)
        while true {
            let before = PlaceState(word: self.cells.load(state))
            guard let kind = before.kind,
                self.cells.loadRelaxed(word) == key.high,
                self.cells.loadRelaxed(word &+ 1) == key.low
            else { return nil }
            let rest = self.cells.loadRelaxed(word &+ 2)
            let serverID = self.serverID(before.server)
            MappedCells.fence()
            // A place that changed while it was read is read again.
            guard self.cells.loadRelaxed(state) == before.word else { continue }
            let issued = UInt32(truncatingIfNeeded: rest >> 32)
            let check = key.check(kind, issued: issued, tag: before.tag)
            guard check == UInt32(truncatingIfNeeded: rest), let serverID else { return nil }
            return FoundEntry(
                place: state,
                state: before,
                kind: kind,
                serverID: serverID,
                issued: issued
            )
        }
    }

    @inline(__always)
    func expiry(of found: FoundEntry, now: UnixTime) -> TableTimes.Expiry? {
        self.times.expiry(
            of: found.kind,
            issued: found.issued,
            renewed: found.state.renewed,
            now: now
        )
    }

    /// Whether an entry in that state is past its idle window, for all that the state says.
    func isIdle(_ state: PlaceState, now: UnixTime) -> Bool {
        guard let kind = state.kind else { return false }
        let issued = now.tableSeconds
        return self.times.expiry(of: kind, issued: issued, renewed: state.renewed, now: now) != nil
    }

    /// Writes when the entry was last seen. If somebody changed it meanwhile, they saw it too.
    @inline(__always)
    func renew(_ found: FoundEntry, now: UnixTime) {
        let (seconds, renewed) = (now.tableSeconds, found.state.renewed)
        // Limit: workers' clocks are this much apart at most; a time that is further ahead was
        // written while the machine's clock was wrong.
        guard seconds > renewed || renewed > seconds &+ 5 else { return }
        _ = self.cells.exchange(
            found.state.word,
            for: found.state.renewed(seconds).word,
            found.place
        )
    }
}

/// An entry, and where it was seen in which state.
struct FoundEntry {
    /// The word of its state.
    let place: Int
    let state: PlaceState
    let kind: BindingKind
    let serverID: ServerID
    let issued: UInt32

    @inline(__always)
    func entry(_ key: BindingKey) -> TableEntry {
        TableEntry(
            key: key,
            kind: self.kind,
            serverID: self.serverID,
            issued: UnixTime(seconds: Int64(self.issued)),
            renewed: UnixTime(seconds: Int64(self.state.renewed)),
            isMarked: self.state.isMarked
        )
    }
}

/// `BindingTimes` of the cookie's bindings and of all others, in seconds.
struct TableTimes: Sendable {
    enum Expiry {
        case idle
        case lifetime
    }

    private let idle: Int64
    private let lifetime: Int64
    private let cookieIdle: Int64
    private let cookieLifetime: Int64

    init(_ times: BindingTimes, cookie: BindingTimes) {
        self.idle = Self.seconds(times.idle)
        self.lifetime = Self.seconds(times.lifetime)
        self.cookieIdle = Self.seconds(cookie.idle)
        self.cookieLifetime = Self.seconds(cookie.lifetime)
    }

    private static func seconds(_ span: TimeSpan?) -> Int64 {
        guard let span else { return .max }
        let (whole, rest) = span.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return whole + (rest > 0 ? 1 : 0)
    }

    /// Why the entry is worth nothing any more; idle counts first, as with cookies.
    @inline(__always)
    func expiry(
        of kind: BindingKind,
        issued: UInt32,
        renewed: UInt32,
        now: UnixTime
    ) -> Expiry? {
        let isCookie = kind == .cookie
        if now.seconds &- Int64(renewed) > (isCookie ? self.cookieIdle : self.idle) {
            return .idle
        }
        if now.seconds &- Int64(issued) > (isCookie ? self.cookieLifetime : self.lifetime) {
            return .lifetime
        }
        return nil
    }
}

extension UnixTime {
    /// As the table writes it.
    @inline(__always)
    var tableSeconds: UInt32 { UInt32(clamping: self.seconds) }
}
