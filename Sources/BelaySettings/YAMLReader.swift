import Yams

// From text to `Tree`, through Yams, the one file that knows it. Yams stops at the first mapping
// with a duplicate key and gives one error; we want every duplicate, and everything else that is
// wrong with the file. So the first of two equal keys is renamed in a copy of the text, with as
// many characters, and the copy is read again; the tree gets the true name back.

/// What the text says, or the reasons why that cannot be told.
func readYAML(_ text: String, into reader: inout Reader) -> Tree? {
    guard let text = withoutPitfalls(text, into: &reader) else { return nil }
    var copy = Array(text.unicodeScalars)
    var renamed: [Position: Unicode.Scalar] = [:]
    // Limit: each round reads the whole file again, and finds one duplicate.
    for round in 0..<64 {
        let stillText = String(String.UnicodeScalarView(copy))
        do {
            guard let root = try Yams.compose(yaml: stillText, .basic, .default, .utf8) else {
                break
            }
            var converter = Converter(renamed: renamed)
            return converter.convert(root, depth: 0, into: &reader)
        } catch YamlError.duplicatedKeysInMapping(let names, let context) {
            let place = Position(line: context.mark.line, column: context.mark.column)
            // A private-use character, so that the new name is no other key's.
            guard let stand = Unicode.Scalar(0xF_0000 + round),
                let original = rename(&copy, at: place, to: stand)
            else {
                reader.report("\(quoted(names.first ?? "a key")) is set twice", at: place)
                return nil
            }
            renamed[original.position] = original.scalar
        } catch let error as YamlError {
            report(error, of: copy, into: &reader)
            return nil
        } catch {
            reader.report("this is not YAML", at: Position(line: 1, column: 1))
            return nil
        }
    }
    if renamed.isEmpty {
        reader.report(emptyFile, at: Position(line: 1, column: 1))
    } else {
        reader.report("more than 60 keys are set twice", at: renamed.keys.min())
    }
    return nil
}

let emptyFile = "the file sets nothing; it needs at least a pool with a server"

/// Replaces the first character of the key that stands at `place`. Nil if that is not a plain or
/// quoted text, which is then left alone.
private func rename(
    _ text: inout [Unicode.Scalar],
    at place: Position,
    to stand: Unicode.Scalar
) -> (position: Position, scalar: Unicode.Scalar)? {
    guard let start = offset(of: place, in: text) else { return nil }
    let isQuoted = text[start] == "\"" || text[start] == "'"
    let index = isQuoted ? start + 1 : start
    guard index < text.count else { return nil }
    let original = text[index]
    guard original.properties.isAlphabetic || original.properties.numericType != nil else {
        return nil
    }
    text[index] = stand
    return (place, original)
}

private func offset(of place: Position, in text: [Unicode.Scalar]) -> Int? {
    var line = 1
    var index = 0
    while line < place.line, index < text.count {
        if text[index] == "\n" { line += 1 }
        index += 1
    }
    index += place.column - 1
    return line == place.line && index < text.count ? index : nil
}

/// Turns nodes into a tree, resolving aliases by copying, within limits.
private struct Converter {
    let renamed: [Position: Unicode.Scalar]
    private var nodesLeft = Converter.nodesMax
    private var isOverLimit = false

    // Limit: a pool of 10,000 servers has 60,000 nodes; aliases of aliases would have billions.
    private static let nodesMax = 500_000
    // Limit: the deepest setting lies at 8.
    private static let depthMax = 32

    init(renamed: [Position: Unicode.Scalar]) { self.renamed = renamed }

    mutating func convert(_ node: Node, depth: Int, into reader: inout Reader) -> Tree {
        let mark = node.mark
        let position = Position(line: mark?.line ?? 1, column: mark?.column ?? 1)
        let nothing = Tree(kind: .text("", isPlain: true), position: position)
        self.nodesLeft -= 1
        guard self.nodesLeft > 0, depth < Self.depthMax else {
            if !self.isOverLimit {
                let what =
                    depth < Self.depthMax
                    ? "the file grows beyond \(Self.nodesMax) values; does it repeat aliases?"
                    : "more than \(Self.depthMax) levels lie one inside the other"
                reader.report(what, at: position)
            }
            self.isOverLimit = true
            return nothing
        }
        switch node {
        case .scalar(let scalar):
            self.refuse(scalar.tag, unless: "str", at: position, into: &reader)
            let isPlain = scalar.style == .plain || scalar.style == .any
            return Tree(kind: .text(scalar.string, isPlain: isPlain), position: position)
        case .sequence(let sequence):
            self.refuse(sequence.tag, unless: "seq", at: position, into: &reader)
            let trees = sequence.map { self.convert($0, depth: depth + 1, into: &reader) }
            return Tree(kind: .list(trees), position: position)
        case .mapping(let mapping):
            self.refuse(mapping.tag, unless: "map", at: position, into: &reader)
            let entries = self.entries(of: mapping, depth: depth, into: &reader)
            return Tree(kind: .group(entries), position: position)
        case .alias:
            // `compose` puts what an alias stands for in its place.
            return nothing
        }
    }

    private mutating func entries(
        of mapping: Node.Mapping,
        depth: Int,
        into reader: inout Reader
    ) -> [Tree.Entry] {
        var entries: [Tree.Entry] = []
        var lines: [String: Int] = [:]
        for (key, value) in mapping {
            let place = Position(line: key.mark?.line ?? 1, column: key.mark?.column ?? 1)
            guard case .scalar(let scalar) = key else {
                let hint = "a key must be a word; are these the braces of a template?"
                reader.report(hint, at: place)
                continue
            }
            var name = scalar.string
            if let original = self.renamed[place] {
                name.unicodeScalars.removeFirst()
                name.unicodeScalars.insert(original, at: name.unicodeScalars.startIndex)
            }
            if name == "<<" {
                let text = "merge keys (<<) are not supported; write the settings out"
                reader.report(text, at: place)
                continue
            }
            if let line = lines[name] {
                reader.report("\(quoted(name)) is set twice; first on line \(line)", at: place)
                continue
            }
            lines[name] = place.line
            let tree = self.convert(value, depth: depth + 1, into: &reader)
            entries.append(Tree.Entry(key: name, keyPosition: place, value: tree))
        }
        return entries
    }

    private func refuse(
        _ tag: Tag,
        unless kind: String,
        at position: Position,
        into reader: inout Reader
    ) {
        let name = tag.rawValue
        let isUsual = name == Tag.Name.implicit.rawValue || name == Tag.Name.nonSpecific.rawValue
        guard !isUsual, name != "tag:yaml.org,2002:" + kind else { return }
        reader.report("tags such as \(quoted(name)) are not supported", at: position)
    }
}
