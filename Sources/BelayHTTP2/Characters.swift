import BelayBytes

/// A set of ASCII characters: one bit each.
private struct CharacterSet: Sendable {
    let low: UInt64
    let high: UInt64

    func contains(_ byte: UInt8) -> Bool {
        guard byte < 0x80 else { return false }
        let half = byte & 0x40 == 0 ? self.low : self.high
        return (half &>> UInt64(byte & 0x3F)) & 1 != 0
    }

    func contains(all bytes: borrowing Span<UInt8>) -> Bool {
        for index in 0..<bytes.count where !self.contains(bytes[index]) { return false }
        return true
    }

    /// The characters of a token (RFC 9110 §5.6.2).
    static let token = CharacterSet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
    /// Of a token in lower case.
    static let name = CharacterSet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C000_0000)
    /// Host and port without user information (RFC 3986 §3.2, RFC 9113 §8.3.1): unreserved,
    /// sub-delims, `%`, `:`, `[`, `]`.
    static let authority = CharacterSet(low: 0x2FFF_7FF2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE)
}

extension Span<UInt8> {
    var isToken: Bool { self.count > 0 && CharacterSet.token.contains(all: self) }

    /// A field's name (RFC 9113 §8.2.1).
    var isFieldName: Bool { self.count > 0 && CharacterSet.name.contains(all: self) }

    /// A field's value (RFC 9113 §8.2.1): no control characters but the tab, no white space at the
    /// ends.
    var isFieldValue: Bool {
        for index in 0..<self.count {
            let byte = self[index]
            guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else { return false }
        }
        guard self.count > 0 else { return true }
        let (first, last) = (self[0], self[self.count &- 1])
        return first != 0x20 && first != 0x09 && last != 0x20 && last != 0x09
    }

    /// What may stand in `:authority`. Whether it is a host the strict parser finds out.
    var isPlainAuthority: Bool { self.count > 0 && CharacterSet.authority.contains(all: self) }

    /// What may stand in `:path`: no white space, no fragment, nothing beyond ASCII. What else is
    /// wrong with it the strict parser finds out.
    var isPlainPath: Bool {
        guard self.count > 0, self[0] == 0x2F else { return false }
        for index in 0..<self.count {
            let byte = self[index]
            guard byte > 0x20, byte < 0x7F, byte != 0x23 else { return false }
        }
        return true
    }
}

/// Whether both hold the same bytes but for the case of letters.
func isEqualIgnoringCase(_ left: borrowing Span<UInt8>, _ right: borrowing Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    for index in 0..<left.count where lowercased(left[index]) != lowercased(right[index]) {
        return false
    }
    return true
}
