import BelayBytes
import BelayCore
import BelaySettings
import BelayTransport
import Dispatch
import Foundation
import Logging
import Synchronization

/// Servers that don't stand in the settings by themselves: the addresses of a host name, the
/// records of a service, the lines of a file. They are looked for on a thread of their own, because
/// a resolver may take seconds, and come and go as servers do by any other change.
///
/// A name that can't be resolved, and a file that can't be read, change nothing: what was found
/// last goes on, and the log says so once.
final class Discovery: Sendable {
    /// One entry of a pool, and what is known of it.
    private struct Source {
        let pool: PoolName
        let source: Settings.ServerSource
        var nextAt: Int64 = 0
        var last: [Settings.Server]?
        var stamp: Date?
        var problem: String?
    }

    // Limit: a record that says 0 is asked for once a second, and none is believed for longer than
    // five minutes. An answer that can't be had is asked for again after five seconds.
    private static let ttlMin: Int64 = 1
    private static let ttlMax: Int64 = 300
    private static let retryAfter: Int64 = 5
    // Limit: how often files are looked at.
    private static let pause = DispatchTimeInterval.milliseconds(250)

    private let sources = Mutex<[Source]>([])
    /// Entries that are no longer in the settings: what they have found goes.
    private let gone = Mutex<[(pool: PoolName, origin: ChangeOrigin)]>([])
    private let isStopped = Atomic(false)
    /// Ends a pause between two looks.
    private let news = DispatchSemaphore(value: 0)
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// These pools are served from now on. Entries that stay keep what they found.
    func follow(_ settings: Settings) {
        self.sources.withLock { sources in
            let before = sources
            sources = settings.pools.flatMap { pool in
                pool.sources.map { source in
                    before.first { $0.pool == pool.name && $0.source == source }
                        ?? Source(pool: pool.name, source: source)
                }
            }
            let left = before.filter { old in
                !sources.contains { $0.pool == old.pool && $0.source == old.source }
            }
            self.gone.withLock {
                $0 += left.map { (pool: $0.pool, origin: .discovery($0.source.title)) }
            }
        }
        self.news.signal()
    }

    /// Ends `run` as soon as it has an answer from the resolver, if it waits for one.
    func stop() {
        self.isStopped.store(true, ordering: .relaxed)
        self.news.signal()
    }

    /// Looks until it is stopped; `found` gets the servers of an entry whenever they are others
    /// than before, and serves them. It says what stands in the way, if anything.
    func run(_ found: (PoolName, ChangeOrigin, [Settings.Server]) -> String?) {
        while !self.isStopped.load(ordering: .relaxed) {
            self.lookAtAll(found)
            let isIdle = self.sources.withLock { $0.isEmpty }
            _ = self.news.wait(timeout: isIdle ? .distantFuture : .now() + Self.pause)
        }
    }

    private func lookAtAll(_ found: (PoolName, ChangeOrigin, [Settings.Server]) -> String?) {
        let now = SystemClock.monotonicNanoseconds() / 1_000_000_000
        let gone = self.gone.withLock { gone in
            let all = gone
            gone = []
            return all
        }
        for entry in gone { _ = found(entry.pool, entry.origin, []) }
        for var source in self.sources.withLock({ $0 }) where source.nextAt <= now {
            let name = source.source.title
            let before = source.problem
            switch Self.look(&source, now) {
            case .unchanged: break
            case .problem(let text): source.problem = text
            case .servers(let servers):
                source.problem = nil
                if source.last != servers {
                    let obstacle = found(source.pool, .discovery(name), servers)
                    source.problem = obstacle
                    if obstacle == nil { source.last = servers }
                }
            }
            if let problem = source.problem, problem != before {
                self.logger.warning("pool \(source.pool): \(name): \(problem)")
            }
            self.keep(source)
        }
    }

    private func keep(_ source: Source) {
        self.sources.withLock { sources in
            let index = sources.firstIndex {
                $0.pool == source.pool && $0.source == source.source
            }
            if let index { sources[index] = source }
        }
    }

    private enum Finding {
        case unchanged
        case servers([Settings.Server])
        case problem(String)
    }

    private static func look(_ source: inout Source, _ now: Int64) -> Finding {
        switch source.source.kind {
        case .dns(let host, let port):
            let answer = DNSRecords.addresses(of: host)
            source.nextAt = now + self.wait(answer?.ttl)
            guard let answer else { return .problem("the name can't be resolved") }
            let servers = answer.records.map { SocketAddress(ip: $0, port: port) }
            return .servers(self.servers(servers.map { ($0, nil) }, source.source))
        case .srv(let name):
            guard let answer = DNSRecords.services(of: name) else {
                source.nextAt = now + self.retryAfter
                return .problem("the service can't be resolved")
            }
            var ttl = answer.ttl
            var found: [(SocketAddress, Int?)] = []
            // Only the records of the first priority: the others are for when these are gone.
            let first = answer.records.map(\.priority).min()
            for record in answer.records where record.priority == first {
                guard let addresses = DNSRecords.addresses(of: record.target) else { continue }
                ttl = Swift.min(ttl, addresses.ttl)
                for ip in addresses.records {
                    let weight = Swift.min(Int(record.weight), Int(Weight.maximum.rawValue))
                    found.append((SocketAddress(ip: ip, port: record.port), weight))
                }
            }
            source.nextAt = now + self.wait(ttl)
            guard !found.isEmpty else { return .problem("no target of the service has an address") }
            // A service whose records all have weight 0 shares evenly (RFC 2782).
            let isWeighted = found.contains { ($0.1 ?? 0) > 0 }
            return .servers(
                self.servers(found.map { ($0.0, isWeighted ? $0.1 : nil) }, source.source)
            )
        case .file(let path): return self.lookAtFile(path, &source, now)
        }
    }

    private static func wait(_ ttl: Int64?) -> Int64 {
        guard let ttl else { return self.retryAfter }
        return Swift.min(Swift.max(ttl, self.ttlMin), self.ttlMax)
    }

    /// Servers named by their addresses, in an order that does not depend on the answer's.
    private static func servers(
        _ found: [(address: SocketAddress, weight: Int?)],
        _ source: Settings.ServerSource
    ) -> [Settings.Server] {
        var servers: [String: Settings.Server] = [:]
        for (address, weight) in found {
            let text = address.description
            guard let name = ServerName(text), servers[text] == nil else { continue }
            var server = Settings.Server(
                name: name,
                address: Settings.ServerAddress(
                    host: address.ip.description,
                    port: address.port
                )
            )
            server.weight = weight.flatMap { Weight($0) } ?? source.weight
            server.maxConnections = source.maxConnections
            servers[text] = server
        }
        return servers.sorted { $0.key < $1.key }.map(\.value)
    }

    /// A file with a line `name address [weight]` for each server; `#` begins a comment.
    private static func lookAtFile(
        _ path: String,
        _ source: inout Source,
        _ now: Int64
    ) -> Finding {
        source.nextAt = now
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let stamp = attributes?[.modificationDate] as? Date
        if let stamp, stamp == source.stamp { return .unchanged }
        guard let data = FileManager.default.contents(atPath: path) else {
            return .problem("the file can't be read")
        }
        source.stamp = stamp
        let text = String(decoding: data, as: UTF8.self)
        var servers: [Settings.Server] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            if words.isEmpty { continue }
            guard (2...3).contains(words.count), let name = ServerName(String(words[0])),
                let address = Settings.ServerAddress(String(words[1])),
                let weight = words.count == 2
                    ? source.source.weight : Int(words[2]).flatMap({ Weight($0) })
            else {
                return .problem(
                    "line \(number + 1) is not `name address [weight]`; nothing was changed"
                )
            }
            guard !servers.contains(where: { $0.name == name }) else {
                return .problem("line \(number + 1) names \(name) again; nothing was changed")
            }
            var server = Settings.Server(name: name, address: address)
            server.weight = weight
            server.maxConnections = source.source.maxConnections
            servers.append(server)
        }
        return .servers(servers)
    }
}

extension Settings.ServerSource {
    /// The entry as the log calls it, and as `ServerBook` knows it.
    var title: String {
        switch self.kind {
        case .dns(let host, let port): "dns \(host):\(port)"
        case .srv(let name): "srv \(name)"
        case .file(let path): "file \(path)"
        }
    }
}
