package import BelayBytes

/// Writing chunked bodies (RFC 9112 §7.1).
extension ByteWriter {
    /// What a chunk needs beside its data, at most: 16 digits, and CRLF before and after the data.
    package static var chunkOverheadMax: Int { 20 }

    /// Begins a chunk: its `size` bytes of data follow, then `appendChunkEnd()`. Size 0 would end
    /// the body, so it is a broken promise here.
    @inline(__always)
    package mutating func appendChunkStart(_ size: Int) {
        precondition(size > 0, "a chunk without data ends the body")
        self.append(hexadecimal: UInt64(size))
        self.append("\r\n")
    }

    @inline(__always)
    package mutating func appendChunkEnd() { self.append("\r\n") }

    /// Writes a whole chunk; nothing when there is no data.
    package mutating func appendChunk(_ data: borrowing Span<UInt8>) {
        guard data.count > 0 else { return }
        self.appendChunkStart(data.count)
        self.append(data)
        self.appendChunkEnd()
    }

    /// Ends a body without trailers.
    package mutating func appendLastChunk() { self.append("0\r\n\r\n") }

    /// Ends the data of a body; its trailers follow, then `appendTrailersEnd()`.
    package mutating func appendTrailersStart() { self.append("0\r\n") }

    /// Writes a trailer field line as `BodyReader` gave it, without its line end.
    package mutating func appendTrailer(_ bytes: borrowing Span<UInt8>, _ line: Range<Int>) {
        self.append(bytes, line)
        self.append("\r\n")
    }

    package mutating func appendTrailersEnd() { self.append("\r\n") }
}
