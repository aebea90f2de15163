package import BelayCore
private import CBelay

/// What the domain name system says.
package enum DNSAnswer<Record: Sendable>: Sendable {
    /// At least one record, and for how many seconds they hold. Not whole is what lacks addresses
    /// of one family because nobody could say whether there are any.
    case found([Record], ttl: Int64, isWhole: Bool)
    /// There are none.
    case none
    /// Nobody could say.
    case failed
}

/// A record of a service (RFC 2782).
package struct DNSService: Equatable, Sendable {
    package let priority: UInt16
    package let weight: UInt16
    package let port: UInt16
    package let target: String

    package init(priority: UInt16, weight: UInt16, port: UInt16, target: String) {
        self.priority = priority
        self.weight = weight
        self.port = port
        self.target = target
    }
}

/// Asks the domain name system for records with the time that they may be kept. Waits: not for a
/// worker's thread.
package struct DNSClient: Equatable, Sendable {
    // Limit: the room that the system's resolver has.
    private static let serversMax = 3

    /// Who is asked; none: the system's servers (resolv.conf, search domains and all).
    package let servers: [SocketAddress]
    /// For each question to each server.
    private let timeoutSeconds: Int32
    private let attempts: Int32

    package init(servers: [SocketAddress] = [], timeout: TimeSpan = .seconds(2), attempts: Int = 2)
    {
        precondition(servers.count <= Self.serversMax, "more servers than can be asked")
        self.servers = servers
        self.timeoutSeconds = Int32(clamping: timeout.nanoseconds / 1_000_000_000)
        self.attempts = Int32(clamping: attempts)
    }

    /// The addresses of a host, of both families. A name that only the system's own files know
    /// (`/etc/hosts`) has a time of 30 seconds, and is known only where the system is asked.
    package func addresses(of host: String) -> DNSAnswer<IPAddress> {
        if let address = IPAddress(host) { return .found([address], ttl: 300, isWhole: true) }
        let answers = [BELAY_DNS_A, BELAY_DNS_AAAA].map { self.ask(host, $0) }
        var found: [IPAddress] = []
        var ttl = Int64.max
        for line in answers.compactMap(\.self).joined() {
            guard let time = Int64(line[0]) else { continue }
            ttl = Swift.min(ttl, time)
            if line.count == 2, let address = IPAddress(line[1]) { found.append(address) }
        }
        if !found.isEmpty { return .found(found, ttl: ttl, isWhole: !answers.contains(nil)) }
        if self.servers.isEmpty, let address = Resolver.address(of: host) {
            return .found([address], ttl: 30, isWhole: !answers.contains(nil))
        }
        return answers.contains(nil) ? .failed : .none
    }

    /// One address of a host, IPv4 before IPv6; what servers of one's own don't know is asked of
    /// the system. Nil when it has none.
    package func address(of host: String) -> IPAddress? {
        for kind in self.servers.isEmpty ? [] : [BELAY_DNS_A, BELAY_DNS_AAAA] {
            // Where nobody answers, the next question would wait as long again.
            guard let lines = self.ask(host, kind) else { break }
            for line in lines where line.count == 2 {
                if let address = IPAddress(line[1]) { return address }
            }
        }
        return Resolver.address(of: host)
    }

    /// The records of a service such as `_http._tcp.shop.internal`.
    package func services(of name: String) -> DNSAnswer<DNSService> {
        guard let lines = self.ask(name, BELAY_DNS_SRV) else { return .failed }
        var found: [DNSService] = []
        var ttl = Int64.max
        for line in lines {
            guard let time = Int64(line[0]) else { continue }
            ttl = Swift.min(ttl, time)
            guard line.count == 5, let priority = UInt16(line[1]), let weight = UInt16(line[2]),
                let port = UInt16(line[3])
            else { continue }
            found.append(
                DNSService(priority: priority, weight: weight, port: port, target: line[4])
            )
        }
        return found.isEmpty ? .none : .found(found, ttl: ttl, isWhole: true)
    }

    /// The answer's records, a line of words for each, none of them empty; nil when nobody could
    /// say.
    private func ask(_ name: String, _ kind: Int32) -> [[String]]? {
        // Limit: an answer over TCP has up to 64 KiB; in words it is at most twice as long.
        var text = [CChar](repeating: 0, count: 128 * 1024)
        let ips = self.servers.flatMap { Self.bytes($0.ip) }
        let ports = self.servers.map(\.port)
        // Safe: the call writes at most the buffer's bytes, ends them with a zero, reads 16 bytes
        // and a port for each server, and keeps no pointer.
        let count = unsafe text.withUnsafeMutableBufferPointer { buffer in
            unsafe belay_dns(
                name,
                kind,
                ips,
                ports,
                Int32(ports.count),
                self.timeoutSeconds,
                self.attempts,
                buffer.baseAddress,
                buffer.count
            )
        }
        guard count >= 0 else { return nil }
        let bytes = text.prefix(Int(count)).map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: " ").map(String.init)
        }
    }

    private static func bytes(_ ip: IPAddress) -> [UInt8] {
        [ip.high, ip.low].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
    }
}
