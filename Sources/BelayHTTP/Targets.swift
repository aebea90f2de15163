import BelayBytes

extension RequestHead {
    /// Reads the target that begins at `start` and returns where it ends: at its space
    /// (RFC 9112 §3.2).
    @inline(__always)
    mutating func readTarget(
        _ head: borrowing Span<UInt8>,
        from start: Int
    ) throws(MessageError) -> Int {
        let end: Int
        switch head[start] {
        case 0x2F where self.method != .connect:
            self.form = .origin
            end = try head.endOfPath(from: start)
            self.path = start..<end
        case 0x2A where self.method == .options:
            self.form = .asterisk
            end = start &+ 1
        default:
            end = try self.readUnusualTarget(head, from: start)
        }
        guard head[end] == 0x20 else { throw .badTarget }
        self.target = start..<end
        return end
    }

    /// The authority of a CONNECT, or an absolute URI of http or https.
    private mutating func readUnusualTarget(
        _ head: borrowing Span<UInt8>,
        from start: Int
    ) throws(MessageError) -> Int {
        if self.method == .connect {
            let end = head.endOfAuthority(from: start)
            guard head.isAuthority(start..<end, needsPort: true) else { throw .badTarget }
            self.form = .authority
            self.authority = start..<end
            return end
        }
        var authority = start
        while authority < head.count, lowercased(head[authority]) &- 0x61 < 26 {
            authority &+= 1
        }
        let scheme = start..<authority
        guard
            head.isEqual(scheme, toLowercase: "http")
                || head.isEqual(scheme, toLowercase: "https"),
            authority &+ 3 <= head.count,
            head.isEqual(authority..<authority &+ 3, to: "://")
        else { throw head[start] <= 0x20 ? .badRequestLine : .badTarget }
        authority &+= 3
        let authorityEnd = head.endOfAuthority(from: authority)
        guard head.isAuthority(authority..<authorityEnd) else { throw .badTarget }
        let end = try head.endOfPath(from: authorityEnd)
        self.form = .absolute
        self.authority = authority..<authorityEnd
        self.path = authorityEnd..<end
        return end
    }
}

extension Span<UInt8> {
    /// The first byte that is not of an authority: it may be followed by a path, a query or the
    /// space.
    fileprivate func endOfAuthority(from start: Int) -> Int {
        var index = start
        while index < self.count, self[index] > 0x20, self[index] != 0x2F, self[index] != 0x3F {
            index &+= 1
        }
        return index
    }

    /// The space behind a path and query, each byte of which may stand there.
    ///
    /// A path whose escapes are none, or hide NUL, CR or LF, is refused: programs cut names there,
    /// or write the bytes into a head. In a query they are plain data (forms escape line ends so).
    @inline(__always)
    fileprivate func endOfPath(from start: Int) throws(MessageError) -> Int {
        var index = start
        while index < self.count {
            index = self.endOfPathCharacters(from: index)
            guard index < self.count, self[index] == 0x25 else { break }
            try self.checkEscape(at: index)
            index &+= 3
        }
        if index < self.count, self[index] == 0x3F {
            index = self.endOfQueryCharacters(from: index)
        }
        guard index < self.count else { throw .badTarget }
        if self[index] == 0x20 { return index }
        switch self[index] {
        case 0x0D where index &+ 1 < self.count && self[index &+ 1] == 0x0A: throw .badRequestLine
        case 0x0D: throw .bareCarriageReturn
        case 0x0A: throw .bareLineFeed
        default: throw .badTarget
        }
    }

    private func checkEscape(at index: Int) throws(MessageError) {
        guard index &+ 2 < self.count, let high = hexadecimalValue(self[index &+ 1]),
            let low = hexadecimalValue(self[index &+ 2])
        else { throw .badTarget }
        switch high &* 16 &+ low {
        case 0x00, 0x0A, 0x0D: throw .badTarget
        default: break
        }
    }
}
