/// The name of a server within its pool: what a binding remembers, so that a server keeps its
/// clients when its address changes.
package struct ServerName: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    /// Nil unless the name has 1 to 128 characters, all of them letters, digits or one of `._-:[]`.
    package init?(_ rawValue: String) {
        guard isName(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    package var description: String { self.rawValue }
}

/// The name of a server pool.
package struct PoolName: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    /// Nil unless the name has 1 to 128 characters, all of them letters, digits or one of `._-:[]`.
    package init?(_ rawValue: String) {
        guard isName(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    package var description: String { self.rawValue }
}

// Limit: 128 characters keep a name readable in a log line and a metric's label.
private func isName(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: ":"),
                UInt8(ascii: "["), UInt8(ascii: "]"):
                true
            default: false
            }
        }
}

/// A server's share of new clients, relative to its pool's others. Weight 0 takes none, but keeps
/// those that are bound to it.
package struct Weight: Hashable, Comparable, Sendable {
    package let rawValue: UInt16

    /// Nil outside 0...256.
    package init?(_ value: Int) {
        guard (0...256).contains(value) else { return nil }
        self.rawValue = UInt16(value)
    }

    private init(unchecked: UInt16) { self.rawValue = unchecked }

    package static let zero = Weight(unchecked: 0)
    package static let one = Weight(unchecked: 1)
    package static let maximum = Weight(unchecked: 256)

    package static func < (left: Weight, right: Weight) -> Bool { left.rawValue < right.rawValue }
}

/// What a person set for a server.
package enum AdminState: UInt8, Sendable, CaseIterable {
    /// Takes new clients and bound ones.
    case ready
    /// Takes no new clients; bound ones go on.
    case draining
    /// Takes nobody.
    case maintenance

    /// The spelling in configuration, metrics and logs.
    package var name: StaticString {
        switch self {
        case .ready: "ready"
        case .draining: "draining"
        case .maintenance: "maintenance"
        }
    }
}

/// Whether a server belongs to its pool. Servers are never forgotten while the process lives,
/// because requests under way, logs and counters name them.
package enum Membership: UInt8, Sendable, CaseIterable {
    case present
    /// Taken out of the settings: keeps its clients until its deadline. May become `present` again,
    /// or `removed`.
    case leaving
    /// Takes nobody. May become `present` again.
    case removed

    /// The spelling in metrics and logs.
    package var name: StaticString {
        switch self {
        case .present: "present"
        case .leaving: "leaving"
        case .removed: "removed"
        }
    }
}

/// What live traffic and active checks found about a server.
package enum Health: UInt8, Sendable, CaseIterable {
    /// No reason to keep requests away. May become `ejected`.
    case up
    /// Failed too often of late: kept out of every choice until its time is over. Becomes `up`.
    case ejected
    /// Active checks find that it does not accept connections. Becomes `up` when they succeed.
    case down

    /// The spelling in metrics and logs.
    package var name: StaticString {
        switch self {
        case .up: "up"
        case .ejected: "ejected"
        case .down: "down"
        }
    }
}
