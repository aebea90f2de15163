import BelayBytes
import BelayCore
import BelayCrypto
import BelayPersistence
import Testing

/// What tokens say, and which are believed.
@Suite struct JWTClaimTests {
    private static let secret = SecretBytes(
        copying: Array("a secret of many bytes..........".utf8).span
    )
    private static let key = JWTKey(.hs256, secret: secret)

    private func way(_ claim: String = "sub", key: JWTKey? = nil) throws -> JWTClaimBinding {
        JWTClaimBinding(
            claim: claim,
            header: "Authorization",
            hasher: try hasher(.jwtClaim),
            key: key
        )
    }

    private func base64(_ bytes: [UInt8]) -> String {
        var writer = ByteWriter(capacity: 20_000)
        writer.append(base64URL: bytes.span)
        return String(decoding: contents(writer), as: UTF8.self)
    }

    private func token(
        _ payload: String,
        header: String = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        signature: String? = nil,
        secret: SecretBytes = Self.secret
    ) throws -> String {
        let text = self.base64(Array(header.utf8)) + "." + self.base64(Array(payload.utf8))
        if let signature { return text + "." + signature }
        var hmac = try HMACSHA256(key: secret.bytes)
        var code = [UInt8](repeating: 0, count: 32)
        var span = code.mutableSpan
        try hmac.begin()
        try hmac.update(Array(text.utf8).span)
        try hmac.finish(into: &span)
        return text + "." + self.base64(code)
    }

    private func claim(
        _ token: String,
        _ way: JWTClaimBinding,
        now: UnixTime = morning
    ) -> String? {
        way.value(of: Array(token.utf8).span, now: now).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        arguments: [
            ("{\"sub\":\"ada\"}", "ada"), (" { \"a\" : 1 , \"sub\" : \"ada\" } ", "ada"),
            ("{\"a\":{\"sub\":\"x\"},\"b\":[\"sub\",{}],\"sub\":\"ada\"}", "ada"),
            ("{\"sub\":\"1\",\"sub\":\"2\"}", "1"), ("{\"sub\":\"\"}", ""),
            ("{\"sub\":17}", "17"), ("{\"sub\":-17}", "-17"), ("{\"sub\":1.7e3}", "1700"),
            ("{\"sub\":\"a\\\"b\\\\c\\/d\"}", "a\"b\\c/d"), ("{\"sub\":\"\\u0061\"}", "\\u0061"),
            ("{\"sub\":\"Zoë\"}", "Zoë"), ("{\"a\":\"}\\\"\",\"sub\":\"ada\"}", "ada"),
            ("{\"a\":null,\"b\":true,\"c\":false,\"sub\":\"ada\"}", "ada"),
            ("{}", nil), ("", nil), ("{\"SUB\":\"ada\"}", nil), ("{\"sub\":null}", nil),
            ("{\"sub\":[\"ada\"]}", nil), ("{\"sub\":{\"a\":1}}", nil), ("{\"sub\":true}", nil),
            ("[\"sub\",\"ada\"]", nil), ("\"sub\"", nil), ("{\"sub\":}", nil), ("{\"sub\"", nil),
            ("{\"sub\":\"ada", nil), ("{\"a\":nonsense,\"sub\":\"ada\"}", nil), ("{sub:1}", nil),
            ("{\"a\":[[[[,\"sub\":\"ada\"}", nil), ("{\"sub\":\"a\nb\"}", nil),
            ("{\"s\\u0075b\":\"ada\"}", nil), ("{,\"sub\":\"ada\"}", nil),
        ] as [(String, String?)]
    )
    func `the claim is a text or a whole number of the outermost object`(
        payload: String,
        want: String?
    ) throws {
        let token = try self.token(payload)
        #expect(self.claim(token, try self.way()) == want)
        #expect(self.claim(token, try self.way(key: Self.key)) == want)
    }

    @Test func `other claims are read by their names`() throws {
        let token = try self.token("{\"sub\":\"ada\",\"https://a/tenant\":\"t1\",\"a\\\"b\":\"c\"}")
        #expect(self.claim(token, try self.way("https://a/tenant")) == "t1")
        #expect(self.claim(token, try self.way("a\"b")) == "c")
        #expect(self.claim(token, try self.way("tenant")) == nil)
    }

    @Test(arguments: [
        "", ".", "..", "...", "a.b.c.d", "e30", "e30.", "e30.e30", ".e30.", "e30.e.e30",
        "e30.!!!!.e30", "e30.e30=.e30", "e30.eyJzdWIiOiJhIn0", "e30.eyJzdWIiOiJhIn0=.x",
        "e30.eyJzdWIiOiJhIn0 .x", "e30.eyJzdWIiOiJhIn0\n.x",
    ])
    func `what is no token has no claim`(text: String) throws {
        for key in [nil, Self.key] { #expect(self.claim(text, try self.way(key: key)) == nil) }
    }

    @Test func `a token has a limit`() throws {
        let way = try self.way(key: Self.key)
        // The text of what is between grows by a third.
        let fits = try self.token(
            "{\"sub\":\"ada\",\"a\":\"\(String(repeating: "x", count: 6_000))\"}"
        )
        let long = try self.token(
            "{\"sub\":\"ada\",\"a\":\"\(String(repeating: "x", count: 6_200))\"}"
        )
        #expect(fits.utf8.count <= JWTClaimBinding.tokenMax)
        #expect(long.utf8.count > JWTClaimBinding.tokenMax)
        #expect(self.claim(fits, way) == "ada")
        #expect(self.claim(long, way) == nil)
        #expect(self.claim(long, try self.way()) == nil)
    }

    @Test(arguments: [
        "{\"alg\":\"none\"}", "{\"alg\":\"None\"}", "{\"alg\":\"HS384\"}", "{\"alg\":\"RS256\"}",
        "{\"alg\":\"hs256\"}", "{\"alg\":[\"HS256\"]}", "{\"typ\":\"JWT\"}", "{}", "HS256", "",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
    ])
    func `a token of another algorithm than the key's is not believed`(header: String) throws {
        let token = try self.token("{\"sub\":\"ada\"}", header: header)
        #expect(self.claim(token, try self.way(key: Self.key)) == nil)
    }

    @Test func `a public key is no secret`() throws {
        let pem = Array("-----BEGIN PUBLIC KEY-----\n…".utf8)
        let header = "{\"alg\":\"HS256\"}"
        let forged = try self.token(
            "{\"sub\":\"ada\"}",
            header: header,
            secret: SecretBytes(copying: pem.span)
        )
        #expect(self.claim(forged, try self.way(key: Self.key)) == nil)
    }

    @Test func `with a key only what it has signed is believed`() throws {
        let way = try self.way(key: Self.key)
        let good = try self.token("{\"sub\":\"ada\"}")
        #expect(self.claim(good, way) == "ada")
        let other = SecretBytes(copying: Array("another".utf8).span)
        #expect(self.claim(try self.token("{\"sub\":\"ada\"}", secret: other), way) == nil)
        for signature in ["", "AAAA", self.base64([UInt8](repeating: 0, count: 32))] {
            let token = try self.token("{\"sub\":\"ada\"}", signature: signature)
            #expect(self.claim(token, way) == nil)
            #expect(self.claim(token, try self.way()) == "ada")
        }
        // Another payload under a good signature.
        let parts = good.split(separator: ".")
        let eve = self.base64(Array("{\"sub\":\"eve\"}".utf8))
        #expect(self.claim("\(parts[0]).\(eve).\(parts[2])", way) == nil)
    }

    @Test(
        arguments: [
            ("", true), (",\"exp\":1790071201", true), (",\"exp\":1790071200", false),
            (",\"exp\":1790071199", false), (",\"exp\":1.790071201e9", true), (",\"exp\":0", false),
            (",\"exp\":-1", false), (",\"exp\":\"1790071201\"", false), (",\"exp\":null", false),
            (",\"exp\":1e300", false), (",\"exp\":[]", false), (",\"exp\":nonsense", false),
            (",\"nbf\":1790071200", true), (",\"nbf\":1790071260", true),
            (",\"nbf\":1790071261", false), (",\"nbf\":\"0\"", false),
            (",\"exp\":1790071201,\"nbf\":0", true),
        ]
    )
    func `a token that is over, or not yet, is not believed where it is checked`(
        times: String,
        isGood: Bool
    ) throws {
        let token = try self.token("{\"sub\":\"ada\"\(times)}")
        #expect(self.claim(token, try self.way(key: Self.key)) == (isGood ? "ada" : nil))
        #expect(self.claim(token, try self.way()) == "ada")
    }
}

@Suite struct SeenTokensTests {
    private func way(_ claim: String) throws -> JWTClaimBinding {
        JWTClaimBinding(claim: claim, header: "a", hasher: try hasher(.jwtClaim), key: nil)
    }

    private func claim(
        _ seen: inout SeenTokens,
        _ way: JWTClaimBinding,
        _ number: Int,
        _ token: String,
        _ now: UnixTime = morning
    ) -> String? {
        seen.claim(way, number, of: Array(token.utf8).span, now: now)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// `{"sub":"ada","org":"x"}`
    private let ada = "e30.eyJzdWIiOiJhZGEiLCJvcmciOiJ4In0."
    /// `{"sub":"eve"}`
    private let eve = "e30.eyJzdWIiOiJldmUifQ."

    @Test func `tokens and ways are told apart, seen or not`() throws {
        var seen = SeenTokens(seed: 1)
        let (sub, org) = (try self.way("sub"), try self.way("org"))
        for time in [morning, morning, morning + 9, morning + 30] {
            #expect(self.claim(&seen, sub, 0, self.ada, time) == "ada")
            #expect(self.claim(&seen, org, 1, self.ada, time) == "x")
            #expect(self.claim(&seen, sub, 0, self.eve, time) == "eve")
            #expect(self.claim(&seen, org, 1, self.eve, time) == nil)
            #expect(self.claim(&seen, sub, 0, "", time) == nil)
            #expect(self.claim(&seen, sub, 0, "a.b.c", time) == nil)
        }
    }

    @Test func `a token that expires is believed for ten seconds more at most`() throws {
        let secret = SecretBytes(copying: Array("Jefe".utf8).span)
        var seen = SeenTokens(seed: 1)
        let way = JWTClaimBinding(
            claim: "sub",
            header: "a",
            hasher: try hasher(.jwtClaim),
            key: JWTKey(.hs256, secret: secret)
        )
        // {"alg":"HS256"} and {"sub":"ada","exp":1790071205}, signed with "Jefe".
        let text = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3OTAwNzEyMDV9"
        var hmac = try HMACSHA256(key: secret.bytes)
        var code = [UInt8](repeating: 0, count: 32)
        var span = code.mutableSpan
        try hmac.begin()
        try hmac.update(Array(text.utf8).span)
        try hmac.finish(into: &span)
        var writer = ByteWriter(capacity: 64)
        writer.append(base64URL: code.span)
        let token = text + "." + String(decoding: contents(writer), as: UTF8.self)
        #expect(self.claim(&seen, way, 0, token, morning + 4) == "ada")
        #expect(self.claim(&seen, way, 0, token, morning + 14) == "ada")
        #expect(self.claim(&seen, way, 0, token, morning + 15) == nil)
        var fresh = SeenTokens(seed: 1)
        #expect(self.claim(&fresh, way, 0, token, morning + 5) == nil)
    }

    @Test func `many tokens push each other out, and none is mistaken for another`() throws {
        var seen = SeenTokens(seed: 7)
        let way = try self.way("sub")
        for round in 0..<2 {
            for number in 0..<5_000 {
                var writer = ByteWriter(capacity: 64)
                writer.append(base64URL: Array("{\"sub\":\(number)}".utf8).span)
                let token = "e30." + String(decoding: contents(writer), as: UTF8.self) + "."
                let found = self.claim(&seen, way, 0, token, morning + Int64(round))
                #expect(found == "\(number)")
            }
        }
    }
}
