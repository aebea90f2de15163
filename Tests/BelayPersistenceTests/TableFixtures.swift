import BelayBytes
import BelayCore
import BelayPersistence
import Foundation

/// Times that no test with this table reaches.
let hours = BindingTimes(idle: .hours(10), lifetime: .hours(100))

/// The key of the index-th client of a test, the same in the program `table-limits`.
func clientKey(_ index: Int) -> BindingKey {
    let number = UInt64(truncatingIfNeeded: index)
    return BindingKey(high: StableHash.mix(number &+ 1), low: StableHash.mix(~number))
}

func serverID(_ number: Int) -> ServerID { ServerID(rawValue: UInt64(number)) }

extension BindingTable {
    /// Binds a client at that time for the first time.
    @discardableResult
    func bind(_ index: Int, to server: Int, at now: UnixTime = morning) -> BindOutcome {
        self.bind(clientKey(index), .header, to: serverID(server), issued: now, now: now)
    }

    /// All entries, page by page.
    func all(limit: Int = 100, boundTo server: ServerID? = nil, now: UnixTime) -> [TableEntry] {
        var all: [TableEntry] = []
        var cursor: Int? = 0
        while let place = cursor {
            let page = self.entries(after: place, limit: limit, boundTo: server, now: now)
            all += page.entries
            cursor = page.next
        }
        return all
    }

    /// Takes out everything that has expired.
    @discardableResult
    func sweepAll(now: UnixTime) -> Int { self.sweep(now: now, budget: .max) }
}

/// Random numbers from a seed.
struct Draws {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        return StableHash.mix(self.state)
    }

    mutating func below(_ count: Int) -> Int { Int(self.next() % UInt64(count)) }
}

/// A folder of a test's own, which goes with it.
final class Folder: Sendable {
    let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("belay-\(UUID().uuidString)").path

    init() throws {
        try FileManager.default.createDirectory(
            atPath: self.path,
            withIntermediateDirectories: true
        )
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }
}
