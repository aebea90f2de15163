package import BelayCore

/// Finds the server that a binding names, among up to 65,535 of a pool.
///
/// Made at load; a look-up allocates nothing and costs about as much for 10,000 servers as for 10
/// (one or two cache lines). An open-addressing table, at most half full, probed one by one: the
/// ids are hashes already, so their low bits are the place. A copy shares the memory.
package struct ServerLookup: Sendable {
    private let ids: [UInt64]
    /// The server's index; `free` where there is none.
    private let indices: [UInt16]
    private let mask: Int

    private static let free = UInt16.max
    // Limit: indices are kept in two bytes, one value of which means none.
    package static let serversMax = 65_535

    /// The index that is found for a name is its place in `names`. Throws if two names cannot be
    /// told apart by their ids, which two names in 10,000 are once in 370 thousand million pools.
    package init(_ names: [ServerName]) throws(ServerLookupError) {
        try self.init(names) { ServerID(of: $0) }
    }

    /// With other ids than the names' own: those of later generations, for one.
    package init(
        _ names: [ServerName],
        id: (ServerName) -> ServerID
    ) throws(ServerLookupError) {
        precondition(names.count <= Self.serversMax, "more servers than a pool may have")
        var count = 2
        while count < names.count * 2 { count *= 2 }
        var ids = [UInt64](repeating: 0, count: count)
        var indices = [UInt16](repeating: Self.free, count: count)
        let mask = count - 1
        for (index, name) in names.enumerated() {
            let id = id(name).rawValue
            var place = Int(truncatingIfNeeded: id) & mask
            while indices[place] != Self.free {
                if ids[place] == id { throw .sameID(names[Int(indices[place])], name) }
                place = (place + 1) & mask
            }
            ids[place] = id
            indices[place] = UInt16(index)
        }
        self.ids = ids
        self.indices = indices
        self.mask = mask
    }

    /// The index of the server, nil if it is not in the pool.
    package func index(of id: ServerID) -> Int? {
        var place = Int(truncatingIfNeeded: id.rawValue) & self.mask
        // The table is never full, so a free place ends every search.
        while true {
            let index = self.indices[place]
            if index == Self.free { return nil }
            if self.ids[place] == id.rawValue { return Int(index) }
            place = (place &+ 1) & self.mask
        }
    }
}

/// Why bindings could not tell the servers of a pool apart.
package enum ServerLookupError: Error, Equatable, Sendable {
    case sameID(ServerName, ServerName)
}

extension ServerLookupError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .sameID(let first, let second) where first == second:
            "two servers of the pool are named \(first); rename one"
        case .sameID(let first, let second):
            "the servers \(first) and \(second) have the same id, so bindings could not tell them "
                + "apart; rename one"
        }
    }
}
