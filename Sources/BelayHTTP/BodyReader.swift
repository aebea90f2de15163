import BelayBytes

/// What `BodyReader.next` found at the front of the bytes. Ranges are indices into those bytes;
/// every piece begins at the `from` of the call.
package enum BodyPiece: Equatable, Sendable {
    /// Bytes of the body: pass them on and consume up to the upper bound.
    case data(Range<Int>)
    /// So many bytes that only frame the body: skip them.
    case framing(consumed: Int)
    /// One valid trailer field line without its CR LF: pass it on, consume it and two bytes more.
    case trailer(Range<Int>)
    /// Nothing can be told before more bytes come; what is there stays in the buffer.
    case needsMore
    /// The body is over after so many bytes more, which frame it.
    case end(consumed: Int)
}

/// Reads a body out of the bytes of a connection, piece by piece, by its framing.
///
/// Call `next` with the bytes that were not consumed yet, consume what the piece says, and call it
/// again until it says `needsMore` or `end`. The reader counts a piece as consumed when it returns
/// it: to get less, pass a shorter span. A line of framing (a chunk's size, a trailer field) is
/// taken whole or not at all; how long an incomplete one may grow in the buffer is limited (a size
/// with its extensions to 276 bytes, trailers to `trailerMax`), so a buffer of 1 KiB more than
/// `trailerMax` always goes on. After an error the reader must not be asked again.
package struct BodyReader: Sendable {
    /// Limit: extension bytes of one chunk.
    private static let extensionMax = 256
    /// Limit: extension bytes that a body may spend without data; a byte of data earns one back.
    /// So a body cannot consist of extensions, and one whose chunks are signed can be any length.
    private static let extensionAllowance: UInt64 = 16_384

    private enum State: UInt8 {
        /// `remaining` bytes of data, then `ended`.
        case length
        /// Data until the connection closes.
        case untilClose
        /// Next is the first chunk's size.
        case size
        /// `remaining` bytes of a chunk's data, then `afterChunk`.
        case chunk
        /// Next is the CR LF behind a chunk's data, and another size.
        case afterChunk
        /// Next is a trailer field, or the empty line.
        case trailers
        case ended
    }

    /// Bytes of the body, or of the chunk, that are still to come.
    private var left: UInt64 = 0
    private var extensionsLeft: UInt64 = Self.extensionAllowance
    private var trailerLeft: Int
    private var state: State

    package init(_ framing: BodyFraming, trailerMax: Int) {
        self.trailerLeft = trailerMax
        switch framing {
        case .none: self.state = .ended
        case .length(let length):
            self.left = length
            self.state = length == 0 ? .ended : .length
        case .chunked: self.state = .size
        case .untilClose: self.state = .untilClose
        }
    }

    /// Nothing of the body is left.
    package var isAtEnd: Bool { self.state == .ended }

    /// Bytes that are still to come of a body whose length was stated; nil for other bodies.
    package var remaining: UInt64? {
        switch self.state {
        case .length: self.left
        case .ended: 0
        case .untilClose, .size, .chunk, .afterChunk, .trailers: nil
        }
    }

    /// Bytes of data that follow without any framing between: what may be moved without being
    /// looked at. Nil until the connection closes, 0 where framing is next.
    package var plainBytes: UInt64? {
        switch self.state {
        case .length, .chunk: self.left
        case .untilClose: nil
        case .size, .afterChunk, .trailers, .ended: 0
        }
    }

    /// `size` bytes of data went by unseen: at most `plainBytes`.
    package mutating func advance(_ size: UInt64) {
        switch self.state {
        case .untilClose: break
        case .length, .chunk:
            precondition(size <= self.left, "more bytes than the body has")
            self.take(size)
        case .size, .afterChunk, .trailers, .ended:
            precondition(size == 0, "bytes where none are due")
        }
    }

    /// The other side closed: that ends a body without a length, and breaks any other.
    package mutating func connectionClosed() throws(MessageError) {
        switch self.state {
        case .untilClose: self.state = .ended
        case .ended: break
        case .length, .size, .chunk, .afterChunk, .trailers: throw .unexpectedEnd
        }
    }

    /// The next piece in `bytes` from `start` on.
    package mutating func next(
        _ bytes: borrowing Span<UInt8>,
        from start: Int
    ) throws(MessageError) -> BodyPiece {
        precondition(start >= 0 && start <= bytes.count, "beyond the end")
        switch self.state {
        case .ended:
            return .end(consumed: 0)
        case .length, .chunk:
            let here = bytes.count &- start
            guard here > 0 else { return .needsMore }
            let size = UInt64(here) < self.left ? here : Int(self.left)
            self.take(UInt64(size))
            return .data(start..<start &+ size)
        case .untilClose:
            return start < bytes.count ? .data(start..<bytes.count) : .needsMore
        case .size:
            return try self.readSize(bytes, from: start, after: start)
        case .afterChunk:
            guard start < bytes.count else { return .needsMore }
            guard bytes[start] == 0x0D else { throw .badChunkEnd }
            guard start &+ 1 < bytes.count else { return .needsMore }
            guard bytes[start &+ 1] == 0x0A else { throw .badChunkEnd }
            return try self.readSize(bytes, from: start &+ 2, after: start)
        case .trailers:
            return try self.readTrailer(bytes, from: start)
        }
    }

    private mutating func take(_ size: UInt64) {
        self.left &-= size
        if self.left == 0 { self.state = self.state == .chunk ? .afterChunk : .ended }
    }

    /// `chunk-size [ chunk-ext ] CR LF` (RFC 9112 §7.1) at `start`; the piece begins at `front`.
    private mutating func readSize(
        _ bytes: borrowing Span<UInt8>,
        from start: Int,
        after front: Int
    ) throws(MessageError) -> BodyPiece {
        var index = start
        var size: UInt64 = 0
        while index < bytes.count, let digit = hexadecimalValue(bytes[index]) {
            // Limit: 16 digits hold any size; more are zeros or an overflow.
            guard index &- start < 16 else { throw .badChunkSize }
            size = size &<< 4 | UInt64(digit)
            index &+= 1
        }
        guard index < bytes.count else { return .needsMore }
        guard index > start else { throw .badChunkSize }
        guard size <= UInt64(Int64.max) else { throw .chunkTooLarge }
        let sizeEnd = index
        if bytes[index] == 0x3B {
            guard let end = try bytes.endOfChunkExtensions(from: index) else {
                guard bytes.count &- sizeEnd <= Self.extensionMax else {
                    throw .badChunkExtension
                }
                return .needsMore
            }
            index = end
        }
        guard bytes[index] == 0x0D else { throw .badChunkSize }
        guard index &+ 1 < bytes.count else { return .needsMore }
        guard bytes[index &+ 1] == 0x0A else { throw .badChunkSize }
        try self.spend(extensions: index &- sizeEnd, size: size)
        self.left = size
        self.state = size == 0 ? .trailers : .chunk
        return .framing(consumed: index &+ 2 &- front)
    }

    private mutating func spend(extensions: Int, size: UInt64) throws(MessageError) {
        guard extensions <= Self.extensionMax, UInt64(extensions) <= self.extensionsLeft else {
            throw .badChunkExtension
        }
        self.extensionsLeft &-= UInt64(extensions)
        let missing = Self.extensionAllowance &- self.extensionsLeft
        self.extensionsLeft &+= Swift.min(missing, size)
    }

    private mutating func readTrailer(
        _ bytes: borrowing Span<UInt8>,
        from start: Int
    ) throws(MessageError) -> BodyPiece {
        guard start < bytes.count else { return .needsMore }
        if bytes[start] == 0x0D {
            guard start &+ 1 < bytes.count else { return .needsMore }
            guard bytes[start &+ 1] == 0x0A else { throw .bareCarriageReturn }
            self.state = .ended
            return .end(consumed: 2)
        }
        guard let feed = bytes.firstIndex(of: 0x0A, from: start) else {
            guard bytes.count &- start < self.trailerLeft else { throw .trailerTooLarge }
            return .needsMore
        }
        let size = feed &+ 1 &- start
        guard size <= self.trailerLeft else { throw .trailerTooLarge }
        self.trailerLeft &-= size
        switch try bytes.trailerUse(start..<feed &+ 1) {
        case .pass: return .trailer(start..<feed &- 1)
        case .drop: return .framing(consumed: size)
        }
    }
}
