import BelayBytes
import BelayCore
import BelayHTTP
import Testing

struct WebSocketReaderTests {
    /// A frame: its first byte, its payload, and a mask if it comes from a client.
    private static func frame(
        _ first: UInt8,
        _ payload: [UInt8],
        mask: [UInt8]? = nil
    ) -> [UInt8] {
        let masked: UInt8 = mask == nil ? 0 : 0x80
        var bytes = [first]
        switch payload.count {
        case ..<126: bytes.append(masked | UInt8(payload.count))
        case ..<65_536:
            bytes += [masked | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default:
            bytes.append(masked | 127)
            for shift in (0..<8).reversed() {
                bytes.append(UInt8(payload.count >> (8 * shift) & 255))
            }
        }
        guard let mask else { return bytes + payload }
        bytes += mask
        for (index, byte) in payload.enumerated() { bytes.append(byte ^ mask[index % 4]) }
        return bytes
    }

    private static func text(_ size: Int, mask: [UInt8]? = nil) -> [UInt8] {
        Self.frame(0x81, Array(repeating: 0x88, count: size), mask: mask)
    }

    private static func close(_ payload: [UInt8], mask: [UInt8]? = nil) -> [UInt8] {
        Self.frame(0x88, payload, mask: mask)
    }

    /// All that a reader says of itself.
    private static func facts(_ reader: WebSocketReader) -> String {
        let code = reader.closeCode.map { "\($0)" } ?? "none"
        return "\(reader.remaining) \(reader.isAtFrameBoundary) \(reader.hasClosed) \(code)"
            + " \(reader.isOpaque)"
    }

    private static func passed(_ pieces: [UInt8]...) -> WebSocketReader {
        var reader = WebSocketReader()
        for piece in pieces { reader.pass(piece.span) }
        return reader
    }

    private static func prefix(_ reader: WebSocketReader, _ bytes: ArraySlice<UInt8>) -> Int {
        reader.prefixUntilBoundary(Array(bytes).span)
    }

    private static let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]

    /// Each kind of head. RFC 6455 §5.7 has the first ones.
    private static let frames: [[UInt8]] = [
        [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F],
        [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58],
        [0x01, 0x03, 0x48, 0x65, 0x6C],
        [0x80, 0x02, 0x6C, 0x6F],
        [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F],
        [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58],
        text(0), text(0, mask: key), text(1), text(125, mask: key),
        text(126), text(126, mask: key), text(256), text(65_535, mask: key),
        text(65_536), text(65_536, mask: key),
        // Reserved bits and opcodes.
        frame(0xC1, [1, 2, 3]), frame(0x72, [1]), frame(0x83, [1]), frame(0x8B, [1, 2]),
        frame(0xF9, []),
    ]

    @Test func `a new reader is at a boundary`() {
        #expect(Self.facts(WebSocketReader()) == "0 true false none false")
        #expect(MemoryLayout<WebSocketReader>.size <= 40)
    }

    @Test(arguments: frames)
    func `a boundary is where a frame ends and nowhere else`(frame: [UInt8]) {
        let headSize = frame.count - Self.payloadSize(frame)
        var bytewise = WebSocketReader()
        for end in 1...frame.count where end < 300 || end > frame.count - 3 {
            let reader = Self.passed(Array(frame[..<end]))
            let left = end < headSize ? 0 : frame.count - end
            #expect(Self.facts(reader) == "\(left) \(end == frame.count) false none false")
            #expect(Self.prefix(reader, frame[end...] + [0x81, 0]) == frame.count - end)
            if end < 300 {
                bytewise.pass([frame[end - 1]].span)
                #expect(Self.facts(bytewise) == Self.facts(reader))
            }
        }
    }

    private static func payloadSize(_ frame: [UInt8]) -> Int {
        var size = Int(frame[1] & 127)
        if size == 126 { size = Int(frame[2]) << 8 | Int(frame[3]) }
        if size == 127 { size = frame[2..<10].reduce(0) { $0 << 8 | Int($1) } }
        return size
    }

    @Test func `frames in a row are watched, wherever the bytes are cut`() {
        let small = Self.frames.filter { $0.count < 300 }
        let bytes = small.flatMap { $0 } + Self.text(7)
        for start in 0...bytes.count {
            for end in [start, min(start + 1, bytes.count), min(start + 5, bytes.count)] {
                let reader = Self.passed(
                    Array(bytes[..<start]),
                    Array(bytes[start..<end]),
                    Array(bytes[end...])
                )
                #expect(Self.facts(reader) == "0 true false none false")
            }
        }
        // From each place to the next boundary, and on to the end.
        var boundaries: [Int] = [0]
        for frame in small { boundaries.append((boundaries.last ?? 0) + frame.count) }
        for start in 0..<bytes.count {
            let reader = Self.passed(Array(bytes[..<start]))
            let next = boundaries.first { $0 >= start } ?? bytes.count
            #expect(Self.prefix(reader, bytes[start...]) == next - start)
            #expect(Self.prefix(reader, []) == 0)
        }
    }

    @Test func `payload that goes by unseen counts`() {
        var reader = Self.passed(Array(Self.text(65_536)[..<14]))
        #expect(reader.remaining == 65_532)
        reader.advance(0)
        reader.advance(65_531)
        #expect(reader.remaining == 1)
        #expect(Self.prefix(reader, [1, 0x81, 0]) == 1)
        reader.advance(1)
        #expect(reader.isAtFrameBoundary)
        reader.pass([0x81, 0x01].span)
        #expect(Self.facts(reader) == "1 false false none false")
    }

    private static let longest: [(UInt64, [UInt8])] = [
        (0x7FFF_FFFF_FFFF_FFFF, [0x7F, 255, 255, 255, 255, 255, 255, 255]),
        (0x1_0000_0000, [0, 0, 0, 1, 0, 0, 0, 0]),
    ]

    @Test(arguments: longest)
    func `a frame may be as long as there are numbers`(size: UInt64, length: [UInt8]) {
        var reader = Self.passed([0x82, 127] + length)
        #expect(reader.remaining == size)
        reader.pass([1, 2, 3].span)
        #expect(reader.remaining == size - 3)
        reader.advance(size - 3)
        #expect(reader.isAtFrameBoundary)
    }

    private static let closes: [([UInt8], String)] = [
        (close([]), "1005"),
        (close([], mask: key), "1005"),
        (close([0x03]), "1005"),
        (close([0x03, 0xE8]), "1000"),
        (close([0x03, 0xE8], mask: key), "1000"),
        (close([0x03, 0xF4] + Array("restart".utf8)), "1012"),
        (close([0x0F, 0xA0] + Array("of their own".utf8), mask: key), "4000"),
        (frame(0xF8, [0x03, 0xE9]), "1001"),
    ]

    @Test(arguments: closes)
    func `the code of a Close frame is told when it went by`(frame: [UInt8], code: String) {
        let bytes = Self.text(3) + Self.frame(0x89, [3, 0xE8]) + frame
        for cut in 0...bytes.count {
            var reader = Self.passed(Array(bytes[..<cut]))
            #expect(reader.hasClosed == (cut == bytes.count))
            #expect((reader.closeCode != nil) == reader.hasClosed)
            reader.pass(Array(bytes[cut...]).span)
            #expect(Self.facts(reader) == "0 true true \(code) false")
            // Nothing may follow; if it does, the first one counts.
            reader.pass((Self.text(200) + Self.close([0, 7])).span)
            #expect(Self.facts(reader) == "0 true true \(code) false")
        }
    }

    @Test func `a Close frame that goes by unseen has no code`() {
        var reader = Self.passed([0x88, 0x04, 0x03])
        reader.advance(3)
        #expect(Self.facts(reader) == "0 true true 1005 false")
    }

    private static let noFrames: [[UInt8]] = [
        // Control frames in pieces, or too long.
        [0x08, 0x00], [0x09, 0x05], [0x0A, 0x80], [0x88, 0x7E], [0x89, 0xFE], [0x8A, 0x7F],
        [0x8B, 0x7E], [0x0F, 0x00],
        // Lengths that are no numbers, or not the shortest.
        [0x82, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0],
        [0x82, 0xFF, 255, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
        [0x82, 0x7E, 0, 125], [0x82, 0xFE, 0, 0, 1, 2, 3, 4],
        [0x82, 0x7F, 0, 0, 0, 0, 0, 0, 255, 255],
    ]

    @Test(arguments: noFrames)
    func `what can't be a frame is watched no more`(head: [UInt8]) {
        for start in [[], Self.text(4), Self.text(300)] {
            let bytes = start + head + [0x81, 0x00, 0x88, 0x00]
            for cut in 0...bytes.count {
                let reader = Self.passed(Array(bytes[..<cut]), Array(bytes[cut...]))
                #expect(Self.facts(reader) == "0 false false none true")
                #expect(Self.prefix(reader, [0x81, 0x00]) == 2)
                let partly = Self.passed(Array(bytes[..<cut]))
                #expect(partly.isOpaque == (cut >= start.count + head.count))
                if cut > start.count {
                    let rest = Array(bytes[cut...])
                    #expect(Self.prefix(partly, rest[...]) == rest.count)
                }
            }
        }
    }

    private static let written: [(UInt16, String, UInt32?, [UInt8])] = [
        (1000, "", nil, [0x88, 0x02, 0x03, 0xE8]),
        (1012, "ab", nil, [0x88, 0x04, 0x03, 0xF4, 0x61, 0x62]),
        (1000, "", 0x37FA_213D, [0x88, 0x82, 0x37, 0xFA, 0x21, 0x3D, 0x34, 0x12]),
        (
            1012, "abc", 0x37FA_213D,
            [0x88, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x34, 0x0E, 0x40, 0x5F, 0x54]
        ),
    ]

    @Test(arguments: written)
    func `a Close frame is written as it is read`(
        code: UInt16,
        reason: String,
        mask: UInt32?,
        want: [UInt8]
    ) {
        var out = ByteWriter(capacity: 64)
        out.append("before")
        writeCloseFrame(
            code: code,
            reason: Array(reason.utf8).span,
            mask: mask,
            into: &out
        )
        let bytes = Array((0..<out.count).map { out.bytes[$0] }.dropFirst(6))
        #expect(bytes == want)
        #expect(Self.facts(Self.passed(bytes)) == "0 true true \(code) false")
    }

    @Test func `a reason may be as long as a frame allows`() {
        for mask in [nil, UInt32(0xFFFF_FFFF)] {
            var out = ByteWriter(capacity: 256)
            let reason = Array(repeating: UInt8(ascii: "r"), count: 123)
            writeCloseFrame(code: 1001, reason: reason.span, mask: mask, into: &out)
            let bytes = (0..<out.count).map { out.bytes[$0] }
            #expect(bytes.count == 127 + (mask == nil ? 0 : 4))
            #expect(Self.facts(Self.passed(bytes)) == "0 true true 1001 false")
            let last = mask == nil ? UInt8(ascii: "r") : ~UInt8(ascii: "r")
            #expect(bytes.last == last)
        }
    }

    @Test func `a fixed reason is written the same`() {
        for mask in [nil, UInt32(0x0102_0304)] {
            var fixed = ByteWriter(capacity: 64)
            writeCloseFrame(code: 1012, reason: "restarting", mask: mask, into: &fixed)
            var other = ByteWriter(capacity: 64)
            let reason = Array("restarting".utf8)
            writeCloseFrame(code: 1012, reason: reason.span, mask: mask, into: &other)
            #expect(
                (0..<fixed.count).map { fixed.bytes[$0] }
                    == (0..<other.count).map { other.bytes[$0] }
            )
        }
        var small = ByteWriter(capacity: 9)
        writeCloseFrame(code: 1012, reason: "restarting", mask: 7, into: &small)
        let hasOverflowed = small.hasOverflowed
        #expect(hasOverflowed)
    }
}
