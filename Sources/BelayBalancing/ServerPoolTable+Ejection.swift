package import BelayCore

/// The ejection policy applied to the shared cells.
///
/// Everything is one compare-and-exchange on one cell, so of several workers that see the same
/// thing at the same time exactly one acts, and reports it. Approximate: the row of ejections and
/// the failures just counted may be those of a moment ago when workers race, so a time may be
/// doubled once more or less, and an answer to a request that was sent before an ejection may end
/// the probation after it. Exact: never more servers ejected at once than the policy allows.
extension ServerPoolTable {
    private static let up: Int64 = 0
    private static let onProbation: Int64 = -1

    /// What active checks and live traffic found about the server.
    package func health(_ server: Int, at now: Instant) -> Health {
        if self.isDown(server) { return .down }
        return self.load(.ejectedUntil, server) > now.nanoseconds ? .ejected : .up
    }

    /// When an ejection ends; nil if the server is not ejected.
    package func ejectedUntil(_ server: Int, at now: Instant) -> Instant? {
        let until = self.load(.ejectedUntil, server)
        return until > now.nanoseconds ? Instant(nanoseconds: until) : nil
    }

    /// An attempt failed in a way that speaks against the server. Says if that ejected it.
    package func requestFailed(_ server: Int, at now: Instant) -> HealthChange? {
        self.add(1, .failures, server)
        let state = self.load(.ejectedUntil, server)
        // A request that was under way when the server was ejected: it knew already.
        if state > now.nanoseconds { return nil }
        if state == Self.up {
            guard self.countFailure(server, now) >= self.ejection.failuresMax else { return nil }
            return self.eject(server, from: Self.up, now)
        }
        self.endEjection(server, state)
        return self.eject(server, from: Self.onProbation, now)
    }

    /// Live traffic shows the server to be worse than the others: it is ejected as one that failed
    /// too often, if the policy allows one more.
    package func ejectOutlier(_ server: Int, at now: Instant) -> HealthChange? {
        let state = self.load(.ejectedUntil, server)
        guard state <= now.nanoseconds else { return nil }
        self.endEjection(server, state)
        let from = state == Self.up ? Self.up : Self.onProbation
        return self.eject(server, from: from, now)
    }

    /// The server is found to accept connections again: an ejection for refused ones ends, and it
    /// starts slowly. Says if there was one.
    package func forgive(_ server: Int, at now: Instant) -> HealthChange? {
        let state = self.load(.ejectedUntil, server)
        guard state > 0, self.exchange(state, for: Self.up, .ejectedUntil, server) else {
            return nil
        }
        self.givePlaceBack()
        self.store(now.nanoseconds, .upSince, server)
        self.store(FailureWindow.empty.bits, .failureWindow, server)
        self.started(server, at: now)
        return .returned
    }

    /// The last failure was a refused connection.
    package func noteRefused(_ isRefused: Bool, _ server: Int) {
        self.store(isRefused ? 1 : 0, .refused, server)
    }

    /// The server is ejected because it refused connections: that it accepts one says all.
    package func isEjectedForRefusing(_ server: Int, at now: Instant) -> Bool {
        self.load(.ejectedUntil, server) > now.nanoseconds && self.load(.refused, server) != 0
    }

    /// An answer came, after this time where that is known, or none will; whether that counts as a
    /// failure. For pools whose servers are compared.
    package func noteAnswer(isFailure: Bool, after time: TimeSpan?, _ server: Int) {
        self.add(1, .answers, server)
        if isFailure { self.add(1, .failedAnswers, server) }
        guard let time else { return }
        self.add(1, .timedAnswers, server)
        self.add(LatencyScale.logarithm(time), .timeLogarithms, server)
    }

    /// What was noted of the server's answers so far.
    package func traffic(_ server: Int) -> TrafficTotals {
        var totals = TrafficTotals()
        totals.answers = self.load(.answers, server)
        totals.failures = self.load(.failedAnswers, server)
        totals.timed = self.load(.timedAnswers, server)
        totals.logarithms = self.load(.timeLogarithms, server)
        return totals
    }

    /// The server answered. Says if that ended its probation. Reads one cell while it is up.
    package func requestSucceeded(_ server: Int, at now: Instant) -> HealthChange? {
        let state = self.load(.ejectedUntil, server)
        if state == Self.up || state > now.nanoseconds { return nil }
        self.endEjection(server, state)
        guard self.exchange(Self.onProbation, for: Self.up, .ejectedUntil, server) else {
            return nil
        }
        self.store(now.nanoseconds, .upSince, server)
        return .returned
    }

    /// Counts a failure in the server's window; how many it has now.
    private func countFailure(_ server: Int, _ now: Instant) -> Int {
        while true {
            let before = FailureWindow(bits: self.load(.failureWindow, server))
            let after = before.adding(at: now, window: self.ejection.window)
            if self.exchange(before.bits, for: after.bits, .failureWindow, server) {
                return after.count
            }
        }
    }

    /// Nil if the policy forbids it, or another worker did it.
    private func eject(_ server: Int, from state: Int64, _ now: Instant) -> HealthChange? {
        guard self.takePlace(now) else { return nil }
        var inRow = Int(self.load(.ejectionsInRow, server))
        if state == Self.up {
            let upSince = Instant(nanoseconds: self.load(.upSince, server))
            inRow = self.ejection.inRow(inRow, upFor: now - upSince)
        }
        inRow = Swift.min(inRow + 1, EjectionPolicy.inRowMax)
        let span = self.ejection.span(inRow: inRow)
        guard self.exchange(state, for: (now + span).nanoseconds, .ejectedUntil, server) else {
            self.givePlaceBack()
            return nil
        }
        self.store(Int64(inRow), .ejectionsInRow, server)
        self.store(FailureWindow.empty.bits, .failureWindow, server)
        self.add(1, .ejections, server)
        return .ejected(span)
    }

    /// From an ejection whose time is over, `state`, to probation; gives its place to others. Does
    /// nothing if the server is on probation already.
    private func endEjection(_ server: Int, _ state: Int64) {
        guard state > 0 else { return }
        if self.exchange(state, for: Self.onProbation, .ejectedUntil, server) {
            self.givePlaceBack()
        }
    }

    /// Takes one of the places that the policy allows for ejected servers. O(n): for ejections
    /// only.
    private func takePlace(_ now: Instant) -> Bool {
        var usable = 0
        for server in 0..<self.count where self.terms(server).takesNewClients { usable += 1 }
        let placesMax = Int64(self.ejection.ejectedMax(servers: self.count, usable: usable))
        if self.takePlace(of: placesMax) { return true }
        // Some may be held by servers whose time is over and that have had no request since.
        for server in 0..<self.count {
            let state = self.load(.ejectedUntil, server)
            if state > 0 && state <= now.nanoseconds { self.endEjection(server, state) }
        }
        return self.takePlace(of: placesMax)
    }

    private func takePlace(of placesMax: Int64) -> Bool {
        while true {
            // The pool's own row.
            let taken = self.loadOfPool(.ejectedPlaces)
            if taken >= placesMax { return false }
            if self.exchangeInPool(taken, for: taken + 1, .ejectedPlaces) { return true }
        }
    }

    private func givePlaceBack() { self.addInPool(-1, .ejectedPlaces) }
}
