import BelayBytes
package import BelayCore
package import BelayCrypto

/// Makes the table's keys of what clients present: SipHash-2-4 with 128 bits of output (Aumasson
/// and Bernstein, 2012), under keys derived from the ring. One for each way to bind, made at load.
///
/// The keys are HKDF-SHA256 of the ring's, with the names of pool, kind and way as info: so the
/// same text in two ways, or in two pools, is two keys, and all Belays with one ring make the same.
/// Nobody without the ring can tell what was hashed, or choose texts that crowd each other.
package struct KeyHasher: Sendable {
    private var keys = [8 of SipHash128](repeating: SipHash128(first: 0, second: 0))
    /// How many keys the ring has.
    package let keyCount: Int

    /// `name` is the way's own: that of the cookie, the header, the parameter or the claim.
    package init(
        ring: KeyRing,
        pool: PoolName,
        kind: BindingKind,
        name: String
    ) throws(CryptoError) {
        self.keyCount = ring.keys.count
        for (index, key) in ring.keys.enumerated() {
            var derived = [16 of UInt8](repeating: 0)
            var bytes = derived.mutableSpan
            try deriveTableKey(key, [pool.rawValue, "\(kind.name)", name], into: &bytes)
            self.keys[index] = SipHash128(
                first: bytes.span.word(at: 0),
                second: bytes.span.word(at: 8)
            )
            bytes.wipe()
        }
    }

    /// The key of `bytes`, by the ring's first key or an older one. Some 40 nanoseconds for 40
    /// bytes; allocates nothing.
    package func key(of bytes: borrowing Span<UInt8>, ringKey: Int = 0) -> BindingKey {
        precondition(ringKey >= 0 && ringKey < self.keyCount, "no such key")
        return self.keys[ringKey].hash(bytes)
    }
}

extension BindingTable {
    /// Finds what the client presented, whichever key of the ring was the first one when it was
    /// bound; it is kept under the first from then on. So a binding survives every rotation
    /// in which its key is still in the ring, and a new client costs a look more for each key.
    package func look(
        _ bytes: borrowing Span<UInt8>,
        by hasher: KeyHasher,
        touching: Bool = false,
        now: UnixTime
    ) -> (key: BindingKey, finding: TableFinding) {
        let key = hasher.key(of: bytes)
        var finding = self.look(key, touching: touching, now: now)
        var ringKey = 1
        while case .absent = finding, ringKey < hasher.keyCount {
            let older = hasher.key(of: bytes, ringKey: ringKey)
            finding = self.look(older, now: now)
            if case .bound(let entry) = finding {
                finding = .bound(self.renew(entry, as: key, touching: touching, now: now))
            }
            ringKey &+= 1
        }
        return (key, finding)
    }

    /// Keeps an entry under another key.
    private func renew(
        _ entry: TableEntry,
        as key: BindingKey,
        touching: Bool,
        now: UnixTime
    ) -> TableEntry {
        let outcome = self.bind(
            key,
            entry.kind,
            to: entry.serverID,
            issued: entry.issued,
            now: touching ? now : entry.renewed,
            ifAbsent: true
        )
        if case .refused = outcome { return entry }
        if entry.isMarked { self.mark(key) }
        self.forget(entry.key)
        return self.find(key, now: now) ?? entry
    }
}

/// Whose a table's file is: the pool, and check values of the ring's keys.
struct TableIdentity: Sendable {
    let pool: PoolName
    /// In the order of the ring; none is zero.
    let checks: [UInt64]

    init(ring: KeyRing, pool: PoolName) throws(CryptoError) {
        self.pool = pool
        var checks: [UInt64] = []
        for key in ring.keys {
            var derived = [8 of UInt8](repeating: 0)
            var bytes = derived.mutableSpan
            try deriveTableKey(key, [pool.rawValue], into: &bytes)
            checks.append(bytes.span.word(at: 0) | 1)
        }
        self.checks = checks
    }
}

/// Random numbers of a table's own, which say where its keys lie.
func tableSeeds() throws(CryptoError) -> (UInt64, UInt64) {
    var random = [16 of UInt8](repeating: 0)
    var bytes = random.mutableSpan
    try drawRandomBytes(into: &bytes)
    return (bytes.span.word(at: 0), bytes.span.word(at: 8))
}

/// HKDF-SHA256 (RFC 5869) of a ring key: "belay binding table 1" is the salt, and the names, each
/// after its length in one byte, the info.
private func deriveTableKey(
    _ key: SecretBytes,
    _ names: [String],
    into derived: inout MutableSpan<UInt8>
) throws(CryptoError) {
    var info: [UInt8] = []
    for name in names {
        precondition(name.utf8.count < 256, "a name of more than 255 bytes")
        info.append(UInt8(name.utf8.count))
        info.append(contentsOf: name.utf8)
    }
    let salt = Array("belay binding table 1".utf8)
    var extracted = try HKDFSHA256.extract(key.bytes, salt: salt.span)
    try HKDFSHA256.expand(&extracted, info: info.span, into: &derived)
}

/// SipHash-2-4 of 128 bits under one key.
package struct SipHash128: Sendable {
    fileprivate let first: UInt64
    fileprivate let second: UInt64

    package init(first: UInt64, second: UInt64) {
        self.first = first
        self.second = second
    }

    /// SipHash-2-4 of 128 bits. The halves are the little-endian numbers of the reference code's
    /// first and last eight bytes.
    package func hash(_ bytes: borrowing Span<UInt8>) -> BindingKey {
        var state = SipState(self)
        let count = bytes.count
        var index = 0
        while index &+ 8 <= count {
            state.take(bytes.word(at: index))
            index &+= 8
        }
        var last = UInt64(truncatingIfNeeded: count) << 56
        var shift: UInt64 = 0
        while index < count {
            last |= UInt64(bytes[index]) << shift
            shift &+= 8
            index &+= 1
        }
        state.take(last)
        return state.finish()
    }
}

private struct SipState {
    private var a: UInt64
    private var b: UInt64
    private var c: UInt64
    private var d: UInt64

    @inline(__always)
    init(_ key: SipHash128) {
        // "somepseudorandomlygeneratedbytes", and 0xEE for 128 bits.
        self.a = key.first ^ 0x736F_6D65_7073_6575
        self.b = key.second ^ 0x646F_7261_6E64_6F6D ^ 0xEE
        self.c = key.first ^ 0x6C79_6765_6E65_7261
        self.d = key.second ^ 0x7465_6462_7974_6573
    }

    @inline(__always)
    mutating func take(_ word: UInt64) {
        self.d ^= word
        self.round()
        self.round()
        self.a ^= word
    }

    @inline(__always)
    mutating func finish() -> BindingKey {
        self.c ^= 0xEE
        for _ in 0..<4 { self.round() }
        let first = self.a ^ self.b ^ self.c ^ self.d
        self.b ^= 0xDD
        for _ in 0..<4 { self.round() }
        return BindingKey(high: first, low: self.a ^ self.b ^ self.c ^ self.d)
    }

    @inline(__always)
    private mutating func round() {
        self.a &+= self.b
        self.b = Self.rotate(self.b, 13) ^ self.a
        self.a = Self.rotate(self.a, 32)
        self.c &+= self.d
        self.d = Self.rotate(self.d, 16) ^ self.c
        self.a &+= self.d
        self.d = Self.rotate(self.d, 21) ^ self.a
        self.c &+= self.b
        self.b = Self.rotate(self.b, 17) ^ self.c
        self.c = Self.rotate(self.c, 32)
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
        value << bits | value >> (64 &- bits)
    }
}
