import Foundation

/// A pool as a test says it.
struct PoolText {
    let name: String
    var servers: [(name: String, port: UInt16)]
    /// Lines of the pool's settings.
    var lines: [String] = []

    init(_ name: String = "shop", _ servers: [(String, UInt16)], _ lines: [String] = []) {
        self.name = name
        self.servers = servers.map { (name: $0.0, port: $0.1) }
        self.lines = lines
    }

    init(_ name: String = "shop", peers: [ServerPeer], _ lines: [String] = []) {
        self.init(name, peers.map { ($0.name, $0.port) }, lines)
    }

    init(_ name: String = "shop", servers: [RawServer], _ lines: [String] = []) {
        self.init(name, servers.map { ($0.name, $0.port) }, lines)
    }

    var text: String {
        let head = ["  \(self.name):"] + self.lines.map { "    " + $0 } + ["    servers:"]
        let entries = self.servers.map { server in
            "      - { name: \(server.name), address: \"127.0.0.1:\(server.port)\" }"
        }
        return (head + entries).joined(separator: "\n")
    }
}

/// An entry of `listeners`, on a port that the system chooses.
func listener(_ settings: String..., port: UInt16 = 0) -> String {
    "  - { " + (["address: \"127.0.0.1:\(port)\""] + settings).joined(separator: ", ") + " }"
}

/// The setting of a listener that serves these certificates.
func tls(_ certificates: Certificate..., extra: String...) -> String {
    let entries = certificates.map(\.entry).joined(separator: ", ")
    return "tls: { " + (["certificates: [\(entries)]"] + extra).joined(separator: ", ") + " }"
}

extension Scenario {
    /// Starts Belay with these listeners and pools; what tests do not care about is filled in.
    func belay(
        listeners: [String] = [listener()],
        pools: [PoolText],
        top: [String] = []
    ) throws -> Belay {
        let name = "belay-\(UUID().uuidString).yaml"
        try self.file(name, self.settings(listeners: listeners, pools: pools, top: top))
        return try self.belay(starting: [try belayPath(), "run", name])
    }

    private func settings(listeners: [String], pools: [PoolText], top: [String]) -> String {
        let usual = [
            ("admin", "\"127.0.0.1:0\""), ("state-directory", self.path("state")),
            ("workers", "1"), ("log", "{ access: json }"),
        ]
        var lines = top
        for (key, value) in usual where !top.contains(where: { $0.hasPrefix(key + ":") }) {
            lines.append("\(key): \(value)")
        }
        lines += ["listeners:"] + listeners + ["pools:"] + pools.map(\.text)
        return lines.joined(separator: "\n") + "\n"
    }
}
