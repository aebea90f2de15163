import BelayBytes

// The first message of a TLS server, read without decrypting (RFC 5246 §7.4.1.3, RFC 8446 §4.1.3):
// which session it gives the client, so that a connection that is passed on still sealed can be
// bound. Only ever looked at beside the bytes, which go on as they are.

/// What the front of a server's bytes is.
package enum ServerHelloReading: Sendable {
    /// The bytes may still become a ServerHello.
    case needsMore
    /// Something else, or a ServerHello that is not whole in its record, as no server sends it.
    case other
    case hello(ServerHello)
}

/// A ServerHello that was read.
package struct ServerHello: Sendable {
    // Limit: bytes of the message; real ones have 70 to 200, those with keys that no quantum
    // computer breaks 1,200.
    private static let sizeMax = 4096

    /// What was chosen: 0x0304 for TLS 1.3.
    package let version: UInt16
    /// The range in the bytes that were read. Empty: the server keeps no session, or has put it in
    /// a ticket.
    package let sessionID: Range<Int>

    /// Whether a client may come back with this session id. In TLS 1.3 it is an echo of random
    /// bytes that are others with each connection (RFC 8446 §4.1.2).
    package var namesSession: Bool { self.version < 0x0304 && !self.sessionID.isEmpty }

    /// Reads the ServerHello at `start`, if one is there.
    package static func parse(
        _ bytes: borrowing Span<UInt8>,
        from start: Int
    ) -> ServerHelloReading {
        precondition(start >= 0 && start <= bytes.count, "beyond the end")
        let count = bytes.count &- start
        // A record of a handshake, of version 3.x, that begins with a ServerHello.
        if count > 0, bytes[start] != 22 { return .other }
        if count > 1, bytes[start &+ 1] != 3 { return .other }
        if count > 5, bytes[start &+ 5] != 2 { return .other }
        guard count >= 9 else { return .needsMore }
        let recordSize = Int(bytes.number16(at: start &+ 3))
        let size = Int(bytes[start &+ 6]) << 16 | Int(bytes.number16(at: start &+ 7))
        guard size <= Self.sizeMax, size &+ 4 <= recordSize else { return .other }
        let end = start &+ 9 &+ size
        guard bytes.count >= end else { return .needsMore }
        // A version, 32 random bytes, and the session id behind its length.
        let idStart = start &+ 9 &+ 35
        guard idStart <= end else { return .other }
        let idEnd = idStart &+ Int(bytes[idStart &- 1])
        // Behind it a cipher suite and a method of compression.
        guard idEnd &- idStart <= 32, idEnd &+ 3 <= end else { return .other }
        var version = bytes.number16(at: start &+ 9)
        guard version >> 8 == 3 else { return .other }
        var place = idEnd &+ 3
        if place < end {
            guard place &+ 2 <= end, place &+ 2 &+ Int(bytes.number16(at: place)) == end else {
                return .other
            }
            place &+= 2
        }
        while place < end {
            guard place &+ 4 <= end else { return .other }
            let type = bytes.number16(at: place)
            let next = place &+ 4 &+ Int(bytes.number16(at: place &+ 2))
            guard next <= end else { return .other }
            // supported_versions (RFC 8446 §4.2.1) counts instead of the version at the front.
            if type == 43 {
                guard next &- place == 6 else { return .other }
                version = bytes.number16(at: place &+ 4)
            }
            place = next
        }
        return .hello(ServerHello(version: version, sessionID: idStart..<idEnd))
    }
}
