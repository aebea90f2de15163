import Synchronization

/// A short text from the settings (a cookie's name, a pool's name, an error page) as the hot path
/// wants it: its bytes at a fixed place, without reference counting.
///
/// The bytes are never given back. Equal texts share one place, so a reload that changes nothing
/// takes no memory.
@safe
@usableFromInline
package struct InternedText: Hashable, Sendable {
    // Safe to share: the bytes are never written after `init`, and never freed.
    @usableFromInline nonisolated(unsafe) let base: UnsafePointer<UInt8>
    @usableFromInline package let count: Int

    /// The empty text.
    package static let empty = InternedText("")

    package init(_ text: String) {
        self.init(bytes: Array(text.utf8))
    }

    package init(bytes: [UInt8]) {
        let place = known.withLock { known -> Place in
            if let place = known[bytes] { return place }
            let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: Swift.max(bytes.count, 1))
            // Safe: as many bytes as were allocated, at least one.
            unsafe memory.initialize(repeating: 0, count: Swift.max(bytes.count, 1))
            for (index, byte) in bytes.enumerated() { unsafe memory[index] = byte }
            let place = unsafe Place(base: UnsafePointer(memory))
            known[bytes] = place
            return place
        }
        unsafe self.base = place.base
        self.count = bytes.count
    }

    /// The text's bytes.
    package var bytes: Span<UInt8> {
        @inlinable @_lifetime(borrow self)
        get {
            // Safe: `count` initialised bytes that are never freed.
            let span = unsafe Span(_unsafeStart: self.base, count: self.count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The text as a `String`, for messages and pages that are not made per request.
    package var text: String {
        var bytes: [UInt8] = []
        for index in 0..<self.count { bytes.append(self.bytes[index]) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @usableFromInline package static func == (left: InternedText, right: InternedText) -> Bool {
        unsafe left.base == right.base
    }

    @usableFromInline package func hash(into hasher: inout Hasher) {
        unsafe hasher.combine(UInt(bitPattern: self.base))
    }
}

/// Where a text's bytes lie, for ever.
@safe
private struct Place: @unchecked Sendable {
    let base: UnsafePointer<UInt8>
}

private let known = Mutex<[[UInt8]: Place]>([:])
