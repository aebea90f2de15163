import BelayBalancing
import BelayBytes
import BelayCore
import BelayPersistence

/// One server pool as one worker sees it: its own balancer, binding keys and idle connections,
/// beside the table that all workers share.
struct PoolState: ~Copyable {
    var plan: PoolPlan
    /// For each server its encryption; empty: clear text. Replaced when certificates are.
    var encryption: [ServerEncryption]
    var nameHashes: [UInt64]
    var balancer: Balancer
    var bindings: BindingPolicy?
    /// Somebody only asks what would become of a request: nobody's turn to move is used up.
    var isOnlyAsked = false
    /// Claims of tokens that were seen of late.
    var tokens: SeenTokens
    /// For each server the newest idle connection (-1: none), and how many there are.
    var newestIdle: [Int32]
    /// For each server the newest HTTP/2 session, linked by `Session.nextSession`, or -1.
    var firstSession: [Int32]
    var idleCount: [Int32]
    /// For each server this worker's requests that wait for its answer, and since when there were
    /// any.
    var awaited: [Int32]
    var awaitedSince: [Instant]
    /// This worker's exchanges that wait for room, the longest first.
    var firstWaiting: Int32 = -1
    var lastWaiting: Int32 = -1

    init(plan: PoolPlan, ring: KeyRing?, seed: UInt64) throws {
        self.plan = plan
        self.encryption = plan.tls
        self.nameHashes = plan.servers.map { Rendezvous.hash(of: $0.name) }
        self.balancer = plan.balancer.forAnotherWorker(seed: seed)
        self.tokens = SeenTokens(seed: seed)
        self.newestIdle = Array(repeating: -1, count: plan.servers.count)
        self.firstSession = Array(repeating: -1, count: plan.servers.count)
        self.idleCount = Array(repeating: 0, count: plan.servers.count)
        self.awaited = Array(repeating: 0, count: plan.servers.count)
        self.awaitedSince = Array(
            repeating: Instant(nanoseconds: 0),
            count: plan.servers.count
        )
        if let settings = plan.persistence, let ring {
            self.bindings = try BindingPolicy(settings: settings, pool: plan.name, ring: ring)
        } else {
            self.bindings = nil
        }
    }

    // MARK: Balancing

    /// The balancer's choice for a client that is bound to none.
    mutating func pick(
        _ key: PickKey,
        now: Instant,
        tried: TriedServers,
        random: inout RandomSource
    ) -> Int? {
        self.balancer.pick(
            from: self.plan.table,
            key: key,
            tried: tried,
            now: now,
            random: &random
        )
    }

    /// The server that newcomers are to level, and those who are moved, which `ignoresStart`; nil
    /// if all are level, or the pool does not want it.
    func level(
        now: Instant,
        tried: TriedServers,
        ignoresStart: Bool,
        random: inout RandomSource
    ) -> Int? {
        guard self.plan.levels || ignoresStart else { return nil }
        return LevelPolicy.pick(
            self.plan.table,
            now: now,
            tried: tried,
            ignoresStart: ignoresStart,
            random: &random
        )
    }

    /// The server that a client's hash names among those that take newcomers.
    func pick(affinity: UInt64, now: Instant, tried: TriedServers) -> Int? {
        let draw = UInt32(truncatingIfNeeded: StableHash.mix(affinity)) | 1
        let view = self.plan.table.view(at: now, tried: tried, draw: draw)
        if let server = Rendezvous.pick(affinity, names: self.nameHashes.span, among: view) {
            return server
        }
        let lenient = self.plan.table.view(at: now, tried: tried, isLenient: true)
        return Rendezvous.pick(affinity, names: self.nameHashes.span, among: lenient)
    }

    /// What `pick` would say, without the turn being taken.
    func peek(
        _ key: PickKey,
        now: Instant,
        random: inout RandomSource
    ) -> Int? {
        var copy = self.balancer
        return copy.pick(
            from: self.plan.table,
            key: key,
            tried: TriedServers(),
            now: now,
            random: &random
        )
    }

    /// The next server for a binding whose own can't take the request: the same on every Belay.
    func next(for binding: Binding, now: Instant, tried: TriedServers) -> Int? {
        // Slow start is for newcomers; by it Belays would differ.
        let view = self.plan.table.view(at: now, tried: tried)
        let key = binding.id.rawValue
        if let server = Rendezvous.pick(key, names: self.nameHashes.span, among: view) {
            return server
        }
        let lenient = self.plan.table.view(at: now, tried: tried, isLenient: true)
        return Rendezvous.pick(key, names: self.nameHashes.span, among: lenient)
    }

    /// Counts a request at the server; false when the server has become full meanwhile.
    mutating func requestOpened(_ server: Int) -> Bool {
        guard self.plan.table.requestOpened(server) else { return false }
        self.balancer.requestOpened(server)
        return true
    }

    mutating func requestClosed(_ server: Int) {
        self.plan.table.requestClosed(server)
        self.balancer.requestClosed(server)
    }

    // MARK: Bindings

    var hasCookie: Bool { self.bindings != nil }

    mutating func open(_ value: borrowing Span<UInt8>, now: UnixTime) -> BindingOpening {
        self.bindings?.open(value, now: now) ?? .foreign
    }

    func renewalIsDue(_ binding: Binding, now: UnixTime) -> Bool {
        self.bindings?.renewalIsDue(binding, now: now) ?? false
    }

    /// Nil if OpenSSL gives no random bytes: the client then stays unbound.
    mutating func makeBinding(to server: Int, now: UnixTime) -> Binding? {
        self.bindings?.makeBinding(to: self.plan.servers[server].id, now: now)
    }

    mutating func writeSetCookie(
        _ binding: Binding,
        now: UnixTime,
        isOverTLS: Bool,
        into writer: inout ByteWriter
    ) -> Bool {
        self.bindings?.writeSetCookie(binding, now: now, isOverTLS: isOverTLS, into: &writer)
            ?? false
    }

    /// Agents have changed weights: those in the table hold for newcomers.
    mutating func weigh() {
        let table = self.plan.table
        self.balancer.weightsChanged(
            self.plan.servers.indices.map { server in
                table.membership(server) == .present ? table.weight(server) : .zero
            }
        )
    }

    /// The state of a server as a client that is bound to it should know it.
    func boundState(_ server: Int, now: Instant) -> BoundServerState {
        let openMax = self.plan.table.openMax(server)
        let table = self.plan.table
        var state = BoundServerState(
            adminState: table.adminState(server),
            health: table.isPanicking ? .up : table.health(server, at: now),
            isFull: openMax > 0 && table.openRequests(server) >= openMax
        )
        state.hasWeightZero = table.weight(server) == .zero
        state.isStarting = table.isStarting(server, at: now)
        switch table.membership(server) {
        case .present: break
        case .leaving: state.isLeaving = true
        case .removed: state.isRemoved = true
        }
        return state
    }
}
