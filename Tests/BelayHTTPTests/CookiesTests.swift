import BelayBytes
import BelayHTTP
import Testing

struct CookiesTests {
    @Test(
        arguments: [
            ([], nil, 0),
            (["Cookie: belay=abc"], "abc", 1),
            (["Cookie: a=b; belay=abc; c=d"], "abc", 1),
            (["Cookie: a=b;belay=abc"], "abc", 1),
            (["Cookie: a=b ;\tbelay =  abc\t; c"], "abc", 1),
            (["Cookie: belay=\"abc\""], "\"abc\"", 1),
            (["Cookie: belay=a=b=c"], "a=b=c", 1),
            (["Cookie: belay="], "", 1),
            (["Cookie: belay= ; belay=x"], "", 2),
            (["Cookie: belay=1; belay=2; belay=3"], "1", 3),
            (["Cookie: a=b", "Cookie: belay=1; belay=2", "cookie: belay=3"], "1", 3),
            (["Cookie: belay"], nil, 0),
            (["Cookie: Belay=x"], nil, 0),
            (["Cookie: belay2=x; xbelay=y; bela=z; a=belay=q"], nil, 0),
            (["Cookie: =belay=x; ;;; "], nil, 0),
            (["Cookie: bel ay=x"], nil, 0),
            (["Cookie2: belay=x", "Set-Cookie: belay=y"], nil, 0),
            (["Cookie: \"belay=x\""], nil, 0),
        ] as [([String], String?, Int)]
    )
    func `a cookie is found by its exact name`(
        fields: [String],
        value: String?,
        count: Int
    ) throws {
        try fieldList(fields) { list, bytes in
            let name = InternedText("belay")
            let match = findCookie(named: name.bytes, list, in: bytes, from: 0)
            var found: String?
            if let range = match.value {
                found = String(decoding: range.map { bytes[$0] }, as: UTF8.self)
            }
            #expect(found == value)
            #expect(match.count == count)
        }
    }

    @Test func `the range counts from where the head begins`() throws {
        let bytes = Array("xxxGET / HTTP/1.1\r\nHost: a\r\nCookie: b=1; belay=v\r\n\r\n".utf8)
        var fields = FieldList(capacity: 8)
        _ = try RequestHead.parse(bytes.span, from: 3, length: bytes.count - 3, into: &fields)
        let name = InternedText("belay")
        let match = findCookie(named: name.bytes, fields, in: bytes.span, from: 3)
        let range = try #require(match.value)
        #expect(bytes[3 + range.lowerBound] == UInt8(ascii: "v"))
        #expect(range.count == 1)
    }
}
