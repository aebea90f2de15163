import BelayBytes
import BelayCore
import BelayHTTP

/// A request whose lines are given without line ends: parsed, and written again.
func forwarded(
    _ lines: [String],
    rules: ForwardingRules = .none,
    facts: ForwardingFacts = .direct,
    framing: BodyFraming? = nil,
    keepsUpgrade: Bool = false
) throws -> [String] {
    // Bytes in front, because a head rarely begins a connection's buffer.
    let front = "previous message"
    let bytes = Array((front + (lines + ["", ""]).joined(separator: "\r\n")).utf8)
    let start = front.utf8.count
    var fields = FieldList(capacity: 64)
    let head = try RequestHead.parse(
        bytes.span,
        from: start,
        length: bytes.count - start,
        into: &fields
    )
    var out = ByteWriter(capacity: 65_536)
    writeRequest(
        head,
        fields,
        in: bytes.span,
        from: start,
        rules: rules,
        facts: facts,
        framing: framing ?? head.framing,
        keepsUpgrade: keepsUpgrade,
        into: &out
    )
    return headLines(of: out)
}

/// A response whose lines are given without line ends: parsed, and written again.
func answered(
    _ lines: [String],
    to method: BelayHTTP.Method = .get,
    options: ResponseOptions? = nil,
    setCookie: String = "",
    date: String = ""
) throws -> [String] {
    let front = "previous message"
    let bytes = Array((front + (lines + ["", ""]).joined(separator: "\r\n")).utf8)
    let start = front.utf8.count
    var fields = FieldList(capacity: 64)
    let head = try ResponseHead.parse(
        bytes.span,
        from: start,
        length: bytes.count - start,
        answering: method,
        into: &fields
    )
    var out = ByteWriter(capacity: 65_536)
    writeResponse(
        head,
        fields,
        in: bytes.span,
        from: start,
        options: options ?? ResponseOptions(framing: head.framing),
        setCookie: Array(setCookie.utf8).span,
        date: Array(date.utf8).span,
        into: &out
    )
    return headLines(of: out)
}

/// The lines of a head that was written, without the empty one at its end.
func headLines(of out: borrowing ByteWriter) -> [String] {
    let written = text(of: out)
    precondition(written.hasSuffix("\r\n\r\n"), "the head does not end: \(written)")
    return written.dropLast(2).split(separator: "\r\n").map(String.init)
}

func text(of out: borrowing ByteWriter) -> String {
    precondition(!out.hasOverflowed, "more was written than fits")
    var bytes: [UInt8] = []
    for index in 0..<out.count { bytes.append(out.bytes[index]) }
    return String(decoding: bytes, as: UTF8.self)
}

/// The field lines alone, parsed as part of a request.
func fieldList(
    _ lines: [String],
    _ body: (borrowing FieldList, borrowing Span<UInt8>) throws -> Void
) throws {
    let all = ["GET / HTTP/1.1", "Host: a"] + lines + ["", ""]
    let bytes = Array(all.joined(separator: "\r\n").utf8)
    var fields = FieldList(capacity: 64)
    _ = try RequestHead.parse(bytes.span, from: 0, length: bytes.count, into: &fields)
    try body(fields, bytes.span)
}

extension ForwardingRules {
    /// Nothing is added.
    static var none: ForwardingRules {
        var rules = ForwardingRules()
        rules.xForwarded = false
        return rules
    }

    static func adding(
        xForwarded: Bool = false,
        forwarded: Bool = false,
        via: String? = nil
    ) -> ForwardingRules {
        var rules = ForwardingRules()
        rules.xForwarded = xForwarded
        rules.forwarded = forwarded
        rules.via = via.map { InternedText($0) }
        return rules
    }

    static func cutting(_ cookie: String) -> ForwardingRules {
        var rules = ForwardingRules.none
        rules.bindingCookie = InternedText(cookie)
        return rules
    }
}

extension ForwardingFacts {
    /// A client of which nothing is believed.
    static let direct = ForwardingFacts(
        client: IPAddress(v4: 0xC000_0207),
        isTLS: false,
        peerIsTrusted: false
    )

    /// A proxy of ours, which speaks TLS.
    static let trusted = ForwardingFacts(
        client: IPAddress(v4: 0x0A00_0001),
        isTLS: true,
        peerIsTrusted: true
    )
}
