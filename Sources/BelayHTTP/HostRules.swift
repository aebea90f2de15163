import BelayBytes

extension Span<UInt8> {
    /// Whether `range` is `uri-host [ ":" port ]` (RFC 9110 §7.2), with a host that is not empty,
    /// and a port where one must be.
    func isAuthority(_ range: Range<Int>, needsPort: Bool = false) -> Bool {
        var index = range.lowerBound
        let end = range.upperBound
        guard index < end else { return false }
        if self[index] == 0x5B {
            var close = index &+ 1
            while close < end, self[close] != 0x5D { close &+= 1 }
            guard close < end, self.isIPv6(index &+ 1..<close) else { return false }
            index = close &+ 1
        } else {
            index = self.endOfHostName(from: index, to: end)
            guard index > range.lowerBound else { return false }
        }
        if index == end { return !needsPort }
        return self[index] == 0x3A && self.isPort(index &+ 1..<end)
    }

    /// Digits up to 65535.
    private func isPort(_ range: Range<Int>) -> Bool {
        guard !range.isEmpty, range.count <= 5 else { return false }
        var value = 0
        for index in range {
            guard isDigit(self[index]) else { return false }
            value = value &* 10 &+ Int(self[index] &- 0x30)
        }
        return value <= 65_535
    }

    /// IPv6address of RFC 3986: eight groups of up to four hexadecimal digits, fewer with one
    /// `::`; the last two may be an IPv4 address. No zone.
    private func isIPv6(_ range: Range<Int>) -> Bool {
        var groups = 0
        var hasGap = false
        var index = range.lowerBound
        let end = range.upperBound
        if index &+ 1 < end, self[index] == 0x3A {
            guard self[index &+ 1] == 0x3A else { return false }
            hasGap = true
            index &+= 2
        }
        while index < end {
            let start = index
            while index < end, hexadecimalValue(self[index]) != nil { index &+= 1 }
            if index < end, self[index] == 0x2E {
                guard self.isIPv4(start..<end) else { return false }
                groups &+= 2
                break
            }
            guard index > start, index &- start <= 4 else { return false }
            groups &+= 1
            if index == end { break }
            guard self[index] == 0x3A, index &+ 1 < end else { return false }
            index &+= 1
            if self[index] == 0x3A {
                guard !hasGap else { return false }
                hasGap = true
                index &+= 1
            }
        }
        return hasGap ? groups <= 7 : groups == 8
    }

    private func isIPv4(_ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        for part in 0..<4 {
            let start = index
            var value = 0
            while index < range.upperBound, isDigit(self[index]), index &- start < 3 {
                value = value &* 10 &+ Int(self[index] &- 0x30)
                index &+= 1
            }
            guard index > start, value <= 255 else { return false }
            guard index &- start == 1 || self[start] != 0x30 else { return false }
            if part < 3 {
                guard index < range.upperBound, self[index] == 0x2E else { return false }
                index &+= 1
            }
        }
        return index == range.upperBound
    }
}
