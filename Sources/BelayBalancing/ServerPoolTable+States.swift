package import BelayCore

// States of servers beyond what a person set and what checks found: slow start, silence, panic; and
// how many clients are bound to them.

extension ServerPoolTable {
    // MARK: Slow start

    /// For how long a server that is up again, or new, takes a part of its share only; `.zero`:
    /// never.
    package var slowStart: TimeSpan { TimeSpan(nanoseconds: self.loadOfPool(.slowStart)) }

    package func setSlowStart(_ span: TimeSpan) {
        self.storeInPool(span.nanoseconds, .slowStart)
        for server in 0..<self.count where self.load(.startedAt, server) != 0 {
            self.extendStarting(to: self.load(.startedAt, server) &+ span.nanoseconds)
        }
    }

    /// The server is up again, or has just been added.
    package func started(_ server: Int, at now: Instant) {
        guard self.loadOfPool(.slowStart) > 0 else { return }
        self.store(Swift.max(now.nanoseconds, 1), .startedAt, server)
        self.extendStarting(to: (now + self.slowStart).nanoseconds)
    }

    private func extendStarting(to end: Int64) {
        while true {
            let before = self.loadOfPool(.startingUntil)
            if before >= end || self.exchangeInPool(before, for: end, .startingUntil) { return }
        }
    }

    /// Whether any server may be in slow start. Reads one cell.
    @inline(__always)
    package func isStarting(at now: Instant) -> Bool {
        now.nanoseconds < self.loadOfPool(.startingUntil)
    }

    package func isStarting(_ server: Int, at now: Instant) -> Bool {
        let began = self.load(.startedAt, server)
        return began != 0 && now.nanoseconds &- began < self.loadOfPool(.slowStart)
    }

    /// Whether slow start keeps this client from the server. Ends a slow start that is over.
    func isStillStarting(_ server: Int, _ now: Instant, _ draw: UInt32) -> Bool {
        let began = self.load(.startedAt, server)
        let span = self.loadOfPool(.slowStart)
        let passed = now.nanoseconds &- began
        guard began != 0, passed < span else {
            _ = self.exchange(began, for: 0, .startedAt, server)
            return false
        }
        let share = SlowStart.share(
            passed: TimeSpan(nanoseconds: passed),
            of: TimeSpan(nanoseconds: span)
        )
        return !SlowStart.takes(draw: draw, server: server, share: share)
    }

    /// The share of newcomers that slow start lets the server take now; 1: all.
    package func startShare(_ server: Int, at now: Instant) -> Double {
        let began = self.load(.startedAt, server)
        guard began != 0 else { return 1 }
        return SlowStart.share(
            passed: TimeSpan(nanoseconds: now.nanoseconds &- began),
            of: self.slowStart
        )
    }

    // MARK: Silence

    package func isStalled(_ server: Int) -> Bool { self.load(.stalledSince, server) != 0 }

    /// Requests wait at the server, and nothing is heard of it.
    package func setStalled(_ server: Int, since: Instant) {
        self.store(Swift.max(since.nanoseconds, 1), .stalledSince, server)
    }

    package func clearStalled(_ server: Int) { self.store(0, .stalledSince, server) }

    // MARK: Panic

    /// So few servers are usable that what is known of their health is ignored.
    package var isPanicking: Bool { self.loadOfPool(.panic) != 0 }

    /// Counts the servers that could be used, and begins or ends the panic. `threshold` is the
    /// share of servers below which it begins; 0: never. To be called now and then, and when
    /// health changes. Returns whether it changed.
    package func updatePanic(threshold: Double, at now: Instant) -> Bool {
        var (members, usable) = (0, 0)
        for server in 0..<self.count where self.terms(server).takesNewClients {
            members += 1
            let isUp =
                self.load(.down, server) == 0
                && self.load(.ejectedUntil, server) <= now.nanoseconds
            if isUp { usable += 1 }
        }
        let panics = members > 0 && Double(usable) < threshold * Double(members)
        guard panics != self.isPanicking else { return false }
        self.storeInPool(panics ? 1 : 0, .panic)
        return true
    }

    // MARK: Bound clients

    /// Clients that are bound to the server, as far as this Belay knows.
    package func bound(_ server: Int) -> Int { Int(self.load(.bound, server)) }

    package func setBound(_ bound: Int, _ server: Int) {
        self.store(Int64(bound), .bound, server)
    }

    /// A client is being bound to the server: seen by all workers at once, before it is counted
    /// where bindings are kept.
    package func boundSoon(_ server: Int) { self.add(1, .bound, server) }

    // MARK: Retries

    /// Counts a retry that begins; false, and not counted, when so many are under way that more
    /// would only add to the trouble: beyond `min` of them, no more than `budget` of all open
    /// requests (as Envoy has it).
    package func retryBegan(budget: Double, min: Int) -> Bool {
        let retrying = self.addInPool(1, .retrying)
        if retrying <= Int64(min) || Double(retrying) <= budget * Double(self.openInPool) {
            return true
        }
        self.addInPool(-1, .retrying)
        return false
    }

    package func retryEnded() { self.addInPool(-1, .retrying) }

    /// Whether one more request may be open in the pool, of so many at all its servers together; 0:
    /// any number. O(n). Workers that ask at the same time may all be told yes.
    package func hasRoom(requestsMax: Int) -> Bool {
        requestsMax == 0 || self.openInPool < requestsMax
    }

    /// Open requests at all servers. O(n).
    package var openInPool: Int {
        var sum = 0
        for server in 0..<self.count { sum += self.openRequests(server) }
        return sum
    }

    // MARK: For a server's new life

    /// Another server takes the row: nothing of the one that had it is left. Nothing may be under
    /// way there.
    package func recycle(_ server: Int) {
        self.resetHealth(server)
        for column in 0..<Column.count {
            guard let column = Column(rawValue: column), column != .terms, column != .personTerms
            else { continue }
            self.store(0, column, server)
        }
    }

    /// What was found about the server's health says nothing any more: it has another address, or
    /// another server takes its row.
    package func resetHealth(_ server: Int) {
        let state = self.load(.ejectedUntil, server)
        if state > 0, self.exchange(state, for: 0, .ejectedUntil, server) {
            self.addInPool(-1, .ejectedPlaces)
        } else {
            self.store(0, .ejectedUntil, server)
        }
        self.store(0, .down, server)
        self.store(0, .failureWindow, server)
        self.store(0, .ejectionsInRow, server)
        self.store(0, .stalledSince, server)
        self.store(0, .latencyValue, server)
        self.store(0, .latencyStamp, server)
        self.setAgentWord(nil, server)
    }
}

/// When a server counts as silent.
package enum StallPolicy {
    /// - Parameters:
    ///   - waiting: requests that wait for the server's answer.
    ///   - heardAt: when its last answer began.
    ///   - waitingSince: since when there have been such requests without a break.
    ///   - latency: how long it usually takes; `.zero`: unknown.
    ///   - now: the time.
    ///   - after: the silence that is noticed.
    /// - Returns: whether nothing has been heard of it for longer than `after`, and than three
    ///   times what it usually takes: a server whose answers take minutes is not silent.
    package static func isStalled(
        waiting: Int,
        heardAt: Instant,
        waitingSince: Instant,
        latency: TimeSpan,
        now: Instant,
        after: TimeSpan
    ) -> Bool {
        guard waiting > 0 else { return false }
        let silence = now - Swift.max(heardAt, waitingSince)
        return silence > Swift.max(after, latency * 3)
    }
}
