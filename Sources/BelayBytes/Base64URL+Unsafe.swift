/// base64url without padding (RFC 4648, section 5): how bytes travel in a cookie.
///
/// Only one text stands for given bytes: padding, other alphabets, line breaks and left-over bits
/// that are not zero are refused, so a text that was changed anywhere never decodes to the bytes
/// it had.
package enum Base64URL {
    /// How many characters `bytes` bytes take.
    package static func textCount(ofBytes bytes: Int) -> Int { (bytes &* 4 &+ 2) / 3 }

    /// How many bytes `text` characters hold. Nil if no bytes have a text of that length.
    package static func byteCount(ofText text: Int) -> Int? {
        text % 4 == 1 ? nil : text &* 3 / 4
    }

    /// Decodes all of `text` into the start of `bytes`. False if `text` is not base64url; then
    /// what `bytes` holds is not defined.
    ///
    /// The time it takes depends on the text: not for secrets that somebody may time.
    package static func decode(
        _ text: borrowing Span<UInt8>,
        into bytes: inout MutableSpan<UInt8>
    ) -> Bool {
        guard let size = self.byteCount(ofText: text.count) else { return false }
        precondition(size <= bytes.count, "no room for the decoded bytes")
        let count = text.count
        return unsafe text.withUnsafeBufferPointer { text in
            unsafe bytes.withUnsafeMutableBufferPointer { bytes in
                guard let text = text.baseAddress, let bytes = bytes.baseAddress else {
                    return true
                }
                // Safe: `text` has `count` characters, and `bytes` has room for as many bytes as
                // they hold, checked above.
                return unsafe Self.decode(text, count, bytes)
            }
        }
    }

    private static func decode(
        _ text: UnsafePointer<UInt8>,
        _ count: Int,
        _ bytes: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        var read = 0
        var write = 0
        // A character that is none has the value 0x80, which survives the or.
        var seen: UInt32 = 0
        while read &+ 4 <= count {
            // Safe: four characters are left, and three bytes of room for them.
            let a = unsafe self.value(text[read])
            let b = unsafe self.value(text[read &+ 1])
            let c = unsafe self.value(text[read &+ 2])
            let d = unsafe self.value(text[read &+ 3])
            seen |= a | b | c | d
            let word = a << 18 | b << 12 | c << 6 | d
            unsafe bytes[write] = UInt8(truncatingIfNeeded: word >> 16)
            unsafe bytes[write &+ 1] = UInt8(truncatingIfNeeded: word >> 8)
            unsafe bytes[write &+ 2] = UInt8(truncatingIfNeeded: word)
            read &+= 4
            write &+= 3
        }
        // Safe: two or three characters are left, and one or two bytes of room for them.
        var spare: UInt32 = 0
        switch count &- read {
        case 2:
            let a = unsafe self.value(text[read])
            let b = unsafe self.value(text[read &+ 1])
            seen |= a | b
            spare = b & 0x0F
            unsafe bytes[write] = UInt8(truncatingIfNeeded: a << 2 | b >> 4)
        case 3:
            let a = unsafe self.value(text[read])
            let b = unsafe self.value(text[read &+ 1])
            let c = unsafe self.value(text[read &+ 2])
            seen |= a | b | c
            spare = c & 0x03
            unsafe bytes[write] = UInt8(truncatingIfNeeded: a << 2 | b >> 4)
            unsafe bytes[write &+ 1] = UInt8(truncatingIfNeeded: b << 4 | c >> 2)
        default: break
        }
        return seen < 0x80 && spare == 0
    }

    /// Writes the characters of 48 bytes at most; returns how many they are.
    @inline(__always)
    fileprivate static func encode(
        _ bytes: borrowing Span<UInt8>,
        _ range: Range<Int>,
        into text: inout [64 of UInt8]
    ) -> Int {
        var write = 0
        var read = range.lowerBound
        while read &+ 3 <= range.upperBound {
            let word =
                UInt32(bytes[read]) << 16 | UInt32(bytes[read &+ 1]) << 8
                | UInt32(bytes[read &+ 2])
            text[write] = self.character(word >> 18)
            text[write &+ 1] = self.character(word >> 12)
            text[write &+ 2] = self.character(word >> 6)
            text[write &+ 3] = self.character(word)
            read &+= 3
            write &+= 4
        }
        let left = range.upperBound &- read
        if left == 0 { return write }
        let second: UInt32 = left == 2 ? UInt32(bytes[read &+ 1]) : 0
        let word = UInt32(bytes[read]) << 16 | second << 8
        text[write] = self.character(word >> 18)
        text[write &+ 1] = self.character(word >> 12)
        if left == 1 { return write &+ 2 }
        text[write &+ 2] = self.character(word >> 6)
        return write &+ 3
    }

    @inline(__always)
    private static func value(_ character: UInt8) -> UInt32 {
        UInt32(values[Int(character)])
    }

    @inline(__always)
    private static func character(_ value: UInt32) -> UInt8 {
        characters[Int(value & 0x3F)]
    }
}

extension ByteWriter {
    /// Writes `bytes` as base64url without padding.
    package mutating func append(base64URL bytes: borrowing Span<UInt8>) {
        // Limit: 48 bytes are encoded at a time, so that a cookie is two pieces.
        var start = 0
        while start < bytes.count {
            let end = Swift.min(start &+ 48, bytes.count)
            var piece = [64 of UInt8](repeating: 0)
            let count = Base64URL.encode(bytes, start..<end, into: &piece)
            self.append(piece.span, 0..<count)
            start = end
        }
    }
}

/// The character of each value.
private let characters: [64 of UInt8] = [
    0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50,
    0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66,
    0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76,
    0x77, 0x78, 0x79, 0x7A, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x2D, 0x5F,
]

/// The value of each character; 0x80 where there is none.
private let values: [256 of UInt8] = [
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x3E, 0x80, 0x80,
    0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E,
    0x0F, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x80, 0x80, 0x80, 0x80, 0x3F,
    0x80, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F, 0x30, 0x31, 0x32, 0x33, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
]
