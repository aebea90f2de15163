package import BelayCore

/// What a server says of itself: words as HAProxy's agents have them, separated by white space or
/// commas: `75%`, `ready`, `drain`, `maint`, `up`, `down`, `fail`, `stopped`, `maxconn:30`. What
/// stands behind `#` is for people, and what stands behind the line's end for nobody.
package struct AgentWord: Equatable, Sendable, CustomStringConvertible {
    /// Nil: nothing was said of it.
    package var state: AdminState?
    /// The share of its weight that it wants, in percent; more than 100 is possible.
    package var percent: Int?
    /// Whether it calls itself up; nil: nothing was said.
    package var isUp: Bool?
    /// Requests that it takes at once; 0: any number.
    package var openMax: Int?
    /// The first word that is none of these, in letters that a log may show.
    package var unknown: String?

    // Limit: longer words are cut, and are none of those that are known.
    package static let wordMax = 64
    // Limit: a hundred times the weight is more than any weight can be.
    private static let percentMax = 25_600

    package init() {}

    package init(_ text: borrowing Span<UInt8>) {
        var word: [UInt8] = []
        for index in text.indices {
            let byte = text[index]
            if byte == UInt8(ascii: "#") || byte == 0x0A || byte == 0x0D { break }
            if byte == 0x20 || byte == 0x09 || byte == UInt8(ascii: ",") {
                self.note(word)
                word = []
            } else if word.count < Self.wordMax {
                word.append(Self.lowercase(byte))
            }
        }
        self.note(word)
    }

    /// In the words that it is read from.
    package var description: String {
        let state: String? =
            switch self.state {
            case .ready: "ready"
            case .draining: "drain"
            case .maintenance: "maint"
            case nil: nil
            }
        let words = [
            state, self.isUp.map { $0 ? "up" : "down" }, self.percent.map { "\($0)%" },
            self.openMax.map { "maxconn:\($0)" }, self.unknown,
        ]
        return words.compactMap(\.self).joined(separator: " ")
    }

    package var isEmpty: Bool { self == AgentWord() }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        guard byte > 0x20, byte < 0x7F else { return UInt8(ascii: "?") }
        return byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    private mutating func note(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        let word = String(decoding: bytes, as: UTF8.self)
        switch word {
        case "ready": self.state = .ready
        case "drain": self.state = .draining
        case "maint": self.state = .maintenance
        case "up": self.isUp = true
        case "down", "fail", "failed", "stopped": self.isUp = false
        default:
            if word.hasSuffix("%"), let number = Self.number(word.dropLast()) {
                self.percent = Swift.min(number, Self.percentMax)
            } else if word.hasPrefix("maxconn:"), let number = Self.number(word.dropFirst(8)) {
                self.openMax = number
            } else if self.unknown == nil {
                self.unknown = word
            }
        }
    }

    /// Digits alone, and not more than a limit of requests may be.
    private static func number(_ digits: Substring) -> Int? {
        guard digits.allSatisfy(\.isASCII), digits.allSatisfy(\.isWholeNumber),
            let number = UInt32(digits)
        else { return nil }
        return Int(number)
    }
}
