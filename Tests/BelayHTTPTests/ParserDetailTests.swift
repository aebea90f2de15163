import BelayBytes
import BelayHTTP
import Testing

/// What the parsers hand out beyond their verdicts: ranges, names, limits and texts.
struct ParserDetailTests {
    private static func parse(
        _ text: String,
        from start: Int = 0,
        capacity: Int = 32
    ) throws -> (head: RequestHead, lines: [FieldLine]) {
        let bytes = octets(text)
        var fields = FieldList(capacity: capacity)
        let head = try RequestHead.parse(
            bytes.span,
            from: start,
            length: bytes.count - start,
            into: &fields
        )
        return (head, (0..<fields.count).map { fields[$0] })
    }

    private static func slice(_ text: String, _ range: Range<Int>, from start: Int = 0) -> String {
        MessageReading.text(octets(text)[(start + range.lowerBound)..<(start + range.upperBound)])
    }

    @Test func `ranges are offsets from where the head begins`() throws {
        let before = "the end of a body"
        let text =
            before
            + "PUT http://a.example:80/b?c HTTP/1.1\r\nHost: a.example:80\r\nX:  y z \r\n\r\n"
        let start = before.count
        let (head, lines) = try Self.parse(text, from: start)
        #expect(head.method == .put)
        #expect(head.form == .absolute)
        #expect(Self.slice(text, head.methodBytes, from: start) == "PUT")
        #expect(Self.slice(text, head.target, from: start) == "http://a.example:80/b?c")
        #expect(Self.slice(text, head.authority, from: start) == "a.example:80")
        #expect(Self.slice(text, head.path, from: start) == "/b?c")
        #expect(head.length == octets(text).count - start)
        #expect(lines.map { Self.slice(text, $0.name, from: start) } == ["Host", "X"])
        #expect(lines.map { Self.slice(text, $0.value, from: start) } == ["a.example:80", "y z"])
    }

    @Test func `an empty line before the head counts into it`() throws {
        let text = "\r\nGET /a HTTP/1.1\r\nHost: b\r\n\r\n"
        let (head, _) = try Self.parse(text)
        #expect(head.methodBytes == 2..<5)
        #expect(Self.slice(text, head.path) == "/a")
        #expect(head.length == octets(text).count)
    }

    @Test(arguments: [
        ("GET /a HTTP/1.1", "b", "/a"), ("GET http://b HTTP/1.1", "b", ""),
        ("GET http://b?c HTTP/1.1", "b", "?c"), ("OPTIONS * HTTP/1.1", "b", ""),
    ])
    func `the authority comes from the target or from Host`(
        line: String,
        authority: String,
        path: String
    ) throws {
        let text = line + "\r\nHost: b\r\n\r\n"
        let (head, _) = try Self.parse(text)
        #expect(Self.slice(text, head.authority) == authority)
        #expect(Self.slice(text, head.path) == path)
    }

    static let names: [(String, FieldName)] = [
        ("Host", .host), ("Content-Length", .contentLength),
        ("Transfer-Encoding", .transferEncoding), ("Connection", .connection),
        ("Keep-Alive", .keepAlive), ("Proxy-Connection", .proxyConnection), ("TE", .te),
        ("Trailer", .trailer), ("Upgrade", .upgrade), ("Expect", .expect),
        ("Forwarded", .forwarded), ("X-Forwarded-For", .xForwardedFor),
        ("X-Forwarded-Proto", .xForwardedProto), ("X-Forwarded-Host", .xForwardedHost),
        ("Via", .via), ("Cookie", .cookie), ("Set-Cookie", .setCookie),
        ("Cache-Control", .cacheControl), ("Date", .date), ("Accept", .accept),
        ("Expires", .expires), ("Authorization", .authorization),
    ]

    /// The field that a line with that name is taken for in a response, where none is refused.
    private static func recognized(_ name: String) -> FieldName? {
        let bytes = octets("HTTP/1.1 304 x\r\n\(name): 7\r\n\r\n")
        var fields = FieldList(capacity: 4)
        _ = try? ResponseHead.parse(
            bytes.span,
            from: 0,
            length: bytes.count,
            answering: .get,
            into: &fields
        )
        return fields.count == 1 ? fields[0].id : nil
    }

    @Test(arguments: Self.names)
    func `a field's name is known in any case`(name: String, id: FieldName) {
        #expect(Self.recognized(name) == id)
        #expect(Self.recognized(name.lowercased()) == id)
        #expect(Self.recognized(name.uppercased()) == id)
    }

    @Test func `every name is in that table`() {
        #expect(Set(Self.names.map(\.1)).union([.other]) == Set(FieldName.allCases))
    }

    @Test(arguments: Self.names)
    func `a name with one byte more, less or other is another`(name: String, id: FieldName) {
        let bytes = octets(name)
        for index in bytes.indices {
            var less = bytes
            less.remove(at: index)
            var other = bytes
            other[index] = other[index] == 0x7A ? 0x79 : 0x7A
            for changed in [less, other] where !changed.isEmpty {
                let found = Self.recognized(MessageReading.text(changed[...]))
                #expect(found == .other || found == nil, "\(name) without or with another \(index)")
            }
        }
        #expect(Self.recognized(name + "s") == .other)
        #expect(Self.recognized("z" + name) == .other)
    }

    @Test func `every method is known in large letters`() throws {
        for method in BelayHTTP.Method.allCases where method != .other && method != .connect {
            let (head, _) = try Self.parse(
                "\(method)".uppercased() + " / HTTP/1.1\r\nHost: a\r\n\r\n"
            )
            #expect(head.method == method)
        }
    }

    @Test func `a token is what the RFC says`() throws {
        let token = Set(octets("!#$%&'*+-.^_`|~0123456789"))
            .union(0x41...0x5A).union(0x61...0x7A)
        for byte in UInt8.min...UInt8.max where byte != 0x3A {
            let name = octets("GET / HTTP/1.1\r\nHost: a\r\nX") + [byte] + octets(": y\r\n\r\n")
            var fields = FieldList(capacity: 4)
            let head = try? RequestHead.parse(
                name.span,
                from: 0,
                length: name.count,
                into: &fields
            )
            #expect((head != nil) == token.contains(byte), "byte \(byte)")
        }
    }

    @Test func `a value holds text and tabs, at every place in a word`() throws {
        for byte in UInt8.min...UInt8.max {
            for place in 0..<17 {
                var value = Array(repeating: UInt8(ascii: "x"), count: 17)
                value[place] = byte
                let bytes = octets("GET / HTTP/1.1\r\nHost: a\r\nX: ") + value + octets("\r\n\r\n")
                var fields = FieldList(capacity: 4)
                let head = try? RequestHead.parse(
                    bytes.span,
                    from: 0,
                    length: bytes.count,
                    into: &fields
                )
                let isText = byte >= 0x20 && byte != 0x7F || byte == 0x09
                #expect((head != nil) == isText, "byte \(byte) at \(place)")
            }
        }
    }

    @Test func `a path holds its characters, at every place in a word`() throws {
        let refused = Set(octets("\"#%<>\\`")).union(0...0x20).union(0x7F...0xFF)
        for byte in UInt8.min...UInt8.max where byte != 0x20 {
            for place in 0..<9 {
                var path = Array(repeating: UInt8(ascii: "x"), count: 9)
                path[place] = byte
                let bytes = octets("GET /") + path + octets(" HTTP/1.1\r\nHost: a\r\n\r\n")
                var fields = FieldList(capacity: 4)
                let head = try? RequestHead.parse(
                    bytes.span,
                    from: 0,
                    length: bytes.count,
                    into: &fields
                )
                #expect((head == nil) == refused.contains(byte), "byte \(byte) at \(place)")
            }
        }
    }

    @Test func `a query holds its characters, at every place in a word`() throws {
        let refused = Set(octets("\"#<>")).union(0...0x20).union(0x7F...0xFF)
        for byte in UInt8.min...UInt8.max where byte != 0x20 {
            for place in 0..<9 {
                var query = Array(repeating: UInt8(ascii: "x"), count: 9)
                query[place] = byte
                let bytes = octets("GET /?") + query + octets(" HTTP/1.1\r\nHost: a\r\n\r\n")
                var fields = FieldList(capacity: 4)
                let head = try? RequestHead.parse(
                    bytes.span,
                    from: 0,
                    length: bytes.count,
                    into: &fields
                )
                #expect((head == nil) == refused.contains(byte), "byte \(byte) at \(place)")
            }
        }
    }

    @Test func `a head that ends at its last byte is read within it`() throws {
        for size in 1...24 {
            let value = String(repeating: "v", count: size)
            let text = "GET / HTTP/1.1\r\nHost: a\r\nX: \(value)\r\n\r\n"
            let (_, lines) = try Self.parse(text)
            #expect(Self.slice(text, lines[1].value) == value)
        }
    }

    @Test(arguments: [(0, nil), (1, 0), (5, 4), (37, 36)])
    func `the scanner looks behind its start only`(start: Int, _: Int?) throws {
        let bytes = octets(String(repeating: "\n", count: start) + "GET / HTTP/1.1\r\n\r\nmore\n\n")
        var scanner = HeadScanner()
        #expect(try scanner.scan(bytes.span, from: start, headMax: 64) == 18)
    }

    @Test func `a head may be exactly as large as allowed`() throws {
        let bytes = octets("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        var scanner = HeadScanner()
        #expect(try scanner.scan(bytes.span, from: 0, headMax: bytes.count) == bytes.count)
        var tight = HeadScanner()
        #expect(throws: MessageError.headTooLarge) {
            try tight.scan(bytes.span, from: 0, headMax: bytes.count - 1)
        }
    }

    @Test func `every fault has a name of its own, a sentence and a status`() {
        var names: Set<String> = []
        for error in MessageError.allCases {
            let name = "\(error.name)"
            names.insert(name)
            #expect(name.allSatisfy { $0.isLowercase || $0 == "-" })
            #expect(name.replacing("-", with: "") == "\(error)".lowercased())
            #expect("\(error.sentence)".hasSuffix("."))
            #expect((400..<600).contains(error.status))
        }
        #expect(names.count == MessageError.allCases.count)
    }
}
