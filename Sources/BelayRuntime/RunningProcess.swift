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
    // Limit: how often the files of certificates are looked at, and drains, in milliseconds.
    private static let tickInterval: Int32 = 1000

    /// What is served now; changed by `reload` only.
    struct Serving: Sendable {
        var planned: Planned
        var names: TelemetryNames
        var store: MetricsStore
    }

    /// Those it was started with.
    let settings: Settings
    let logger: Logger
    private let control: Wakeup
    let connectionsMax: Int
    /// Nil until a file of settings wants an access log.
    let sink: Mutex<LogSink?>
    let noticeNames: NoticeNames
    let serving: Mutex<Serving>
    let drains: Mutex<DrainBook>
    let servers: Mutex<ServerBook>
    let rebalancing: Mutex<[Int: Rebalancing]> = Mutex([:])
    /// Plans take each other's place one after the other.
    let changing = Mutex(())
    /// Reads the settings again, as the process was told at its start; nil: there is no file.
    let reread: (@Sendable () -> (Settings?, [SettingsProblem]))?
    private let shared: SharedState
    let mailboxes: [Mailbox]
    private let outcome: StartOutcome
    private let threads: Mutex<[SystemThread]> = Mutex([])
    private let admin: Mutex<Task<Void, Never>?> = Mutex(nil)
    private let adminEnd = Semaphore()
    let health: HealthMailbox
    let discovery: Discovery
    let view: AdminView
    let certificates: CertificateWatch
    let sockets: ListeningSockets
    let supervisor: Supervisor
    let phase = Mutex(Phase.serving)
    /// What the file said last, and what was changed beside it.
    let wishes: Mutex<Wishes>
    /// When servers were removed, as far as it is known.
    let removals = Mutex<[ServerPlace: Instant]>([:])
    let reloads = Mutex(ReloadCounts())
    /// The program's file, as it was called when this process began.
    let executable: String
    let addresses: [SocketAddress]

    var workerCount: Int { self.mailboxes.count }

    init(
        settings: Settings,
        reread: (@Sendable () -> (Settings?, [SettingsProblem]))?,
        logger: Logger,
        control: Wakeup,
        inheritance: Inheritance,
        supervisor: Supervisor
    ) throws {
        let workers = settings.workers ?? Machine.coreCount
        // First of all, so that clients who come early wait in the sockets' queues.
        self.sockets = ListeningSockets(inheritance: inheritance, workers: workers)
        let listeners = settings.listeners.enumerated().map { (index: $0, listener: $1) }
        let workerSockets = try self.sockets.open(listeners)
        self.addresses = listeners.map { [sockets] in
            sockets.address($0.index) ?? $0.listener.address
        }
        Self.closeUnclaimed(self.sockets, logger)
        self.supervisor = supervisor
        self.executable = Self.program
        self.reread = reread
        self.settings = settings
        self.logger = logger
        self.control = control
        self.connectionsMax = Self.room(settings, logger)
        var builder = PlanBuilder(settings: settings, logger: logger)
        builder.sharesState = inheritance.isSuccessor
        let directory = builder.stateDirectory()
        var warnings: [String] = []
        let book = DrainBook(directory: directory, warnings: &warnings)
        let servers = ServerBook(directory: directory)
        var wishes = Wishes(file: settings, overlay: ServerOverlay())
        if reread != nil { wishes.overlay = servers.read(for: settings, warnings: &warnings) }
        let planned = try Self.firstPlan(&wishes, builder, book, self.connectionsMax, &warnings)
        Self.tell(warnings, wishes, servers, logger)
        self.drains = Mutex(book)
        self.servers = Mutex(servers)
        self.wishes = Mutex(wishes)
        let names = planned.names(after: nil)
        self.noticeNames = NoticeNames(planned.plan)
        let store = MetricsStore(names: names, workers: workers)
        self.serving = Mutex(Serving(planned: planned, names: names, store: store))
        let sink = try Self.sink(settings, workers)
        self.sink = Mutex(sink)
        self.mailboxes = try Self.mailboxes(workers)
        self.shared = SharedState(
            mailboxes: self.mailboxes,
            notices: Self.notices(self.noticeNames, logger)
        )
        self.discovery = Discovery(logger: logger)
        do { self.health = try HealthMailbox() } catch {
            throw StartError("the system gives no descriptor for checks: \(error)")
        }
        self.certificates = CertificateWatch(
            planned: planned,
            builder: builder,
            mailboxes: self.mailboxes,
            health: self.health
        )
        self.outcome = StartOutcome(control: control)
        self.view = AdminView(
            planned: planned,
            store: store,
            sink: sink,
            mailbox: self.mailboxes[0],
            health: self.health,
            certificates: self.certificates
        )
        try self.begin(planned, workerSockets, inheritance)
    }

    // MARK: Parts

    private static func mailboxes(_ count: Int) throws -> [Mailbox] {
        do { return try (0..<count).map { _ in try Mailbox() } } catch {
            throw StartError("the system gives no descriptor for a worker: \(error)")
        }
    }

    private static func closeUnclaimed(_ sockets: ListeningSockets, _ logger: Logger) {
        for address in sockets.closeUnclaimed() {
            logger.warning("no listener is at \(address), which was handed over at the start")
        }
    }

    private static func tell(
        _ warnings: [String],
        _ wishes: Wishes,
        _ book: ServerBook,
        _ logger: Logger
    ) {
        for warning in warnings { logger.warning("\(warning)") }
        guard wishes.settings != wishes.file else { return }
        logger.notice("servers differ from the file by what \(book.path) keeps")
    }

    /// Starts the threads, and says so to whoever waits for it.
    private func begin(
        _ planned: Planned,
        _ sockets: [[WorkerSocket]],
        _ inheritance: Inheritance
    ) throws {
        self.reloads.withLock { $0.lastSuccess = self.unixNow }
        self.showReloads()
        for worker in sockets.indices {
            try self.start(worker: worker, listeners: sockets[worker])
        }
        try self.outcome.waitForStart(of: sockets.count)
        self.startChecks(planned.plan.pools)
        self.startDiscovery()
        self.keepDrains()
        self.view.take(
            { [weak self] command throws(AdminRefusal) in
                guard let self else { throw AdminRefusal(503, "Belay is stopping.") }
                return try self.perform(command)
            },
            drains: { [weak self] in self?.drainReports() ?? [:] }
        )
        self.view.setState(.serving)
        inheritance.sayReady()
        try self.startAdmin(isPatient: inheritance.isSuccessor)
        self.supervisor.say("READY=1")
    }

    private static var program: String {
        let files = FileManager.default
        let path = try? files.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return path ?? CommandLine.arguments[0]
    }

    /// How many connections of clients fit.
    private static func room(_ settings: Settings, _ logger: Logger) -> Int {
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
        return room
    }

    /// The plan to begin with. Servers that were leaving when the process before this one ended go
    /// on leaving: they are in a plan before it.
    private static func firstPlan(
        _ wishes: inout Wishes,
        _ base: PlanBuilder,
        _ drains: DrainBook,
        _ room: Int,
        _ warnings: inout [String]
    ) throws -> Planned {
        func make(_ builder: PlanBuilder, after old: Planned?) throws -> Planned {
            let planned = try builder.planned(connectionsMax: room, after: old)
            let now = Instant(nanoseconds: SystemClock.monotonicNanoseconds())
            for change in planned.changes + planned.lateChanges { change(now) }
            warnings += planned.warnings
            return planned
        }
        func plan(_ settings: Settings) throws -> Planned {
            var builder = base
            builder.settings = settings
            guard let before = drains.withLeavers(settings) else {
                return try make(builder, after: nil)
            }
            var first = builder
            first.settings = before
            builder.isEdit = true
            return try make(builder, after: try make(first, after: nil))
        }
        let wanted = wishes.settings
        guard wanted != wishes.file else { return try plan(wanted) }
        do { return try plan(wanted) } catch {
            // What was changed by commands must not keep a Belay from starting whose file is fine.
            let planned = try plan(wishes.file)
            warnings.append("changes of servers that were made by commands are given up: \(error)")
            wishes.overlay = ServerOverlay()
            return planned
        }
    }

    private static func sink(_ settings: Settings, _ workers: Int) throws -> LogSink? {
        guard settings.log.format != nil else { return nil }
        let target = LogTarget(settings.log.accessTo)
        do { return try LogSink(target: target, workers: workers) } catch {
            throw StartError("the access log: \(error)")
        }
    }

    private static func notices(
        _ names: NoticeNames,
        _ logger: Logger
    ) -> @Sendable (SharedState.Notice) -> Void {
        { notice in
            switch notice {
            case .ejected(let pool, let server, let span):
                let server = names.name(pool, server)
                let time = "\(span.milliseconds) ms"
                logger.warning("\(server) failed too often: ejected for \(time)")
            case .returned(let pool, let server):
                let server = names.name(pool, server)
                logger.notice("\(server) has returned: it answers again")
            case .checkedDown(let pool, let server, let reason):
                let server = names.name(pool, server)
                logger.warning("\(server) is down: \(reason)")
            case .checkedUp(let pool, let server):
                let server = names.name(pool, server)
                logger.notice("\(server) is up again")
            case .agent(let pool, let server, let text):
                logger.notice("\(names.name(pool, server)): \(text)")
            case .outlier(let pool, let server, let reason, let span):
                let server = names.name(pool, server)
                logger.warning("\(server): \(reason): ejected for \(span.milliseconds) ms")
            case .panic(let pool, let isOn):
                let pool = names.name(pool)
                logger.warning(
                    isOn
                        ? "pool \(pool): so few servers are up that health is ignored"
                        : "pool \(pool): enough servers are up again"
                )
            case .stalled(let pool, let server):
                let server = names.name(pool, server)
                logger.warning(
                    "\(server) is silent while requests wait: no new clients"
                )
            case .handshakeFailed(let pool, let server, let failure):
                let server = names.name(pool, server)
                logger.warning("\(server): no TLS: \(failure.text)")
            }
        }
    }

    private func start(worker: Int, listeners: [WorkerSocket]) throws {
        let thread = SystemThread.start { [self] in
            self.runWorker(worker, listeners)
        }
        guard let thread else { throw StartError("the system gives no thread for a worker") }
        self.threads.withLock { $0.append(thread) }
    }

    /// A worker's thread: makes the worker, runs it, tells how it went.
    private func runWorker(_ index: Int, _ listeners: [WorkerSocket]) {
        if self.settings.pinWorkers, !Machine.pinThread(toCore: index) {
            self.logger.warning("worker \(index) can't be pinned to a core")
        }
        do {
            let serving = self.serving.withLock { $0 }
            let capacity = serving.planned.plan.limits.connections * 2 + 64
            let engine = try Self.engine(capacity, self.mailboxes[index].wakeup)
            let clock = WallClock(
                unixNanoseconds: SystemClock.unixNanoseconds(),
                at: engine.now
            )
            var logs = Slab<WorkerLog>(capacity: 1)
            if let sink = self.sink.withLock({ $0 }) {
                let format: LogFormat = self.settings.log.access == .json ? .json : .text
                let log = AccessLog(format: format, names: serving.names, clock: clock)
                _ = logs.insert(sink.log(of: index, log))
            }
            var worker = try Worker(
                index: index,
                plan: serving.planned.plan,
                engine: engine,
                listeners: listeners,
                mailbox: self.mailboxes[index],
                shared: self.shared,
                metrics: serving.store.workers[index],
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

    /// The thread that looks for servers that the settings don't name.
    private func startDiscovery() {
        self.discovery.follow(self.settings)
        let thread = SystemThread.start { [self] in
            self.discovery.run { pool, origin, servers in
                let report = self.change(pool, [.replaceAll(servers)], by: origin)
                return report.succeeded ? nil : report.problems.joined(separator: "; ")
            }
        }
        // Nobody joins it at the end: it may be waiting for a resolver that doesn't answer.
        if thread == nil {
            self.logger.error("servers are not looked for: the system gives no thread")
        }
    }

    /// The thread that checks servers.
    private func startChecks(_ pools: [PoolPlan]) {
        let (health, notices, logger) = (self.health, self.shared.notices, self.logger)
        let workers = self.mailboxes
        let metrics = self.serving.withLock { $0.store.checker }
        let thread = SystemThread.start {
            do {
                var checker = try HealthChecker(
                    pools: pools,
                    mailbox: health,
                    workers: workers,
                    metrics: metrics,
                    notices: notices,
                    seed: UInt64.random(in: .min ... .max)
                )
                checker.run()
            } catch {
                logger.error("servers are not checked: \(error)")
            }
        }
        guard let thread else {
            self.logger.error("servers are not checked: the system gives no thread")
            return
        }
        self.threads.withLock { $0.append(thread) }
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

    // Limit: how long the process before this one may take to give the admin address up.
    private static let adminPatience = TimeSpan.seconds(30)

    /// Opens the admin address. Where another process still has it, for whoever is patient: as soon
    /// as that gives it up; that is not waited for.
    private func startAdmin(isPatient: Bool) throws {
        guard let admin = self.settings.admin else { return }
        let view = self.view
        let logger = self.logger
        let outcome = self.outcome
        let ended = self.adminEnd
        var quiet = logger
        // What goes wrong for an operator arrives as an AdminError; the rest are a server's inner
        // affairs, such as that it was cancelled at the end.
        quiet.logLevel = .critical
        let adminLogger = quiet
        let patience = isPatient ? Self.adminPatience.nanoseconds : 0
        let end = SystemClock.monotonicNanoseconds() + patience
        let task = Task {
            while Descriptor.isListenedOn(admin.address),
                SystemClock.monotonicNanoseconds() < end
            {
                try? await Task.sleep(for: .milliseconds(10))
            }
            do {
                try await AdminServer.run(
                    source: view,
                    address: admin.address,
                    logger: adminLogger,
                    whenListening: { address in
                        logger.info("admin on http://\(address)")
                        outcome.adminStarted()
                    },
                    // Closing what is idle takes a while that a start may be waiting for.
                    whenIdle: { ended.post() }
                )
            } catch {
                if isPatient { logger.error("\(error)") }
                outcome.adminFailed("\(error)")
            }
            ended.post()
        }
        self.admin.withLock { $0 = task }
        if !isPatient { try self.outcome.waitForAdmin() }
    }

    /// Gives the admin address up. Whoever asked for something there is answered first.
    func closeAdmin() {
        self.admin.withLock { $0?.cancel() }
    }

    // Limit: how long the end of the process waits for the admin's.
    private static let adminEndsWithin = TimeSpan.seconds(2)

    private func endAdmin() {
        guard self.admin.withLock({ $0 }) != nil else { return }
        self.closeAdmin()
        _ = self.adminEnd.wait(nanoseconds: Self.adminEndsWithin.nanoseconds)
    }

    // MARK: Signals and the end

    /// Waits for signals and obeys them until the workers have ended.
    func serve(signals: SignalSource) -> Int32 {
        var isStopping = false
        while self.outcome.runningWorkers > 0 {
            switch signals.next(or: self.control, milliseconds: Self.tickInterval) {
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
                    self.supervisor.say("STOPPING=1")
                    for mailbox in self.mailboxes { mailbox.post(.stop(within: span)) }
                }
            case .hangup:
                self.reopenLog()
                if self.reread == nil {
                    self.certificates.look(isAsked: true)
                } else {
                    _ = self.reload()
                }
            case .user1: self.reopenLog()
            case .user2: break
            case nil: self.tick()
            }
        }
        self.health.post(.stop)
        self.discovery.stop()
        for thread in self.threads.withLock({ $0 }) { thread.join() }
        for pool in self.serving.withLock({ $0.planned.plan.pools }) { pool.bindingTable?.close() }
        self.endAdmin()
        if let sink = self.sink.withLock({ $0 }), !sink.stop() {
            self.logger.warning("the last lines of the access log could not be written")
        }
        return 0
    }

    private func reopenLog() { self.sink.withLock { $0?.reopen() } }

    /// About once a second: what must not wait for anybody.
    private func tick() {
        self.followRemovals()
        if !self.certificates.isIdle { self.certificates.look(isAsked: false) }
        self.keepDrains()
        self.keepServers()
        self.keepRebalancing()
        self.keepPools()
    }
}
