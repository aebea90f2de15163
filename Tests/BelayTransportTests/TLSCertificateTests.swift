import BelayBytes
import BelayCore
import BelayTransport
import Foundation
import Testing

/// Certificates of clients, and how servers' certificates are checked.
@Suite struct TLSCertificateTests {
    private func settings(
        _ mode: (TLSAuthorities) -> TLSClientCertificates
    ) -> TLSServerSettings {
        var settings = TLSServerSettings.forTest("shop")
        settings.clientCertificates = mode(
            TLSAuthorities(path: TLSFiles.shared.path("ca.pem"), depth: 2)
        )
        return settings
    }

    private func client(_ identity: String?, _ version: TLSVersion) -> TLSClientSettings {
        var settings = TLSClientSettings.forTest(version: version)
        settings.identity = identity.map { TLSFiles.shared.identity($0) }
        return settings
    }

    // MARK: Clients

    @Test(
        arguments: [
            ("client", nil), ("stranger", .badCertificate), (nil, .clientCertificateMissing),
            // A certificate for servers.
            ("server-only", .badCertificate),
        ] as [(String?, TLSFailure.Kind?)],
        TLSVersion.allCases
    )
    func `where a certificate is required, only a client of the authority's comes in`(
        identity: (name: String?, failure: TLSFailure.Kind?),
        version: TLSVersion
    ) throws {
        let ends = try TLSEnds(
            self.settings { .required($0) },
            self.client(identity.name, version)
        )
        ends.handshake()
        #expect(ends.server.failure == identity.failure)
        #expect(ends.server.isDone == (identity.failure == nil))
        #expect(ends.server.stream.hasVerifiedClient == (identity.failure == nil))
        if identity.failure != nil {
            // With TLS 1.3 the client is done before it is refused.
            if ends.client.isDone { ends.client.read() }
            let kind = ends.client.failure ?? ends.client.scratch.failure?.kind
            #expect(kind == .peerAlert)
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `where a certificate is optional, a client may have none, but no wrong one`(
        version: TLSVersion
    ) throws {
        let settings = self.settings { .optional($0) }
        let without = try TLSEnds(settings, self.client(nil, version))
        without.handshake()
        #expect(without.isDone)
        #expect(!without.server.stream.hasVerifiedClient)
        #expect(
            without.server.text { $0.writeClientCertificate(into: &$1) }
                == "X-Client-Verify: NONE\r\n"
        )
        let with = try TLSEnds(settings, self.client("client", version))
        with.handshake()
        #expect(with.isDone)
        #expect(with.server.stream.hasVerifiedClient)
        let wrong = try TLSEnds(settings, self.client("stranger", version))
        wrong.handshake()
        #expect(wrong.server.failure == .badCertificate)
    }

    @Test func `a client's certificate is not looked at where none is asked for`() throws {
        let ends = try TLSEnds(.forTest("shop"), self.client("stranger", .tls13))
        ends.handshake()
        #expect(ends.isDone)
        #expect(!ends.server.stream.hasVerifiedClient)
    }

    @Test(arguments: TLSVersion.allCases)
    func `servers learn of the certificate in headers that nothing in it can break`(
        version: TLSVersion
    ) throws {
        let ends = try TLSEnds(
            self.settings { .required($0) },
            self.client("client", version)
        )
        ends.handshake()
        let lines = ends.server.text { $0.writeClientCertificate(into: &$1) }
            .components(separatedBy: "\r\n")
        let files = TLSFiles.shared
        let pem = try String(contentsOfFile: files.path("client.pem"), encoding: .utf8)
        let base64 = pem.split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()
        let serial = try files.serial("client")
        #expect(
            lines == [
                "X-Client-Verify: SUCCESS",
                "Client-Cert: :\(base64):",
                #"X-Client-Subject: CN=J\C3\BCrgen \"x\",O=A\, B\07C"#,
                "X-Client-Issuer: CN=ca,O=Belay Tests",
                "X-Client-Serial: \(serial)",
                "X-Client-Fingerprint: \(try files.fingerprint("client"))",
                "",
            ]
        )
    }

    @Test func `headers that do not fit are refused whole`() throws {
        let ends = try TLSEnds(
            self.settings { .required($0) },
            self.client("client", .tls13)
        )
        ends.handshake()
        var writer = ByteWriter(capacity: 200)
        ends.server.stream.writeClientCertificate(into: &writer)
        let hasOverflowed = writer.hasOverflowed
        #expect(hasOverflowed)
    }

    // MARK: Servers

    @Test(
        arguments: [
            ("shop", "shop.example", "ca.pem", nil),
            ("shop", "SHOP.example", "ca.pem", nil),
            ("shop", "www.shop.example", "ca.pem", nil),
            ("shop", "a.b.shop.example", "ca.pem", "hostname mismatch"),
            ("shop", "other.example", "ca.pem", "hostname mismatch"),
            ("shop", "127.0.0.1", "ca.pem", "IP address mismatch"),
            ("address", "127.0.0.1", "ca.pem", nil),
            ("address", "127.0.0.2", "ca.pem", "IP address mismatch"),
            ("address", "::1", "ca.pem", "IP address mismatch"),
            ("address", "shop.example", "ca.pem", "hostname mismatch"),
            ("shop", "shop.example", "other-ca.pem", "unable to get local issuer certificate"),
            ("client", "shop.example", "ca.pem", "unsuitable certificate purpose"),
        ] as [(String, String, String, String?)]
    )
    func `a server must have the name that it is called by, from an authority that is believed`(
        identity: String,
        name: String,
        authorities: String,
        problem: String?
    ) throws {
        for version in TLSVersion.allCases {
            let ends = try TLSEnds(
                .forTest(identity),
                .forTest(authorities: authorities, version: version),
                name: name
            )
            ends.handshake()
            #expect(ends.client.isDone == (problem == nil))
            guard let problem else { continue }
            guard case .failed(let failure) = ends.client.step else {
                Issue.record("the client is content")
                return
            }
            #expect(failure.kind == .badCertificate)
            #expect(failure.text == "certificate refused: " + problem)
            #expect(ends.server.failure == .peerAlert)
        }
    }

    @Test func `an address is not sent as a name`() throws {
        let ends = try TLSEnds(.forTest("address"), name: "127.0.0.1")
        ends.handshake()
        #expect(ends.isDone)
        #expect(ends.server.text { $0.writeServerName(into: &$1) } == "")
    }

    @Test func `unchecked, any certificate will do, and without a name too`() throws {
        var settings = TLSClientSettings()
        settings.verifies = false
        for name in ["other.example", nil] {
            let ends = try TLSEnds(.forTest("shop"), settings, name: name)
            ends.handshake()
            #expect(ends.isDone)
        }
    }

    @Test func `without a name that it must have no server is believed`() throws {
        let context = try TLSClientContext(.forTest())
        let scratch = TLSScratch()
        let stream = TLSStream.connecting(context, serverName: nil, session: nil, scratch)
        #expect(stream == nil)
    }

    @Test func `the system's authorities do not know the tests'`() throws {
        let ends = try TLSEnds(.forTest("shop"), TLSClientSettings())
        ends.handshake()
        #expect(ends.client.failure == .badCertificate)
    }

    @Test func `a client does not speak a version that is too old`() throws {
        var client = TLSClientSettings.forTest()
        client.minimum = .tls13
        var server = TLSServerSettings.forTest("shop")
        server.cipherSuites = ""
        let ends = try TLSEnds(server, client)
        ends.handshake()
        #expect(!ends.client.isDone)
    }
}
