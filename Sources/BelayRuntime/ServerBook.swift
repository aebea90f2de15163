import BelayCore
package import BelaySettings

/// The changes of servers beside the file, as they are kept in the state directory: so a server
/// that was added, weighted or put into maintenance by a command is so after a restart and an
/// upgrade too, and one that a name in DNS gave is there before DNS has answered.
package struct ServerBook: Sendable {
    private let directory: String
    package let path: String
    /// What is in the file differs from what is wanted: it could not be written.
    package var isUnsaved = false
    /// Why the changes could not be written the last time.
    package private(set) var failure: String?

    package init(directory: String) {
        self.directory = directory
        self.path = directory + "/servers.json"
    }

    // MARK: The file

    /// The changes of the process before this one that still mean something under `settings`: what
    /// the file says otherwise than it did then, it says for good.
    package func read(for settings: Settings, warnings: inout [String]) -> ServerOverlay {
        var overlay = ServerOverlay()
        let lines = StateDocument.read(
            [Line].self,
            at: self.path,
            loss: "the changes of servers by commands can't be read, so none holds",
            warnings: &warnings
        )
        guard let lines else { return overlay }
        var before = Settings()
        for line in lines {
            guard let name = PoolName(line.pool) else { continue }
            before.pools.append(
                Settings.ServerPool(name: name, servers: line.file.compactMap(\.server))
            )
            let sources = settings.pools.first { $0.name == name }?.sources.map(\.title) ?? []
            line.note(in: &overlay, of: name, sources)
        }
        overlay.follow(from: before, to: settings)
        return overlay
    }

    /// Writes the changes. What stands in the way is in `failure`; then they hold all the same
    /// until this process ends, and the next attempt may succeed.
    package mutating func save(_ overlay: ServerOverlay, beside file: Settings) {
        guard self.isUnsaved else { return }
        let lines = file.pools.compactMap { pool in
            overlay.edits(of: pool.name).map { Line(pool, $0) }
        }
        do {
            try StateDocument.write(lines, to: self.path, in: self.directory)
            self.isUnsaved = false
            self.failure = nil
        } catch {
            self.failure =
                "changes of servers can't be written, so a restart would forget them: \(error)"
        }
    }

    // MARK: Its lines

    /// What is changed of one pool.
    private struct Line: Codable {
        var pool: String
        var added: [Group]
        var removed: [String]
        var weights: [String: Int]
        var states: [String: String]
        var addresses: [String: String]
        /// The servers that the file had then, to tell what it says anew.
        var file: [Entry]

        init(_ pool: Settings.ServerPool, _ edits: ServerOverlay.Edits) {
            self.pool = pool.name.rawValue
            self.added = edits.added.map { Group($0.origin, $0.servers.map(Entry.init)) }
            self.removed = edits.removed.map(\.rawValue).sorted()
            self.weights = Self.keyed(edits.weights) { Int($0.rawValue) }
            self.states = Self.keyed(edits.states) { "\($0.name)" }
            self.addresses = Self.keyed(edits.addresses) { $0.spelled }
            self.file = pool.servers.map(Entry.init)
        }

        private static func keyed<From, To>(
            _ values: [ServerName: From],
            _ change: (From) -> To
        ) -> [String: To] {
            .init(uniqueKeysWithValues: values.map { ($0.key.rawValue, change($0.value)) })
        }

        /// Servers of an entry that the file has no more are nobody's.
        func note(in overlay: inout ServerOverlay, of pool: PoolName, _ sources: [String]) {
            for group in self.added where group.source.map(sources.contains) ?? true {
                let servers = group.servers.compactMap(\.server)
                overlay.note([.replaceAll(servers)], in: pool, by: group.origin)
            }
            var changes: [ServerChange] = self.removed.compactMap {
                ServerName($0).map { .remove($0) }
            }
            for (server, number) in self.weights {
                guard let name = ServerName(server), let weight = Weight(number) else { continue }
                changes.append(.setWeight(name, weight))
            }
            for (server, word) in self.states {
                let state = AdminState.allCases.first { "\($0.name)" == word }
                guard let name = ServerName(server), let state else { continue }
                changes.append(.setState(name, state))
            }
            for (server, text) in self.addresses {
                guard let name = ServerName(server), let address = Settings.ServerAddress(text)
                else { continue }
                changes.append(.setAddress(name, address))
            }
            overlay.note(changes, in: pool, by: .admin)
        }
    }

    /// Servers of one origin.
    private struct Group: Codable {
        /// The entry of the file that gave them; nil: a command did.
        var source: String?
        var servers: [Entry]

        init(_ origin: ChangeOrigin, _ servers: [Entry]) {
            switch origin {
            case .admin: self.source = nil
            case .discovery(let name): self.source = name
            }
            self.servers = servers
        }

        var origin: ChangeOrigin { self.source.map { .discovery($0) } ?? .admin }
    }

    private struct Entry: Codable {
        var name: String
        var address: String
        var weight: Int
        var state: String
        var generation: Int
        var maxConnections: Int?
        var route: String?

        init(_ server: Settings.Server) {
            self.name = server.name.rawValue
            self.address = server.address.spelled
            self.weight = Int(server.weight.rawValue)
            self.state = "\(server.state.name)"
            self.generation = server.generation
            self.maxConnections = server.maxConnections
            self.route = server.route
        }

        /// Nil where it is not one.
        var server: Settings.Server? {
            guard let name = ServerName(self.name),
                let address = Settings.ServerAddress(self.address),
                let weight = Weight(self.weight),
                let state = AdminState.allCases.first(where: { "\($0.name)" == self.state })
            else { return nil }
            var server = Settings.Server(name: name, address: address)
            server.weight = weight
            server.state = state
            server.generation = self.generation
            server.maxConnections = self.maxConnections
            server.route = self.route
            return server
        }
    }
}
