import BelayBalancing
import BelayCore
import Testing

/// What results in a row make of a server.
@Suite struct CheckPolicyTests {
    struct Case: Sendable, CustomTestStringConvertible {
        /// `+` is a good result, `-` a bad one.
        let results: String
        /// For each result `d` down, `u` up, `.` no change; a capital letter or `:` when the next
        /// check comes at the fast interval.
        let changes: String
        var fall = 3
        var rise = 2

        var testDescription: String { "\(self.results), \(self.fall) and \(self.rise)" }
    }

    @Test(arguments: [
        Case(results: "++++", changes: "...."),
        Case(results: "--+--", changes: "::.::"),
        Case(results: "---", changes: "::D"),
        // A server that is down is looked at often, however long it takes.
        Case(results: "-----++", changes: "::D:::u"),
        Case(results: "---+-++", changes: "::D:::u"),
        Case(results: "-+-+", changes: "DuDu", fall: 1, rise: 1),
        Case(results: "--++-", changes: ":D:u:", fall: 2, rise: 2),
    ])
    func `results in a row change the state`(_ given: Case) {
        var policy = CheckPolicy(fall: given.fall, rise: given.rise)
        var changes = ""
        for result in given.results {
            let change = policy.note(isGood: result == "+")
            let isUnsettled = policy.isUnsettled
            switch change {
            case nil: changes += isUnsettled ? ":" : "."
            case .down: changes += isUnsettled ? "D" : "d"
            case .up: changes += isUnsettled ? "U" : "u"
            }
        }
        // Up again it is settled.
        #expect(changes == given.changes.replacing("U", with: "u"))
    }

    @Test func `a server may begin as down`() {
        var policy = CheckPolicy(fall: 1, rise: 2, isDown: true)
        #expect(policy.isUnsettled)
        #expect(policy.note(isGood: true) == nil)
        #expect(policy.note(isGood: true) == .up)
        #expect(!policy.isUnsettled)
    }

    @Test(arguments: [1, 10, 100_000_000, 2_000_000_000, 3_600_000_000_000])
    func `the time to the next check is a tenth more or less`(nanoseconds: Int64) {
        let tenth = max(nanoseconds / 10, 1)
        var random = RandomSource(seed: 7)
        var (least, most) = (Int64.max, Int64.min)
        for _ in 0..<10_000 {
            let time = CheckPolicy.next(
                TimeSpan(nanoseconds: nanoseconds),
                draw: random.next()
            ).nanoseconds
            least = min(least, time)
            most = max(most, time)
        }
        #expect(least >= nanoseconds - tenth && most <= nanoseconds + tenth)
        // The whole range is used.
        #expect(most - least >= tenth * 19 / 10)
    }
}
