private import COpenSSL

/// Bytes that nobody may read after they were given up: keys. Written once, wiped at the end.
///
/// A class, so that every holder of a key shares the one copy of it. For start and reload.
@safe
package final class SecretBytes: @unchecked Sendable {
    // Safe to share: the bytes never change after `init`.
    private let base: UnsafeMutablePointer<UInt8>
    package let count: Int

    /// `fill` writes all of the bytes, which are zeros before.
    package init(count: Int, fill: (inout MutableSpan<UInt8>) -> Void) {
        precondition(count > 0, "a secret without bytes")
        unsafe self.base = .allocate(capacity: count)
        // Safe: exactly the allocation; from here on every byte of it is initialised.
        unsafe self.base.initialize(repeating: 0, count: count)
        self.count = count
        // Safe: the span covers the allocation and ends before `init` does; nobody else has the
        // object yet.
        var bytes = unsafe MutableSpan(_unsafeStart: self.base, count: count)
        fill(&bytes)
    }

    package convenience init(copying bytes: borrowing Span<UInt8>) {
        self.init(count: bytes.count) { target in
            for index in 0..<bytes.count { target[index] = bytes[index] }
        }
    }

    deinit {
        // Safe: the whole allocation and no more. OpenSSL's wipe is one that the compiler does not
        // take out.
        unsafe OPENSSL_cleanse(self.base, self.count)
        unsafe self.base.deallocate()
    }

    package var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            // Safe: all `count` bytes are initialised, and the span borrows their owner.
            let span = unsafe Span(_unsafeStart: UnsafePointer(self.base), count: self.count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

extension MutableSpan<UInt8> {
    /// Overwrites the bytes in a way that the compiler does not take out.
    package mutating func wipe() {
        unsafe self.withUnsafeMutableBufferPointer { bytes in
            // Safe: exactly the span's bytes.
            unsafe OPENSSL_cleanse(bytes.baseAddress, bytes.count)
        }
    }
}

extension Span<UInt8> {
    /// Whether both hold the same bytes, in a time that depends on their number alone.
    package func isEqualInConstantTime(to other: borrowing Span<UInt8>) -> Bool {
        guard self.count == other.count else { return false }
        return unsafe self.withUnsafeBufferPointer { left in
            unsafe other.withUnsafeBufferPointer { right in
                guard let left = left.baseAddress, let right = right.baseAddress else {
                    return true
                }
                // Safe: both have `count` bytes, checked above.
                return unsafe CRYPTO_memcmp(left, right, self.count) == 0
            }
        }
    }
}
