package import BelayBytes

/// Writing chunked bodies (RFC 9112 §7.1).
extension ByteWriter {
    // Limit: a 64-bit size has at most 16 digits, then CRLF before and after the data.
    /// What a chunk needs beside its data, at most.
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

    /// Ends a body with trailers. Fields that a trailer must not change (framing, routing, who
    /// asked, RFC 9110 §6.5.1) are left out.
    package mutating func appendLastChunk(
        trailers fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) {
        self.append("0\r\n")
        for index in 0..<fields.count {
            let line = fields[index]
            guard line.id.mayBeTrailer else { continue }
            self.append(line, in: bytes, from: start)
        }
        self.append("\r\n")
    }
}

extension FieldName {
    fileprivate var mayBeTrailer: Bool {
        switch self {
        case .host, .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection,
            .te, .trailer, .upgrade, .expect, .forwarded, .xForwardedFor, .xForwardedProto,
            .xForwardedHost, .cookie, .setCookie, .cacheControl, .date:
            false
        case .other, .via, .accept: true
        }
    }
}
