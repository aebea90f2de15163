// BelayProxy: what happens to an exchange, from the request's head to the line in the log: route,
// persistence, pick, forward, retry. `Worker` is one thread's share of it: it drives an `Engine`
// and owns everything it touches, so nothing here is locked. Its extensions are a file each:
//   +Arrivals  what comes before the first request: PROXY header, TLS handshake, ClientHello
//   +Clients   client connections, HTTP/1.1: heads in, refusals, lingering
//   +Sessions, +Streams, +ServerSessions  both sides in HTTP/2
//   +TCP       connections without messages
//   +Bindings  what the client's binding says, where it is kept, when it moves
//   +Waiting   exchanges without a server for a while: refused, full, silent
//   +Exchange  the exchange itself, which knows neither side's framing: choose a server, retry, end
//   +Gates     what is asked of a request before it may go on: https, origins, tunnels
//   +Servers, +Responses  server connections: connect, reuse; HTTP/1.1 response heads
//   +Transfer, +Splicing, +Tunnels  bodies in both directions, with back-pressure
//   +Reload    a new plan takes the place of the old one
//   +Deadlines, +Mail, +Explain
// Decisions are taken in the rooms below (BelayPersistence, BelayBalancing); here they are obeyed.

import BelayBalancing
package import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
package import BelayTelemetry
package import BelayTransport

/// A socket that a worker accepts from, and the index of its listener. A listener may have several,
/// or none.
package struct WorkerSocket: Sendable {
    package var listener: Int
    package var socket: ListeningSocket

    package init(listener: Int, socket: ListeningSocket) {
        self.listener = listener
        self.socket = socket
    }
}

/// One thread's share of the proxy. Made, run and destroyed on its own thread.
package struct Worker: ~Copyable {
    // Limit: what is composed before one send: a head with its additions, or small pieces of a
    // body, never more than a block keeps.
    static let composedMax = 48 * 1024

    // Limit: pools that one process may come to have.
    package static let poolsMax = 4_096

    let index: Int
    var limits: ProxyLimits
    var listeners: [ListenerPlan]
    /// By listener: what its connections begin with.
    var listenerTraits: [Traits]
    var routes: [RoutePlan]
    var routeIndex: RouteIndex
    var trusted: [Network]
    var rules: ForwardingRules
    var errorPages: ErrorPages
    let metrics: WorkerMetrics
    let mailbox: Mailbox
    let shared: SharedState

    var engine: Engine
    var pools: Slab<PoolState>
    var exchanges: Slab<Exchange>
    var roles: Slab<Role>
    var sessions: Slab<Session>
    var streams: Slab<StreamState>
    var tunnels: Slab<Tunnel>
    /// Handshakes that can go on, and sessions that have something to write.
    var handshakes = Line<Int32>()
    var sessionLine = Line<Int32>()
    /// Streams of clients whose answers leave with what is being sent.
    var drained = Line<Int32>()
    /// Streams whose answer is out while the request still comes, the oldest first.
    var answered = Line<AnsweredStream>()
    /// Exchanges whose server refused the connection, to be tried again; and room that has come at
    /// servers for which exchanges wait.
    var refused = Line<Waiter>()
    var rooms = Line<Room>()
    /// The last one given to an exchange that waits.
    var ticket: UInt64 = 0
    /// What is parsed and composed right now; never needed beyond one call.
    var fields: FieldList
    /// The exchange whose request's lines `fields` holds, or -1.
    var fieldsOf = -1
    var composed: ByteWriter
    /// Frames of a session, before the streams' bytes are put between them.
    var frames: ByteWriter
    /// One, or none where the access log is off. In a slab, so that it is written in place.
    var logs: Slab<WorkerLog>
    var random: RandomSource
    /// The wall clock, and its text for Date, as of the last second.
    var wallNanoseconds: Int64 = 0
    var wallReadAt: Instant
    var date: DateText
    var nextTick: Instant
    var pendingConnects = 0
    /// When a handshake with a server may be complained of again.
    var nextHandshakeNotice: Instant
    var lingering = 0
    var hasPausedListeners = false
    var stopping: StopState = .running
    /// It stops because another process has taken over.
    var isRetiring = false
    /// When the graceful stop began, and when it ends at the latest.
    var stoppedAt: Instant
    var stopDeadline: Instant
    /// No more connections are taken.
    var listenersAreClosed = false
    var idleConnections = 0

    enum StopState {
        case running
        /// No new connections; what runs may finish until `stopDeadline`. Becomes `stopped`.
        case finishing
        case stopped
    }

    /// Takes the listening sockets over and closes them at the end.
    package init(
        index: Int,
        plan: ProxyPlan,
        engine: consuming Engine,
        listeners: [WorkerSocket],
        mailbox: Mailbox,
        shared: SharedState,
        metrics: WorkerMetrics,
        logs: consuming Slab<WorkerLog>,
        seed: UInt64
    ) throws {
        var pools = Slab<PoolState>(capacity: Swift.max(Self.poolsMax, plan.pools.count))
        for (number, pool) in plan.pools.enumerated() {
            let state = try PoolState(
                plan: pool,
                ring: plan.keyRing,
                seed: seed &+ UInt64(number)
            )
            _ = pools.insert(state)
        }
        var engine = engine
        for entry in listeners { try engine.addListener(entry.socket, for: entry.listener) }
        self.index = index
        self.limits = plan.limits
        self.listeners = plan.listeners
        self.listenerTraits = plan.listeners.map { Traits($0) }
        self.routes = plan.routes
        self.routeIndex = plan.routeIndex
        self.trusted = plan.trusted
        self.rules = plan.rules
        self.errorPages = plan.errorPages
        self.metrics = metrics
        self.mailbox = mailbox
        self.shared = shared
        self.pools = pools
        self.exchanges = Slab(capacity: engine.connectionsMax)
        self.roles = Slab(capacity: engine.connectionsMax)
        self.sessions = Slab(capacity: engine.connectionsMax)
        self.streams = Slab(capacity: engine.connectionsMax)
        self.tunnels = Slab(capacity: engine.connectionsMax)
        self.fields = FieldList(capacity: plan.limits.headerCount)
        self.composed = ByteWriter(capacity: BlockMemory.blockSize)
        self.frames = ByteWriter(capacity: BlockMemory.blockSize)
        self.logs = logs
        self.random = RandomSource(seed: seed)
        self.wallReadAt = engine.now
        self.nextTick = engine.now
        self.nextHandshakeNotice = engine.now
        self.stoppedAt = engine.now
        self.stopDeadline = engine.now
        self.date = DateText(UnixTime(seconds: 0))
        self.engine = engine
        self.readWallClock()
    }

    /// Serves until it is told to stop by a message.
    package mutating func run() {
        while self.stopping != .stopped {
            self.engine.wait(until: self.nextWake)
            if self.engine.now >= self.nextTick { self.tick() }
            while let event = self.engine.nextEvent() {
                switch event {
                case .connection(let slot): self.connectionChanged(slot)
                case .listener(let listener): self.acceptConnections(listener)
                case .wakeup: self.readMail()
                case .deadline(let slot): self.deadlinePassed(slot)
                }
            }
            self.runHandshakes()
            if !self.refused.isEmpty { self.runRefused() }
            if !self.rooms.isEmpty { self.giveRooms() }
            self.flushSessions()
        }
        self.closeEverything()
    }

    /// When the loop goes on although nothing happens.
    private var nextWake: Instant {
        // Handshakes that wait for their turn wait for nothing else.
        guard self.handshakes.isEmpty else { return self.engine.now }
        guard let refused = self.refused.first else { return self.nextTick }
        return Swift.min(refused.at, self.nextTick)
    }

    /// Roles lie beside the engine's connections, under the same numbers, which grow one by one.
    mutating func growRoles(to slot: Int) {
        while self.roles.count <= slot { _ = self.roles.insert(Role()) }
    }

    func isTrusted(_ address: IPAddress) -> Bool {
        for network in self.trusted where network.contains(address) { return true }
        return false
    }

    private mutating func connectionChanged(_ slot: Int) {
        switch self.roles[slot].kind {
        case .arriving: self.arrivalChanged(slot)
        case .client: self.clientChanged(slot)
        case .session: self.sessionChanged(slot)
        case .server: self.serverChanged(slot)
        case .idleServer: self.idleServerChanged(slot)
        case .lingering: self.drainLingering(slot)
        case .free: break
        }
    }

    // MARK: Time

    /// The wall clock without a system call: the last reading and what has passed since.
    var unixNow: UnixTime {
        let passed = self.engine.now - self.wallReadAt
        return UnixTime(seconds: (self.wallNanoseconds &+ passed.nanoseconds) / 1_000_000_000)
    }

    mutating func readWallClock() {
        self.wallNanoseconds = SystemClock.unixNanoseconds()
        self.wallReadAt = self.engine.now
        let time = self.unixNow
        if self.date.time != time { self.date = DateText(time) }
    }

    /// About ten times a second: what must not wait for traffic.
    private mutating func tick() {
        let before = self.date.time
        self.readWallClock()
        if self.date.time != before {
            self.engine.tick()
            let clock = WallClock(unixNanoseconds: self.wallNanoseconds, at: self.wallReadAt)
            if self.logs.count > 0 { self.logs[0].tick(now: self.engine.now, clock: clock) }
            self.metrics.set(.bufferBlocksInUse, self.engine.blocksUsed)
            self.metrics.set(.idleServerConnections, self.idleConnections)
        }
        self.resumeListeners()
        self.findStalled()
        self.callQueues()
        self.endAnsweredStreams()
        self.continueStopping()
        // Once nobody is accepted any more every moment counts: the next process may be waiting.
        let isLast = self.listenersAreClosed && self.stopping == .finishing
        self.nextTick = self.engine.now + .milliseconds(isLast ? 5 : 100)
    }
}
