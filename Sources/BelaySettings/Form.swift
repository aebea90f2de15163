/// What a value may be, declared once: how it is read from the file, how it is written back, and
/// what the reference page and the JSON Schema say of it.
struct Form<Value: Sendable>: Sendable {
    let outline: Outline
    /// Reads into a value that holds the default. Where something is wrong it reports that, and
    /// leaves of the value what it was.
    let read: @Sendable (Tree, inout Value, inout Reader) -> Void
    /// Nil for a value that nobody set and that has no default.
    let encode: @Sendable (Value) -> JSON?
}

/// What can be said of a form without knowing its type.
struct Outline: Sendable {
    /// What a value may be, in the middle of a sentence; literal words stand in backticks.
    var words: String
    // Made only when they are asked for: a start needs neither, and has no time for them.
    private let makeSchema: @Sendable () -> JSON
    private let makeBelow: @Sendable () -> Below?

    /// Settings that lie below, and how their place is written: "", "[]" or ".NAME".
    typealias Below = (suffix: String, section: SectionOutline)

    init(
        words: String,
        schema: @escaping @autoclosure @Sendable () -> JSON,
        below: @escaping @autoclosure @Sendable () -> Below? = nil
    ) {
        self.words = words
        self.makeSchema = schema
        self.makeBelow = below
    }

    /// The JSON Schema that holds for the value.
    var schema: JSON { self.makeSchema() }
    var below: Below? { self.makeBelow() }

    /// The words as a problem has them.
    var plainWords: String { self.words.filter { $0 != "`" } }
}

/// Settings that stand together, without their types.
struct SectionOutline: Sendable {
    let doc: String
    let fields: [FieldOutline]
    /// Whether `{}` is a value.
    let canBeEmpty: Bool
    /// What the JSON Schema says beside the settings.
    let extraSchema: [JSON.Member]
}

/// One setting, without its type.
struct FieldOutline: Sendable {
    let name: String
    let doc: String
    let isRequired: Bool
    /// Nil where there is none.
    let standard: JSON?
    let outline: Outline
}

/// Settings that stand together in the file and make one value.
struct Section<Owner: Sendable>: Sendable {
    /// One sentence for the reference page.
    let doc: String
    /// What the settings have as defaults.
    let defaults: @Sendable () -> Owner
    let fields: [Field<Owner>]
    private let canBeEmpty: Bool
    private let extraSchema: [JSON.Member]
    /// Judges what takes more than one setting, and fills in what follows from others. Runs also
    /// where single settings were wrong.
    let finish: @Sendable (inout Owner, Tree, inout Reader) -> Void

    init(
        doc: String,
        defaults: @escaping @Sendable () -> Owner,
        fields: [Field<Owner>],
        canBeEmpty: Bool? = nil,
        extraSchema: [JSON.Member] = [],
        finish: @escaping @Sendable (inout Owner, Tree, inout Reader) -> Void = { _, _, _ in }
    ) {
        self.doc = doc
        self.defaults = defaults
        self.fields = fields
        self.canBeEmpty = canBeEmpty ?? !fields.contains(where: \.isRequired)
        self.extraSchema = extraSchema
        self.finish = finish
    }

    var outline: SectionOutline {
        let defaults = self.defaults()
        return SectionOutline(
            doc: self.doc,
            fields: self.fields.map { $0.outline(defaults) },
            canBeEmpty: self.canBeEmpty,
            extraSchema: self.extraSchema
        )
    }
}

/// One setting: its name, its place in the value, its form and what the manual says.
struct Field<Owner: Sendable>: Sendable {
    let name: String
    let isRequired: Bool
    let outline: @Sendable (_ defaults: Owner) -> FieldOutline
    let read: @Sendable (Tree, inout Owner, inout Reader) -> Void
    let encode: @Sendable (Owner) -> JSON?

    /// Where the setting does not apply it is not written. Whether it may stand in the file is for
    /// `finish` of its section to say.
    init<Value: Sendable>(
        _ name: String,
        _ place: any WritableKeyPath<Owner, Value> & Sendable,
        _ form: Form<Value>,
        isRequired: Bool = false,
        where applies: @escaping @Sendable (Owner) -> Bool = { _ in true },
        doc: String
    ) {
        self.name = name
        self.isRequired = isRequired
        self.outline = { defaults in
            FieldOutline(
                name: name,
                doc: doc,
                isRequired: isRequired,
                standard: isRequired
                    ? nil : form.encode(defaults[keyPath: place])?.brief(form.outline),
                outline: form.outline
            )
        }
        self.read = { tree, owner, reader in form.read(tree, &owner[keyPath: place], &reader) }
        self.encode = { applies($0) ? form.encode($0[keyPath: place]) : nil }
    }
}

extension Section {
    /// Reads a group of settings.
    func read(_ tree: Tree, into owner: inout Owner, _ reader: inout Reader) {
        guard case .group(let entries) = tree.kind else {
            let names = self.fields.map(\.name).prefix(3).joined(separator: ", ")
            let more = self.fields.count > 3 ? ", …" : ""
            let text = "\(reader.subject) must be a group of settings (\(names)\(more)), not "
            reader.report(text + tree.sort, at: tree.position)
            return
        }
        for entry in entries {
            guard let field = self.fields.first(where: { $0.name == entry.key }) else {
                self.reportUnknown(entry, into: &reader)
                continue
            }
            reader.within(field.name, at: entry.value.position) { reader in
                if entry.value.isEmpty {
                    let text = "\(quoted(entry.key)) has no value; give one, or remove the key"
                    reader.report(text, at: entry.keyPosition)
                } else {
                    field.read(entry.value, &owner, &reader)
                }
            }
        }
        for field in self.fields
        where field.isRequired && !entries.contains(where: { $0.key == field.name }) {
            let name = reader.path.isEmpty ? "" : reader.subject + ": "
            reader.report("\(name)\(quoted(field.name)) is missing", at: tree.position)
        }
        self.finish(&owner, tree, &reader)
    }

    private func reportUnknown(_ entry: Tree.Entry, into reader: inout Reader) {
        let location = reader.location.isEmpty ? "" : " in \(reader.location)"
        var text = "unknown key \(quoted(entry.key))\(location)"
        let suggestion = nearest(entry.key, among: self.fields.map(\.name))
        if suggestion == nil, let places = Declaration.places[entry.key] {
            // Limit: what a reader takes in at a glance; `name` is a key of ten groups.
            let named = places.count > 4 ? places.prefix(3) + ["others"] : places[...]
            text += "; it belongs in \(named.joined(separator: " or "))"
        }
        if let odd = entry.key.unicodeScalars.first(where: { !$0.isASCII }) {
            let code = String(odd.value, radix: 16, uppercase: true)
            text += " (its \(quoted(String(odd))) is the character U+\(code))"
        }
        reader.report(text, at: entry.keyPosition, suggestion: suggestion)
    }

    /// The settings of a value as a group, in the order of the declaration.
    func encode(_ owner: Owner) -> JSON {
        .object(
            self.fields.compactMap { field in
                field.encode(owner).map { JSON.Member(key: field.name, value: $0) }
            }
        )
    }
}

extension SectionOutline {
    /// The JSON Schema of the group.
    var schema: JSON {
        let properties = self.fields.map { field in
            var notes = [JSON.Member(key: "description", value: .string(field.doc.plain))]
            // The parts of a group have defaults of their own.
            if let standard = field.standard, !standard.isObject {
                notes.append(JSON.Member(key: "default", value: standard))
            }
            return JSON.Member(key: field.name, value: field.outline.schema.adding(notes))
        }
        let required = self.fields.filter(\.isRequired).map { JSON.string($0.name) }
        var members = [
            JSON.Member(key: "type", value: "object"),
            JSON.Member(key: "additionalProperties", value: false),
            JSON.Member(key: "properties", value: .object(properties)),
        ]
        if !required.isEmpty {
            members.append(JSON.Member(key: "required", value: .array(required)))
        }
        return .object(members + self.extraSchema)
    }
}

extension JSON {
    /// A list of groups without what each entry has by itself.
    fileprivate func brief(_ outline: Outline) -> JSON {
        guard case .array(let entries) = self, let section = outline.below?.section else {
            return self
        }
        return .array(
            entries.map { entry in
                guard case .object(let members) = entry else { return entry }
                let own = members.filter { member in
                    !section.fields.contains {
                        $0.name == member.key && $0.standard == member.value
                    }
                }
                return .object(own)
            }
        )
    }
}

extension String {
    /// The text without the backticks of Markdown.
    fileprivate var plain: String { self.filter { $0 != "`" } }
}
