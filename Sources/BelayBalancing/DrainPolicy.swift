package import BelayCore

/// A server that is being emptied: since when, until when at the latest, and how fast.
///
/// While it runs or is paused the server takes no newcomers and keeps its bound clients; at a rate,
/// which only makes sense where every server can read every session, these move with their next
/// requests. It ends by itself when nobody is left, and at the deadline for whoever still is.
package struct Drain: Equatable, Sendable {
    package enum Cause: String, Sendable, Codable {
        /// Somebody asked for it.
        case command
        /// The server was taken out of the settings.
        case removal
    }

    package let cause: Cause
    package let began: UnixTime
    /// Clients that were bound when it began.
    package let boundAtStart: Int
    package private(set) var deadline: UnixTime
    /// Bound clients that move in a second; nil: they stay until the deadline.
    package private(set) var rate: Double?
    /// Nobody moves and no deadline comes meanwhile; newcomers stay away all the same.
    package private(set) var pausedAt: UnixTime?
    /// From when on its pace is taken, and how many clients were bound then.
    package private(set) var paceSince: UnixTime
    package private(set) var paceBound: Int

    package init(
        cause: Cause,
        began: UnixTime,
        bound: Int,
        deadline: UnixTime,
        rate: Double? = nil
    ) {
        self.cause = cause
        self.began = began
        self.boundAtStart = bound
        self.deadline = deadline
        self.rate = rate
        self.paceSince = began
        self.paceBound = bound
    }

    /// One that a process before this one began, and this one goes on with.
    package init(
        cause: Cause,
        began: UnixTime,
        boundAtStart: Int,
        deadline: UnixTime,
        rate: Double?,
        pausedAt: UnixTime?,
        pace: (since: UnixTime, bound: Int)
    ) {
        self.cause = cause
        self.began = began
        self.boundAtStart = boundAtStart
        self.deadline = deadline
        self.rate = rate
        self.pausedAt = pausedAt
        self.paceSince = pace.since
        self.paceBound = pace.bound
    }

    // MARK: Phases

    package enum Phase: String, Sendable, Codable, CaseIterable {
        /// Then comes any other.
        case running
        /// Until it goes on: `running`.
        case paused
        /// Nobody is bound to the server any more, and nothing runs there. A client that comes
        /// back late makes it `running` again.
        case empty
        /// The deadline has come: who is still bound moves. For good, unless the deadline is moved.
        case over
    }

    /// How far it is, with so many clients bound to the server and so many requests open there,
    /// WebSockets and tunnels among them. Where not all who are bound can be counted, it is never
    /// known to be empty.
    package func phase(bound: Int, open: Int, countsAll: Bool = true, now: UnixTime) -> Phase {
        if self.pausedAt == nil, now >= self.deadline { return .over }
        if countsAll && bound == 0 && open == 0 { return .empty }
        return self.pausedAt == nil ? .running : .paused
    }

    /// Stops the time.
    package mutating func pause(now: UnixTime) {
        if self.pausedAt == nil { self.pausedAt = now }
    }

    /// Goes on: the deadline comes as much later as the pause was long.
    package mutating func resume(bound: Int, now: UnixTime) {
        guard let paused = self.pausedAt else { return }
        self.pausedAt = nil
        let pause = Swift.max(0, now.seconds - paused.seconds)
        self.deadline = UnixTime(seconds: self.deadline.seconds + pause)
        self.takePace(bound: bound, now: now)
    }

    /// Another deadline; of a drain that is paused the time goes on to stand still.
    package mutating func setDeadline(_ deadline: UnixTime, now: UnixTime) {
        self.deadline = deadline
        if self.pausedAt != nil { self.pausedAt = now }
    }

    /// Another rate; nil: bound clients stay from now on.
    package mutating func setRate(_ rate: Double?, bound: Int, now: UnixTime) {
        guard rate != self.rate else { return }
        self.rate = rate
        self.takePace(bound: bound, now: now)
    }

    private mutating func takePace(bound: Int, now: UnixTime) {
        self.paceSince = now
        self.paceBound = bound
    }

    // MARK: Progress

    /// How many clients would lose their session if the drain ended now: all that are bound, where
    /// their server alone can read it.
    package func losing(bound: Int, sessionsAreShared: Bool) -> Int {
        sessionsAreShared ? 0 : bound
    }

    // Limit: what a shorter time says of the pace is chance.
    private static let paceAfter: Int64 = 10

    /// When it will be done, as far as can be said; never after the deadline. Nil while it is
    /// paused.
    ///
    /// It goes on at the pace that it has had, once that is known: so many clients that left in so
    /// many seconds; though never faster than the rate allows. Before, a rate is believed, and
    /// without one, or where not all who are bound can be counted, only the deadline is sure.
    package func expectedEnd(bound: Int, countsAll: Bool = true, now: UnixTime) -> UnixTime? {
        guard self.pausedAt == nil else { return nil }
        guard countsAll else { return self.deadline }
        guard bound > 0 else { return now }
        guard now < self.deadline else { return self.deadline }
        var seconds = self.rate.map { Double(bound) / $0 }
        let (gone, span) = (self.paceBound - bound, now.seconds - self.paceSince.seconds)
        if gone > 0, span >= Self.paceAfter {
            let atThisPace = Double(bound) * Double(span) / Double(gone)
            seconds = Swift.max(seconds ?? 0, atThisPace)
        }
        let left = Double(self.deadline.seconds - now.seconds)
        guard let seconds, seconds < left else { return self.deadline }
        return UnixTime(seconds: now.seconds + Int64(seconds.rounded(.up)))
    }
}
