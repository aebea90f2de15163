import BelayBalancing
import BelayBytes
import BelayCore
import BelayPersistence

/// One server pool as one worker sees it: its own balancer, binding keys and idle connections,
/// beside the table that all workers share.
struct PoolState: ~Copyable {
    let plan: PoolPlan
    /// For each server its encryption; empty: clear text. Replaced when certificates are.
    var encryption: [ServerEncryption]
    private let nameHashes: [UInt64]
    private var balancer: Balancer
    private var bindings: BindingPolicy?
    /// For each server the newest idle connection (-1: none), and how many there are.
    var newestIdle: [Int32]
    /// For each server the newest HTTP/2 session, linked by `Session.nextSession`, or -1.
    var firstSession: [Int32]
    var idleCount: [Int32]

    init(plan: PoolPlan, ring: KeyRing?, seed: UInt64) throws {
        self.plan = plan
        self.encryption = plan.tls
        self.nameHashes = plan.servers.map { Rendezvous.hash(of: $0.name) }
        self.balancer = plan.balancer.forAnotherWorker(seed: seed)
        self.newestIdle = Array(repeating: -1, count: plan.servers.count)
        self.firstSession = Array(repeating: -1, count: plan.servers.count)
        self.idleCount = Array(repeating: 0, count: plan.servers.count)
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
        let view = self.plan.table.view(at: now, tried: tried)
        return self.balancer.pick(view, key: key, now: now, random: &random)
    }

    /// What `pick` would say, without the turn being taken.
    func peek(
        _ key: PickKey,
        now: Instant,
        random: inout RandomSource
    ) -> Int? {
        var copy = self.balancer
        let view = self.plan.table.view(at: now)
        return copy.pick(view, key: key, now: now, random: &random)
    }

    /// The next server for a binding whose own can't take the request: the same on every Belay.
    func next(for binding: Binding, now: Instant, tried: TriedServers) -> Int? {
        let view = self.plan.table.view(at: now, tried: tried)
        return Rendezvous.pick(binding.id.rawValue, names: self.nameHashes.span, among: view)
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

    var hasBindings: Bool { self.bindings != nil }

    mutating func open(_ value: borrowing Span<UInt8>, now: UnixTime) -> BindingOpening {
        self.bindings?.open(value, now: now) ?? .foreign
    }

    func renewalIsDue(_ binding: Binding, now: UnixTime) -> Bool {
        self.bindings?.renewalIsDue(binding, now: now) ?? false
    }

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

    /// The state of a server as a client that is bound to it should know it.
    func boundState(_ server: Int, now: Instant) -> BoundServerState {
        let openMax = self.plan.table.openMax(server)
        return BoundServerState(
            adminState: self.plan.table.adminState(server),
            health: self.plan.table.health(server, at: now),
            isFull: openMax > 0 && self.plan.table.openRequests(server) >= openMax
        )
    }
}
