private import BelayBytes
internal import COpenSSL

/// What a token's signature is made with (RFC 7518 §3).
package enum JWTAlgorithm: UInt8, Sendable, CaseIterable {
    case hs256, hs384, hs512
    case rs256, rs384, rs512
    case ps256, ps384, ps512
    case es256, es384, es512
    case edDSA

    /// The spelling of the RFC.
    package var name: StaticString {
        switch self {
        case .hs256: "HS256"
        case .hs384: "HS384"
        case .hs512: "HS512"
        case .rs256: "RS256"
        case .rs384: "RS384"
        case .rs512: "RS512"
        case .ps256: "PS256"
        case .ps384: "PS384"
        case .ps512: "PS512"
        case .es256: "ES256"
        case .es384: "ES384"
        case .es512: "ES512"
        case .edDSA: "EdDSA"
        }
    }

    package var isSymmetric: Bool {
        switch self {
        case .hs256, .hs384, .hs512: true
        case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512, .es256, .es384, .es512, .edDSA: false
        }
    }

    fileprivate var digest: OpaquePointer? {
        switch self {
        case .hs256, .rs256, .ps256, .es256: unsafe EVP_sha256()
        case .hs384, .rs384, .ps384, .es384: unsafe EVP_sha384()
        case .hs512, .rs512, .ps512, .es512: unsafe EVP_sha512()
        case .edDSA: nil
        }
    }

    fileprivate var isPSS: Bool {
        switch self {
        case .ps256, .ps384, .ps512: true
        case .hs256, .hs384, .hs512, .rs256, .rs384, .rs512, .es256, .es384, .es512, .edDSA: false
        }
    }

    /// The bytes of one number in a signature by an elliptic curve; 0: not such a signature.
    fileprivate var curveBytes: Int {
        switch self {
        case .es256: 32
        case .es384: 48
        case .es512: 66
        case .hs256, .hs384, .hs512, .rs256, .rs384, .rs512, .ps256, .ps384, .ps512, .edDSA: 0
        }
    }
}

/// A key that says whether a token was signed by whom it should be. It holds for one algorithm: the
/// token does not choose.
@safe
package final class JWTKey: @unchecked Sendable {
    // Safe to share: neither is written after `init`, and OpenSSL's keys may be used by many.
    package let algorithm: JWTAlgorithm
    private let secret: SecretBytes?
    private let key: OpaquePointer?

    /// A secret of HMAC.
    package init(_ algorithm: JWTAlgorithm, secret: SecretBytes) {
        precondition(algorithm.isSymmetric, "a secret for HMAC")
        self.algorithm = algorithm
        self.secret = secret
        unsafe self.key = nil
    }

    /// A public key in PEM. Nil if it is none, one of another kind or curve, or one of RSA that is
    /// too small.
    package init?(_ algorithm: JWTAlgorithm, pem: [UInt8]) {
        precondition(!algorithm.isSymmetric, "a public key")
        // Safe: the memory is read during the calls only, and the BIO is freed before it goes.
        let key = unsafe pem.withUnsafeBytes { bytes -> OpaquePointer? in
            guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else {
                return nil
            }
            defer { unsafe BIO_free(bio) }
            return unsafe PEM_read_bio_PUBKEY(bio, nil, nil, nil)
        }
        guard let key = unsafe key else {
            ERR_clear_error()
            return nil
        }
        let kind = unsafe EVP_PKEY_get_base_id(key)
        let bits = unsafe EVP_PKEY_get_bits(key)
        let isRight =
            switch algorithm {
            // RFC 7518 §3.3: a smaller one must not be used.
            case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512:
                kind == EVP_PKEY_RSA && bits >= 2048
            case .es256: unsafe kind == EVP_PKEY_EC && Self.isOn("prime256v1", key)
            case .es384: unsafe kind == EVP_PKEY_EC && Self.isOn("secp384r1", key)
            case .es512: unsafe kind == EVP_PKEY_EC && Self.isOn("secp521r1", key)
            case .edDSA: kind == EVP_PKEY_ED25519
            case .hs256, .hs384, .hs512: false
            }
        guard isRight else {
            unsafe EVP_PKEY_free(key)
            return nil
        }
        self.algorithm = algorithm
        self.secret = nil
        unsafe self.key = key
    }

    deinit { unsafe EVP_PKEY_free(self.key) }

    /// Whether the key is one of that curve (RFC 7518 §3.4: each algorithm has its own).
    private static func isOn(_ curve: String, _ key: OpaquePointer) -> Bool {
        var name = [CChar](repeating: 0, count: 32)
        var count = 0
        // Safe: OpenSSL writes at most as many bytes as there are, the last of them a zero.
        guard unsafe EVP_PKEY_get_group_name(key, &name, name.count, &count) == 1 else {
            return false
        }
        let text = name.prefix(count).map { UInt8(bitPattern: $0) }
        return String(decoding: text, as: UTF8.self) == curve
    }

    /// Whether `signature` is this key's of `message`.
    package func verifies(_ signature: [UInt8], of message: borrowing Span<UInt8>) -> Bool {
        defer { ERR_clear_error() }
        return self.secret == nil
            ? self.verifiesPublicly(signature, message) : self.isAuthentic(signature, message)
    }

    private func isAuthentic(_ signature: [UInt8], _ message: borrowing Span<UInt8>) -> Bool {
        guard let secret, let digest = unsafe self.algorithm.digest else { return false }
        var mac = [64 of UInt8](repeating: 0)
        var count: UInt32 = 0
        // Safe: OpenSSL reads both as far as their counts say, and writes at most 64 bytes.
        let isDone = unsafe secret.bytes.withUnsafeBufferPointer { key in
            unsafe message.withUnsafeBufferPointer { message in
                unsafe withUnsafeMutableBytes(of: &mac) { mac in
                    let output = unsafe mac.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    return unsafe HMAC(
                        digest,
                        key.baseAddress,
                        Int32(key.count),
                        message.baseAddress,
                        message.count,
                        output,
                        &count
                    ) != nil
                }
            }
        }
        guard isDone, signature.count == Int(count) else { return false }
        // Every byte is looked at, so that the time tells nothing of them.
        var difference: UInt8 = 0
        for index in 0..<signature.count { difference |= signature[index] ^ mac[index] }
        return difference == 0
    }

    private func verifiesPublicly(
        _ signature: [UInt8],
        _ message: borrowing Span<UInt8>
    ) -> Bool {
        guard let key = unsafe self.key, let context = unsafe EVP_MD_CTX_new() else { return false }
        defer { unsafe EVP_MD_CTX_free(context) }
        var keyContext: OpaquePointer?
        guard
            unsafe EVP_DigestVerifyInit(context, &keyContext, self.algorithm.digest, nil, key) == 1
        else { return false }
        if self.algorithm.isPSS {
            guard
                unsafe EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING) == 1,
                unsafe EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, RSA_PSS_SALTLEN_DIGEST) == 1
            else { return false }
        }
        guard let signature = self.encoded(signature) else { return false }
        // Safe: OpenSSL reads both as far as their counts say.
        return unsafe signature.withUnsafeBufferPointer { signature in
            unsafe message.withUnsafeBufferPointer { message in
                unsafe EVP_DigestVerify(
                    context,
                    signature.baseAddress,
                    signature.count,
                    message.baseAddress,
                    message.count
                ) == 1
            }
        }
    }

    /// A token has the two numbers of a curve's signature one behind the other (RFC 7518 §3.4);
    /// OpenSSL wants them in DER.
    private func encoded(_ signature: [UInt8]) -> [UInt8]? {
        let size = self.algorithm.curveBytes
        guard size > 0 else { return signature }
        guard signature.count == 2 * size else { return nil }
        let body =
            Self.integer(signature[..<size]) + Self.integer(signature[size...])
        // Limit: two numbers of at most 67 bytes and their heads: less than 256 in all.
        let head: [UInt8] = body.count < 128 ? [0x30] : [0x30, 0x81]
        return head + [UInt8(body.count)] + body
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var number = Array(bytes.drop { $0 == 0 })
        if number.isEmpty { number = [0] }
        if number[0] & 0x80 != 0 { number.insert(0, at: 0) }
        return [0x02, UInt8(number.count)] + number
    }
}
