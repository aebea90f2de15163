package import BelayCore

/// Times and rates as people write them in a command line or a query.
package enum CommandText {
    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3_600e9), ("d", 86_400e9),
    ]
    // Limit: ten years; longer is a slip of the hand.
    private static let spanMax = 3_650 * 86_400e9
    // Limit: no Belay answers so many requests.
    private static let rateMax = 1e6

    /// `30m`, `1.5h`, `90` (seconds).
    package static func span(_ text: String) -> TimeSpan? {
        let unit = self.units.first { text.hasSuffix($0.name) }
        let digits = text.dropLast(unit?.name.count ?? 0)
        guard let number = decimal(digits) else { return nil }
        let nanoseconds = number * (unit?.nanoseconds ?? 1e9)
        guard nanoseconds <= self.spanMax else { return nil }
        return TimeSpan(nanoseconds: Int64(nanoseconds))
    }

    /// `50/s`, `50`, `0.5`.
    package static func rate(_ text: String) -> Double? {
        let digits = text.hasSuffix("/s") ? text.dropLast(2) : text[...]
        guard let number = decimal(digits), number <= self.rateMax else { return nil }
        return number
    }
}

/// Digits with at most one point between them, and nothing else.
private func decimal(_ text: Substring) -> Double? {
    guard let first = text.first, let last = text.last, first != ".", last != ".",
        text.utf8.allSatisfy({ (48...57).contains($0) || $0 == UInt8(ascii: ".") })
    else { return nil }
    return Double(text)
}
