/// Why a text is not a value.
struct Complaint: Error {
    /// Follows the value in a sentence: `has no port`. Nil: that it must be what the form says.
    var reason: String?
    /// What was probably meant.
    var suggestion: String?

    init(_ reason: String? = nil, suggestion: String? = nil) {
        self.reason = reason
        self.suggestion = suggestion
    }

    /// The value is not of the kind at all.
    static let otherKind = Complaint()
}

/// A value that is one text in the file.
struct Scalar<Value: Sendable>: Sendable {
    var outline: Outline
    /// Nothing of the value is repeated in a problem.
    var isSecret = false
    /// Plain is a text without quotes, which a number or a boolean has to be.
    let parse: @Sendable (_ text: String, _ isPlain: Bool) throws(Complaint) -> Value
    /// Nil for a value that nobody set and that has no default.
    let encode: @Sendable (Value) -> JSON?

    init(
        _ words: String,
        schema: @escaping @autoclosure @Sendable () -> JSON,
        isSecret: Bool = false,
        parse: @escaping @Sendable (String, Bool) throws(Complaint) -> Value,
        encode: @escaping @Sendable (Value) -> JSON?
    ) {
        self.outline = Outline(words: words, schema: schema())
        self.isSecret = isSecret
        self.parse = parse
        self.encode = encode
    }

    /// As a form.
    var form: Form<Value> {
        Form(
            outline: self.outline,
            read: { tree, value, reader in
                self.read(tree, into: &value, reader.subject, &reader)
            },
            encode: self.encode
        )
    }

    /// Reads the value, which a problem calls `subject`.
    func read(_ tree: Tree, into value: inout Value, _ subject: String, _ reader: inout Reader) {
        guard case .text(let text, let isPlain) = tree.kind else {
            let sentence = "\(subject) must be \(self.outline.plainWords), not \(tree.sort)"
            return reader.report(sentence, at: tree.position)
        }
        do {
            value = try self.parse(text, isPlain)
        } catch {
            let sentence = self.sentence(subject, text, error.reason)
            reader.report(sentence, at: tree.position, suggestion: error.suggestion)
        }
    }

    private func sentence(_ subject: String, _ text: String, _ reason: String?) -> String {
        let shown = self.isSecret ? "this value" : quoted(text)
        let hint =
            text.contains("${") || text.contains("{{")
            ? "; Belay does not fill in variables" : ""
        if let reason { return "\(subject): \(shown) \(reason)\(hint)" }
        if self.isSecret { return "\(subject) must be \(self.outline.plainWords)\(hint)" }
        return "\(subject) must be \(self.outline.plainWords), not \(shown)\(hint)"
    }

    /// The value as a key of a group.
    func key(_ value: Value) -> String {
        guard case .string(let text) = self.encode(value) else { return "" }
        return text
    }

    /// A word for nil, or the value.
    func orNil(_ word: String) -> Scalar<Value?> {
        var result = Scalar<Value?>(
            self.outline.words,
            schema: self.outline.schema,
            isSecret: self.isSecret,
            parse: { text, isPlain throws(Complaint) in
                if text == word { return nil }
                do throws(Complaint) { return try self.parse(text, isPlain) } catch {
                    let isNearWord = nearestWord(text, among: [word]) != nil
                    throw isNearWord ? Complaint(error.reason, suggestion: word) : error
                }
            },
            encode: { $0.map(self.encode) ?? .string(word) }
        )
        result.outline = self.outline.or(word)
        return result
    }

    /// The value, or nil where the file says nothing.
    var optional: Scalar<Value?> {
        Scalar<Value?>(
            self.outline.words,
            schema: self.outline.schema,
            isSecret: self.isSecret,
            parse: { text, isPlain throws(Complaint) in try self.parse(text, isPlain) },
            encode: { $0.flatMap(self.encode) }
        )
    }
}

extension Scalar {
    /// One of these words.
    static func choice(_ cases: [(word: String, value: Value)]) -> Scalar
    where Value: Equatable {
        let words = cases.map(\.word)
        return Scalar(
            words.map { "`\($0)`" }.alternatives,
            schema: ["enum": .array(words.map(JSON.string))],
            parse: { text, _ throws(Complaint) in
                if let found = cases.first(where: { $0.word == text }) { return found.value }
                throw Complaint(suggestion: nearestWord(text, among: words))
            },
            encode: { value in
                cases.first { $0.value == value }.map { .string($0.word) }
            }
        )
    }

    /// One of the cases of an enum that are spelled in the file as in Swift.
    static func choice(of type: Value.Type) -> Scalar
    where
        Value: CaseIterable & Equatable & RawRepresentable,
        Value.AllCases: Sendable,
        Value.RawValue == String
    {
        .choice(Value.allCases.map { ($0.rawValue, $0) })
    }
}

extension Scalar where Value == Bool {
    /// `true` or `false`.
    static let flag = Scalar(
        "`true` or `false`",
        schema: ["type": "boolean"],
        parse: { text, isPlain throws(Complaint) in
            switch (text, isPlain) {
            case ("true", true): return true
            case ("false", true): return false
            case ("true", false), ("false", false): throw Complaint("must stand without quotes")
            default: throw Complaint(suggestion: nearestWord(text, among: ["true", "false"]))
            }
        },
        encode: { .bool($0) }
    )

    /// `on` or `off`.
    static let onOff = Scalar.choice([("on", true), ("off", false)])
}

/// Whether a text that is not `off` was probably meant as that.
func isOffMeant(_ text: String) -> Bool { nearestWord(text, among: ["off"]) != nil }

/// Whether a text was probably meant as a plain yes.
func isOnMeant(_ text: String) -> Bool { nearestWord(text, among: ["on"]) != nil }

/// The nearest word, where the many spellings of yes and no stand for each other.
func nearestWord(_ text: String, among words: [String]) -> String? {
    let yes = ["on", "true", "yes", "y", "1", "enabled"]
    let no = ["off", "false", "no", "n", "0", "none", "disabled", "never"]
    for spellings in [yes, no] where spellings.contains(text.lowercased()) {
        let meant = words.filter { spellings.contains($0) }
        if meant.count == 1 { return meant[0] }
    }
    return nearest(text, among: words)
}

extension [String] {
    /// `a, b or c`.
    var alternatives: String {
        guard let last = self.last, self.count > 1 else { return self.joined() }
        return self.dropLast().joined(separator: ", ") + " or " + last
    }
}
