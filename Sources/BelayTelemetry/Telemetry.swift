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
/// A server's index counts within its pool, as the balancer picks it. Later names of one process
/// begin with the earlier ones: a reload only ever adds.
package struct TelemetryNames: Sendable {
    package let routes: [InternedText]
    package let pools: [ServerPoolNames]
    /// Names of the reasons for which a message is refused, by their raw value.
    package let refusals: [InternedText]
    /// For each pool, the rows of its servers in a table of all servers: where each run of
    /// `runLength` of them begins. A pool that grows gets another run.
    let runs: [[Int]]
    /// Rows that are given out.
    let rowCount: Int

    /// Servers whose rows lie side by side.
    static var runLength: Int { 64 }

    /// The rows of the names before these, `after`, stay what they are.
    package init(
        routes: [InternedText],
        pools: [ServerPoolNames],
        refusals: [InternedText],
        after old: TelemetryNames? = nil
    ) {
        self.routes = routes
        self.pools = pools
        self.refusals = refusals
        var runs = old?.runs ?? []
        var count = old?.rowCount ?? 0
        for (index, pool) in pools.enumerated() {
            if index == runs.count { runs.append([]) }
            while runs[index].count * Self.runLength < pool.servers.count {
                runs[index].append(count)
                count += Self.runLength
            }
        }
        self.runs = runs
        self.rowCount = count
    }

    /// The row of a server in a table of all servers.
    func row(pool: Int, server: Int) -> Int {
        self.runs[pool][server / Self.runLength] + server % Self.runLength
    }
}

/// The names of a server pool and its servers.
package struct ServerPoolNames: Sendable {
    package let name: InternedText
    package let servers: [InternedText]
    /// The pool is no longer in the settings.
    package let isGone: Bool
    /// For each server whether it has gone. What went is counted on, and not shown.
    package let areGone: [Bool]

    package init(
        name: InternedText,
        servers: [InternedText],
        isGone: Bool = false,
        areGone: [Bool]? = nil
    ) {
        self.name = name
        self.servers = servers
        self.isGone = isGone
        self.areGone = areGone ?? servers.map { _ in false }
    }
}
