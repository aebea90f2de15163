import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence

// What a request presents is looked up here, way by way, and what is found is judged by the state
// of the server that it names.

/// What a request or a connection presented.
struct Presented {
    var verdict = PersistenceVerdict.none
    var binding: Binding?
    /// The way that found it, in the order of the pool's; -1: none did.
    var way: Int8 = -1
    /// A hash that names the server of this client by itself, with nothing kept.
    var affinity: UInt64?
    /// Why the client is to be moved although its server would take it.
    var moveReason: MoveReason?
}

/// Where a client comes from, as far as the ways to bind ask.
struct Origin {
    let client: SocketAddress
    /// Belay's own address on the client's connection.
    let local: SocketAddress?
    /// What names the client's TLS session; nil: there is none, or nobody asks.
    var tlsSession: TLSSessionName?
    /// A binding may be kept under it at once; else its server has to name it first.
    var keepsTLSSession = false

    init(client: SocketAddress, local: SocketAddress?) {
        self.client = client
        self.local = local
    }
}

/// The name of a TLS session: at most 32 bytes (RFC 5246 §7.4.1.2).
struct TLSSessionName {
    private var storage = [32 of UInt8](repeating: 0)
    private var count = 0

    init?(_ name: borrowing Span<UInt8>) {
        guard name.count > 0, name.count <= 32 else { return nil }
        for index in 0..<name.count { self.storage[index] = name[index] }
        self.count = name.count
    }

    var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { self.storage.span.extracting(first: self.count) }
    }
}

extension PoolState {
    var hasPersistence: Bool { !self.plan.ways.isEmpty }

    /// Whether any way keeps its bindings in the table.
    var hasTableWays: Bool { self.plan.facts.hasTable }

    func isCookie(_ way: Int8) -> Bool {
        guard way >= 0, case .cookie = self.plan.ways[Int(way)] else { return false }
        return true
    }

    /// The server's drain has come to its end: that is why it takes nobody.
    func isDrained(_ server: Int) -> Bool { self.plan.table.isDrained(server) }

    // MARK: Judging

    /// What a binding is worth now.
    func judge(_ binding: Binding, now: Instant) -> PersistenceVerdict {
        let server = self.plan.lookup.index(of: binding.serverID)
        return persistenceVerdict(
            for: .binding(binding),
            server: server.map { self.boundState($0, now: now) }
        )
    }

    /// The same for one that a client has just presented: its turn to move may have come.
    func judge(
        _ opening: BindingOpening,
        now: Instant,
        unixNow: UnixTime
    ) -> PersistenceVerdict {
        guard case .binding(let binding) = opening,
            let server = self.plan.lookup.index(of: binding.serverID)
        else { return persistenceVerdict(for: opening, server: nil) }
        var state = self.boundState(server, now: now)
        if self.plan.table.givesAway(server), !self.isOnlyAsked {
            let seen = binding.seen ?? binding.renewed
            let idle = TimeSpan.seconds(Swift.max(0, unixNow.seconds - seen.seconds))
            state.givesAway = self.plan.table.mayMove(server, idleFor: idle, now: now)
        }
        return persistenceVerdict(for: opening, server: state)
    }

    // MARK: Counting

    /// Tells the balancer how many clients are bound to the server.
    func noteBound(_ server: Int) {
        guard let table = self.plan.bindingTable else { return }
        self.plan.table.setBound(table.bound(to: self.plan.servers[server].id), server)
    }

    /// A cookie was sealed: the register knows of it from now on.
    func register(_ binding: Binding, at server: Int, now: UnixTime) {
        guard let table = self.plan.bindingTable else { return }
        _ = table.bind(
            BindingKey(binding.id),
            .cookie,
            to: binding.serverID,
            issued: binding.issued,
            now: now
        )
        if self.plan.marks.load(0, 0) > 0 { _ = table.mark(BindingKey(binding.id), false) }
        self.noteBound(server)
    }

    /// A client that its server gives away is known at the other one from now on, whatever becomes
    /// of the cookie that will say so: its requests that are under way beside this one follow it.
    func noteMoved(_ binding: Binding, now: UnixTime) {
        guard let table = self.plan.bindingTable else { return }
        _ = table.bind(
            BindingKey(binding.id),
            .cookie,
            to: binding.serverID,
            issued: binding.issued,
            now: now
        )
    }

    /// Whether a server gives clients away to level the pool, or because it is drained.
    func givingReason(_ server: Int) -> MoveReason? {
        guard self.plan.table.givesAway(server) else { return nil }
        return self.plan.table.movesLeft(server) == nil ? .drain : .rebalance
    }

    /// The application has ended the client's binding.
    func unregister(_ binding: Binding) {
        guard let table = self.plan.bindingTable else { return }
        _ = table.forget(BindingKey(binding.id))
        if let server = self.plan.lookup.index(of: binding.serverID) { self.noteBound(server) }
    }

    // MARK: Away from home

    /// Where a client is while its home can't have it is kept beside the binding, under a key that
    /// follows from its own.
    private func awayKey(_ binding: Binding) -> BindingKey {
        BindingKey(high: 0x6177_6179, low: binding.id.rawValue)
    }

    /// The client is served by `server` instead of its home. Returns where it was before: nil at
    /// home.
    func stayAway(_ binding: Binding, at server: Int, now: UnixTime) -> Int? {
        guard let table = self.plan.bindingTable else { return nil }
        let key = self.awayKey(binding)
        let before = table.find(key, now: now)
        let id = self.plan.servers[server].id
        _ = table.bind(key, .cookie, to: id, issued: now, now: now)
        return before.flatMap { self.plan.lookup.index(of: $0.serverID) }
    }

    /// The client is at home. Returns where it was before, if it was away.
    func comeHome(_ binding: Binding, now: UnixTime) -> Int? {
        guard let table = self.plan.bindingTable else { return nil }
        let key = self.awayKey(binding)
        guard let away = table.find(key, now: now) else { return nil }
        _ = table.forget(key)
        return self.plan.lookup.index(of: away.serverID)
    }
}
