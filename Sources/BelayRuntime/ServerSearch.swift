package import BelayCore
package import BelaySettings
package import BelayTransport

// What the domain name system and the lines of a file say about the servers of an entry: without
// a socket, a file or a clock, so that it can be asked with a table of cases.

/// Whom a search asks.
package struct NameSource {
    package let addresses: (String) -> DNSAnswer<IPAddress>
    package let services: (String) -> DNSAnswer<DNSService>

    package init(
        addresses: @escaping (String) -> DNSAnswer<IPAddress>,
        services: @escaping (String) -> DNSAnswer<DNSService>
    ) {
        self.addresses = addresses
        self.services = services
    }

    package init(_ client: DNSClient) {
        self.init(addresses: client.addresses, services: client.services)
    }
}

/// What a search has come to.
package enum Finding: Equatable, Sendable {
    /// There was no need to look.
    case unchanged
    case servers([Settings.Server])
    /// It changes nothing.
    case problem(String)
}

/// How the servers of an entry are found.
package struct ServerSearch {
    let source: Settings.ServerSource
    /// What was found last.
    let last: [Settings.Server]

    package init(_ source: Settings.ServerSource, last: [Settings.Server] = []) {
        self.source = source
        self.last = last
    }

    // MARK: Names

    /// The addresses of a host name; for how long the answer holds, nil: try again soon.
    package func hosts(
        _ host: String,
        _ port: UInt16,
        _ names: NameSource
    ) -> (finding: Finding, ttl: Int64?) {
        guard case .found(let ips, let ttl, let isWhole) = names.addresses(host) else {
            return (.problem("the name can't be resolved"), nil)
        }
        if !isWhole, let text = self.missing(in: ips, of: host) { return (.problem(text), nil) }
        let servers = ips.map { Found(address: SocketAddress(ip: $0, port: port), weight: nil) }
        return (.servers(self.servers(servers)), ttl)
    }

    /// The records of a service. Only those of the first priority: the others are for when these
    /// are gone.
    package func services(
        _ name: String,
        _ names: NameSource
    ) -> (finding: Finding, ttl: Int64?) {
        guard case .found(let records, var ttl, _) = names.services(name) else {
            return (.problem("the service can't be resolved"), nil)
        }
        let first = records.map(\.priority).min()
        var found: [Found] = []
        for record in records where record.priority == first {
            switch names.addresses(record.target) {
            case .none: continue
            case .failed:
                return (.problem("its target \(record.target) can't be resolved"), nil)
            case .found(let ips, let time, let isWhole):
                if !isWhole, let text = self.missing(in: ips, of: record.target) {
                    return (.problem(text), nil)
                }
                ttl = Swift.min(ttl, time)
                found += ips.map { ip in
                    Found(
                        address: SocketAddress(ip: ip, port: record.port),
                        weight: Int(record.weight)
                    )
                }
            }
        }
        if found.isEmpty { return (.problem("no target of the service has an address"), ttl) }
        return (.servers(self.servers(Self.scaled(found))), ttl)
    }

    /// An answer without the addresses of one family, because nobody could say, takes no server of
    /// that family away.
    private func missing(in ips: [IPAddress], of host: String) -> String? {
        let hasV4 = ips.contains(where: \.isV4)
        let isLost = self.last.contains { IPAddress($0.address.host)?.isV4 == !hasV4 }
        return isLost ? "\(host): its \(hasV4 ? "IPv6" : "IPv4") addresses can't be resolved" : nil
    }

    private struct Found {
        let address: SocketAddress
        /// Nil: the entry's.
        var weight: Int?
    }

    /// Weights of records are within 0...65535. Where all are 0 the servers share evenly (RFC
    /// 2782); where the largest is more than a server may have, all are scaled down.
    private static func scaled(_ found: [Found]) -> [Found] {
        let most = Int(Weight.maximum.rawValue)
        let largest = found.compactMap(\.weight).max() ?? 0
        return found.map { entry in
            var entry = entry
            guard let weight = entry.weight, largest > 0 else {
                entry.weight = nil
                return entry
            }
            if largest > most, weight > 0 {
                entry.weight = Swift.max(1, (weight * most + largest / 2) / largest)
            }
            return entry
        }
    }

    /// Servers named by their addresses, in an order that does not depend on the answer's.
    private func servers(_ found: [Found]) -> [Settings.Server] {
        var servers: [String: Settings.Server] = [:]
        for entry in found {
            let text = entry.address.description
            guard let name = ServerName(text) else { continue }
            var server = Settings.Server(
                name: name,
                address: Settings.ServerAddress(
                    host: entry.address.ip.description,
                    port: entry.address.port
                )
            )
            server.weight = entry.weight.flatMap { Weight($0) } ?? self.source.weight
            server.maxConnections = self.source.maxConnections
            // Of two records of one address the one with the larger weight.
            if let other = servers[text], other.weight >= server.weight { continue }
            servers[text] = server
        }
        return servers.sorted { $0.key < $1.key }.map(\.value)
    }

    // MARK: Files

    /// A file with a line `name address [weight]` for each server; `#` begins a comment.
    package func lines(_ text: String) -> Finding {
        var servers: [Settings.Server] = []
        var names: Set<ServerName> = []
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            if words.isEmpty { continue }
            guard (2...3).contains(words.count), let name = ServerName(String(words[0])),
                let address = Settings.ServerAddress(String(words[1])),
                let weight = words.count == 2
                    ? self.source.weight : Int(words[2]).flatMap({ Weight($0) })
            else {
                return .problem(
                    "line \(index + 1) is not `name address [weight]`; nothing was changed"
                )
            }
            guard names.insert(name).inserted else {
                return .problem("line \(index + 1) names \(name) again; nothing was changed")
            }
            var server = Settings.Server(name: name, address: address)
            server.weight = weight
            server.maxConnections = self.source.maxConnections
            servers.append(server)
        }
        return .servers(servers)
    }
}
