import Yams

// What operators do wrong with YAML itself, each with a sentence of its own. libyaml's own words
// ("did not find expected key") describe its grammar and not their mistake.

/// The text with `\n` at the end of every line and without a byte-order mark; nil if it cannot be
/// given to the YAML parser, with the reasons reported.
func withoutPitfalls(_ text: String, into reader: inout Reader) -> String? {
    if text.utf8.count > SettingsFile.sizeMax {
        reader.report("the file is larger than 4 MiB", at: nil)
        return nil
    }
    var scalars = text.unicodeScalars
    if scalars.first == "\u{FEFF}" { scalars.removeFirst() }
    var lines = String.UnicodeScalarView()
    var previous: Unicode.Scalar = "\n"
    var position = Position(line: 1, column: 1)
    let before = reader.problems.count
    for scalar in scalars {
        defer { previous = scalar }
        if scalar == "\n" && previous == "\r" { continue }
        if scalar == "\n" || scalar == "\r" {
            lines.append("\n")
            position = Position(line: position.line + 1, column: 1)
            continue
        }
        let isControl =
            scalar.value < 0x20 && scalar != "\t" || (0x7F...0x9F).contains(scalar.value)
        // libyaml ends lines at these two; no editor does.
        let isSeparator = scalar == "\u{2028}" || scalar == "\u{2029}"
        if isControl || isSeparator || scalar == "\u{FFFE}" || scalar == "\u{FFFF}" {
            let name = quoted(String(scalar)).dropFirst().dropLast()
            reader.report("the file has the invisible character \(name)", at: position)
        }
        lines.append(scalar)
        position.column += 1
    }
    guard reader.problems.count == before else { return nil }
    return checkAliases(lines, into: &reader) ? String(lines) : nil
}

/// Whether aliases of aliases stay within reason. With `a` anchors and `s` aliases a value can grow
/// to about (s/a)^a copies, so few anchors may be used often, or many seldom. What looks like an
/// anchor or an alias is counted, comments too: more than there are, never fewer.
private func checkAliases(_ text: String.UnicodeScalarView, into reader: inout Reader) -> Bool {
    var anchors = 0
    var aliases = 0
    var previous: Unicode.Scalar = "\n"
    var beforePrevious: Unicode.Scalar = "\n"
    for scalar in text {
        let isName = scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        if previous == "*" || previous == "&", isName || scalar == "_" || scalar == "-" {
            let startsToken: Bool =
                switch beforePrevious {
                case " ", "\t", "\n", "[", "{", ",", ":", "?", "]", "}": true
                default: false
                }
            if startsToken { if previous == "*" { aliases += 1 } else { anchors += 1 } }
        }
        (beforePrevious, previous) = (previous, scalar)
    }
    guard anchors > 0, aliases > anchors else { return true }
    var copies = 1.0
    for _ in 0..<anchors where copies <= 1e9 { copies *= Double(aliases) / Double(anchors) }
    // Limit: about what the limit on values allows.
    if copies <= 500_000 { return true }
    reader.report("the file uses too many anchors and aliases: write the settings out", at: nil)
    return false
}

/// Reports an error of the YAML parser in words that fit the mistake.
func report(_ error: YamlError, of text: [Unicode.Scalar], into reader: inout Reader) {
    switch error {
    case .scanner(let context, let problem, let mark, yaml: _),
        .parser(let context, let problem, let mark, yaml: _),
        .composer(let context, let problem, let mark, yaml: _):
        let place = Position(line: mark.line, column: mark.column)
        let start = context.map { Position(line: $0.mark.line, column: $0.mark.column) }
        let found = Syntax(problem: problem, context: context?.text ?? "", text: text, place: place)
        let mistake = found.mistake(start: start)
        reader.report(mistake.text, at: mistake.place, suggestion: mistake.suggestion)
    case .no, .memory, .reader, .writer, .emitter, .representer, .dataCouldNotBeDecoded,
        .duplicatedKeysInMapping:
        reader.report("this is not YAML", at: Position(line: 1, column: 1))
    }
}

/// An error of the YAML parser, with the line that it stands on.
private struct Syntax {
    let problem: String
    let context: String
    let place: Position
    private let line: [Unicode.Scalar]
    private let lineAbove: [Unicode.Scalar]

    init(problem: String, context: String, text: [Unicode.Scalar], place: Position) {
        self.problem = problem
        self.context = context
        self.place = place
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        func line(_ number: Int) -> [Unicode.Scalar] {
            lines.indices.contains(number - 1) ? Array(lines[number - 1]) : []
        }
        self.line = line(place.line)
        self.lineAbove = line(place.line - 1)
    }

    typealias Mistake = (text: String, place: Position, suggestion: String?)

    func mistake(start: Position?) -> Mistake {
        if self.isUnquotedAddress {
            return ("an address with brackets must stand in quotes, \"[::1]:80\"", self.place, nil)
        }
        if let mistake = self.mistakeOfOneCharacter() ?? self.mistakeOfQuotes() { return mistake }
        if self.problem.contains("mapping values are not allowed") { return self.mistakeOfColons() }
        if self.problem.contains("unexpected end of stream") {
            return ("a quote is opened here and never closed", start ?? self.place, nil)
        }
        if self.problem.contains("could not find expected ':'") {
            return (
                "this is neither \"key: value\" nor an entry of a list", start ?? self.place, nil
            )
        }
        if self.problem.contains("did not find expected key")
            || self.problem.contains("did not find expected '-' indicator")
        {
            let since = start.map { ", which begin on line \($0.line)" } ?? ""
            return ("this line does not fit the lines before it\(since)", self.place, nil)
        }
        if self.problem.contains("expected ',' or") {
            let bracket = self.context.contains("mapping") ? "{" : "["
            let text =
                "the \(bracket) on line \(start?.line ?? self.place.line) is not closed, "
                + "or a comma is missing"
            return (text, self.place, nil)
        }
        if self.problem.contains("undefined alias") {
            return ("this alias stands for nothing; if it is text, quote it", self.place, nil)
        }
        if self.problem.contains("another document") {
            return ("a second document starts here; a file holds one", self.place, nil)
        }
        if self.problem.contains("nesting level") {
            return ("too many levels lie one inside the other", self.place, nil)
        }
        let context = self.context.isEmpty ? "" : " " + self.context
        return ("this is not YAML: \(self.problem)\(context)", self.place, nil)
    }

    /// Characters that YAML keeps for itself, at the start of a text.
    private func mistakeOfOneCharacter() -> Mistake? {
        let index = self.place.column - 1
        if self.line.prefix(while: { $0 == " " || $0 == "\t" }).contains("\t") {
            let text = "this line is indented with a tab; YAML wants spaces"
            return (text, Position(line: self.place.line, column: 1), nil)
        }
        guard self.line.indices.contains(index) else { return nil }
        if self.context.contains("alias") || self.context.contains("anchor") {
            // The mark stands after the sign.
            let sign = self.context.contains("alias") ? "*" : "&"
            guard let at = self.line[..<index].lastIndex(of: Unicode.Scalar(sign) ?? "*") else {
                return nil
            }
            let word = String(
                String.UnicodeScalarView(self.line[at...].prefix { !" ,]}".contains($0) })
            )
            let place = Position(line: self.place.line, column: at + 1)
            return ("a text that begins with \(sign) must stand in quotes: \"\(word)\"", place, nil)
        }
        switch self.line[index] {
        case "@", "`", "%":
            let sign = self.line[index]
            return ("a text that begins with \(sign) must stand in quotes", self.place, nil)
        case ":":
            guard self.problem.contains("did not find expected node content") else { return nil }
            let word = self.line[index...].prefix { !" ,]}".contains($0) }
            let text = "inside brackets, a text that begins with : must stand in quotes: "
            return (text + "\"\(String(String.UnicodeScalarView(word)))\"", self.place, nil)
        case "\t":
            return ("a tab stands here; YAML wants spaces", self.place, nil)
        default: return nil
        }
    }

    /// A second colon in a line, or none or one too close in the line before, which YAML then reads
    /// as the start of one long key.
    private func mistakeOfColons() -> Mistake {
        let before = self.line.prefix(max(0, self.place.column - 1))
        if hasColon(before) {
            return ("a text with \": \" in it must stand in quotes", self.place, nil)
        }
        let number = self.place.line - 1
        let above = self.lineAbove.drop { $0 == " " || $0 == "-" }
        if let colon = above.firstIndex(of: ":"), !hasColon(above), colon != above.startIndex,
            above[..<colon].allSatisfy({ $0.properties.isAlphabetic || $0 == "-" })
        {
            let text = "line \(number) has no space after its colon"
            return (text, Position(line: number, column: colon + 2), nil)
        }
        if !above.isEmpty, !above.contains(":"), above.first != "#" {
            let text = "line \(number) has no colon"
            return (text, Position(line: number, column: self.lineAbove.count + 1), nil)
        }
        let text = "a \": \" is not expected here; is the line indented like its neighbours?"
        return (text, self.place, nil)
    }

    /// More text after a closing quote, often because of an apostrophe.
    private func mistakeOfQuotes() -> Mistake? {
        let before = self.line.prefix(max(0, self.place.column - 1)).reversed()
        guard let last = before.first(where: { $0 != " " }), last == "'" || last == "\"",
            self.problem.contains("did not find expected")
        else { return nil }
        let text = "the quote ends before this; inside '…' an apostrophe is written twice"
        return (text, self.place, nil)
    }

    /// `[::1]:80` without quotes reads as a list and something after it.
    private var isUnquotedAddress: Bool {
        var isInside = false
        var hasColon = false
        for (index, scalar) in self.line.enumerated() {
            switch scalar {
            case "\"", "'", "#": return false
            case "[": (isInside, hasColon) = (true, false)
            case ":": hasColon = true
            case "]":
                let next = self.line.dropFirst(index + 1).first
                if isInside, hasColon, next == ":" { return true }
                isInside = false
            default:
                if !scalar.properties.isHexDigit, scalar != "." { isInside = false }
            }
        }
        return false
    }
}

/// Whether there is a colon that YAML takes for one: at the end, or before a space.
private func hasColon(_ line: some Collection<Unicode.Scalar>) -> Bool {
    zip(line, Array(line.dropFirst()) + [" "]).contains { $0 == ":" && $1 == " " }
}

extension String {
    /// Whether the text has this character, seen as a Unicode scalar.
    fileprivate func contains(_ scalar: Unicode.Scalar) -> Bool {
        self.unicodeScalars.contains(scalar)
    }
}
