import BelayCore
import BelayPersistence
import Foundation
import Testing

/// The table in a file: what becomes of it when it is opened again.
@Suite struct BindingTableFileTests {
    private let folder: Folder

    init() throws { self.folder = try Folder() }

    private var directory: String { self.folder.path }
    private var path: String { self.directory + "/bindings-shop" }

    private func open(
        _ keys: UInt8...,
        pool name: String = "shop",
        entries: Int = 1000,
        sharing: Bool = false
    ) throws -> OpenedBindingTable {
        try BindingTable.open(
            self.path,
            ring: KeyRing(keys: keys.map(key)),
            pool: pool(name),
            entriesMax: entries,
            times: hours,
            sharing: sharing
        )
    }

    /// A file of 500 bindings that was closed.
    private func fill() throws -> Set<TableEntry> {
        let opened = try self.open(1)
        #expect(opened.warnings.isEmpty)
        for index in 0..<500 {
            opened.table.bind(index, to: index % 5 + 1, at: morning + Int64(index))
        }
        opened.table.mark(clientKey(77))
        let all = Set(opened.table.all(now: morning))
        opened.table.close()
        return all
    }

    private func bytes(_ suffix: String = "") throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: self.path + suffix)))
    }

    private func write(_ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: self.path))
    }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: self.directory).sorted()
    }

    @Test func `a restart keeps every binding and every count`() throws {
        let all = try self.fill()
        let attributes = try FileManager.default.attributesOfItem(atPath: self.path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        for _ in 0..<3 {
            let opened = try self.open(1)
            #expect(opened.warnings.isEmpty)
            #expect(Set(opened.table.all(now: morning)) == all && opened.table.count == 500)
            #expect(opened.table.bound(to: serverID(3)) == 100)
            #expect(opened.table.find(clientKey(77), now: morning)?.isMarked == true)
            try opened.table.flush()
            opened.table.close()
        }
        #expect(try self.names() == ["bindings-shop"])
    }

    @Test func `a file that is in use is refused, but shared with the Belay that takes over`()
        throws
    {
        let old = try self.open(1).table
        old.bind(1, to: 1)
        #expect(throws: BindingTableError.inUse(self.path)) { try self.open(1) }
        let new = try self.open(1, sharing: true).table
        #expect(new.find(clientKey(1), now: morning)?.serverID == serverID(1))
        new.bind(2, to: 2)
        old.move(clientKey(1), to: serverID(2), now: morning)
        #expect(old.count == 2 && new.bound(to: serverID(2)) == 2)
        old.close()
        #expect(old.find(clientKey(1), now: morning) == nil && old.count == 0)
        new.bind(3, to: 3)
        // The first has left, and the file is still in use.
        let error = #expect(throws: BindingTableError.self) { try self.open(1) }
        #expect(error?.description.hasPrefix("another Belay uses \(self.path)") == true)
        new.close()
        #expect(try self.open(1).table.count == 3)
    }

    @Test func `who shares takes the room there is, and nothing of another ring`() throws {
        let old = try self.open(1).table
        let opened = try self.open(2, 1, entries: 50, sharing: true)
        #expect(opened.table.entriesMax == 1000 && opened.warnings.count == 1)
        #expect(opened.warnings.first?.contains("room for 1000 bindings") == true)
        #expect(throws: BindingTableError.otherTable(self.path)) {
            try self.open(3, sharing: true)
        }
        opened.table.close()
        old.close()
        #expect(try self.names() == ["bindings-shop"])
    }

    @Test func `who would share and finds nobody has the table alone`() throws {
        let all = try self.fill()
        let opened = try self.open(1, entries: 900, sharing: true)
        #expect(opened.table.entriesMax == 900 && opened.warnings.isEmpty)
        #expect(Set(opened.table.all(now: morning)) == all)
        opened.table.close()
    }

    @Test func `a larger table keeps all, a smaller one the newest`() throws {
        let all = try self.fill()
        let larger = try self.open(1, entries: 20_000)
        #expect(larger.warnings.isEmpty && larger.table.entriesMax == 20_000)
        #expect(Set(larger.table.all(now: morning)) == all)
        #expect(larger.table.bound(to: serverID(4)) == 100)
        larger.table.close()
        let smaller = try self.open(1, entries: 200)
        #expect(
            smaller.warnings == [
                "\(self.path) has room for 200 bindings now, so the 300 oldest of 500 are forgotten"
            ]
        )
        let kept = all.filter { $0.renewed.seconds >= morning.seconds + 300 }
        #expect(Set(smaller.table.all(now: morning)) == kept && smaller.table.count == 200)
        #expect(smaller.table.bound(to: serverID(4)) == 40)
        smaller.table.close()
        #expect(try self.names() == ["bindings-shop"])
    }

    @Test func `a rotated ring finds the file, and a strange one sets it aside`() throws {
        let all = try self.fill()
        for keys in [[1, 2], [2, 1], [2], [3, 2]] as [[UInt8]] {
            let opened = try BindingTable.open(
                self.path,
                ring: KeyRing(keys: keys.map(key)),
                pool: pool("shop"),
                entriesMax: 1000,
                times: hours
            )
            #expect(opened.warnings.isEmpty && Set(opened.table.all(now: morning)) == all)
            opened.table.close()
        }
        for number in 1...5 {
            let opened = try self.open(UInt8(10 + number))
            #expect(opened.table.count == 0 && opened.warnings.count == 1)
            #expect(opened.warnings.first?.contains("key that is in the ring no more") == true)
            let kept = ".bad-\(Swift.min(number, 4))"
            #expect(opened.warnings.first?.contains(self.path + kept) == true)
            opened.table.close()
        }
        #expect(try self.names() == ["bindings-shop"] + (1...4).map { "bindings-shop.bad-\($0)" })
    }

    /// Bytes, what they become, and what is said of it.
    @Test(arguments: [
        ("magic", 0, "is no table of bindings"), ("version", 8, "is of another version"),
        ("entries", 16, "is damaged"), ("buckets", 24, "is damaged"), ("seeds", 41, "is damaged"),
        ("ring", 56, "is damaged"), ("pool", 73, "is damaged"), ("check", 200, "is damaged"),
    ])
    func `a damaged header sets the file aside`(name: String, at: Int, says: String) throws {
        _ = try self.fill()
        var bytes = try self.bytes()
        bytes[at] ^= 0x10
        try self.write(bytes)
        let opened = try self.open(1)
        #expect(opened.table.count == 0 && opened.warnings.count == 1, "\(name)")
        #expect(opened.warnings.first?.hasPrefix("\(self.path) \(says)") == true)
        #expect(try self.bytes(".bad-1") == bytes)
        opened.table.bind(1, to: 1)
        opened.table.close()
        #expect(try self.open(1).table.count == 1)
    }

    @Test(arguments: [
        (1, "is damaged"), (4095, "is damaged"), (4096, "cut short"), (40_000, "short"),
    ])
    func `a file that was cut short is set aside`(count: Int, says: String) throws {
        _ = try self.fill()
        try self.write(Array(self.bytes()[..<count]))
        let opened = try self.open(1)
        #expect(opened.warnings.first?.contains(says) == true && opened.table.count == 0)
        opened.table.close()
    }

    @Test func `a strange file, another pool's, and one that nobody finished`() throws {
        try self.write([UInt8]("0123456789abcdef\n".utf8) + [UInt8](repeating: 65, count: 9000))
        #expect(try self.open(1).warnings.first?.contains("is no table of bindings") == true)
        try FileManager.default.removeItem(atPath: self.path)
        _ = try self.fill()
        #expect(
            try self.open(1, pool: "api").warnings.first?.contains("is of the pool shop") == true
        )
        // Blocks taken, and then killed.
        try FileManager.default.removeItem(atPath: self.path)
        try self.write([UInt8](repeating: 0, count: 56_000))
        let opened = try self.open(1)
        #expect(opened.warnings.isEmpty && opened.table.count == 0)
        opened.table.bind(1, to: 1)
        #expect(opened.table.count == 1)
    }

    @Test func `after a kill everything is counted again, and what is not whole is forgotten`()
        throws
    {
        _ = try self.fill()
        var bytes = try self.bytes()
        // Nobody closed it: that is how a kill leaves the header.
        bytes[26 * 8] = 1
        // Counts that ran ahead.
        bytes[64 * 8] &+= 3
        var draws = Draws(seed: 7)
        var damaged = 0
        for place in stride(from: 8192, to: bytes.count, by: 256) {
            // One entry of some buckets is damaged in its key, its times or its check value.
            guard draws.below(4) == 0, bytes[place + 4] != 0 else { continue }
            bytes[place + 64 + draws.below(24)] ^= 1 << UInt8(draws.below(8))
            damaged += 1
        }
        try #require(damaged > 20)
        try self.write(bytes)
        let opened = try self.open(1)
        #expect(
            opened.warnings == [
                "\(damaged) bindings of \(self.path) were damaged and are forgotten"
            ]
        )
        #expect(opened.table.count == 500 - damaged)
        #expect(opened.table.all(now: morning).count == 500 - damaged)
        let sum = (1...5).map { opened.table.bound(to: serverID($0)) }.reduce(0, +)
        #expect(sum == 500 - damaged)
        opened.table.close()
    }

    @Test func `a claim of the dead is taken back with its counts`() throws {
        _ = try self.fill()
        var bytes = try self.bytes()
        // As a thread leaves it that was killed between its claim and its entry: the server's row
        // and the table have counted, and a free place has a state of the kind that is none.
        let row = try #require(
            stride(from: 4096, to: 8192, by: 16).first { bytes[$0] == 3 && bytes[$0 + 8] == 100 }
        )
        bytes[row + 8] += 1
        bytes[64 * 8] &+= 1
        let place = try #require(
            stride(from: 8192, to: bytes.count, by: 256).first { bucket in
                bytes[bucket..<bucket + 8].allSatisfy { $0 == 0 }
            }
        )
        let server = UInt64(row - 4096) / 16
        let claim = UInt64(morning.seconds) << 32 | server << 16 | 0x7800 | 1
        for byte in 0..<8 {
            bytes[place + byte] = UInt8(truncatingIfNeeded: claim >> UInt64(byte * 8))
        }
        try self.write(bytes)

        let table = try self.open(1).table
        #expect(table.count == 501 && table.bound(to: serverID(3)) == 101)
        #expect(table.all(now: morning).count == 500)
        table.sweepAll(now: morning + 10)
        #expect(table.count == 501)
        table.sweepAll(now: morning + 11)
        #expect(table.count == 500 && table.bound(to: serverID(3)) == 100)
        table.close()
    }

    @Test func `random damage harms nobody`() throws {
        _ = try self.fill()
        let whole = try self.bytes()
        for seed in 0..<60 {
            var draws = Draws(seed: UInt64(seed))
            var bytes = whole
            for _ in 0..<200 {
                bytes[208 + draws.below(bytes.count - 208)] = UInt8(draws.below(256))
            }
            if seed % 2 == 0 { bytes[26 * 8] = 1 }
            try self.write(bytes)
            let table = try self.open(1).table
            let later = morning + 7200
            for index in 0..<500 {
                let entry = table.find(clientKey(index), now: later)
                if let entry {
                    #expect(entry.kind == .header && entry.issued == morning + Int64(index))
                }
                table.bind(index + 500, to: index % 9 + 1, at: later)
                table.move(clientKey(index), to: serverID(3), now: later)
            }
            table.sweepAll(now: later + 3600)
            table.close()
        }
    }
}
