import BelayCore

// Numbers, times and sizes, and what people write in their place.

extension Scalar where Value == Int {
    /// A whole number within a range.
    static func integer(_ range: ClosedRange<Int>) -> Scalar {
        Scalar(
            "a whole number within \(range.lowerBound)...\(range.upperBound)",
            schema: [
                "type": "integer", "minimum": .integer(range.lowerBound),
                "maximum": .integer(range.upperBound),
            ],
            parse: { text, isPlain throws(Complaint) in
                guard let number = wholeNumber(text) else {
                    throw Complaint(suggestion: meantNumber(text, in: range))
                }
                guard isPlain else { throw Complaint("must stand without quotes") }
                guard range.contains(number) else { throw .otherKind }
                return number
            },
            encode: { .integer($0) }
        )
    }
}

extension Scalar where Value == Double {
    /// A number within a range.
    static func number(_ range: ClosedRange<Double>) -> Scalar {
        Scalar(
            "a number within \(shortest(range.lowerBound))...\(shortest(range.upperBound))",
            schema: [
                "type": "number", "minimum": .number(range.lowerBound),
                "maximum": .number(range.upperBound),
            ],
            parse: { text, isPlain throws(Complaint) in
                guard let number = decimalNumber(text) else {
                    let point = String(text.map { $0 == "," ? "." : $0 })
                    throw Complaint(suggestion: decimalNumber(point) == nil ? nil : point)
                }
                guard isPlain else { throw Complaint("must stand without quotes") }
                guard range.contains(number) else { throw .otherKind }
                return number
            },
            encode: { .number($0) }
        )
    }

    /// A part of a whole, as `50%`; the value is within 0...1.
    static let percentage = Scalar(
        "a percentage within 0%...100%",
        schema: ["type": "string", "pattern": "^(100|[1-9]?[0-9])%$"],
        parse: { text, _ throws(Complaint) in
            guard text.hasSuffix("%"), let number = wholeNumber(String(text.dropLast())) else {
                if let number = wholeNumber(text) { throw Complaint(suggestion: "\(number)%") }
                if let part = decimalNumber(text), part <= 1 {
                    throw Complaint(suggestion: "\(Int((part * 100).rounded()))%")
                }
                throw .otherKind
            }
            guard number <= 100 else { throw .otherKind }
            return Double(number) / 100
        },
        encode: { .string("\(Int(($0 * 100).rounded()))%") }
    )
}

/// A number without the `.0` of a whole one.
func shortest(_ number: Double) -> String {
    let text = "\(number)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}

/// Digits and nothing else, no zero in front: YAML would read `010` as eight.
private func wholeNumber(_ text: String) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy(isDigit), text == "0" || !text.hasPrefix("0") else {
        return nil
    }
    return Int(text)
}

/// Digits, perhaps a point and digits.
private func decimalNumber(_ text: String) -> Double? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isDigit) }), text.utf8.count < 20
    else { return nil }
    return Double(text)
}

/// The number that `100_000`, `100,000`, `1e5`, `+5`, `010` or `100k` probably is.
private func meantNumber(_ text: String, in range: ClosedRange<Int>) -> String? {
    var digits = text.filter { !"_,' ".contains($0) }
    if digits.hasPrefix("+") { digits.removeFirst() }
    var factor = 1
    if let last = digits.last?.lowercased(), let unit = ["k": 1_000, "m": 1_000_000][last] {
        factor = unit
        digits.removeLast()
    }
    if let exponent = digits.lowercased().split(separator: "e").last.flatMap({ Int($0) }),
        digits.lowercased().contains("e"), (0...9).contains(exponent)
    {
        digits = String(digits.lowercased().prefix { $0 != "e" })
        for _ in 0..<exponent { factor *= 10 }
    }
    while digits.count > 1, digits.hasPrefix("0") { digits.removeFirst() }
    if digits.hasSuffix(".0") { digits.removeLast(2) }
    guard let number = wholeNumber(digits) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    return !overflow && range.contains(product) ? String(product) : nil
}

func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

/// A number and what follows it.
private func split(_ text: String) -> (number: String, unit: String) {
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "_") }
    let unit = text.dropFirst(number.count).drop { $0 == " " }
    return (number.filter { $0 != "_" }, String(unit))
}

// MARK: - Times

private let timeUnits: [(name: String, nanoseconds: Int64)] = [
    ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
]

extension TimeSpan {
    /// The spelling in settings: one number and the largest unit that divides.
    var spelled: String {
        for unit in timeUnits.reversed()
        where self.nanoseconds % unit.nanoseconds == 0 && self.nanoseconds > 0 {
            return "\(self.nanoseconds / unit.nanoseconds)\(unit.name)"
        }
        return "\(self.nanoseconds / 1_000_000)ms"
    }

    /// Nil unless this is a whole number with one of the units.
    fileprivate init?(spelled text: String) {
        let (number, unit) = split(text)
        guard text == number + unit, let count = wholeNumber(number).map({ Int64($0) }),
            let scale = timeUnits.first(where: { $0.name == unit })
        else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: scale.nanoseconds)
        self.init(nanoseconds: overflow ? .max : product)
    }
}

extension Scalar where Value == TimeSpan {
    /// A time within a range.
    static func duration(_ range: ClosedRange<TimeSpan>) -> Scalar {
        let bounds = "\(range.lowerBound.spelled)...\(range.upperBound.spelled)"
        return Scalar(
            "a time within \(bounds)",
            schema: ["type": "string", "pattern": "^[1-9][0-9]*(ms|s|m|h|d)$"],
            parse: { text, _ throws(Complaint) in
                guard let time = TimeSpan(spelled: text) else {
                    if wholeNumber(text) != nil {
                        let meant = text == "0" ? nil : text + "s"
                        throw Complaint("has no unit (ms, s, m, h or d)", suggestion: meant)
                    }
                    throw Complaint(suggestion: meantTime(text).map(\.spelled))
                }
                guard range.contains(time) else { throw .otherKind }
                return time
            },
            encode: { .string($0.spelled) }
        )
    }
}

/// The time that `1m30s`, `1.5h`, `30 sec` or `2 minutes` probably is.
private func meantTime(_ text: String) -> TimeSpan? {
    let units: [String: Int64] = [
        "ms": 1_000_000, "msec": 1_000_000, "millis": 1_000_000, "milliseconds": 1_000_000,
        "s": 1_000_000_000, "sec": 1_000_000_000, "secs": 1_000_000_000,
        "second": 1_000_000_000, "seconds": 1_000_000_000,
        "m": 60_000_000_000, "min": 60_000_000_000, "mins": 60_000_000_000,
        "minute": 60_000_000_000, "minutes": 60_000_000_000,
        "h": 3_600_000_000_000, "hr": 3_600_000_000_000, "hour": 3_600_000_000_000,
        "hours": 3_600_000_000_000,
        "d": 86_400_000_000_000, "day": 86_400_000_000_000, "days": 86_400_000_000_000,
        "w": 604_800_000_000_000, "week": 604_800_000_000_000, "weeks": 604_800_000_000_000,
    ]
    var rest = text.lowercased()[...]
    var sum = 0.0
    guard text.utf8.count < 64 else { return nil }
    while !rest.isEmpty {
        let (number, tail) = split(String(rest))
        let unit = tail.prefix { $0.isLetter }
        guard let count = decimalNumber(number), let scale = units[String(unit)] else {
            return nil
        }
        sum += count * Double(scale)
        rest = Substring(tail.dropFirst(unit.count).drop { $0 == " " })
    }
    // Whole milliseconds, and less than what a span can hold.
    guard sum >= 1_000_000, sum < 9e18 else { return nil }
    return .milliseconds(Int64((sum / 1_000_000).rounded()))
}

// MARK: - Sizes

private let sizeUnits: [(name: String, shift: Int)] = [
    ("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40),
]

extension ByteCount {
    /// The spelling in settings: one number and the largest unit that divides.
    var spelled: String {
        for unit in sizeUnits.reversed() {
            let count = self.bytes >> unit.shift
            if count > 0, count << unit.shift == self.bytes { return "\(count)\(unit.name)" }
        }
        return "0B"
    }

    fileprivate init?(spelled text: String) {
        let (number, unit) = split(text)
        guard text == number + unit, let count = wholeNumber(number),
            let scale = sizeUnits.first(where: { $0.name == unit })
        else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: 1 << scale.shift)
        self.init(bytes: overflow ? .max : product)
    }
}

extension Scalar where Value == ByteCount {
    /// A size within a range.
    static func size(_ range: ClosedRange<ByteCount>) -> Scalar {
        let bounds = "\(range.lowerBound.spelled)...\(range.upperBound.spelled)"
        return Scalar(
            "a size within \(bounds)",
            schema: ["type": "string", "pattern": "^[1-9][0-9]*([KMGT]i)?B$"],
            parse: { text, _ throws(Complaint) in
                guard let size = ByteCount(spelled: text) else {
                    if wholeNumber(text) != nil {
                        let meant = text == "0" ? nil : text + "B"
                        throw Complaint("has no unit (B, KiB, MiB or GiB)", suggestion: meant)
                    }
                    throw Complaint(suggestion: meantSize(text)?.spelled)
                }
                guard range.contains(size) else { throw .otherKind }
                return size
            },
            encode: { .string($0.spelled) }
        )
    }
}

/// The size that `32k`, `32KB`, `32 kib`, `1.5m` or `1024 bytes` probably is.
private func meantSize(_ text: String) -> ByteCount? {
    let (number, unit) = split(text)
    guard let count = decimalNumber(number) else { return nil }
    let shift: Int
    switch unit.lowercased() {
    case "b", "byte", "bytes": shift = 0
    case "k", "kb", "kib": shift = 10
    case "m", "mb", "mib": shift = 20
    case "g", "gb", "gib": shift = 30
    case "t", "tb", "tib": shift = 40
    default: return nil
    }
    let bytes = count * Double(1 << shift)
    guard bytes >= 1, bytes < 9e15 else { return nil }
    return ByteCount(bytes: Int(bytes.rounded()))
}
