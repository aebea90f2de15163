package import BelayCore

extension ServerPoolTable {
    /// Why the server may not take a client that is bound to none; `.no` if it may. `draw` decides
    /// for a server in slow start; a draw of 0 always may.
    package func passOver(
        _ server: Int,
        at now: Instant,
        tried: TriedServers,
        draw: UInt32 = 0
    ) -> PassOver {
        let terms = self.terms(server)
        guard terms.takesNewClients else {
            switch terms.membership {
            case .present: break
            case .leaving: return .leaving
            case .removed: return .removed
            }
            switch self.adminState(server) {
            case .ready: return .weightZero
            case .draining: return .draining
            case .maintenance: return .maintenance
            }
        }
        let reason = self.passOver(server, terms, now, tried)
        guard case .no = reason else { return reason }
        if self.load(.stalledSince, server) != 0 { return .stalled }
        if draw != 0, self.load(.startedAt, server) != 0,
            self.isStillStarting(server, now, draw)
        {
            return .starting
        }
        return .no
    }

    /// Why the server may not take a client that is bound to it; `.no` if it may. A binding
    /// outlives draining, leaving, weight 0 and slow start.
    package func passOverBound(_ server: Int, at now: Instant, tried: TriedServers) -> PassOver {
        let terms = self.terms(server)
        if terms.membership == .removed { return .removed }
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
        if self.load(.down, server) != 0, !self.isPanicking { return .down }
        if self.load(.ejectedUntil, server) > now.nanoseconds, !self.isPanicking {
            return .ejected
        }
        if terms.openMax > 0 && self.load(.open, server) >= terms.openMax { return .full }
        return tried.contains(server) ? .tried : .no
    }

    /// The table as an algorithm sees it for one exchange. It reads the table whenever it is asked.
    ///
    /// `draw` is the number by which servers in slow start take the client or not (see
    /// `SlowStart`); by 0 they do. `isLenient` is for where there are no others: silent servers and
    /// those in slow start may be chosen too.
    package func view(
        at now: Instant,
        tried: TriedServers = TriedServers(),
        draw: UInt32 = 0,
        isLenient: Bool = false
    ) -> View {
        View(
            table: self,
            now: now,
            tried: tried,
            draw: draw,
            isLenient: isLenient,
            isStarting: self.isStarting(at: now)
        )
    }

    package struct View: ServerPoolView, Sendable {
        fileprivate let table: ServerPoolTable
        fileprivate let now: Instant
        fileprivate let tried: TriedServers
        fileprivate let draw: UInt32
        fileprivate let isLenient: Bool
        /// Some server may be in slow start.
        fileprivate let isStarting: Bool

        package var count: Int { self.table.count }

        package func weight(_ index: Int) -> Weight { self.table.weight(index) }

        package func passOver(_ index: Int) -> PassOver {
            let reason = self.table.passOver(
                index,
                at: self.now,
                tried: self.tried,
                draw: self.draw
            )
            guard self.isLenient else { return reason }
            switch reason {
            case .starting, .stalled: return .no
            case .no, .draining, .maintenance, .ejected, .down, .weightZero, .leaving, .removed,
                .full, .tried:
                return reason
            }
        }

        package func startShare(_ index: Int) -> Int {
            guard self.isStarting else { return SlowStart.whole }
            return Int(self.table.startShare(index, at: self.now) * Double(SlowStart.whole))
        }

        package func openRequests(_ index: Int) -> Int { self.table.openRequests(index) }

        package func latency(_ index: Int, at now: Instant) -> TimeSpan {
            self.table.latency(index).latency(at: now)
        }
    }
}
