package import BelayBytes
package import BelayCore
package import BelayCrypto

/// A claim of a bearer token (RFC 7519), such as `sub`: the user goes back to its server on
/// whichever device.
///
/// Without a key the token is believed as it stands: then a client can choose whose server it goes
/// to, and no more than that. With a key only tokens count that it signed and that have not
/// expired.
package struct JWTClaimBinding: Sendable {
    package let claim: InternedText
    /// Where the token stands, in lower case; in Authorization behind `Bearer `.
    package let header: InternedText
    package let hasher: KeyHasher
    /// Nil: signatures are not looked at.
    package let key: JWTKey?

    // Limit: tokens are a few hundred bytes; a longer one is no token here.
    package static let tokenMax = 8 * 1024

    package init(claim: String, header: String, hasher: KeyHasher, key: JWTKey?) {
        self.claim = InternedText(claim)
        self.header = InternedText(header.lowercased())
        self.hasher = hasher
        self.key = key
    }

    /// The claim of a token, as its text; nil: it has none, or is not believed. Allocates: the
    /// caller remembers tokens that it has seen.
    package func value(of token: borrowing Span<UInt8>, now: UnixTime) -> [UInt8]? {
        guard token.count <= Self.tokenMax,
            let first = token.firstIndex(of: UInt8(ascii: "."), from: 0),
            let second = token.firstIndex(of: UInt8(ascii: "."), from: first &+ 1),
            token.firstIndex(of: UInt8(ascii: "."), from: second &+ 1) == nil,
            let payload = Self.decoded(token.extracting(first &+ 1..<second))
        else { return nil }
        if let key {
            guard let header = Self.decoded(token.extracting(0..<first)),
                let algorithm = JSONText.string("alg", in: header),
                algorithm == Array("\(key.algorithm.name)".utf8),
                let signature = Self.decoded(token.extracting(second &+ 1..<token.count)),
                key.verifies(signature, of: token.extracting(0..<second))
            else { return nil }
            // What is there and is no time is no reason to believe it for ever.
            switch JSONText.member("exp", in: payload) {
            case nil: break
            case .number(let end): if end <= now.seconds { return nil }
            case .string, .other: return nil
            }
            switch JSONText.member("nbf", in: payload) {
            case nil: break
            // Limit: clocks may differ by so much.
            case .number(let begin): if begin > now.seconds + 60 { return nil }
            case .string, .other: return nil
            }
        }
        if let text = JSONText.string(self.claim.text, in: payload) { return text }
        return JSONText.number(self.claim.text, in: payload).map { Array("\($0)".utf8) }
    }

    private static func decoded(_ text: borrowing Span<UInt8>) -> [UInt8]? {
        guard text.count > 0, text.count % 4 != 1 else { return nil }
        let count = text.count / 4 * 3 + (text.count % 4 == 0 ? 0 : text.count % 4 - 1)
        var bytes = [UInt8](repeating: 0, count: count)
        var span = bytes.mutableSpan
        return Base64URL.decode(text, into: &span) ? bytes : nil
    }
}

/// Members of a JSON object at its top level, as far as a token needs them. What is no proper JSON
/// has none.
enum JSONText {
    /// A string member, with its escapes undone where they are simple ones; nil for others.
    static func string(_ name: String, in bytes: [UInt8]) -> [UInt8]? {
        var reader = Reader(bytes)
        guard reader.find(name), case .string(let text)? = reader.value() else { return nil }
        return text
    }

    /// A whole number.
    static func number(_ name: String, in bytes: [UInt8]) -> Int64? {
        var reader = Reader(bytes)
        guard reader.find(name), case .number(let number)? = reader.value() else { return nil }
        return number
    }

    /// A member, whatever it is; nil: there is none.
    static func member(_ name: String, in bytes: [UInt8]) -> Value? {
        var reader = Reader(bytes)
        return reader.find(name) ? reader.value() ?? .other : nil
    }

    enum Value {
        case string([UInt8])
        case number(Int64)
        case other
    }

    private struct Reader {
        let bytes: [UInt8]
        var place = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        /// Goes to the value of a member of the outermost object.
        mutating func find(_ name: String) -> Bool {
            let wanted = Array(name.utf8)
            self.skipSpace()
            guard self.take("{") else { return false }
            self.skipSpace()
            if self.take("}") { return false }
            while true {
                self.skipSpace()
                guard let key = self.text() else { return false }
                self.skipSpace()
                guard self.take(":") else { return false }
                self.skipSpace()
                if key == wanted { return true }
                guard self.value() != nil else { return false }
                self.skipSpace()
                guard self.take(",") else { return false }
            }
        }

        mutating func value() -> Value? {
            guard self.place < self.bytes.count else { return nil }
            switch self.bytes[self.place] {
            case UInt8(ascii: "\""): return self.text().map { .string($0) }
            case UInt8(ascii: "{"), UInt8(ascii: "["): return self.skipNested() ? .other : nil
            default: return self.word()
            }
        }

        private mutating func word() -> Value? {
            let start = self.place
            while self.place < self.bytes.count,
                !",}] \t\r\n".utf8.contains(self.bytes[self.place])
            {
                self.place += 1
            }
            guard self.place > start else { return nil }
            let text = String(decoding: self.bytes[start..<self.place], as: UTF8.self)
            if let number = Int64(text) { return .number(number) }
            // `1.7e9` is a time as well.
            if let number = Double(text), abs(number) < 9e15 { return .number(Int64(number)) }
            return ["true", "false", "null"].contains(text) ? .other : nil
        }

        private mutating func text() -> [UInt8]? {
            guard self.take("\"") else { return nil }
            var text: [UInt8] = []
            while self.place < self.bytes.count {
                let byte = self.bytes[self.place]
                self.place += 1
                switch byte {
                case UInt8(ascii: "\""): return text
                case UInt8(ascii: "\\"):
                    guard self.place < self.bytes.count else { return nil }
                    let escaped = self.bytes[self.place]
                    self.place += 1
                    switch escaped {
                    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
                        text.append(escaped)
                    // Others stay as they are spelled: the text only has to be the same each time.
                    default: text += [byte, escaped]
                    }
                case 0..<0x20: return nil
                default: text.append(byte)
                }
            }
            return nil
        }

        private mutating func skipNested() -> Bool {
            var depth = 0
            while self.place < self.bytes.count {
                switch self.bytes[self.place] {
                case UInt8(ascii: "\""):
                    guard self.text() != nil else { return false }
                    continue
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    depth -= 1
                    if depth == 0 {
                        self.place += 1
                        return true
                    }
                default: break
                }
                self.place += 1
            }
            return false
        }

        private mutating func skipSpace() {
            while self.place < self.bytes.count, " \t\r\n".utf8.contains(self.bytes[self.place]) {
                self.place += 1
            }
        }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard self.place < self.bytes.count, self.bytes[self.place] == UInt8(ascii: character)
            else { return false }
            self.place += 1
            return true
        }
    }
}
