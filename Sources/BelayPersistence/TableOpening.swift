import BelayBytes
import BelayCore

/// One opening of a table's file: what is done with the file that is found, and what the log
/// should say of it.
struct TableOpening {
    enum Attempt {
        case opened(BindingTable)
        /// Nothing was opened, but the file that was in the way is not there any more.
        case again
        case inUse
        case otherTable
    }

    private let path: String
    private let identity: TableIdentity
    private let layout: TableLayout
    private let times: TableTimes
    /// For a new file.
    private let seeds: (UInt64, UInt64)
    private(set) var warnings: [String] = []

    init(
        path: String,
        identity: TableIdentity,
        layout: TableLayout,
        times: TableTimes,
        seeds: (UInt64, UInt64)
    ) {
        self.path = path
        self.identity = identity
        self.layout = layout
        self.times = times
        self.seeds = seeds
    }

    mutating func attempt(sharing: Bool) throws(FileError) -> Attempt {
        let file = try MappedFile(opening: self.path)
        guard file.lockOpening() else { return .inUse }
        guard file.isCurrent() else { return .again }
        if file.lockAlone() { return try self.openAlone(file) }
        guard sharing, file.lockShared() else { return .inUse }
        return try self.join(file)
    }

    /// Opens a file that nobody else has.
    private mutating func openAlone(_ file: consuming MappedFile) throws(FileError) -> Attempt {
        let size = try file.byteCount()
        guard size > 0 else {
            let table = try self.create(file)
            table.cells.endOpening()
            return .opened(table)
        }
        guard size >= TableLayout.headerCount * 8 else {
            try self.setAside("is damaged")
            return .again
        }
        // A copy, or a backup that was brought back, may have holes.
        try file.allocate(byteCount: size)
        let cells = try file.map(count: size / 8)
        switch self.examine(cells) {
        case .unfinished:
            MappedFile.remove(self.path)
        case .unusable(let reason):
            try self.setAside(reason)
        case .usable(let layout, let ringKey):
            var table = self.table(cells, layout)
            // The pages of one that nobody is bound in need no memory.
            if table.count > 0 || cells.load(TableHeader.users) != 0 { cells.readAhead() }
            if cells.load(TableHeader.users) != 0 || table.count > table.entriesMax {
                self.recount(table)
            }
            if ringKey != 0 {
                cells.store(self.identity.checks[0], TableHeader.ringKey)
                cells.store(Self.check(cells), TableHeader.check)
            }
            cells.store(1, TableHeader.users)
            cells.store(0, TableHeader.evictions)
            cells.store(0, TableHeader.expirations)
            if layout != self.layout, let other = self.copy(table) { table = other }
            table.cells.endOpening()
            return .opened(table)
        }
        cells.close()
        return .again
    }

    /// Opens a file that a running Belay has open.
    private mutating func join(_ file: consuming MappedFile) throws(FileError) -> Attempt {
        let size = try file.byteCount()
        guard size >= TableLayout.headerCount * 8 else { return .otherTable }
        let cells = try file.map(count: size / 8)
        guard case .usable(let layout, _) = self.examine(cells) else {
            cells.close()
            return .otherTable
        }
        if layout != self.layout {
            self.warnings.append(
                "\(self.path) keeps its room for \(layout.entriesMax) bindings until Belay is "
                    + "stopped and started"
            )
        }
        cells.add(1, TableHeader.users)
        cells.endOpening()
        return .opened(self.table(cells, layout))
    }

    private func table(_ cells: MappedCells, _ layout: TableLayout) -> BindingTable {
        let seeds = (cells.load(TableHeader.seeds), cells.load(TableHeader.seeds + 1))
        return BindingTable(cells: cells, layout: layout, seeds: seeds, times: self.times)
    }

    /// Makes the table in an empty file, which is taken away again if the disk has no room for it.
    private func create(_ file: consuming MappedFile) throws(FileError) -> BindingTable {
        let path = file.path
        do throws(FileError) { try file.allocate(byteCount: self.layout.count * 8) } catch {
            MappedFile.remove(path)
            throw error
        }
        let cells = try file.map(count: self.layout.count)
        cells.store(TableHeader.versionValue, TableHeader.version)
        cells.store(UInt64(self.layout.entriesMax), TableHeader.entriesMax)
        cells.store(UInt64(self.layout.bucketCount), TableHeader.bucketCount)
        cells.store(UInt64(self.layout.serversMax), TableHeader.serversMax)
        cells.store(self.seeds.0, TableHeader.seeds)
        cells.store(self.seeds.1, TableHeader.seeds + 1)
        cells.store(self.identity.checks[0], TableHeader.ringKey)
        let name = Array(self.identity.pool.rawValue.utf8)
        cells.store(UInt64(name.count), TableHeader.poolCount)
        for (index, byte) in name.enumerated() {
            cells.add(
                UInt64(byte) << UInt64(index % 8 * 8),
                TableHeader.pool.lowerBound + index / 8
            )
        }
        cells.store(Self.check(cells), TableHeader.check)
        cells.store(1, TableHeader.users)
        cells.store(TableHeader.magicValue, TableHeader.magic)
        return self.table(cells, self.layout)
    }

    /// Copies the entries, the newest first, into a table of the size that is asked for, which then
    /// takes the file's place. Nil, and the old one stays, if the disk has no room for both.
    private mutating func copy(_ old: BindingTable) -> BindingTable? {
        let draft = self.path + ".new"
        MappedFile.remove(draft)
        do throws(FileError) {
            let file = try MappedFile(opening: draft)
            // Nobody looks for a file of this name, and by its own one nobody gets in before
            // `endOpening`.
            guard file.lockOpening(), file.lockAlone() else { return nil }
            let table = try self.create(file)
            let count = old.copyNewest(to: table)
            try MappedFile.rename(draft, to: self.path)
            if count.dropped > 0 {
                self.warnings.append(
                    "\(self.path) has room for \(self.layout.entriesMax) bindings now, so the "
                        + "\(count.dropped) oldest of \(count.copied + count.dropped) are forgotten"
                )
            }
            old.cells.close()
            return table
        } catch {
            MappedFile.remove(draft)
            self.warnings.append(
                "\(self.path) keeps its room for \(old.entriesMax) bindings: \(error)"
            )
            return nil
        }
    }
}

/// What is found in a file.
extension TableOpening {
    private enum Examination {
        case usable(TableLayout, ringKey: Int)
        /// Somebody was stopped while making it.
        case unfinished
        /// Why, to follow the file's name.
        case unusable(String)
    }

    private func examine(_ cells: MappedCells) -> Examination {
        guard cells.load(TableHeader.magic) != 0 else { return .unfinished }
        guard cells.load(TableHeader.magic) == TableHeader.magicValue else {
            return .unusable("is no table of bindings, or is damaged")
        }
        guard cells.load(TableHeader.version) == TableHeader.versionValue else {
            return .unusable("is of another version of Belay")
        }
        let entriesMax = cells.load(TableHeader.entriesMax)
        guard cells.load(TableHeader.check) == Self.check(cells),
            (1...UInt64(TableLayout.entriesLimit)).contains(entriesMax)
        else { return .unusable("is damaged") }
        let layout = TableLayout(entriesMax: Int(entriesMax))
        guard cells.load(TableHeader.bucketCount) == UInt64(layout.bucketCount),
            cells.load(TableHeader.serversMax) == UInt64(layout.serversMax)
        else { return .unusable("is of another version of Belay") }
        guard cells.count == layout.count else { return .unusable("was cut short") }
        let pool = Self.pool(cells)
        guard pool == self.identity.pool.rawValue else {
            return .unusable("is of the pool \(pool)")
        }
        let ringKey = self.identity.checks.firstIndex(of: cells.load(TableHeader.ringKey))
        guard let ringKey else {
            return .unusable("was made with a key that is in the ring no more")
        }
        return .usable(layout, ringKey: ringKey)
    }

    private static func pool(_ cells: MappedCells) -> String {
        let count = Swift.min(128, Int(clamping: cells.load(TableHeader.poolCount)))
        let bytes = (0..<count).map { index in
            let word = cells.load(TableHeader.pool.lowerBound + index / 8)
            return UInt8(truncatingIfNeeded: word >> UInt64(index % 8 * 8))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func check(_ cells: MappedCells) -> UInt64 {
        var check = CRC32C()
        for word in TableHeader.version..<TableHeader.check {
            let value = cells.load(word)
            for byte in 0..<8 { check.add(UInt8(truncatingIfNeeded: value >> UInt64(byte * 8))) }
        }
        return UInt64(check.value)
    }

    /// Counts the entries again, after somebody was killed, and takes out what isn't whole.
    private mutating func recount(_ table: BindingTable) {
        let damaged = table.recount()
        guard damaged > 0 else { return }
        self.warnings.append(
            "\(damaged) bindings of \(self.path) were damaged and are forgotten"
        )
    }

    /// Gives the file another name, under which somebody may look at it.
    private mutating func setAside(_ reason: String) throws(FileError) {
        // Limit: four of them are kept, and then the last is replaced.
        var number = 1
        while number < 4, MappedFile.exists("\(self.path).bad-\(number)") { number += 1 }
        let other = "\(self.path).bad-\(number)"
        try MappedFile.rename(self.path, to: other)
        self.warnings.append(
            "\(self.path) \(reason): it is kept as \(other), and the pool's learned bindings start "
                + "anew"
        )
    }
}

/// What only who has the table alone may do.
extension BindingTable {
    /// Counts all entries and takes out what isn't whole; how many entries were not.
    func recount() -> Int {
        let rows = self.layout.serversMax
        var counts = [UInt64](repeating: 0, count: rows)
        var (count, damaged): (UInt64, Int) = (0, 0)
        for place in 0..<self.layout.placeCount {
            let word = self.layout.state(ofPlace: place)
            let state = PlaceState(word: self.cells.load(word))
            if state == .free { continue }
            if let (found, key) = self.read(word), self.isRight(found, key) {
                counts[state.server] += 1
                count += 1
            } else {
                self.cells.store(PlaceState.free.word, word)
                // A claim is no entry yet.
                if !state.isClaim { damaged += 1 }
            }
        }
        for row in 0..<rows { self.cells.store(counts[row], self.word(ofRow: row) + 1) }
        self.cells.store(count, TableHeader.entries)
        return damaged
    }

    /// Whether the entry lies where a look finds it.
    private func isRight(_ found: FoundEntry, _ key: BindingKey) -> Bool {
        let placing = self.placing(of: key)
        let offsets = (found.place - placing.first, found.place - placing.second)
        return found.state.tag == placing.tag
            && ((0..<TableLayout.places).contains(offsets.0)
                || (0..<TableLayout.places).contains(offsets.1))
    }

    /// Copies as many entries as the other has room for, the newest first.
    func copyNewest(to other: BindingTable) -> (copied: Int, dropped: Int) {
        var places: [(renewed: UInt32, word: Int)] = []
        for place in 0..<self.layout.placeCount {
            let word = self.layout.state(ofPlace: place)
            let state = PlaceState(word: self.cells.load(word))
            if state.kind != nil { places.append((state.renewed, word)) }
        }
        places.sort { $0.renewed > $1.renewed }
        var copied = 0
        for (renewed, word) in places.prefix(other.entriesMax) {
            guard let (found, key) = self.read(word) else { continue }
            let outcome = other.bind(
                key,
                found.kind,
                to: found.serverID,
                issued: UnixTime(seconds: Int64(found.issued)),
                now: UnixTime(seconds: Int64(renewed))
            )
            guard case .created = outcome else { continue }
            if found.state.isMarked { other.mark(key) }
            copied += 1
        }
        return (copied, places.count - copied)
    }
}
