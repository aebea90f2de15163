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
        require(match.value.map { text(bytes[$0]) } == ours.first?.value, "the first one counts")
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

    private static func values(_ fields: borrowing FieldList, _ bytes: [UInt8]) -> [String] {
        var values: [String] = []
        for index in 0..<fields.count where fields[index].id == .cookie {
            values.append(text(bytes[fields[index].value]))
        }
        return values
    }

    /// What stands between two semicolons, white space around it taken off.
    private struct Piece {
        let whole: String
        let name: String?
        let value: String?

        var isOurs: Bool { self.name == "belay" }

        init(_ piece: some Collection<Character>) {
            self.whole = Self.trimmed(piece)
            guard let equals = self.whole.firstIndex(of: "=") else {
                self.name = nil
                self.value = nil
                return
            }
            self.name = Self.trimmed(self.whole[..<equals])
            self.value = Self.trimmed(self.whole[self.whole.index(after: equals)...])
        }

        private static func trimmed(_ text: some Collection<Character>) -> String {
            let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
            let start = Array(text.drop(while: isSpace))
            return String(start.reversed().drop(while: isSpace).reversed())
        }
    }

    private static func pieces(_ fields: borrowing FieldList, _ bytes: [UInt8]) -> [Piece] {
        self.values(fields, bytes).flatMap { value in
            value.split(separator: ";", omittingEmptySubsequences: false).map { Piece($0) }
        }
    }
}
