import BelayBalancing
import BelayCore
import Testing

@Suite struct ServerPoolTableTests {
    private let start = Instant(nanoseconds: 100_000_000_000)

    @Test func `what a person sets is kept apart`() {
        let table = ServerPoolTable(
            weights: weights([1, 256, 0]),
            openMax: [0, 7, Int(UInt32.max)],
            ejection: EjectionPolicy()
        )
        table.setAdminState(.draining, 1)
        #expect((0..<3).map { Int(table.weight($0).rawValue) } == [1, 256, 0])
        #expect((0..<3).map(table.openMax) == [0, 7, Int(UInt32.max)])
        #expect((0..<3).map(table.adminState) == [.ready, .draining, .ready])
        table.setWeight(.one, 1)
        table.setOpenMax(9, 1)
        table.setAdminState(.maintenance, 1)
        #expect(table.weight(1) == .one)
        #expect(table.openMax(1) == 9)
        #expect(table.adminState(1) == .maintenance)
    }

    @Test func `a copy is the same table`() {
        let table = self.table(2)
        let copy = table
        #expect(table.requestOpened(1))
        table.connectionOpened(1)
        table.requestRetried(1)
        #expect(copy.openRequests(1) == 1)
        #expect(copy.requests(1) == 1)
        #expect(copy.connections(1) == 1)
        #expect(copy.retries(1) == 1)
        copy.requestClosed(1)
        copy.connectionClosed(1)
        #expect(table.openRequests(1) == 0)
        #expect(table.requests(1) == 1)
        #expect(table.connections(1) == 0)
    }

    @Test func `a server takes as many requests as it may have`() {
        let table = ServerPoolTable(
            weights: weights([1]),
            openMax: [2],
            ejection: EjectionPolicy()
        )
        #expect(table.requestOpened(0))
        #expect(table.passOver(0, at: self.start, tried: TriedServers()) == .no)
        #expect(table.requestOpened(0))
        #expect(table.passOver(0, at: self.start, tried: TriedServers()) == .full)
        #expect(!table.requestOpened(0))
        #expect(table.openRequests(0) == 2)
        #expect(table.requests(0) == 2)
        table.requestClosed(0)
        #expect(table.requestOpened(0))
    }

    struct Case: CustomTestStringConvertible {
        var admin = AdminState.ready
        var weight = 1
        var isEjected = false
        var isFull = false
        var isTried = false
        let new: PassOver
        let bound: PassOver

        var testDescription: String { "\(self.new), bound \(self.bound)" }
    }

    @Test(arguments: [
        Case(new: .no, bound: .no),
        Case(admin: .draining, new: .draining, bound: .no),
        Case(admin: .maintenance, new: .maintenance, bound: .maintenance),
        Case(weight: 0, new: .weightZero, bound: .no),
        Case(isEjected: true, new: .ejected, bound: .ejected),
        Case(isFull: true, new: .full, bound: .full),
        Case(isTried: true, new: .tried, bound: .tried),
        // What a person set comes first, then what traffic found.
        Case(admin: .draining, weight: 0, isEjected: true, new: .draining, bound: .ejected),
        Case(
            admin: .maintenance,
            isEjected: true,
            isTried: true,
            new: .maintenance,
            bound: .maintenance
        ),
        Case(isEjected: true, isFull: true, isTried: true, new: .ejected, bound: .ejected),
        Case(isFull: true, isTried: true, new: .full, bound: .full),
    ])
    func `why a server is passed over`(given: Case) {
        let table = self.table(3)
        if given.isEjected {
            for _ in 0..<5 { _ = table.requestFailed(1, at: self.start) }
        }
        table.setAdminState(given.admin, 1)
        table.setWeight(Weight(given.weight) ?? .one, 1)
        if given.isFull {
            #expect(table.requestOpened(1))
            table.setOpenMax(1, 1)
        }
        var tried = TriedServers()
        if given.isTried { tried.insert(1) }
        #expect(table.passOver(1, at: self.start, tried: tried) == given.new)
        #expect(table.passOverBound(1, at: self.start, tried: tried) == given.bound)
        #expect(table.view(at: self.start, tried: tried).passOver(1) == given.new)
        #expect(table.passOver(0, at: self.start, tried: tried) == .no)
    }

    @Test func `a view shows what the table holds`() {
        let table = self.table(2)
        #expect(table.requestOpened(1))
        table.answered(1, after: .milliseconds(3), at: self.start)
        let view = table.view(at: self.start)
        #expect(view.count == 2)
        #expect(view.weight(1) == .one)
        #expect(view.openRequests(1) == 1)
        #expect(view.latency(1, at: self.start) == .milliseconds(3))
        #expect(view.latency(0, at: self.start) == .zero)
    }

    @Test func `sixteen servers may be tried, and no more`() {
        var tried = TriedServers()
        #expect(!tried.contains(0))
        for server in 0..<16 {
            for _ in 0..<2 {
                let hasRoom = tried.insert(server * 1_000)
                #expect(hasRoom)
            }
        }
        let hasRoom = tried.insert(99)
        #expect(!hasRoom)
        #expect(tried.count == 16)
        #expect((0..<16).allSatisfy { tried.contains($0 * 1_000) })
        #expect(!tried.contains(1))
    }

    @Test func `workers that count at the same time lose nothing and exceed no limit`() async {
        let table = ServerPoolTable(
            weights: weights([1, 1]),
            openMax: [3, 0],
            ejection: EjectionPolicy()
        )
        let overruns = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var overruns = 0
                    for _ in 0..<5_000 {
                        #expect(table.requestOpened(1))
                        guard table.requestOpened(0) else { continue }
                        // Four workers: each may be about to give its place up again.
                        if table.openRequests(0) > 3 + 3 { overruns += 1 }
                        table.requestClosed(0)
                    }
                    return overruns
                }
            }
            return await group.reduce(0, +)
        }
        #expect(overruns == 0)
        #expect(table.openRequests(0) == 0)
        #expect(table.openRequests(1) == 20_000)
        #expect(table.requests(1) == 20_000)
    }

    private func table(_ count: Int) -> ServerPoolTable {
        ServerPoolTable(
            weights: weights(Array(repeating: 1, count: count)),
            openMax: Array(repeating: 0, count: count),
            ejection: EjectionPolicy()
        )
    }
}
