import BelayBytes
import BelayCore
import BelayPersistence
import Glibc

// What the table of bindings costs; and, for its tests, other processes that have one open.
//
//     table-limits measure [ENTRIES] [FILE]   prints `name: figure` lines, for `limits/run`
//     table-limits open FILE ENTRIES          opens the file and says what came of it
//     table-limits hammer FILE SEED           binds, renews, moves and forgets in the file that a
//                                             test has open, on two threads, until it is killed

let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case "open" where arguments.count == 3:
    open(arguments[1], entries: Int(arguments[2]) ?? 0)
case "hammer" where arguments.count == 3:
    try hammer(arguments[1], seed: UInt64(arguments[2]) ?? 0)
default:
    let entries = arguments.dropFirst().first.flatMap { Int($0) } ?? 1_000_000
    try Measurement(entries: entries, path: arguments.dropFirst(2).first).run()
}

/// The figures of one table.
struct Measurement {
    static let now = UnixTime(seconds: 1_790_071_200)
    /// Nothing expires here.
    static let times = BindingTimes(idle: .hours(10), lifetime: .hours(100))
    // Limit: so many calls take a tenth of a second, more than any interruption but those of a
    // machine that is busy anyway.
    static let calls = 500_000

    let table: BindingTable
    let entries: Int

    init(entries: Int, path: String?) throws {
        self.entries = entries
        if let path {
            self.table = try openTable(path, entries: entries, sharing: false).table
        } else {
            self.table = try BindingTable(entriesMax: entries, times: Measurement.times)
        }
    }

    func run() throws {
        print("bytes an entry: \(self.table.bytesPerEntry)")
        let servers = (1...16).map { ServerID(rawValue: UInt64($0) &* 0x9E37_79B9_7F4A_7C15) }
        let filling = nanoseconds(self.entries) { index in
            let server = servers[index & 15]
            _ = self.table.bind(key(index), .header, to: server, issued: Self.now, now: Self.now)
        }
        print("bind, while filling: \(filling) ns")
        print("entries: \(self.table.count) of \(self.entries)")
        print("evicted while filling: \(self.table.evictions)")

        for (name, among) in [("cold", self.entries), ("warm", Swift.min(10_000, self.entries))] {
            // Each key depends on what the look before found, so that no two overlap.
            let found = self.best { seconds in
                var index = UInt64(1)
                return nanoseconds(Self.calls) { _ in
                    index = StableHash.mix(index)
                    let key = key(Int(index % UInt64(among)))
                    // The odd one has given way: two full buckets, as rare as they are.
                    let entry = self.table.find(key, now: seconds)
                    index ^= UInt64(bitPattern: entry?.issued.seconds ?? 0)
                }
            }
            print("find, \(name): \(found) ns")
            let renewed = self.best { seconds in
                var index = UInt64(1)
                return nanoseconds(Self.calls) { _ in
                    index = StableHash.mix(index)
                    let key = key(Int(index % UInt64(among)))
                    index ^= self.table.touch(key, now: seconds) ? 1 : 2
                }
            }
            print("find and renew, \(name): \(renewed) ns")
        }
        let absent = self.best { seconds in
            var index = UInt64(1)
            return nanoseconds(Self.calls) { _ in
                index = StableHash.mix(index)
                let entry = self.table.find(key(Int(index >> 1 | 1 << 62)), now: seconds)
                precondition(entry == nil, "a binding of nobody")
            }
        }
        print("find nothing: \(absent) ns")
        let server = servers[0]
        let full = nanoseconds(Self.calls) { index in
            let (key, now) = (key(self.entries + index), Self.now)
            _ = self.table.bind(key, .header, to: server, issued: now, now: now)
        }
        print("bind, while full: \(full) ns")
        let counted = nanoseconds(Self.calls) { index in
            _ = self.table.bound(to: servers[index & 15])
        }
        print("bound: \(counted) ns")
        let swept = nanoseconds(1) { _ in
            self.table.sweep(now: Self.now, budget: self.entries * 2)
        }
        print("sweep of all: \(swept / 1000) us")
        precondition(self.table.expirations == 0, "a binding has expired")
        try self.hashing()
    }

    private func hashing() throws {
        let ring = try KeyRing.generate()
        guard let pool = PoolName("shop") else { return }
        let hasher = try KeyHasher(ring: ring, pool: pool, kind: .header, name: "Mcp-Session-Id")
        var bytes = [UInt8](repeating: 65, count: 40)
        let hashed = nanoseconds(Self.calls) { _ in
            bytes[0] = UInt8(truncatingIfNeeded: hasher.key(of: bytes.span).low)
        }
        print("hash of 40 bytes: \(hashed) ns")
    }

    /// The best of five rounds, each a second later than the last.
    private func best(_ round: (UnixTime) -> Int) -> Int {
        (1...5).map { round(UnixTime(seconds: Self.now.seconds + Int64($0))) }.min() ?? 0
    }
}

/// How long a call of `body` takes, on average.
func nanoseconds(_ count: Int, _ body: (Int) -> Void) -> Int {
    let span = ContinuousClock().measure { for index in 0..<count { body(index) } }
    return Int(span / .nanoseconds(1)) / count
}

func key(_ index: Int) -> BindingKey {
    let number = UInt64(truncatingIfNeeded: index)
    return BindingKey(high: StableHash.mix(number &+ 1), low: StableHash.mix(~number))
}

/// The table in that file, under the key and the pool that the tests use.
func openTable(_ path: String, entries: Int, sharing: Bool) throws -> OpenedBindingTable {
    let ring = try KeyRing(base64: [String(repeating: "AQEB", count: 10) + "AQE"])
    guard let pool = PoolName("shop") else { preconditionFailure("a pool without a name") }
    return try BindingTable.open(
        path,
        ring: ring,
        pool: pool,
        entriesMax: entries,
        times: Measurement.times,
        sharing: sharing
    )
}

func open(_ path: String, entries: Int) {
    do {
        let opened = try openTable(path, entries: entries, sharing: false)
        for warning in opened.warnings { print("warning: \(warning)") }
        print("opened with \(opened.table.count) bindings")
        opened.table.close()
    } catch {
        print("error: \(error)")
    }
}

/// Writes whatever a Belay may write, in any order.
func hammer(_ path: String, seed: UInt64) throws {
    let table = try openTable(path, entries: 4096, sharing: true).table
    let threads = (0..<2).map { thread in
        SystemThread.start {
            var random = seed &* 2 &+ UInt64(thread)
            while true {
                random = StableHash.mix(random &+ 0x9E37_79B9_7F4A_7C15)
                change(table, random)
            }
        }
    }
    print("ready")
    fflush(nil)
    for thread in threads { thread?.join() }
}

/// One change, of one of 6000 keys, so that the table is full and the threads meet. When the
/// binding was issued says which key it is.
func change(_ table: BindingTable, _ random: UInt64) {
    let index = Int(random % 6000)
    let start = Measurement.now.seconds
    let issued = UnixTime(seconds: start - Int64(index))
    let now = UnixTime(seconds: start + Int64(random >> 61))
    let server = ServerID(rawValue: random >> 20 & 7 | 8)
    switch random >> 32 & 7 {
    case 0: table.forget(key(index))
    case 1: table.move(key(index), to: server, now: now)
    case 2: table.touch(key(index), now: now)
    case 3: table.mark(key(index))
    default: _ = table.bind(key(index), .header, to: server, issued: issued, now: now)
    }
}
