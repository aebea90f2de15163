import BelayBytes
import BelayCore

// What a request says about who asked, through whom, and under which name: X-Forwarded-*,
// Forwarded (RFC 7239), and the fields that applications believe although anybody can send them.

/// What the name of a field that is otherwise unknown stands for.
enum Claim {
    case none
    /// Applications believe it about the client, so only a trusted proxy may send it.
    case whoAsked
    /// The same, of what a certificate of the client says: where Belay looks at certificates
    /// itself, nobody else may say it.
    case certificate
    /// It goes on from nobody.
    case never
}

/// The claim of a field's name.
///
/// Gateways to CGI, WSGI and PHP read `_` in a name as `-`, so a name that is one of these with
/// underscores would pass a check here and be believed there. (What looks like a field that Belay
/// knows was refused when the head was read.) `Proxy` becomes HTTP_PROXY there, which libraries
/// take for the proxy to use ("httpoxy", CVE-2016-5385).
func claim(ofName name: Range<Int>, in bytes: borrowing Span<UInt8>) -> Claim {
    let count = name.count
    switch lowercased(bytes[name.lowerBound]) {
    case UInt8(ascii: "x") where count >= 9: break
    case UInt8(ascii: "c") where count == 9 || count == 11 || count == 16 || count == 17: break
    case UInt8(ascii: "t") where count == 14: break
    case UInt8(ascii: "f") where count == 16: break
    case UInt8(ascii: "p") where count == 5: break
    case UInt8(ascii: "b") where count == 19: break
    default: return .none
    }
    // Limit: 20 characters are the longest name below; of longer ones the beginning decides.
    var plain = InlineArray<20, UInt8>(repeating: 0)
    var hasUnderscore = false
    for index in 0..<min(count, 20) {
        var byte = lowercased(bytes[name.lowerBound &+ index])
        if byte == UInt8(ascii: "_") {
            byte = UInt8(ascii: "-")
            hasUnderscore = true
        }
        plain[index] = byte
    }
    let text = plain.span
    let all = 0..<min(count, 20)
    if count == 5, text.isEqual(all, to: "proxy") { return .never }
    // Only Belay itself says that a client moved.
    if count == 19, text.isEqual(all, to: "belay-session-moved") { return .never }
    guard isForgeable(text, count) else { return .none }
    if hasUnderscore { return .never }
    return isOfCertificate(text, count) ? .certificate : .whoAsked
}

/// X-Forwarded-* in all its variants, what content networks and older proxies send instead, and
/// what says that a client has shown a certificate (RFC 9440 and Belay's own).
private func isForgeable(_ text: borrowing Span<UInt8>, _ count: Int) -> Bool {
    if count >= 11, text.isEqual(0..<11, to: "x-forwarded") { return true }
    let all = 0..<min(count, 20)
    return switch count {
    case 9: text.isEqual(all, to: "x-real-ip") || text.isEqual(all, to: "client-ip")
    case 11: text.isEqual(all, to: "x-client-ip") || text.isEqual(all, to: "client-cert")
    case 14: text.isEqual(all, to: "true-client-ip")
    case 15:
        text.isEqual(all, to: "x-client-verify") || text.isEqual(all, to: "x-client-issuer")
            || text.isEqual(all, to: "x-client-serial")
    case 16:
        text.isEqual(all, to: "cf-connecting-ip") || text.isEqual(all, to: "fastly-client-ip")
            || text.isEqual(all, to: "x-client-subject")
    case 17: text.isEqual(all, to: "client-cert-chain")
    case 19: text.isEqual(all, to: "x-cluster-client-ip")
    case 20: text.isEqual(all, to: "x-client-fingerprint")
    default: false
    }
}

/// Which of those are about a certificate.
private func isOfCertificate(_ text: borrowing Span<UInt8>, _ count: Int) -> Bool {
    switch count {
    case 15: text.isEqual(0..<9, to: "x-client-")
    case 20: text.isEqual(0..<20, to: "x-client-fingerprint")
    case 11: text.isEqual(0..<11, to: "client-cert")
    case 16: text.isEqual(0..<16, to: "x-client-subject")
    case 17: text.isEqual(0..<17, to: "client-cert-chain")
    default: false
    }
}

extension ByteWriter {
    /// Writes who asked as the rules want it: behind what a trusted peer said, else in its place.
    mutating func append(
        whoAsked head: RequestHead,
        _ fields: borrowing FieldList,
        _ seen: SeenFields,
        _ rules: ForwardingRules,
        _ facts: ForwardingFacts,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) {
        let authority = head.authority.moved(by: start)
        if rules.xForwarded {
            self.append("X-Forwarded-For: ")
            if seen.xForwardedFor {
                self.append(xForwardedForOf: fields, in: bytes, from: start)
            }
            self.append(facts.client)
            switch (seen.xForwardedProto, facts.isTLS) {
            case (true, _): self.append("\r\n")
            case (false, true): self.append("\r\nX-Forwarded-Proto: https\r\n")
            case (false, false): self.append("\r\nX-Forwarded-Proto: http\r\n")
            }
            if !seen.xForwardedHost, !authority.isEmpty {
                self.append("X-Forwarded-Host: ")
                self.append(bytes, authority)
                self.append("\r\n")
            }
        }
        if rules.forwarded {
            self.append("Forwarded: ")
            if seen.forwarded {
                self.append(forwardedOf: fields, in: bytes, from: start)
            }
            self.append(forwardedNode: facts.client)
            if !authority.isEmpty {
                self.append(";host=")
                self.append(tokenOrQuoted: authority, in: bytes)
            }
            self.append(facts.isTLS ? ";proto=https\r\n" : ";proto=http\r\n")
        }
    }

    /// Writes each X-Forwarded-For, and a comma after each.
    private mutating func append(
        xForwardedForOf fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) {
        for index in 0..<fields.count {
            let line = fields[index]
            guard line.id == .xForwardedFor, !line.value.isEmpty else { continue }
            self.append(bytes, line.value.moved(by: start))
            self.append(", ")
        }
    }

    /// Writes the elements of Forwarded, with commas and one at the end.
    ///
    /// Those left of one that cannot be read are dropped with it: nobody may believe them, and an
    /// open quote would change the meaning of the lines that are joined here.
    private mutating func append(
        forwardedOf fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) {
        var firstLine = fields.count
        var first = 0
        var index = fields.count
        walk: while index > 0 {
            index &-= 1
            guard fields[index].id == .forwarded else { continue }
            let value = fields[index].value.moved(by: start)
            var elements = ListElementsBackwards(value, hasQuotes: true)
            while let element = elements.next(in: bytes) {
                guard ForwardedElement(element, in: bytes) != nil else { break walk }
                firstLine = index
                first = element.lowerBound
            }
        }
        for index in firstLine..<fields.count where fields[index].id == .forwarded {
            let value = fields[index].value.moved(by: start)
            let kept = (index == firstLine ? first : value.lowerBound)..<value.upperBound
            if kept.isEmpty { continue }
            self.append(bytes, kept)
            self.append(", ")
        }
    }

    /// Writes `for=`: an IPv6 address stands in brackets, and so in quotes (RFC 7239 §6).
    private mutating func append(forwardedNode address: IPAddress) {
        if address.isV4 {
            self.append("for=")
            self.append(address)
        } else {
            self.append("for=\"[")
            self.append(address)
            self.append("]\"")
        }
    }

    /// Writes the bytes as a token if they are one, else as a quoted string.
    private mutating func append(tokenOrQuoted range: Range<Int>, in bytes: borrowing Span<UInt8>) {
        var isToken = true
        for index in range where !ByteClass.token.contains(bytes[index]) { isToken = false }
        if isToken { return self.append(bytes, range) }
        self.append(UInt8(ascii: "\""))
        for index in range {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                self.append(UInt8(ascii: "\\"))
            }
            self.append(byte)
        }
        self.append(UInt8(ascii: "\""))
    }
}
