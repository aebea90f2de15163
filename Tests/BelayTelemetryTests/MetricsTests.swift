import BelayBytes
import BelayCore
import BelayTelemetry
import Testing

/// The value of a series, by its name and labels as they stand on the page.
private func value(
    _ series: String,
    _ store: MetricsStore,
    _ state: ProcessState = quiet
) -> String? {
    let page = String(decoding: MetricsPage.write(store, state), as: UTF8.self)
    for line in page.split(separator: "\n") where line.hasPrefix(series + " ") {
        return String(line.dropFirst(series.utf8.count + 1))
    }
    return nil
}

private let idle = ServerState(openRequests: 0, health: .up, adminState: .ready, weight: .one)

private let quiet = ProcessState(
    version: "0.0.0",
    started: UnixTime(seconds: 0),
    uptime: .zero,
    keys: 0,
    logLinesWritten: 0,
    logLinesDropped: 0,
    servers: [[idle], [idle, idle]]
)

private func state(certificates: [(String, String, Int64, Int)]) -> ProcessState {
    var state = quiet
    state.certificates = certificates.map { listener, certificate, notAfter, failures in
        CertificateState(
            listener: listener,
            certificate: certificate,
            notAfter: notAfter,
            reloadFailures: failures
        )
    }
    return state
}

/// Counts every value of every label, as often as `amount` says for its place.
private func countLabels(_ metrics: WorkerMetrics, _ amount: (Int) -> Int) {
    for (index, failure) in HandshakeFailure.allCases.enumerated() {
        for _ in 0..<amount(index) { metrics.count(failure) }
    }
    for (index, fault) in HTTP2Fault.allCases.enumerated() {
        for _ in 0..<amount(index) { metrics.count(fault) }
    }
    for (index, result) in ProxyHeaderResult.allCases.enumerated() {
        for _ in 0..<amount(index) { metrics.count(result) }
    }
    for (index, refusal) in TunnelRefusal.allCases.enumerated() {
        for _ in 0..<amount(index) { metrics.count(refusal) }
    }
    for (index, end) in TunnelEnd.allCases.enumerated() {
        for _ in 0..<amount(index) { metrics.count(end) }
    }
}

struct MetricsTests {
    @Test func `the page adds the workers up`() {
        let store = MetricsStore(names: Samples.names, workers: 3)
        for (index, metrics) in store.workers.enumerated() {
            metrics.count(.connectionsAccepted, 10 * (index + 1))
            metrics.count(.connectionsClosed, index)
            metrics.set(.bufferBlocksInUse, 5)
        }
        #expect(value("belay_connections_accepted_total", store) == "60")
        #expect(value("belay_connections_open", store) == "57")
        #expect(value("belay_buffer_blocks_in_use", store) == "15")
    }

    @Test(arguments: [
        (WorkerCounter.connectionsAccepted, "belay_connections_accepted_total"),
        (.connectionsClosed, "belay_connections_closed_total"),
        (.bytesFromClients, "belay_client_received_bytes_total"),
        (.bytesToClients, "belay_client_sent_bytes_total"),
        (.bytesSpliced, "belay_spliced_bytes_total"),
        (.tunnelsOpened, "belay_tunnels_opened_total"),
        (.tlsHandshakes, "belay_tls_handshakes_total"),
        (.tlsResumptions, "belay_tls_resumptions_total"),
        (.http2ConnectionsOpened, "belay_http2_connections_opened_total"),
        (.http2Streams, "belay_http2_streams_total"),
        (.http2StreamsReset, "belay_http2_streams_reset_total"),
        (.serverHandshakes, "belay_server_tls_handshakes_total"),
        (.requestsQueued, "belay_requests_queued_total"),
        (.serverStalls, "belay_server_stalls_total"),
    ])
    func `each counter has its place`(counter: WorkerCounter, series: String) {
        let store = MetricsStore(names: Samples.names, workers: 1)
        // Every counter another amount: a column used twice would show.
        for (index, other) in WorkerCounter.allCases.enumerated() {
            store.workers[0].count(other, 1 << index)
        }
        for gauge in WorkerGauge.allCases { store.workers[0].set(gauge, 1_000_000) }
        for kind in TimeoutKind.allCases { store.workers[0].timedOut(kind) }
        for reason in ConnectionRefusal.allCases { store.workers[0].connectionRefused(reason) }
        countLabels(store.workers[0]) { _ in 1 }
        #expect(value(series, store) == "\(1 << counter.rawValue)")
    }

    @Test func `the values of each label are told apart`() {
        let store = MetricsStore(names: Samples.names, workers: 1)
        countLabels(store.workers[0]) { $0 + 1 }
        let families: [(String, [StaticString])] = [
            ("tls_handshake_failures_total{reason", HandshakeFailure.allCases.map(\.name)),
            ("http2_faults_total{reason", HTTP2Fault.allCases.map(\.name)),
            ("proxy_headers_total{result", ProxyHeaderResult.allCases.map(\.name)),
            ("tunnels_refused_total{reason", TunnelRefusal.allCases.map(\.name)),
            ("tunnels_closed_total{reason", TunnelEnd.allCases.map(\.name)),
        ]
        for (family, names) in families {
            for (index, name) in names.enumerated() {
                #expect(value("belay_\(family)=\"\(name)\"}", store) == "\(index + 1)")
            }
        }
    }

    @Test func `open HTTP/2 connections are those opened and not closed`() {
        let store = MetricsStore(names: Samples.names, workers: 2)
        store.workers[0].count(.http2ConnectionsOpened, 5)
        store.workers[1].count(.http2ConnectionsOpened, 2)
        store.workers[1].count(.http2ConnectionsClosed, 3)
        #expect(value("belay_http2_connections_open", store) == "4")
    }

    @Test func `a listener's certificates expire each for itself and fail together`() {
        let store = MetricsStore(names: Samples.names, workers: 1)
        let state = state(
            certificates: [("web", "/a.pem", 100, 2), ("web", "/b.pem", 200, 1), ("x", "c", 0, 0)]
        )
        let expiry = "belay_tls_certificate_expiry_timestamp_seconds"
        let failures = "belay_tls_certificate_reload_failures_total"
        let wanted = [
            (#"\#(expiry){listener="web",certificate="/a.pem"}"#, "100"),
            (#"\#(expiry){listener="web",certificate="/b.pem"}"#, "200"),
            (#"\#(expiry){listener="x",certificate="c"}"#, "0"),
            (#"\#(failures){listener="web"}"#, "3"), (#"\#(failures){listener="x"}"#, "0"),
        ]
        for (series, want) in wanted { #expect(value(series, store, state) == want) }
        #expect(value(#"\#(failures){listener="web"}"#, store) == nil)
    }

    @Test func `a tunnel of TCP is no failure of its server`() {
        let store = MetricsStore(names: Samples.names, workers: 1)
        store.workers[0].exchangeEnded(Samples.tcp())
        var failed = Samples.tcp()
        failed.connectDone = nil
        failed.ending = .connectFailed
        store.workers[0].exchangeEnded(failed)
        let series = "belay_server_exchanges_total{pool=\"api\",server=\"10.0.0.21:9000\""
        #expect(value("\(series),class=\"tcp\"}", store) == "1")
        #expect(value("\(series),class=\"none\"}", store) == "1")
        #expect(store.exchanges(pool: 0, server: 0) == (ended: 2, failed: 1))
    }

    @Test func `a record fits into its exchange's slot`() {
        #expect(MemoryLayout<ExchangeRecord>.stride <= 168)
    }

    @Test func `refused connections and time-outs are told apart`() {
        let store = MetricsStore(names: Samples.names, workers: 1)
        for (index, reason) in ConnectionRefusal.allCases.enumerated() {
            for _ in 0...index { store.workers[0].connectionRefused(reason) }
        }
        for (index, kind) in TimeoutKind.allCases.enumerated() {
            for _ in 0...index { store.workers[0].timedOut(kind) }
        }
        for (index, reason) in ConnectionRefusal.allCases.enumerated() {
            let series = "belay_connections_refused_total{reason=\"\(reason.name)\"}"
            #expect(value(series, store) == "\(index + 1)")
        }
        for (index, kind) in TimeoutKind.allCases.enumerated() {
            let series = "belay_timeouts_total{kind=\"\(kind.name)\"}"
            #expect(value(series, store) == "\(index + 1)")
        }
    }

    @Test func `endings, verdicts and changes of bindings are told apart`() {
        let store = MetricsStore(names: Samples.names, workers: 1)
        for (index, ending) in Ending.allCases.enumerated() {
            var record = Samples.exchange()
            record.ending = ending
            for _ in 0...index { store.workers[0].exchangeEnded(record) }
        }
        for (index, verdict) in PersistenceVerdict.allCases.enumerated() {
            var record = Samples.exchange()
            record.pool = 0
            record.persistence = verdict
            record.binding = index % 2 == 0 ? .created : .none
            for _ in 0...index { store.workers[0].exchangeEnded(record) }
        }
        for (index, ending) in Ending.allCases.enumerated() where ending != .done {
            let series = "belay_exchanges_total{ending=\"\(ending.name)\"}"
            #expect(value(series, store) == "\(index + 1)")
        }
        for (index, verdict) in PersistenceVerdict.allCases.enumerated() {
            let labels = "{pool=\"api\",verdict=\"\(verdict.name)\"}"
            #expect(value("belay_persistence_verdicts_total\(labels)", store) == "\(index + 1)")
        }
        #expect(value("belay_bindings_created_total{pool=\"api\"}", store) == "100")
        #expect(value("belay_bindings_renewed_total{pool=\"api\"}", store) == "0")
        #expect(value("belay_bindings_renewed_total{pool=\"shop\"}", store) == "231")
    }

    @Test(arguments: [
        (100, "1xx"), (101, "1xx"), (200, "2xx"), (299, "2xx"), (304, "3xx"), (404, "4xx"),
        (599, "5xx"), (0, "none"), (600, "none"),
    ])
    func `a server's answers are counted by class`(status: UInt16, want: String) {
        let store = MetricsStore(names: Samples.names, workers: 1)
        var record = Samples.exchange()
        record.server = 1
        record.status = status
        store.workers[0].exchangeEnded(record)
        for name in ["1xx", "2xx", "3xx", "4xx", "5xx", "none"] {
            let labels = "{pool=\"shop\",server=\"shop2\",class=\"\(name)\"}"
            let count = value("belay_server_exchanges_total\(labels)", store)
            #expect(count == (name == want ? "1" : "0"))
        }
    }

    @Test(arguments: [
        (503, Ending.noServer, "503"), (400, .requestRefused, "400"), (504, .serverTimedOut, "504"),
        (502, .serverClosedEarly, "502"), (431, .requestRefused, "431"),
        (308, .redirected, "308"), (426, .requestRefused, "426"), (403, .originRefused, "403"),
        (418, .done, "other"),
    ])
    func `Belay's own answers are not the server's`(status: UInt16, ending: Ending, label: String) {
        let store = MetricsStore(names: Samples.names, workers: 1)
        var record = Samples.exchange()
        record.status = status
        record.ending = ending
        record.isOwnAnswer = true
        store.workers[0].exchangeEnded(record)
        let own = "belay_own_answers_total{status=\"\(label)\",ending=\"\(ending.name)\"}"
        #expect(value(own, store) == "1")
        let server = "belay_server_exchanges_total{pool=\"shop\",server=\"shop1\""
        #expect(value("\(server),class=\"none\"}", store) == "1")
        #expect(value("\(server),class=\"5xx\"}", store) == "0")
        #expect(store.exchanges(pool: 1, server: 0) == (ended: 1, failed: 1))
    }

    @Test func `a refused message is counted on its side`() {
        let store = MetricsStore(names: Samples.names, workers: 1)
        store.workers[0].exchangeEnded(Samples.refused())
        var answer = Samples.exchange()
        answer.ending = .responseRefused
        answer.refusal = 0
        for _ in 0..<2 { store.workers[0].exchangeEnded(answer) }
        let name = "belay_messages_refused_total"
        #expect(value("\(name){side=\"client\",reason=\"bad-host\"}", store) == "1")
        #expect(value("\(name){side=\"client\",reason=\"bare-line-feed\"}", store) == "0")
        #expect(value("\(name){side=\"server\",reason=\"bare-line-feed\"}", store) == "2")
    }

    @Test func `a server's connections and misfortunes are counted at that server`() {
        let store = MetricsStore(names: Samples.names, workers: 1)
        let metrics = store.workers[0]
        for (index, counter) in ServerCounter.allCases.enumerated() {
            for _ in 0...index { metrics.count(counter, pool: 1, server: 1) }
        }
        var record = Samples.exchange()
        record.server = 1
        metrics.exchangeEnded(record)
        record.isReused = true
        record.rule = .redispatch
        for _ in 0..<2 { metrics.exchangeEnded(record) }
        let wanted = [
            ("connect_failures_total", "1"), ("ejections_total", "2"), ("returns_total", "3"),
            ("retries_total", "4"), ("redispatches_total", "2"),
            ("connections_opened_total", "1"), ("connections_reused_total", "2"),
            ("received_bytes_total", "12600"), ("sent_bytes_total", "840"),
        ]
        for (name, want) in wanted {
            let series = "belay_server_\(name)"
            #expect(value("\(series){pool=\"shop\",server=\"shop2\"}", store) == want)
            #expect(value("\(series){pool=\"shop\",server=\"shop1\"}", store) == "0")
        }
    }

    @Test(arguments: [
        (0, "0.0005"), (500_000, "0.0005"), (500_001, "0.001"), (1_000_000, "0.001"),
        (99_000_000, "0.1"), (60_000_000_000, "60"), (60_000_000_001, "+Inf"),
    ])
    func `a time falls into the first bucket that holds it`(nanoseconds: Int64, bound: String) {
        let store = MetricsStore(names: Samples.names, workers: 1)
        var record = Samples.exchange()
        record.ended = Instant(nanoseconds: record.started.nanoseconds + nanoseconds)
        store.workers[0].exchangeEnded(record)
        var isInside = false
        for label in LatencyBuckets.labels + ["+Inf"] {
            if label == bound { isInside = true }
            let labels = "{pool=\"shop\",le=\"\(label)\"}"
            let count = value("belay_exchange_duration_seconds_bucket\(labels)", store)
            #expect(count == (isInside ? "1" : "0"))
        }
        #expect(value("belay_exchange_duration_seconds_count{pool=\"shop\"}", store) == "1")
    }

    @Test func `sums of times are exact`() {
        let store = MetricsStore(names: Samples.names, workers: 1)
        var record = Samples.exchange()
        for nanoseconds: Int64 in [1, 20, 3_000_000_000] {
            record.ended = Instant(nanoseconds: record.started.nanoseconds + nanoseconds)
            store.workers[0].exchangeEnded(record)
        }
        let sum = value("belay_exchange_duration_seconds_sum{pool=\"shop\"}", store)
        #expect(sum == "3.000000021")
    }

    @Test func `metric names follow Prometheus's rules`() {
        var names: Set<String> = []
        for metric in Metric.all {
            #expect(names.insert(metric.name).inserted)
            #expect(metric.name.hasPrefix("belay_"))
            #expect(metric.name.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil)
            #expect((metric.kind == .counter) == metric.name.hasSuffix("_total"))
            #expect((metric.kind == .histogram) == metric.name.hasPrefix("belay_exchange_"))
            #expect(metric.help.hasSuffix(".") && !metric.help.contains("\n"))
            #expect(!metric.labels.contains("le"))
        }
    }

    @Test func `every metric stands on the page once, with HELP and TYPE before its values`() {
        let store = MetricsStore(names: Samples.names, workers: 1)
        store.workers[0].exchangeEnded(Samples.refused())
        let page = String(decoding: MetricsPage.write(store, quiet), as: UTF8.self)
        #expect(page.hasSuffix("\n"))
        var order: [String] = []
        var current = ""
        for line in page.split(separator: "\n") {
            if line.hasPrefix("# HELP ") {
                current = String(line.split(separator: " ")[2])
                order.append(current)
            } else if line.hasPrefix("# TYPE ") {
                #expect(line.split(separator: " ")[2] == current)
            } else {
                #expect(line.hasPrefix(current))
            }
        }
        #expect(order == Metric.all.map(\.name))
    }

    @Test func `label values are escaped`() {
        let names = TelemetryNames(
            routes: [InternedText("a\\b\"c\nd")],
            pools: [],
            refusals: []
        )
        let store = MetricsStore(names: names, workers: 1)
        var state = quiet
        state.servers = []
        let page = String(decoding: MetricsPage.write(store, state), as: UTF8.self)
        #expect(page.contains(#"belay_route_exchanges_total{route="a\\b\"c\nd"} 0"#))
    }
}
