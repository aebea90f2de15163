// BelayPersistence: how a client stays with its server. What a binding is, the sealed cookie that
// carries it (`BindingCookie` is its format, `BindingPolicy` opens, renews and seals it), the keys
// (`KeyRing`; `KeyRingFile` is the only file of this room that reads or writes files), and what a
// binding is worth for the state its server is in (`persistenceVerdict`). No HTTP is parsed here,
// no server is picked and no clock is read: BelayHTTP finds the cookie, BelayBalancing picks the
// next server by the binding's id, BelayProxy calls both.

private import BelayBytes
package import BelayCore

/// What a binding calls its server: a hash of the server's name, so that the server keeps its
/// clients when its address, its weight or its place in the settings changes.
package struct ServerID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The id of the server of that name, the same in every Belay, for ever. Two names of a pool
    /// may have one id: `ServerLookup` finds that at load.
    /// A later generation of a server is another one to its clients.
    package init(of name: ServerName, generation: Int = 0) {
        let seed: UInt64 = 0x6265_6C61_795F_7331
        self.rawValue = StableHash.of(
            name.rawValue,
            seed: generation == 0 ? seed : StableHash.combine(seed, UInt64(generation))
        )
    }
}

/// A binding's own random number. It stays when the client has to move, and is the key by which
/// every Belay finds the same next server.
package struct BindingID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// That a client is bound to a server, and since when.
package struct Binding: Hashable, Sendable {
    package var serverID: ServerID
    package let id: BindingID
    /// When the client was first bound: the lifetime counts from here.
    package let issued: UnixTime
    /// When the cookie was last written: the idle window counts from here.
    package let renewed: UnixTime
    /// It was sealed with a key that is not the ring's first: it should be renewed, so that the
    /// old key can be taken from the ring one day.
    package let hasOldKey: Bool
    /// Somebody has moved this client: `serverID` says where to.
    package var isToMove = false
    /// The server that it was bound to before somebody moved it, as far as that is known.
    package var cameFrom: ServerID?
    /// When its client was seen last, where that is known better than by `renewed`.
    package var seen: UnixTime?

    package init(
        serverID: ServerID,
        id: BindingID,
        issued: UnixTime,
        renewed: UnixTime,
        hasOldKey: Bool = false
    ) {
        self.serverID = serverID
        self.id = id
        self.issued = issued
        self.renewed = renewed
        self.hasOldKey = hasOldKey
    }

    /// The binding after its server was gone: another server, all else as before. The lifetime
    /// goes on.
    package func moved(to serverID: ServerID) -> Binding {
        var moved = self
        moved.serverID = serverID
        return moved
    }
}

/// What a presented cookie turned out to be.
package enum BindingOpening: Hashable, Sendable {
    /// Sealed by us and in time.
    case binding(Binding)
    /// Not ours: not this format, or no key of this pool's is named in it.
    case foreign
    /// Names a key of this pool's and does not open with it: changed on its way, or forged.
    case tampered
    /// Not renewed within the idle window.
    case expiredIdle
    /// Issued longer ago than the lifetime.
    case expiredLifetime
}
