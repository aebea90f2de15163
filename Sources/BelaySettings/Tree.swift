/// A settings file as a tree: texts, lists and groups, each with its place. No alias, tag or
/// duplicate key is left in it.
struct Tree: Sendable {
    enum Kind: Sendable {
        /// Plain is what stands in the file without quotes.
        case text(String, isPlain: Bool)
        case list([Tree])
        case group([Entry])
    }

    /// A key and its value.
    struct Entry: Sendable {
        var key: String
        var keyPosition: Position
        var value: Tree
    }

    var kind: Kind
    var position: Position

    /// Whether this is what YAML makes of a key without a value.
    var isEmpty: Bool {
        guard case .text(let text, isPlain: true) = self.kind else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// What a person calls it, for "must be …, not …".
    var sort: String {
        switch self.kind {
        case .text(let text, isPlain: _): quoted(text)
        case .list: "a list"
        case .group: "a group of settings"
        }
    }
}
