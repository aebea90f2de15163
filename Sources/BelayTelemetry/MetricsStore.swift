import BelayBytes
package import BelayCore

/// The counters of all workers, and of who checks the servers; and their sums.
package struct MetricsStore: Sendable {
    package let names: TelemetryNames
    package let workers: [WorkerMetrics]
    /// Of the thread that checks servers and compares them.
    package let checker: WorkerMetrics

    package init(names: TelemetryNames, workers: Int) {
        precondition(workers > 0, "nobody would count")
        self.names = names
        self.workers = (0..<workers).map { _ in WorkerMetrics(names: names) }
        self.checker = WorkerMetrics(names: names)
    }

    private var all: [WorkerMetrics] { self.workers + [self.checker] }

    /// The same counters under names of which more are known. Nil when there are more than there
    /// are rows for.
    package func with(_ names: TelemetryNames) -> MetricsStore? {
        guard self.all.allSatisfy({ $0.learn(names) }) else { return nil }
        return MetricsStore(names: names, workers: self.workers, checker: self.checker)
    }

    /// The server's counters begin anew: it is another one that has its place.
    package func forget(pool: Int, server: Int) {
        let row = self.names.row(pool: pool, server: server)
        for worker in self.all { worker.forget(row: row) }
    }

    private init(names: TelemetryNames, workers: [WorkerMetrics], checker: WorkerMetrics) {
        self.names = names
        self.workers = workers
        self.checker = checker
    }

    /// The sum over all threads. Other threads count on meanwhile: two sums that belong together
    /// may differ by what was under way.
    func sum(_ table: KeyPath<WorkerMetrics, CounterTable>, _ row: Int, _ column: Int) -> Int64 {
        self.workers.reduce(self.checker[keyPath: table].load(row, column)) {
            $0 &+ $1[keyPath: table].load(row, column)
        }
    }

    func sum(_ counter: WorkerCounter) -> Int64 { self.sum(\.general, 0, counter.rawValue) }

    func sum(_ gauge: WorkerGauge) -> Int64 {
        self.sum(\.general, 0, GeneralColumn.gauges + gauge.rawValue)
    }

    /// Exchanges at a server that ended so far, and those that the server failed: answers of 5xx
    /// and none at all.
    package func exchanges(pool: Int, server: Int) -> (ended: Int, failed: Int) {
        let row = self.names.row(pool: pool, server: server)
        let counts = (0..<ServerColumn.answerNames.count).map { self.sum(\.servers, row, $0) }
        return (Int(counts.reduce(0, +)), Int(counts[4] + counts[5]))
    }
}

/// What the page tells beside the counters.
package struct ProcessState: Sendable {
    package var version: String
    package var started: UnixTime
    package var uptime: TimeSpan
    /// Keys in the ring that seals binding cookies.
    package var keys: Int
    package var logLinesWritten: Int
    package var logLinesDropped: Int
    /// For each pool, its servers in order.
    package var servers: [[ServerState]]
    /// The certificates that listeners serve, each once.
    package var certificates: [CertificateState]
    package var reloads = ReloadCounts()

    package init(
        version: String,
        started: UnixTime,
        uptime: TimeSpan,
        keys: Int,
        logLinesWritten: Int,
        logLinesDropped: Int,
        servers: [[ServerState]],
        certificates: [CertificateState] = []
    ) {
        self.version = version
        self.started = started
        self.uptime = uptime
        self.keys = keys
        self.logLinesWritten = logLinesWritten
        self.logLinesDropped = logLinesDropped
        self.servers = servers
        self.certificates = certificates
    }
}

/// How reloads went so far.
package struct ReloadCounts: Sendable {
    package var succeeded = 0
    package var failed = 0
    /// When settings were taken last, at the start or later.
    package var lastSuccess = UnixTime(seconds: 0)

    package init() {}
}

/// A certificate that a listener serves.
package struct CertificateState: Sendable {
    /// The listener's name.
    package var listener: String
    /// The path of its file.
    package var certificate: String
    /// When it expires, in seconds since 1970.
    package var notAfter: Int64
    /// How often reading it again failed; the page adds a listener's certificates up.
    package var reloadFailures: Int

    package init(listener: String, certificate: String, notAfter: Int64, reloadFailures: Int) {
        self.listener = listener
        self.certificate = certificate
        self.notAfter = notAfter
        self.reloadFailures = reloadFailures
    }
}

/// What the balancer knows of a server at present.
package struct ServerState: Sendable {
    package var openRequests: Int
    package var health: Health
    package var adminState: AdminState
    package var weight: Weight

    package init(openRequests: Int, health: Health, adminState: AdminState, weight: Weight) {
        self.openRequests = openRequests
        self.health = health
        self.adminState = adminState
        self.weight = weight
    }
}
