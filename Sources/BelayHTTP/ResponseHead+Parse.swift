import BelayBytes

extension ResponseHead {
    /// Reads the response head in `bytes[start..<start + length]`, as the scanner found it, and
    /// its field lines into `fields`; `method` is that of the request which it answers. All
    /// ranges in the result and in `fields` are offsets from `start`.
    ///
    /// Throws what makes the response ambiguous or wrong; `fields` is then of no use.
    package static func parse(
        _ bytes: borrowing Span<UInt8>,
        from start: Int,
        length: Int,
        answering method: Method,
        into fields: inout FieldList
    ) throws(MessageError) -> ResponseHead {
        precondition(start >= 0 && length > 0 && length <= bytes.count &- start, "beyond the end")
        // Limit: the offsets in a field line have 16 bits.
        guard length <= 65_535 else { throw .headTooLarge }
        fields.removeAll()
        let head = bytes.extracting(start..<start &+ length)
        var result = ResponseHead()
        result.length = length
        let index = try result.readStatusLine(head)
        let section = try FieldSection(head, from: index, into: &fields)
        try result.apply(section, head, &fields, answering: method)
        return result
    }

    /// Behind the status line (RFC 9112 §4). The space behind the status may be missing where
    /// there is no reason: many servers leave it out, and nothing else can be meant.
    @inline(__always)
    private mutating func readStatusLine(
        _ head: borrowing Span<UInt8>
    ) throws(MessageError) -> Int {
        // `HTTP/1.1 200`, its end, and an empty line.
        guard head.count >= 16 else { throw .badStatusLine }
        switch head.word(at: 0) {
        case 0x312E_312F_5054_5448: self.minorVersion = 1
        case 0x302E_312F_5054_5448: self.minorVersion = 0
        default:
            throw head.fault(ofVersionAt: 0) == .unsupportedVersion
                ? .unsupportedVersion : .badStatusLine
        }
        guard head[8] == 0x20, isDigit(head[9]), isDigit(head[10]), isDigit(head[11]) else {
            throw .badStatusLine
        }
        let hundreds = UInt16(head[9] &- 0x30)
        // There are five classes (RFC 9110 §15); a response outside them counts as an error.
        guard hundreds >= 1, hundreds <= 5 else { throw .badStatus }
        self.status =
            hundreds &* 100 &+ UInt16(head[10] &- 0x30) &* 10 &+ UInt16(head[11] &- 0x30)
        let start = head[12] == 0x20 ? 13 : 12
        guard start == 13 || head[12] == 0x0D else { throw .badStatusLine }
        let end = head.endOfText(from: start)
        guard end &+ 1 < head.count, head[end] == 0x0D, head[end &+ 1] == 0x0A else {
            throw end < head.count && head[end] == 0x0D ? .bareCarriageReturn : .badStatusLine
        }
        self.reason = start..<end
        return end &+ 2
    }

    @inline(__always)
    private mutating func apply(
        _ section: FieldSection,
        _ head: borrowing Span<UInt8>,
        _ fields: inout FieldList,
        answering method: Method
    ) throws(MessageError) {
        self.statedLength = try section.statedLength(head, isRequest: false)
        let isChunked = try section.isChunked(
            head,
            minorVersion: self.minorVersion,
            isRequest: false
        )
        let options = try ConnectionOptions(head, section, &fields, refusesEndToEnd: false)
        self.keepsAlive = options.lets(keepAliveIn: self.minorVersion)

        if self.status < 200 || self.status == 204 {
            self.framing = .none
            // They have no body (RFC 9112 §6.3); a server that announces one may well send it, and
            // the next response must not begin with it.
            if isChunked || (self.statedLength ?? 0) > 0 { self.keepsAlive = false }
        } else if method == .head || self.status == 304
            || (method == .connect && self.status < 300)
        {
            self.framing = .none
        } else if isChunked {
            self.framing = .chunked
        } else if let length = self.statedLength {
            self.framing = .length(length)
        } else {
            self.framing = .untilClose
            self.keepsAlive = false
        }
        if self.status == 101 {
            guard section.hasUpgrade, options.upgrades, self.minorVersion == 1,
                !isChunked, self.statedLength == nil
            else { throw .badUpgrade }
            self.isUpgrade = true
        }
    }
}
