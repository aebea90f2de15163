import BelayBytes
import BelayCore
import BelayCrypto

/// The format of the binding cookie's value.
///
/// base64url without padding of 61 bytes, numbers big-endian:
///
/// | bytes | what |
/// |---|---|
/// | 1 | version, 1 |
/// | 4 | key id: which key of the ring, in this pool and for this cookie name |
/// | 2 | day since 1970 on which it was sealed: which sub-key |
/// | 12 | nonce, random |
/// | 26 | sealed: server id 8, binding id 8, issued 5, renewed 5 (seconds since 1970) |
/// | 16 | tag |
///
/// The first seven bytes are authenticated with the rest. The pool's and the cookie's name are
/// bound through the key, which is derived from them (`SealingKey`): so a cookie that is carried to
/// another pool names an unknown key and is told from one that was changed.
enum BindingCookie {
    static let version: UInt8 = 1
    static let header = 0..<7
    static let nonce = 7..<19
    static let sealed = 19..<61
    static let count = 61
    /// The characters of a cookie: no other number of them is one of ours.
    static let textCount = 82

    /// Decodes `text`. False if it is not of this format.
    static func decode(_ text: borrowing Span<UInt8>, into bytes: inout [61 of UInt8]) -> Bool {
        guard text.count == Self.textCount else { return false }
        var span = bytes.mutableSpan
        return Base64URL.decode(text, into: &span) && bytes[0] == Self.version
    }

    @inline(__always)
    static func keyID(_ bytes: borrowing [61 of UInt8]) -> UInt32 {
        UInt32(bytes[1]) << 24 | UInt32(bytes[2]) << 16 | UInt32(bytes[3]) << 8 | UInt32(bytes[4])
    }

    @inline(__always)
    static func day(_ bytes: borrowing [61 of UInt8]) -> UInt16 {
        UInt16(bytes[5]) << 8 | UInt16(bytes[6])
    }

    static func writeHeader(keyID: UInt32, day: UInt16, into bytes: inout [61 of UInt8]) {
        bytes[0] = Self.version
        bytes[1] = UInt8(truncatingIfNeeded: keyID >> 24)
        bytes[2] = UInt8(truncatingIfNeeded: keyID >> 16)
        bytes[3] = UInt8(truncatingIfNeeded: keyID >> 8)
        bytes[4] = UInt8(truncatingIfNeeded: keyID)
        bytes[5] = UInt8(truncatingIfNeeded: day >> 8)
        bytes[6] = UInt8(truncatingIfNeeded: day)
    }

    /// The sealed part before it is sealed.
    static func plain(
        _ binding: Binding,
        issued: UnixTime,
        renewed: UnixTime
    ) -> [26 of UInt8] {
        var bytes = [26 of UInt8](repeating: 0)
        Self.write(binding.serverID.rawValue, count: 8, at: 0, &bytes)
        Self.write(binding.id.rawValue, count: 8, at: 8, &bytes)
        Self.write(UInt64(clamping: issued.seconds), count: 5, at: 16, &bytes)
        Self.write(UInt64(clamping: renewed.seconds), count: 5, at: 21, &bytes)
        return bytes
    }

    static func binding(_ bytes: borrowing [26 of UInt8], hasOldKey: Bool) -> Binding {
        Binding(
            serverID: ServerID(rawValue: Self.read(bytes, count: 8, at: 0)),
            id: BindingID(rawValue: Self.read(bytes, count: 8, at: 8)),
            issued: UnixTime(seconds: Int64(Self.read(bytes, count: 5, at: 16))),
            renewed: UnixTime(seconds: Int64(Self.read(bytes, count: 5, at: 21))),
            hasOldKey: hasOldKey
        )
    }

    @inline(__always)
    private static func write(
        _ value: UInt64,
        count: Int,
        at offset: Int,
        _ bytes: inout [26 of UInt8]
    ) {
        for index in 0..<count {
            let shift = UInt64(8 &* (count &- 1 &- index))
            bytes[offset &+ index] = UInt8(truncatingIfNeeded: value >> shift)
        }
    }

    @inline(__always)
    private static func read(
        _ bytes: borrowing [26 of UInt8],
        count: Int,
        at offset: Int
    ) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<count { value = value << 8 | UInt64(bytes[offset &+ index]) }
        return value
    }
}
