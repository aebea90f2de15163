import BelayBytes

extension ByteWriter {
    /// Writes the inside of a JSON string (RFC 8259 §7) that stands for `bytes`, whatever they are:
    /// valid UTF-8 stays, a byte that is not part of any becomes U+FFFD. Control characters are
    /// escaped, the two sets that terminals obey above ASCII included, so that showing a log can't
    /// harm.
    mutating func append(json bytes: borrowing Span<UInt8>) {
        var start = 0
        var index = 0
        let count = bytes.count
        while index < count {
            index = bytes.plainEnd(from: index)
            if index == count { break }
            let length = bytes.escapeLength(at: index)
            if length < 0 {
                index &+= -length
                continue
            }
            self.append(bytes, start..<index)
            self.appendEscape(of: bytes, at: index)
            index &+= length
            start = index
        }
        self.append(bytes, start..<count)
    }

    /// The JSON escape of the character at `index`, which does not stand for itself.
    private mutating func appendEscape(of bytes: borrowing Span<UInt8>, at index: Int) {
        switch bytes[index] {
        case UInt8(ascii: "\""): self.append("\\\"")
        case UInt8(ascii: "\\"): self.append("\\\\")
        case 0x0A: self.append("\\n")
        case 0x0D: self.append("\\r")
        case 0x09: self.append("\\t")
        case let byte where byte < 0x20 || byte == 0x7F:
            self.append("\\u00")
            self.append(hexadecimal: byte)
        case 0xC2 where bytes.isControlAboveASCII(at: index):
            self.append("\\u00")
            self.append(hexadecimal: bytes[index &+ 1])
        default: self.append("\\ufffd")
        }
    }

    /// Writes `bytes` so that they stay within one line and within quotation marks: printable
    /// ASCII as it is, `"` and `\` after a backslash, any other byte as `\xHH`. Nothing is lost.
    mutating func append(quoted bytes: borrowing Span<UInt8>) {
        var start = 0
        var index = 0
        let count = bytes.count
        while index < count {
            index = bytes.plainEnd(from: index)
            if index == count { break }
            self.append(bytes, start..<index)
            let byte = bytes[index]
            self.append(UInt8(ascii: "\\"))
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                self.append(byte)
            } else {
                self.append(UInt8(ascii: "x"))
                self.append(hexadecimal: byte)
            }
            index &+= 1
            start = index
        }
        self.append(bytes, start..<count)
    }

    /// Two lower-case digits.
    private mutating func append(hexadecimal byte: UInt8) {
        self.append(hexDigit(byte >> 4))
        self.append(hexDigit(byte & 15))
    }
}

private func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 | value : 0x57 &+ value }

private let ones: UInt64 = 0x0101_0101_0101_0101

/// The high bit of each of the word's bytes that is below 0x20, one of `"`, `\`, DEL, or above
/// ASCII. Bits above the lowest hit mean nothing: a subtraction may have borrowed from there.
@inline(__always)
private func escapes(in word: UInt64) -> UInt64 {
    let low = word &- ones &* 0x20
    let quote = (word ^ ones &* 0x22) &- ones
    let backslash = (word ^ ones &* 0x5C) &- ones
    let delete = (word ^ ones &* 0x7F) &- ones
    return (low | quote | backslash | delete | word) & (ones &* 0x80)
}

extension Span<UInt8> {
    /// The first place from `start` on that is not printable ASCII, or is `"` or `\`.
    fileprivate func plainEnd(from start: Int) -> Int {
        var index = start
        let count = self.count
        while index &+ 8 <= count {
            let hits = escapes(in: self.word(at: index))
            if hits != 0 { return index &+ hits.trailingZeroBitCount / 8 }
            index &+= 8
        }
        if index < count, count >= 8 {
            // The rest in one word, whose first bytes were looked at: they are taken for plain.
            let place = count &- 8
            let asked = UInt64.max << UInt64(truncatingIfNeeded: 8 &* (index &- place))
            let word = self.word(at: place) & asked | ones &* 0x61 & ~asked
            let hits = escapes(in: word)
            return hits == 0 ? count : place &+ hits.trailingZeroBitCount / 8
        }
        while index < count {
            let byte = self[index]
            if byte < 0x20 || byte >= 0x7F || byte == 0x22 || byte == 0x5C { return index }
            index &+= 1
        }
        return index
    }

    /// U+0080 to U+009F: controls that terminals obey.
    fileprivate func isControlAboveASCII(at index: Int) -> Bool {
        index &+ 1 < self.count && self[index] == 0xC2 && self[index &+ 1] & 0xE0 == 0x80
    }

    /// How many bytes at `index` one escape stands for; below zero when as many bytes are a
    /// character above ASCII that stands for itself.
    fileprivate func escapeLength(at index: Int) -> Int {
        if self[index] < 0x80 { return 1 }
        if self.isControlAboveASCII(at: index) { return 2 }
        let length = self.characterLength(at: index)
        return length == 0 ? 1 : -length
    }

    /// The length of the UTF-8 character above ASCII that begins at `index`; 0 when none does
    /// (Unicode, table 3-7).
    private func characterLength(at index: Int) -> Int {
        let first = self[index]
        let length: Int
        // The second byte's range keeps out overlong forms, surrogates and what is above U+10FFFF.
        let second: ClosedRange<UInt8>
        switch first {
        case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return 0
        }
        guard index &+ length <= self.count, second.contains(self[index &+ 1]) else { return 0 }
        for offset in 2..<Swift.max(length, 2) where self[index &+ offset] & 0xC0 != 0x80 {
            return 0
        }
        return length
    }
}
