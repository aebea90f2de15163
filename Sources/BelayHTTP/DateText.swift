package import BelayCore

/// A date as HTTP writes it (IMF-fixdate, RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
/// A worker makes one each second and writes it into every answer that lacks a date.
package struct DateText: Sendable {
    // 29 bytes, always: the year has four digits.
    private var storage: InlineArray<29, UInt8>

    /// The second that it tells.
    package let time: UnixTime

    /// Times before 1970 or after 9999 become the nearest time within.
    package init(_ time: UnixTime) {
        // Limit: 253,402,300,799 is the last second of the year 9999.
        let seconds = Swift.min(Swift.max(time.seconds, 0), 253_402_300_799)
        self.time = time
        self.storage = InlineArray(repeating: UInt8(ascii: " "))
        let days = seconds / 86_400
        let clock = seconds % 86_400
        let date = Self.date(ofDay: days)
        // 1 January 1970 was a Thursday.
        self.write(name: Self.weekdays[Int((days + 4) % 7)], at: 0)
        self.storage[3] = UInt8(ascii: ",")
        self.write(date.day, at: 5)
        self.write(name: Self.months[Int(date.month - 1)], at: 8)
        self.write(date.year / 100, at: 12)
        self.write(date.year % 100, at: 14)
        self.write(clock / 3_600, at: 17)
        self.storage[19] = UInt8(ascii: ":")
        self.write(clock / 60 % 60, at: 20)
        self.storage[22] = UInt8(ascii: ":")
        self.write(clock % 60, at: 23)
        self.storage[26] = UInt8(ascii: "G")
        self.storage[27] = UInt8(ascii: "M")
        self.storage[28] = UInt8(ascii: "T")
    }

    package var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { self.storage.span }
    }

    private mutating func write(_ value: Int64, at offset: Int) {
        self.storage[offset] = 0x30 | UInt8(truncatingIfNeeded: value / 10)
        self.storage[offset + 1] = 0x30 | UInt8(truncatingIfNeeded: value % 10)
    }

    /// Writes three letters, which `name` holds as a number.
    private mutating func write(name: UInt32, at offset: Int) {
        self.storage[offset] = UInt8(truncatingIfNeeded: name >> 16)
        self.storage[offset + 1] = UInt8(truncatingIfNeeded: name >> 8)
        self.storage[offset + 2] = UInt8(truncatingIfNeeded: name)
    }

    /// `Sun` to `Sat`.
    private static let weekdays: InlineArray<7, UInt32> = [
        0x53_75_6E, 0x4D_6F_6E, 0x54_75_65, 0x57_65_64, 0x54_68_75, 0x46_72_69, 0x53_61_74,
    ]

    /// `Jan` to `Dec`.
    private static let months: InlineArray<12, UInt32> = [
        0x4A_61_6E, 0x46_65_62, 0x4D_61_72, 0x41_70_72, 0x4D_61_79, 0x4A_75_6E,
        0x4A_75_6C, 0x41_75_67, 0x53_65_70, 0x4F_63_74, 0x4E_6F_76, 0x44_65_63,
    ]

    /// The civil date of a day counted from 1 January 1970, by the proleptic Gregorian calendar
    /// (Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        // Years that begin in March put the leap day last; eras of 400 years have 146,097 days.
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month,
            dayOfYear - (153 * march + 2) / 5 + 1
        )
    }
}
