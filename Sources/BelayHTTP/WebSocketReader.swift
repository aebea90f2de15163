package import BelayBytes

/// Watches one direction of a WebSocket tunnel (RFC 6455 §5), for where its frames begin and end:
/// so that the tunnel can be ended between two frames, and its close code be logged. Looks at heads
/// of frames only, and at the code of a Close frame.
///
/// What can't be frames makes the reader opaque: it watches no more, and the tunnel goes on
/// untouched. Reserved bits and opcodes may stand for an extension, so they are let pass.
package struct WebSocketReader: Sendable {
    /// The close code of a Close frame without one (RFC 6455 §7.1.5).
    private static let noCode: UInt16 = 1005

    /// Bytes of payload that the frame under way still has.
    package private(set) var remaining: UInt64 = 0
    /// The code of the first Close frame that went by; 1005 if it had none.
    package private(set) var closeCode: UInt16?
    /// A whole Close frame went by.
    package private(set) var hasClosed = false
    /// These are no frames.
    package private(set) var isOpaque = false
    /// The payload under way is that of a Close frame.
    private var isInClose = false
    /// What came of a Close frame's code: two bytes, unmasked.
    private var codeCount: UInt8 = 0
    private var code: UInt16 = 0
    /// A frame's head that came in pieces: at most 2 bytes, 8 of length, 4 of mask.
    private var headCount: UInt8 = 0
    private var head = InlineArray<14, UInt8>(repeating: 0)

    package init() {}

    /// No frame is under way: another one may be written here.
    package var isAtFrameBoundary: Bool {
        self.remaining == 0 && self.headCount == 0 && !self.isOpaque
    }

    /// `bytes` went by, wherever they are cut.
    package mutating func pass(_ bytes: borrowing Span<UInt8>) {
        var index = 0
        while index < bytes.count { index = self.passFrame(bytes, from: index) }
    }

    /// `count` bytes of payload went by unseen: at most `remaining`.
    package mutating func advance(_ count: UInt64) {
        precondition(count <= self.remaining, "more bytes than the frame has")
        guard count > 0 else { return }
        self.remaining &-= count
        if self.remaining == 0, self.isInClose { self.endClose() }
    }

    /// How many of `bytes` belong to the frame that is under way: 0 at a boundary, all of them
    /// where the frame goes on behind them, or where there are no frames.
    package func prefixUntilBoundary(_ bytes: borrowing Span<UInt8>) -> Int {
        guard !self.isAtFrameBoundary, bytes.count > 0 else { return 0 }
        var reader = self
        return reader.passFrame(bytes, from: 0)
    }

    /// Passes the frame that is under way or begins at `start`, as far as it is there; where it
    /// ends.
    @inline(__always)
    private mutating func passFrame(_ bytes: borrowing Span<UInt8>, from start: Int) -> Int {
        var index = start
        if self.remaining == 0 {
            index = self.passHead(bytes, from: start)
            if self.remaining == 0 { return index }
        }
        let here = bytes.count &- index
        let size = UInt64(here) < self.remaining ? here : Int(self.remaining)
        if self.isInClose { self.readCode(bytes, index..<index &+ size) }
        self.advance(UInt64(size))
        return index &+ size
    }

    /// Passes as much of a head as is there.
    @inline(__always)
    private mutating func passHead(_ bytes: borrowing Span<UInt8>, from start: Int) -> Int {
        // Nearly every frame: a short one with data, its head in one piece.
        if self.headCount == 0, !self.isOpaque, start &+ 6 <= bytes.count {
            let length = bytes[start &+ 1] & 0x7F
            if bytes[start] & 0x08 == 0, length < 126 {
                self.remaining = UInt64(length)
                return start &+ 2 &+ Int(bytes[start &+ 1] >> 7) &* 4
            }
        }
        return self.collectHead(bytes, from: start)
    }

    private mutating func collectHead(_ bytes: borrowing Span<UInt8>, from start: Int) -> Int {
        guard !self.isOpaque else { return bytes.count }
        var index = start
        while index < bytes.count {
            self.head[Int(self.headCount)] = bytes[index]
            self.headCount &+= 1
            index &+= 1
            guard self.headCount >= 2 else { continue }
            let length = self.head[1] & 0x7F
            // A control frame is short and in one piece (RFC 6455 §5.5).
            if self.head[0] & 0x08 != 0, length > 125 || self.head[0] & 0x80 == 0 {
                self.isOpaque = true
                return bytes.count
            }
            let lengthSize = length == 127 ? 8 : length == 126 ? 2 : 0
            let size = 2 &+ lengthSize &+ Int(self.head[1] >> 7) &* 4
            if Int(self.headCount) == size {
                self.beginPayload(lengthSize)
                return self.isOpaque ? bytes.count : index
            }
        }
        return index
    }

    /// The head is whole.
    private mutating func beginPayload(_ lengthSize: Int) {
        var length = UInt64(self.head[1] & 0x7F)
        if lengthSize > 0 {
            length = 0
            for place in 2..<2 &+ lengthSize { length = length << 8 | UInt64(self.head[place]) }
            // Lengths are written the shortest way, below 2^63 (RFC 6455 §5.2).
            guard length <= UInt64(Int64.max), length > (lengthSize == 2 ? 125 : 65_535) else {
                self.isOpaque = true
                return
            }
        }
        self.headCount = 0
        self.remaining = length
        if self.head[0] & 0x0F == 0x08 {
            self.isInClose = true
            self.codeCount = 0
            self.code = 0
            if length == 0 { self.endClose() }
        }
    }

    private mutating func readCode(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
        for index in range where self.codeCount < 2 {
            let mask = self.head[1] & 0x80 == 0 ? 0 : self.head[2 &+ Int(self.codeCount)]
            self.code = self.code << 8 | UInt16(bytes[index] ^ mask)
            self.codeCount &+= 1
        }
    }

    private mutating func endClose() {
        self.isInClose = false
        guard !self.hasClosed else { return }
        self.hasClosed = true
        self.closeCode = self.codeCount == 2 ? self.code : Self.noCode
    }
}

/// Writes a Close frame (RFC 6455 §5.5.1), masked if it goes to a server: `mask` should then be
/// random. The reason is UTF-8 of at most 123 bytes.
package func writeCloseFrame(
    code: UInt16,
    reason: StaticString = "",
    mask: UInt32?,
    into out: inout ByteWriter
) {
    let start = out.beginCloseFrame(code, reasonSize: reason.utf8CodeUnitCount, mask)
    out.append(reason)
    out.mask(from: start, with: mask)
}

/// The same with a reason that was made at start.
package func writeCloseFrame(
    code: UInt16,
    reason: borrowing Span<UInt8>,
    mask: UInt32?,
    into out: inout ByteWriter
) {
    let start = out.beginCloseFrame(code, reasonSize: reason.count, mask)
    out.append(reason)
    out.mask(from: start, with: mask)
}

extension ByteWriter {
    /// Writes head and code; where the payload begins.
    fileprivate mutating func beginCloseFrame(
        _ code: UInt16,
        reasonSize: Int,
        _ mask: UInt32?
    ) -> Int {
        precondition(reasonSize <= 123, "a control frame holds 125 bytes")
        self.append(0x88)
        self.append(UInt8(truncatingIfNeeded: reasonSize &+ 2) | (mask == nil ? 0 : 0x80))
        if let mask {
            for place in 0..<4 { self.append(maskByte(mask, place)) }
        }
        let start = self.count
        self.append(UInt8(truncatingIfNeeded: code >> 8))
        self.append(UInt8(truncatingIfNeeded: code))
        return start
    }

    fileprivate mutating func mask(from start: Int, with mask: UInt32?) {
        guard let mask else { return }
        for index in start..<self.count {
            self.replace(at: index, with: self.bytes[index] ^ maskByte(mask, index &- start))
        }
    }
}

/// The byte of a mask that goes over the byte at `place` of a payload.
private func maskByte(_ mask: UInt32, _ place: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: mask >> UInt32(24 &- 8 &* (place & 3)))
}
