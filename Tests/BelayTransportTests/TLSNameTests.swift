import BelayBytes
import BelayCore
import BelayTransport
import Testing

@Suite struct TLSNameTests {
    /// The names of the certificate that a client sees who asks for `name` and checks nothing.
    private func served(
        _ settings: TLSServerSettings,
        to name: String?,
        version: TLSVersion = .tls13
    ) throws -> TLSEnds {
        var client = TLSClientSettings()
        client.verifies = false
        client.maximum = version
        let ends = try TLSEnds(settings, client, name: name)
        ends.handshake()
        return ends
    }

    @Test(
        arguments: [
            ("shop.example", "shop"),
            ("SHOP.Example", "shop"),
            ("shop.example.", "shop"),
            ("www.shop.example", "shop"),
            ("a.www.shop.example", "first"),
            (".shop.example", "first"),
            ("xshop.example", "first"),
            ("example", "first"),
            ("first.example", "first"),
            ("second.example", "second"),
            ("old.example", "common"),
            ("other.example", "first"),
            (nil, "first"),
        ] as [(String?, String)]
    )
    func `the certificate is the one for the name, else the first`(
        name: String?,
        want: String
    ) throws {
        var settings = TLSServerSettings.forTest("first", "shop", "second", "common")
        settings.protocols = [.http11]
        for version in TLSVersion.allCases {
            let ends = try self.served(settings, to: name, version: version)
            #expect(ends.isDone)
            #expect(ends.client.peerFingerprint == (try TLSFiles.shared.fingerprint(want)))
        }
    }

    @Test(arguments: [
        ("shop.example", true), ("www.shop.example", true), ("other.example", false),
        ("a.www.shop.example", false),
    ])
    func `unknown names can be refused`(name: String, isServed: Bool) throws {
        var settings = TLSServerSettings.forTest("first", "shop")
        settings.refusesUnknownNames = true
        let ends = try self.served(settings, to: name)
        #expect(ends.isDone == isServed)
        #expect(ends.server.failure == (isServed ? nil : .unknownName))
        #expect(ends.client.failure == (isServed ? nil : .peerAlert))
        guard case .failed(let failure) = ends.client.step else { return }
        #expect(failure.text == "tlsv1 unrecognized name")
    }

    @Test func `a client that asks for no name is served the first, also when unknown are refused`()
        throws
    {
        var settings = TLSServerSettings.forTest("first", "shop")
        settings.refusesUnknownNames = true
        let ends = try self.served(settings, to: nil)
        #expect(ends.isDone)
        #expect(ends.server.text { $0.writeServerName(into: &$1) } == "")
    }

    @Test(arguments: [
        (["shop", "shop-rsa"], "ECDHE-RSA-AES128-GCM-SHA256", "shop-rsa"),
        (["shop", "shop-rsa"], "ECDHE-ECDSA-AES128-GCM-SHA256", "shop"),
        (["shop-rsa", "shop"], "ECDHE-RSA-AES128-GCM-SHA256", "shop-rsa"),
        (["shop-rsa", "shop"], "ECDHE-ECDSA-AES128-GCM-SHA256", "shop"),
        (["first", "shop-rsa", "shop"], "ECDHE-ECDSA-AES128-GCM-SHA256", "shop"),
    ])
    func `keys of two kinds stand side by side, and the client's ciphers decide`(
        identities: [String],
        cipher: String,
        want: String
    ) throws {
        var settings = TLSServerSettings(
            identities: identities.map { TLSFiles.shared.identity($0) }
        )
        settings.ciphers = cipher
        let context = try TLSServerContext(settings)
        #expect(context.warnings.isEmpty)
        let ends = try self.served(settings, to: "www.shop.example", version: .tls12)
        #expect(ends.isDone)
        #expect(ends.client.peerFingerprint == (try TLSFiles.shared.fingerprint(want)))
    }

    @Test func `application protocols are agreed on whichever certificate is served`() throws {
        let server = TLSServerSettings.forTest("first", "shop")
        let ends = try TLSEnds(server, .forTest(protocols: [.http11, .http2]))
        ends.handshake()
        #expect(ends.server.stream.applicationProtocol == .http2)
        #expect(ends.server.text { $0.writeServerName(into: &$1) } == "shop.example")
    }

    @Test func `a certificate that is never served for a name is warned of`() throws {
        let context = try TLSServerContext(.forTest("first", "second"))
        let second = TLSFiles.shared.path("second.pem")
        let first = TLSFiles.shared.path("first.pem")
        #expect(
            context.warnings == [
                "\(second): never served for first.example, since \(first) comes first"
            ]
        )
    }

    @Test func `the summary says what each certificate is for`() throws {
        let context = try TLSServerContext(.forTest("shop", "shop-rsa", "address", "common"))
        #expect(context.summary.map(\.key) == [.ecdsa, .rsa, .ecdsa, .ecdsa])
        #expect(
            context.summary.map(\.names) == [
                ["shop.example", "*.shop.example"], ["shop.example", "*.shop.example"], [],
                ["old.example"],
            ]
        )
        let now = SystemClock.unixNanoseconds() / 1_000_000_000
        for certificate in context.summary {
            #expect(
                (now + 19 * 86_400...now + 20 * 86_400 + 60).contains(
                    certificate.notAfter.seconds
                )
            )
        }
        #expect(
            context.warnings == [
                "\(TLSFiles.shared.path("address.pem")): the certificate is for no host name"
            ]
        )
    }
}
