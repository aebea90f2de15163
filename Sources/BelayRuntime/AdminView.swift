import BelayAdmin
import BelayBalancing
import BelayBytes
import BelayCore
import BelayPersistence
import BelayProxy
import BelayTelemetry
import BelayTransport
import Synchronization

/// What the admin server shows of the running process. Reads the tables that the workers write, and
/// asks a worker where a question needs its own state.
final class AdminView: AdminSource {
    enum State {
        case starting, serving, stopping
    }

    /// What is served now.
    private struct Served {
        var plan: ProxyPlan
        var store: MetricsStore
        var routeNames: [InternedText]
    }

    private let served: Mutex<Served>
    private let sink: Mutex<LogSink?>
    private let reloads = Mutex(ReloadCounts())
    private let mailbox: Mailbox
    private let health: HealthMailbox
    private let certificates: CertificateWatch
    private let state = Mutex(State.starting)
    private let commands: Mutex<Commands?> = Mutex(nil)
    private let drains: Mutex<Drains?> = Mutex(nil)
    private let stateFailures: Mutex<[StatePart: String]> = Mutex([:])
    private let startedUnix = SystemClock.unixNanoseconds()
    private let started = SystemClock.monotonicNanoseconds()

    init(
        planned: Planned,
        store: MetricsStore,
        sink: LogSink?,
        mailbox: Mailbox,
        health: HealthMailbox,
        certificates: CertificateWatch
    ) {
        self.served = Mutex(
            Served(plan: planned.plan, store: store, routeNames: planned.routeNames)
        )
        self.sink = Mutex(sink)
        self.mailbox = mailbox
        self.health = health
        self.certificates = certificates
    }

    /// From here on this plan is shown.
    func replace(_ planned: Planned, _ store: MetricsStore) {
        self.served.withLock {
            $0 = Served(plan: planned.plan, store: store, routeNames: planned.routeNames)
        }
    }

    func show(_ reloads: ReloadCounts) { self.reloads.withLock { $0 = reloads } }

    func show(_ sink: LogSink?) { self.sink.withLock { $0 = sink } }

    private var plan: ProxyPlan { self.served.withLock { $0.plan } }
    private var store: MetricsStore { self.served.withLock { $0.store } }

    typealias Commands = @Sendable (AdminCommand) throws(AdminRefusal) -> AdminResult

    typealias Drains = @Sendable () -> [ServerPlace: DrainReport]

    /// Who does what is asked for, and who knows how far drains are.
    func take(_ commands: @escaping Commands, drains: @escaping Drains) {
        self.commands.withLock { $0 = commands }
        self.drains.withLock { $0 = drains }
    }

    /// What is kept in the state directory beside keys and tables.
    enum StatePart: Int, CaseIterable { case drains, servers }

    /// Why a part of the state can't be written; nil: it can.
    func show(_ part: StatePart, failure: String?) {
        self.stateFailures.withLock { $0[part] = failure }
    }

    func perform(_ command: AdminCommand) async throws(AdminRefusal) -> AdminResult {
        guard self.state.withLock({ $0 }) == .serving, let commands = self.commands.withLock({ $0 })
        else { throw AdminRefusal(503, "Belay is starting or stopping.") }
        return try commands(command)
    }

    func setState(_ state: State) { self.state.withLock { $0 = state } }

    private var now: Instant { Instant(nanoseconds: SystemClock.monotonicNanoseconds()) }

    func metricsPage() async -> [UInt8] {
        let now = self.now
        let served = self.served.withLock { $0 }
        let plan = served.plan
        let lines = self.sink.withLock({ $0 })?.lineCounts ?? (written: 0, dropped: 0)
        var state = ProcessState(
            version: Belay.version,
            started: UnixTime(seconds: self.startedUnix / 1_000_000_000),
            uptime: TimeSpan(nanoseconds: now.nanoseconds - self.started),
            keys: plan.keyRing?.keys.count ?? 0,
            logLinesWritten: lines.written,
            logLinesDropped: lines.dropped,
            servers: plan.pools.map { pool in
                (0..<pool.servers.count).map { server in
                    ServerState(
                        openRequests: pool.table.openRequests(server),
                        health: pool.table.health(server, at: now),
                        adminState: pool.table.adminState(server),
                        weight: pool.table.weightShown(server)
                    )
                }
            },
            certificates: self.certificates.certificates
        )
        state.reloads = self.reloads.withLock { $0 }
        return MetricsPage.write(served.store, state)
    }

    func pools() async -> [PoolReport] {
        let now = self.now
        let store = self.store
        let drains = self.drains.withLock({ $0 })?() ?? [:]
        return self.plan.pools.enumerated().filter { !$1.isGone }.map { number, pool in
            PoolReport(
                name: pool.name.rawValue,
                algorithm: pool.algorithm,
                servers: pool.servers.indices
                    .filter { pool.table.membership($0) != .removed }
                    .map { server in
                        var report = self.report(server, pool, number, store, now)
                        report.drain = drains[ServerPlace(pool: number, server: server)]
                        report.check = self.health.lastCheck(pool: number, server: server)
                            .map { CheckReport($0, at: now) }
                        report.agent = self.health.lastAgent(pool: number, server: server)
                            .map { CheckReport($0, at: now) }
                        return report
                    }
            )
        }
    }

    private func report(
        _ index: Int,
        _ pool: PoolPlan,
        _ number: Int,
        _ store: MetricsStore,
        _ now: Instant
    ) -> ServerReport {
        let server = pool.servers[index]
        let counts = store.exchanges(pool: number, server: index)
        let latency = pool.table.latency(index).latency(at: now)
        return ServerReport(
            name: server.name.rawValue,
            address: server.address,
            weight: pool.table.weightShown(index),
            state: pool.table.membership(index) == .leaving
                ? "leaving" : "\(pool.table.adminState(index).name)",
            health: pool.table.healthWord(index, at: now),
            ejectedFor: pool.table.ejectedUntil(index, at: now).map { $0 - now },
            openRequests: pool.table.openRequests(index),
            bound: pool.bound(index),
            exchanges: counts.ended,
            failures: counts.failed,
            latency: latency > .zero ? latency : nil
        )
    }

    func readiness() async -> Readiness {
        switch self.state.withLock({ $0 }) {
        case .starting: return Readiness(reasons: ["Belay is starting."])
        case .stopping: return Readiness(reasons: ["Belay is stopping."])
        case .serving: break
        }
        let now = self.now
        var reasons: [String] = []
        for pool in self.plan.pools where !pool.isGone {
            let view = pool.table.view(at: now)
            if !(0..<view.count).contains(where: { view.passOver($0) == .no }) {
                reasons.append("No server of pool \(pool.name) may take a client.")
            }
        }
        let failures = self.stateFailures.withLock { failures in
            StatePart.allCases.compactMap { failures[$0] }
        }
        return Readiness(reasons: reasons, warnings: self.certificates.problems + failures)
    }

    func explain(_ question: ExplainQuestion) async throws(ExplainError) -> ExplainAnswer {
        guard self.state.withLock({ $0 }) == .serving else {
            throw .unavailable("Belay is starting or stopping.")
        }
        let asked = Question(head: question.head, client: question.from ?? .loopbackV4)
        let mailbox = self.mailbox
        let explanation = await withCheckedContinuation { continuation in
            mailbox.post(.explain(asked, reply: { continuation.resume(returning: $0) }))
        }
        return self.answer(explanation)
    }

    private func answer(_ explanation: Explanation) -> ExplainAnswer {
        let now = self.now
        let plan = self.plan
        let pool = explanation.pool.map { plan.pools[$0] }
        return ExplainAnswer(
            route: explanation.route.map { number in
                self.served.withLock { $0.routeNames[number].text }
            },
            pool: pool?.name.rawValue,
            persistence: explanation.persistence,
            rule: explanation.rule,
            server: explanation.server.flatMap { pool?.servers[$0].name.rawValue },
            reason: explanation.reason,
            candidates: explanation.candidates.compactMap { candidate in
                guard let pool else { return nil }
                let server = pool.servers[candidate.server]
                return ExplainAnswer.Candidate(
                    server: server.name.rawValue,
                    address: server.address,
                    state: pool.table.adminState(candidate.server),
                    health: pool.table.health(candidate.server, at: now),
                    weight: pool.table.weightShown(candidate.server),
                    openRequests: candidate.openRequests,
                    passedOver: candidate.passOver
                )
            }
        )
    }
}

extension CheckReport {
    fileprivate init(_ result: CheckResult, at now: Instant) {
        self.init(
            isGood: result.isGood,
            reason: result.reason,
            said: result.said,
            ago: Swift.max(now - result.at, .zero),
            took: result.took
        )
    }
}

extension ServerPoolTable {
    /// The server's health in a word, for people.
    fileprivate func healthWord(_ server: Int, at now: Instant) -> String {
        let health = self.health(server, at: now)
        guard health == .up else { return "\(health.name)" }
        if self.isStalled(server) { return "stalled" }
        return self.isStarting(server, at: now) ? "starting" : "up"
    }
}

extension ExplainQuestion {
    /// The question as the head of a request.
    fileprivate var head: [UInt8] {
        var text = "\(self.method) \(self.path) HTTP/1.1\r\nHost: \(self.host)\r\n"
        if let cookie = self.cookie { text += "Cookie: \(cookie)\r\n" }
        for header in self.headers { text += "\(header.name): \(header.value)\r\n" }
        return Array((text + "\r\n").utf8)
    }
}
