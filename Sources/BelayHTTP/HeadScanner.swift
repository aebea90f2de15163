import BelayBytes

/// Finds where a head ends, looking at each byte once however it arrives.
///
/// Refuses early what no later byte can mend: a first word that is none, a line that does not end
/// in CR LF, a head that is too large. One empty line before the head is counted in
/// (RFC 9112 §2.2: some old clients send it after a body); a second one is refused. The rest is
/// left to `RequestHead.parse` and `ResponseHead.parse`. Use a new scanner for each head.
package struct HeadScanner: Sendable {
    /// Limit: the first word is a method or a version. The longest registered method has 17 bytes.
    private static let firstWordMax = 32

    /// How many bytes of the head were looked at.
    private var scanned: UInt32 = 0
    /// Where the line that is not complete yet begins.
    private var lineStart: UInt32 = 0
    private var hasFirstWord = false
    private var hasFirstLine = false

    package init() {}

    /// Looks at `bytes` behind `start` as far as it has not done before. The head must still
    /// begin at `start`, with more bytes behind it than at the call before.
    ///
    /// Returns the head's length, its empty line included, or nil when it is not complete.
    package mutating func scan(
        _ bytes: borrowing Span<UInt8>,
        from start: Int,
        headMax: Int
    ) throws(MessageError) -> Int? {
        let limit = Swift.min(bytes.count, start &+ headMax)
        if !self.hasFirstWord {
            try self.checkFirstWord(bytes, from: start, limit: limit)
        }
        var lineStart = start &+ Int(self.lineStart)
        if self.hasFirstWord {
            var position = start &+ Int(self.scanned)
            while let feed = bytes.firstIndex(of: 0x0A, from: position), feed < limit {
                let isEmpty = feed == lineStart &+ 1
                guard bytes[lineStart] != 0x0D || isEmpty else { throw .bareCarriageReturn }
                guard feed > lineStart, bytes[feed &- 1] == 0x0D else { throw .bareLineFeed }
                if isEmpty { return feed &+ 1 &- start }
                self.hasFirstLine = true
                lineStart = feed &+ 1
                position = lineStart
            }
            self.lineStart = UInt32(truncatingIfNeeded: lineStart &- start)
            self.scanned = UInt32(truncatingIfNeeded: limit &- start)
            if lineStart &+ 1 < limit, bytes[lineStart] == 0x0D { throw .bareCarriageReturn }
        }
        if bytes.count &- start >= headMax {
            throw self.hasFirstLine ? .headTooLarge : .targetTooLong
        }
        return nil
    }

    /// Looks at what stands before the first space: garbage (a TLS record, a NUL) shows there,
    /// long before a line would end. Looks again from the start until the space has come.
    private mutating func checkFirstWord(
        _ bytes: borrowing Span<UInt8>,
        from start: Int,
        limit: Int
    ) throws(MessageError) {
        var word = start
        if limit &- start >= 8 {
            // These three begin nearly all heads.
            let first = bytes.word(at: start)
            if first & 0xFFFF_FFFF == 0x2054_4547 || first & 0xFF_FFFF_FFFF == 0x20_5453_4F50
                || first == 0x312E_312F_5054_5448 && limit &- start > 8 && bytes[start &+ 8] == 0x20
            {
                self.hasFirstWord = true
                return
            }
        }
        if word < limit, bytes[word] == 0x0D {
            guard word &+ 1 < limit else { return }
            guard bytes[word &+ 1] == 0x0A else { throw .bareCarriageReturn }
            word &+= 2
        }
        let wordMax = Swift.min(limit, word &+ Self.firstWordMax &+ 1)
        for index in word..<Swift.max(word, wordMax) {
            let byte = bytes[index]
            if byte &- 0x21 < 0x5E { continue }
            switch byte {
            case 0x20 where index > word:
                self.hasFirstWord = true
                self.lineStart = UInt32(truncatingIfNeeded: word &- start)
                self.scanned = UInt32(truncatingIfNeeded: index &- start)
                return
            case 0x0A: throw .bareLineFeed
            case 0x09, 0x0D, 0x20: throw index == word ? .leadingWhitespace : .badRequestLine
            default: throw .badMethod
            }
        }
        guard limit &- word <= Self.firstWordMax else { throw .badMethod }
    }
}
