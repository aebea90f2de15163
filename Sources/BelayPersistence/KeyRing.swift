private import BelayBytes
package import BelayCrypto

/// The keys that seal and open binding cookies. The first seals; all of them open.
///
/// Several Belays with the same ring open each other's cookies. To rotate: put a new key second in
/// every Belay's ring, then first, and take the oldest out once the lifetime has passed. Each
/// client's cookie is sealed anew with the first key as soon as it is seen.
package struct KeyRing: Sendable {
    /// The first seals.
    package let keys: [SecretBytes]

    /// How many bytes a key has.
    package static let keyCount = 32
    // Limit: a cookie names its key, so more keys cost nothing, but nobody rotates so often that a
    // ninth could still be needed.
    package static let keysMax = 8

    /// Whether the other ring has the same keys in the same order.
    package func isSame(as other: KeyRing) -> Bool {
        guard self.keys.count == other.keys.count else { return false }
        for (own, key) in zip(self.keys, other.keys)
        where !own.bytes.isEqualInConstantTime(to: key.bytes) {
            return false
        }
        return true
    }

    /// Keys of 32 bytes each.
    package init(keys: [SecretBytes]) throws(KeyRingError) {
        guard !keys.isEmpty else { throw .noKeys }
        guard keys.count <= Self.keysMax else { throw .tooManyKeys(keys.count) }
        for (index, key) in keys.enumerated() {
            guard key.count == Self.keyCount else {
                throw .wrongSize(position: index + 1, bytes: key.count)
            }
            for (other, earlier) in keys[..<index].enumerated()
            where earlier.bytes.isEqualInConstantTime(to: key.bytes) {
                throw .keyTwice(other + 1, index + 1)
            }
        }
        self.keys = keys
    }

    /// Reads keys in base64 or base64url, padded or not.
    package init(base64 texts: [String]) throws(KeyRingError) {
        var keys: [SecretBytes] = []
        for (index, text) in texts.enumerated() {
            keys.append(try Self.key(base64: text, position: index + 1))
        }
        try self.init(keys: keys)
    }

    /// Reads keys in base64, one a line. What follows a `#` and blank lines are skipped.
    package init(text: String) throws(KeyRingError) {
        let lines = text.split { $0.isNewline }
            .map { line in String(line.prefix { $0 != "#" }.filter { !$0.isWhitespace }) }
        try self.init(base64: lines.filter { !$0.isEmpty })
    }

    /// A ring of one new random key.
    package static func generate() throws(CryptoError) -> KeyRing {
        var key = [32 of UInt8](repeating: 0)
        var bytes = key.mutableSpan
        try drawRandomBytes(into: &bytes)
        let ring = KeyRing(newKey: SecretBytes(copying: bytes.span))
        bytes.wipe()
        return ring
    }

    private init(newKey key: SecretBytes) { self.keys = [key] }

    private static func key(
        base64 text: String,
        position: Int
    ) throws(KeyRingError) -> SecretBytes {
        var characters = Array(text.utf8)
        // Limit: one '=' follows the 43 characters of 32 bytes; more is no padding.
        if characters.count == 44, characters.last == UInt8(ascii: "=") { characters.removeLast() }
        for index in characters.indices {
            switch characters[index] {
            case UInt8(ascii: "+"): characters[index] = UInt8(ascii: "-")
            case UInt8(ascii: "/"): characters[index] = UInt8(ascii: "_")
            default: break
            }
        }
        let count = Base64URL.byteCount(ofText: characters.count)
        guard count == Self.keyCount else { throw .wrongSize(position: position, bytes: count) }
        var isDecoded = false
        let key = SecretBytes(count: Self.keyCount) { bytes in
            isDecoded = Base64URL.decode(characters.span, into: &bytes)
        }
        var span = characters.mutableSpan
        span.wipe()
        guard isDecoded else { throw .notBase64(position: position) }
        return key
    }

    /// The keys in base64, as `init(base64:)` reads them. For the file that keeps them.
    package var base64: [String] {
        self.keys.map { key in
            var text = ByteWriter(capacity: Base64URL.textCount(ofBytes: Self.keyCount))
            text.append(base64URL: key.bytes)
            var characters: [UInt8] = []
            for index in 0..<text.bytes.count { characters.append(text.bytes[index]) }
            return String(decoding: characters, as: UTF8.self)
        }
    }
}

extension KeyRing: CustomStringConvertible {
    /// Shows no key, so that a ring in a log line or an error gives nothing away.
    package var description: String { "a ring of \(self.keys.count) keys" }
}

/// What is wrong with a ring, and what to do about it. Positions count from one.
package enum KeyRingError: Error, Equatable, Sendable {
    case noKeys
    case tooManyKeys(Int)
    /// `bytes` is nil where no bytes have a text of that length.
    case wrongSize(position: Int, bytes: Int?)
    case notBase64(position: Int)
    case keyTwice(Int, Int)
}

extension KeyRingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noKeys:
            "the key ring has no key; make one with: openssl rand -base64 32"
        case .tooManyKeys(let count):
            "the key ring has \(count) keys, at most \(KeyRing.keysMax) are read; "
                + "take out the oldest"
        case .wrongSize(let position, let bytes?):
            "key \(position) of the ring has \(bytes) bytes, and a key has 32; "
                + "make one with: openssl rand -base64 32"
        case .wrongSize(let position, nil), .notBase64(let position):
            "key \(position) of the ring is not base64; make one with: openssl rand -base64 32"
        case .keyTwice(let first, let second):
            "keys \(first) and \(second) of the ring are the same; take one out"
        }
    }
}
