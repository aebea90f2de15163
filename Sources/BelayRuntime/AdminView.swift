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

    private let plan: ProxyPlan
    private let names: TelemetryNames
    private let store: MetricsStore
    private let sink: LogSink?
    private let mailbox: Mailbox
    private let certificates: CertificateWatch
    private let state = Mutex(State.starting)
    private let startedUnix = SystemClock.unixNanoseconds()
    private let started = SystemClock.monotonicNanoseconds()

    init(
        plan: ProxyPlan,
        names: TelemetryNames,
        store: MetricsStore,
        sink: LogSink?,
        mailbox: Mailbox,
        certificates: CertificateWatch
    ) {
        self.plan = plan
        self.names = names
        self.store = store
        self.sink = sink
        self.mailbox = mailbox
        self.certificates = certificates
    }

    func setState(_ state: State) { self.state.withLock { $0 = state } }

    private var now: Instant { Instant(nanoseconds: SystemClock.monotonicNanoseconds()) }

    func metricsPage() async -> [UInt8] {
        let now = self.now
        let lines = self.sink?.lineCounts ?? (written: 0, dropped: 0)
        let state = ProcessState(
            version: Belay.version,
            started: UnixTime(seconds: self.startedUnix / 1_000_000_000),
            uptime: TimeSpan(nanoseconds: now.nanoseconds - self.started),
            keys: self.plan.keyRing?.keys.count ?? 0,
            logLinesWritten: lines.written,
            logLinesDropped: lines.dropped,
            servers: self.plan.pools.map { pool in
                (0..<pool.servers.count).map { server in
                    ServerState(
                        openRequests: pool.table.openRequests(server),
                        health: pool.table.health(server, at: now),
                        adminState: pool.table.adminState(server),
                        weight: pool.table.weight(server)
                    )
                }
            },
            certificates: self.certificates.certificates
        )
        return MetricsPage.write(self.store, state)
    }

    func pools() async -> [PoolReport] {
        let now = self.now
        return self.plan.pools.enumerated().map { number, pool in
            PoolReport(
                name: pool.name.rawValue,
                algorithm: pool.algorithm,
                servers: pool.servers.enumerated().map { index, server in
                    self.report(server, index, pool, number, now)
                }
            )
        }
    }

    private func report(
        _ server: ServerPlan,
        _ index: Int,
        _ pool: PoolPlan,
        _ number: Int,
        _ now: Instant
    ) -> ServerReport {
        let counts = self.store.exchanges(pool: number, server: index)
        let latency = pool.table.latency(index).latency(at: now)
        return ServerReport(
            name: server.name.rawValue,
            address: server.address,
            weight: pool.table.weight(index),
            state: pool.table.adminState(index),
            health: pool.table.health(index, at: now),
            ejectedFor: pool.table.ejectedUntil(index, at: now).map { $0 - now },
            openRequests: pool.table.openRequests(index),
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
        for pool in self.plan.pools {
            let view = pool.table.view(at: now)
            if !(0..<view.count).contains(where: { view.passOver($0) == .no }) {
                reasons.append("No server of pool \(pool.name) may take a client.")
            }
        }
        return Readiness(reasons: reasons, warnings: self.certificates.problems)
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
        let pool = explanation.pool.map { self.plan.pools[$0] }
        return ExplainAnswer(
            route: explanation.route.map { self.plan.routes[$0].name.text },
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
                    weight: pool.table.weight(candidate.server),
                    openRequests: candidate.openRequests,
                    passedOver: candidate.passOver
                )
            }
        )
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
