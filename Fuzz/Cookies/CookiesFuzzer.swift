import BelayBytes
import BelayCore
import BelayHTTP
import FuzzSupport

/// What must hold of every Cookie field: the cookie that is found and cut out is the one that
/// splitting the text finds, and the others stay. Each line of an input is one field's value.
enum CookiesFuzzer {
    private static let name = InternedText("belay")

    static func check(_ input: FuzzInput) {
        let bytes = self.head(input.bytes)
        guard bytes.count < 8_192 else { return }
        var fields = FieldList(capacity: 64)
        guard
            let request = try? RequestHead.parse(
                bytes.span,
                from: 0,
                length: bytes.count,
                into: &fields
            )
        else { return }
        let before = self.pieces(fields, bytes)
        let ours = before.filter(\.isOurs)
        let match = findCookie(named: self.name.bytes, fields, in: bytes.span, from: 0)
        require(match.count == ours.count, "every cookie is found")
        require(match.value.map { Array(bytes[$0]) } == ours.first?.value, "the first one counts")
        if isCanary { require(match.count < 2, "the canary: no cookie comes twice") }

        let written = self.written(request, fields, bytes)
        var again = FieldList(capacity: 80)
        do throws(MessageError) {
            _ = try RequestHead.parse(written.span, from: 0, length: written.count, into: &again)
        } catch {
            fatalError("broken promise: what is written can be read: \(error) \(text(written))")
        }
        let left = self.pieces(again, written).filter { !$0.whole.isEmpty }
        let want = before.filter { !$0.whole.isEmpty && !$0.isOurs }
        require(left.map(\.whole) == want.map(\.whole), "the others stay: \(text(written))")
        if ours.isEmpty {
            require(self.values(again, written) == self.values(fields, bytes), "all stay")
        }
    }

    private static func head(_ input: [UInt8]) -> [UInt8] {
        var head = Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8)
        for value in input.split(separator: 0x0A, omittingEmptySubsequences: false) {
            head += Array("Cookie: ".utf8) + value + Array("\r\n".utf8)
        }
        return head + Array("\r\n".utf8)
    }

    private static func written(
        _ request: RequestHead,
        _ fields: borrowing FieldList,
        _ bytes: [UInt8]
    ) -> [UInt8] {
        var rules = ForwardingRules()
        rules.bindingCookie = self.name
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
        require(!out.hasOverflowed, "what is written fits")
        return (0..<out.count).map { out.bytes[$0] }
    }

    private static func values(_ fields: borrowing FieldList, _ bytes: [UInt8]) -> [[UInt8]] {
        var values: [[UInt8]] = []
        for index in 0..<fields.count where fields[index].id == .cookie {
            values.append(Array(bytes[fields[index].value]))
        }
        return values
    }

    /// What stands between two semicolons, white space around it taken off.
    private struct Piece {
        let whole: [UInt8]
        let name: [UInt8]?
        let value: [UInt8]?

        var isOurs: Bool { self.name == [0x62, 0x65, 0x6C, 0x61, 0x79] }

        init(_ piece: ArraySlice<UInt8>) {
            let whole = Self.trimmed(piece)
            let equals = whole.firstIndex(of: 0x3D)
            self.whole = whole
            self.name = equals.map { Self.trimmed(whole[..<$0]) }
            self.value = equals.map { Self.trimmed(whole[($0 + 1)...]) }
        }

        private static func trimmed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
            let isText: (UInt8) -> Bool = { $0 != 0x20 && $0 != 0x09 }
            guard let first = bytes.firstIndex(where: isText),
                let last = bytes.lastIndex(where: isText)
            else { return [] }
            return Array(bytes[first...last])
        }
    }

    private static func pieces(_ fields: borrowing FieldList, _ bytes: [UInt8]) -> [Piece] {
        self.values(fields, bytes).flatMap { value in
            value.split(separator: 0x3B, omittingEmptySubsequences: false).map { Piece($0) }
        }
    }
}
