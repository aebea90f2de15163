import BelayBytes

/// Where things lie in a table's words, the same in memory and in its file. Numbers are the
/// machine's own: a file does not travel between machines.
///
/// | words | what |
/// |---|---|
/// | 512 | header: see `TableHeader` |
/// | 2 for each of `serversMax` | servers: an id, and how many bindings name it (`enter`) |
/// | 32 for each of `bucketCount` | buckets of 8 places |
///
/// A bucket's first 8 words, one cache line, are its places' states. Three words for each place
/// follow: the key's two, and one of when the entry was issued and a check value. That is 32 bytes
/// for a place. There are seven places for every four entries that are allowed.
struct TableLayout: Equatable, Sendable {
    static let headerCount = 512
    static let bucketWords = 32
    static let places = 8
    // Limit: 5 GB.
    static let entriesLimit = 100_000_000

    let entriesMax: Int
    let bucketCount: Int
    /// A power of two.
    let serversMax: Int

    init(entriesMax: Int) {
        precondition((1...Self.entriesLimit).contains(entriesMax), "no such table")
        self.entriesMax = entriesMax
        // Four sevenths full, a table has next to no two buckets that are both full: simulated, a
        // new binding met none in 20 million while filling, and two in a million while full.
        self.bucketCount = Swift.max(2, (entriesMax * 7 + 31) / 32)
        var servers = 256
        // Limit: a state names its server in 16 bits.
        while servers < 65_536, servers * 8 < entriesMax { servers *= 2 }
        self.serversMax = servers
    }

    var placeCount: Int { self.bucketCount * Self.places }

    /// The first bucket's first word.
    var bucketStart: Int { Self.headerCount + 2 * self.serversMax }

    var count: Int { self.bucketStart + Self.bucketWords * self.bucketCount }

    /// The word of a place's state; places count from 0 through all buckets.
    func state(ofPlace place: Int) -> Int {
        self.bucketStart + place / Self.places * Self.bucketWords + place % Self.places
    }
}

/// The words of the header. What changes often has a cache line of its own.
enum TableHeader {
    /// Written last, so that a file that was never finished is told from one that is damaged.
    static let magic = 0
    static let version = 1
    static let entriesMax = 2
    static let bucketCount = 3
    static let serversMax = 4
    static let seeds = 5
    /// The check value of the ring key that keys are hashed with.
    static let ringKey = 7
    /// The length of the pool's name, and its bytes.
    static let poolCount = 8
    static let pool = 9..<25
    /// CRC-32C of all of the above but the magic.
    static let check = 25
    /// How many have the table open. Not zero in a file that nobody has open: somebody was killed.
    static let users = 26

    static let entries = 64
    static let evictions = 128
    static let expirations = 136
    /// The bucket at which the next sweep starts.
    static let sweep = 192

    /// "belaytab".
    static let magicValue: UInt64 = 0x6261_7479_616C_6562
    static let versionValue: UInt64 = 1
}

/// The word that says what a place holds. All that changes while an entry lives is in it, so one
/// exchange changes it, and a killed process leaves either the old or the new.
///
/// From the top: renewed, 32 bits (seconds since 1970: to the year 2106); server, 16; marked, 1;
/// kind, 4; tag, 11. Zero is a free place.
struct PlaceState: Equatable, Sendable {
    let word: UInt64

    static let free = PlaceState(word: 0)
    static let tagMask: UInt64 = 0x7FF
    private static let kindMask: UInt64 = 0x7800
    private static let marked: UInt64 = 0x8000
    private static let serverMask: UInt64 = 0xFFFF_0000
    /// The kind of a place that somebody is about to fill: key and check are not to be read yet.
    private static let claim: UInt64 = 0x7800
    // Limit: between its claim and the entry a writer runs some dozen instructions. Who takes
    // longer than this was killed, or stopped, and then finds that the place is no longer its own.
    private static let claimSeconds: Int64 = 10

    @inline(__always)
    init(word: UInt64) { self.word = word }

    init(_ kind: BindingKind, server: Int, renewed: UInt32, tag: UInt64) {
        self.word =
            UInt64(renewed) << 32 | UInt64(server) << 16 | UInt64(kind.rawValue) << 11 | tag
    }

    static func claim(server: Int, at now: UInt32, tag: UInt64) -> PlaceState {
        PlaceState(word: UInt64(now) << 32 | UInt64(server) << 16 | Self.claim | tag)
    }

    @inline(__always)
    var renewed: UInt32 { UInt32(truncatingIfNeeded: self.word >> 32) }
    @inline(__always)
    var server: Int { Int(self.word >> 16 & 0xFFFF) }
    @inline(__always)
    var isMarked: Bool { self.word & Self.marked != 0 }
    @inline(__always)
    var tag: UInt64 { self.word & Self.tagMask }
    /// Nil for a free place and for a claim.
    @inline(__always)
    var kind: BindingKind? {
        BindingKind(rawValue: UInt8(truncatingIfNeeded: (self.word & Self.kindMask) >> 11))
    }
    @inline(__always)
    var isClaim: Bool { self.word & Self.kindMask == Self.claim }

    func isStaleClaim(now: UInt32) -> Bool {
        self.isClaim && abs(Int64(now) - Int64(self.renewed)) > Self.claimSeconds
    }

    @inline(__always)
    func renewed(_ now: UInt32) -> PlaceState {
        PlaceState(word: self.word & 0xFFFF_FFFF | UInt64(now) << 32)
    }

    /// Bound to another server, and no longer marked.
    func moved(to server: Int) -> PlaceState {
        PlaceState(word: self.word & ~(Self.serverMask | Self.marked) | UInt64(server) << 16)
    }

    func marked(_ isMarked: Bool) -> PlaceState {
        PlaceState(word: isMarked ? self.word | Self.marked : self.word & ~Self.marked)
    }
}

/// Where a key may be: either of two buckets, and under which tag.
struct KeyPlacing: Sendable {
    let hash: UInt64
    /// The words of the buckets' first states.
    let first: Int
    let second: Int
    let tag: UInt64

    /// The seeds are random and the table's own, so that nobody who may choose addresses can choose
    /// which bucket they crowd.
    @inline(__always)
    init(_ key: BindingKey, seeds: (UInt64, UInt64), start: Int, bucketCount: Int) {
        let hash = StableHash.combine(key.high ^ seeds.0, key.low ^ seeds.1)
        self.hash = hash
        let first = Self.bucket(hash, of: bucketCount)
        var second = Self.bucket(StableHash.mix(hash &+ 0x9E37_79B9_7F4A_7C15), of: bucketCount)
        if second == first { second = first &+ 1 == bucketCount ? 0 : first &+ 1 }
        self.first = start &+ first &* TableLayout.bucketWords
        self.second = start &+ second &* TableLayout.bucketWords
        // A tag is never zero, so that no free place has it.
        self.tag = Swift.max(1, hash & PlaceState.tagMask)
    }

    @inline(__always)
    static func bucket(_ hash: UInt64, of count: Int) -> Int {
        Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(count)).high)
    }
}

extension BindingKey {
    /// What a place's check value must be: 32 bits over all that never changes while the entry
    /// lives. An entry that two writers wrote at once, or a disk lost half of, has another.
    @inline(__always)
    func check(_ kind: BindingKind, issued: UInt32, tag: UInt64) -> UInt32 {
        let rest = self.low ^ (UInt64(issued) << 32 | tag << 8 | UInt64(kind.rawValue))
        return UInt32(truncatingIfNeeded: StableHash.combine(self.high, rest) >> 32)
    }
}
