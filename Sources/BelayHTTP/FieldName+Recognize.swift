import BelayBytes

extension FieldName {
    /// Which of the fields that Belay knows has this name, a token of `size` bytes from `start`,
    /// whatever the case of its letters.
    @inline(__always)
    static func recognize(
        _ bytes: borrowing Span<UInt8>,
        from start: Int,
        size: Int
    ) -> FieldName {
        guard size >= 2, size <= 17 else { return .other }
        // This bit makes letters small and leaves hyphens as they are. No other byte of a token
        // becomes a letter or a hyphen by it.
        let small: UInt64 = 0x2020_2020_2020_2020
        if size < 8 {
            let word = bytes.word(at: start, size: size) | small
            return Self.short(word & ((1 &<< UInt64(size &* 8)) &- 1), size: size)
        }
        guard size > 8 else { return .other }
        return Self.long(
            bytes.word(at: start) | small,
            bytes[start &+ 8] | 0x20,
            bytes.word(at: start &+ size &- 8) | small,
            size: size
        )
    }

    /// By the whole name of less than eight bytes, as a little-endian number.
    @inline(never)
    static func short(_ word: UInt64, size: Int) -> FieldName {
        switch size {
        case 2: word == 0x6574 ? .te : .other
        case 3: word == 0x61_6976 ? .via : .other
        case 4:
            switch word {
            case 0x7473_6F68: .host
            case 0x6574_6164: .date
            default: .other
            }
        case 6:
            switch word {
            case 0x7470_6563_6361: .accept
            case 0x6569_6B6F_6F63: .cookie
            case 0x7463_6570_7865: .expect
            default: .other
            }
        case 7:
            switch word {
            case 0x72_656C_6961_7274: .trailer
            case 0x65_6461_7267_7075: .upgrade
            case 0x73_6572_6970_7865: .expires
            default: .other
            }
        default: .other
        }
    }

    /// By the first eight bytes of the name, the ninth, and the last eight: of 17 bytes the ninth
    /// is in neither word.
    @inline(never)
    static func long(_ first: UInt64, _ ninth: UInt8, _ last: UInt64, size: Int) -> FieldName {
        switch size {
        case 9:
            first == 0x6564_7261_7772_6F66 && last == 0x6465_6472_6177_726F ? .forwarded : .other
        case 10:
            switch (first, last) {
            case (0x6974_6365_6E6E_6F63, 0x6E6F_6974_6365_6E6E): .connection
            case (0x696C_612D_7065_656B, 0x6576_696C_612D_7065): .keepAlive
            case (0x6B6F_6F63_2D74_6573, 0x6569_6B6F_6F63_2D74): .setCookie
            default: .other
            }
        case 13:
            switch (first, last) {
            case (0x6F63_2D65_6863_6163, 0x6C6F_7274_6E6F_632D): .cacheControl
            case (0x7A69_726F_6874_7561, 0x6E6F_6974_617A_6972): .authorization
            default: .other
            }
        case 14:
            first == 0x2D74_6E65_746E_6F63 && last == 0x6874_676E_656C_2D74
                ? .contentLength : .other
        case 15:
            first == 0x7261_7772_6F66_2D78 && last == 0x726F_662D_6465_6472
                ? .xForwardedFor : .other
        case 16:
            switch (first, last) {
            case (0x7261_7772_6F66_2D78, 0x7473_6F68_2D64_6564): .xForwardedHost
            case (0x6F63_2D79_786F_7270, 0x6E6F_6974_6365_6E6E): .proxyConnection
            default: .other
            }
        case 17:
            switch (first, ninth, last) {
            case (0x7261_7772_6F66_2D78, 0x64, 0x6F74_6F72_702D_6465): .xForwardedProto
            case (0x7265_6673_6E61_7274, 0x2D, 0x676E_6964_6F63_6E65): .transferEncoding
            default: .other
            }
        default: .other
        }
    }
}
