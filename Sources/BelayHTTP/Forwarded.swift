import BelayBytes

// The Forwarded field (RFC 7239 §4), read strictly: elements between commas, pairs between
// semicolons, each `token=value`. White space is let pass around both separators, because proxies
// write it there; nowhere else.

/// What comes next in a Forwarded field.
enum ForwardedPiece: Equatable {
    /// A quoted value is without its quotes, and still with its escapes.
    case pair(name: Range<Int>, value: Range<Int>, isQuoted: Bool)
    /// A comma: what follows is another proxy's.
    case nextElement
    case end
    case malformed
}

/// Reads a Forwarded field from left to right.
struct ForwardedScanner {
    private var cursor: Int
    private let end: Int
    /// A pair was read, and no separator since.
    private var needsSeparator = false

    init(_ range: Range<Int>) {
        self.cursor = range.lowerBound
        self.end = range.upperBound
    }

    mutating func next(in bytes: borrowing Span<UInt8>) -> ForwardedPiece {
        while true {
            self.skipSpace(in: bytes)
            guard self.cursor < self.end else { return .end }
            switch bytes[self.cursor] {
            case UInt8(ascii: ","):
                self.cursor &+= 1
                self.needsSeparator = false
                return .nextElement
            case UInt8(ascii: ";"):
                // An empty pair is allowed.
                self.cursor &+= 1
                self.needsSeparator = false
            default:
                guard !self.needsSeparator else { return self.fail() }
                self.needsSeparator = true
                return self.pair(in: bytes)
            }
        }
    }

    private mutating func pair(in bytes: borrowing Span<UInt8>) -> ForwardedPiece {
        let name = self.token(in: bytes)
        guard !name.isEmpty, self.cursor < self.end, bytes[self.cursor] == UInt8(ascii: "=") else {
            return self.fail()
        }
        self.cursor &+= 1
        guard self.cursor < self.end, bytes[self.cursor] == UInt8(ascii: "\"") else {
            let value = self.token(in: bytes)
            return value.isEmpty ? self.fail() : .pair(name: name, value: value, isQuoted: false)
        }
        self.cursor &+= 1
        let start = self.cursor
        while self.cursor < self.end {
            let byte = bytes[self.cursor]
            self.cursor &+= 1
            if byte == UInt8(ascii: "\"") {
                return .pair(name: name, value: start..<self.cursor &- 1, isQuoted: true)
            }
            // An escape takes the next byte as it is, even a quote.
            if byte == UInt8(ascii: "\\") { self.cursor &+= 1 }
        }
        return self.fail()
    }

    /// Nothing after a mistake can be told apart.
    private mutating func fail() -> ForwardedPiece {
        self.cursor = self.end
        return .malformed
    }

    private mutating func token(in bytes: borrowing Span<UInt8>) -> Range<Int> {
        let start = self.cursor
        while self.cursor < self.end, ByteClass.token.contains(bytes[self.cursor]) {
            self.cursor &+= 1
        }
        return start..<self.cursor
    }

    private mutating func skipSpace(in bytes: borrowing Span<UInt8>) {
        while self.cursor < self.end, isSpace(bytes[self.cursor]) { self.cursor &+= 1 }
    }
}

/// One proxy's words in a Forwarded field.
struct ForwardedElement {
    /// Without quotes.
    private(set) var node: Range<Int>?
    private(set) var nodeIsQuoted = false
    private(set) var proto: Range<Int>?

    /// Nil if `range` is not exactly one element, or says `for` or `proto` twice.
    init?(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) {
        var scanner = ForwardedScanner(range)
        while true {
            switch scanner.next(in: bytes) {
            case .end: return
            case .malformed, .nextElement: return nil
            case .pair(let name, let value, let isQuoted):
                if bytes.isEqual(name, toLowercase: "for") {
                    guard self.node == nil else { return nil }
                    self.node = value
                    self.nodeIsQuoted = isQuoted
                } else if bytes.isEqual(name, toLowercase: "proto") {
                    guard self.proto == nil else { return nil }
                    self.proto = value
                }
            }
        }
    }
}

/// The elements of a comma-separated field from right to left, the nearest proxy's first, empty
/// ones left out. What a client wrote stands at the left: an open quote there cannot swallow what
/// proxies appended.
struct ListElementsBackwards {
    private let start: Int
    private var end: Int
    /// Commas in quoted strings are text.
    private let hasQuotes: Bool

    init(_ range: Range<Int>, hasQuotes: Bool) {
        self.start = range.lowerBound
        // One past an imagined comma after the last element.
        self.end = range.upperBound &+ 1
        self.hasQuotes = hasQuotes
    }

    mutating func next(in bytes: borrowing Span<UInt8>) -> Range<Int>? {
        while self.end > self.start {
            let upper = self.end &- 1
            var index = upper
            while index > self.start, bytes[index &- 1] != UInt8(ascii: ",") {
                index &-= 1
                if self.hasQuotes, bytes[index] == UInt8(ascii: "\"") {
                    index = self.openingQuote(before: index, in: bytes)
                }
            }
            self.end = index
            let element = bytes.trimmed(index..<upper)
            if !element.isEmpty { return element }
        }
        return nil
    }

    /// The quote that opens the string whose closing one is at `closing`; the start if none does.
    private func openingQuote(before closing: Int, in bytes: borrowing Span<UInt8>) -> Int {
        var index = closing
        while index > self.start {
            index &-= 1
            guard bytes[index] == UInt8(ascii: "\"") else { continue }
            var escapes = index
            while escapes > self.start, bytes[escapes &- 1] == UInt8(ascii: "\\") {
                escapes &-= 1
            }
            // An even number of backslashes escape each other.
            if (index &- escapes) & 1 == 0 { return index }
            index = escapes
        }
        return self.start
    }
}
