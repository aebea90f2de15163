package import BelayBalancing
package import BelayCore
package import BelaySettings

/// The drains that are under way, by the names of pool and server: so they hold over a reload and,
/// by a file in the state directory, over a restart.
package struct DrainBook: Sendable {
    package struct Key: Hashable, Sendable, CustomStringConvertible {
        package let pool: PoolName
        package let server: ServerName

        package init(pool: PoolName, server: ServerName) {
            self.pool = pool
            self.server = server
        }

        package var description: String { "\(self.pool)/\(self.server)" }
    }

    package private(set) var drains: [Key: Drain] = [:]
    /// Where servers are that no settings have any more, for as long as they keep their clients.
    private var leavers: [Key: Leaver] = [:]
    private let directory: String
    package let path: String
    /// What is in the file differs from what is here: it could not be written.
    package private(set) var isUnsaved = false
    /// Why they could not be written the last time.
    package private(set) var failure: String?

    // MARK: The file

    /// Reads what a process before this one had under way. A file that can't be read is set aside,
    /// and told of in `warnings`.
    package init(directory: String, warnings: inout [String]) {
        self.directory = directory
        self.path = directory + "/drains.json"
        let lines = StateDocument.read(
            [Line].self,
            at: self.path,
            loss: "the drains of before can't be read, so none goes on",
            warnings: &warnings
        )
        for line in lines ?? [] {
            guard let (key, drain) = line.entry else {
                warnings.append("\(self.path): a drain of \(line.pool)/\(line.server) is not one")
                continue
            }
            self.drains[key] = drain
            self.leavers[key] = line.leaver
        }
    }

    package subscript(key: Key) -> Drain? {
        get { self.drains[key] }
        set {
            guard self.drains[key] != newValue else { return }
            self.drains[key] = newValue
            if newValue == nil { self.leavers[key] = nil }
            self.isUnsaved = true
        }
    }

    // MARK: Servers that leave

    /// What is needed of a server that leaves, so that its clients find it after a restart too.
    package struct Leaver: Equatable, Sendable, Codable {
        package var address: String
        package var generation: Int
        package var maxConnections: Int?
        /// What stands for it in an application's cookie, if that is not its name.
        package var route: String?

        package init(address: String, generation: Int, maxConnections: Int?, route: String?) {
            self.address = address
            self.generation = generation
            self.maxConnections = maxConnections
            self.route = route
        }
    }

    package mutating func note(_ leaver: Leaver, _ key: Key) {
        guard self.drains[key] != nil, self.leavers[key] != leaver else { return }
        self.leavers[key] = leaver
        self.isUnsaved = true
    }

    /// The settings with the servers that were leaving when the process before this one ended;
    /// nil: there are none.
    package func withLeavers(_ settings: Settings) -> Settings? {
        var grown = settings
        for (key, leaver) in self.leavers.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            guard self.drains[key]?.cause == .removal,
                let index = grown.pools.firstIndex(where: { $0.name == key.pool }),
                grown.pools[index].removal == .drain,
                !grown.pools[index].servers.contains(where: { $0.name == key.server }),
                let address = Settings.ServerAddress(leaver.address)
            else { continue }
            var server = Settings.Server(name: key.server, address: address)
            server.generation = leaver.generation
            server.maxConnections = leaver.maxConnections
            server.route = leaver.route
            grown.pools[index].servers.append(server)
        }
        return grown == settings ? nil : grown
    }

    /// Writes the file anew where that is needed: whole, or not at all. What stands in the way is
    /// in `failure`; then the drains go on, and the next attempt may succeed.
    package mutating func save() {
        guard self.isUnsaved else { return }
        let lines = self.drains.map { Line($0, $1, self.leavers[$0]) }.sorted {
            $0.order < $1.order
        }
        do {
            try StateDocument.write(lines, to: self.path, in: self.directory)
            self.isUnsaved = false
            self.failure = nil
        } catch {
            self.failure = "drains can't be written, so a restart would forget them: \(error)"
        }
    }

    private struct Line: Codable {
        var pool: String
        var server: String
        var cause: Drain.Cause
        var began: Int64
        var boundAtStart: Int
        var deadline: Int64
        var rate: Double?
        var pausedAt: Int64?
        var paceSince: Int64
        var paceBound: Int
        var leaver: Leaver?

        var order: String { self.pool + "\n" + self.server }

        init(_ key: Key, _ drain: Drain, _ leaver: Leaver?) {
            self.pool = key.pool.rawValue
            self.server = key.server.rawValue
            self.cause = drain.cause
            self.began = drain.began.seconds
            self.boundAtStart = drain.boundAtStart
            self.deadline = drain.deadline.seconds
            self.rate = drain.rate
            self.pausedAt = drain.pausedAt?.seconds
            self.paceSince = drain.paceSince.seconds
            self.paceBound = drain.paceBound
            self.leaver = leaver
        }

        var entry: (Key, Drain)? {
            guard let pool = PoolName(self.pool), let server = ServerName(self.server) else {
                return nil
            }
            let drain = Drain(
                cause: self.cause,
                began: UnixTime(seconds: self.began),
                boundAtStart: self.boundAtStart,
                deadline: UnixTime(seconds: self.deadline),
                rate: self.rate,
                pausedAt: self.pausedAt.map { UnixTime(seconds: $0) },
                pace: (since: UnixTime(seconds: self.paceSince), bound: self.paceBound)
            )
            return (Key(pool: pool, server: server), drain)
        }
    }
}
