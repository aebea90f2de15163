// BelayBytes: what every hot room does with bytes, and nothing that knows what the bytes mean.
// Searching and word loads over `Span`, a writer of fixed capacity, hashes, a checksum, base64url,
// and the table of shared counters. The unsafe steps are here so that parsers and policies need
// none. Next door: BelayHTTP reads messages with these, BelayTransport moves them.

/// Bytes written one after the other into memory that is taken once and kept.
///
/// Writing past the capacity is refused whole: nothing of that piece is written and
/// `hasOverflowed` stays true until `removeAll()`. So a caller writes a whole message and asks
/// once at its end. Never allocates after `init`.
@safe
@usableFromInline
package struct ByteWriter: ~Copyable, @unchecked Sendable {
    // Safe to send: nobody else has the memory.
    @usableFromInline let base: UnsafeMutablePointer<UInt8>
    /// How many bytes fit.
    @usableFromInline package let capacity: Int
    /// How many bytes were written since the last `removeAll()`.
    @usableFromInline package internal(set) var count = 0
    /// A piece did not fit.
    @usableFromInline package internal(set) var hasOverflowed = false

    package init(capacity: Int) {
        precondition(capacity > 0, "a writer without room")
        unsafe self.base = .allocate(capacity: capacity)
        // Safe: exactly the allocation; from here on every byte of it is initialised.
        unsafe self.base.initialize(repeating: 0, count: capacity)
        self.capacity = capacity
    }

    deinit { unsafe self.base.deallocate() }

    /// What was written.
    package var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            // Safe: `count` never exceeds `capacity`, all of which is initialised, and the span
            // borrows the writer that owns the memory.
            let span = unsafe Span(_unsafeStart: UnsafePointer(self.base), count: self.count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    package mutating func removeAll() {
        self.count = 0
        self.hasOverflowed = false
    }

    /// Takes back what was written after `count` bytes.
    package mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count, "a writer cannot grow by truncation")
        self.count = count
    }

    @inlinable @inline(__always)
    mutating func reserve(_ size: Int) -> Bool {
        if size <= self.capacity &- self.count { return true }
        self.hasOverflowed = true
        return false
    }

    @inlinable @inline(__always)
    package mutating func append(_ byte: UInt8) {
        guard self.reserve(1) else { return }
        // Safe: `reserve` found room for one byte at `count`.
        unsafe self.base[self.count] = byte
        self.count &+= 1
    }

    @inlinable @inline(__always)
    package mutating func append(_ bytes: borrowing Span<UInt8>) {
        let size = bytes.count
        guard size > 0, self.reserve(size) else { return }
        let target = unsafe self.base + self.count
        unsafe bytes.withUnsafeBufferPointer { source in
            // Safe: `reserve` found room for `size` bytes; `source` is a span of other memory, or
            // of bytes before `count`, so the two do not overlap.
            if let start = source.baseAddress {
                unsafe target.update(from: start, count: size)
            }
        }
        self.count &+= size
    }

    /// Writes `range` of `bytes`.
    @inlinable @inline(__always)
    package mutating func append(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
        self.append(bytes.extracting(range))
    }

    @inlinable @inline(__always)
    package mutating func append(_ text: StaticString) {
        precondition(text.hasPointerRepresentation, "a single scalar is appended as a byte")
        let size = text.utf8CodeUnitCount
        guard self.reserve(size) else { return }
        // Safe: a static string's bytes live for ever, and `reserve` found room for them.
        unsafe (self.base + self.count).update(from: text.utf8Start, count: size)
        self.count &+= size
    }

    /// Writes the text's UTF-8. For texts made at start (names from the settings): walks a
    /// `String`, so costs more than a span.
    package mutating func append(text: String) {
        var text = text
        text.withUTF8 { utf8 in
            guard self.reserve(utf8.count), let start = utf8.baseAddress else { return }
            // Safe: `reserve` found room; `utf8` lives until the closure returns.
            unsafe (self.base + self.count).update(from: start, count: utf8.count)
            self.count &+= utf8.count
        }
    }

    /// Writes a number in decimal digits.
    @inlinable @inline(__always)
    package mutating func append(decimal value: UInt64) {
        // Limit: 2^64 - 1 has 20 digits.
        guard self.reserve(20) else { return }
        var size = 1
        var bound: UInt64 = 10
        // Limit: 10^19 is the last power of ten that fits.
        while value >= bound, size < 20 {
            size &+= 1
            bound &*= 10
        }
        var rest = value
        var index = self.count &+ size
        for _ in 0..<size {
            index &-= 1
            // Safe: between `count` and `count + 20`, which `reserve` found room for.
            unsafe self.base[index] = UInt8(truncatingIfNeeded: rest % 10) | 0x30
            rest /= 10
        }
        self.count &+= size
    }

    @inlinable @inline(__always)
    package mutating func append(decimal value: Int) {
        if value < 0 { self.append(UInt8(ascii: "-")) }
        self.append(decimal: UInt64(value.magnitude))
    }

    /// Writes a number in lower-case hexadecimal digits without leading zeros.
    package mutating func append(hexadecimal value: UInt64) {
        let digits = Swift.max(1, (67 &- value.leadingZeroBitCount) / 4)
        var shift = (digits &- 1) * 4
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: (value >> UInt64(shift)) & 15)
            self.append(digit < 10 ? 0x30 | digit : 0x57 &+ digit)
            shift &-= 4
        }
    }

    /// Writes over bytes that are already there, such as a length that is known only now.
    package mutating func replace(at offset: Int, with byte: UInt8) {
        precondition(offset >= 0 && offset < self.count, "nothing was written there")
        // Safe: checked against `count` above.
        unsafe self.base[offset] = byte
    }
}
