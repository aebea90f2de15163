import BelayCore

// Forms that are made of other forms: groups, lists, names, and words in place of a value.

extension Form {
    /// A group of settings.
    static func group(_ section: Section<Value>) -> Form {
        Form(
            outline: Outline(
                words: "a group",
                schema: section.outline.schema,
                below: ("", section.outline)
            ),
            read: { tree, value, reader in section.read(tree, into: &value, &reader) },
            encode: { section.encode($0) }
        )
    }

    /// A group of settings, or one of them by itself for short.
    static func group<Part: Sendable>(
        _ section: Section<Value>,
        orJust place: any WritableKeyPath<Value, Part> & Sendable,
        _ form: Form<Part>
    ) -> Form {
        let group = Form.group(section)
        return Form(
            outline: Outline(
                words: form.outline.words + ", or a group",
                schema: ["anyOf": [form.outline.schema, group.outline.schema]],
                below: group.outline.below
            ),
            read: { tree, value, reader in
                guard case .text = tree.kind else { return group.read(tree, &value, &reader) }
                form.read(tree, &value[keyPath: place], &reader)
                section.finish(&value, tree, &reader)
            },
            encode: group.encode
        )
    }

    /// A list. `blank` is what an entry starts from.
    static func list<Element: Sendable>(
        of form: Form<Element>,
        from blank: @escaping @Sendable () -> Element,
        max: Int,
        isEmptyAllowed: Bool = true
    ) -> Form where Value == [Element] {
        @Sendable func schema() -> JSON {
            let array: JSON = ["type": "array", "items": form.outline.schema]
            let min = JSON.Member(key: "minItems", value: 1)
            let most = JSON.Member(key: "maxItems", value: .integer(max))
            return array.adding(isEmptyAllowed ? [most] : [min, most])
        }
        let words = form.outline.plainWords
        return Form(
            outline: Outline(
                words: listWords(form.outline.words),
                schema: schema(),
                below: form.outline.below.map { ("[]" + $0.suffix, $0.section) }
            ),
            read: { tree, value, reader in
                guard case .list(let trees) = tree.kind else {
                    // A text may be a secret.
                    let sort: String =
                        if case .group = tree.kind { ", not \(tree.sort)" } else { "" }
                    let text =
                        "\(reader.subject) must be a list\(sort); begin each entry with \"- \""
                    return reader.report(text, at: tree.position)
                }
                if trees.isEmpty, !isEmptyAllowed {
                    return reader.report("\(reader.subject) is empty", at: tree.position)
                }
                if trees.count > max {
                    let text = "\(reader.subject) has \(trees.count) entries; at most \(max) fit"
                    return reader.report(text, at: tree.position)
                }
                value = trees.enumerated().map { index, tree in
                    var element = blank()
                    reader.within(String(index), at: tree.position) { reader in
                        if tree.isEmpty {
                            let text = "\(reader.subject) has no value; it must be \(words)"
                            reader.report(text, at: tree.position)
                        } else {
                            form.read(tree, &element, &reader)
                        }
                    }
                    return element
                }
            },
            encode: { values in
                let elements = values.compactMap(form.encode)
                return elements.isEmpty && !isEmptyAllowed ? nil : .array(elements)
            }
        )
    }

    /// The word `off` for nil, or the form, which starts from `blank`.
    func orOff(from blank: @escaping @Sendable () -> Value) -> Form<Value?> {
        let outline = self.outline
        return Form<Value?>(
            outline: outline.or("off"),
            read: { tree, value, reader in
                if case .text("off", isPlain: _) = tree.kind {
                    value = nil
                    return
                }
                if case .text(let text, isPlain: _) = tree.kind, isOffMeant(text) {
                    let sentence = "\(reader.subject) must be off or a group, not \(tree.sort)"
                    return reader.report(sentence, at: tree.position, suggestion: "off")
                }
                if case .text(let text, isPlain: _) = tree.kind, isOnMeant(text),
                    outline.below?.section.canBeEmpty == true
                {
                    let sentence = "\(reader.subject) must be off or a group, not \(tree.sort)"
                    return reader.report(sentence, at: tree.position, suggestion: "{}")
                }
                var inner = value ?? blank()
                self.read(tree, &inner, &reader)
                value = inner
            },
            encode: { $0.map(self.encode) ?? "off" }
        )
    }

    /// The form, which starts from `blank`; nil where the file says nothing.
    func optional(from blank: @escaping @Sendable () -> Value) -> Form<Value?> {
        Form<Value?>(
            outline: self.outline,
            read: { tree, value, reader in
                var inner = value ?? blank()
                self.read(tree, &inner, &reader)
                value = inner
            },
            encode: { $0.flatMap(self.encode) }
        )
    }

    /// The same group as at another place, which the reference page describes.
    func short(for place: String) -> Form {
        let own = self.outline
        let outline = Outline(words: "a group, as `\(place)`", schema: own.schema)
        return Form(outline: outline, read: self.read, encode: self.encode)
    }

    /// Groups under names that the operator chooses. `place` is where a group keeps its own.
    static func named<Element: Sendable, Name: Sendable>(
        _ section: Section<Element>,
        as place: any WritableKeyPath<Element, Name> & Sendable,
        _ name: Scalar<Name>,
        max: Int
    ) -> Form where Value == [Element] {
        Form(
            outline: Outline(
                words: "groups, each under a name",
                schema: [
                    "type": "object", "minProperties": 1, "maxProperties": .integer(max),
                    "propertyNames": name.outline.schema,
                    "additionalProperties": section.outline.schema,
                ],
                below: (".NAME", section.outline)
            ),
            read: { tree, value, reader in
                guard case .group(let entries) = tree.kind, !entries.isEmpty else {
                    let text = "\(reader.subject) must hold groups, each under a name of its own"
                    return reader.report(text, at: tree.position)
                }
                if entries.count > max {
                    let text = "\(reader.subject) has \(entries.count) entries; at most \(max) fit"
                    return reader.report(text, at: tree.position)
                }
                let keySubject = "a key of \(reader.subject)"
                value = entries.map { entry in
                    var element = section.defaults()
                    reader.within(entry.key, at: entry.keyPosition) { reader in
                        let key = Tree(
                            kind: .text(entry.key, isPlain: false),
                            position: entry.keyPosition
                        )
                        name.read(key, into: &element[keyPath: place], keySubject, &reader)
                        if entry.value.isEmpty {
                            let text = "\(quoted(entry.key)) has no value; it must be a group"
                            reader.report(text, at: entry.keyPosition)
                        } else {
                            section.read(entry.value, into: &element, &reader)
                        }
                    }
                    return element
                }
            },
            encode: { elements in
                let members = elements.map { element in
                    JSON.Member(
                        key: name.key(element[keyPath: place]),
                        value: section.encode(element)
                    )
                }
                return members.isEmpty ? nil : .object(members)
            }
        )
    }
}

private func listWords(_ words: String) -> String {
    words == "a group" ? "a list of groups" : "a list; each entry is \(words)"
}

extension Outline {
    /// The same, or a word.
    func or(_ word: String) -> Outline {
        Outline(
            words: "`\(word)` or \(self.words)",
            schema: ["anyOf": [["const": .string(word)], self.schema]],
            below: self.below
        )
    }
}
