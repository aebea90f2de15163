internal import BelayCore
internal import BelayCrypto
internal import COpenSSL
internal import Synchronization

/// The keys of session tickets: derived, never stored. Whoever has the secrets and the time has
/// the keys, so Belays agree on them without talking, and after a restart nothing is lost.
final class TLSTicketKeys: Sendable {
    /// One key, as it lies in memory: its name (16 bytes), AES-256 (32), HMAC-SHA-256 (32).
    struct Key: Sendable {
        static let nameCount = 16
        static let sealCount = 32
        static let count = 80
        let bytes: SecretBytes
    }

    private struct Current: Sendable {
        var epoch = Int64.min
        /// For each secret four: this epoch's, the two before, and the next one's, since another
        /// Belay's clock may be ahead.
        var keys: [Key] = []
    }

    private static let epochs: [Int64] = [0, -1, -2, 1]

    private let secrets: [SecretBytes]
    let rotation: Int64
    private let now: @Sendable () -> UnixTime
    private let current = Mutex(Current())

    /// Nil without a secret.
    init?(_ settings: TLSTicketSettings, now: @escaping @Sendable () -> UnixTime) {
        guard !settings.secrets.isEmpty else { return nil }
        self.secrets = settings.secrets
        self.rotation = Swift.max(1, settings.rotation.nanoseconds / 1_000_000_000)
        self.now = now
    }

    /// How long a ticket is good, in seconds. Limit: RFC 8446 allows a week.
    var lifetime: Int64 { Swift.min(2 * self.rotation, 604_800) }

    /// The key that seals now; nil when OpenSSL would not derive it.
    func sealing() -> Key? { self.keys().first }

    /// The key of that name, and whether it is the one that seals now.
    func opening(_ name: borrowing Span<UInt8>) -> (key: Key, isNewest: Bool)? {
        let keys = self.keys()
        for (index, key) in keys.enumerated() {
            let bytes = key.bytes.bytes
            var isSame = true
            for place in 0..<Key.nameCount where bytes[place] != name[place] { isSame = false }
            if isSame { return (key, index == 0) }
        }
        return nil
    }

    private func keys() -> [Key] {
        let seconds = self.now().seconds
        let epoch = seconds / self.rotation
        return self.current.withLock { current in
            if current.epoch != epoch {
                current.keys = self.derive(epoch)
                current.epoch = epoch
            }
            return current.keys
        }
    }

    private func derive(_ epoch: Int64) -> [Key] {
        var keys: [Key] = []
        for secret in self.secrets {
            for step in Self.epochs {
                // Without the one that seals now there would be a wrong one in its place.
                guard let key = Self.derive(secret, epoch + step, self.rotation) else { return [] }
                keys.append(key)
            }
        }
        return keys
    }

    private static func derive(_ secret: SecretBytes, _ epoch: Int64, _ rotation: Int64) -> Key? {
        var info: [UInt8] = Array("belay tls ticket".utf8)
        for number in [rotation, epoch] {
            for shift in stride(from: 56, through: 0, by: -8) {
                info.append(UInt8(truncatingIfNeeded: number >> Int64(shift)))
            }
        }
        var isDone = false
        let bytes = SecretBytes(count: Key.count) { output in
            do throws(CryptoError) {
                let salt: [UInt8] = []
                var key = try HKDFSHA256.extract(secret.bytes, salt: salt.span)
                try HKDFSHA256.expand(&key, info: info.span, into: &output)
                isDone = true
            } catch { isDone = false }
        }
        return isDone ? Key(bytes: bytes) : nil
    }
}

/// Fetched once: OpenSSL would look it up for each ticket.
private nonisolated(unsafe) let ticketCipher: OpaquePointer? =
    // Safe: kept for ever.
    unsafe EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)

/// What OpenSSL calls when it makes a ticket or gets one. Returns 0 for a ticket that nobody can
/// open, 1 for one that can be used, 2 for one that must be replaced, -1 for a fault.
func prepareTicket(
    _ ssl: OpaquePointer?,
    _ name: UnsafeMutablePointer<UInt8>?,
    _ iv: UnsafeMutablePointer<UInt8>?,
    _ cipher: OpaquePointer?,
    _ mac: OpaquePointer?,
    _ isSealing: Int32
) -> Int32 {
    guard let keys = unsafe TLSServerCore.of(ssl)?.tickets, let name = unsafe name,
        let iv = unsafe iv
    else { return -1 }
    if isSealing == 1 {
        // Safe: OpenSSL has room for a name of 16 bytes and an IV of 16, which is what CBC takes.
        guard let key = keys.sealing(), unsafe RAND_bytes(iv, 16) == 1 else { return -1 }
        let bytes = key.bytes.bytes
        for index in 0..<TLSTicketKeys.Key.nameCount { unsafe name[index] = bytes[index] }
        return unsafe use(key, iv, cipher, mac, isSealing: 1) ? 1 : -1
    }
    // Safe: as above; the span ends before the call does.
    let span = unsafe Span(_unsafeStart: UnsafePointer(name), count: TLSTicketKeys.Key.nameCount)
    guard let (key, isNewest) = keys.opening(span) else { return 0 }
    guard unsafe use(key, iv, cipher, mac, isSealing: 0) else { return -1 }
    // RFC 8446, appendix C.4: a ticket that is used twice shows that it is the same client, so
    // browsers use one once: whoever came with one gets another.
    let isOnce = unsafe SSL_version(ssl) == TLS1_3_VERSION
    return isNewest && !isOnce ? 1 : 2
}

private func use(
    _ key: TLSTicketKeys.Key,
    _ iv: UnsafeMutablePointer<UInt8>,
    _ cipher: OpaquePointer?,
    _ mac: OpaquePointer?,
    isSealing: Int32
) -> Bool {
    let bytes = key.bytes.bytes
    return unsafe bytes.withUnsafeBufferPointer { bytes in
        guard let start = bytes.baseAddress else { return false }
        let seal = unsafe start + TLSTicketKeys.Key.nameCount
        let sign = unsafe UnsafeMutablePointer(mutating: seal + TLSTicketKeys.Key.sealCount)
        // Static, since OpenSSL keeps pointers to the names until it has read the parameters.
        let keyName: StaticString = "key"
        let digestName: StaticString = "digest"
        let digest: StaticString = "SHA2-256"
        // Safe: the key has 16 + 32 + 32 bytes; OpenSSL copies them, and reads the parameters only
        // for the call although their type is not const. Static strings end with a zero.
        var parameters = unsafe (
            OSSL_PARAM_construct_octet_string(cText(keyName), sign, 32),
            OSSL_PARAM_construct_utf8_string(
                cText(digestName),
                UnsafeMutablePointer(mutating: cText(digest)),
                0
            ),
            OSSL_PARAM_construct_end()
        )
        let isReady = unsafe EVP_CipherInit_ex(cipher, ticketCipher, nil, seal, iv, isSealing) == 1
        return unsafe withUnsafeBytes(of: &parameters) { parameters in
            let first = unsafe parameters.assumingMemoryBound(to: OSSL_PARAM.self).baseAddress
            return unsafe isReady && EVP_MAC_CTX_set_params(mac, first) == 1
        }
    }
}

/// The bytes of the name that a session gets.
let sessionNameCount = 16

/// What OpenSSL calls before it seals a ticket: the session gets a name, unless it has one. OpenSSL
/// carries the name in the ticket and on to the tickets of the sessions that go on from it, so it
/// stays the client's in TLS 1.2 and 1.3, on each Belay with the secrets. It is random, never
/// leaves the seal, and says nothing.
func nameSession(_ ssl: OpaquePointer?, _ argument: UnsafeMutableRawPointer?) -> Int32 {
    guard let session = unsafe SSL_get_session(ssl) else { return 1 }
    var data: UnsafeMutableRawPointer?
    var count = 0
    // Safe: OpenSSL lends the bytes that it has, and copies those that it is given.
    if unsafe SSL_SESSION_get0_ticket_appdata(session, &data, &count) == 1,
        count == sessionNameCount
    {
        return 1
    }
    var name = [16 of UInt8](repeating: 0)
    var span = name.mutableSpan
    unsafe span.withUnsafeMutableBufferPointer { name in
        // Without random bytes there is a ticket without a name.
        guard unsafe RAND_bytes(name.baseAddress, Int32(name.count)) == 1 else { return }
        unsafe SSL_SESSION_set1_ticket_appdata(session, name.baseAddress, name.count)
    }
    return 1
}

private func cText(_ text: StaticString) -> UnsafePointer<CChar> {
    // Safe: a static text lives for ever and ends with a zero.
    unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}
