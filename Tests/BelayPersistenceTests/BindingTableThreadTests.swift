import BelayBytes
import BelayCore
import BelayPersistence
import Synchronization
import Testing

/// Several threads at once.
@Suite struct BindingTableThreadTests {
    /// Runs `body` on four threads, each with its number, and waits for them.
    private func onFourThreads(_ body: @escaping @Sendable (Int) -> Void) throws {
        let threads = try (0..<4).map { number in
            try #require(SystemThread.start { body(number) })
        }
        for thread in threads { thread.join() }
    }

    @Test func `counts are exact after any mixture of changes`() throws {
        let table = try BindingTable(entriesMax: 2000, times: hours)
        try self.onFourThreads { number in
            var draws = Draws(seed: UInt64(number))
            for _ in 0..<50_000 {
                let index = draws.below(3000)
                let (key, server) = (clientKey(index), serverID(draws.below(20) + 1))
                let now = morning + Int64(draws.below(8))
                switch draws.below(8) {
                case 0: table.forget(key)
                case 1: table.move(key, to: server, now: now)
                case 2: table.mark(key)
                case 3: table.touch(key, now: now)
                case 4: table.sweep(now: now, budget: 64)
                default:
                    // When it was issued says whose entry it is.
                    let issued = morning + Int64(index)
                    _ = table.bind(key, .query, to: server, issued: issued, now: now)
                }
            }
        }
        #expect(table.count <= 2000)
        // A listing shows duplicates, should there be any; a look takes them out.
        for index in 0..<3000 { _ = table.find(clientKey(index), now: morning) }
        let entries = table.all(now: morning)
        #expect(Set(entries.map(\.key)).count == entries.count)
        #expect(entries.count == table.count && table.evictions > 0)
        for server in 1...20 {
            let count = entries.count { $0.serverID == serverID(server) }
            #expect(table.bound(to: serverID(server)) == count)
        }
        let issued = Dictionary(
            uniqueKeysWithValues: (0..<3000).map { (clientKey($0), morning + Int64($0)) }
        )
        #expect(entries.allSatisfy { issued[$0.key] == $0.issued && $0.kind == .query })
    }

    @Test func `of threads that bind one new client at once, the first decides for all`() throws {
        let table = try BindingTable(entriesMax: 100_000, times: hours)
        let clients = 20_000
        let servers = Mutex([[ServerID]](repeating: [], count: clients))
        let arrived = Atomic(0)
        try self.onFourThreads { number in
            var own: [ServerID] = []
            for index in 0..<clients {
                // All begin with a client at the same time, as nearly as threads can.
                if index % 100 == 0 {
                    arrived.add(1, ordering: .relaxed)
                    while arrived.load(ordering: .relaxed) < 4 * (index / 100 + 1) {
                        SystemThread.yield()
                    }
                }
                let server = serverID(number + 1)
                let outcome = table.bind(
                    clientKey(index),
                    .sourceAddress,
                    to: server,
                    issued: morning,
                    now: morning,
                    ifAbsent: true
                )
                switch outcome {
                case .created, .renewed: own.append(server)
                case .kept(let other): own.append(other)
                case .moved, .refused: own.append(serverID(99))
                }
            }
            servers.withLock { servers in
                for index in 0..<clients { servers[index].append(own[index]) }
            }
        }
        let apart = servers.withLock { $0.count { Set($0).count != 1 } }
        #expect(apart == 0)
        #expect(table.count == clients && table.all(now: morning).count == clients)
        #expect((1...4).map { table.bound(to: serverID($0)) }.reduce(0, +) == clients)
    }

    @Test func `a client that others crowd round is found all the time`() throws {
        let table = try BindingTable(entriesMax: 1000, times: hours)
        let steady = (0..<100).map { $0 }
        for index in steady { table.bind(index, to: 1, at: morning + 1000) }
        let lost = Atomic(0)
        let mixed = Atomic(0)
        try self.onFourThreads { number in
            var draws = Draws(seed: UInt64(number))
            for step in 0..<30_000 {
                if number == 0 {
                    let index = draws.below(100)
                    let entry = table.find(clientKey(index), now: morning + 1000)
                    if entry == nil { lost.add(1, ordering: .relaxed) }
                    if entry?.serverID != serverID(1) { mixed.add(1, ordering: .relaxed) }
                } else {
                    let index = 1000 + draws.below(600)
                    if step % 3 == 0 {
                        table.forget(clientKey(index))
                    } else {
                        table.bind(index, to: 2 + draws.below(3), at: morning + Int64(step % 900))
                    }
                }
            }
        }
        #expect(lost.load(ordering: .relaxed) == 0 && mixed.load(ordering: .relaxed) == 0)
    }
}
