import BelayCore
import BelayTransport
import Testing

@Suite struct TimerWheelTests {
    /// The wheel's tick: 2^24 ns.
    private static let tick: Int64 = 1 << 24

    private func at(_ ticks: Double) -> Instant {
        Instant(nanoseconds: Int64(ticks * Double(Self.tick)))
    }

    /// What the wheel gives out at `now`, in its order.
    private func expired(_ wheel: inout TimerWheel, at now: Instant) -> [Int] {
        var slots: [Int] = []
        while let slot = wheel.popExpired(now: now) { slots.append(slot) }
        return slots
    }

    /// What is done to slot 0 of a wheel that begins at tick 0.
    enum Step: Sendable {
        case set(Double)
        case remove
        case setNone
        /// The clock moves there; whether the slot expires.
        case look(Double, Bool)
    }

    @Test(
        arguments: [
            (
                "is not early, and at most a tick late",
                [.set(3), .look(2.9, false), .look(4, true)]
            ),
            ("expires once", [.set(3), .look(5, true), .look(6, false)]),
            ("in the past expires at the next tick", [.set(-7), .look(1, true)]),
            (
                "moves later",
                [.set(3), .set(9), .look(5, false), .look(8.9, false), .look(10, true)]
            ),
            ("moves earlier", [.set(90), .set(3), .look(2, false), .look(4, true)]),
            (
                "moves later and back",
                [.set(3), .set(90), .set(5), .look(4, false), .look(6, true)]
            ),
            ("is removed", [.set(3), .remove, .look(9, false)]),
            (
                "is taken out with no deadline",
                [.set(3), .setNone, .look(9, false), .set(10), .look(11, true)]
            ),
            ("is set anew after it expired", [.set(3), .look(4, true), .set(5), .look(6, true)]),
            ("is set anew after it was removed", [.set(9), .remove, .set(3), .look(4, true)]),
            ("lies a whole turn ahead", [.set(4096), .look(4095, false), .look(4097, true)]),
            (
                "lies beyond the horizon",
                [.set(9000), .look(4096, false), .look(8999, false), .look(9001, true)]
            ),
            (
                "lies far beyond, and the clock jumps",
                [.set(50_000), .look(49_999, false), .look(50_001, true)]
            ),
            ("was passed by a jump of many turns", [.set(3), .look(1_000_000, true)]),
            (
                "in a bucket of an earlier turn waits",
                [.set(5000), .look(905, false), .look(5001, true)]
            ),
        ] as [(String, [Step])]
    )
    func `a deadline`(what: String, steps: [Step]) {
        var wheel = TimerWheel(slots: 1, now: self.at(0))
        for step in steps {
            switch step {
            case .set(let ticks): wheel.set(0, self.at(ticks))
            case .remove: wheel.remove(0)
            case .setNone: wheel.set(0, .distantFuture)
            case .look(let ticks, let expires):
                #expect(
                    self.expired(&wheel, at: self.at(ticks)) == (expires ? [0] : []),
                    "\(what): at tick \(ticks)"
                )
            }
        }
    }

    @Test func `slots with equal deadlines all expire at once`() {
        var wheel = TimerWheel(slots: 500, now: self.at(0))
        for slot in 0..<500 { wheel.set(slot, self.at(7)) }
        wheel.remove(0)
        wheel.remove(250)
        wheel.set(499, self.at(8.5))
        #expect(self.expired(&wheel, at: self.at(6)).isEmpty)
        #expect(
            Set(self.expired(&wheel, at: self.at(8))) == Set(1..<499).subtracting([250])
        )
        #expect(self.expired(&wheel, at: self.at(9)) == [499])
    }

    @Test func `after a jump within the horizon the earliest tick comes first`() {
        var wheel = TimerWheel(slots: 100, now: self.at(0))
        for slot in 0..<100 { wheel.set(slot, self.at(Double((slot * 37) % 100 * 40 + 1))) }
        let order = self.expired(&wheel, at: self.at(4095))
        #expect(order.count == 100)
        #expect(order == order.sorted { ($0 * 37) % 100 < ($1 * 37) % 100 })
    }

    @Test func `an empty wheel need not be looked at`() {
        var wheel = TimerWheel(slots: 2, now: self.at(0))
        #expect(wheel.nextWake() == nil)
        wheel.set(1, self.at(5))
        #expect(wheel.nextWake() != nil)
        wheel.remove(1)
        #expect(wheel.nextWake() == nil)
    }

    /// A model: the deadlines as they were set, and nothing clever.
    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8])
    func `a wheel agrees with a plain list of deadlines`(seed: UInt64) {
        let slots = 40
        var random = RandomSource(seed: seed)
        var now = self.at(Double(random.below(100_000)))
        var wheel = TimerWheel(slots: slots, now: now)
        var model: [Int64?] = Array(repeating: nil, count: slots)
        // A deadline that is past when it is set is due from then on.
        var due: [Int64] = Array(repeating: 0, count: slots)
        for _ in 0..<4000 {
            let slot = random.below(slots)
            switch random.below(8) {
            case 0:
                wheel.remove(slot)
                model[slot] = nil
            case 1:
                wheel.set(slot, .distantFuture)
                model[slot] = nil
            case 2, 3, 4, 5:
                // Mostly near, sometimes past, now and then beyond the horizon.
                let reach = [20, 400, 4096, 30_000][random.below(4)]
                let span = Int64(random.below(reach)) * Self.tick + Int64(random.below(1 << 24))
                let deadline = now.nanoseconds + span - 2 * Self.tick
                wheel.set(slot, Instant(nanoseconds: deadline))
                model[slot] = deadline
                due[slot] = Swift.max(deadline, now.nanoseconds)
            default:
                let reach = [2, 30, 500, 9000][random.below(4)]
                now.nanoseconds += Int64(random.below(reach)) * Self.tick + 12_345
                let got = self.expired(&wheel, at: now)
                for slot in got {
                    #expect((model[slot] ?? .max) <= now.nanoseconds, "slot \(slot) is early")
                    model[slot] = nil
                }
                // What the wheel keeps back is at most one tick over its time.
                for slot in 0..<slots where model[slot] != nil {
                    #expect(due[slot] > now.nanoseconds - Self.tick, "slot \(slot) is late")
                }
            }
            if let earliest = model.compactMap({ $0 }).min() {
                let wake = wheel.nextWake()
                #expect(wake != nil)
                #expect(
                    (wake?.nanoseconds ?? .max) <= Swift.max(earliest, now.nanoseconds) + Self.tick
                )
            }
        }
    }
}
