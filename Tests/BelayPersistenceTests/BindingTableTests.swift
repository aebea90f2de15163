import BelayCore
import BelayPersistence
import Testing

/// One thread, one call at a time.
@Suite struct BindingTableTests {
    private let client = clientKey(1)

    private func table(
        _ entriesMax: Int = 100,
        _ times: BindingTimes = hours,
        cookies: BindingTimes? = nil
    ) throws -> BindingTable {
        try BindingTable(entriesMax: entriesMax, times: times, cookieTimes: cookies)
    }

    @Test(arguments: BindingKind.allCases)
    func `a binding is found with all that was said of it`(kind: BindingKind) throws {
        let table = try self.table()
        #expect(table.find(self.client, now: morning) == nil)
        let outcome = table.bind(
            self.client,
            kind,
            to: someBinding.serverID,
            issued: morning,
            now: morning + 60
        )
        #expect(outcome == .created(evicted: false))
        let want = TableEntry(
            key: self.client,
            kind: kind,
            serverID: someBinding.serverID,
            issued: morning,
            renewed: morning + 60
        )
        #expect(table.find(self.client, now: morning + 90) == want)
        #expect(table.look(self.client, now: morning + 90) == .bound(want))
        #expect(table.count == 1)
        #expect(table.bound(to: someBinding.serverID) == 1)
        #expect(table.find(clientKey(2), now: morning) == nil)
    }

    @Test func `bind renews, moves, or leaves a client where it is`() throws {
        let table = try self.table()
        table.bind(1, to: 1)
        let again = { (server: Int, now: UnixTime, ifAbsent: Bool) in
            table.bind(
                self.client,
                .header,
                to: serverID(server),
                issued: now,
                now: now,
                ifAbsent: ifAbsent
            )
        }
        #expect(again(1, morning + 5, false) == .renewed)
        #expect(table.find(self.client, now: morning)?.renewed == morning + 5)
        #expect(again(1, morning + 6, true) == .renewed)
        #expect(again(2, morning + 7, true) == .kept(at: serverID(1)))
        #expect(table.find(self.client, now: morning)?.renewed == morning + 6)
        #expect(again(2, morning + 8, false) == .moved(from: serverID(1)))
        let entry = try #require(table.find(self.client, now: morning))
        #expect(entry.serverID == serverID(2) && entry.renewed == morning + 8)
        #expect(entry.issued == morning, "the lifetime goes on")
        #expect(table.bound(to: serverID(1)) == 0 && table.bound(to: serverID(2)) == 1)
        #expect(table.count == 1)
    }

    @Test func `a client is moved, marked, touched and forgotten by its key`() throws {
        let table = try self.table()
        #expect(!table.move(self.client, to: serverID(2), now: morning))
        #expect(!table.mark(self.client) && !table.touch(self.client, now: morning))
        #expect(!table.forget(self.client))
        table.bind(1, to: 1)
        #expect(table.mark(self.client) && table.mark(self.client))
        #expect(table.touch(self.client, now: morning + 9))
        table.bind(1, to: 1, at: morning + 10)
        var entry = try #require(table.find(self.client, now: morning))
        #expect(entry.isMarked && entry.renewed == morning + 10)
        #expect(table.move(self.client, to: serverID(2), now: morning + 20))
        entry = try #require(table.find(self.client, now: morning))
        #expect(!entry.isMarked && entry.renewed == morning + 10)
        #expect(entry.serverID == serverID(2))
        table.mark(self.client)
        #expect(table.move(self.client, to: serverID(2), now: morning + 20))
        #expect(table.find(self.client, now: morning)?.isMarked == false)
        table.mark(self.client)
        table.mark(self.client, false)
        #expect(table.find(self.client, now: morning)?.isMarked == false)
        #expect(table.forget(self.client) && !table.forget(self.client))
        #expect(table.find(self.client, now: morning) == nil)
        #expect(table.count == 0 && table.bound(to: serverID(2)) == 0)
    }

    @Test(arguments: [
        (9, 9, true), (10, 9, true), (11, 9, false), (0, 100, true), (0, 101, false),
        (-5, 0, true), (-3600, -3600, true),
    ])
    func `a binding is worth something until a window is over`(
        away: Int,
        age: Int,
        isBound: Bool
    ) throws {
        let times = BindingTimes(idle: .seconds(10), lifetime: .milliseconds(99_100))
        let table = try self.table(100, times)
        _ = table.bind(
            self.client,
            .query,
            to: serverID(1),
            issued: morning + Int64(away - age),
            now: morning
        )
        let finding = table.look(self.client, now: morning + Int64(away))
        switch finding {
        case .bound: #expect(isBound)
        case .expiredIdle(let entry): #expect(!isBound && away > 10 && entry.key == self.client)
        case .expiredLifetime(let entry): #expect(!isBound && age > 100 && entry.key == self.client)
        case .absent: Issue.record("the binding was not found at all")
        }
        #expect(table.count == (isBound ? 1 : 0))
        #expect(table.expirations == (isBound ? 0 : 1))
        #expect(table.bound(to: serverID(1)) == table.count)
    }

    @Test func `cookies have windows of their own, and a reload changes them`() throws {
        let short = BindingTimes(idle: .seconds(1), lifetime: nil)
        let table = try self.table(100, short, cookies: BindingTimes(idle: nil, lifetime: nil))
        table.bind(1, to: 1)
        let cookie = BindingKey(someBinding.id)
        _ = table.bind(cookie, .cookie, to: serverID(1), issued: morning, now: morning)
        let later = morning + 365 * day
        #expect(table.with(times: hours).find(self.client, now: morning + 60) != nil)
        #expect(table.find(self.client, now: later) == nil)
        #expect(table.find(cookie, now: later) != nil)
        #expect(table.with(times: short).find(cookie, now: later) == nil)
        #expect(table.count == 0)
    }

    @Test func `an expired client is bound anew, and the sweep finds the rest`() throws {
        let times = BindingTimes(idle: .seconds(10), lifetime: .seconds(100))
        let table = try self.table(1000, times)
        for index in 0..<600 { table.bind(index, to: index % 3, at: morning + Int64(index % 2)) }
        // The id 0 stands for no server.
        #expect(table.count == 400 && table.bound(to: serverID(0)) == 0)
        #expect(table.bind(1, to: 2, at: morning + 20) == .created(evicted: false))
        #expect(table.find(self.client, now: morning + 20)?.issued == morning + 20)
        #expect(table.expirations == 1)
        #expect(table.all(now: morning + 11).count == 200)
        #expect(table.sweepAll(now: morning + 11) == 200)
        #expect(table.sweepAll(now: morning + 11) == 0)
        var expired = 0
        for _ in 0..<200 { expired += table.sweep(now: morning + 12, budget: 8) }
        #expect(expired == 199)
        #expect(table.count == 1 && table.expirations == 400)
        #expect(table.bound(to: serverID(1)) == 0 && table.bound(to: serverID(2)) == 1)
    }

    @Test func `a full table keeps its bound, and says that another gave way`() throws {
        let table = try self.table(16)
        for index in 0..<16 {
            #expect(
                table.bind(index, to: 1, at: morning + Int64(index)) == .created(evicted: false)
            )
        }
        for index in 16..<400 {
            let outcome = table.bind(index, to: 2, at: morning + Int64(index))
            #expect(outcome == .created(evicted: true))
            #expect(table.count == 16)
            #expect(table.find(clientKey(index), now: morning) != nil)
        }
        #expect(table.evictions >= 384)
        #expect(table.bound(to: serverID(1)) + table.bound(to: serverID(2)) == 16)
        // What has expired is no eviction.
        let soon = table.with(times: BindingTimes(idle: .seconds(1), lifetime: nil))
        let evictions = table.evictions
        #expect(soon.bind(1000, to: 1, at: morning + 1000) == .created(evicted: false))
        #expect(soon.evictions == evictions && soon.expirations == 1)
    }

    @Test func `servers that no binding names any more make room for others`() throws {
        let table = try self.table(100)
        #expect(table.serversMax == 256)
        for round in 0..<20 {
            for index in 0..<100 {
                let server = round * 100 + index + 1
                table.bind(index, to: server)
                #expect(table.bound(to: serverID(server)) == 1)
            }
        }
        #expect(table.count == 100)
        for index in 0..<100 {
            #expect(table.find(clientKey(index), now: morning)?.serverID == serverID(1901 + index))
            #expect(table.bound(to: serverID(index + 1)) == 0)
        }
    }

    @Test func `more servers than can be told apart are refused`() throws {
        let table = try self.table(1000)
        var refused = 0
        for index in 0..<300 {
            let outcome = table.bind(index, to: index + 1)
            if outcome == .refused { refused += 1 }
        }
        #expect(table.count == 300 - refused && refused >= 44 && refused < 60)
        #expect(!table.move(clientKey(0), to: serverID(9999), now: morning))
        #expect(table.find(clientKey(0), now: morning)?.serverID == serverID(1))
    }

    @Test func `listings have every entry once, by pages, and a server's own`() throws {
        let table = try self.table(1000)
        for index in 0..<500 { table.bind(index, to: index % 5 + 1, at: morning + Int64(index)) }
        let keys = table.all(limit: 7, now: morning).map(\.key)
        #expect(keys.count == 500 && Set(keys).count == 500)
        let own = table.all(limit: 7, boundTo: serverID(3), now: morning)
        #expect(own.count == 100 && own.allSatisfy { $0.serverID == serverID(3) })
        #expect(table.entries(limit: 0, now: morning).entries.isEmpty)
        #expect(table.entries(after: .max, limit: 9, now: morning).next == nil)

        table.mark(clientKey(7))
        let idlest = table.idlest(boundTo: serverID(3), limit: 3, now: morning)
        #expect(idlest.map(\.key) == [2, 12, 17].map(clientKey))
        let all = table.idlest(
            boundTo: serverID(3),
            limit: 1000,
            includingMarked: true,
            now: morning
        )
        #expect(all.map(\.key) == stride(from: 2, to: 500, by: 5).map(clientKey))
        #expect(table.idlest(boundTo: serverID(3), limit: 0, now: morning).isEmpty)
        #expect(table.idlest(boundTo: serverID(9), limit: 9, now: morning).isEmpty)
    }

    @Test(arguments: [(1024, 64.0), (100_000, 58.7), (1_000_000, 57.1)])
    func `an entry costs 64 bytes at most, all in`(entries: Int, most: Double) throws {
        #expect(try self.table(entries).bytesPerEntry <= most)
    }
}
