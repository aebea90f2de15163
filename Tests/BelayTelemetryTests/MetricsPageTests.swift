import BelayCore
import BelayTelemetry
import Foundation
import Testing

/// The page after a short day, whole: what operators' dashboards are built on.
struct MetricsPageTests {
    @Test func `the whole page of metrics`() throws {
        let page = String(decoding: MetricsPage.write(shortDay(), state), as: UTF8.self)
        // In a file of its own so that it can be given to `promtool check metrics`.
        let golden = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Golden/metrics.txt")
        // After a change that is meant: BELAY_GOLDEN=write swift test, and read the difference.
        if ProcessInfo.processInfo.environment["BELAY_GOLDEN"] == "write" {
            try page.write(to: golden, atomically: true, encoding: .utf8)
        }
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        let wanted = try String(contentsOf: golden, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
        for (line, want) in zip(lines, wanted) { #expect(line == want) }
        #expect(lines.count == wanted.count)
    }
}

private let state = ProcessState(
    version: "0.1.0",
    started: UnixTime(seconds: 1_795_226_400),
    uptime: TimeSpan(nanoseconds: 184_500_000_001),
    keys: 2,
    logLinesWritten: 5,
    logLinesDropped: 1,
    servers: [
        [ServerState(openRequests: 0, health: .up, adminState: .ready, weight: .one)],
        [
            ServerState(openRequests: 3, health: .up, adminState: .draining, weight: .maximum),
            ServerState(openRequests: 0, health: .ejected, adminState: .ready, weight: .zero),
        ],
    ],
    certificates: [
        CertificateState(
            listener: "web",
            certificate: "/etc/belay/shop.pem",
            notAfter: 1_803_002_400,
            reloadFailures: 0
        ),
        CertificateState(
            listener: "web",
            certificate: "/etc/belay/api.pem",
            notAfter: 1_800_410_400,
            reloadFailures: 1
        ),
    ]
)

/// Two workers, six exchanges, a bit of everything.
private func shortDay() -> MetricsStore {
    let store = MetricsStore(names: Samples.names, workers: 2)
    let (first, second) = (store.workers[0], store.workers[1])
    first.count(.connectionsAccepted, 4)
    second.count(.connectionsAccepted, 3)
    first.count(.connectionsClosed, 2)
    first.connectionRefused(.clientLimit)
    second.count(.tunnelsOpened)
    first.count(.bytesSpliced, 1_048_576)
    first.timedOut(.keepAlive)
    second.timedOut(.connect)
    first.set(.bufferBlocksInUse, 2)
    second.set(.bufferBlocksInUse, 1)
    first.set(.idleServerConnections, 1)
    first.exchangeEnded(Samples.exchange())
    second.exchangeEnded(Samples.refused())
    var slow = Samples.exchange()
    slow.server = 1
    slow.firstByte = Samples.instant(microseconds: 700_000)
    slow.ended = Samples.instant(microseconds: 61_000_000)
    slow.persistence = .tampered
    slow.binding = .created
    slow.rule = .redispatch
    slow.connectStarted = nil
    slow.connectDone = nil
    slow.isReused = true
    second.exchangeEnded(slow)
    var failed = Samples.exchange()
    failed.pool = 0
    failed.route = 0
    failed.status = 503
    failed.isOwnAnswer = true
    failed.ending = .connectFailed
    failed.connectDone = nil
    failed.firstByte = nil
    failed.persistence = .off
    failed.binding = .none
    first.exchangeEnded(failed)
    first.exchangeEnded(Samples.webSocket())
    second.exchangeEnded(Samples.tcp())
    countWhatIsNotHTTP1(first)
    first.count(.connectFailures, pool: 0, server: 0)
    first.count(.ejections, pool: 1, server: 1)
    return store
}

/// TLS, HTTP/2, PROXY headers and the ends of tunnels.
private func countWhatIsNotHTTP1(_ metrics: WorkerMetrics) {
    metrics.count(.tlsHandshakes, 5)
    metrics.count(.tlsResumptions, 2)
    metrics.count(.serverHandshakes)
    metrics.count(.http2ConnectionsOpened, 2)
    metrics.count(.http2ConnectionsClosed)
    metrics.count(.http2Streams, 9)
    metrics.count(.http2StreamsReset, 2)
    metrics.count(HandshakeFailure.plainHTTP)
    metrics.count(HTTP2Fault.resets)
    metrics.count(ProxyHeaderResult.accepted)
    metrics.count(TunnelRefusal.origin)
    metrics.count(.tunnelsOpened, 2)
    metrics.count(.tunnelsClosed, 2)
    metrics.count(TunnelEnd.client)
    metrics.count(TunnelEnd.drained)
    metrics.connectionRefused(.handshakeRate)
    metrics.timedOut(.handshake)
}
