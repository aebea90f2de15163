package import BelayBytes

/// A parameter of the target's query, such as Socket.IO's `sid`.
///
/// The value counts as it is spelled: `%41` and `A` are two values. Of several parameters of that
/// name the first counts.
package struct QueryBinding: Sendable {
    package enum Learning: Sendable {
        case off
        /// From this header of the answer, in lower case.
        case header(InternedText)
        /// From the first bytes of the answer's body, as `"NAME":"VALUE"`.
        case body
    }

    package let name: InternedText
    package let learning: Learning
    package let hasher: KeyHasher

    package init(name: String, learning: Learning, hasher: KeyHasher) {
        self.name = InternedText(name)
        self.learning = learning
        self.hasher = hasher
    }

    /// Where the parameter's value stands in `query`, the target behind `?`; nil: nowhere, or it is
    /// empty.
    package func value(in query: borrowing Span<UInt8>) -> Range<Int>? {
        let name = self.name.bytes
        var start = 0
        while start < query.count {
            let end = query.firstIndex(of: UInt8(ascii: "&"), from: start) ?? query.count
            let valueStart = start &+ name.count &+ 1
            if valueStart < end, query[valueStart &- 1] == UInt8(ascii: "="),
                query.isEqual(start..<start &+ name.count, to: name, 0..<name.count)
            {
                return valueStart..<end
            }
            start = end &+ 1
        }
        return nil
    }

    /// Where a value that the answer's body hands out stands in it: `"sid":"VALUE"`, with white
    /// space around the colon. Nil: nowhere.
    package func valueInBody(_ bytes: borrowing Span<UInt8>) -> Range<Int>? {
        // Limit: what is looked at of each answer; a handshake has some hundred bytes.
        let body = bytes.extracting(first: Swift.min(bytes.count, 4096))
        let name = self.name.bytes
        var index = 0
        while let quote = body.firstIndex(of: UInt8(ascii: "\""), from: index) {
            index = quote &+ 1
            let end = index &+ name.count
            guard end < body.count, body[end] == UInt8(ascii: "\""),
                body.isEqual(index..<end, to: name, 0..<name.count)
            else { continue }
            var place = end &+ 1
            while place < body.count, Self.isSpace(body[place]) { place &+= 1 }
            guard place < body.count, body[place] == UInt8(ascii: ":") else { continue }
            place &+= 1
            while place < body.count, Self.isSpace(body[place]) { place &+= 1 }
            guard place < body.count, body[place] == UInt8(ascii: "\""),
                let close = body.firstIndex(of: UInt8(ascii: "\""), from: place &+ 1),
                close > place &+ 1
            else { continue }
            return place &+ 1..<close
        }
        return nil
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}
