import BelayBytes

/// What one walk over the field lines of a head found out, for the rules that come after it.
struct FieldSection {
    var hosts = 0
    var host: Range<Int> = 0..<0
    var contentLengths = 0
    var contentLength = FieldLine(name: 0..<0, value: 0..<0, id: .contentLength)
    var transferEncodings = 0
    var transferEncoding = FieldLine(name: 0..<0, value: 0..<0, id: .transferEncoding)
    var contentTypes = 0
    var connections = 0
    var connection: Range<Int> = 0..<0
    var hasUpgrade = false
    var hasExpect = false

    /// Reads the field lines of `head` (exactly one head) from `start` to its empty line, which
    /// must be its end.
    @inline(__always)
    init(
        _ head: borrowing Span<UInt8>,
        from start: Int,
        into fields: inout FieldList
    ) throws(MessageError) {
        let end = head.count &- 2
        var index = start
        while index < end {
            let line = try FieldLine.read(head, at: &index)
            guard fields.append(line) else { throw .tooManyFields }
            self.note(line, head)
        }
        guard index == end, head[end] == 0x0D, head[end &+ 1] == 0x0A else {
            throw .bareCarriageReturn
        }
    }

    @inline(__always)
    private mutating func note(_ line: FieldLine, _ head: borrowing Span<UInt8>) {
        if line.id == .other {
            if head.isContentType(line.name) { self.contentTypes &+= 1 }
            return
        }
        switch line.id {
        case .host:
            self.hosts &+= 1
            self.host = line.value
        case .contentLength:
            self.contentLengths &+= 1
            self.contentLength = line
        case .transferEncoding:
            self.transferEncodings &+= 1
            self.transferEncoding = line
        case .connection:
            self.connections &+= 1
            self.connection = line.value
        case .upgrade: self.hasUpgrade = true
        case .expect: self.hasExpect = true
        case .keepAlive, .proxyConnection, .te, .trailer, .forwarded, .xForwardedFor,
            .xForwardedProto, .xForwardedHost, .via, .cookie, .setCookie, .cacheControl, .date,
            .accept, .expires, .authorization, .other:
            break
        }
    }
}

extension FieldLine {
    /// Reads the field line that begins at `index`, `name ":" OWS value OWS CR LF`
    /// (RFC 9112 §5), and moves `index` behind it.
    @inline(__always)
    static func read(
        _ bytes: borrowing Span<UInt8>,
        at index: inout Int
    ) throws(MessageError) -> FieldLine {
        let start = index
        var nameEnd = bytes.endOfLettersAndHyphens(from: start)
        let isUsual = nameEnd < bytes.count && nameEnd > start && bytes[nameEnd] == 0x3A
        if !isUsual { nameEnd = try bytes.endOfUnusualName(from: start) }

        var valueStart = nameEnd &+ 1
        // Nearly always one space.
        if valueStart < bytes.count, bytes[valueStart] == 0x20 { valueStart &+= 1 }
        while valueStart < bytes.count, bytes.isBlank(at: valueStart) { valueStart &+= 1 }
        let lineEnd = bytes.endOfText(from: valueStart)
        try bytes.checkLineEnd(at: lineEnd)
        var valueEnd = lineEnd
        while valueEnd > valueStart, bytes.isBlank(at: valueEnd &- 1) { valueEnd &-= 1 }
        index = lineEnd &+ 2

        let id = FieldName.recognize(bytes, from: start, size: nameEnd &- start)
        let name = start..<nameEnd
        let line = FieldLine(name: name, value: valueStart..<valueEnd, id: id)
        if line.id == .other, bytes.mayLookAlike(name, isUsual: isUsual) {
            guard !bytes.isLookAlike(name) else { throw .badFieldName }
        }
        return line
    }
}

extension Span<UInt8> {
    @inline(__always)
    func isBlank(at index: Int) -> Bool { self[index] == 0x20 || self[index] == 0x09 }

    /// Whether CR LF stands at `index`; what stands there else is no part of any line.
    @inline(__always)
    func checkLineEnd(at index: Int) throws(MessageError) {
        if index &+ 1 < self.count, self[index] == 0x0D, self[index &+ 1] == 0x0A { return }
        guard index < self.count else { throw .badFieldValue }
        switch self[index] {
        case 0x0D: throw .bareCarriageReturn
        case 0x0A: throw .bareLineFeed
        default: throw .badFieldValue
        }
    }

    /// The colon behind a name that has other characters than letters and hyphens.
    func endOfUnusualName(from start: Int) throws(MessageError) -> Int {
        let index = self.end(of: .token, from: start)
        guard index < self.count else { throw .noColon }
        switch self[index] {
        case 0x3A where index > start: return index
        case 0x20, 0x09:
            if index == start { throw .obsoleteFold }
            var colon = index
            while colon < self.count, self.isBlank(at: colon) { colon &+= 1 }
            throw colon < self.count && self[colon] == 0x3A ? .spaceBeforeColon : .badFieldName
        case 0x0D:
            try self.checkLineEnd(at: index)
            throw .noColon
        case 0x0A: throw .bareLineFeed
        default: throw .badFieldName
        }
    }

    @inline(__always)
    func isContentType(_ name: Range<Int>) -> Bool {
        guard name.count == 12 else { return false }
        let spaces: UInt64 = 0x2020_2020_2020_2020
        return self.word(at: name.lowerBound) | spaces == 0x2D74_6E65_746E_6F63
            && self.word(at: name.upperBound &- 8) | spaces == 0x6570_7974_2D74_6E65
    }

    /// A quick look at a name that is none of ours: most cannot look like one.
    @inline(__always)
    func mayLookAlike(_ name: Range<Int>, isUsual: Bool) -> Bool {
        if !isUsual { return true }
        // Only hyphens too many or too few are left, and only those of the framing fields count.
        guard name.count >= 13 else { return false }
        let first = self[name.lowerBound] | 0x20
        return first == 0x63 || first == 0x74 || first == 0x2D
    }

    /// Whether a name looks like a field of ours to a program that reads `_` as `-`, as all do
    /// that pass fields on as CGI variables, or like a framing field to one that passes over
    /// characters which are no letters.
    func isLookAlike(_ name: Range<Int>) -> Bool {
        var folded = NameEnds()
        var letters = NameEnds()
        for index in name {
            let byte = lowercased(self[index])
            folded.append(byte == 0x5F ? 0x2D : byte)
            if byte &- 0x61 < 26 { letters.append(byte) }
        }
        return folded.id != .other || letters.isFramingWithoutHyphen
    }
}

/// The first and the last eight bytes of a name that is written byte by byte.
private struct NameEnds {
    private var first: UInt64 = 0
    private var last: UInt64 = 0
    private var ninth: UInt8 = 0
    private var size = 0

    mutating func append(_ byte: UInt8) {
        if self.size < 8 { self.first |= UInt64(byte) &<< UInt64(self.size &* 8) }
        if self.size == 8 { self.ninth = byte }
        self.last = self.last &>> 8 | UInt64(byte) &<< 56
        self.size &+= 1
    }

    var id: FieldName {
        self.size < 8
            ? .short(self.first, size: self.size)
            : .long(self.first, self.ninth, self.last, size: self.size)
    }

    /// `contentlength` or `transferencoding`.
    var isFramingWithoutHyphen: Bool {
        switch (self.size, self.first, self.last) {
        case (13, 0x6C74_6E65_746E_6F63, 0x6874_676E_656C_746E): true
        case (16, 0x7265_6673_6E61_7274, 0x676E_6964_6F63_6E65): true
        default: false
        }
    }
}
