import BelayBytes

// The classes of bytes in RFC 9110 and RFC 3986 as bit masks, and the walks over a head that look
// at eight bytes at a time.

/// A set of ASCII characters: one bit each.
struct ByteClass: Sendable {
    private let low: UInt64
    private let high: UInt64

    init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// Bytes from 0x80 on are in no class.
    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        guard byte < 0x80 else { return false }
        let half = byte & 0x40 == 0 ? self.low : self.high
        return (half &>> UInt64(byte & 0x3F)) & 1 != 0
    }

    /// The characters of a token (RFC 9110 §5.6.2).
    static let token = ByteClass(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)

    /// What may stand in a name of a host: unreserved of RFC 3986. Its reg-name allows escapes
    /// and sub-delims as well; no name in DNS has them, and programs disagree about them.
    static let hostName = ByteClass(low: 0x03FF_6000_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)

    /// What may stand in a path besides an escape: pchar and "/" of RFC 3986, and `[ ] ^ { | }`,
    /// which clients send as they are.
    static let path = ByteClass(low: 0x2FFF_FFD2_0000_0000, high: 0x7FFF_FFFE_EFFF_FFFF)

    /// What may stand in a query: what browsers don't escape there (WHATWG URL).
    static let query = ByteClass(low: 0xAFFF_FFF2_0000_0000, high: 0x7FFF_FFFF_FFFF_FFFF)
}

@inline(__always)
func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

/// The value of a hexadecimal digit.
@inline(__always)
func hexadecimalValue(_ byte: UInt8) -> UInt8? {
    let digit = byte &- 0x30
    if digit < 10 { return digit }
    let letter = (byte | 0x20) &- 0x61
    return letter < 6 ? letter &+ 10 : nil
}

/// The same byte eight times.
@inline(__always)
private func repeated(_ byte: UInt64) -> UInt64 { byte &* 0x0101_0101_0101_0101 }

/// The index of the first byte whose high bit is set.
@inline(__always)
private func firstMark(_ marks: UInt64) -> Int { marks.trailingZeroBitCount &>> 3 }

/// Eight bytes tested at once: each test answers with the high bits of the bytes that pass it.
private struct EightBytes {
    private let bytes: UInt64
    /// The bytes without their high bits: sums of these carry nothing into the byte above.
    private let low: UInt64

    @inline(__always)
    init(_ bytes: UInt64) {
        self.bytes = bytes
        self.low = bytes & repeated(0x7F)
    }

    /// Bytes within a range of ASCII; wrong for bytes from 0x80 on, which `allASCII` tells.
    @inline(__always)
    func within(_ first: UInt64, _ last: UInt64) -> UInt64 {
        (self.low &+ repeated(0x80 &- first)) & ~(self.low &+ repeated(0x7F &- last))
    }

    /// Letters of either case; wrong for bytes from 0x80 on.
    @inline(__always)
    var letters: UInt64 {
        let small = self.low | repeated(0x20)
        return (small &+ repeated(0x1F)) & ~(small &+ repeated(0x05))
    }

    @inline(__always)
    func equal(_ byte: UInt64) -> UInt64 {
        ~((self.low ^ repeated(byte)) &+ repeated(0x7F))
    }

    /// The bytes that are not in `passed`, those from 0x80 on among them.
    @inline(__always)
    func outside(_ passed: UInt64) -> UInt64 { (~passed | self.bytes) & repeated(0x80) }
}

extension Span<UInt8> {
    /// The first place at `start` or after it that holds neither a letter nor a hyphen; the end
    /// if all do. Nearly every field name consists of these.
    @inline(__always)
    func endOfLettersAndHyphens(from start: Int) -> Int {
        precondition(start >= 0, "a walk from before the first byte")
        let lastWord = self.count - 8
        var index = start
        while index <= lastWord {
            let eight = EightBytes(self.word(at: index))
            let other = eight.outside(eight.letters | eight.equal(0x2D))
            if other != 0 { return index &+ firstMark(other) }
            index += 8
        }
        while index < self.count {
            let byte = self[index]
            guard (byte | 0x20) &- 0x61 < 26 || byte == 0x2D else { return index }
            index &+= 1
        }
        return index
    }

    /// The first place at `start` or after it that holds a control character other than the tab;
    /// the end if there is none.
    @inline(__always)
    func endOfText(from start: Int) -> Int {
        precondition(start >= 0, "a walk from before the first byte")
        let lastWord = self.count - 8
        var index = start
        while index <= lastWord {
            let word = self.word(at: index)
            let below = (word &- repeated(0x20)) & ~word
            let delete = word ^ repeated(0x7F)
            let found = (below | ((delete &- repeated(0x01)) & ~delete)) & repeated(0x80)
            if found != 0 {
                // A borrow can mark a byte only above one that is marked rightly: the lowest
                // mark is always right.
                index &+= firstMark(found)
                if self[index] != 0x09 { return index }
                index &+= 1
            } else {
                index += 8
            }
        }
        while index < self.count {
            let byte = self[index]
            guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else { return index }
            index &+= 1
        }
        return index
    }

    /// The first place at `start` or after it whose byte is not in the class; the end if all are.
    @inline(__always)
    func end(of allowed: ByteClass, from start: Int) -> Int {
        var index = start
        while index < self.count, allowed.contains(self[index]) { index &+= 1 }
        return index
    }

    /// `end(of: .path)`, eight bytes at a time.
    @inline(__always)
    func endOfPathCharacters(from start: Int) -> Int {
        precondition(start >= 0, "a walk from before the first byte")
        let lastWord = self.count - 8
        var index = start
        while index <= lastWord {
            let eight = EightBytes(self.word(at: index))
            let usual =
                eight.within(0x26, 0x3B) | eight.within(0x40, 0x5B) | eight.within(0x61, 0x7E)
                | eight.equal(0x5F)
            let other = eight.outside(usual)
            if other != 0 {
                // The rest of the class is rare: `!`, `$`, `=`, `]`, `^`.
                index &+= firstMark(other)
                guard ByteClass.path.contains(self[index]) else { return index }
                index &+= 1
            } else {
                index += 8
            }
        }
        return self.end(of: .path, from: index)
    }

    /// `end(of: .query)`, eight bytes at a time.
    @inline(__always)
    func endOfQueryCharacters(from start: Int) -> Int {
        precondition(start >= 0, "a walk from before the first byte")
        let lastWord = self.count - 8
        var index = start
        while index <= lastWord {
            let eight = EightBytes(self.word(at: index))
            let usual =
                eight.within(0x24, 0x7E) & ~eight.equal(0x3C) & ~eight.equal(0x3E)
            let other = eight.outside(usual)
            if other != 0 {
                index &+= firstMark(other)
                guard ByteClass.query.contains(self[index]) else { return index }
                index &+= 1
            } else {
                index += 8
            }
        }
        return self.end(of: .query, from: index)
    }

    /// The first place at `start` or after it that cannot be in a name of a host.
    @inline(__always)
    func endOfHostName(from start: Int, to end: Int) -> Int {
        precondition(start >= 0, "a walk from before the first byte")
        let lastWord = self.count - 8
        var index = start
        while index <= lastWord {
            let eight = EightBytes(self.word(at: index))
            let other = eight.outside(
                eight.letters | eight.within(0x30, 0x39) | eight.within(0x2D, 0x2E)
            )
            if other != 0 {
                index &+= firstMark(other)
                if index >= end { return end }
                guard ByteClass.hostName.contains(self[index]) else { return index }
                index &+= 1
            } else {
                index += 8
            }
            if index >= end { return end }
        }
        while index < end, ByteClass.hostName.contains(self[index]) { index &+= 1 }
        return index
    }

    /// The first `size` bytes (at most eight) from `offset`, as a number with zeros above.
    @inline(__always)
    func word(at offset: Int, size: Int) -> UInt64 {
        if offset <= self.count &- 8 {
            let word = self.word(at: offset)
            return size >= 8 ? word : word & ((1 &<< UInt64(size &* 8)) &- 1)
        }
        var word: UInt64 = 0
        for index in 0..<Swift.min(size, 8) {
            word |= UInt64(self[offset &+ index]) &<< UInt64(index &* 8)
        }
        return word
    }

    /// Whether both ranges hold the same bytes but for the case of letters.
    func isEqualIgnoringCase(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count {
            guard
                lowercased(self[left.lowerBound &+ index])
                    == lowercased(self[right.lowerBound &+ index])
            else { return false }
        }
        return true
    }

    /// The range without spaces and tabs at its ends.
    @inline(__always)
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, self[start] == 0x20 || self[start] == 0x09 { start &+= 1 }
        while end > start, self[end &- 1] == 0x20 || self[end &- 1] == 0x09 { end &-= 1 }
        return start..<end
    }
}
