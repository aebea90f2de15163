import BelayBytes
import BelayCore

/// What a worker counts without any label.
package enum WorkerCounter: Int, Sendable, CaseIterable {
    case connectionsAccepted, connectionsClosed
    case bytesFromClients, bytesToClients
    case bytesSpliced
    case tunnelsOpened, tunnelsClosed
    /// Clients' TLS handshakes that succeeded, and those of them that resumed a session.
    case tlsHandshakes, tlsResumptions
    case http2ConnectionsOpened, http2ConnectionsClosed, http2Streams
    /// Streams that were reset because what the client sent on them was no proper request.
    case http2StreamsReset
    /// TLS handshakes with servers that succeeded.
    case serverHandshakes
    /// Requests that waited for a server with room.
    case requestsQueued
    /// How often a server was found silent while requests waited there.
    case serverStalls
}

/// What a worker holds at present.
package enum WorkerGauge: Int, Sendable, CaseIterable {
    case bufferBlocksInUse, idleServerConnections
}

/// What is counted for a server, beside what `exchangeEnded` counts.
package enum ServerCounter: Int, Sendable, CaseIterable {
    /// The server refused a connection, or did not accept it in time.
    case connectFailures
    case ejections
    case returns
    /// An attempt on this server failed and the request was sent again.
    case retries
}

/// The counters of one worker. Only that worker writes them; the page reads them whenever it likes.
///
/// A value that names tables: copying it is cheap and takes no reference. A finished exchange costs
/// the worker about twenty relaxed loads and stores.
package struct WorkerMetrics: Sendable {
    let general: CounterTable
    let endings: CounterTable
    let refusals: CounterTable
    let routes: CounterTable
    let pools: CounterTable
    let servers: CounterTable
    /// A row for each pool: where the runs of its servers begin in `servers`.
    let runs: CounterTable

    package init(names: TelemetryNames) {
        self.general = CounterTable(rows: 1, columns: GeneralColumn.count)
        self.endings = CounterTable(rows: Ending.allCases.count, columns: EndingColumn.count)
        self.refusals = CounterTable(rows: 2, columns: max(names.refusals.count, 1))
        self.routes = CounterTable(
            rows: 1,
            columns: max(names.routes.count, Self.routesMax)
        )
        self.pools = CounterTable(
            rows: max(names.pools.count, Self.poolsMax),
            columns: PoolColumn.count
        )
        self.servers = CounterTable(
            rows: max(names.rowCount, Self.serversMax),
            columns: ServerColumn.count
        )
        self.runs = CounterTable(rows: self.pools.rows, columns: Self.runsMax)
        _ = self.learn(names)
    }

    // Limit: what may come to be counted while the process lives. What is not used takes no memory.
    private static let routesMax = 16_384
    private static let poolsMax = 4_096
    private static let serversMax = 524_288
    // Limit: 65,536 servers of a pool.
    private static let runsMax = 1_024

    /// From here on these names are counted too. False when there are more than there is room for.
    func learn(_ names: TelemetryNames) -> Bool {
        guard names.routes.count <= self.routes.columns, names.pools.count <= self.pools.rows,
            names.rowCount <= self.servers.rows,
            names.runs.allSatisfy({ $0.count <= Self.runsMax })
        else { return false }
        for (pool, runs) in names.runs.enumerated() {
            for (index, first) in runs.enumerated() {
                self.runs.store(Int64(first), pool, index)
            }
        }
        return true
    }

    /// The row becomes another server's: nothing is under way at the one that had it.
    func forget(row: Int) {
        for column in 0..<ServerColumn.count { self.servers.store(0, row, column) }
    }

    package func count(_ counter: WorkerCounter, _ amount: Int = 1) {
        self.general.addAlone(Int64(amount), 0, counter.rawValue)
    }

    package func set(_ gauge: WorkerGauge, _ value: Int) {
        self.general.store(Int64(value), 0, GeneralColumn.gauges + gauge.rawValue)
    }

    package func connectionRefused(_ reason: ConnectionRefusal) {
        self.general.addAlone(1, 0, GeneralColumn.connectionRefusals + Int(reason.rawValue))
    }

    package func timedOut(_ kind: TimeoutKind) {
        self.general.addAlone(1, 0, GeneralColumn.timeouts + Int(kind.rawValue))
    }

    // The enums below share names of cases: say the type, as in `count(HTTP2Fault.protocolError)`.

    package func count(_ failure: HandshakeFailure) {
        self.general.addAlone(1, 0, GeneralColumn.handshakeFailures + Int(failure.rawValue))
    }

    package func count(_ fault: HTTP2Fault) {
        self.general.addAlone(1, 0, GeneralColumn.http2Faults + Int(fault.rawValue))
    }

    package func count(_ result: ProxyHeaderResult) {
        self.general.addAlone(1, 0, GeneralColumn.proxyHeaders + Int(result.rawValue))
    }

    package func count(_ refusal: TunnelRefusal) {
        self.general.addAlone(1, 0, GeneralColumn.tunnelRefusals + Int(refusal.rawValue))
    }

    /// Beside `WorkerCounter.tunnelsClosed`, which is counted for each.
    package func count(_ end: TunnelEnd) {
        self.general.addAlone(1, 0, GeneralColumn.tunnelEnds + Int(end.rawValue))
    }

    /// `server` is the index within its pool.
    package func count(_ counter: ServerCounter, pool: Int, server: Int) {
        self.servers.addAlone(
            1,
            self.row(pool: pool, server: server),
            ServerColumn.of(counter)
        )
    }

    /// Counts all that a finished exchange stands for. To be called once for each, as soon as
    /// `ended` and `ending` are written.
    package func exchangeEnded(_ record: borrowing ExchangeRecord) {
        self.count(.bytesFromClients, Int(truncatingIfNeeded: record.bytesFromClient))
        self.count(.bytesToClients, Int(truncatingIfNeeded: record.bytesToClient))
        let ending = Int(record.ending.rawValue)
        self.endings.addAlone(1, ending, EndingColumn.total)
        if record.isOwnAnswer {
            self.endings.addAlone(1, ending, EndingColumn.index(of: record.status))
        }
        if let refusal = record.refusal {
            let side: MessageSide = record.ending == .requestRefused ? .client : .server
            self.refusals.addAlone(1, Int(side.rawValue), Int(refusal))
        }
        if let route = record.route { self.routes.addAlone(1, 0, route) }
        guard let pool = record.pool else { return }
        self.countPool(record, pool)
        if let server = record.server {
            self.countServer(record, self.row(pool: pool, server: server))
        }
    }

    private func countPool(_ record: borrowing ExchangeRecord, _ pool: Int) {
        self.observe(record.totalTime, pool, PoolColumn.duration)
        if let span = record.firstByteTime { self.observe(span, pool, PoolColumn.firstByte) }
        if let span = record.connectTime { self.observe(span, pool, PoolColumn.connect) }
        self.pools.addAlone(1, pool, PoolColumn.verdicts + Int(record.persistence.rawValue))
        if record.binding != .none {
            self.pools.addAlone(1, pool, PoolColumn.bindings + Int(record.binding.rawValue))
        }
        if let reason = record.moveReason {
            self.pools.addAlone(1, pool, PoolColumn.moves + Int(reason.rawValue))
        }
    }

    private func countServer(_ record: borrowing ExchangeRecord, _ row: Int) {
        self.servers.addAlone(1, row, ServerColumn.answer(of: record))
        self.servers.addAlone(
            Int64(truncatingIfNeeded: record.bytesFromServer),
            row,
            ServerColumn.received
        )
        self.servers.addAlone(
            Int64(truncatingIfNeeded: record.bytesToServer),
            row,
            ServerColumn.sent
        )
        if record.rule == .redispatch { self.servers.addAlone(1, row, ServerColumn.redispatches) }
        if record.isReused {
            self.servers.addAlone(1, row, ServerColumn.reused)
        } else if record.connectDone != nil {
            self.servers.addAlone(1, row, ServerColumn.opened)
        }
    }

    private func observe(_ span: TimeSpan, _ pool: Int, _ histogram: Int) {
        self.pools.addAlone(1, pool, histogram + LatencyBuckets.index(of: span))
        self.pools.addAlone(span.nanoseconds, pool, histogram + LatencyBuckets.count)
    }

    private func row(pool: Int, server: Int) -> Int {
        // 64 servers a run: the test of the names walks more than one.
        Int(self.runs.load(pool, server &>> 6)) &+ server & 63
    }
}

/// Whose message was refused.
enum MessageSide: UInt8, CaseIterable {
    case client, server
}

// The columns are written as numbers, because a constant that is computed at start costs a check at
// each use. The tests hold them against the enums.

/// Columns of the one row without labels.
enum GeneralColumn {
    static var gauges: Int { 16 }
    static var connectionRefusals: Int { 18 }
    static var timeouts: Int { 24 }
    static var handshakeFailures: Int { 33 }
    static var http2Faults: Int { 45 }
    static var proxyHeaders: Int { 59 }
    static var tunnelRefusals: Int { 66 }
    static var tunnelEnds: Int { 69 }
    static var count: Int { 74 }
}

/// Columns of an ending's row: all exchanges that ended so, and those that Belay answered itself,
/// by status.
enum EndingColumn {
    static var total: Int { 0 }
    /// The statuses that Belay answers with, one column each from 1 on; any other is counted in the
    /// last column.
    static let statuses: [UInt16] = [
        308, 400, 403, 404, 405, 408, 411, 413, 414, 417, 426, 429, 431, 500, 501, 502, 503, 504,
    ]
    static var other: Int { 19 }
    static var count: Int { 20 }

    static func index(of status: UInt16) -> Int {
        switch status {
        case 308: 1
        case 400: 2
        case 403: 3
        case 404: 4
        case 405: 5
        case 408: 6
        case 411: 7
        case 413: 8
        case 414: 9
        case 417: 10
        case 426: 11
        case 429: 12
        case 431: 13
        case 500: 14
        case 501: 15
        case 502: 16
        case 503: 17
        case 504: 18
        default: Self.other
        }
    }

    /// The label of a column of answers.
    static func name(of column: Int) -> String {
        column == Self.other ? "other" : String(Self.statuses[column - 1])
    }
}

/// Columns of a pool's row.
enum PoolColumn {
    /// A histogram takes its buckets and a sum in nanoseconds.
    static var histogramWidth: Int { LatencyBuckets.count + 1 }
    static var duration: Int { 0 }
    static var firstByte: Int { Self.histogramWidth }
    static var connect: Int { 2 * Self.histogramWidth }
    static var verdicts: Int { 3 * Self.histogramWidth }
    static var bindings: Int { Self.verdicts + 19 }
    static var moves: Int { Self.bindings + 3 }
    static var count: Int { Self.moves + 9 }
}

/// Columns of a server's row: 16, on two cache lines.
enum ServerColumn {
    /// Answers by class, 1xx to 5xx, then exchanges that the server did not answer, then tunnels
    /// of TCP, for which accepting the connection is all the answer there is.
    static var answers: Int { 0 }
    static let answerNames: [String] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none", "tcp"]
    static var counters: Int { 7 }
    static var received: Int { 11 }
    static var sent: Int { 12 }
    static var redispatches: Int { 13 }
    static var opened: Int { 14 }
    static var reused: Int { 15 }
    static var count: Int { 16 }

    static func of(_ counter: ServerCounter) -> Int { Self.counters + counter.rawValue }

    static func answer(of record: borrowing ExchangeRecord) -> Int {
        if record.transport == .tcp { return record.connectDone == nil ? 5 : 6 }
        guard !record.isOwnAnswer, record.status >= 100, record.status < 600 else { return 5 }
        return Int(record.status) / 100 - 1
    }
}
