package import BelayCore

/// What active checks find about one server: so many bad results in a row take it down, so many
/// good ones bring it back. A value: results go in, a change comes out.
package struct CheckPolicy: Equatable, Sendable {
    package enum Change: Equatable, Sendable {
        case down
        case up
    }

    package let fall: Int
    package let rise: Int
    package private(set) var isDown: Bool
    /// Results in a row that speak against the present state.
    package private(set) var inRow = 0

    /// A server is taken for up until it is found down.
    package init(fall: Int, rise: Int, isDown: Bool = false) {
        precondition(fall >= 1 && rise >= 1, "a check that counts")
        self.fall = fall
        self.rise = rise
        self.isDown = isDown
    }

    /// The state is about to change, or a server that is down may come back at any moment: look
    /// more often.
    package var isUnsettled: Bool { self.inRow > 0 || self.isDown }

    package mutating func note(isGood: Bool) -> Change? {
        guard isGood == self.isDown else {
            self.inRow = 0
            return nil
        }
        self.inRow += 1
        guard self.inRow >= (self.isDown ? self.rise : self.fall) else { return nil }
        self.inRow = 0
        self.isDown.toggle()
        return self.isDown ? .down : .up
    }

    /// When to look again: a tenth sooner or later than the interval, so that several Belays don't
    /// fall into step. `draw` is a random number.
    package static func next(_ interval: TimeSpan, draw: UInt64) -> TimeSpan {
        let tenth = Swift.max(interval.nanoseconds / 10, 1)
        let offset = Int64(draw % UInt64(2 * tenth + 1)) - tenth
        return TimeSpan(nanoseconds: interval.nanoseconds + offset)
    }
}
