import BelayBytes
import BelayHTTP
import FuzzSupport

/// What must hold of a watched tunnel, whatever goes through it.
enum WebSocketFuzzer {
    /// All that a reader says of itself.
    private struct Facts: Equatable {
        let remaining: UInt64
        let isAtFrameBoundary: Bool
        let closeCode: UInt16?
        let hasClosed: Bool
        let isOpaque: Bool

        init(_ reader: WebSocketReader) {
            self.remaining = reader.remaining
            self.isAtFrameBoundary = reader.isAtFrameBoundary
            self.closeCode = reader.closeCode
            self.hasClosed = reader.hasClosed
            self.isOpaque = reader.isOpaque
        }
    }

    static func check(_ input: FuzzInput) {
        let bytes = input.bytes
        let whole = Facts(Self.passed([bytes]))
        let front = Array(bytes[..<input.cut])
        let back = Array(bytes[input.cut...])
        require(Facts(Self.passed([front, [], back])) == whole, "cut is as whole")
        require(Facts(Self.passed(bytes.map { [$0] })) == whole, "bytewise is as whole")
        require((whole.closeCode != nil) == whole.hasClosed, "a close has a code")
        if isCanary { require(!whole.hasClosed, "the canary: no tunnel closes") }
        Self.checkPlain(bytes, whole)
        Self.checkPrefix(front, back)
        Self.checkUnseen(front, back)
        Self.checkWritten(input)
    }

    private static func passed(_ pieces: [[UInt8]]) -> WebSocketReader {
        var reader = WebSocketReader()
        for piece in pieces { reader.pass(piece.span) }
        return reader
    }

    private static func checkPlain(_ bytes: [UInt8], _ facts: Facts) {
        let plain = PlainFrames(bytes)
        require(facts.isOpaque == plain.isOpaque, "what can't be frames is found")
        require(facts.remaining == plain.remaining, "a plain reader finds as much to come")
        require(facts.isAtFrameBoundary == plain.isAtBoundary, "a plain reader finds the boundary")
        require(facts.closeCode == plain.closeCode, "a plain reader finds the code")
    }

    /// The bytes up to a boundary lead to it.
    private static func checkPrefix(_ front: [UInt8], _ back: [UInt8]) {
        var reader = Self.passed([front])
        let prefix = reader.prefixUntilBoundary(back.span)
        require(prefix >= 0 && prefix <= back.count, "a prefix lies inside")
        if reader.isAtFrameBoundary {
            require(prefix == 0, "nothing is under way at a boundary")
            return
        }
        for (place, byte) in back[..<prefix].enumerated() {
            reader.pass([byte].span)
            if place < prefix - 1 { require(!reader.isAtFrameBoundary, "the first boundary") }
        }
        require(prefix == back.count || reader.isAtFrameBoundary, "a prefix ends at a boundary")
    }

    /// Payload that goes by unseen moves the boundary as payload that is seen.
    private static func checkUnseen(_ front: [UInt8], _ back: [UInt8]) {
        var reader = Self.passed([front])
        let unseen = Int(min(reader.remaining, UInt64(back.count)))
        reader.advance(UInt64(unseen))
        reader.pass(Array(back[unseen...]).span)
        let seen = Self.passed([front, back])
        require(reader.remaining == seen.remaining, "as much is to come")
        require(reader.isAtFrameBoundary == seen.isAtFrameBoundary, "the boundary is the same")
        require(reader.hasClosed == seen.hasClosed, "a close is seen all the same")
    }

    /// A Close frame that is written reads the same.
    private static func checkWritten(_ input: FuzzInput) {
        let code = UInt16(input.choice) << 8 | UInt16(input.bytes.count & 255)
        let reason = Array(input.bytes.prefix(123))
        let mask = input.choice % 2 == 0 ? nil : UInt32(input.choice) &* 0x0103_0507
        var out = ByteWriter(capacity: 256)
        writeCloseFrame(code: code, reason: reason.span, mask: mask, into: &out)
        require(!out.hasOverflowed, "what is written fits")
        let written = (0..<out.count).map { out.bytes[$0] }
        let reader = Self.passed([written])
        require(reader.isAtFrameBoundary && reader.closeCode == code, "what is written is read")
        require(PlainFrames(written).closeReason == reason, "the reason stays")
    }
}

/// The plainest reader of frames: all bytes at once, one frame after the other.
private struct PlainFrames {
    private(set) var isOpaque = false
    private(set) var isAtBoundary = true
    private(set) var remaining: UInt64 = 0
    private(set) var closeCode: UInt16?
    private(set) var closeReason: [UInt8]?

    init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            self.isAtBoundary = false
            guard rest.count >= 2 else { return }
            let first = rest[rest.startIndex]
            let second = rest[rest.startIndex + 1]
            if first & 8 != 0, first < 0x80 || second & 0x7F > 125 {
                self.isOpaque = true
                return
            }
            let sizeOfSize = [126: 2, 127: 8][Int(second & 0x7F)] ?? 0
            let sizeOfMask = second >= 0x80 ? 4 : 0
            guard rest.count >= 2 + sizeOfSize + sizeOfMask else { return }
            let size = rest.dropFirst(2).prefix(sizeOfSize).reduce(UInt64(0)) {
                $0 << 8 | UInt64($1)
            }
            if sizeOfSize > 0, size < (sizeOfSize == 2 ? 126 : 65_536) || size >> 63 != 0 {
                self.isOpaque = true
                return
            }
            let mask = Array(rest.dropFirst(2 + sizeOfSize).prefix(sizeOfMask))
            let length = sizeOfSize > 0 ? size : UInt64(second & 0x7F)
            rest = rest.dropFirst(2 + sizeOfSize + sizeOfMask)
            guard length <= UInt64(rest.count) else {
                self.remaining = length - UInt64(rest.count)
                return
            }
            if first & 15 == 8, self.closeCode == nil {
                self.readClose(rest.prefix(Int(length)), mask)
            }
            rest = rest.dropFirst(Int(length))
            self.isAtBoundary = true
        }
    }

    private mutating func readClose(_ payload: ArraySlice<UInt8>, _ mask: [UInt8]) {
        let clear = payload.enumerated().map { place, byte in
            mask.isEmpty ? byte : byte ^ mask[place % 4]
        }
        self.closeCode = clear.count < 2 ? 1005 : UInt16(clear[0]) << 8 | UInt16(clear[1])
        self.closeReason = Array(clear.dropFirst(2))
    }
}
