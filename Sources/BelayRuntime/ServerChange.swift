package import BelayCore
package import BelaySettings

/// What is to be different about the servers of a pool, beside what the file says.
package enum ServerChange: Sendable {
    /// Another server, or another one in the place of the one of that name.
    case add(Settings.Server)
    /// It goes as the pool's `removal` says.
    case remove(ServerName)
    case setWeight(ServerName, Weight)
    case setState(ServerName, AdminState)
    case setAddress(ServerName, Settings.ServerAddress)
    /// These are all that the origin knows of: others that it has given before go.
    case replaceAll([Settings.Server])
}

/// Who wants a change.
package enum ChangeOrigin: Hashable, Sendable {
    case admin
    /// An entry of the pool's servers that names no server, but where to look for some.
    case discovery(String)
}

/// All changes beside the file. They outlive a reload, and by `ServerBook` a restart: what the file
/// says holds only where it says something new.
package struct ServerOverlay: Sendable {
    /// Those of one pool.
    struct Edits: Sendable {
        /// Servers that the file has not, by who gave them, in the order in which those came.
        var added: [(origin: ChangeOrigin, servers: [Settings.Server])] = []
        var removed: Set<ServerName> = []
        var weights: [ServerName: Weight] = [:]
        var states: [ServerName: AdminState] = [:]
        var addresses: [ServerName: Settings.ServerAddress] = [:]

        var isEmpty: Bool {
            self.added.allSatisfy(\.servers.isEmpty) && self.removed.isEmpty
                && self.weights.isEmpty && self.states.isEmpty && self.addresses.isEmpty
        }

        mutating func remove(_ name: ServerName, of origin: ChangeOrigin) {
            for index in self.added.indices where self.added[index].origin == origin {
                self.added[index].servers.removeAll { $0.name == name }
            }
        }

        func servers(of origin: ChangeOrigin) -> [Settings.Server] {
            self.added.first { $0.origin == origin }?.servers ?? []
        }

        mutating func set(_ servers: [Settings.Server], of origin: ChangeOrigin) {
            if let index = self.added.firstIndex(where: { $0.origin == origin }) {
                self.added[index].servers = servers
            } else {
                self.added.append((origin: origin, servers: servers))
            }
        }
    }

    private var pools: [PoolName: Edits] = [:]

    // MARK: Changing

    package init() {}

    package mutating func note(
        _ changes: [ServerChange],
        in pool: PoolName,
        by origin: ChangeOrigin
    ) {
        var edits = self.pools[pool] ?? Edits()
        for change in changes { Self.note(change, origin, &edits) }
        self.pools[pool] = edits
    }

    private static func note(
        _ change: ServerChange,
        _ origin: ChangeOrigin,
        _ edits: inout Edits
    ) {
        switch change {
        case .add(let server):
            Self.forget(server.name, &edits)
            edits.set(edits.servers(of: origin) + [server], of: origin)
        case .remove(let name):
            Self.forget(name, &edits)
            edits.removed.insert(name)
        case .setWeight(let name, let weight): edits.weights[name] = weight
        case .setState(let name, let state): edits.states[name] = state
        case .setAddress(let name, let address): edits.addresses[name] = address
        case .replaceAll(let servers): edits.set(servers, of: origin)
        }
    }

    private static func forget(_ name: ServerName, _ edits: inout Edits) {
        for index in edits.added.indices {
            edits.added[index].servers.removeAll { $0.name == name }
        }
        edits.removed.remove(name)
        edits.weights[name] = nil
        edits.states[name] = nil
        edits.addresses[name] = nil
    }

    /// The changes of a pool; nil: there are none.
    func edits(of pool: PoolName) -> Edits? {
        self.pools[pool].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Drops what a new file says otherwise than the old one: there it has the last word.
    package mutating func follow(from old: Settings, to new: Settings) {
        for name in Array(self.pools.keys) {
            guard let pool = new.pools.first(where: { $0.name == name }) else {
                self.pools[name] = nil
                continue
            }
            let before = old.pools.first { $0.name == name }?.servers ?? []
            var edits = self.pools[name] ?? Edits()
            edits.removed.formIntersection(pool.servers.map(\.name))
            for server in pool.servers {
                let was = before.first { $0.name == server.name }
                // Another one of this name was added by a command.
                if was != server { edits.remove(server.name, of: .admin) }
                if was?.weight != server.weight { edits.weights[server.name] = nil }
                if was?.state != server.state { edits.states[server.name] = nil }
                if was?.address != server.address { edits.addresses[server.name] = nil }
            }
            self.pools[name] = edits
        }
    }

    // MARK: Using

    /// The settings of the file with all changes. Of two servers of one name the file's stays.
    package func applied(to file: Settings) -> Settings {
        var settings = file
        for index in settings.pools.indices {
            guard let edits = self.pools[settings.pools[index].name] else { continue }
            var servers = settings.pools[index].servers.filter { !edits.removed.contains($0.name) }
            // What a command added stands in for a server of the file that it has replaced.
            let replacing = Set(edits.servers(of: .admin).map(\.name))
            servers.removeAll { replacing.contains($0.name) }
            var names = Set(servers.map(\.name))
            for server in edits.added.flatMap(\.servers)
            where !edits.removed.contains(server.name) && names.insert(server.name).inserted {
                servers.append(server)
            }
            for place in servers.indices {
                let name = servers[place].name
                servers[place].weight = edits.weights[name] ?? servers[place].weight
                servers[place].state = edits.states[name] ?? servers[place].state
                servers[place].address = edits.addresses[name] ?? servers[place].address
            }
            settings.pools[index].servers = servers
        }
        return settings
    }
}
