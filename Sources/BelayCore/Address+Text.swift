// How addresses are read and written: RFC 4291 §2.2 in, RFC 5952 out, without allocation. Strict:
// an IPv4 number has no leading zero (some programs read it as octal), zones (`%eth0`) are refused.

/// The text of an address, in a value: at most `[` 39 characters `]:65535`.
package struct AddressText: Sendable {
    // Limit: an IPv6 address has at most 39 characters, with brackets and a port 47.
    private var storage = InlineArray<48, UInt8>(repeating: 0)
    private var count = 0

    package init(_ address: IPAddress) { self.append(address) }

    /// `1.2.3.4:80` or `[::1]:80`.
    package init(_ address: SocketAddress) {
        if address.ip.isV4 {
            self.append(address.ip)
        } else {
            self.append(UInt8(ascii: "["))
            self.append(address.ip)
            self.append(UInt8(ascii: "]"))
        }
        self.append(UInt8(ascii: ":"))
        self.append(decimal: UInt32(address.port))
    }

    package var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { self.storage.span.extracting(first: self.count) }
    }

    /// The text as a `String`: for messages, not for requests.
    package var text: String {
        var bytes: [UInt8] = []
        for index in 0..<self.count { bytes.append(self.storage[index]) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @inline(__always)
    private mutating func append(_ byte: UInt8) {
        self.storage[self.count] = byte
        self.count &+= 1
    }

    private mutating func append(_ address: IPAddress) {
        if address.isV4 {
            for place in 0..<4 {
                let shift = UInt64(24 &- 8 &* place)
                self.append(decimal: UInt32(truncatingIfNeeded: (address.low >> shift) & 255))
                if shift > 0 { self.append(UInt8(ascii: ".")) }
            }
            return
        }
        let gap = address.longestZeroRun
        var index = 0
        while index < 8 {
            if index == gap.lowerBound, !gap.isEmpty {
                self.append(UInt8(ascii: ":"))
                self.append(UInt8(ascii: ":"))
                index = gap.upperBound
                continue
            }
            if index > 0, index != gap.upperBound || gap.isEmpty { self.append(UInt8(ascii: ":")) }
            self.append(hexadecimal: address.group(index))
            index &+= 1
        }
    }

    private mutating func append(decimal value: UInt32) {
        if value >= 10_000 { self.append(digit: value / 10_000) }
        if value >= 1_000 { self.append(digit: value / 1_000) }
        if value >= 100 { self.append(digit: value / 100) }
        if value >= 10 { self.append(digit: value / 10) }
        self.append(digit: value)
    }

    @inline(__always)
    private mutating func append(digit value: UInt32) {
        self.append(0x30 | UInt8(truncatingIfNeeded: value % 10))
    }

    private mutating func append(hexadecimal value: UInt16) {
        var shift = Swift.max(0, (15 &- value.leadingZeroBitCount) / 4 * 4)
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: (value >> UInt16(shift)) & 15)
            self.append(digit < 10 ? 0x30 | digit : 0x57 &+ digit)
            shift &-= 4
        }
    }
}

extension IPAddress: CustomStringConvertible {
    /// Reads `1.2.3.4`, `2001:db8::1` or `::ffff:1.2.3.4`; nil for anything else.
    package init?(parsing text: borrowing Span<UInt8>) {
        var hasColon = false
        // Limit: 45 characters are the longest text, eight groups with IPv4 at the end.
        guard text.count <= 45 else { return nil }
        for index in 0..<text.count where text[index] == UInt8(ascii: ":") { hasColon = true }
        if hasColon {
            self.init(parsingV6: text)
        } else {
            guard let bits = readV4(text, from: 0) else { return nil }
            self.init(v4: bits)
        }
    }

    package init?(_ text: String) {
        self.init(parsing: Array(text.utf8).span)
    }

    package var description: String { AddressText(self).text }

    /// The 16 bits at `index`, 0 the first.
    fileprivate func group(_ index: Int) -> UInt16 {
        let half = index < 4 ? self.high : self.low
        return UInt16(truncatingIfNeeded: half >> UInt64((3 &- (index & 3)) &* 16))
    }

    /// The first of the longest runs of two or more zero groups (RFC 5952 §4.2).
    fileprivate var longestZeroRun: Range<Int> {
        var best = 0..<0
        var start = 0
        for index in 0..<8 {
            if self.group(index) != 0 {
                start = index &+ 1
            } else if index &+ 1 &- start > Swift.max(best.count, 1) {
                best = start..<index &+ 1
            }
        }
        return best
    }

    fileprivate init?(parsingV6 text: borrowing Span<UInt8>) {
        var groups = InlineArray<8, UInt16>(repeating: 0)
        var count = 0
        /// How many groups stand before `::`.
        var gap: Int?
        var index = 0
        if text.count >= 2, text[0] == UInt8(ascii: ":"), text[1] == UInt8(ascii: ":") {
            gap = 0
            index = 2
        }
        while index < text.count {
            guard count < 8 else { return nil }
            let start = index
            var value: UInt16 = 0
            while index < text.count, index &- start < 5, let digit = hexadecimal(text[index]) {
                value = value << 4 | UInt16(digit)
                index &+= 1
            }
            if index < text.count, text[index] == UInt8(ascii: ".") {
                guard count <= 6, let bits = readV4(text, from: start) else { return nil }
                groups[count] = UInt16(truncatingIfNeeded: bits >> 16)
                groups[count &+ 1] = UInt16(truncatingIfNeeded: bits)
                count &+= 2
                break
            }
            guard (1...4).contains(index &- start) else { return nil }
            groups[count] = value
            count &+= 1
            if index == text.count { break }
            guard text[index] == UInt8(ascii: ":"), index &+ 1 < text.count else { return nil }
            index &+= 1
            if text[index] == UInt8(ascii: ":") {
                guard gap == nil else { return nil }
                gap = count
                index &+= 1
            }
        }
        // `::` stands for at least one group.
        guard gap == nil ? count == 8 : count < 8 else { return nil }
        var halves = (high: UInt64(0), low: UInt64(0))
        let missing = 8 &- count
        for place in 0..<8 {
            let before = gap ?? 8
            var group: UInt16 = 0
            if place < before {
                group = groups[place]
            } else if place >= before &+ missing {
                group = groups[place &- missing]
            }
            if place < 4 {
                halves.high = halves.high << 16 | UInt64(group)
            } else {
                halves.low = halves.low << 16 | UInt64(group)
            }
        }
        self.init(high: halves.high, low: halves.low)
    }
}

extension SocketAddress: CustomStringConvertible {
    /// Reads `1.2.3.4:80` or `[::1]:80`. Port 0, "any", is allowed.
    package init?(parsing text: borrowing Span<UInt8>) {
        var colon = text.count &- 1
        while colon >= 0, text[colon] != UInt8(ascii: ":") { colon &-= 1 }
        guard colon > 0, let port = readPort(text, from: colon &+ 1) else { return nil }
        if text[0] == UInt8(ascii: "[") {
            guard colon >= 2, text[colon &- 1] == UInt8(ascii: "]"),
                let ip = IPAddress(parsingV6: text.extracting(1..<colon &- 1))
            else { return nil }
            self.init(ip: ip, port: port)
        } else {
            // An IPv6 address without brackets cannot be told from its port.
            guard let bits = readV4(text.extracting(0..<colon), from: 0) else { return nil }
            self.init(ip: IPAddress(v4: bits), port: port)
        }
    }

    package init?(_ text: String) {
        self.init(parsing: Array(text.utf8).span)
    }

    package var description: String { AddressText(self).text }
}

private func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- 0x30
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- 0x57
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- 0x37
    default: nil
    }
}

/// Four numbers of 0 to 255 without leading zeros, from `start` to the end.
private func readV4(_ text: borrowing Span<UInt8>, from start: Int) -> UInt32? {
    var bits: UInt32 = 0
    var index = start
    for place in 0..<4 {
        if place > 0 {
            guard index < text.count, text[index] == UInt8(ascii: ".") else { return nil }
            index &+= 1
        }
        guard let (value, end) = readNumber(text, from: index, digitsMax: 3), value <= 255 else {
            return nil
        }
        bits = bits << 8 | value
        index = end
    }
    return index == text.count ? bits : nil
}

/// A port in decimal digits without leading zeros, from `start` to the end.
private func readPort(_ text: borrowing Span<UInt8>, from start: Int) -> UInt16? {
    guard let (value, end) = readNumber(text, from: start, digitsMax: 5), end == text.count else {
        return nil
    }
    return UInt16(exactly: value)
}

private func readNumber(
    _ text: borrowing Span<UInt8>,
    from start: Int,
    digitsMax: Int
) -> (value: UInt32, end: Int)? {
    var value: UInt32 = 0
    var index = start
    while index < text.count, index &- start < digitsMax, text[index] &- 0x30 < 10 {
        value = value * 10 + UInt32(text[index] &- 0x30)
        index &+= 1
    }
    guard index > start, index == start &+ 1 || text[start] != 0x30 else { return nil }
    return (value, index)
}
