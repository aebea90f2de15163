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
        case connections
        case failureWindow
        case ejectionsInRow
        /// When the server answered after its last ejection (`Instant`).
        case upSince
        case failures
        case ejections
        case retries

        static let count = 14
    }

    /// What a person set for a server, in one cell, so that a question reads it at once. From low
    /// to high: admin state (8 bits), weight (16), requests that may be open (32; 0: any number).
    struct Terms {
        var bits: Int64

        var admin: UInt8 { UInt8(truncatingIfNeeded: self.bits) }
        var weight: Int { Int(self.bits >> 8 & 0xFFFF) }
        var openMax: Int64 { self.bits >> 24 }

        /// Whether it is ready and has a weight.
        var takesNewClients: Bool { self.admin == 0 && self.weight > 0 }

        func with(admin: AdminState) -> Terms {
            Terms(bits: self.bits & ~0xFF | Int64(admin.rawValue))
        }

        func with(weight: Weight) -> Terms {
            Terms(bits: self.bits & ~0xFF_FF00 | Int64(weight.rawValue) << 8)
        }

        func with(openMax: Int) -> Terms {
            Terms(bits: self.bits & 0xFF_FFFF | Int64(openMax) << 24)
        }
    }

    private let cells: CounterTable
    package let ejection: EjectionPolicy
    /// How many servers the pool has.
    package let count: Int

    /// - Parameters:
    ///   - weights: one for each server.
    ///   - openMax: how many requests each may have open at once; 0 means any number.
    ///   - ejection: when failures eject a server.
    package init(weights: [Weight], openMax: [Int], ejection: EjectionPolicy) {
        precondition(weights.count == openMax.count, "a limit for each server")
        self.count = weights.count
        self.ejection = ejection
        // One more row, for what concerns the pool: the number of places taken by ejected servers.
        self.cells = CounterTable(rows: weights.count + 1, columns: Column.count)
        for server in weights.indices {
            self.setWeight(weights[server], server)
            self.setOpenMax(openMax[server], server)
        }
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

    /// An answer began this long after its request was sent, or the request was given up after this
    /// long.
    package func answered(_ server: Int, after time: TimeSpan, at now: Instant) {
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

    package func adminState(_ server: Int) -> AdminState {
        AdminState(rawValue: self.terms(server).admin) ?? .ready
    }

    package func setAdminState(_ state: AdminState, _ server: Int) {
        self.changeTerms(server) { $0.with(admin: state) }
    }

    package func weight(_ server: Int) -> Weight { Weight(self.terms(server).weight) ?? .zero }

    /// Tell each worker's `Balancer.weightsChanged` as well. Until then a server of weight 0 is
    /// left alone all the same, and other changes take effect in part.
    package func setWeight(_ weight: Weight, _ server: Int) {
        self.changeTerms(server) { $0.with(weight: weight) }
    }

    /// How many requests the server may have open at once; 0 means any number.
    package func openMax(_ server: Int) -> Int { Int(self.terms(server).openMax) }

    package func setOpenMax(_ openMax: Int, _ server: Int) {
        precondition((0...Int(UInt32.max)).contains(openMax), "a limit of open requests")
        self.changeTerms(server) { $0.with(openMax: openMax) }
    }

    @inline(__always)
    func terms(_ server: Int) -> Terms { Terms(bits: self.load(.terms, server)) }

    private func changeTerms(_ server: Int, _ change: (Terms) -> Terms) {
        while true {
            let before = self.terms(server)
            if self.exchange(before.bits, for: change(before).bits, .terms, server) { return }
        }
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
    func exchange(_ expected: Int64, for desired: Int64, _ column: Column, _ row: Int) -> Bool {
        self.cells.compareExchange(expected: expected, desired: desired, row, column.rawValue)
    }
}
