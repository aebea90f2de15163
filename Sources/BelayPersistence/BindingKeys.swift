import BelayBytes
import BelayCore
import BelayCrypto

/// What one key of the ring becomes for one pool and cookie name: an id that is shown in the
/// cookie, and the key from which each day's sub-key is derived.
///
/// HKDF-SHA256 (RFC 5869) throughout. From the ring's key, with "belay binding cookie 1" as salt
/// and the two names, each after its length in one byte, as info: 36 bytes, of which the first four
/// are the id and the rest the pool's key. From the pool's key, extracted with "day" as salt, and
/// the day's number as info, two bytes: the sub-key.
struct SealingKey: ~Copyable {
    let id: UInt32
    private var expander: HMACSHA256

    init(_ key: SecretBytes, pool: PoolName, cookie: String) throws(CryptoError) {
        var info: [UInt8] = []
        for name in [pool.rawValue, cookie] {
            // Limit: both names have 128 bytes at most.
            info.append(UInt8(name.utf8.count))
            info.append(contentsOf: name.utf8)
        }
        let label = Array("belay binding cookie \(BindingCookie.version)".utf8)
        var extracted = try HKDFSHA256.extract(key.bytes, salt: label.span)
        var derived = [36 of UInt8](repeating: 0)
        var span = derived.mutableSpan
        try HKDFSHA256.expand(&extracted, info: info.span, into: &span)
        var id: UInt32 = 0
        for index in 0..<4 { id = id << 8 | UInt32(span[index]) }
        let day = Array("day".utf8)
        self.expander = try HKDFSHA256.extract(span.span.extracting(4...), salt: day.span)
        self.id = id
        span.wipe()
    }

    /// Writes the sub-key of `day`.
    mutating func derive(day: UInt16, into key: inout MutableSpan<UInt8>) throws(CryptoError) {
        var info = [2 of UInt8](repeating: 0)
        info[0] = UInt8(truncatingIfNeeded: day >> 8)
        info[1] = UInt8(truncatingIfNeeded: day)
        try HKDFSHA256.expand(&self.expander, info: info.span, into: &key)
    }
}

/// The ring's keys for one pool, and the sub-keys lately used, each with its cipher ready.
///
/// A sub-key that is not among them is derived into a spare place, about two microseconds, and is
/// taken among them only once a cookie opened with it. So forged cookies, whatever days they
/// name, cost that much each and never push out a sub-key that clients use. A cipher's memory
/// (about a kilobyte) is taken when its place is first used and kept.
struct BindingKeys: ~Copyable {
    // Limit: two days' sub-keys of two keys serve nearly all; 15 and a spare one keep two weeks of
    // them at hand where bindings are never renewed.
    private static let placeCount = 16
    private static let empty = UInt32.max

    private var keys = [8 of SealingKey?] { _ in nil }
    private var ids = [8 of UInt32](repeating: 0)
    private let keyCount: Int
    private var ciphers = [16 of AESGCM?] { _ in nil }
    /// Key and day of the sub-key in each place.
    private var tags = [16 of UInt32](repeating: Self.empty)
    /// The use that was the place's last.
    private var lastUses = [16 of UInt64](repeating: 0)
    private var uses: UInt64 = 0
    /// The place whose sub-key no cookie opened with yet.
    private var spare = 0

    init(ring: KeyRing, pool: PoolName, cookie: String) throws(CryptoError) {
        self.keyCount = ring.keys.count
        for index in 0..<ring.keys.count {
            let key = try SealingKey(ring.keys[index], pool: pool, cookie: cookie)
            self.ids[index] = key.id
            self.keys[index] = consume key
        }
    }

    /// The first key at `start` or after it that goes by `id`.
    func keyIndex(of id: UInt32, from start: Int = 0) -> Int? {
        var index = start
        while index < self.keyCount {
            if self.ids[index] == id { return index }
            index &+= 1
        }
        return nil
    }

    /// Opens the sealed part of `cookie` with the sub-key of that key and day. False if it was not
    /// sealed with it (or, never seen, if OpenSSL has no memory left).
    mutating func open(
        _ cookie: borrowing [61 of UInt8],
        key: Int,
        day: UInt16,
        into plain: inout [26 of UInt8]
    ) -> Bool {
        let tag = Self.tag(key: key, day: day)
        do throws(CryptoError) {
            let place = try self.place(of: tag)
            let bytes = cookie.span
            var plainBytes = plain.mutableSpan
            try self.ciphers[place]?.open(
                bytes.extracting(BindingCookie.sealed),
                nonce: bytes.extracting(BindingCookie.nonce),
                authenticating: bytes.extracting(BindingCookie.header),
                into: &plainBytes
            )
            self.keep(place)
            return true
        } catch {
            return false
        }
    }

    /// The sealed part of `cookie`, whose header and nonce are there already: `plain` sealed with
    /// the ring's first key.
    mutating func seal(
        _ plain: borrowing [26 of UInt8],
        day: UInt16,
        cookie: borrowing [61 of UInt8]
    ) throws(CryptoError) -> [42 of UInt8] {
        let place = try self.place(of: Self.tag(key: 0, day: day))
        var sealed = [42 of UInt8](repeating: 0)
        let bytes = cookie.span
        var sealedBytes = sealed.mutableSpan
        try self.ciphers[place]?.seal(
            plain.span,
            nonce: bytes.extracting(BindingCookie.nonce),
            authenticating: bytes.extracting(BindingCookie.header),
            into: &sealedBytes
        )
        self.keep(place)
        return sealed
    }

    /// The id that new cookies are sealed under.
    var currentID: UInt32 { self.ids[0] }

    @inline(__always)
    private static func tag(key: Int, day: UInt16) -> UInt32 {
        UInt32(truncatingIfNeeded: key) << 16 | UInt32(day)
    }

    /// Where the sub-key is; it is derived into the spare place if it is nowhere.
    private mutating func place(of tag: UInt32) throws(CryptoError) -> Int {
        for place in 0..<Self.placeCount where self.tags[place] == tag { return place }
        let place = self.spare
        self.tags[place] = Self.empty
        var subKey = [32 of UInt8](repeating: 0)
        var bytes = subKey.mutableSpan
        let day = UInt16(truncatingIfNeeded: tag)
        try self.keys[Int(tag >> 16)]?.derive(day: day, into: &bytes)
        if self.ciphers[place] == nil {
            self.ciphers[place] = try AESGCM(key: bytes.span)
        } else {
            try self.ciphers[place]?.setKey(bytes.span)
        }
        bytes.wipe()
        self.tags[place] = tag
        return place
    }

    /// The sub-key in `place` proved to be one that was sealed with. If it was in the spare place,
    /// the one that was not used for longest gives up its place to be the next spare.
    @inline(__always)
    private mutating func keep(_ place: Int) {
        self.uses &+= 1
        self.lastUses[place] = self.uses
        if place == self.spare { self.chooseSpare() }
    }

    private mutating func chooseSpare() {
        var oldest = self.spare
        for place in 0..<Self.placeCount where self.lastUses[place] < self.lastUses[oldest] {
            oldest = place
        }
        self.spare = oldest
        self.tags[oldest] = Self.empty
    }
}
