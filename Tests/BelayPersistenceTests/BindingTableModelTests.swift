import BelayCore
import BelayPersistence
import Testing

/// Random calls, with a clock that is moved by hand, beside a dictionary that does the same.
@Suite struct BindingTableModelTests {
    /// What the table promises, without its bound.
    private struct Model {
        var entries: [Int: TableEntry] = [:]
        var expirations = 0
        let idle: Int64 = 300
        let lifetime: Int64 = 2000

        mutating func look(_ index: Int, _ now: UnixTime) -> TableFinding {
            guard let entry = self.entries[index] else { return .absent }
            if now.seconds - entry.renewed.seconds > self.idle {
                self.drop(index)
                return .expiredIdle(entry)
            }
            if now.seconds - entry.issued.seconds > self.lifetime {
                self.drop(index)
                return .expiredLifetime(entry)
            }
            return .bound(entry)
        }

        private mutating func drop(_ index: Int) {
            self.entries[index] = nil
            self.expirations += 1
        }

        mutating func write(
            _ index: Int,
            _ old: TableEntry?,
            server: ServerID,
            renewed: UnixTime,
            isMarked: Bool
        ) {
            self.entries[index] = TableEntry(
                key: clientKey(index),
                kind: old?.kind ?? .applicationCookie,
                serverID: server,
                issued: old?.issued ?? renewed,
                renewed: renewed,
                isMarked: isMarked
            )
        }

        mutating func bind(
            _ index: Int,
            _ server: ServerID,
            _ now: UnixTime,
            ifAbsent: Bool
        ) -> BindOutcome {
            guard case .bound(let old) = self.look(index, now) else {
                self.write(index, nil, server: server, renewed: now, isMarked: false)
                return .created(evicted: false)
            }
            if old.serverID == server {
                self.write(index, old, server: server, renewed: now, isMarked: old.isMarked)
                return .renewed
            }
            if ifAbsent { return .kept(at: old.serverID) }
            self.write(index, old, server: server, renewed: now, isMarked: false)
            return .moved(from: old.serverID)
        }
    }

    @Test(arguments: 1...20)
    func `the table does what a dictionary does`(seed: Int) throws {
        var draws = Draws(seed: UInt64(seed))
        var model = Model()
        let table = try BindingTable(
            entriesMax: 4000,
            times: BindingTimes(idle: .seconds(300), lifetime: .seconds(2000))
        )
        var now = morning
        for step in 0..<20_000 {
            if draws.below(10) == 0 { now = now + Int64(draws.below(12)) }
            let index = draws.below(1500)
            let key = clientKey(index)
            let server = serverID(draws.below(40) + 1)
            switch draws.below(12) {
            case 0...2:
                #expect(table.look(key, now: now) == model.look(index, now), "step \(step)")
            case 3...4:
                let isBound = table.touch(key, now: now)
                guard case .bound(let old) = model.look(index, now) else {
                    #expect(!isBound)
                    break
                }
                #expect(isBound)
                let (server, isMarked) = (old.serverID, old.isMarked)
                model.write(index, old, server: server, renewed: now, isMarked: isMarked)
            case 5...8:
                let ifAbsent = draws.below(3) == 0
                let outcome = table.bind(
                    key,
                    .applicationCookie,
                    to: server,
                    issued: now,
                    now: now,
                    ifAbsent: ifAbsent
                )
                #expect(outcome == model.bind(index, server, now, ifAbsent: ifAbsent))
            case 9:
                let old = model.entries[index]
                let isAlive = old.map {
                    now.seconds - $0.renewed.seconds <= 300
                        && now.seconds - $0.issued.seconds <= 2000
                }
                #expect(table.move(key, to: server, now: now) == (isAlive ?? false))
                if let old, isAlive == true {
                    let renewed = old.renewed
                    model.write(index, old, server: server, renewed: renewed, isMarked: false)
                }
            case 10:
                let old = model.entries[index]
                #expect(table.mark(key) == (old != nil))
                if let old {
                    let (server, renewed) = (old.serverID, old.renewed)
                    model.write(index, old, server: server, renewed: renewed, isMarked: true)
                }
            default:
                #expect(table.forget(key) == (model.entries.removeValue(forKey: index) != nil))
            }
        }
        self.compare(table, &model, now: now)
    }

    private func compare(_ table: BindingTable, _ model: inout Model, now: UnixTime) {
        #expect(table.count == model.entries.count)
        #expect(table.expirations == model.expirations && table.evictions == 0)
        for server in 1...40 {
            let want = model.entries.values.count { $0.serverID == serverID(server) }
            #expect(table.bound(to: serverID(server)) == want)
        }
        var alive: Set<TableEntry> = []
        for index in model.entries.keys {
            if case .bound(let entry) = model.look(index, now) { alive.insert(entry) }
        }
        #expect(Set(table.all(now: now)) == alive)
        table.sweepAll(now: now)
        #expect(table.count == alive.count && table.expirations == model.expirations)
    }
}
