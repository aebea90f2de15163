package import BelayTransport
import Synchronization

/// What other threads ask of the checker.
package enum HealthMessage: Sendable {
    /// These pools are served from now on; checks of what stays go on as they are.
    case replace([PoolPlan])
    /// New connections to the servers of this pool are encrypted so from now on.
    case encrypt(Int, [ServerEncryption])
    case stop
}

/// Where other threads leave messages for the checker, and read what checks found. Any thread may.
package final class HealthMailbox: Sendable {
    /// What was found of a server.
    private struct Row {
        var check: CheckResult?
        var agent: CheckResult?
    }

    private let messages = Mutex<[HealthMessage]>([])
    /// By pool and server.
    private let rows = Mutex<[[Row]]>([])
    package let wakeup: Wakeup

    package init() throws(SystemError) { self.wakeup = try Wakeup() }

    package func post(_ message: HealthMessage) {
        self.messages.withLock { $0.append(message) }
        self.wakeup.post()
    }

    func takeAll() -> [HealthMessage] {
        self.messages.withLock { messages in
            let all = messages
            messages = []
            return all
        }
    }

    /// What the last check of a server came to; nil before the first, and where none are made.
    package func lastCheck(pool: Int, server: Int) -> CheckResult? {
        self.row(pool, server)?.check
    }

    /// How asking the server's agent went the last time.
    package func lastAgent(pool: Int, server: Int) -> CheckResult? {
        self.row(pool, server)?.agent
    }

    private func row(_ pool: Int, _ server: Int) -> Row? {
        self.rows.withLock { rows in
            guard pool < rows.count, server < rows[pool].count else { return nil }
            return rows[pool][server]
        }
    }

    // MARK: For the checker

    /// Makes room for so many servers of each pool.
    func makeRoom(_ counts: [Int]) {
        self.rows.withLock { rows in
            while rows.count < counts.count { rows.append([]) }
            for (pool, count) in counts.enumerated() {
                let missing = count - rows[pool].count
                if missing > 0 { rows[pool] += Array(repeating: Row(), count: missing) }
            }
        }
    }

    func note(_ result: CheckResult, pool: Int, server: Int, isAgent: Bool) {
        self.rows.withLock { rows in
            let place: WritableKeyPath<Row, CheckResult?> = isAgent ? \.agent : \.check
            var result = result
            // What was said last holds.
            result.said = result.said ?? rows[pool][server][keyPath: place]?.said
            rows[pool][server][keyPath: place] = result
        }
    }

    func forget(pool: Int, server: Int) {
        self.rows.withLock { $0[pool][server] = Row() }
    }
}
