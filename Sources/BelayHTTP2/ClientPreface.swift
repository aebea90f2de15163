/// What a client begins with (RFC 9113 §3.4). Chosen so that no HTTP/1.1 server takes it for a
/// request that it serves.
package enum ClientPreface {
    static let bytes: [24 of UInt8] = [
        0x50, 0x52, 0x49, 0x20, 0x2A, 0x20, 0x48, 0x54, 0x54, 0x50, 0x2F, 0x32, 0x2E, 0x30, 0x0D,
        0x0A, 0x0D, 0x0A, 0x53, 0x4D, 0x0D, 0x0A, 0x0D, 0x0A,
    ]

    /// What the first bytes of a connection in clear text say of its version.
    package enum Verdict: Equatable, Sendable {
        case http2
        case other
        /// All that came is the beginning of the preface.
        case needsMore
    }

    /// Judges the bytes from `start` on, the first of a connection that may speak either version.
    package static func judge(_ bytes: borrowing Span<UInt8>, from start: Int) -> Verdict {
        let size = bytes.count &- start
        for index in 0..<Swift.min(size, Self.bytes.count)
        where bytes[start &+ index] != Self.bytes[index] {
            return .other
        }
        return size >= Self.bytes.count ? .http2 : .needsMore
    }
}
