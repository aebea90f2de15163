package import BelayBytes

/// A value that the server hands out in a header and the client sends back in one, such as
/// Mcp-Session-Id, or one that the client has of its own, such as an API key.
package struct HeaderBinding: Sendable {
    /// In lower case.
    package let name: InternedText
    /// The header of the answer that a value is learned from, in lower case; nil: only what
    /// requests present is kept.
    package let learnsFrom: InternedText?
    package let hasher: KeyHasher

    package init(name: String, learnsFrom: String?, hasher: KeyHasher) {
        self.name = InternedText(name.lowercased())
        self.learnsFrom = learnsFrom.map { InternedText($0.lowercased()) }
        self.hasher = hasher
    }
}
