import BelayCore
import BelayHTTP
import Testing

struct ClientAddressTests {
    /// 10.0.0.0/8 and fd00::/8 are proxies of ours.
    private static let trusted = [
        Network(IPAddress(v4: 0x0A00_0000), prefixLength: 8),
        Network(IPAddress(high: 0xFD00_0000_0000_0000, low: 0), prefixLength: 8),
    ].compactMap { $0 }

    private func client(
        _ fields: [String],
        peer: String = "10.0.0.1",
        field: ClientAddressField = .either
    ) throws -> String {
        let peer = try #require(IPAddress(peer))
        var client = peer
        try fieldList(fields) { list, bytes in
            client = clientAddress(
                peer: peer,
                list,
                in: bytes,
                from: 0,
                trusted: Self.trusted,
                field: field
            )
        }
        return client.description
    }

    @Test(arguments: [
        ([], "10.0.0.1"),
        (["X-Forwarded-For: 1.1.1.1"], "1.1.1.1"),
        (["X-Forwarded-For: 6.6.6.6, 1.1.1.1"], "1.1.1.1"),
        (["X-Forwarded-For: 6.6.6.6, 1.1.1.1, 10.0.0.2,10.0.0.3"], "1.1.1.1"),
        (["X-Forwarded-For: 10.0.0.9, 10.0.0.2"], "10.0.0.9"),
        (["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 1.1.1.1"], "1.1.1.1"),
        (["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 10.0.0.2"], "1.1.1.1"),
        (["X-Forwarded-For: 1.1.1.1, garbage, 10.0.0.2"], "10.0.0.2"),
        (["X-Forwarded-For: 1.1.1.1, unknown"], "10.0.0.1"),
        (["X-Forwarded-For: "], "10.0.0.1"),
        (["X-Forwarded-For: , ,1.1.1.1, ,"], "1.1.1.1"),
        (["X-Forwarded-For: 1.1.1.1:5000"], "1.1.1.1"),
        (["X-Forwarded-For: 2001:db8::1"], "2001:db8::1"),
        (["X-Forwarded-For: [2001:db8::1]"], "2001:db8::1"),
        (["X-Forwarded-For: [2001:db8::1]:443, fd00::1"], "2001:db8::1"),
        (["X-Forwarded-For: ::ffff:1.1.1.1"], "1.1.1.1"),
        (["X-Forwarded-For: 1.1.1.1:port"], "10.0.0.1"),
        (["X-Forwarded-For: [1.1.1.1]"], "10.0.0.1"),
        (["X-Forwarded-For: 1.1.1.1:"], "10.0.0.1"),
        (["X-Forwarded-For: 01.1.1.1"], "10.0.0.1"),
        (["X-Forwarded-For: \"1.1.1.1\""], "10.0.0.1"),
        (["X-Forwarded-For: a\"b, 1.1.1.1"], "1.1.1.1"),
        (["Forwarded: for=1.1.1.1"], "1.1.1.1"),
        (["Forwarded: for=6.6.6.6, For=1.1.1.1;proto=https"], "1.1.1.1"),
        (["Forwarded: for=1.1.1.1, for=10.0.0.2;by=10.0.0.3"], "1.1.1.1"),
        (["Forwarded: by=x;for=\"[2001:db8::1]:443\";host=a"], "2001:db8::1"),
        (["Forwarded: for=\"1.1.1.1:_hidden\""], "1.1.1.1"),
        (["Forwarded: for=\"1.1.1.1:_\""], "10.0.0.1"),
        (["Forwarded: for=\"1.1.1.1:99999999\""], "10.0.0.1"),
        (["Forwarded: for=unknown"], "10.0.0.1"),
        (["Forwarded: for=_hidden, for=10.0.0.2"], "10.0.0.2"),
        (["Forwarded: proto=https"], "10.0.0.1"),
        (["Forwarded: for=1.1.1.1;for=2.2.2.2"], "10.0.0.1"),
        (["Forwarded: for=2001:db8::1"], "10.0.0.1"),
        (["Forwarded: for=\"2001:db8::1\""], "10.0.0.1"),
        (["Forwarded: for=\"unclosed, for=1.1.1.1"], "1.1.1.1"),
        (["Forwarded: host=\"a,b\\\",\";for=1.1.1.1, for=10.0.0.2"], "1.1.1.1"),
        (["Forwarded: for=6.6.6.6;x=\"\\\\\", for=1.1.1.1;y=\"\\\\\\\"\""], "1.1.1.1"),
        (["Forwarded: x=\\\", for=1.1.1.1"], "1.1.1.1"),
        (["Forwarded: for=6.6.6.6", "Forwarded: for=1.1.1.1"], "1.1.1.1"),
        (["Forwarded: for=6.6.6.6", "X-Forwarded-For: 1.1.1.1"], "1.1.1.1"),
    ])
    func `the client is the first address from the right that is not ours`(
        fields: [String],
        want: String
    ) throws {
        #expect(try self.client(fields) == want)
    }

    @Test func `a peer that is not trusted is believed nothing`() throws {
        let fields = ["X-Forwarded-For: 1.1.1.1", "Forwarded: for=1.1.1.1"]
        #expect(try self.client(fields, peer: "192.0.2.7") == "192.0.2.7")
        #expect(try self.client(fields, peer: "fd00::1") == "1.1.1.1")
    }

    @Test(arguments: [
        (ClientAddressField.either, "1.1.1.1"),
        (.xForwardedFor, "1.1.1.1"),
        (.forwarded, "2.2.2.2"),
    ])
    func `one field is read, never both`(field: ClientAddressField, want: String) throws {
        let fields = ["Forwarded: for=2.2.2.2", "X-Forwarded-For: 1.1.1.1"]
        #expect(try self.client(fields, field: field) == want)
    }

    @Test func `a field that is not asked for does not count`() throws {
        #expect(try self.client(["Forwarded: for=2.2.2.2"], field: .xForwardedFor) == "10.0.0.1")
        #expect(try self.client(["X-Forwarded-For: 1.1.1.1"], field: .forwarded) == "10.0.0.1")
    }

    @Test func `no field makes the walk fail or hang`() throws {
        // Random short texts of the bytes that mean something.
        let alphabet = Array("f=\",;\\ 1")
        var random = RandomSource(seed: 3)
        for _ in 0..<20_000 {
            let length = random.below(14)
            let value = String((0..<length).map { _ in alphabet[random.below(alphabet.count)] })
            #expect(try self.client(["Forwarded: \(value), for=1.1.1.1"]) == "1.1.1.1")
            _ = try self.client(["Forwarded: for=1.1.1.1;\(value)"])
        }
    }

    @Test func `text in quotes never moves the walk`() throws {
        var random = RandomSource(seed: 11)
        let inside = [",", ";", "=", "\\\"", "\\\\", " ", "for=6.6.6.6", "x", "\\,"]
        for round in 0..<2_000 {
            var elements: [String] = []
            var addresses: [String] = []
            for _ in 0...random.below(4) {
                var quoted = ""
                for _ in 0..<random.below(6) { quoted += inside[random.below(inside.count)] }
                let address = "\(random.below(2) == 0 ? 10 : 9).0.0.\(random.below(256))"
                let pairs = ["x=\"\(quoted)\"", "for=\(address)", "y=\"\(quoted)\""]
                elements.append(pairs.joined(separator: random.below(2) == 0 ? ";" : "; "))
                addresses.append(address)
            }
            let want = addresses.last { $0.hasPrefix("9.") } ?? addresses[0]
            let separator = random.below(2) == 0 ? "," : " , "
            let field = "Forwarded: " + elements.joined(separator: separator)
            #expect(try self.client([field]) == want, "round \(round): \(field)")
        }
    }

    @Test(
        arguments: [
            ([], nil),
            (["X-Forwarded-Proto: https"], true),
            (["X-Forwarded-Proto: HTTP"], false),
            (["X-Forwarded-Proto: https, http"], false),
            (["X-Forwarded-Proto: wss"], true),
            (["X-Forwarded-Proto: gopher"], nil),
            (["X-Forwarded-Proto: "], nil),
            (["X-Forwarded-Proto: http", "X-Forwarded-Proto: https"], true),
            (["Forwarded: for=1.1.1.1;proto=https"], true),
            (["Forwarded: proto=http, for=1.1.1.1;proto=\"https\""], true),
            (["Forwarded: proto=https, for=1.1.1.1"], nil),
            (["Forwarded: proto=http", "X-Forwarded-Proto: https"], true),
        ] as [([String], Bool?)]
    )
    func `the nearest proxy says whether the client speaks TLS`(
        fields: [String],
        want: Bool?
    ) throws {
        try fieldList(fields) { list, bytes in
            #expect(forwardedIsTLS(list, in: bytes, from: 0) == want)
        }
    }
}
