import BelayBytes
import BelayCore

/// The time that an HTTP date names, in the one form that is still sent (RFC 9110, section 5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`. Nil for all else. The weekday is not checked.
func httpDate(_ value: borrowing Span<UInt8>) -> UnixTime? {
    guard value.count == 29, value.isEqual(25..<29, to: " GMT"), value.isEqual(3..<5, to: ", "),
        value[7] == 0x20, value[11] == 0x20, value[16] == 0x20,
        value[19] == UInt8(ascii: ":"), value[22] == UInt8(ascii: ":"),
        let day = number(value, 5..<7), (1...31).contains(day),
        let month = month(value, 8..<11),
        let year = number(value, 12..<16), year >= 1970,
        let hour = number(value, 17..<19), hour < 24,
        let minute = number(value, 20..<22), minute < 60,
        let second = number(value, 23..<25), second <= 60
    else { return nil }
    let days = days(year: year, month: month, day: day)
    return UnixTime(seconds: Int64(((days * 24 + hour) * 60 + minute) * 60 + second))
}

private func number(_ value: borrowing Span<UInt8>, _ range: Range<Int>) -> Int? {
    var number = 0
    for index in range {
        let digit = value[index] &- 0x30
        if digit > 9 { return nil }
        number = number &* 10 &+ Int(digit)
    }
    return number
}

/// 1 to 12.
private func month(_ value: borrowing Span<UInt8>, _ range: Range<Int>) -> Int? {
    for month in 1...12 where value.isEqual(range, to: monthName(month)) { return month }
    return nil
}

private func monthName(_ month: Int) -> StaticString {
    switch month {
    case 1: "Jan"
    case 2: "Feb"
    case 3: "Mar"
    case 4: "Apr"
    case 5: "May"
    case 6: "Jun"
    case 7: "Jul"
    case 8: "Aug"
    case 9: "Sep"
    case 10: "Oct"
    case 11: "Nov"
    default: "Dec"
    }
}

/// Days since 1970 in the Gregorian calendar. Years begin in March here, so that the leap day is
/// the last of its year and the months before it have a pattern of 153 days in five.
private func days(year: Int, month: Int, day: Int) -> Int {
    let year = month <= 2 ? year - 1 : year
    let month = (month + 9) % 12
    let leapDays = year / 4 - year / 100 + year / 400
    // 719,468 days lie between the first of March of the year 0 and 1970.
    return year * 365 + leapDays + (153 * month + 2) / 5 + day - 1 - 719_468
}
