/// A JSON value whose members keep their order: what the schema is made of, and the form in which
/// a setting's default is written down.
package indirect enum JSON: Sendable, Equatable {
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([Member])

    package struct Member: Sendable, Equatable {
        package var key: String
        package var value: JSON
    }
}

extension JSON: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
    ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
    package init(dictionaryLiteral members: (String, JSON)...) {
        self = .object(members.map(Member.init))
    }

    package init(arrayLiteral elements: JSON...) { self = .array(elements) }

    package init(stringLiteral value: String) { self = .string(value) }

    package init(integerLiteral value: Int) { self = .integer(value) }

    package init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension JSON {
    /// The same object with more members at its end.
    func adding(_ members: [Member]) -> JSON {
        guard case .object(let own) = self else { preconditionFailure("only objects have members") }
        return .object(own + members)
    }

    /// Whether this has members.
    var isObject: Bool {
        guard case .object = self else { return false }
        return true
    }

    /// The text of a file: indented by two spaces, short arrays on one line.
    package var text: String { self.text(indent: "") }

    private func text(indent: String) -> String {
        let inner = indent + "  "
        switch self {
        case .bool, .integer, .number, .string: return self.flow(colon: ": ", word: escaped)
        case .array(let elements):
            let line = self.flow(colon: ": ", word: escaped)
            // Limit: what fits beside its key on a screen.
            if line.utf8.count <= 72 { return line }
            let lines = elements.map { inner + $0.text(indent: inner) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(indent)]"
        case .object(let members):
            if members.isEmpty { return "{}" }
            let lines = members.map { member in
                inner + escaped(member.key) + ": " + member.value.text(indent: inner)
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        }
    }

    /// The value as one line of YAML, without quotes where none are needed.
    package var yaml: String { self.flow(colon: ": ", word: yamlWord) }

    private func flow(colon: String, word: (String) -> String) -> String {
        switch self {
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .number(let value): shortest(value)
        case .string(let value): word(value)
        case .array(let elements):
            "[" + elements.map { $0.flow(colon: colon, word: word) }.joined(separator: ", ") + "]"
        case .object(let members) where members.isEmpty: "{}"
        case .object(let members):
            "{ "
                + members.map { word($0.key) + colon + $0.value.flow(colon: colon, word: word) }
                .joined(separator: ", ") + " }"
        }
    }
}

private func escaped(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case _ where scalar.value < 0x20:
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}

/// Plain where YAML reads it as the same text, in every place; else in quotes.
private func yamlWord(_ text: String) -> String {
    let isSafe =
        text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "%"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
    let isWord =
        !text.isEmpty && isSafe && !text.hasPrefix("-") && !text.hasPrefix("%")
        && !text.hasPrefix(":") && !text.hasSuffix(":") && Double(text) == nil
        && !["true", "false", "null"].contains(text.lowercased())
    return isWord ? text : escaped(text)
}
