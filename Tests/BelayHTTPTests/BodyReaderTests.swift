import BelayBytes
import BelayHTTP
import Testing

/// The body reader's contract beside its verdicts, which ParserTests holds.
struct BodyReaderTests {
    @Test func `a reader is small`() {
        #expect(MemoryLayout<BodyReader>.size <= 48)
    }

    @Test func `no body is at its end at once`() throws {
        for framing in [BodyFraming.none, .length(0)] {
            var reader = BodyReader(framing, trailerMax: 0)
            let bytes = octets("the next message")
            #expect(reader.isAtEnd)
            #expect(reader.remaining == 0)
            #expect(try reader.next(bytes.span, from: 3) == .end(consumed: 0))
        }
    }

    @Test func `a length counts down`() throws {
        var reader = BodyReader(.length(7), trailerMax: 0)
        let bytes = octets("--hello")
        #expect(reader.remaining == 7)
        #expect(try reader.next(bytes.span, from: 2) == .data(2..<7))
        #expect(reader.remaining == 2)
        #expect(try reader.next(bytes.span, from: 7) == .needsMore)
        #expect(try reader.next(bytes.span, from: 0) == .data(0..<2))
        #expect(reader.isAtEnd)
        #expect(try reader.next(bytes.span, from: 2) == .end(consumed: 0))
    }

    @Test func `bytes that are moved unseen count as well`() throws {
        var reader = BodyReader(.length(10), trailerMax: 0)
        #expect(reader.plainBytes == 10)
        reader.advance(4)
        #expect(reader.remaining == 6)
        let bytes = octets("0123456789")
        #expect(try reader.next(bytes.span, from: 0) == .data(0..<6))
        #expect(reader.isAtEnd)
        #expect(reader.plainBytes == 0)
        reader.advance(0)
    }

    @Test func `a chunk's data may be moved unseen`() throws {
        var reader = BodyReader(.chunked, trailerMax: 0)
        let size = octets("a\r\n")
        let end = octets("\r\n0\r\n\r\n")
        #expect(reader.plainBytes == 0)
        #expect(reader.remaining == nil)
        #expect(try reader.next(size.span, from: 0) == .framing(consumed: 3))
        #expect(reader.plainBytes == 10)
        reader.advance(10)
        #expect(reader.plainBytes == 0)
        #expect(try reader.next(end.span, from: 0) == .framing(consumed: 5))
        #expect(try reader.next(end.span, from: 5) == .end(consumed: 2))
        #expect(reader.isAtEnd)
    }

    @Test func `a body without a length ends with the connection`() throws {
        var reader = BodyReader(.untilClose, trailerMax: 0)
        let bytes = octets("hello")
        #expect(reader.remaining == nil)
        #expect(reader.plainBytes == nil)
        reader.advance(1 << 40)
        #expect(try reader.next(bytes.span, from: 1) == .data(1..<5))
        #expect(try reader.next(bytes.span, from: 5) == .needsMore)
        #expect(!reader.isAtEnd)
        try reader.connectionClosed()
        #expect(reader.isAtEnd)
        try reader.connectionClosed()
    }

    @Test(arguments: [BodyFraming.length(1), .chunked])
    func `a connection that closes in a body breaks it`(framing: BodyFraming) {
        var reader = BodyReader(framing, trailerMax: 0)
        #expect(throws: MessageError.unexpectedEnd) { try reader.connectionClosed() }
    }

    @Test func `a trailer is told without its line end`() throws {
        var reader = BodyReader(.chunked, trailerMax: 32)
        let bytes = octets("0\r\nA: 1\r\n\r\n")
        #expect(try reader.next(bytes.span, from: 0) == .framing(consumed: 3))
        #expect(try reader.next(bytes.span, from: 3) == .trailer(3..<7))
        #expect(try reader.next(bytes.span, from: 9) == .end(consumed: 2))
    }

    /// Chunks of one byte, each with so many bytes of extensions; how many of them are read.
    private static func chunksRead(extensionSize: Int, of count: Int, data: Int) -> Int {
        var reader = BodyReader(.chunked, trailerMax: 0)
        let name = String(repeating: "e", count: extensionSize - 1)
        let head = octets(String(data, radix: 16) + ";" + name + "\r\n")
        let chunk = head + Array(repeating: UInt8(ascii: "x"), count: data) + [0x0D, 0x0A]
        for read in 0..<count {
            var bytes = chunk
            // The end of a chunk is read with the next one's size.
            if read > 0 { bytes = [0x0D, 0x0A] + chunk.dropLast(2) } else { bytes.removeLast(2) }
            var start = 0
            do {
                while start < bytes.count {
                    switch try reader.next(bytes.span, from: start) {
                    case .data(let range): start = range.upperBound
                    case .framing(let size): start += size
                    case .trailer, .needsMore, .end: return read
                    }
                }
            } catch {
                return read
            }
        }
        return count
    }

    @Test func `a body may not consist of extensions`() {
        #expect(Self.chunksRead(extensionSize: 100, of: 1000, data: 1) == 165)
    }

    @Test func `a body whose chunks are signed may have any length`() {
        #expect(Self.chunksRead(extensionSize: 84, of: 1000, data: 256) == 1000)
    }
}
