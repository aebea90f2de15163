import BelayBalancing
import BelayBytes
import BelayCore
import BelayProxy
import BelayTelemetry
import BelayTransport
import Testing

extension Stage {
    /// A value on the metrics page, by its name and labels as they stand there.
    func metric(_ name: String) -> Int? {
        let state = ProcessState(
            version: "0",
            started: UnixTime(seconds: 0),
            uptime: .zero,
            keys: 0,
            logLinesWritten: 0,
            logLinesDropped: 0,
            servers: self.plan.pools.map { pool in
                pool.servers.indices.map {
                    ServerState(
                        openRequests: pool.table.openRequests($0),
                        health: .up,
                        adminState: .ready,
                        weight: .one
                    )
                }
            }
        )
        let page = String(decoding: MetricsPage.write(self.store, state), as: UTF8.self)
        for line in page.split(separator: "\n") where line.hasPrefix(name + " ") {
            return Int(line.dropFirst(name.count + 1))
        }
        return nil
    }
}

extension Stage {
    /// Waits for the next request at any server that speaks HTTP/2.
    func arrival(
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> (talker: Talker, id: Int32) {
        var found: (Talker, Int32)?
        self.wait("a request arrives on a stream", sourceLocation) {
            for talker in self.talkers.values where talker.server != nil && !talker.fresh.isEmpty {
                found = (talker, talker.fresh.removeFirst())
                return true
            }
            return false
        }
        return try #require(found, sourceLocation: sourceLocation)
    }

    /// Waits until the other side has said all on a stream, or has reset it.
    func whole(
        _ talker: Talker,
        _ id: Int32,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Talker.Stream {
        self.wait("stream \(id) ends", sourceLocation) {
            talker[id].isOver || self[talker.slot].isOver
        }
        return talker[id]
    }

    /// Waits for what no connection reports.
    func watch(
        _ what: String,
        _ sourceLocation: SourceLocation = #_sourceLocation,
        for isDone: () -> Bool
    ) {
        let end = SystemClock.monotonicNanoseconds() + 10_000_000_000
        while !isDone() {
            guard SystemClock.monotonicNanoseconds() < end else {
                Issue.record("nothing happened: \(what)", sourceLocation: sourceLocation)
                return
            }
            self.settle()
            self.poll()
        }
    }

    /// Waits until nothing is left of any exchange: no block, no open request, no tunnel.
    func waitUntilFree(_ sourceLocation: SourceLocation = #_sourceLocation) {
        self.watch("all is given back", sourceLocation) {
            self.metric("belay_buffer_blocks_in_use") == 0
                && self.metric("belay_tunnels_open") == 0
                && self.plan.pools.allSatisfy { pool in
                    pool.servers.indices.allSatisfy {
                        pool.table.openRequests($0) == 0 && pool.tunnels.load($0, 0) == 0
                    }
                }
        }
    }
}
