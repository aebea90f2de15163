/// A place in a settings file. Both numbers start at 1; a column counts Unicode scalars.
package struct Position: Sendable, Hashable, Comparable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: Position, right: Position) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// One thing that is wrong with a settings file, for the person who wrote it.
package struct SettingsProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// As the operator named the file, or the option where there is no file.
    package let file: String
    /// Nil where the problem is the file itself.
    package let position: Position?
    /// What is wrong, without a full stop.
    package let text: String
    /// What was probably meant, without quotes.
    package let suggestion: String?
    /// The settings can be obeyed, and are probably not what is wanted.
    package let isWarning: Bool

    package init(
        file: String,
        position: Position? = nil,
        text: String,
        suggestion: String? = nil,
        isWarning: Bool = false
    ) {
        self.file = file
        self.position = position
        self.text = text
        self.suggestion = suggestion
        self.isWarning = isWarning
    }

    /// `file:line:column: what is wrong; did you mean "…"?`, or `file:line:column: warning: …`.
    package var description: String {
        let place = self.position.map { ":\($0.line):\($0.column)" } ?? ""
        let hint = self.suggestion.map { "; did you mean \(quoted($0))?" } ?? ""
        let severity = self.isWarning ? "warning: " : ""
        return "\(self.file)\(place): \(severity)\(self.text)\(hint)"
    }
}

extension [SettingsProblem] {
    /// Whether there is more than warnings.
    package var hasErrors: Bool { self.contains { !$0.isWarning } }
}

/// Text of the operator's, safe to print: what cannot be seen is escaped, what is long is cut.
func quoted(_ text: String) -> String {
    // Limit: 80 characters show which value is meant; a line of output stays a line.
    let lengthMax = 80
    var result = "\""
    for (index, scalar) in text.unicodeScalars.enumerated() {
        guard index < lengthMax else {
            result += "…"
            break
        }
        if scalar.isVisible {
            result.unicodeScalars.append(scalar)
        } else {
            result += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
        }
    }
    return result + "\""
}

extension Unicode.Scalar {
    /// Whether a reader sees this character for what it is: an ASCII space yes, another space no.
    var isVisible: Bool {
        switch self.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
            .paragraphSeparator:
            false
        case .spaceSeparator: self == " "
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .letterNumber,
            .otherNumber, .connectorPunctuation, .dashPunctuation, .openPunctuation,
            .closePunctuation, .initialPunctuation, .finalPunctuation, .otherPunctuation,
            .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol:
            true
        @unknown default: false
        }
    }
}
