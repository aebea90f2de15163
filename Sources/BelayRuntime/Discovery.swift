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
        /// Who was asked the last time.
        var asked: DNSClient?
        /// The file as it was read, and as it was seen the last time.
        var stamp: Stamp?
        var seen: Stamp?
        var problem: String?
    }

    /// By what a file is known to be another one.
    private struct Stamp: Equatable {
        let changed: Date
        let size: Int
        let number: Int

        init?(_ path: String) {
            guard let found = try? FileManager.default.attributesOfItem(atPath: path),
                let changed = found[.modificationDate] as? Date
            else { return nil }
            self.changed = changed
            self.size = found[.size] as? Int ?? 0
            self.number = found[.systemFileNumber] as? Int ?? 0
        }
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
    /// Who is asked for names.
    private let client = Mutex(DNSClient())
    private let isStopped = Atomic(false)
    /// Ends a pause between two looks.
    private let news = DispatchSemaphore(value: 0)
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// These pools are served from now on. Entries that stay keep what they found.
    func follow(_ settings: Settings) {
        self.client.withLock { $0 = DNSClient(settings.resolver) }
        self.sources.withLock { sources in
            let before = sources
            sources = settings.pools.flatMap { pool in
                pool.sources.map { source in
                    before.first { $0.pool == pool.name && $0.source == source }
                        ?? Source(pool: pool.name, source: source)
                }
            }
            // One that gives its servers another weight is still there.
            let left = before.filter { old in
                !sources.contains {
                    $0.pool == old.pool && $0.source.title == old.source.title
                }
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
        // At the end, so that what a new entry finds is there when what an old one found goes.
        defer {
            for entry in gone { _ = found(entry.pool, entry.origin, []) }
        }
        let client = self.client.withLock { $0 }
        for var source in self.sources.withLock({ $0 })
        where source.nextAt <= now || source.asked != client {
            source.asked = client
            let name = source.source.title
            let before = source.problem
            switch Self.look(&source, client, now) {
            case .unchanged: break
            case .problem(let text): source.problem = text
            case .servers(let servers):
                source.problem = nil
                if source.last != servers {
                    let obstacle = found(source.pool, .discovery(name), servers)
                    source.problem = obstacle
                    if obstacle == nil {
                        source.last = servers
                    } else {
                        source.stamp = nil
                        source.nextAt = now + Self.retryAfter
                    }
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

    private static func look(
        _ source: inout Source,
        _ client: DNSClient,
        _ now: Int64
    ) -> Finding {
        let search = ServerSearch(source.source, last: source.last ?? [])
        let result: (finding: Finding, ttl: Int64?)
        switch source.source.kind {
        case .dns(let host, let port): result = search.hosts(host, port, NameSource(client))
        case .srv(let name): result = search.services(name, NameSource(client))
        case .file(let path): return self.lookAtFile(path, search, &source)
        }
        source.nextAt = now + self.wait(result.ttl)
        return result.finding
    }

    private static func wait(_ ttl: Int64?) -> Int64 {
        guard let ttl else { return self.retryAfter }
        return Swift.min(Swift.max(ttl, self.ttlMin), self.ttlMax)
    }

    private static func lookAtFile(
        _ path: String,
        _ search: ServerSearch,
        _ source: inout Source
    ) -> Finding {
        let stamp = Stamp(path)
        if let stamp, stamp == source.stamp { return .unchanged }
        // Whoever writes it may not have come to its end: it is read when nothing has changed from
        // one look to the next.
        defer { source.seen = stamp }
        if source.last != nil, stamp != source.seen { return .unchanged }
        guard let stamp, let data = FileManager.default.contents(atPath: path) else {
            source.stamp = nil
            return .problem("the file can't be read")
        }
        source.stamp = stamp
        return search.lines(String(decoding: data, as: UTF8.self))
    }
}

extension DNSClient {
    /// The servers of the settings, or the system's.
    init(_ resolver: Settings.Resolver?) {
        guard let resolver else {
            self.init()
            return
        }
        self.init(
            servers: resolver.servers,
            timeout: resolver.timeout,
            attempts: resolver.attempts
        )
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
