internal import BelayBytes
package import BelayCore

/// What all workers share about the servers of one pool: open requests, latency, health, what a
/// person set, and counters. One row of atomics for each server; nothing is locked, and nobody
/// waits. A copy is the same table.
///
/// The order of accesses to different cells is not kept between threads, and nothing here relies on
/// it: each rule stands on one cell.
package struct ServerPoolTable: Sendable {
    /// The cells of a server's row. What a pick reads and a request writes comes first, on one
    /// cache line.
    enum Column: Int {
        case open
        /// What a person set (`Terms`).
        case terms
        /// 0: up. -1: on probation. Else ejected until then (`Instant`), and on probation after.
        case ejectedUntil
        /// 1: active checks say that it is down.
        case down
        case latencyValue
        case latencyStamp
        case requests
        /// Since when nothing is heard of it while requests wait (`Instant`); 0: it is heard.
        case stalledSince
        case failureWindow
        case ejectionsInRow
        /// When the server answered after its last ejection (`Instant`).
        case upSince
        case failures
        case ejections
        case retries
        /// When slow start began (`Instant`); 0: it is over, or never was.
        case startedAt
        case connections
        /// Clients that are bound to it.
        case bound
        /// What a person set, before the agent's word (`Terms`).
        case personTerms
        /// The word of its agent: admin state (8 bits), then the percentage of its weight plus 1
        /// (0: nothing said).
        case agentWord
        /// Bound clients that it gives away in a thousand seconds; 0: none.
        case moveRate
        /// When the next of them may move (`Instant`).
        case moveNext
        /// Clients that it is to give away in all; negative: any number.
        case moveLeft
        /// Since when it gives clients away (`Instant`).
        case moveBegan
        /// Answers, and those among them that count as failures.
        case answers
        case failedAnswers
        /// Answers that had a time, and the sum of these times' logarithms.
        case timedAnswers
        case timeLogarithms
        /// 1: its last failure was a refused connection.
        case refused

        static let count = 28
    }

    /// Cells of the pool's own row, which stands behind the servers'.
    enum PoolColumn: Int {
        /// 1: too few servers are usable, so that health is ignored.
        case panic
        case ejectedPlaces
        /// Retries that are under way.
        case retrying
        /// How long a slow start lasts, in nanoseconds.
        case slowStart
        /// When the last slow start of any server ends (`Instant`), so that a pick in between need
        /// not ask each server.
        case startingUntil
        /// How many parts a unit of weight has, less one.
        case weightParts
    }

    /// What was set for a server, in one cell, so that a question reads it at once. From low to
    /// high: admin state (4 bits), membership (4), weight (16), requests that may be open (32; 0:
    /// any number).
    struct Terms {
        var bits: Int64

        var admin: UInt8 { UInt8(truncatingIfNeeded: self.bits & 0xF) }
        var membership: Membership {
            Membership(rawValue: UInt8(truncatingIfNeeded: self.bits >> 4 & 0xF)) ?? .removed
        }
        var weight: Int { Int(self.bits >> 8 & 0xFFFF) }
        var openMax: Int64 { self.bits >> 24 }

        /// Whether it is a ready member and has a weight.
        var takesNewClients: Bool { self.bits & 0xFF == 0 && self.weight > 0 }

        func with(_ membership: Membership) -> Terms {
            Terms(bits: self.bits & ~0xF0 | Int64(membership.rawValue) << 4)
        }

        func with(admin: AdminState) -> Terms {
            Terms(bits: self.bits & ~0xF | Int64(admin.rawValue))
        }

        func with(weight: Weight) -> Terms {
            Terms(bits: self.bits & ~0xFF_FF00 | Int64(weight.rawValue) << 8)
        }

        func with(openMax: Int) -> Terms {
            Terms(bits: self.bits & 0xFF_FFFF | Int64(openMax) << 24)
        }
    }

    private let cells: CounterTable
    package private(set) var ejection: EjectionPolicy
    /// How many servers the pool has, removed ones included.
    package private(set) var count: Int
    /// How many it may come to have.
    package let capacity: Int

    /// - Parameters:
    ///   - weights: one for each server.
    ///   - openMax: how many requests each may have open at once; 0 means any number.
    ///   - ejection: when failures eject a server.
    ///   - capacity: rows for as many servers; more than there are, so that a reload can add some.
    package init(
        weights: [Weight],
        openMax: [Int],
        ejection: EjectionPolicy,
        capacity: Int = 0
    ) {
        precondition(weights.count == openMax.count, "a limit for each server")
        self.count = weights.count
        self.capacity = Swift.max(capacity, weights.count)
        self.ejection = ejection
        // One more row, for what concerns the pool.
        self.cells = CounterTable(rows: self.capacity + 1, columns: Column.count)
        for server in weights.indices {
            self.setWeight(weights[server], server)
            self.setOpenMax(openMax[server], server)
        }
    }

    /// The same cells with one more server, which is the last. Who holds the table as it was does
    /// not see it. Nil when there is no row left.
    package func adding(weight: Weight, openMax: Int) -> ServerPoolTable? {
        guard self.count < self.capacity else { return nil }
        var grown = self
        grown.count += 1
        grown.setWeight(weight, self.count)
        grown.setOpenMax(openMax, self.count)
        return grown
    }

    /// The same cells with other rules for ejection.
    package func with(_ ejection: EjectionPolicy) -> ServerPoolTable {
        var changed = self
        changed.ejection = ejection
        return changed
    }

    // MARK: Requests and connections

    /// Counts a request that goes to the server. False, and nothing counted, if the server has as
    /// many as it may have: another worker was faster. Exact over all workers.
    package func requestOpened(_ server: Int) -> Bool {
        let openMax = self.terms(server).openMax
        let open = self.add(1, .open, server)
        if openMax > 0 && open > openMax {
            self.add(-1, .open, server)
            return false
        }
        self.add(1, .requests, server)
        return true
    }

    /// A request that was counted has ended, however it did.
    package func requestClosed(_ server: Int) { self.add(-1, .open, server) }

    /// An answer began this long after its request was sent.
    package func answered(_ server: Int, after time: TimeSpan, at now: Instant) {
        self.noteLatency(server, time, now)
        if self.load(.stalledSince, server) != 0 { self.clearStalled(server) }
    }

    /// A request was given up after this long: the server takes at least so long.
    package func gaveUp(_ server: Int, after time: TimeSpan, at now: Instant) {
        self.noteLatency(server, time, now)
    }

    private func noteLatency(_ server: Int, _ time: TimeSpan, _ now: Instant) {
        let latency = self.latency(server).adding(time, at: now)
        self.store(latency.value, .latencyValue, server)
        self.store(latency.stamp, .latencyStamp, server)
    }

    /// Another server is tried because an attempt on this one failed.
    package func requestRetried(_ server: Int) { self.add(1, .retries, server) }

    package func connectionOpened(_ server: Int) { self.add(1, .connections, server) }

    package func connectionClosed(_ server: Int) { self.add(-1, .connections, server) }

    /// Open requests. During a race for a server's last place this may read one too many for an
    /// instant.
    package func openRequests(_ server: Int) -> Int {
        Swift.max(Int(self.load(.open, server)), 0)
    }

    /// Connections to the server, idle ones included.
    package func connections(_ server: Int) -> Int { Int(self.load(.connections, server)) }

    /// Requests that ever went to the server.
    package func requests(_ server: Int) -> Int { Int(self.load(.requests, server)) }

    /// Failures that spoke against the server.
    package func failures(_ server: Int) -> Int { Int(self.load(.failures, server)) }

    package func ejections(_ server: Int) -> Int { Int(self.load(.ejections, server)) }

    /// Attempts on the server after which another one was made.
    package func retries(_ server: Int) -> Int { Int(self.load(.retries, server)) }

    package func latency(_ server: Int) -> PeakEWMA {
        PeakEWMA(
            value: self.load(.latencyValue, server),
            stamp: self.load(.latencyStamp, server)
        )
    }

    // MARK: What active checks found

    package func isDown(_ server: Int) -> Bool { self.load(.down, server) != 0 }

    package func setDown(_ isDown: Bool, _ server: Int) {
        self.store(isDown ? 1 : 0, .down, server)
    }

    // MARK: What a person set

    /// What holds: the more restrictive of what a person set and what the server's agent says.
    package func adminState(_ server: Int) -> AdminState {
        AdminState(rawValue: self.terms(server).admin) ?? .ready
    }

    package func setAdminState(_ state: AdminState, _ server: Int) {
        self.changePersonTerms(server) { $0.with(admin: state) }
    }

    /// What a person set, whatever the agent says.
    package func adminStateSet(_ server: Int) -> AdminState {
        AdminState(rawValue: Terms(bits: self.load(.personTerms, server)).admin) ?? .ready
    }

    /// What holds, in parts of a unit: less than what was set when the server's agent says so.
    package func weight(_ server: Int) -> Weight { Weight(self.terms(server).weight) ?? .zero }

    /// Tell each worker's `Balancer.weightsChanged` as well. Until then a server of weight 0 is
    /// left alone all the same, and other changes take effect in part.
    package func setWeight(_ weight: Weight, _ server: Int) {
        self.changePersonTerms(server) { $0.with(weight: weight) }
    }

    package func weightSet(_ server: Int) -> Weight {
        Weight(Terms(bits: self.load(.personTerms, server)).weight) ?? .zero
    }

    /// What the server's agent says of it: a state, and the share of its weight that it wants, in
    /// percent. Nil takes its word back.
    package func setAgentWord(_ word: (state: AdminState, percent: Int)?, _ server: Int) {
        let bits = word.map { Int64($0.state.rawValue) | Int64($0.percent + 1) << 8 } ?? 0
        self.store(bits, .agentWord, server)
        self.changePersonTerms(server) { $0 }
    }

    package func membership(_ server: Int) -> Membership { self.terms(server).membership }

    package func setMembership(_ membership: Membership, _ server: Int) {
        self.changePersonTerms(server) { $0.with(membership) }
    }

    /// How many requests the server may have open at once; 0 means any number.
    package func openMax(_ server: Int) -> Int { Int(self.terms(server).openMax) }

    package func setOpenMax(_ openMax: Int, _ server: Int) {
        precondition((0...Int(UInt32.max)).contains(openMax), "a limit of open requests")
        self.changePersonTerms(server) { $0.with(openMax: openMax) }
    }

    @inline(__always)
    func terms(_ server: Int) -> Terms { Terms(bits: self.load(.terms, server)) }

    /// Changes what a person set, and what holds with the agent's word. Only ever called by the
    /// threads that control servers, one for each kind of change.
    private func changePersonTerms(_ server: Int, _ change: (Terms) -> Terms) {
        while true {
            let before = Terms(bits: self.load(.personTerms, server))
            let after = change(before)
            if self.exchange(before.bits, for: after.bits, .personTerms, server) { break }
        }
        // Another thread may change the agent's word meanwhile: whoever is last writes what holds.
        while true {
            let held = self.terms(server)
            let next = self.combined(server)
            if self.exchange(held.bits, for: next.bits, .terms, server),
                self.combined(server).bits == next.bits
            {
                return
            }
        }
    }

    /// How many parts a unit of weight has: more than one where agents ask for a share of their
    /// server's weight, so that half of a weight of 1 is something. What algorithms compare has
    /// these parts.
    package var weightParts: Int { Int(self.loadOfPool(.weightParts)) + 1 }

    /// Gives a unit of weight so many parts that the heaviest server, which weighs `heaviest`, has
    /// as many as a weight can.
    package func setWeightParts(heaviest: Weight) {
        // Limit: a sixteenth of a weight of 1 is a fine enough share.
        let most = Int(Weight.maximum.rawValue) / Swift.max(Int(heaviest.rawValue), 1)
        self.setWeightParts(Swift.min(most, 16))
    }

    /// Weights are whole again.
    package func resetWeightParts() { self.setWeightParts(1) }

    private func setWeightParts(_ parts: Int) {
        guard parts != self.weightParts else { return }
        self.storeInPool(Int64(parts - 1), .weightParts)
        for server in 0..<self.count { self.changePersonTerms(server) { $0 } }
    }

    /// What holds, in the units of the settings: for people.
    package func weightShown(_ server: Int) -> Weight {
        let parts = self.weightParts
        return Weight((Int(self.weight(server).rawValue) + parts - 1) / parts) ?? .maximum
    }

    private func combined(_ server: Int) -> Terms {
        var terms = Terms(bits: self.load(.personTerms, server))
        terms = terms.with(weight: Weight(terms.weight * self.weightParts) ?? .maximum)
        let word = self.load(.agentWord, server)
        guard word != 0 else { return terms }
        let state = AdminState(rawValue: UInt8(truncatingIfNeeded: word & 0xFF)) ?? .ready
        if state.rawValue > terms.admin { terms = terms.with(admin: state) }
        let percent = Int(word >> 8) - 1
        let weight = Weight(terms.weight * percent / 100) ?? .maximum
        // A little of its weight is not none of it.
        let isNone = percent == 0 || terms.weight == 0
        return terms.with(weight: isNone ? .zero : Swift.max(weight, .one))
    }

    // MARK: Cells

    @inline(__always)
    func load(_ column: Column, _ row: Int) -> Int64 { self.cells.load(row, column.rawValue) }

    @inline(__always)
    func store(_ value: Int64, _ column: Column, _ row: Int) {
        self.cells.store(value, row, column.rawValue)
    }

    @inline(__always)
    @discardableResult
    func add(_ amount: Int64, _ column: Column, _ row: Int) -> Int64 {
        self.cells.add(amount, row, column.rawValue)
    }

    @inline(__always)
    func loadOfPool(_ column: PoolColumn) -> Int64 {
        self.cells.load(self.capacity, column.rawValue)
    }

    @inline(__always)
    func storeInPool(_ value: Int64, _ column: PoolColumn) {
        self.cells.store(value, self.capacity, column.rawValue)
    }

    @inline(__always)
    @discardableResult
    func addInPool(_ amount: Int64, _ column: PoolColumn) -> Int64 {
        self.cells.add(amount, self.capacity, column.rawValue)
    }

    func exchangeInPool(_ expected: Int64, for desired: Int64, _ column: PoolColumn) -> Bool {
        self.cells.compareExchange(
            expected: expected,
            desired: desired,
            self.capacity,
            column.rawValue
        )
    }

    @inline(__always)
    func exchange(_ expected: Int64, for desired: Int64, _ column: Column, _ row: Int) -> Bool {
        self.cells.compareExchange(expected: expected, desired: desired, row, column.rawValue)
    }
}
