package import BelayBytes

/// Requests that never bind: static files, bots, checks. A rule holds if all that it names does.
package struct ExemptRule: Sendable {
    /// The path begins with it, in whole segments; nil: any.
    package let path: InternedText?
    /// The path, without its query, ends in it; nil: any.
    package let suffix: InternedText?
    /// The User-Agent has it somewhere, in whichever case; in lower case here; nil: any.
    package let userAgent: InternedText?
    /// A bit for each method; 0: all.
    package let methods: UInt16

    package init(path: String?, suffix: String?, userAgent: String?, methods: UInt16) {
        var path = path
        while let text = path, text.hasSuffix("/") { path = String(text.dropLast()) }
        self.path = path.map { InternedText($0) }
        self.suffix = suffix.map { InternedText($0) }
        self.userAgent = userAgent.map { InternedText($0.lowercased()) }
        self.methods = methods
    }

    /// Whether the rule holds for the target's path without its query, the value of User-Agent
    /// (empty without one) and the method's bit.
    package func holds(
        path: borrowing Span<UInt8>,
        agent: borrowing Span<UInt8>,
        method: UInt16
    ) -> Bool {
        if self.methods != 0, self.methods & method == 0 { return false }
        if let prefix = self.path {
            let wanted = prefix.bytes
            guard path.count >= wanted.count,
                path.isEqual(0..<wanted.count, to: wanted, 0..<wanted.count),
                path.count == wanted.count || path[wanted.count] == UInt8(ascii: "/")
            else { return false }
        }
        if let suffix = self.suffix {
            let wanted = suffix.bytes
            let start = path.count &- wanted.count
            guard start >= 0, path.isEqual(start..<path.count, to: wanted, 0..<wanted.count) else {
                return false
            }
        }
        if let word = self.userAgent { return Self.contains(agent, word.bytes) }
        return true
    }

    private static func contains(
        _ text: borrowing Span<UInt8>,
        _ word: borrowing Span<UInt8>
    ) -> Bool {
        guard word.count > 0, text.count >= word.count else { return word.count == 0 }
        for start in 0...(text.count &- word.count) {
            var index = 0
            while index < word.count, Self.lowercased(text[start &+ index]) == word[index] {
                index &+= 1
            }
            if index == word.count { return true }
        }
        return false
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }
}
