package import BelayBytes

// Values by which a client is known again, found where they stand in a head.

extension FieldList {
    /// The first line whose name is `name`, which is in lower case. For names that Belay has no id
    /// for, Authorization included.
    package func first(
        named name: InternedText,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) -> FieldLine? {
        let wanted = name.bytes
        for index in 0..<self.count {
            let line = self[index]
            let place = line.name
            guard place.count == wanted.count else { continue }
            var isSame = true
            for offset in 0..<wanted.count
            where lowercased(bytes[start &+ place.lowerBound &+ offset]) != wanted[offset] {
                isSame = false
                break
            }
            if isSame { return line }
        }
        return nil
    }
}

extension RequestHead {
    /// Where the query stands in `bytes`, behind its `?`; empty without one.
    package func query(in bytes: borrowing Span<UInt8>, from start: Int) -> Range<Int> {
        let path = self.path.moved(by: start)
        for index in path where bytes[index] == UInt8(ascii: "?") {
            return index &+ 1..<path.upperBound
        }
        return path.upperBound..<path.upperBound
    }

    /// Where the path stands in `bytes`, without its query.
    package func pathOnly(in bytes: borrowing Span<UInt8>, from start: Int) -> Range<Int> {
        let path = self.path.moved(by: start)
        for index in path where bytes[index] == UInt8(ascii: "?") {
            return path.lowerBound..<index
        }
        return path
    }
}

/// Where the token stands in the value of a field: behind `Bearer `, in whichever case, if that is
/// in front (RFC 6750 §2.1).
package func bearerToken(_ value: Range<Int>, in bytes: borrowing Span<UInt8>) -> Range<Int> {
    let start = value.lowerBound &+ 7
    guard start <= value.upperBound,
        bytes.isEqual(value.lowerBound..<start &- 1, toLowercase: "bearer"),
        bytes[start &- 1] == UInt8(ascii: " ")
    else { return value }
    var first = start
    while first < value.upperBound, bytes[first] == UInt8(ascii: " ") { first &+= 1 }
    return first..<value.upperBound
}

/// Whether the request is for a page that somebody looks at (Fetch Metadata: Sec-Fetch-Mode). Of a
/// client that does not say so, every request may be.
package func isNavigation(
    _ fields: borrowing FieldList,
    in bytes: borrowing Span<UInt8>,
    from start: Int
) -> Bool {
    guard let line = fields.first(named: fetchMode, in: bytes, from: start) else { return true }
    return bytes.isEqual(line.value.moved(by: start), toLowercase: "navigate")
}

private let fetchMode = InternedText("sec-fetch-mode")

/// The value of a Set-Cookie field, taken apart as browsers do (RFC 6265 §5.2).
package struct SetCookieText {
    let name: Range<Int>
    package let value: Range<Int>
    /// Where the attributes begin.
    let rest: Int

    /// Nil for a line that sets nothing.
    package init?(_ line: borrowing Span<UInt8>) {
        let end = line.firstIndex(of: UInt8(ascii: ";"), from: 0) ?? line.count
        guard let equals = line.firstIndex(of: UInt8(ascii: "="), from: 0), equals < end else {
            return nil
        }
        self.name = trimmed(0..<equals, in: line)
        self.value = trimmed(equals &+ 1..<end, in: line)
        self.rest = end
        if self.name.isEmpty { return nil }
    }

    package func isNamed(
        _ name: borrowing Span<UInt8>,
        in line: borrowing Span<UInt8>
    ) -> Bool {
        line.isEqual(self.name, to: name, 0..<name.count) && self.name.count == name.count
    }

    /// Whether the line takes the cookie away: no value, Max-Age of 0 or less, or an Expires of the
    /// years before 2000, which is how it is done everywhere.
    package func isRemoved(in line: borrowing Span<UInt8>) -> Bool {
        if self.value.isEmpty { return true }
        var start = self.rest &+ 1
        var isOver = false
        while start < line.count {
            let end = line.firstIndex(of: UInt8(ascii: ";"), from: start) ?? line.count
            let part = trimmed(start..<end, in: line)
            start = end &+ 1
            guard let equals = line.firstIndex(of: UInt8(ascii: "="), from: part.lowerBound),
                equals < part.upperBound
            else { continue }
            let name = trimmed(part.lowerBound..<equals, in: line)
            let value = trimmed(equals &+ 1..<part.upperBound, in: line)
            if line.isEqual(name, toLowercase: "max-age"), let isPast = isPast(value, in: line) {
                // It counts more than Expires.
                return isPast
            }
            if line.isEqual(name, toLowercase: "expires"), Self.isLongAgo(value, in: line) {
                isOver = true
            }
        }
        return isOver
    }

    /// Whether a Max-Age is 0 or less; nil for what is none.
    private func isPast(_ value: Range<Int>, in line: borrowing Span<UInt8>) -> Bool? {
        guard let first = value.first else { return nil }
        if line[first] == UInt8(ascii: "-") { return true }
        guard isDigit(line[first]) else { return nil }
        for index in value where line[index] != UInt8(ascii: "0") { return false }
        return true
    }

    /// `19xx` somewhere in a date: no clock is asked.
    private static func isLongAgo(_ date: Range<Int>, in line: borrowing Span<UInt8>) -> Bool {
        var index = date.lowerBound
        while index &+ 4 <= date.upperBound {
            if line[index] == UInt8(ascii: "1"), line[index &+ 1] == UInt8(ascii: "9"),
                isDigit(line[index &+ 2]), isDigit(line[index &+ 3]),
                index == date.lowerBound || !isDigit(line[index &- 1])
            {
                return true
            }
            index &+= 1
        }
        return false
    }
}

private func trimmed(_ range: Range<Int>, in line: borrowing Span<UInt8>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, isSpace(line[start]) { start &+= 1 }
    while end > start, isSpace(line[end &- 1]) { end &-= 1 }
    return start..<end
}

extension ByteWriter {
    /// Writes a Set-Cookie line whose value gets the server's word in front, if it is the cookie
    /// `name` and it sets a value. False, and nothing written, if it is another line.
    mutating func append(
        setCookie line: FieldLine,
        named name: InternedText,
        prefix: InternedText,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) -> Bool {
        let text = bytes.extracting(line.value.moved(by: start))
        guard let cookie = SetCookieText(text), cookie.isNamed(name.bytes, in: text),
            !cookie.value.isEmpty
        else { return false }
        self.append(bytes, line.name.moved(by: start))
        self.append(": ")
        self.append(text, 0..<cookie.value.lowerBound)
        self.append(prefix.bytes)
        self.append(text, cookie.value.lowerBound..<text.count)
        self.append("\r\n")
        return true
    }

    /// Writes a Cookie line whose cookies `name` lose what stands before the separator in their
    /// values, which is the server's word. False, and nothing written, where none has it.
    mutating func append(
        cookieLine line: FieldLine,
        named name: InternedText,
        withoutPrefixBefore separator: UInt8,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) -> Bool {
        let text = bytes.extracting(line.value.moved(by: start))
        let before = self.count
        var copied = 0
        var place = 0
        while let value = cookieValue(named: name.bytes, in: text, from: &place) {
            guard let end = text.firstIndex(of: separator, from: value.lowerBound),
                end < value.upperBound
            else { continue }
            if copied == 0 {
                self.append(bytes, line.name.moved(by: start))
                self.append(": ")
            }
            self.append(text, copied..<value.lowerBound)
            copied = end &+ 1
        }
        guard copied > 0 else {
            self.truncate(to: before)
            return false
        }
        self.append(text, copied..<text.count)
        self.append("\r\n")
        return true
    }
}
