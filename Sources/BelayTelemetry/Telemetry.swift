// BelayTelemetry: what Belay tells of itself: metrics, the access log, and the record of each
// exchange that both are made from. Every metric is declared once, in `Metric`. A worker writes
// its own counters (`WorkerMetrics`) and its own log buffers (`WorkerLog`); nothing here makes it
// wait. Reading happens elsewhere: `MetricsPage` sums the workers' counters when somebody asks,
// `LogSink` writes full buffers to the file from a thread of its own. Not here: who serves the
// page (BelayAdmin), and who decides what the record says (BelayProxy). Start with
// `ExchangeRecord`.

package import BelayBytes

/// The names behind the indices that records and counters carry.
///
/// A server's index counts within its pool, as the balancer picks it.
package struct TelemetryNames: Sendable {
    package let routes: [InternedText]
    package let pools: [ServerPoolNames]
    /// Names of the reasons for which a message is refused, by their raw value.
    package let refusals: [InternedText]
    /// For each pool, the row of its first server in a table of all servers.
    package let firstServers: [Int]
    package let serverCount: Int

    package init(
        routes: [InternedText],
        pools: [ServerPoolNames],
        refusals: [InternedText]
    ) {
        self.routes = routes
        self.pools = pools
        self.refusals = refusals
        var firsts: [Int] = []
        var count = 0
        for pool in pools {
            firsts.append(count)
            count += pool.servers.count
        }
        self.firstServers = firsts
        self.serverCount = count
    }
}

/// The names of a server pool and its servers.
package struct ServerPoolNames: Sendable {
    package let name: InternedText
    package let servers: [InternedText]

    package init(name: InternedText, servers: [InternedText]) {
        self.name = name
        self.servers = servers
    }
}
