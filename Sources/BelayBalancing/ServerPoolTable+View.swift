package import BelayCore

extension ServerPoolTable {
    /// Why the server may not take a client that is bound to none; `.no` if it may.
    package func passOver(_ server: Int, at now: Instant, tried: TriedServers) -> PassOver {
        let terms = self.terms(server)
        guard terms.takesNewClients else {
            switch self.adminState(server) {
            case .ready: return .weightZero
            case .draining: return .draining
            case .maintenance: return .maintenance
            }
        }
        return self.passOver(server, terms, now, tried)
    }

    /// Why the server may not take a client that is bound to it; `.no` if it may. A binding
    /// outlives draining and weight 0.
    package func passOverBound(_ server: Int, at now: Instant, tried: TriedServers) -> PassOver {
        let terms = self.terms(server)
        if terms.admin == AdminState.maintenance.rawValue { return .maintenance }
        return self.passOver(server, terms, now, tried)
    }

    @inline(__always)
    private func passOver(
        _ server: Int,
        _ terms: Terms,
        _ now: Instant,
        _ tried: TriedServers
    ) -> PassOver {
        if self.load(.down, server) != 0 { return .down }
        if self.load(.ejectedUntil, server) > now.nanoseconds { return .ejected }
        if terms.openMax > 0 && self.load(.open, server) >= terms.openMax { return .full }
        return tried.contains(server) ? .tried : .no
    }

    /// The table as an algorithm sees it for one exchange. It reads the table whenever it is asked.
    package func view(at now: Instant, tried: TriedServers = TriedServers()) -> View {
        View(table: self, now: now, tried: tried)
    }

    package struct View: ServerPoolView, Sendable {
        fileprivate let table: ServerPoolTable
        fileprivate let now: Instant
        fileprivate let tried: TriedServers

        package var count: Int { self.table.count }

        package func weight(_ index: Int) -> Weight { self.table.weight(index) }

        package func passOver(_ index: Int) -> PassOver {
            self.table.passOver(index, at: self.now, tried: self.tried)
        }

        package func openRequests(_ index: Int) -> Int { self.table.openRequests(index) }

        package func latency(_ index: Int, at now: Instant) -> TimeSpan {
            self.table.latency(index).latency(at: now)
        }
    }
}
