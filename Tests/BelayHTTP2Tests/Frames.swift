/// Writes HTTP/2 frames as RFC 9113 and RFC 7541 describe them, the wrong ones too. It shares
/// nothing with what it tests.
enum Frames {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let endStream: UInt8 = 0x1
    static let endHead: UInt8 = 0x4
    static let padded: UInt8 = 0x8

    /// What a client begins with.
    static let hello = preface + settings([])

    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8]) -> [UInt8] {
        number(payload.count, 3) + [type, flags] + number(stream, 4) + payload
    }

    static func data(_ stream: Int, _ bytes: [UInt8], isLast: Bool = false) -> [UInt8] {
        frame(0, isLast ? endStream : 0, stream, bytes)
    }

    static func head(
        _ stream: Int,
        _ fields: [(String, String)],
        isLast: Bool = true
    ) -> [UInt8] {
        frame(1, endHead | (isLast ? endStream : 0), stream, block(fields))
    }

    static func continuation(_ stream: Int, _ bytes: [UInt8], isEnd: Bool) -> [UInt8] {
        frame(9, isEnd ? endHead : 0, stream, bytes)
    }

    static func reset(_ stream: Int, _ code: Int = 8) -> [UInt8] {
        frame(3, 0, stream, number(code, 4))
    }

    static func settings(_ entries: [(Int, Int)]) -> [UInt8] {
        frame(4, 0, 0, entries.flatMap { number($0.0, 2) + number($0.1, 4) })
    }

    static let settingsAck = frame(4, 1, 0, [])
    static let ping = frame(6, 0, 0, [UInt8](repeating: 7, count: 8))

    static func priority(_ stream: Int) -> [UInt8] {
        frame(2, 0, stream, number(0, 4) + [15])
    }

    static func window(_ stream: Int, _ size: Int) -> [UInt8] {
        frame(8, 0, stream, number(size, 4))
    }

    static func goAway(_ last: Int, _ code: Int = 0) -> [UInt8] {
        frame(7, 0, 0, number(last, 4) + number(code, 4))
    }

    /// A header block of literals that enter no table (RFC 7541 §6.2.2).
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0x00] + text($0.0) + text($0.1) }
    }

    /// A literal that enters the table (RFC 7541 §6.2.1).
    static func indexed(_ name: String, _ value: String) -> [UInt8] {
        [0x40] + text(name) + text(value)
    }

    static func get(_ path: String = "/", _ more: [(String, String)] = []) -> [(String, String)] {
        [
            (":method", "GET"), (":scheme", "https"), (":authority", "a.example"),
            (":path", path),
        ] + more
    }

    /// One byte for each scalar, behind its length (RFC 7541 §5.2).
    private static func text(_ text: String) -> [UInt8] {
        let bytes = text.unicodeScalars.map { UInt8($0.value) }
        if bytes.count < 127 { return [UInt8(bytes.count)] + bytes }
        var size = [UInt8(127)]
        var rest = bytes.count - 127
        while rest >= 128 {
            size.append(UInt8(rest % 128 + 128))
            rest /= 128
        }
        return size + [UInt8(rest)] + bytes
    }

    private static func number(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - $0))) }
    }
}
