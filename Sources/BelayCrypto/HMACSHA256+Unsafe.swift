private import COpenSSL

/// HMAC with SHA-256 (RFC 2104) under one key, for one message after the other.
///
/// The context is made once. OpenSSL 3.0 allocates twice in each message, as it does in every
/// digest: this is for keys that are derived now and then, not for every request. OpenSSL wipes
/// the key when the value is destroyed.
@safe
package struct HMACSHA256: ~Copyable, @unchecked Sendable {
    // Safe to send: the value is not copyable, so whoever holds it is the only user of the context.
    private let context: OpaquePointer

    /// The length of what it computes, in bytes.
    package static let count = 32

    /// A key of any length, as the RFC has it; an empty one too.
    package init(key: borrowing Span<UInt8>) throws(CryptoError) {
        guard let algorithm = unsafe EVP_MAC_fetch(nil, "HMAC", nil) else {
            ERR_clear_error()
            throw .refused(.digest)
        }
        // Safe: the context takes a reference of its own to the algorithm.
        let made = unsafe EVP_MAC_CTX_new(algorithm)
        unsafe EVP_MAC_free(algorithm)
        guard let context = unsafe made else {
            ERR_clear_error()
            throw .refused(.digest)
        }
        guard unsafe Self.setKey(key, of: context) else {
            unsafe EVP_MAC_CTX_free(context)
            ERR_clear_error()
            throw .refused(.digest)
        }
        unsafe self.context = context
    }

    deinit { unsafe EVP_MAC_CTX_free(self.context) }

    private static func setKey(_ key: borrowing Span<UInt8>, of context: OpaquePointer) -> Bool {
        let name: StaticString = "digest"
        let value: StaticString = "SHA2-256"
        // Safe: static strings end with a zero and live for ever, so the parameters may point to
        // them; OpenSSL only reads them although a type is not const. A size of zero makes it
        // measure the value.
        var parameters = unsafe (
            OSSL_PARAM_construct_utf8_string(
                UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self),
                UnsafeMutablePointer(
                    mutating: UnsafeRawPointer(value.utf8Start).assumingMemoryBound(to: CChar.self)
                ),
                0
            ),
            OSSL_PARAM_construct_end()
        )
        return unsafe withUnsafeBytes(of: &parameters) { parameters in
            let first = unsafe parameters.assumingMemoryBound(to: OSSL_PARAM.self).baseAddress
            return unsafe key.withUnsafeBufferPointer { key in
                // Safe: OpenSSL copies `count` bytes. Without an address it would take an empty key
                // for none, so it gets one that it does not read.
                var nothing: UInt8 = 0
                return unsafe key.isEmpty
                    ? EVP_MAC_init(context, &nothing, 0, first) == 1
                    : EVP_MAC_init(context, key.baseAddress, key.count, first) == 1
            }
        }
    }

    /// Starts a message; `update` adds to it and `finish` ends it.
    package mutating func begin() throws(CryptoError) {
        // Safe: without a key the context starts anew with its own.
        guard unsafe EVP_MAC_init(self.context, nil, 0, nil) == 1 else { throw .refused(.digest) }
    }

    package mutating func update(_ bytes: borrowing Span<UInt8>) throws(CryptoError) {
        let context = unsafe self.context
        let isDone = unsafe bytes.withUnsafeBufferPointer { bytes in
            // Safe: OpenSSL reads `count` bytes and keeps no pointer.
            unsafe EVP_MAC_update(context, bytes.baseAddress, bytes.count) == 1
        }
        guard isDone else { throw .refused(.digest) }
    }

    /// Writes the 32 bytes.
    package mutating func finish(into code: inout MutableSpan<UInt8>) throws(CryptoError) {
        precondition(code.count == Self.count, "no exact room for the code")
        let context = unsafe self.context
        let isDone = unsafe code.withUnsafeMutableBufferPointer { code in
            var written = 0
            // Safe: HMAC with SHA-256 writes 32 bytes, the room that was checked above.
            return unsafe EVP_MAC_final(context, code.baseAddress, &written, code.count) == 1
        }
        guard isDone else { throw .refused(.digest) }
    }
}
