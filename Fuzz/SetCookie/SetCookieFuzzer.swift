import BelayBytes
import BelayCore
import BelayHTTP
import FuzzSupport

/// What must hold of every Set-Cookie field: those of Belay's name are dropped, those of the
/// application's get a word in front of their values, the others stay; and the request that comes
/// back with such a value brings the server's own. Each line of an input is one field's value.
enum SetCookieFuzzer {
    private static let own = InternedText("belay")
    private static let application = InternedText("sid")
    private static let word = Array("shop1~".utf8)

    static func check(_ input: FuzzInput) {
        guard input.bytes.count < 8_192 else { return }
        var bytes = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".utf8)
        for value in input.bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            bytes += Array("Set-Cookie: ".utf8) + value + Array("\r\n".utf8)
        }
        bytes += Array("\r\n".utf8)
        guard let before = Self.values(bytes) else { return }
        let written = Self.written(bytes)
        guard let after = Self.values(written) else {
            fatalError("broken promise: what is written can be read: \(text(written))")
        }
        if isCanary { require(before == after, "the canary: nothing is changed") }
        let want = before.compactMap { Self.changed($0) }
        require(after == want, "each line is what it should be: \(text(written))")
        for line in after {
            guard let parts = Self.parts(line), parts.name == Array("sid".utf8),
                !parts.value.isEmpty
            else { continue }
            let value = Self.asked(parts.value)
            require(Self.word + value == parts.value, "the server gets what it gave")
        }
    }

    /// What should become of a line; nil: nothing.
    private static func changed(_ line: [UInt8]) -> [UInt8]? {
        guard let parts = Self.parts(line) else { return line }
        if parts.name == Array("belay".utf8) { return nil }
        guard parts.name == Array("sid".utf8), !parts.value.isEmpty else { return line }
        return Array(line[..<parts.start]) + Self.word + Array(line[parts.start...])
    }

    private static func parts(
        _ line: [UInt8]
    ) -> (name: [UInt8], value: [UInt8], start: Int)? {
        let pair = line.prefix { $0 != 0x3B }
        guard let equals = pair.firstIndex(of: 0x3D) else { return nil }
        let (name, value) = (Self.trimmed(pair[..<equals]), Self.trimmed(pair[(equals + 1)...]))
        return name.isEmpty ? nil : (Array(name), Array(value), value.startIndex)
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isText: (UInt8) -> Bool = { $0 != 0x20 && $0 != 0x09 }
        guard let first = bytes.firstIndex(where: isText), let last = bytes.lastIndex(where: isText)
        else { return bytes.suffix(0) }
        return bytes[first...last]
    }

    /// The values of the Set-Cookie fields; nil if the head can't be read.
    private static func values(_ bytes: [UInt8]) -> [[UInt8]]? {
        var fields = FieldList(capacity: 64)
        guard Self.parse(bytes, &fields) != nil else { return nil }
        var values: [[UInt8]] = []
        for index in 0..<fields.count where fields[index].id == .setCookie {
            values.append(Array(bytes[fields[index].value]))
        }
        return values
    }

    private static func parse(_ bytes: [UInt8], _ fields: inout FieldList) -> ResponseHead? {
        try? ResponseHead.parse(
            bytes.span,
            from: 0,
            length: bytes.count,
            answering: .get,
            into: &fields
        )
    }

    private static func written(_ bytes: [UInt8]) -> [UInt8] {
        var fields = FieldList(capacity: 64)
        guard let head = Self.parse(bytes, &fields) else { return [] }
        var options = ResponseOptions(framing: head.framing)
        options.ownCookie = Self.own
        options.prefixedCookie = (Self.application, InternedText("shop1~"))
        var out = ByteWriter(capacity: 32_768)
        writeResponse(
            head,
            fields,
            in: bytes.span,
            from: 0,
            options: options,
            setCookie: Span(),
            date: Span(),
            into: &out
        )
        require(!out.hasOverflowed, "what is written fits")
        return (0..<out.count).map { out.bytes[$0] }
    }

    /// What a server gets of a cookie's value.
    private static func asked(_ value: [UInt8]) -> [UInt8] {
        let line = Array("GET / HTTP/1.1\r\nHost: a\r\nCookie: sid=".utf8) + value
        let bytes = line + Array("\r\n\r\n".utf8)
        var fields = FieldList(capacity: 8)
        let parsed = try? RequestHead.parse(bytes.span, from: 0, length: bytes.count, into: &fields)
        guard let request = parsed else { fatalError("broken promise: a value can be sent") }
        var rules = ForwardingRules()
        rules.xForwarded = false
        rules.prefixedCookie = Self.application
        rules.prefixSeparator = 0x7E
        var out = ByteWriter(capacity: 16_384)
        writeRequest(
            request,
            fields,
            in: bytes.span,
            from: 0,
            rules: rules,
            facts: ForwardingFacts(client: .loopbackV4, isTLS: false, peerIsTrusted: false),
            framing: .none,
            keepsUpgrade: false,
            into: &out
        )
        let front = Array("GET / HTTP/1.1\r\nHost: a\r\nCookie: sid=".utf8)
        let all = (0..<out.count).map { out.bytes[$0] }
        require(all.starts(with: front), "the cookie goes on")
        return Array(all.dropFirst(front.count).dropLast(4))
    }
}
