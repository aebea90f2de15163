/// A point on the monotonic clock. Policies receive it; none of them reads a clock.
@usableFromInline
package struct Instant: Comparable, Hashable, Sendable {
    /// Nanoseconds since an arbitrary start that is fixed while the process lives.
    @usableFromInline package var nanoseconds: Int64

    @inlinable
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Later than every other instant: "no deadline".
    @inlinable
    package static var distantFuture: Instant { Instant(nanoseconds: .max) }

    @inlinable
    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates at `distantFuture`.
    @inlinable
    package static func + (instant: Instant, span: TimeSpan) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(span.nanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }

    @inlinable
    package static func - (later: Instant, earlier: Instant) -> TimeSpan {
        TimeSpan(nanoseconds: later.nanoseconds &- earlier.nanoseconds)
    }
}

/// A length of time in one machine word: `Duration` has 128 bits, which the hot path does not want.
@usableFromInline
package struct TimeSpan: Comparable, Hashable, Sendable {
    @usableFromInline package var nanoseconds: Int64

    @inlinable
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    @inlinable
    package static var zero: TimeSpan { TimeSpan(nanoseconds: 0) }

    @inlinable
    package static func microseconds(_ count: Int64) -> TimeSpan {
        TimeSpan(nanoseconds: count * 1_000)
    }

    @inlinable
    package static func milliseconds(_ count: Int64) -> TimeSpan {
        TimeSpan(nanoseconds: count * 1_000_000)
    }

    @inlinable
    package static func seconds(_ count: Int64) -> TimeSpan {
        TimeSpan(nanoseconds: count * 1_000_000_000)
    }

    @inlinable
    package static func minutes(_ count: Int64) -> TimeSpan { .seconds(count * 60) }

    @inlinable
    package static func hours(_ count: Int64) -> TimeSpan { .seconds(count * 3_600) }

    @inlinable
    package var microseconds: Int64 { self.nanoseconds / 1_000 }
    @inlinable
    package var milliseconds: Int64 { self.nanoseconds / 1_000_000 }
    @inlinable
    package var seconds: Double { Double(self.nanoseconds) / 1e9 }

    @inlinable
    package static func < (left: TimeSpan, right: TimeSpan) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    @inlinable
    package static func + (left: TimeSpan, right: TimeSpan) -> TimeSpan {
        TimeSpan(nanoseconds: left.nanoseconds + right.nanoseconds)
    }

    @inlinable
    package static func * (span: TimeSpan, factor: Int64) -> TimeSpan {
        let (product, overflow) = span.nanoseconds.multipliedReportingOverflow(by: factor)
        return TimeSpan(nanoseconds: overflow ? .max : product)
    }
}

/// Seconds since 1970 on the wall clock: what a cookie that outlives the process has to carry.
@usableFromInline
package struct UnixTime: Comparable, Hashable, Sendable {
    @usableFromInline package var seconds: Int64

    @inlinable
    package init(seconds: Int64) { self.seconds = seconds }

    @inlinable
    package static func < (left: UnixTime, right: UnixTime) -> Bool {
        left.seconds < right.seconds
    }
}
