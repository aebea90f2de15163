import BelayBytes

/// The form of an answer of Belay's own.
package enum AnswerFormat: UInt8, Sendable, CaseIterable {
    /// `application/problem+json` (RFC 9457).
    case problem
    /// A page for people.
    case html
    case plain

    /// The one that a request's Accept fields prefer (RFC 9110 §12.5.1).
    ///
    /// The highest weight wins, then the more exact range, then this order: so a browser that
    /// opens a page gets the page, while `curl`, scripts and requests without Accept (`*/*` or
    /// nothing) get the problem, which programs and people can read. `application/json` takes
    /// the problem too. Who accepts none of the three gets plain text rather than a 406, which
    /// would hide what happened.
    package init(
        accepting fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) {
        var wishes = AcceptWishes()
        var hasAccept = false
        for index in 0..<fields.count where fields[index].id == .accept {
            hasAccept = true
            var elements = TokenList(fields[index].value.moved(by: start))
            while let element = elements.next(bytes) { wishes.add(element, in: bytes) }
        }
        self = hasAccept ? wishes.best : .problem
    }

    /// The value of Content-Type.
    var contentType: StaticString {
        switch self {
        case .problem: "application/problem+json"
        case .html: "text/html; charset=utf-8"
        case .plain: "text/plain; charset=utf-8"
        }
    }
}

/// What the ranges of Accept say about each format.
private struct AcceptWishes {
    private struct Wish {
        /// In thousandths; 0 is "not acceptable".
        var weight = 0
        /// 0: no range matched; 1 `*/*`, 2 `text/*`, 3 the type itself.
        var exactness = 0

        func isBelow(_ other: Wish) -> Bool {
            (self.weight, self.exactness) < (other.weight, other.exactness)
        }
    }

    private var problem = Wish()
    private var html = Wish()
    private var plain = Wish()

    var best: AnswerFormat {
        var best = AnswerFormat.problem
        var wish = self.problem
        if wish.isBelow(self.html) { (best, wish) = (.html, self.html) }
        if wish.isBelow(self.plain) { (best, wish) = (.plain, self.plain) }
        return wish.weight > 0 ? best : .plain
    }

    mutating func add(_ element: Range<Int>, in bytes: borrowing Span<UInt8>) {
        var typeEnd = element.lowerBound
        while typeEnd < element.upperBound, bytes[typeEnd] != UInt8(ascii: ";") { typeEnd += 1 }
        let type = bytes.trimmed(element.lowerBound..<typeEnd)
        guard let weight = Self.weight(typeEnd..<element.upperBound, in: bytes) else { return }
        if bytes.isEqual(type, to: "*/*") {
            Self.note(weight, exactness: 1, &self.problem)
            Self.note(weight, exactness: 1, &self.html)
            Self.note(weight, exactness: 1, &self.plain)
        } else if bytes.isEqual(type, toLowercase: "text/*") {
            Self.note(weight, exactness: 2, &self.html)
            Self.note(weight, exactness: 2, &self.plain)
        } else if bytes.isEqual(type, toLowercase: "application/*") {
            Self.note(weight, exactness: 2, &self.problem)
        } else if bytes.isEqual(type, toLowercase: "text/html")
            || bytes.isEqual(type, toLowercase: "application/xhtml+xml")
        {
            Self.note(weight, exactness: 3, &self.html)
        } else if bytes.isEqual(type, toLowercase: "text/plain") {
            Self.note(weight, exactness: 3, &self.plain)
        } else if bytes.isEqual(type, toLowercase: "application/problem+json")
            || bytes.isEqual(type, toLowercase: "application/json")
        {
            Self.note(weight, exactness: 3, &self.problem)
        }
    }

    /// The most exact range counts; of two as exact the heavier.
    private static func note(_ weight: Int, exactness: Int, _ wish: inout Wish) {
        if (wish.exactness, wish.weight) < (exactness, weight) || wish.exactness == 0 {
            wish = Wish(weight: weight, exactness: exactness)
        }
    }

    /// The weight among the parameters of a range, in thousandths: 1000 where there is none, nil
    /// where it cannot be read.
    private static func weight(_ parameters: Range<Int>, in bytes: borrowing Span<UInt8>) -> Int? {
        var cursor = parameters.lowerBound
        while cursor < parameters.upperBound {
            // At a semicolon.
            var end = cursor + 1
            while end < parameters.upperBound, bytes[end] != UInt8(ascii: ";") { end += 1 }
            let parameter = bytes.trimmed(cursor + 1..<end)
            cursor = end
            guard parameter.count >= 2, lowercased(bytes[parameter.lowerBound]) == 0x71,
                bytes[parameter.lowerBound + 1] == UInt8(ascii: "=")
            else { continue }
            return Self.thousandths(parameter.lowerBound + 2..<parameter.upperBound, in: bytes)
        }
        return 1_000
    }

    /// `0`, `0.5`, `1.000` (RFC 9110 §12.4.2).
    private static func thousandths(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) -> Int? {
        guard (1...5).contains(range.count), bytes[range.lowerBound] &- 0x30 < 2 else {
            return nil
        }
        var value = Int(bytes[range.lowerBound] &- 0x30)
        for place in 1...4 {
            let index = range.lowerBound + place
            if place == 1 {
                if index < range.upperBound, bytes[index] != UInt8(ascii: ".") { return nil }
                continue
            }
            var digit = 0
            if index < range.upperBound {
                guard bytes[index] &- 0x30 < 10 else { return nil }
                digit = Int(bytes[index] &- 0x30)
            }
            value = value * 10 + digit
        }
        return value <= 1_000 ? value : nil
    }
}
