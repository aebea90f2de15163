import BelayAdmin
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayProxy
import BelaySettings
import BelayTelemetry
import BelayTransport
import Foundation
import Logging
import Synchronization

/// Belay while it runs: its workers, its listening sockets, its log, its admin server.
final class RunningProcess: Sendable {
    // Limit: descriptors that are neither a client's nor a server's connection: listeners, epoll,
    // wakeups, logs, the admin's connections, pipes for splicing.
    private static let ownDescriptors = 512
    // Limit: connections that the kernel keeps for a listener until a worker takes them.
    private static let backlog = 4096
    // Limit: how often the files of certificates are looked at, in milliseconds.
    private static let certificateInterval: Int32 = 1000

    private let settings: Settings
    private let logger: Logger
    private let control: Wakeup
    private let plan: ProxyPlan
    private let names: TelemetryNames
    private let sink: LogSink?
    private let store: MetricsStore
    private let shared: SharedState
    private let mailboxes: [Mailbox]
    private let outcome: StartOutcome
    private let threads: Mutex<[SystemThread]> = Mutex([])
    private let admin: Mutex<Task<Void, Never>?> = Mutex(nil)
    private let view: AdminView
    private let certificates: CertificateWatch
    let addresses: [SocketAddress]

    var workerCount: Int { self.mailboxes.count }

    init(settings: Settings, logger: Logger, control: Wakeup) throws {
        self.settings = settings
        self.logger = logger
        self.control = control
        let descriptors = Machine.raiseDescriptorLimit()
        // A quarter is left for connections to servers, which idle clients don't need.
        let room = Swift.max(16, (descriptors - Self.ownDescriptors) / 4 * 3)
        if room < settings.limits.connections {
            logger.warning(
                """
                limits.connections is \(settings.limits.connections), but with \(descriptors) \
                descriptors (ulimit -n) only \(room) client connections fit; that is the limit now
                """
            )
        }
        let builder = PlanBuilder(settings: settings, logger: logger)
        let plan = try builder.plan(connectionsMax: room)
        self.plan = plan
        self.names = TelemetryNames(
            routes: plan.routes.map(\.name),
            pools: plan.pools.map { pool in
                ServerPoolNames(name: pool.text, servers: pool.servers.map(\.text))
            },
            refusals: MessageError.allCases.map { InternedText("\($0.name)") }
        )
        let workers = settings.workers ?? Machine.coreCount
        self.store = MetricsStore(names: self.names, workers: workers)
        self.sink = try Self.sink(settings, workers)
        self.shared = SharedState(notices: Self.notices(plan, logger))
        do {
            self.mailboxes = try (0..<workers).map { _ in try Mailbox() }
        } catch {
            throw StartError("the system gives no descriptor for a worker: \(error)")
        }
        self.certificates = CertificateWatch(
            plan: plan,
            builder: builder,
            mailboxes: self.mailboxes
        )
        let sockets = try Self.listen(settings, workers)
        self.addresses = sockets.map { $0[0].localAddress() ?? settings.listeners[0].address }
        self.outcome = StartOutcome(control: control)
        self.view = AdminView(
            plan: plan,
            names: self.names,
            store: self.store,
            sink: self.sink,
            mailbox: self.mailboxes[0],
            certificates: self.certificates
        )
        for worker in 0..<workers {
            try self.start(worker: worker, listeners: sockets.map { $0[worker] })
        }
        try self.outcome.waitForStart(of: workers)
        try self.startAdmin()
        self.view.setState(.serving)
    }

    // MARK: Parts

    private static func sink(_ settings: Settings, _ workers: Int) throws -> LogSink? {
        let target: BelayTelemetry.LogTarget
        switch settings.log.access {
        case .off: return nil
        case .json, .text: break
        }
        switch settings.log.accessTo {
        case .stdout: target = .standardOutput
        case .file(let path): target = .file(path)
        }
        do { return try LogSink(target: target, workers: workers) } catch {
            throw StartError("the access log: \(error)")
        }
    }

    private static func notices(
        _ plan: ProxyPlan,
        _ logger: Logger
    ) -> @Sendable (SharedState.Notice) -> Void {
        let pools = plan.pools.map { pool in
            (pool.name.rawValue, pool.servers.map { $0.name.rawValue })
        }
        return { notice in
            switch notice {
            case .ejected(let pool, let server, let span):
                let (name, servers) = pools[pool]
                let time = "\(span.milliseconds) ms"
                logger.warning("\(name)/\(servers[server]) failed too often: ejected for \(time)")
            case .returned(let pool, let server):
                let (name, servers) = pools[pool]
                logger.notice("\(name)/\(servers[server]) has returned: it answers again")
            case .checkedDown(let pool, let server):
                let (name, servers) = pools[pool]
                logger.warning("\(name)/\(servers[server]) is down: it accepts no connections")
            case .checkedUp(let pool, let server):
                let (name, servers) = pools[pool]
                logger.notice("\(name)/\(servers[server]) is up: it accepts connections again")
            case .handshakeFailed(let pool, let server, let failure):
                let (name, servers) = pools[pool]
                logger.warning("\(name)/\(servers[server]): no TLS: \(failure.text)")
            }
        }
    }

    /// For each listener a socket for each worker, all on one port.
    private static func listen(_ settings: Settings, _ workers: Int) throws -> [[Descriptor]] {
        var all: [[Descriptor]] = []
        for listener in settings.listeners {
            var sockets: [Descriptor] = []
            var address = listener.address
            if address.port != 0, Descriptor.isListenedOn(address) {
                throw StartError(Self.sentence(.addressInUse, address))
            }
            for _ in 0..<workers {
                do throws(SystemError) {
                    let socket = try Descriptor.listen(on: address, backlog: Self.backlog)
                    sockets.append(socket)
                    // Port 0: the system chose one for the first, the others share it.
                    if address.port == 0, let bound = socket.localAddress() {
                        address.port = bound.port
                    }
                } catch {
                    throw StartError(Self.sentence(error, address))
                }
            }
            all.append(sockets)
        }
        return all
    }

    private static func sentence(_ error: SystemError, _ address: SocketAddress) -> String {
        switch error {
        case .addressInUse:
            "cannot listen on \(address): another program has this address"
        case .permissionDenied:
            "cannot listen on \(address): ports below 1024 need root or CAP_NET_BIND_SERVICE"
        default: "cannot listen on \(address): \(error)"
        }
    }

    private func start(worker: Int, listeners: [Descriptor]) throws {
        let thread = SystemThread.start { [self] in
            self.runWorker(worker, listeners)
        }
        guard let thread else { throw StartError("the system gives no thread for a worker") }
        self.threads.withLock { $0.append(thread) }
    }

    /// A worker's thread: makes the worker, runs it, tells how it went.
    private func runWorker(_ index: Int, _ listeners: [Descriptor]) {
        if self.settings.pinWorkers, !Machine.pinThread(toCore: index) {
            self.logger.warning("worker \(index) can't be pinned to a core")
        }
        do {
            let capacity = self.plan.limits.connections * 2 + 64
            let engine = try Self.engine(capacity, self.mailboxes[index].wakeup)
            let clock = WallClock(
                unixNanoseconds: SystemClock.unixNanoseconds(),
                at: engine.now
            )
            var logs = Slab<WorkerLog>(capacity: 1)
            if let sink = self.sink {
                let format: LogFormat = self.settings.log.access == .json ? .json : .text
                let log = AccessLog(format: format, names: self.names, clock: clock)
                _ = logs.insert(sink.log(of: index, log))
            }
            var worker = try Worker(
                index: index,
                plan: self.plan,
                engine: engine,
                listeners: listeners,
                mailbox: self.mailboxes[index],
                shared: self.shared,
                metrics: self.store.workers[index],
                logs: logs,
                seed: UInt64.random(in: .min ... .max)
            )
            self.outcome.workerStarted()
            worker.run()
            self.outcome.workerEnded()
        } catch {
            self.outcome.workerFailed("worker \(index) could not start: \(error)")
        }
    }

    /// An engine with as many blocks as the system has address space for.
    private static func engine(
        _ capacity: Int,
        _ wakeup: Wakeup
    ) throws(SystemError) -> Engine {
        // Limit: 65,536 blocks of 68 KiB; touched only as far as they are used. A busy exchange has
        // two or three.
        var blocks = Swift.min(capacity * 2, 65_536)
        while true {
            do throws(SystemError) {
                return try Engine(
                    limits: EngineLimits(connectionsMax: capacity, blocksMax: blocks),
                    wakeup: wakeup
                )
            } catch {
                guard error.isOutOfMemory, blocks > 256 else { throw error }
                blocks /= 2
            }
        }
    }

    private func startAdmin() throws {
        guard let admin = self.settings.admin else { return }
        let view = self.view
        let logger = self.logger
        let outcome = self.outcome
        var quiet = logger
        // What goes wrong for an operator arrives as an AdminError; the rest are a server's inner
        // affairs, such as that it was cancelled at the end.
        quiet.logLevel = .critical
        let adminLogger = quiet
        let task = Task {
            do {
                try await AdminServer.run(
                    source: view,
                    address: admin.address,
                    logger: adminLogger
                ) { address in
                    logger.info("admin on http://\(address)")
                    outcome.adminStarted()
                }
            } catch {
                outcome.adminFailed("\(error)")
            }
        }
        self.admin.withLock { $0 = task }
        try self.outcome.waitForAdmin()
    }

    // MARK: Signals and the end

    /// Waits for signals and obeys them until the workers have ended.
    func serve(signals: SignalSource) -> Int32 {
        var isStopping = false
        while self.outcome.runningWorkers > 0 {
            let wait = self.certificates.isIdle ? -1 : Self.certificateInterval
            switch signals.next(or: self.control, milliseconds: wait) {
            case .terminate, .interrupt:
                if isStopping {
                    self.logger.notice("a second signal: stopping at once")
                    for mailbox in self.mailboxes { mailbox.post(.stopNow) }
                } else {
                    isStopping = true
                    let span = self.settings.limits.shutdown
                    self.logger.notice(
                        "stopping: no new connections, up to \(span.milliseconds) ms for what runs"
                    )
                    self.view.setState(.stopping)
                    for mailbox in self.mailboxes { mailbox.post(.stop(within: span)) }
                }
            case .hangup:
                self.sink?.reopen()
                self.certificates.look(isAsked: true)
            case .user1: self.sink?.reopen()
            case .user2: break
            case nil: self.certificates.look(isAsked: false)
            }
        }
        for thread in self.threads.withLock({ $0 }) { thread.join() }
        self.admin.withLock { $0?.cancel() }
        if let sink = self.sink, !sink.stop() {
            self.logger.warning("the last lines of the access log could not be written")
        }
        return 0
    }
}
