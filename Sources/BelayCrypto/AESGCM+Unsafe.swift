private import COpenSSL

/// AES-256-GCM (NIST SP 800-38D) under one key: makes bytes unreadable and unchangeable.
///
/// The context and the key's schedule are made once; `seal` and `open` allocate nothing. A nonce
/// must never be used twice under one key. OpenSSL wipes the key when the value is destroyed or
/// gets another.
@safe
package struct AESGCM: ~Copyable, @unchecked Sendable {
    // Safe to send: the value is not copyable, so whoever holds it is the only user of the context.
    private let context: OpaquePointer

    package static let keyCount = 32
    package static let nonceCount = 12
    /// How many bytes longer the sealed text is than the plain one.
    package static let tagCount = 16

    package init(key: borrowing Span<UInt8>) throws(CryptoError) {
        guard let context = unsafe EVP_CIPHER_CTX_new() else { throw .refused(.cipher) }
        guard let cipher = unsafe EVP_CIPHER_fetch(nil, "AES-256-GCM", nil) else {
            unsafe EVP_CIPHER_CTX_free(context)
            ERR_clear_error()
            throw .refused(.cipher)
        }
        // Safe: the context takes a reference of its own to the cipher. GCM's default nonce is the
        // twelve bytes that we use.
        let isReady = unsafe EVP_CipherInit_ex2(context, cipher, nil, nil, 1, nil) == 1
        unsafe EVP_CIPHER_free(cipher)
        guard isReady, unsafe Self.setKey(key, of: context) else {
            unsafe EVP_CIPHER_CTX_free(context)
            ERR_clear_error()
            throw .refused(.cipher)
        }
        unsafe self.context = context
    }

    deinit { unsafe EVP_CIPHER_CTX_free(self.context) }

    /// Goes on with another key in the same context.
    package mutating func setKey(_ key: borrowing Span<UInt8>) throws(CryptoError) {
        guard unsafe Self.setKey(key, of: self.context) else {
            ERR_clear_error()
            throw .refused(.cipher)
        }
    }

    private static func setKey(_ key: borrowing Span<UInt8>, of context: OpaquePointer) -> Bool {
        precondition(key.count == Self.keyCount, "a key of another length")
        return unsafe key.withUnsafeBufferPointer { key in
            // Safe: OpenSSL reads the 32 bytes of an AES-256 key, checked above, and copies them.
            unsafe EVP_CipherInit_ex2(context, nil, key.baseAddress, nil, 1, nil) == 1
        }
    }

    /// Writes the ciphertext of `plaintext` and its tag to `sealed`, which has exactly the room.
    package mutating func seal(
        _ plaintext: borrowing Span<UInt8>,
        nonce: borrowing Span<UInt8>,
        authenticating header: borrowing Span<UInt8>,
        into sealed: inout MutableSpan<UInt8>
    ) throws(CryptoError) {
        precondition(nonce.count == Self.nonceCount, "a nonce of another length")
        precondition(sealed.count == plaintext.count + Self.tagCount, "no exact room for the seal")
        let context = unsafe self.context
        let size = plaintext.count
        let isDone = unsafe nonce.withUnsafeBufferPointer { nonce in
            unsafe header.withUnsafeBufferPointer { header in
                unsafe plaintext.withUnsafeBufferPointer { plaintext in
                    unsafe sealed.withUnsafeMutableBufferPointer { sealed in
                        // Safe: GCM writes as many bytes as it reads, `size`, and then the tag's
                        // 16, which is the room that was checked above. No pointer is kept.
                        unsafe Self.start(context, nonce, header, isSealing: 1)
                            && Self.update(context, sealed.baseAddress, plaintext)
                            && Self.finish(context)
                            && EVP_CIPHER_CTX_ctrl(
                                context,
                                EVP_CTRL_AEAD_GET_TAG,
                                Int32(Self.tagCount),
                                sealed.baseAddress.map { unsafe $0 + size }
                            ) == 1
                    }
                }
            }
        }
        guard isDone else {
            ERR_clear_error()
            throw .refused(.cipher)
        }
    }

    /// Writes the plaintext of `sealed` to `plaintext`, which has exactly the room. Throws
    /// `notAuthentic` for whatever was not sealed so; then `plaintext` is all zeros.
    package mutating func open(
        _ sealed: borrowing Span<UInt8>,
        nonce: borrowing Span<UInt8>,
        authenticating header: borrowing Span<UInt8>,
        into plaintext: inout MutableSpan<UInt8>
    ) throws(CryptoError) {
        precondition(nonce.count == Self.nonceCount, "a nonce of another length")
        precondition(sealed.count == plaintext.count + Self.tagCount, "no exact room to open into")
        let context = unsafe self.context
        let size = plaintext.count
        let isAuthentic = unsafe nonce.withUnsafeBufferPointer { nonce in
            unsafe header.withUnsafeBufferPointer { header in
                unsafe sealed.withUnsafeBufferPointer { sealed in
                    unsafe plaintext.withUnsafeMutableBufferPointer { plaintext in
                        // Safe: GCM writes as many bytes as it reads: the first `size` of `sealed`.
                        // The tag is the 16 after them, which OpenSSL only reads although the
                        // parameter is not const. No pointer is kept.
                        unsafe Self.start(context, nonce, header, isSealing: 0)
                            && Self.update(
                                context,
                                plaintext.baseAddress,
                                UnsafeBufferPointer(rebasing: sealed[..<size])
                            )
                            && EVP_CIPHER_CTX_ctrl(
                                context,
                                EVP_CTRL_AEAD_SET_TAG,
                                Int32(Self.tagCount),
                                UnsafeMutablePointer(
                                    mutating: sealed.baseAddress.map { unsafe $0 + size }
                                )
                            ) == 1
                            && Self.finish(context)
                    }
                }
            }
        }
        guard isAuthentic else {
            ERR_clear_error()
            plaintext.update(repeating: 0)
            throw .notAuthentic
        }
    }

    private static func start(
        _ context: OpaquePointer,
        _ nonce: UnsafeBufferPointer<UInt8>,
        _ header: UnsafeBufferPointer<UInt8>,
        isSealing: Int32
    ) -> Bool {
        var written: Int32 = 0
        // Safe: the caller checked that `nonce` has 12 bytes. A null output makes the header
        // authenticated and not encrypted, so nothing is written.
        guard unsafe EVP_CipherInit_ex2(context, nil, nil, nonce.baseAddress, isSealing, nil) == 1
        else { return false }
        if header.isEmpty { return true }
        return unsafe EVP_CipherUpdate(
            context,
            nil,
            &written,
            header.baseAddress,
            Int32(header.count)
        ) == 1
    }

    private static func update(
        _ context: OpaquePointer,
        _ output: UnsafeMutablePointer<UInt8>?,
        _ input: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        // A null output would turn the call into one for authenticated text.
        if input.isEmpty { return true }
        var written: Int32 = 0
        // Safe: both callers have room for `input.count` bytes at `output`.
        return unsafe EVP_CipherUpdate(
            context,
            output,
            &written,
            input.baseAddress,
            Int32(input.count)
        ) == 1 && Int(written) == input.count
    }

    private static func finish(_ context: OpaquePointer) -> Bool {
        var written: Int32 = 0
        var nothing: UInt8 = 0
        // Safe: GCM has no last block, so nothing is written; OpenSSL only asks for a place.
        return unsafe EVP_CipherFinal_ex(context, &nothing, &written) == 1
    }
}
