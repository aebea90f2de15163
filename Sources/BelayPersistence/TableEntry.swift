package import BelayCore

/// One binding of the table.
package struct TableEntry: Hashable, Sendable {
    package let key: BindingKey
    package let kind: BindingKind
    package let serverID: ServerID
    /// When the client was first bound: the lifetime counts from here.
    package let issued: UnixTime
    /// When it was last seen: the idle window counts from here.
    package let renewed: UnixTime
    /// Somebody asked that the client be moved when its next request arrives (`mark`).
    package let isMarked: Bool

    package init(
        key: BindingKey,
        kind: BindingKind,
        serverID: ServerID,
        issued: UnixTime,
        renewed: UnixTime,
        isMarked: Bool = false
    ) {
        self.key = key
        self.kind = kind
        self.serverID = serverID
        self.issued = issued
        self.renewed = renewed
        self.isMarked = isMarked
    }
}

/// What the table knows of a key.
package enum TableFinding: Hashable, Sendable {
    case absent
    case bound(TableEntry)
    /// Not renewed within the idle window. The entry is gone with this answer.
    case expiredIdle(TableEntry)
    /// Issued longer ago than the lifetime. The entry is gone with this answer.
    case expiredLifetime(TableEntry)
}

/// What `bind` did.
package enum BindOutcome: Hashable, Sendable {
    /// There is a new entry. `evicted`: the table was full, and the oldest of some gave way.
    case created(evicted: Bool)
    /// It was bound to that server already.
    case renewed
    /// It was bound to another server until now.
    case moved(from: ServerID)
    /// It is bound to another server, and stays there: the answer to `ifAbsent` only.
    case kept(at: ServerID)
    /// Nothing is written: there are more servers with bindings than the table can tell apart
    /// (`serversMax`), or its clients change faster than one of them can be let in.
    case refused
}

/// How long bindings of the table are worth something. Counted in whole seconds, rounded up; nil is
/// for ever.
package struct BindingTimes: Hashable, Sendable {
    /// A client that stays away for longer is bound anew.
    package let idle: TimeSpan?
    /// Longer after it was first bound, a client is bound anew.
    package let lifetime: TimeSpan?

    package init(idle: TimeSpan?, lifetime: TimeSpan?) {
        self.idle = idle
        self.lifetime = lifetime
    }
}
