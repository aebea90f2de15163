import BelayCore

// Version 1 of the PROXY protocol: `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443` CR LF. The line is
// read from left to right at each call, at most 107 bytes, and each byte is refused where no line
// can have it: so the answer does not depend on how the bytes are cut.

private let proxyWord: InlineArray<6, UInt8> = [0x50, 0x52, 0x4F, 0x58, 0x59, 0x20]
private let tcpWord: InlineArray<3, UInt8> = [0x54, 0x43, 0x50]
private let unknownWord: InlineArray<7, UInt8> = [0x55, 0x4E, 0x4B, 0x4E, 0x4F, 0x57, 0x4E]

extension Span<UInt8> {
    /// The header of version 1 at `start`.
    func proxyLine(from start: Int) throws(ProxyHeaderError) -> ProxyHeaderReading {
        // The last CR that a line can have is at 105: where another byte is there, what lies behind
        // it no longer counts.
        let lastReturn = start &+ ProxyHeader.lineMax &- 2
        let isTooLong = self.count > lastReturn && self[lastReturn] != 0x0D
        let end = isTooLong ? lastReturn &+ 1 : start &+ ProxyHeader.lineMax
        let reading = try self.extracting(start..<Swift.min(self.count, end)).readProxyLine()
        if isTooLong, reading == .needsMore { throw .lineTooLong }
        return reading
    }

    private func readProxyLine() throws(ProxyHeaderError) -> ProxyHeaderReading {
        switch self.begins(with: proxyWord, at: 0) {
        case nil: return .needsMore
        case false?: return .absent
        case true?: break
        }
        let word = 6
        guard word < self.count else { return .needsMore }
        if self[word] == UInt8(ascii: "U") { return try self.readUnknownLine(from: word) }
        switch self.begins(with: tcpWord, at: word) {
        case nil: return .needsMore
        case false?: throw .badProtocol
        case true?: break
        }
        guard word &+ 3 < self.count else { return .needsMore }
        let family = self[word &+ 3]
        guard family == UInt8(ascii: "4") || family == UInt8(ascii: "6") else {
            throw .badProtocol
        }
        guard word &+ 4 < self.count else { return .needsMore }
        guard self[word &+ 4] == 0x20 else { throw .badProtocol }
        let isV6 = family == UInt8(ascii: "6")
        guard let source = try self.proxyAddress(from: word &+ 5, isV6: isV6),
            let destination = try self.proxyAddress(from: source.end &+ 1, isV6: isV6),
            let sourcePort = try self.proxyPort(from: destination.end &+ 1, before: 0x20),
            let destinationPort = try self.proxyPort(from: sourcePort.end &+ 1, before: 0x0D),
            try self.hasLineFeed(at: destinationPort.end &+ 1)
        else { return .needsMore }
        let header = ProxyHeader(
            version: .v1,
            command: .proxy,
            source: SocketAddress(ip: source.ip, port: sourcePort.port),
            destination: SocketAddress(ip: destination.ip, port: destinationPort.port)
        )
        return .header(header, length: destinationPort.end &+ 2)
    }

    /// `UNKNOWN`, then anything up to CR LF, which means nothing.
    private func readUnknownLine(from word: Int) throws(ProxyHeaderError) -> ProxyHeaderReading {
        switch self.begins(with: unknownWord, at: word) {
        case nil: return .needsMore
        case false?: throw .badProtocol
        case true?: break
        }
        var index = word &+ 7
        guard index < self.count else { return .needsMore }
        guard self[index] == 0x20 || self[index] == 0x0D else { throw .badProtocol }
        while index < self.count {
            if self[index] == 0x0A { throw .badLineEnd }
            if self[index] == 0x0D {
                guard try self.hasLineFeed(at: index &+ 1) else { return .needsMore }
                return .header(ProxyHeader(version: .v1, command: .proxy), length: index &+ 2)
            }
            index &+= 1
        }
        return .needsMore
    }

    /// False if the bytes end before.
    private func hasLineFeed(at index: Int) throws(ProxyHeaderError) -> Bool {
        guard index < self.count else { return false }
        guard self[index] == 0x0A else { throw .badLineEnd }
        return true
    }

    /// An address with the space behind it at `end`; nil if the bytes end before that space.
    private func proxyAddress(
        from start: Int,
        isV6: Bool
    ) throws(ProxyHeaderError) -> (ip: IPAddress, end: Int)? {
        let found = isV6 ? try self.endOfIPv6(from: start) : try self.endOfIPv4(from: start)
        guard let end = found else { return nil }
        guard self[end] == 0x20, let ip = IPAddress(parsing: self.extracting(start..<end)) else {
            throw .badAddress
        }
        return (ip, end)
    }

    /// A port with `terminator` behind it at `end`; nil if the bytes end before.
    private func proxyPort(
        from start: Int,
        before terminator: UInt8
    ) throws(ProxyHeaderError) -> (port: UInt16, end: Int)? {
        var value = 0
        var index = start
        while index < self.count, isDigit(self[index]) {
            if index > start, self[start] == 0x30 { throw .badPort }
            value = value &* 10 &+ Int(self[index] &- 0x30)
            guard value <= 65_535 else { throw .badPort }
            index &+= 1
        }
        guard index < self.count else { return nil }
        guard index > start, self[index] == terminator else { throw .badPort }
        return (UInt16(truncatingIfNeeded: value), index)
    }

    /// The first byte behind the IPv4 address at `start`; nil if the bytes end before. A byte that
    /// no address can have there is refused at once.
    private func endOfIPv4(from start: Int) throws(ProxyHeaderError) -> Int? {
        var index = start
        for part in 0..<4 {
            if part > 0 {
                guard self[index] == UInt8(ascii: ".") else { throw .badAddress }
                index &+= 1
            }
            let first = index
            var value = 0
            while index < self.count, isDigit(self[index]) {
                if index > first, self[first] == 0x30 { throw .badAddress }
                value = value &* 10 &+ Int(self[index] &- 0x30)
                guard value <= 255 else { throw .badAddress }
                index &+= 1
            }
            guard index < self.count else { return nil }
            guard index > first else { throw .badAddress }
        }
        return index
    }

    /// The same for an IPv6 address (RFC 4291 §2.2).
    private func endOfIPv6(from start: Int) throws(ProxyHeaderError) -> Int? {
        var index = start
        var groups = 0
        var hasGap = false
        /// `::` was just read, so the address may end here.
        var isAfterGap = false
        guard index < self.count else { return nil }
        if self[index] == 0x3A {
            guard index &+ 1 < self.count else { return nil }
            guard self[index &+ 1] == 0x3A else { throw .badAddress }
            hasGap = true
            isAfterGap = true
            index &+= 2
        }
        while true {
            let first = index
            // `::` stands for at least one group.
            let groupsMax = hasGap ? 7 : 8
            while index < self.count, hexadecimalValue(self[index]) != nil {
                guard groups < groupsMax, index &- first < 4 else { throw .badAddress }
                index &+= 1
            }
            guard index < self.count else { return nil }
            if index == first {
                guard isAfterGap else { throw .badAddress }
                return index
            }
            if self[index] == UInt8(ascii: ".") {
                guard hasGap ? groups <= 5 : groups == 6 else { throw .badAddress }
                return try self.endOfIPv4(from: first)
            }
            groups &+= 1
            guard self[index] == 0x3A else {
                guard hasGap || groups == 8 else { throw .badAddress }
                return index
            }
            guard groups < groupsMax else { throw .badAddress }
            index &+= 1
            guard index < self.count else { return nil }
            isAfterGap = self[index] == 0x3A
            if isAfterGap {
                guard !hasGap else { throw .badAddress }
                hasGap = true
                index &+= 1
            }
        }
    }
}
