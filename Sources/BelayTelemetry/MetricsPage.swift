import BelayBytes
import BelayCore

/// The page that Prometheus reads (text format 0.0.4): every metric once with HELP and TYPE, then
/// its values. Made when somebody asks, on whichever thread; costs some 100 ns a line.
package struct MetricsPage {
    /// What the answer's Content-Type says.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private let store: MetricsStore
    private let state: ProcessState
    private var text = PageText()

    /// `state.servers` has as many pools and servers as the store's names.
    package static func write(_ store: MetricsStore, _ state: ProcessState) -> [UInt8] {
        precondition(
            state.servers.map(\.count) == store.names.pools.map(\.servers.count),
            "the servers' states do not match the names"
        )
        var page = MetricsPage(store: store, state: state)
        page.writeProcess()
        page.writeCertificates()
        page.writeClients()
        page.writeHandshakes()
        page.writeTraffic()
        page.writeExchanges()
        page.writePools()
        page.writeServers()
        page.writeServerStates()
        return page.text.bytes
    }

    private init(store: MetricsStore, state: ProcessState) {
        self.store = store
        self.state = state
    }

    // MARK: The process

    private mutating func writeProcess() {
        self.text.begin(.buildInfo)
        self.text.value(.buildInfo, [self.state.version], 1)
        self.single(.processStartTime, self.state.started.seconds)
        self.text.begin(.processUptime)
        self.text.value(.processUptime, [], nanoseconds: self.state.uptime.nanoseconds)
        self.single(.workers, Int64(self.store.workers.count))
        self.single(.keyRingKeys, Int64(self.state.keys))
        self.single(.bufferBlocksInUse, self.store.sum(.bufferBlocksInUse))
        self.single(.logLinesWritten, Int64(self.state.logLinesWritten))
        self.single(.logLinesDropped, Int64(self.state.logLinesDropped))
        self.text.begin(.reloads)
        self.text.value(.reloads, ["success"], Int64(self.state.reloads.succeeded))
        self.text.value(.reloads, ["failure"], Int64(self.state.reloads.failed))
        self.single(.reloadSuccess, self.state.reloads.lastSuccess.seconds)
    }

    private mutating func writeCertificates() {
        self.text.begin(.certificateExpiry)
        for certificate in self.state.certificates {
            let labels = [certificate.listener, certificate.certificate]
            self.text.value(.certificateExpiry, labels, certificate.notAfter)
        }
        self.text.begin(.certificateReloadFailures)
        var listeners: [String] = []
        for certificate in self.state.certificates
        where !listeners.contains(certificate.listener) {
            listeners.append(certificate.listener)
        }
        for listener in listeners {
            let failures = self.state.certificates.reduce(0) { sum, certificate in
                certificate.listener == listener ? sum + certificate.reloadFailures : sum
            }
            self.text.value(.certificateReloadFailures, [listener], Int64(failures))
        }
    }

    // MARK: Clients

    private mutating func writeClients() {
        // Closed is read before accepted: a connection that comes and goes in between then counts
        // as open, never as less than nothing.
        let closed = self.store.sum(.connectionsClosed)
        let accepted = self.store.sum(.connectionsAccepted)
        self.single(.connectionsAccepted, accepted)
        self.single(.connectionsClosed, closed)
        self.single(.connectionsOpen, accepted - closed)
        self.family(
            .connectionsRefused,
            ConnectionRefusal.self,
            GeneralColumn.connectionRefusals
        )
        self.family(.proxyHeaders, ProxyHeaderResult.self, GeneralColumn.proxyHeaders)
    }

    private mutating func writeHandshakes() {
        // Resumed before all, and closed before opened, for the same reason as above.
        let resumptions = self.store.sum(.tlsResumptions)
        self.single(.tlsHandshakes, self.store.sum(.tlsHandshakes))
        self.single(.tlsResumptions, resumptions)
        self.family(.tlsHandshakeFailures, HandshakeFailure.self, GeneralColumn.handshakeFailures)
        let closed = self.store.sum(.http2ConnectionsClosed)
        let opened = self.store.sum(.http2ConnectionsOpened)
        self.single(.http2ConnectionsOpened, opened)
        self.single(.http2ConnectionsOpen, opened - closed)
        self.single(.http2Streams, self.store.sum(.http2Streams))
        self.single(.http2StreamsReset, self.store.sum(.http2StreamsReset))
        self.family(.http2Faults, HTTP2Fault.self, GeneralColumn.http2Faults)
    }

    private mutating func writeTraffic() {
        self.single(.clientReceivedBytes, self.store.sum(.bytesFromClients))
        self.single(.clientSentBytes, self.store.sum(.bytesToClients))
        self.single(.splicedBytes, self.store.sum(.bytesSpliced))
        let tunnelsClosed = self.store.sum(.tunnelsClosed)
        let tunnelsOpened = self.store.sum(.tunnelsOpened)
        self.single(.tunnelsOpened, tunnelsOpened)
        self.single(.tunnelsOpen, tunnelsOpened - tunnelsClosed)
        self.family(.tunnelsClosed, TunnelEnd.self, GeneralColumn.tunnelEnds)
        self.family(.tunnelsRefused, TunnelRefusal.self, GeneralColumn.tunnelRefusals)
        self.text.begin(.messagesRefused)
        for side in MessageSide.allCases {
            for (index, name) in self.store.names.refusals.enumerated() {
                let value = self.store.sum(\.refusals, Int(side.rawValue), index)
                self.text.value(.messagesRefused, ["\(side)", name.text], value)
            }
        }
        self.family(.timeouts, TimeoutKind.self, GeneralColumn.timeouts)
    }

    // MARK: Exchanges

    private mutating func writeExchanges() {
        self.text.begin(.exchanges)
        for ending in Ending.allCases {
            let value = self.store.sum(\.endings, Int(ending.rawValue), EndingColumn.total)
            self.text.value(.exchanges, ["\(ending.name)"], value)
        }
        self.text.begin(.ownAnswers)
        for ending in Ending.allCases {
            for column in 1..<EndingColumn.count {
                let value = self.store.sum(\.endings, Int(ending.rawValue), column)
                // Most of the 342 combinations never happen: those that did are told.
                guard value > 0 else { continue }
                let status = EndingColumn.name(of: column)
                self.text.value(.ownAnswers, [status, "\(ending.name)"], value)
            }
        }
        self.text.begin(.routeExchanges)
        for (index, route) in self.store.names.routes.enumerated() {
            self.text.value(.routeExchanges, [route.text], self.store.sum(\.routes, 0, index))
        }
    }

    // MARK: Server pools

    private mutating func writePools() {
        self.histogram(.exchangeDuration, PoolColumn.duration)
        self.histogram(.exchangeFirstByte, PoolColumn.firstByte)
        self.histogram(.exchangeConnect, PoolColumn.connect)
        self.text.begin(.persistenceVerdicts)
        for (index, pool) in self.store.names.pools.enumerated() where !pool.isGone {
            for verdict in PersistenceVerdict.allCases {
                let column = PoolColumn.verdicts + Int(verdict.rawValue)
                let labels = [pool.name.text, "\(verdict.name)"]
                let value = self.store.sum(\.pools, index, column)
                self.text.value(.persistenceVerdicts, labels, value)
            }
        }
        self.bindings(.bindingsCreated, .created)
        self.bindings(.bindingsRenewed, .renewed)
        self.text.begin(.bindingsMoved)
        for (index, pool) in self.store.names.pools.enumerated() where !pool.isGone {
            for reason in MoveReason.allCases {
                let value = self.store.sum(\.pools, index, PoolColumn.moves + Int(reason.rawValue))
                self.text.value(.bindingsMoved, [pool.name.text, "\(reason.name)"], value)
            }
        }
        self.single(.requestsQueued, self.store.sum(.requestsQueued))
        self.single(.serverStalls, self.store.sum(.serverStalls))
    }

    private mutating func bindings(_ metric: Metric, _ change: BindingChange) {
        self.text.begin(metric)
        for (index, pool) in self.store.names.pools.enumerated() where !pool.isGone {
            let column = PoolColumn.bindings + Int(change.rawValue)
            self.text.value(metric, [pool.name.text], self.store.sum(\.pools, index, column))
        }
    }

    private mutating func histogram(_ metric: Metric, _ first: Int) {
        self.text.begin(metric)
        for (index, pool) in self.store.names.pools.enumerated() where !pool.isGone {
            let labels = [pool.name.text]
            // The sum is read first: it may then lack what the buckets have, by little.
            let sum = self.store.sum(\.pools, index, first + LatencyBuckets.count)
            var count: Int64 = 0
            for bucket in 0..<LatencyBuckets.count {
                count += self.store.sum(\.pools, index, first + bucket)
                let isLast = bucket == LatencyBuckets.count - 1
                let bound = isLast ? "+Inf" : LatencyBuckets.labels[bucket]
                self.text.value(metric, labels, count, suffix: "_bucket", bound: bound)
            }
            self.text.value(metric, labels, nanoseconds: sum, suffix: "_sum")
            self.text.value(metric, labels, count, suffix: "_count")
        }
    }

    // MARK: Servers

    private mutating func writeServers() {
        self.text.begin(.serverExchanges)
        self.forEachServer { page, labels, row, _ in
            for (column, name) in ServerColumn.answerNames.enumerated() {
                let value = page.store.sum(\.servers, row, ServerColumn.answers + column)
                page.text.value(.serverExchanges, labels + [name], value)
            }
        }
        self.perServer(.serverReceivedBytes, ServerColumn.received)
        self.perServer(.serverSentBytes, ServerColumn.sent)
        self.perServer(.serverConnectionsOpened, ServerColumn.opened)
        self.perServer(.serverConnectionsReused, ServerColumn.reused)
        self.single(.serverConnectionsIdle, self.store.sum(.idleServerConnections))
        self.single(.serverHandshakes, self.store.sum(.serverHandshakes))
        self.perServer(.serverConnectFailures, ServerColumn.of(.connectFailures))
        self.perServer(.serverEjections, ServerColumn.of(.ejections))
        self.perServer(.serverReturns, ServerColumn.of(.returns))
        self.perServer(.serverRetries, ServerColumn.of(.retries))
        self.perServer(.serverRedispatches, ServerColumn.redispatches)
    }

    private mutating func writeServerStates() {
        self.text.begin(.serverOpenRequests)
        self.forEachServer { page, labels, _, state in
            page.text.value(.serverOpenRequests, labels, Int64(state.openRequests))
        }
        self.text.begin(.serverHealth)
        self.forEachServer { page, labels, _, state in
            for health in Health.allCases {
                let value: Int64 = state.health == health ? 1 : 0
                page.text.value(.serverHealth, labels + ["\(health.name)"], value)
            }
        }
        self.text.begin(.serverAdminState)
        self.forEachServer { page, labels, _, state in
            for adminState in AdminState.allCases {
                let value: Int64 = state.adminState == adminState ? 1 : 0
                page.text.value(.serverAdminState, labels + ["\(adminState.name)"], value)
            }
        }
        self.text.begin(.serverWeight)
        self.forEachServer { page, labels, _, state in
            page.text.value(.serverWeight, labels, Int64(state.weight.rawValue))
        }
    }

    private mutating func perServer(_ metric: Metric, _ column: Int) {
        self.text.begin(metric)
        self.forEachServer { page, labels, row, _ in
            page.text.value(metric, labels, page.store.sum(\.servers, row, column))
        }
    }

    private mutating func forEachServer(
        _ body: (inout MetricsPage, _ labels: [String], _ row: Int, ServerState) -> Void
    ) {
        for (poolIndex, pool) in self.store.names.pools.enumerated() where !pool.isGone {
            let poolName = pool.name.text
            for (index, server) in pool.servers.enumerated() where !pool.areGone[index] {
                let row = self.store.names.row(pool: poolIndex, server: index)
                body(&self, [poolName, server.text], row, self.state.servers[poolIndex][index])
            }
        }
    }

    /// A metric with one label, whose values' counters begin at `column`.
    private mutating func family<Value: LabelValue>(
        _ metric: Metric,
        _ values: Value.Type,
        _ column: Int
    ) {
        self.text.begin(metric)
        for value in values.allCases {
            let count = self.store.sum(\.general, 0, column + Int(value.rawValue))
            self.text.value(metric, ["\(value.name)"], count)
        }
    }

    private mutating func single(_ metric: Metric, _ value: Int64) {
        self.text.begin(metric)
        self.text.value(metric, [], value)
    }
}

/// The lines of the page.
private struct PageText {
    private(set) var bytes: [UInt8] = []

    mutating func begin(_ metric: Metric) {
        self.append("# HELP \(metric.name) ")
        for byte in metric.help.utf8 { self.append(escaped: byte, isLabel: false) }
        self.append("\n# TYPE \(metric.name) \(metric.kind.rawValue)\n")
    }

    mutating func value(
        _ metric: Metric,
        _ labels: [String],
        _ value: Int64,
        suffix: String = "",
        bound: String? = nil
    ) {
        self.series(metric, labels, suffix: suffix, bound: bound)
        self.append("\(value)\n")
    }

    /// Writes nanoseconds as seconds, exactly.
    mutating func value(
        _ metric: Metric,
        _ labels: [String],
        nanoseconds: Int64,
        suffix: String = ""
    ) {
        self.series(metric, labels, suffix: suffix, bound: nil)
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let digits = String(rest.magnitude)
        let zeros = String(repeating: "0", count: 9 - digits.count)
        self.append("\(seconds).\(zeros)\(digits)\n")
    }

    private mutating func series(
        _ metric: Metric,
        _ labels: [String],
        suffix: String,
        bound: String?
    ) {
        precondition(labels.count == metric.labels.count, "\(metric.name) has other labels")
        self.append(metric.name)
        self.append(suffix)
        var separator = "{"
        for (name, value) in zip(metric.labels, labels) {
            self.append("\(separator)\(name)=\"")
            for byte in value.utf8 { self.append(escaped: byte, isLabel: true) }
            self.append("\"")
            separator = ","
        }
        if let bound {
            self.append("\(separator)le=\"\(bound)\"")
            separator = ","
        }
        self.append(separator == "{" ? " " : "} ")
    }

    private mutating func append(_ text: String) { self.bytes.append(contentsOf: text.utf8) }

    private mutating func append(escaped byte: UInt8, isLabel: Bool) {
        switch byte {
        case UInt8(ascii: "\\"): self.append("\\\\")
        case UInt8(ascii: "\n"): self.append("\\n")
        case UInt8(ascii: "\"") where isLabel: self.append("\\\"")
        default: self.bytes.append(byte)
        }
    }
}
