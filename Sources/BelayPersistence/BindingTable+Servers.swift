import BelayBytes

/// The servers that bindings name: an entry says which by a number of 16 bits, so that one word
/// holds it with all else that changes.
///
/// A server is put into the first free row after the one its id points to, and is counted there,
/// before a binding that names it is written, and until after it is gone: so a row whose count is
/// above zero keeps its id. Rows without bindings are given to other servers only when those after
/// the right one are crowded. Should two threads enter one id at once into two rows, both count.
extension BindingTable {
    // Limit: a row further away than this is not looked for. At nine tenths full, one in a million
    // is.
    private static let rowsLookedAt = 64
    /// A count with this bit: the row is being given to another server.
    private static let changing: UInt64 = 1 << 63

    /// How many clients are bound to a server: exact, at no more than some cache lines' cost.
    /// Bindings that have expired count until a look or the sweep meets them.
    package func bound(to serverID: ServerID) -> Int {
        var sum = 0
        var row = self.home(of: serverID)
        for _ in 0..<Self.rowsLookedAt {
            let id = self.cells.load(self.word(ofRow: row))
            if id == 0 { break }
            if id == serverID.rawValue {
                // A bit of the sign may be there for a moment, with a count of zero.
                sum += Int(
                    truncatingIfNeeded: self.cells.loadRelaxed(self.word(ofRow: row) + 1)
                        & ~Self.changing
                )
            }
            row = self.row(after: row)
        }
        return sum
    }

    /// The server that entries call by `row`. Nil if that is none: the entry is damaged.
    @inline(__always)
    func serverID(_ row: Int) -> ServerID? {
        guard row < self.layout.serversMax else { return nil }
        let id = self.cells.loadRelaxed(self.word(ofRow: row))
        return id == 0 ? nil : ServerID(rawValue: id)
    }

    /// Counts a binding more for the server; the row by which an entry names it. Nil if there are
    /// too many servers.
    func enter(_ serverID: ServerID) -> Int? {
        let id = serverID.rawValue
        // Zero is a free row; one name in 2^64 has that id, and is never bound.
        guard id != 0 else { return nil }
        var row = self.home(of: serverID)
        for _ in 0..<Self.rowsLookedAt {
            let found = self.cells.load(self.word(ofRow: row))
            if found == id || (found == 0 && self.take(row, id)) {
                if self.count(row, id) { return row }
            }
            row = self.row(after: row)
        }
        row = self.home(of: serverID)
        for _ in 0..<Self.rowsLookedAt {
            if self.takeOver(row, id), self.count(row, id) { return row }
            row = self.row(after: row)
        }
        return nil
    }

    /// One binding less. A damaged entry may name a row that there is not.
    func leave(_ row: Int) {
        guard row < self.layout.serversMax else { return }
        self.cells.add(.max, self.word(ofRow: row) &+ 1)
    }

    @inline(__always)
    private var rowMask: Int { self.layout.serversMax - 1 }

    private func home(of serverID: ServerID) -> Int {
        Int(truncatingIfNeeded: StableHash.mix(serverID.rawValue)) & self.rowMask
    }

    private func row(after row: Int) -> Int { (row + 1) & self.rowMask }

    /// The word of a row's id; the next one is its count.
    @inline(__always)
    func word(ofRow row: Int) -> Int { TableLayout.headerCount &+ 2 &* row }

    /// Takes a free row; true too if another thread has just taken it for the same server.
    private func take(_ row: Int, _ id: UInt64) -> Bool {
        let word = self.word(ofRow: row)
        return self.cells.exchange(0, for: id, word) || self.cells.load(word) == id
    }

    /// Counts one more, unless the row is, or becomes, another server's.
    private func count(_ row: Int, _ id: UInt64) -> Bool {
        let word = self.word(ofRow: row)
        while true {
            let count = self.cells.load(word + 1)
            guard count & Self.changing == 0 else { return false }
            guard self.cells.exchange(count, for: count + 1, word + 1) else { continue }
            if self.cells.loadInOrder(word) == id { return true }
            self.leave(row)
            return false
        }
    }

    /// Takes a row whose server no binding names.
    private func takeOver(_ row: Int, _ id: UInt64) -> Bool {
        let word = self.word(ofRow: row)
        guard self.cells.exchange(0, for: Self.changing, word + 1) else { return false }
        self.cells.store(id, word)
        self.cells.store(0, word + 1)
        return true
    }
}
