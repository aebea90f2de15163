package import BelayBytes

/// What a request with an Upgrade field wants to become.
package enum UpgradeWish: Sendable {
    case webSocket
    /// HTTP/2 in clear text (`h2c`), which RFC 9113 §3.1 has given up.
    case http2
    case other
}

/// What the Upgrade fields of a request want.
package func upgradeWish(
    _ fields: borrowing FieldList,
    in bytes: borrowing Span<UInt8>,
    from start: Int
) -> UpgradeWish {
    var wish = UpgradeWish.other
    for index in 0..<fields.count where fields[index].id == .upgrade {
        var elements = TokenList(fields[index].value.moved(by: start))
        while let element = elements.next(bytes) {
            if bytes.isEqual(element, toLowercase: "h2c")
                || bytes.isEqual(element, toLowercase: "h2")
            {
                return .http2
            }
            if bytes.isEqual(element, toLowercase: "websocket") { wish = .webSocket }
        }
    }
    return wish
}

/// Pages that may open WebSockets, as one entry of an allow-list.
package struct OriginRule: Sendable {
    /// In lower case, with `://`.
    package var scheme: InternedText
    /// In lower case; with `isSuffix` it begins with a dot and stands for every host below.
    package var host: InternedText
    package var isSuffix: Bool
    /// With its colon; empty for the usual port of the scheme, which browsers leave out.
    package var port: InternedText

    package init(scheme: String, host: String, isSuffix: Bool, port: UInt16?) {
        self.scheme = InternedText(scheme + "://")
        self.host = InternedText(host)
        self.isSuffix = isSuffix
        self.port = InternedText(port.map { ":\($0)" } ?? "")
    }

    /// Whether an Origin field's value is one of these.
    func matches(_ value: Range<Int>, in bytes: borrowing Span<UInt8>) -> Bool {
        let (scheme, port) = (self.scheme.count, self.port.count)
        guard value.count > scheme + port else { return false }
        let host = (value.lowerBound + scheme)..<(value.upperBound - port)
        guard Self.isEqual(value.lowerBound..<host.lowerBound, self.scheme, bytes),
            Self.isEqual(host.upperBound..<value.upperBound, self.port, bytes)
        else { return false }
        guard self.isSuffix else {
            return host.count == self.host.count && Self.isEqual(host, self.host, bytes)
        }
        guard host.count > self.host.count else { return false }
        let tail = (host.upperBound - self.host.count)..<host.upperBound
        // What stands in front are labels, and nothing that could end the host.
        for index in host.lowerBound..<tail.lowerBound {
            switch bytes[index] {
            case UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: "@"), UInt8(ascii: "?"),
                UInt8(ascii: "#"):
                return false
            default: continue
            }
        }
        return Self.isEqual(tail, self.host, bytes)
    }

    private static func isEqual(
        _ range: Range<Int>,
        _ text: InternedText,
        _ bytes: borrowing Span<UInt8>
    ) -> Bool {
        let wanted = text.bytes
        guard range.count == wanted.count else { return false }
        for index in 0..<wanted.count
        where lowercased(bytes[range.lowerBound + index]) != wanted[index] {
            return false
        }
        return true
    }
}

/// Whether a request may open a WebSocket by its Origin field (RFC 6455 §10.2). One without the
/// field is no browser's, and nobody's page can have made it: it may.
package func mayOpen(
    _ rules: [OriginRule],
    _ fields: borrowing FieldList,
    in bytes: borrowing Span<UInt8>,
    from start: Int
) -> Bool {
    for index in 0..<fields.count where fields[index].id == .other {
        let name = fields[index].name.moved(by: start)
        guard name.count == 6, bytes.isEqual(name, toLowercase: "origin") else { continue }
        let value = fields[index].value.moved(by: start)
        var isAllowed = false
        for rule in rules where rule.matches(value, in: bytes) { isAllowed = true }
        if !isAllowed { return false }
    }
    return true
}
