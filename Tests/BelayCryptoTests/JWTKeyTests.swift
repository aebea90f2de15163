import BelayBytes
import BelayCrypto
import Testing

@Suite struct JWTKeyTests {
    /// An algorithm that signs with a private key: the public one, and a signature.
    struct Case: Sendable {
        let algorithm: JWTAlgorithm
        let key: String
        let signature: String
    }

    static let cases = [
        Case(algorithm: .rs256, key: TokenFixtures.rsa, signature: TokenFixtures.rs256),
        Case(algorithm: .rs384, key: TokenFixtures.rsa, signature: TokenFixtures.rs384),
        Case(algorithm: .rs512, key: TokenFixtures.rsa, signature: TokenFixtures.rs512),
        Case(algorithm: .ps256, key: TokenFixtures.rsa, signature: TokenFixtures.ps256),
        Case(algorithm: .ps384, key: TokenFixtures.rsa, signature: TokenFixtures.ps384),
        Case(algorithm: .ps512, key: TokenFixtures.rsa, signature: TokenFixtures.ps512),
        Case(algorithm: .es256, key: TokenFixtures.p256, signature: TokenFixtures.es256),
        Case(algorithm: .es384, key: TokenFixtures.p384, signature: TokenFixtures.es384),
        Case(algorithm: .es512, key: TokenFixtures.p521, signature: TokenFixtures.es512),
        Case(algorithm: .edDSA, key: TokenFixtures.ed25519, signature: TokenFixtures.edDSA),
    ]

    private static let message = Array("header.payload".utf8)

    private func publicKey(_ algorithm: JWTAlgorithm, _ pem: String) -> JWTKey? {
        JWTKey(algorithm, pem: Array(pem.utf8))
    }

    @Test(arguments: Self.cases)
    func `a signature holds for its message and its algorithm, and for nothing else`(
        _ one: Case
    ) throws {
        let key = try #require(self.publicKey(one.algorithm, one.key))
        let signature = decoded(base64URL: one.signature)
        for _ in 0..<2 { #expect(key.holds(signature, Self.message)) }
        #expect(!key.holds(signature, Array("header.payloaD".utf8)))
        #expect(!key.holds(signature, []))
        for index in [0, signature.count / 2, signature.count - 1] {
            var changed = signature
            changed[index] ^= 1
            #expect(!key.holds(changed, Self.message))
        }
        #expect(!key.holds([], Self.message))
        #expect(!key.holds(signature + [0], Self.message))
        #expect(!key.holds(Array(signature.dropLast()), Self.message))
        #expect(!key.holds(repeated(0, signature.count), Self.message))
        #expect(!key.holds(repeated(0xFF, signature.count), Self.message))
        for other in Self.cases where other.algorithm != one.algorithm && other.key == one.key {
            let wrong = decoded(base64URL: other.signature)
            #expect(!key.holds(wrong, Self.message), "\(other.algorithm)")
        }
    }

    @Test func `a key is for the algorithms of its kind and curve`() {
        let keys = [
            TokenFixtures.rsa, TokenFixtures.p256, TokenFixtures.p384, TokenFixtures.p521,
            TokenFixtures.ed25519,
        ]
        for one in Self.cases {
            for key in keys {
                #expect((self.publicKey(one.algorithm, key) != nil) == (key == one.key))
            }
        }
    }

    @Test(arguments: [
        "", "no PEM", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n", TokenFixtures.smallRSA,
        String(TokenFixtures.rsa.dropLast(80)),
    ])
    func `what is no key, or a weak one, is refused`(text: String) {
        for one in Self.cases { #expect(self.publicKey(one.algorithm, text) == nil) }
    }

    @Test func `signatures have the one form that tokens have`() throws {
        let curve = try #require(self.publicKey(.es256, TokenFixtures.p256))
        let der = decoded(base64URL: TokenFixtures.es256InDER)
        #expect(!curve.holds(der, Self.message))
        let rsa = try #require(self.publicKey(.ps256, TokenFixtures.rsa))
        let saltless = decoded(base64URL: TokenFixtures.ps256WithoutSalt)
        #expect(!rsa.holds(saltless, Self.message))
    }

    /// RFC 4231, test case 2.
    @Test(arguments: [
        (
            JWTAlgorithm.hs256,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            .hs384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
                + "8e2240ca5e69e2c78b3239ecfab21649"
        ),
        (
            .hs512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                + "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        ),
    ])
    func `a secret's code holds`(algorithm: JWTAlgorithm, want: String) {
        let secret = Array("Jefe".utf8)
        let key = JWTKey(algorithm, secret: SecretBytes(copying: secret.span))
        let message = Array("what do ya want for nothing?".utf8)
        let code = bytes(want)
        for _ in 0..<2 { #expect(key.holds(code, message)) }
        #expect(!key.holds(Array(code.dropLast()), message))
        #expect(!key.holds(code + [0], message))
        #expect(!key.holds([], message))
        #expect(!key.holds(code, Array("what".utf8)))
        for index in code.indices {
            var changed = code
            changed[index] ^= 0x80
            #expect(!key.holds(changed, message))
        }
    }

    @Test func `names are those of the RFC, and each once`() {
        let names = JWTAlgorithm.allCases.map { "\($0.name)" }
        #expect(Set(names).count == 13)
        #expect(
            JWTAlgorithm.allCases.filter(\.isSymmetric).map { "\($0.name)" } == [
                "HS256", "HS384", "HS512",
            ]
        )
    }
}

extension JWTKey {
    fileprivate func holds(_ signature: [UInt8], _ message: [UInt8]) -> Bool {
        self.verifies(signature, of: message.span)
    }
}
