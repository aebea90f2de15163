import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayHTTP2
import BelayPersistence
import BelayProxy
import BelayTelemetry
import BelayTransport
import Testing

/// What a worker is set up with.
struct Setup {
    var servers = 1
    /// Servers on whose address nobody listens.
    var refusing: Set<Int> = []
    var algorithm = Algorithm.roundRobin
    var openMax = 0
    var retries = 1
    var idleConnections = 8
    var limits = ProxyLimits()
    var ejection = EjectionPolicy()
    var persistence: PersistenceSettings?
    var keyRing: KeyRing?
    var routes: [(host: HostMatch, path: String, methods: UInt16)] = [(.any, "", 0)]
    /// The pages that may open WebSockets, on all routes.
    var origins: [OriginRule] = []
    var listeners = [ListenerPlan(name: InternedText("test"))]
    var trusted: [Network] = []
    /// Each server stands in a pool of its own, in order; the routes lead to the first.
    var isApart = false
    var speaksHTTP2 = false
    /// How the servers encrypt, and how Belay asks them to.
    var serverTLS: TLSServerContext?
    /// What is different with the pools.
    var adjustPool: (inout PoolPlan) -> Void = { _ in }
    /// Where the access log goes.
    var log: LogSink?

    init() {}

    /// With one listener, and what is different with it.
    init(_ adjust: (inout ListenerPlan) -> Void) { adjust(&self.listeners[0]) }
}

/// A worker on a thread of its own and, driven by the test's thread, all clients and servers
/// around it, on loopback. Nothing waits for a time: the test waits for what must come, and gives
/// up after ten seconds.
final class Stage {
    /// The test's end of a connection.
    struct Peer {
        /// The server that this connection was accepted by; nil for a client's.
        var server: Int?
        var isConnected = false
        /// A server's end whose TLS handshake is not over.
        var isShakingHands = false
        /// What leaves before the TLS handshake.
        var ahead: [UInt8] = []
        /// What has arrived and was not taken.
        var received: [UInt8] = []
        /// What is to be sent, and how much of it the engine has.
        var outgoing: [UInt8] = []
        var given = 0
        /// Belay has sent all it has.
        var isOver = false
        /// Belay has reset the connection.
        var isCut = false
        /// Nothing is read meanwhile.
        var isPaused = false
        /// What arrives is counted and thrown away.
        var isCounting = false
        var counted = 0

        var isSending: Bool { self.given < self.outgoing.count }
    }

    /// Those of the listeners.
    let addresses: [SocketAddress]
    let shared: SharedState
    let store: MetricsStore
    let plan: ProxyPlan
    /// The plan that took its place, if one did.
    var latest: ProxyPlan?
    /// The worker's listening sockets, and the addresses of the servers.
    let sockets: [Descriptor]
    let serverAddresses: [SocketAddress]
    private var engine: Engine
    private let mailbox: Mailbox
    private var thread: SystemThread?
    /// Who checks the servers, where the setup wants that.
    let checker: StageChecker
    /// The test's ends of the connections, by their slots.
    private(set) var peers: [Int: Peer] = [:]
    private(set) var notices = Notices()
    /// Those ends that speak HTTP/2.
    private(set) var talkers: [Int: Talker] = [:]
    /// Streams that a server takes on one connection, from the next one on.
    var streamsMax = 1000
    /// Whether a server that speaks HTTP/2 opens WebSockets.
    var takesSockets = true
    private let serverTLS: TLSServerContext?
    private let serversSpeakHTTP2: Bool

    private static let any = SocketAddress(ip: .loopbackV4, port: 0)

    init(_ setup: Setup = Setup()) throws {
        self.engine = try Engine(
            limits: EngineLimits(connectionsMax: 256, blocksMax: 256),
            wakeup: try Wakeup()
        )
        self.serverAddresses = try Self.listen(setup, &self.engine)
        let plan = try setup.plan(self.serverAddresses)
        let listeners = try plan.listeners.map { _ in
            try Descriptor.listen(on: Self.any, backlog: 64)
        }
        let mailbox = try Mailbox()
        let notices = self.notices
        let shared = SharedState { notices.add($0) }
        let names = setup.names(plan)
        let store = MetricsStore(names: names, workers: 1)
        let log = setup.log
        self.addresses = try listeners.map { try #require($0.localAddress()) }
        self.sockets = listeners
        self.serverTLS = setup.serverTLS
        self.serversSpeakHTTP2 = setup.speaksHTTP2
        self.plan = plan
        self.mailbox = mailbox
        self.shared = shared
        self.store = store
        self.checker = try StageChecker(plan, mailbox, store.checker, notices)
        self.thread = SystemThread.start {
            do {
                let engine = try Engine(
                    limits: EngineLimits(connectionsMax: 256, blocksMax: 256),
                    wakeup: mailbox.wakeup
                )
                var logs = Slab<WorkerLog>(capacity: 1)
                if let log {
                    let clock = WallClock(unixNanoseconds: 0, at: engine.now)
                    let format = AccessLog(format: .json, names: names, clock: clock)
                    _ = logs.insert(log.log(of: 0, format))
                }
                var worker = try Worker(
                    index: 0,
                    plan: plan,
                    engine: engine,
                    listeners: listeners.enumerated().map { index, socket in
                        WorkerSocket(listener: index, socket: ListeningSocket(socket))
                    },
                    mailbox: mailbox,
                    shared: shared,
                    metrics: store.workers[0],
                    logs: logs,
                    seed: 1
                )
                worker.run()
            } catch {
                Issue.record(error)
            }
        }
    }

    /// Opens the servers' sockets; their addresses.
    private static func listen(
        _ setup: Setup,
        _ engine: inout Engine
    ) throws -> [SocketAddress] {
        var addresses: [SocketAddress] = []
        for server in 0..<setup.servers {
            let socket = try Descriptor.listen(on: Self.any, backlog: 64)
            addresses.append(try #require(socket.localAddress()))
            if setup.refusing.contains(server) {
                socket.close()
                // The listeners' indices are the servers': one that is never asked stands in.
                _ = try engine.addListener(try Descriptor.listen(on: Self.any, backlog: 1))
            } else {
                _ = try engine.addListener(socket)
            }
        }
        return addresses
    }

    deinit {
        for slot in self.peers.keys { self.engine.close(slot, cutting: true) }
        self.engine.closeListeners()
        self.mailbox.post(.stopNow)
        self.thread?.join()
        self.mailbox.wakeup.close()
    }

    // MARK: The worker

    func post(_ message: WorkerMessage) { self.mailbox.post(message) }

    /// Waits until the worker's thread has ended.
    func join() {
        self.thread?.join()
        self.thread = nil
    }

    /// Where the worker would send a request now.
    func explain(_ request: String) -> Explanation? {
        let answered = Semaphore()
        let answer = Answer()
        let question = Question(head: Array(request.utf8), client: .loopbackV4)
        self.mailbox.post(
            .explain(question) { explanation in
                answer.set(explanation)
                answered.post()
            }
        )
        answered.wait()
        return answer.take()
    }

    /// Returns when the worker has handled what was sent to it before.
    func settle() { _ = self.explain("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n") }

    /// Does something while the worker stands still, so that it sees all of it at once.
    func whileHeld(_ body: () -> Void) {
        let (stands, goesOn) = (Semaphore(), Semaphore())
        let head = Array("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n".utf8)
        let question = Question(head: head, client: .loopbackV4)
        self.mailbox.post(
            .explain(question) { _ in
                stands.post()
                goesOn.wait()
            }
        )
        stands.wait()
        body()
        goesOn.post()
    }

    // MARK: Connections

    /// A client's new connection. `ahead` leaves before all else, also before a TLS handshake.
    func connect(
        to listener: Int = 0,
        ahead: [UInt8] = [],
        tls: TLSClientContext? = nil,
        name: String = "shop.example",
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Int {
        let slot = try self.connect(at: self.addresses[listener], ahead: ahead)
        if let tls {
            let isReady = self.engine.connectTLS(slot, tls, serverName: name, session: 0)
            try #require(isReady)
        }
        self.wait("the client is connected", sourceLocation) {
            // It may have been cut since.
            self[slot].isConnected || self[slot].isCut
        }
        return slot
    }

    /// A client's connection to an address, on its way.
    func connect(at address: SocketAddress, ahead: [UInt8] = []) throws -> Int {
        let slot = try self.engine.connect(to: address).get()
        self.peers[slot] = Peer(server: nil, ahead: ahead)
        return slot
    }

    /// A client's new connection that speaks HTTP/2.
    func talk(
        to listener: Int = 0,
        ahead: [UInt8] = [],
        tls: TLSClientContext? = nil,
        name: String = "shop.example",
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Talker {
        let slot = try self.connect(
            to: listener,
            ahead: ahead,
            tls: tls,
            name: name,
            sourceLocation: sourceLocation
        )
        return try self.beginTalk(slot, .client)
    }

    private func beginTalk(_ slot: Int, _ role: HTTP2Role) throws -> Talker {
        let talker = try Talker(self, slot, role)
        self.talkers[slot] = talker
        talker.turn()
        return talker
    }

    func send(_ slot: Int, _ text: String) { self.send(slot, Array(text.utf8)) }

    func send(_ slot: Int, _ bytes: [UInt8]) {
        self.peers[slot]?.outgoing += bytes
        self.push(slot)
    }

    /// Says that no more will be sent.
    func finish(_ slot: Int) { self.engine.shutdownWrite(slot) }

    func close(_ slot: Int, cutting: Bool = false) {
        guard self.peers.removeValue(forKey: slot) != nil else { return }
        self.talkers[slot] = nil
        self.engine.close(slot, cutting: cutting)
    }

    func pause(_ slot: Int) { self.peers[slot]?.isPaused = true }

    func count(_ slot: Int) { self.peers[slot]?.isCounting = true }

    func resume(_ slot: Int) {
        self.peers[slot]?.isPaused = false
        self.drain(slot)
    }

    /// Nothing a server sends or does from here on can reach Belay by a new connection.
    func closeListeners() { self.engine.closeListeners() }

    // MARK: What arrives

    subscript(_ slot: Int) -> Peer { self.peers[slot] ?? Peer() }

    func text(_ slot: Int) -> String { String(decoding: self[slot].received, as: UTF8.self) }

    /// Takes all that has arrived at `slot`.
    func takeAll(_ slot: Int) -> [UInt8] {
        let bytes = self[slot].received
        self.peers[slot]?.received = []
        return bytes
    }

    func putBack(_ slot: Int, _ bytes: [UInt8]) {
        let later = self[slot].received
        self.peers[slot]?.received = bytes + later
    }

    /// Takes the next whole message that has arrived at `slot`, if there is one.
    func take(_ slot: Int, hasBody: Bool = true) -> Message? {
        guard var peer = self.peers[slot] else { return nil }
        let message = Wire.take(&peer.received, hasBody: hasBody, isOver: peer.isOver)
        self.peers[slot] = peer
        return message
    }

    /// Waits for the next whole message at `slot`.
    func message(
        _ slot: Int,
        hasBody: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Message {
        var message: Message?
        self.wait("a message arrives", sourceLocation) {
            message = self.take(slot, hasBody: hasBody)
            return message != nil || self[slot].isOver
        }
        return try #require(message, sourceLocation: sourceLocation)
    }

    /// Waits for the next whole request at any server: on which connection it came.
    func request(
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> (slot: Int, message: Message) {
        var found: (Int, Message)?
        self.wait("a request arrives at a server", sourceLocation) {
            for slot in self.peers.keys where self[slot].server != nil {
                if let message = self.take(slot) {
                    found = (slot, message)
                    return true
                }
            }
            return false
        }
        return try #require(found, sourceLocation: sourceLocation)
    }

    /// Waits until Belay has closed `slot`.
    func end(_ slot: Int, sourceLocation: SourceLocation = #_sourceLocation) {
        self.wait("Belay closes the connection", sourceLocation) { self[slot].isOver }
    }

    /// Drives the outside until `isDone`; a failed test after ten seconds.
    @discardableResult
    func wait(
        _ what: String,
        _ sourceLocation: SourceLocation = #_sourceLocation,
        for isDone: () -> Bool
    ) -> Bool {
        let now = Instant(nanoseconds: SystemClock.monotonicNanoseconds())
        let end = now + .seconds(10)
        while !isDone() {
            guard self.engine.now < end else {
                Issue.record("nothing happened: \(what)", sourceLocation: sourceLocation)
                return false
            }
            self.step(until: end)
        }
        return true
    }

    /// Handles what has happened until now, and does not wait.
    func poll() { self.step(until: self.engine.now) }

    private func step(until end: Instant) {
        self.engine.wait(until: end)
        while let event = self.engine.nextEvent() {
            switch event {
            case .listener(let server): self.accept(server)
            case .connection(let slot): self.changed(slot)
            case .wakeup, .deadline: break
            }
        }
        for talker in self.talkers.values { talker.turn() }
    }

    private func accept(_ server: Int) {
        while case .connection(let slot) = self.engine.accept(from: server) {
            self.peers[slot] = Peer(server: server, isConnected: true)
            if let tls = self.serverTLS {
                self.peers[slot]?.isShakingHands = self.engine.acceptTLS(slot, tls)
            }
            if self.serversSpeakHTTP2 {
                do { _ = try self.beginTalk(slot, .server) } catch { Issue.record(error) }
            }
            self.changed(slot)
        }
    }

    /// Goes on with a server's TLS handshake. False while it is not over.
    private func shakeHands(_ slot: Int) -> Bool {
        switch self.engine.handshake(slot) {
        case .done:
            self.peers[slot]?.isShakingHands = false
            return true
        case .needsInput: return false
        case .closed, .failed:
            self.peers[slot]?.isCut = true
            self.peers[slot]?.isOver = true
            return false
        }
    }

    private func changed(_ slot: Int) {
        if self.engine[slot].state.contains(.connecting) {
            var step = self.engine.continueConnecting(slot)
            if case .accepted = step {
                self.sendAhead(slot)
                step = self.engine.continueConnecting(slot)
            }
            switch step {
            case .waiting, .accepted: return
            case .ready: self.peers[slot]?.isConnected = true
            case .failed:
                self.peers[slot]?.isCut = true
                self.peers[slot]?.isOver = true
                return
            }
        }
        if self[slot].isShakingHands, !self.shakeHands(slot) { return }
        self.push(slot)
        self.drain(slot)
    }

    private func sendAhead(_ slot: Int) {
        let bytes = self[slot].ahead
        guard !bytes.isEmpty else { return }
        var writer = ByteWriter(capacity: bytes.count)
        writer.append(bytes.span)
        let isSent = self.engine.sendAhead(slot, writer)
        #expect(isSent)
    }

    private func push(_ slot: Int) {
        guard self.peers[slot] != nil, !self[slot].isShakingHands, self.engine.flush(slot)
        else { return }
        while self[slot].isSending, !self.engine[slot].hasOutput {
            // Limit: what the engine keeps of it fits into one block.
            let start = self[slot].given
            let piece = Array(self[slot].outgoing[start...].prefix(32 * 1024))
            var writer = ByteWriter(capacity: piece.count)
            writer.append(piece.span)
            guard self.engine.send(slot, writer) else { return }
            self.peers[slot]?.given += piece.count
        }
        if !self[slot].isSending {
            self.peers[slot]?.outgoing = []
            self.peers[slot]?.given = 0
        }
    }

    private func drain(_ slot: Int) {
        guard self.peers[slot] != nil, !self[slot].isPaused else { return }
        let memory = self.engine.memory
        while self.engine[slot].state.contains(.readable) {
            guard self.engine.receive(slot) != nil else { break }
            guard self.engine[slot].hasInput else { continue }
            let range = self.engine[slot].inputStart..<self.engine[slot].inputEnd
            if self[slot].isCounting {
                self.peers[slot]?.counted += range.count
            } else {
                let bytes = memory.bytes(self.engine[slot].inputBlock, range)
                var fresh: [UInt8] = []
                fresh.reserveCapacity(range.count)
                for index in bytes.indices { fresh.append(bytes[index]) }
                self.peers[slot]?.received += fresh
            }
            self.engine.consume(slot, range.count)
        }
        if self.engine[slot].state.contains(.atEnd) { self.peers[slot]?.isOver = true }
        if self.engine[slot].state.contains(.failed) { self.peers[slot]?.isCut = true }
    }
}
