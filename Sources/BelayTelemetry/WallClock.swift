package import BelayCore

/// Turns instants of the monotonic clock into the time of day, from the last time somebody read
/// both clocks.
package struct WallClock: Sendable {
    /// What to add to an instant to have nanoseconds since 1970.
    private var offset: Int64

    /// `unixNanoseconds` is what the wall clock showed at `instant`. Whoever owns one makes a new
    /// one about each second: then it follows the system's corrections.
    package init(unixNanoseconds: Int64, at instant: Instant) {
        self.offset = unixNanoseconds &- instant.nanoseconds
    }

    /// Nanoseconds since 1970.
    package func unixNanoseconds(at instant: Instant) -> Int64 {
        self.offset &+ instant.nanoseconds
    }
}

/// `2026-11-21T02:03:04.567Z` (RFC 3339), with all but the milliseconds kept for a second.
struct TimestampText: Sendable {
    private var second = Int64.min
    // Through the point: 20 bytes. The milliseconds and `Z` follow.
    private var storage = InlineArray<24, UInt8>(repeating: 0x30)

    var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { self.storage.span }
    }

    /// Times before 1970 or after 9999 become the nearest time within.
    mutating func set(unixNanoseconds: Int64) {
        // Limit: an Int64 of nanoseconds ends in the year 2262.
        let nanoseconds = max(unixNanoseconds, 0)
        let second = nanoseconds / 1_000_000_000
        if second != self.second { self.setSecond(second) }
        let milliseconds = (nanoseconds &- second &* 1_000_000_000) / 1_000_000
        self.storage[20] = digit(milliseconds / 100)
        self.storage[21] = digit(milliseconds / 10 % 10)
        self.storage[22] = digit(milliseconds % 10)
    }

    private mutating func setSecond(_ second: Int64) {
        self.second = second
        let (year, month, day) = civilDate(day: second / 86_400)
        let clock = second % 86_400
        self.setPair(year / 100, at: 0)
        self.setPair(year % 100, at: 2)
        self.storage[4] = UInt8(ascii: "-")
        self.setPair(month, at: 5)
        self.storage[7] = UInt8(ascii: "-")
        self.setPair(day, at: 8)
        self.storage[10] = UInt8(ascii: "T")
        self.setPair(clock / 3_600, at: 11)
        self.storage[13] = UInt8(ascii: ":")
        self.setPair(clock / 60 % 60, at: 14)
        self.storage[16] = UInt8(ascii: ":")
        self.setPair(clock % 60, at: 17)
        self.storage[19] = UInt8(ascii: ".")
        self.storage[23] = UInt8(ascii: "Z")
    }

    private mutating func setPair(_ value: Int64, at offset: Int) {
        self.storage[offset] = digit(value / 10)
        self.storage[offset + 1] = digit(value % 10)
    }
}

private func digit(_ value: Int64) -> UInt8 { 0x30 | UInt8(truncatingIfNeeded: value) }

/// The Gregorian date of a day counted from 1 January 1970. Runs once a second: walks over the
/// years and months, which needs no proof.
private func civilDate(day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    var rest = day
    var year: Int64 = 1970
    while rest >= dayCount(year: year) {
        rest -= dayCount(year: year)
        year += 1
    }
    var month: Int64 = 1
    while rest >= dayCount(month: month, year: year) {
        rest -= dayCount(month: month, year: year)
        month += 1
    }
    return (year, month, rest + 1)
}

private func isLeap(_ year: Int64) -> Bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

private func dayCount(year: Int64) -> Int64 { isLeap(year) ? 366 : 365 }

private func dayCount(month: Int64, year: Int64) -> Int64 {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: isLeap(year) ? 29 : 28
    default: 31
    }
}
