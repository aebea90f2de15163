import BelayCore
import BelayPersistence
import Testing

/// A million bindings.
@Suite struct BindingTableFillTests {
    @Test func `a table takes all it has room for, and then the oldest give way`() throws {
        let room = 1_000_000
        let table = try BindingTable(entriesMax: room, times: hours)
        // A second for every thousand clients.
        for index in 0..<room {
            table.bind(index, to: index % 7 + 1, at: morning + Int64(index / 1000))
        }
        // Limit: two full buckets are met less than once in 20 million times.
        #expect(table.count >= room - 2 && table.evictions <= 2)
        #expect((1...7).map { table.bound(to: serverID($0)) }.reduce(0, +) == table.count)

        let newcomers = 200_000
        let evictions = table.evictions
        for index in room..<room + newcomers {
            table.bind(index, to: 8, at: morning + Int64(index / 1000))
        }
        #expect(table.count <= room && table.bound(to: serverID(8)) >= newcomers * 999 / 1000)
        #expect((newcomers - 2...newcomers + 10).contains(table.evictions - evictions))

        // By tenths of their age: how many of each are gone.
        var gone = [Int](repeating: 0, count: 10)
        for index in 0..<room where table.find(clientKey(index), now: morning) == nil {
            gone[index / (room / 10)] += 1
        }
        // A perfect order would take the first two tenths and nothing else.
        #expect(gone[0] >= 97_500, "\(gone)")
        #expect(gone[..<3].reduce(0, +) >= 195_000, "\(gone)")
        #expect(gone[5...].reduce(0, +) <= 500, "\(gone)")
    }
}
