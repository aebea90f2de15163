import BelayBytes

extension RequestHead {
    /// Limit: bytes of a method. The longest registered one has 17.
    private static let methodMax = 32

    /// Reads the request head in `bytes[start..<start + length]`, as the scanner found it, and its
    /// field lines into `fields`. All ranges in the result and in `fields` are offsets from
    /// `start`. An empty line before the request line is counted in, so the method need not begin
    /// at offset 0.
    ///
    /// Throws what makes the request ambiguous or wrong; `fields` is then of no use.
    package static func parse(
        _ bytes: borrowing Span<UInt8>,
        from start: Int,
        length: Int,
        into fields: inout FieldList
    ) throws(MessageError) -> RequestHead {
        precondition(start >= 0 && length > 0 && length <= bytes.count &- start, "beyond the end")
        // Limit: the offsets in a field line have 16 bits.
        guard length <= 65_535 else { throw .headTooLarge }
        fields.removeAll()
        let head = bytes.extracting(start..<start &+ length)
        var result = RequestHead()
        result.length = length
        var index = 0
        if head[0] == 0x0D {
            try head.checkLineEnd(at: 0)
            index = 2
        }
        index = try result.readRequestLine(head, from: index)
        let section = try FieldSection(head, from: index, into: &fields)
        try result.apply(section, head, &fields)
        return result
    }

    @inline(__always)
    private mutating func readRequestLine(
        _ head: borrowing Span<UInt8>,
        from start: Int
    ) throws(MessageError) -> Int {
        // The shortest line that is one has 16 bytes: `A / HTTP/1.1`, its end, and an empty line.
        guard start &+ 16 <= head.count else { throw .badRequestLine }
        let methodEnd = try self.readMethod(head, from: start)
        guard methodEnd &+ 1 < head.count else { throw .badRequestLine }
        let targetEnd = try self.readTarget(head, from: methodEnd &+ 1)
        return try self.readVersion(head, from: targetEnd &+ 1)
    }

    /// The space behind the method.
    @inline(__always)
    private mutating func readMethod(
        _ head: borrowing Span<UInt8>,
        from start: Int
    ) throws(MessageError) -> Int {
        let word = head.word(at: start)
        let size: Int
        if word & 0xFFFF_FFFF == 0x2054_4547 {
            self.method = .get
            size = 3
        } else if word & 0xFF_FFFF_FFFF == 0x20_5453_4F50 {
            self.method = .post
            size = 4
        } else {
            size = try self.readOtherMethod(head, from: start)
        }
        self.methodBytes = start..<start &+ size
        return start &+ size
    }

    /// The length of the method.
    private mutating func readOtherMethod(
        _ head: borrowing Span<UInt8>,
        from start: Int
    ) throws(MessageError) -> Int {
        var end = start
        while end < head.count, ByteClass.token.contains(head[end]) { end &+= 1 }
        guard end < head.count, end > start, end &- start <= Self.methodMax else {
            throw end == start && head[start] <= 0x20 ? .leadingWhitespace : .badMethod
        }
        guard head[end] == 0x20 else {
            switch head[end] {
            case 0x0D where end &+ 1 < head.count && head[end &+ 1] != 0x0A:
                throw .bareCarriageReturn
            case 0x0A: throw .bareLineFeed
            case 0x09, 0x0D: throw .badRequestLine
            default: throw .badMethod
            }
        }
        self.method = try Self.method(head, start..<end)
        return end &- start
    }

    /// Methods tell letters apart (RFC 9110 §9.1), but not every program does: what is one of
    /// these only without regard to case is refused.
    private static func method(
        _ head: borrowing Span<UInt8>,
        _ range: Range<Int>
    ) throws(MessageError) -> Method {
        let known: Method? =
            switch range.count {
            case 3 where head.isEqual(range, toLowercase: "get"): .get
            case 3 where head.isEqual(range, toLowercase: "put"): .put
            case 4 where head.isEqual(range, toLowercase: "head"): .head
            case 4 where head.isEqual(range, toLowercase: "post"): .post
            case 5 where head.isEqual(range, toLowercase: "trace"): .trace
            case 5 where head.isEqual(range, toLowercase: "patch"): .patch
            case 6 where head.isEqual(range, toLowercase: "delete"): .delete
            case 7 where head.isEqual(range, toLowercase: "connect"): .connect
            case 7 where head.isEqual(range, toLowercase: "options"): .options
            default: nil
            }
        guard let known else { return .other }
        for index in range where head[index] & 0x20 != 0 { throw .badMethod }
        return known
    }

    /// Behind the request line.
    @inline(__always)
    private mutating func readVersion(
        _ head: borrowing Span<UInt8>,
        from start: Int
    ) throws(MessageError) -> Int {
        guard start &+ 10 <= head.count else { throw .badRequestLine }
        switch head.word(at: start) {
        case 0x312E_312F_5054_5448: self.minorVersion = 1
        case 0x302E_312F_5054_5448: self.minorVersion = 0
        default: throw head.fault(ofVersionAt: start)
        }
        guard head[start &+ 8] == 0x0D, head[start &+ 9] == 0x0A else {
            throw head[start &+ 8] == 0x0D ? .bareCarriageReturn : .badVersion
        }
        return start &+ 10
    }

    /// The rules that regard the whole head.
    @inline(__always)
    private mutating func apply(
        _ section: FieldSection,
        _ head: borrowing Span<UInt8>,
        _ fields: inout FieldList
    ) throws(MessageError) {
        try self.applyHost(section, head)
        if section.contentTypes > 1 { throw .repeatedField }
        if let length = try section.statedLength(head, isRequest: true) {
            self.framing = .length(length)
        } else if try section.isChunked(
            head,
            minorVersion: self.minorVersion,
            isRequest: true
        ) {
            self.framing = .chunked
        }
        let options = try ConnectionOptions(head, section, &fields, refusesEndToEnd: true)
        self.keepsAlive = options.lets(keepAliveIn: self.minorVersion)

        let hasBody = self.framing != .none && self.framing != .length(0)
        if hasBody, self.method == .trace || self.method == .connect { throw .bodyNotAllowed }
        if section.hasExpect {
            try fields.checkExpectations(head)
            // HTTP/1.0 has no interim responses (RFC 9110 §10.1.1).
            self.expectsContinue = hasBody && self.minorVersion == 1
        }
        if section.hasUpgrade {
            let allowsTunnel = try fields.allowsTunnel(head)
            // With a body, or in HTTP/1.0, Upgrade is passed over (RFC 9110 §7.8).
            self.wantsUpgrade =
                allowsTunnel && options.upgrades && !hasBody && self.minorVersion == 1
        }
    }

    @inline(__always)
    private mutating func applyHost(
        _ section: FieldSection,
        _ head: borrowing Span<UInt8>
    ) throws(MessageError) {
        guard section.hosts <= 1 else { throw .severalHosts }
        guard section.hosts == 1 else {
            if self.minorVersion == 1 { throw .missingHost }
            return
        }
        guard head.isAuthority(section.host) else { throw .badHost }
        guard self.form == .absolute || self.form == .authority else {
            self.authority = section.host
            return
        }
        // They must be the same (RFC 9112 §3.2); where not, two programs choose two hosts.
        guard head.isEqualIgnoringCase(self.authority, section.host) else { throw .badHost }
    }
}

extension Span<UInt8> {
    /// What is wrong with a version that is neither HTTP/1.1 nor HTTP/1.0; at least ten bytes
    /// follow `start`.
    func fault(ofVersionAt start: Int) -> MessageError {
        guard self.isEqual(start..<start &+ 5, to: "HTTP/") else {
            return self.isEqual(start..<start &+ 5, toLowercase: "http/")
                ? .badVersion : .badRequestLine
        }
        let isVersion =
            isDigit(self[start &+ 5]) && self[start &+ 6] == 0x2E
            && isDigit(self[start &+ 7])
        return isVersion ? .unsupportedVersion : .badVersion
    }
}
