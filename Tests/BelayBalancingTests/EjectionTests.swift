import BelayBalancing
import BelayCore
import Testing

/// The life of a server that fails, with a clock moved by hand: what happened after so many
/// seconds, and what it changed.
@Suite struct EjectionTests {
    enum Event {
        case fails(times: Int)
        case answers
    }

    struct Step {
        let second: Int64
        let event: Event
        let change: HealthChange?
        let health: Health

        init(
            _ second: Int64,
            _ event: Event,
            _ change: HealthChange?,
            _ health: Health
        ) {
            self.second = second
            self.event = event
            self.change = change
            self.health = health
        }
    }

    @Test(arguments: [
        // Five failures within ten seconds; its first answer after its time is over returns it.
        [
            Step(0, .fails(times: 4), nil, .up),
            Step(6, .fails(times: 1), .ejected(.seconds(10)), .ejected),
            Step(16, .answers, .returned, .up),
            Step(17, .fails(times: 4), nil, .up),
            // Forgiven after ten seconds in which it was up.
            Step(30, .fails(times: 5), .ejected(.seconds(10)), .ejected),
        ],
        // Too few, or too far apart.
        [
            Step(0, .fails(times: 4), nil, .up),
            Step(1, .answers, nil, .up),
            Step(11, .fails(times: 4), nil, .up),
            Step(22, .fails(times: 4), nil, .up),
        ],
        // On probation the first failure is enough, and the time doubles.
        [
            Step(0, .fails(times: 5), .ejected(.seconds(10)), .ejected),
            Step(10, .fails(times: 1), .ejected(.seconds(20)), .ejected),
            Step(30, .fails(times: 1), .ejected(.seconds(40)), .ejected),
            Step(70, .fails(times: 1), .ejected(.seconds(60)), .ejected),
            Step(130, .fails(times: 1), .ejected(.seconds(60)), .ejected),
            Step(200, .answers, .returned, .up),
            // Up for 30 s: not long enough to be forgiven the last one.
            Step(230, .fails(times: 5), .ejected(.seconds(60)), .ejected),
            Step(290, .answers, .returned, .up),
            // Up for 60 + 60 + 60 + 40 s and some: four of six are forgiven, the third follows.
            Step(520, .fails(times: 5), .ejected(.seconds(40)), .ejected),
        ],
        // Requests that were under way when it was ejected change nothing.
        [
            Step(0, .fails(times: 5), .ejected(.seconds(10)), .ejected),
            Step(1, .fails(times: 9), nil, .ejected),
            Step(9, .answers, nil, .ejected),
            Step(10, .answers, .returned, .up),
            Step(10, .answers, nil, .up),
            // None of the failures before counts any more.
            Step(11, .fails(times: 4), nil, .up),
        ],
    ])
    func `a server that fails`(steps: [Step]) {
        let table = self.table(4, EjectionPolicy(ejectMax: .seconds(60)))
        let start = Instant(nanoseconds: 5_000_000_000_000)
        for step in steps {
            let now = start + .seconds(step.second)
            var change: HealthChange?
            switch step.event {
            case .answers: change = table.requestSucceeded(2, at: now)
            case .fails(let times):
                for _ in 0..<times { change = table.requestFailed(2, at: now) ?? change }
            }
            #expect(change == step.change, "at \(step.second) s")
            #expect(table.health(2, at: now) == step.health, "at \(step.second) s")
        }
        #expect(table.health(1, at: start) == .up)
    }

    @Test func `ejections and failures are counted`() {
        let table = self.table(3, EjectionPolicy())
        let now = Instant(nanoseconds: 1)
        for _ in 0..<7 { _ = table.requestFailed(1, at: now) }
        #expect(table.failures(1) == 7)
        #expect(table.ejections(1) == 1)
        #expect(table.ejectedUntil(1, at: now) == now + .seconds(10))
        #expect(table.ejectedUntil(1, at: now + .seconds(10)) == nil)
        #expect(table.ejectedUntil(0, at: now) == nil)
    }

    @Test(arguments: [(1, 0.5, 0), (2, 1.0, 1), (4, 0.5, 2), (4, 0.1, 1), (4, 0.0, 0), (6, 1.0, 5)])
    func `when all servers fail, some stay in use`(count: Int, share: Double, expected: Int) {
        let table = self.table(count, EjectionPolicy(ejectShare: share))
        let now = Instant(nanoseconds: 1)
        for server in 0..<count {
            for _ in 0..<20 { _ = table.requestFailed(server, at: now) }
        }
        #expect(self.ejected(table, now) == expected)
    }

    @Test func `a server that was not ejected for want of a place is, once there is one`() {
        let table = self.table(2, EjectionPolicy())
        var now = Instant(nanoseconds: 1)
        for server in 0..<2 {
            for _ in 0..<5 { _ = table.requestFailed(server, at: now) }
        }
        #expect(table.health(1, at: now) == .up)
        // The first one's time is over: nobody has noticed yet, but its place is free.
        now = now + .seconds(10)
        for _ in 0..<5 { _ = table.requestFailed(1, at: now) }
        #expect(table.health(0, at: now) == .up)
        #expect(table.health(1, at: now) == .ejected)
        // It is still on probation, but the last one that is left.
        #expect(table.requestFailed(0, at: now) == nil)
        #expect(table.health(0, at: now) == .up)
        #expect(table.requestSucceeded(0, at: now) == .returned)
    }

    @Test func `servers that take no clients do not count as left`() {
        let table = self.table(4, EjectionPolicy(ejectShare: 1))
        table.setAdminState(.maintenance, 0)
        table.setWeight(.zero, 1)
        let now = Instant(nanoseconds: 1)
        for server in 2..<4 {
            for _ in 0..<5 { _ = table.requestFailed(server, at: now) }
        }
        #expect(self.ejected(table, now) == 1)
    }

    @Test func `all workers leave a server alone as soon as one has ejected it`() {
        let table = self.table(3, EjectionPolicy())
        let now = Instant(nanoseconds: 1)
        let other = table.view(at: now + .seconds(1))
        #expect(other.passOver(1) == .no)
        for _ in 0..<5 { _ = table.requestFailed(1, at: now) }
        #expect(other.passOver(1) == .ejected)
    }

    @Test func `of workers that see it at the same time one ejects, and the limit holds`() async {
        for round in 0..<20 {
            let table = self.table(8, EjectionPolicy(ejectShare: 0.5))
            let now = Instant(nanoseconds: Int64(round) * 1_000_000)
            let reported = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        var reported = 0
                        for number in 0..<400
                        where table.requestFailed(number % 8, at: now) != nil {
                            reported += 1
                        }
                        return reported
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(reported == 4)
            #expect(self.ejected(table, now) == 4)
            #expect((0..<8).map(table.ejections).reduce(0, +) == 4)
        }
    }

    @Test func `workers that come back to returned servers at the same time keep the limit`() async
    {
        let table = self.table(8, EjectionPolicy(ejectShare: 0.5))
        var now = Instant(nanoseconds: 1)
        for _ in 0..<200 {
            now = now + .seconds(1)
            let moment = now
            await withTaskGroup(of: Void.self) { group in
                for worker in 0..<4 {
                    group.addTask {
                        for number in 0..<40 {
                            let server = (number * 3 + worker) % 8
                            if (number + worker) % 5 == 0 {
                                _ = table.requestSucceeded(server, at: moment)
                            } else {
                                _ = table.requestFailed(server, at: moment)
                            }
                        }
                    }
                }
            }
            #expect(self.ejected(table, now) <= 4)
        }
    }

    private func table(_ count: Int, _ policy: EjectionPolicy) -> ServerPoolTable {
        ServerPoolTable(
            weights: weights(Array(repeating: 1, count: count)),
            openMax: Array(repeating: 0, count: count),
            ejection: policy
        )
    }

    private func ejected(_ table: ServerPoolTable, _ now: Instant) -> Int {
        (0..<table.count).filter { table.health($0, at: now) == .ejected }.count
    }
}
