// BelayCrypto: the little cryptography that the data plane needs, over the system's OpenSSL 3:
// sealing (AES-256-GCM), HMAC and HKDF with SHA-256, random bytes, and memory that is wiped. No
// format of ours is here: BelayPersistence says what is sealed. Each type owns its OpenSSL context,
// made once and used again, so that a call allocates nothing; one thread at a time uses it.
// Every unsafe step is in a file named `+Unsafe`.

/// What can go wrong in this room. A wrong length is none of them: lengths are ours to get right,
/// and a wrong one stops the program.
package enum CryptoError: Error, Equatable, Sendable {
    /// OpenSSL would not do it: out of memory, or the system's policy forbids the algorithm.
    case refused(CryptoStep)
    /// The bytes were not sealed with this key, this nonce and this authenticated text.
    case notAuthentic
}

/// Which step OpenSSL refused.
package enum CryptoStep: UInt8, Sendable, CaseIterable {
    case cipher
    case digest
    case random

    package var name: StaticString {
        switch self {
        case .cipher: "AES-256-GCM"
        case .digest: "SHA-256"
        case .random: "random bytes"
        }
    }
}

extension CryptoError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .refused(let step):
            "OpenSSL refused \(step.name): out of memory, or forbidden by the system's policy"
        case .notAuthentic:
            "not sealed with this key"
        }
    }
}
