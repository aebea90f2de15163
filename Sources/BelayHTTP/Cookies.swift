import BelayBytes

// The Cookie field (RFC 6265 §4.2, §5.4) as a balancer needs it: one cookie is found, and cut out
// before the request goes on. Pairs are told apart at `;` alone, because that is what browsers and
// servers agree on; quotes are part of the value. Linear in the length of the fields.

/// What a request presents under one cookie's name.
package struct CookieMatch: Equatable, Sendable {
    /// The first value, as offsets like the head's, without white space around it.
    package var value: Range<Int>?
    /// How many pairs have that name.
    package var count = 0
}

/// Finds the cookie `name`: exactly these bytes, case included.
package func findCookie(
    named name: borrowing Span<UInt8>,
    _ fields: borrowing FieldList,
    in bytes: borrowing Span<UInt8>,
    from start: Int
) -> CookieMatch {
    var match = CookieMatch()
    for index in 0..<fields.count {
        let line = fields[index]
        guard line.id == .cookie else { continue }
        let text = bytes.extracting(line.value.moved(by: start))
        var pairs = CookiePairs()
        while let pair = pairs.next(in: text) {
            guard let value = pair.value(ifNamed: name, in: text) else { continue }
            match.count &+= 1
            if match.value == nil { match.value = value.moved(by: line.value.lowerBound) }
        }
    }
    return match
}

/// The next value of the cookie `name` in one field, from `place` on, which moves behind it.
func cookieValue(
    named name: borrowing Span<UInt8>,
    in text: borrowing Span<UInt8>,
    from place: inout Int
) -> Range<Int>? {
    var pairs = CookiePairs(from: place)
    while let pair = pairs.next(in: text) {
        place = pair.range.upperBound &+ 1
        if let value = pair.value(ifNamed: name, in: text) { return value }
    }
    return nil
}

/// The first place of the cookie `name` in one field: the range of its piece of `text`.
func firstCookie(
    named name: borrowing Span<UInt8>,
    in text: borrowing Span<UInt8>
) -> Range<Int>? {
    var pairs = CookiePairs()
    while let pair = pairs.next(in: text) {
        if pair.value(ifNamed: name, in: text) != nil { return pair.range }
    }
    return nil
}

extension ByteWriter {
    /// Writes a Cookie field without the pairs called `name`, of which the first is the piece
    /// `first`; the others stay byte for byte as they are. Writes nothing when no other is left.
    mutating func append(
        cookieLine line: FieldLine,
        without name: borrowing Span<UInt8>,
        first: Range<Int>,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) {
        let text = bytes.extracting(line.value.moved(by: start))
        let before = self.count
        self.append(bytes, line.name.moved(by: start))
        self.append(": ")
        // What stands before the first of them, without the semicolon between.
        let kept = 0..<Swift.max(first.lowerBound &- 1, 0)
        var hasContent = false
        for index in kept where !isSpace(text[index]) && text[index] != UInt8(ascii: ";") {
            self.append(text, kept)
            hasContent = true
            break
        }
        var pairs = CookiePairs(from: first.upperBound &+ 1)
        while let pair = pairs.next(in: text) {
            if pair.value(ifNamed: name, in: text) != nil { continue }
            if hasContent {
                self.append(UInt8(ascii: ";"))
                self.append(text, pair.range)
            } else {
                // White space before the first pair would follow the colon's.
                let range = skipSpace(in: text, pair.range)..<pair.range.upperBound
                self.append(text, range)
                hasContent = !range.isEmpty
            }
        }
        if hasContent {
            self.append("\r\n")
        } else {
            self.truncate(to: before)
        }
    }
}

/// The pieces between the semicolons of a Cookie field's value, empty ones too.
private struct CookiePairs {
    private var cursor: Int

    init(from cursor: Int = 0) { self.cursor = cursor }

    @inline(__always)
    mutating func next(in text: borrowing Span<UInt8>) -> CookiePair? {
        guard self.cursor <= text.count else { return nil }
        let start = self.cursor
        let end = text.firstIndex(of: UInt8(ascii: ";"), from: start) ?? text.count
        self.cursor = end &+ 1
        return CookiePair(range: start..<end)
    }
}

/// One piece, with the white space around it.
private struct CookiePair {
    let range: Range<Int>

    /// The value, if the name is `name`. A piece without `=` has no name.
    @inline(__always)
    func value(
        ifNamed name: borrowing Span<UInt8>,
        in text: borrowing Span<UInt8>
    ) -> Range<Int>? {
        let end = self.range.upperBound
        let first = skipSpace(in: text, self.range)
        let afterName = first &+ name.count
        guard afterName < end, text.isEqual(first..<afterName, to: name, 0..<name.count) else {
            return nil
        }
        let equals = skipSpace(in: text, afterName..<end)
        guard equals < end, text[equals] == UInt8(ascii: "=") else { return nil }
        let valueStart = skipSpace(in: text, equals &+ 1..<end)
        var valueEnd = end
        while valueEnd > valueStart, isSpace(text[valueEnd &- 1]) { valueEnd &-= 1 }
        return valueStart..<valueEnd
    }
}

@inline(__always)
private func skipSpace(in text: borrowing Span<UInt8>, _ range: Range<Int>) -> Int {
    var index = range.lowerBound
    while index < range.upperBound, isSpace(text[index]) { index &+= 1 }
    return index
}

/// A space or a tab: the optional white space of RFC 9110 §5.6.3.
@inline(__always)
func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
