import BelayBytes
import BelayCore
import BelayCrypto
import BelayPersistence
import Testing

/// A morning of the year 2026, at 10:00:00 UTC.
let morning = UnixTime(seconds: 1_790_071_200)
let day: Int64 = 86_400

extension UnixTime {
    static func + (time: UnixTime, seconds: Int64) -> UnixTime {
        UnixTime(seconds: time.seconds + seconds)
    }
}

/// A key whose bytes are all `byte`.
func key(_ byte: UInt8) -> SecretBytes {
    SecretBytes(copying: [UInt8](repeating: byte, count: 32).span)
}

func ring(_ bytes: UInt8...) throws -> KeyRing {
    try KeyRing(keys: bytes.map(key))
}

func pool(_ name: String) throws -> PoolName { try #require(PoolName(name)) }

func server(_ name: String) throws -> ServerName { try #require(ServerName(name)) }

func policy(
    _ settings: PersistenceSettings? = nil,
    pool name: String = "shop",
    ring keys: KeyRing? = nil
) throws -> BindingPolicy {
    try BindingPolicy(
        settings: settings ?? PersistenceSettings(),
        pool: pool(name),
        ring: keys ?? ring(1)
    )
}

/// What a writer holds.
func contents(_ writer: borrowing ByteWriter) -> [UInt8] {
    (0..<writer.count).map { writer.bytes[$0] }
}

/// The cookie of a binding, sealed at `now`.
func cookie(
    _ binding: Binding,
    now: UnixTime = morning,
    by policy: inout BindingPolicy
) throws -> [UInt8] {
    var writer = ByteWriter(capacity: 100)
    let isSealed = policy.seal(binding, now: now, into: &writer)
    try #require(isSealed)
    return contents(writer)
}

func open(
    _ cookie: [UInt8],
    now: UnixTime = morning,
    by policy: inout BindingPolicy
) -> BindingOpening {
    policy.open(cookie.span, now: now)
}

/// The bytes that a cookie stands for, and back.
func decoded(_ cookie: [UInt8]) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 61)
    var span = bytes.mutableSpan
    let isDecoded = Base64URL.decode(cookie.span, into: &span)
    try #require(isDecoded)
    return bytes
}

func encoded(_ bytes: [UInt8]) -> [UInt8] {
    var writer = ByteWriter(capacity: 100)
    writer.append(base64URL: bytes.span)
    return contents(writer)
}

/// The header of one cookie before the rest of another.
func spliced(_ header: [UInt8], _ rest: [UInt8]) -> [UInt8] {
    Array(header[..<7]) + Array(rest[7...])
}

func isDue(_ binding: Binding, now: UnixTime = morning, by policy: inout BindingPolicy) -> Bool {
    policy.renewalIsDue(binding, now: now)
}

extension BindingOpening {
    var binding: Binding? {
        guard case .binding(let binding) = self else { return nil }
        return binding
    }
}

/// A binding of the morning.
let someBinding = Binding(
    serverID: ServerID(rawValue: 0x0123_4567_89AB_CDEF),
    id: BindingID(rawValue: 0xFEDC_BA98_7654_3210),
    issued: morning,
    renewed: morning
)
