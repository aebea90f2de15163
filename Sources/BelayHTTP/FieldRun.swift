import BelayBytes

/// Field lines that go on as they came. Neighbours are gathered and copied at once, which makes
/// the usual head a few copies instead of one for each line.
///
/// The ranges of lines are offsets from `start` in `bytes`, the same in every call.
struct FieldRun {
    private var first = 0
    /// The end of the last line's value; 0 when nothing is gathered.
    private var end = 0

    @inline(__always)
    mutating func add(
        _ line: FieldLine,
        in bytes: borrowing Span<UInt8>,
        from start: Int,
        into out: inout ByteWriter
    ) {
        let name = line.name
        let value = line.value
        let isPlain =
            value.lowerBound == name.upperBound &+ 2
            && bytes[start &+ name.upperBound &+ 1] == UInt8(ascii: " ")
        // Exactly the CRLF lies between two lines: no white space after the value.
        if isPlain, self.end != 0, name.lowerBound == self.end &+ 2 {
            self.end = value.upperBound
            return
        }
        self.flush(in: bytes, from: start, into: &out)
        if isPlain {
            self.first = name.lowerBound
            self.end = value.upperBound
        } else {
            out.append(line, in: bytes, from: start)
        }
    }

    /// Writes what is gathered. Call it before anything else is written.
    @inline(__always)
    mutating func flush(
        in bytes: borrowing Span<UInt8>,
        from start: Int,
        into out: inout ByteWriter
    ) {
        guard self.end != 0 else { return }
        out.append(bytes, start &+ self.first..<start &+ self.end)
        out.append("\r\n")
        self.end = 0
    }
}

extension ByteWriter {
    /// Writes one line of a head with exactly one space after the colon.
    mutating func append(
        _ line: FieldLine,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) {
        self.append(bytes, line.name.moved(by: start))
        self.append(": ")
        self.append(bytes, line.value.moved(by: start))
        self.append("\r\n")
    }
}

extension Range<Int> {
    @inline(__always)
    func moved(by distance: Int) -> Range<Int> {
        self.lowerBound &+ distance..<self.upperBound &+ distance
    }
}
