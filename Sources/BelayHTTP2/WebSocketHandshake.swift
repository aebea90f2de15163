import BelayBytes
import BelayCore

/// What HTTP/1.1 has in the handshake of a WebSocket and HTTP/2 has not (RFC 6455 §4, RFC 8441).
/// Runs once for each WebSocket, so it may allocate.
enum WebSocketHandshake {
    /// The text of a new Sec-WebSocket-Key. It keeps caches from answering and is no secret.
    static func key(_ random: inout RandomSource) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<2 {
            let word = random.next()
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return Self.base64(bytes)
    }

    /// The Sec-WebSocket-Accept that answers a key.
    static func accept(_ key: borrowing Span<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        for index in 0..<key.count { text.append(key[index]) }
        text += Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
        return Self.base64(SHA1.digest(text))
    }

    static func base64(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
        )
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let piece = bytes[start..<min(start + 3, bytes.count)]
            var word: UInt32 = 0
            for byte in piece { word = word << 8 | UInt32(byte) }
            word <<= UInt32(8 * (3 - piece.count))
            for part in 0..<4 {
                let value = Int(word >> UInt32(18 - 6 * part)) & 63
                text.append(part <= piece.count ? alphabet[value] : UInt8(ascii: "="))
            }
        }
        return text
    }
}
