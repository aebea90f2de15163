/// Text that may stand in a page as it is. What is interpolated is escaped, unless it is `HTML`
/// itself, so that forgetting to escape does not build a hole.
package struct HTML: ExpressibleByStringInterpolation, Sendable {
    package private(set) var text: String

    package init(stringLiteral value: String) {
        self.text = value
    }

    package init(stringInterpolation: Interpolation) {
        self.text = stringInterpolation.text
    }

    /// All of them, one after the other.
    package init(_ parts: [HTML]) {
        self.text = parts.map(\.text).joined()
    }

    package struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        package init(literalCapacity: Int, interpolationCount: Int) {
            self.text.reserveCapacity(literalCapacity + 16 * interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) {
            self.text += literal
        }

        package mutating func appendInterpolation(_ html: HTML) {
            self.text += html.text
        }

        package mutating func appendInterpolation(_ parts: [HTML]) {
            for part in parts {
                self.text += part.text
            }
        }

        package mutating func appendInterpolation(_ number: Int) {
            self.text += String(number)
        }

        package mutating func appendInterpolation(_ string: String) {
            self.text += escaped(string)
        }
    }
}

/// The text with the five characters replaced that mean something in elements and attributes.
package func escaped(_ string: String) -> String {
    var result = ""
    result.reserveCapacity(string.utf8.count)
    for scalar in string.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
