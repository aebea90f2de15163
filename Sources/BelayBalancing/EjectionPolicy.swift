package import BelayCore

/// Passive failure marking: when live traffic says that a server should be left alone, for how
/// long, and how it comes back. The rules only; `ServerPoolTable` keeps the state and applies them.
///
/// up → (`failuresMax` failures within `window`) → ejected for `eject` → on probation, in use again
/// → its first answer makes it up, its first failure ejects it again, for twice as long each time
/// in a row until `ejectMax`. A server that is up is forgiven one ejection for each time that it
/// stays up as long as it was last ejected.
package struct EjectionPolicy: Equatable, Sendable {
    package let failuresMax: Int
    package let window: TimeSpan
    package let eject: TimeSpan
    package let ejectMax: TimeSpan
    package let ejectShare: Double

    /// - Parameters:
    ///   - failuresMax: so many failures within the window eject a server; 1 to 1,000.
    ///   - window: at least 8 ms.
    ///   - eject: how long the first time; at least 1 ns.
    ///   - ejectMax: how long at most.
    ///   - ejectShare: the share of a pool's servers that may be ejected at once. One may, unless
    ///     the share is 0, which switches ejection off; the last server that takes clients never.
    package init(
        failuresMax: Int = 5,
        window: TimeSpan = .seconds(10),
        eject: TimeSpan = .seconds(10),
        ejectMax: TimeSpan = .minutes(5),
        ejectShare: Double = 0.5
    ) {
        precondition((1...1_000).contains(failuresMax), "failures to eject a server")
        precondition(window >= .milliseconds(8), "a window too short to be cut in four")
        precondition(eject > .zero && ejectMax >= eject, "a time to eject a server for")
        precondition((0...1).contains(ejectShare), "a share of the servers")
        self.failuresMax = failuresMax
        self.window = window
        self.eject = eject
        self.ejectMax = ejectMax
        self.ejectShare = ejectShare
    }

    // Limit: the longest row that is remembered; doubled so often, any time has reached `ejectMax`.
    static let inRowMax = 32

    /// How long the n-th ejection in a row lasts, n from 1.
    package func span(inRow count: Int) -> TimeSpan {
        let doublings = Swift.min(Swift.max(count, 1), Self.inRowMax) - 1
        return Swift.min(self.eject * (1 << doublings), self.ejectMax)
    }

    /// What is left of a row of ejections after the server has been up for a time: each is forgiven
    /// in the time that it lasted, the last one first.
    package func inRow(_ count: Int, upFor time: TimeSpan) -> Int {
        var count = Swift.min(Swift.max(count, 0), Self.inRowMax)
        var rest = time.nanoseconds
        while count > 0 {
            rest -= self.span(inRow: count).nanoseconds
            if rest < 0 { break }
            count -= 1
        }
        return count
    }

    /// How many servers may be ejected at once, of a pool of so many, of which so many would take
    /// clients if none were ejected.
    package func ejectedMax(servers: Int, usable: Int) -> Int {
        guard self.ejectShare > 0 else { return 0 }
        let byShare = Swift.max(Int(self.ejectShare * Double(servers)), 1)
        return Swift.max(Swift.min(byShare, usable - 1), 0)
    }
}

/// The failures of a server in the last window, in one number, so that workers can share it as one
/// atomic: four counts for a quarter of the window each, and the quarter that the last is for.
///
/// The sum covers the quarter that runs and the three before it: all failures of the last three
/// quarters of the window, some of the quarter before, none that is older.
package struct FailureWindow: Equatable, Sendable {
    /// From high to low: the quarter's number (24 bits, going round), then four counts of 10 bits,
    /// the oldest first.
    package var bits: Int64

    // Limit: 10 bits hold the most failures that a policy may ask for.
    private static let countMax: Int64 = 1_023
    private static let countBits: Int64 = 10
    private static let countsMask: Int64 = (1 << 40) - 1
    private static let quarterMask: Int64 = (1 << 24) - 1

    package static let empty = FailureWindow(bits: 0)

    package init(bits: Int64) { self.bits = bits }

    /// With one more failure.
    package func adding(at now: Instant, window: TimeSpan) -> FailureWindow {
        let quarter = (now.nanoseconds / (window.nanoseconds / 4)) & Self.quarterMask
        let last = (self.bits >> 40) & Self.quarterMask
        // Numbers go round. A worker whose clock is a little behind counts in the last quarter.
        let passed = (quarter &- last) & Self.quarterMask
        let isBehind = passed > Self.quarterMask / 2
        let shifts = isBehind ? 0 : Swift.min(passed, 4)
        var counts = (self.bits & Self.countsMask) << (shifts * Self.countBits) & Self.countsMask
        if counts & Self.countMax < Self.countMax { counts += 1 }
        return FailureWindow(bits: (isBehind ? last : quarter) << 40 | counts)
    }

    /// The failures of the window that ended with the last one added.
    package var count: Int {
        var sum: Int64 = 0
        for place in 0..<Int64(4) {
            sum += self.bits >> (place * Self.countBits) & Self.countMax
        }
        return Int(sum)
    }
}

/// What a request's end changed about its server's health, for the log.
package enum HealthChange: Equatable, Sendable {
    /// It failed too often; left alone for this long.
    case ejected(TimeSpan)
    /// It answered again after it had been ejected.
    case returned
}
