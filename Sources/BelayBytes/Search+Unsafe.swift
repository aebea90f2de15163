// Public for `firstIndex`, which is inlined elsewhere: no declaration here shows it.
public import Glibc

extension Span<UInt8> {
    /// The first place of `byte` at `start` or after it.
    @inlinable @inline(__always)
    package func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        guard start < self.count else { return nil }
        precondition(start >= 0, "a search before the first byte")
        return unsafe self.withUnsafeBufferPointer { bytes -> Int? in
            // Safe: memchr reads at most `count - start` bytes from `start`, all of the span, and
            // the pointer does not leave the closure.
            guard let base = bytes.baseAddress,
                let found = unsafe memchr(base + start, Int32(byte), bytes.count - start)
            else { return nil }
            return unsafe UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) - base
        }
    }

    /// Eight bytes from `offset` as a little-endian number.
    @inlinable @inline(__always)
    package func word(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= self.count &- 8, "a word beyond the end")
        // Safe: the eight bytes are within the span, checked above; any bytes are a valid UInt64.
        let word = unsafe self.bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: offset,
            as: UInt64.self
        )
        return UInt64(littleEndian: word)
    }

    /// Whether `range` holds exactly the bytes of `text`.
    @inline(__always)
    package func isEqual(_ range: Range<Int>, to text: StaticString) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= self.count, "beyond the end")
        guard range.count == text.utf8CodeUnitCount else { return false }
        return unsafe self.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return true }
            // Safe: both sides have `range.count` bytes, checked above.
            return unsafe memcmp(base + range.lowerBound, text.utf8Start, range.count) == 0
        }
    }

    /// Whether both ranges hold the same bytes.
    @inline(__always)
    package func isEqual(
        _ range: Range<Int>,
        to other: borrowing Span<UInt8>,
        _ otherRange: Range<Int>
    ) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= self.count, "beyond the end")
        precondition(
            otherRange.lowerBound >= 0 && otherRange.upperBound <= other.count,
            "beyond the end"
        )
        guard range.count == otherRange.count else { return false }
        return unsafe self.withUnsafeBufferPointer { left in
            unsafe other.withUnsafeBufferPointer { right in
                guard let left = left.baseAddress, let right = right.baseAddress else {
                    return true
                }
                // Safe: both ranges lie within their spans, checked above, and are as long.
                return unsafe memcmp(
                    left + range.lowerBound,
                    right + otherRange.lowerBound,
                    range.count
                ) == 0
            }
        }
    }

    /// Whether `range` holds `lowercase`, which must be lower case, whatever the case of the
    /// letters in the span.
    @inlinable @inline(__always)
    package func isEqual(_ range: Range<Int>, toLowercase lowercase: StaticString) -> Bool {
        guard range.count == lowercase.utf8CodeUnitCount else { return false }
        for index in 0..<range.count {
            // Safe: `index` is below the static string's length, checked above.
            let wanted = unsafe lowercase.utf8Start[index]
            if lowercased(self[range.lowerBound &+ index]) != wanted { return false }
        }
        return true
    }
}

/// The letter in lower case, any other byte as it is.
@inlinable @inline(__always)
package func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
}
