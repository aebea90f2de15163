import BelayCore
import BelayTransport
import Foundation
import Testing

/// What is wrong with files and settings, in words for whoever wrote them.
@Suite struct TLSFileTests {
    private func problem(_ settings: TLSServerSettings) -> String? {
        do throws(TLSSettingsError) {
            _ = try TLSServerContext(settings)
            return nil
        } catch {
            return error.description.replacingOccurrences(
                of: TLSFiles.shared.directory + "/",
                with: ""
            )
        }
    }

    @Test(
        arguments: [
            ("shop.pem", "shop.key", nil, nil),
            ("shop.pem", "shop.key", "shop.ocsp", nil),
            ("none.pem", "shop.key", nil, "none.pem: there is no such file"),
            ("shop.pem", "none.key", nil, "none.key: there is no such file"),
            (
                "", "shop.key", nil, "cannot read : it is not a regular file"
            ),
            (
                "empty.pem", "shop.key", nil,
                "empty.pem: there is no certificate in PEM format in it"
            ),
            (
                "prose.pem", "shop.key", nil,
                "prose.pem: there is no certificate in PEM format in it"
            ),
            (
                "shop.key", "shop.key", nil,
                "shop.key: there is no certificate in PEM format in it"
            ),
            ("damaged.pem", "shop.key", nil, "damaged.pem: a certificate in it is damaged"),
            (
                "shop.pem", "prose.pem", nil,
                "prose.pem: there is no private key in PEM format in it"
            ),
            (
                "shop.pem", "locked.key", nil,
                "locked.key: the key is encrypted; Belay needs it without a passphrase"
            ),
            (
                "shop.pem", "first.key", nil,
                "first.key: the key does not belong to the certificate in shop.pem"
            ),
            (
                "shop.pem", "shop-rsa.key", nil,
                "shop-rsa.key: the key does not belong to the certificate in shop.pem"
            ),
            ("weak.pem", "weak.key", nil, "weak.pem: OpenSSL refuses it: ee key too small"),
            ("shop.pem", "shop.key", "none.ocsp", "none.ocsp: there is no such file"),
            (
                "shop.pem", "shop.key", "shop.pem",
                "shop.pem: it is no OCSP response in DER format for the certificate in shop.pem"
            ),
            (
                "first.pem", "first.key", "shop.ocsp",
                "shop.ocsp: it is no OCSP response in DER format for the certificate in first.pem"
            ),
        ] as [(String, String, String?, String?)]
    )
    func `a file that will not do is named, with what is wrong`(
        certificate: String,
        key: String,
        ocsp: String?,
        want: String?
    ) {
        let files = TLSFiles.shared
        let identity = TLSIdentityFiles(
            certificate: files.path(certificate),
            key: files.path(key),
            ocsp: ocsp.map(files.path)
        )
        #expect(self.problem(TLSServerSettings(identities: [identity])) == want)
    }

    @Test(arguments: [
        ("ciphers", "HIGH:NONE-SUCH", "ciphers: OpenSSL does not know `NONE-SUCH` for TLS 1.2"),
        (
            "ciphers", "TLS_AES_128_GCM_SHA256",
            "ciphers: OpenSSL does not know `TLS_AES_128_GCM_SHA256` for TLS 1.2"
        ),
        ("ciphers", "HIGH:!ALL", "ciphers: none is left in `HIGH:!ALL`"),
        ("ciphers", "", "ciphers: none is left in ``"),
        ("cipher-suites", "TLS_NO", "cipher-suites: OpenSSL does not know all of `TLS_NO`"),
        (
            "groups", "X25519:P-257",
            "groups: OpenSSL does not know all of `X25519:P-257`, such as X25519:P-256:P-384"
        ),
    ])
    func `a setting that OpenSSL does not know is named`(
        setting: String,
        value: String,
        want: String
    ) {
        var settings = TLSServerSettings.forTest("shop")
        switch setting {
        case "ciphers": settings.ciphers = value
        case "cipher-suites": settings.cipherSuites = value
        default: settings.groups = value
        }
        #expect(self.problem(settings) == want)
    }

    @Test func `authorities' files are named too`() {
        #expect(self.problem(TLSServerSettings(identities: [])) == "there is no certificate")
        var mutual = TLSServerSettings.forTest("shop")
        mutual.clientCertificates = .required(
            TLSAuthorities(path: TLSFiles.shared.path("prose.pem"))
        )
        #expect(
            self.problem(mutual) == "prose.pem: there is no certificate in PEM format in it"
        )
        var client = TLSClientSettings()
        client.authorities = TLSFiles.shared.path("none.pem")
        #expect(throws: TLSSettingsError(client.authorities, "there is no such file")) {
            try TLSClientContext(client)
        }
    }

    @Test func `what is out of date is a warning`() throws {
        let files = TLSFiles.shared
        let settings = TLSServerSettings.forTest("shop", ocsp: "shop.ocsp")
        #expect(try TLSServerContext(settings).warnings.isEmpty)
        let late = try TLSServerContext(settings) { UnixTime(seconds: 4_000_000_000) }
        #expect(
            late.warnings == [
                "\(files.path("shop.pem")): the certificate has expired",
                "\(files.path("shop.ocsp")): the OCSP response has expired and is not sent",
            ]
        )
        let early = try TLSServerContext(settings) { UnixTime(seconds: 1_000_000_000) }
        #expect(
            early.warnings == ["\(files.path("shop.pem")): the certificate is not valid yet"]
        )
    }

    @Test func `a key that every user may read is a warning`() throws {
        let files = TLSFiles.shared
        try files.copy("shop.key", to: "open.key", mode: 0o644)
        let identity = TLSIdentityFiles(
            certificate: files.path("shop.pem"),
            key: files.path("open.key")
        )
        let context = try TLSServerContext(TLSServerSettings(identities: [identity]))
        #expect(
            context.warnings == [
                "\(files.path("open.key")): every user may read the key; chmod it to 600"
            ]
        )
    }

    @Test func `a change of any file is seen`() throws {
        let files = TLSFiles.shared
        let names = ["pem", "key", "ocsp"].map { "watched.\($0)" }
        for name in names {
            try files.copy("shop" + name.dropFirst("watched".count), to: name, mode: 0o600)
        }
        try files.copy("ca.pem", to: "watched-ca.pem", mode: 0o600)
        var settings = TLSServerSettings(
            identities: [files.identity("watched", ocsp: "watched.ocsp")]
        )
        settings.clientCertificates = .optional(
            TLSAuthorities(path: files.path("watched-ca.pem"))
        )
        for name in names + ["watched-ca.pem"] {
            let context = try TLSServerContext(settings)
            #expect(!context.filesChanged())
            // As a tool does that replaces a file at once.
            try files.copy(name, to: "new", mode: 0o600)
            try files.move("new", to: name)
            #expect(context.filesChanged(), "\(name) has changed")
        }
        let context = try TLSServerContext(settings)
        try files.move("watched.ocsp", to: "gone")
        #expect(context.filesChanged())
    }

    // MARK: OCSP

    /// What `openssl s_client` says of a connection in which it asks for the certificate's status.
    private func status(
        _ settings: TLSServerSettings,
        _ version: String,
        now: (@Sendable () -> UnixTime)? = nil
    ) async throws -> String {
        let context = try TLSServerContext(settings, now: now)
        let listener = try TCPListener()
        let output = try TLSFiles.shared.start([
            "s_client", "-connect", "127.0.0.1:\(listener.port)", "-status", version,
            "-servername", "shop.example", "-CAfile", "ca.pem",
        ])
        let end = try TLSEnd(listener.accept()) { TLSStream.accepting(context, $0) }
        try end.handshakeWhenReadable()
        #expect(end.isDone)
        end.stream.closeNotify(&end.scratch)
        end.flush()
        end.shutdown()
        return try output()
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `the authority's word is sent along to who asks for it`(version: String) async throws {
        let settings = TLSServerSettings.forTest("shop", ocsp: "shop.ocsp")
        let said = try await self.status(settings, version)
        #expect(said.contains("OCSP Response Status: successful"))
        #expect(said.contains("Cert Status: good"))
        let none = try await self.status(.forTest("shop"), version)
        #expect(none.contains("OCSP response: no response sent"))
        let late = try await self.status(settings, version) {
            UnixTime(seconds: 4_000_000_000)
        }
        #expect(late.contains("OCSP response: no response sent"))
    }

    @Test func `each certificate has its own authority's word`() async throws {
        var settings = TLSServerSettings.forTest("first", "shop-rsa")
        settings.identities.append(TLSFiles.shared.identity("shop", ocsp: "shop.ocsp"))
        settings.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"
        let ecdsa = try await self.status(settings, "-tls1_2")
        #expect(ecdsa.contains("Cert Status: good"))
        settings.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"
        let rsa = try await self.status(settings, "-tls1_2")
        #expect(rsa.contains("OCSP response: no response sent"))
    }
}
