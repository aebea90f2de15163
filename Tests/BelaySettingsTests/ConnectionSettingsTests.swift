import BelayCore
import BelaySettings
import Testing

/// How clients and servers are connected to: what the file says reaches its value.
@Suite struct ConnectionSettingsTests {
    private static let standards = Settings.Listener(address: SocketAddress(ip: .anyV6, port: 1))

    private func listener(_ text: String) throws -> Settings.Listener {
        let text = "listeners: [\(text)]\npools: {shop: {servers: [a:1]}}\n"
        let (settings, problems) = SettingsFile.load(text: text, file: "f")
        #expect(problems.isEmpty)
        return try #require(settings?.listeners.first)
    }

    @Test func `a listener speaks both versions of HTTP, in clear text`() throws {
        let listener = try self.listener("\":1\"")
        #expect(listener.kind == .http)
        #expect(listener.protocols == [.http2, .http1])
        #expect(listener.tls == nil && listener.hsts == nil && listener.redirectToHTTPS == nil)
        #expect(listener.proxyProtocol == .off)
        #expect(listener.pool == nil && listener.sni.isEmpty)
    }

    @Test func `a certificate is all that TLS needs`() throws {
        let listener = try self.listener(
            "{address: ':1', tls: {certificates: [{certificate: c, key: k}]}, hsts: {}}"
        )
        let tls = try #require(listener.tls)
        #expect(tls.certificates == [Settings.Certificate(certificate: "c", key: "k")])
        #expect(tls.minimum == .tls12)
        #expect(tls.ciphers.split(separator: ":").count == 6)
        #expect(tls.cipherSuites.split(separator: ":").count == 3)
        #expect(tls.groups == "X25519:P-256:P-384")
        #expect(tls.clientCertificates == nil)
        #expect(tls.tickets)
        #expect(tls.ticketRotation == .hours(12))
        #expect(tls.unknownNames == .serve)
        #expect(listener.hsts?.maxAge == .hours(24 * 365))
        #expect(listener.hsts == Settings.StrictTransport())
    }

    @Test func `every setting of a listener reaches its value`() throws {
        let listeners = try #require(SettingsFile.load(text: fullFile, file: "f").0).listeners
        let inner = listeners[1]
        #expect(inner.protocols == [.http1])
        #expect(inner.proxyProtocol == .optional)
        #expect(inner.hsts?.maxAge == .hours(24 * 730))
        #expect(inner.hsts?.includeSubdomains == true)
        #expect(inner.hsts?.preload == true)

        let tls = try #require(inner.tls)
        #expect(tls.certificates.map(\.certificate) == ["tls/rsa.pem", "tls/ec.pem"])
        #expect(tls.certificates.map(\.key) == ["tls/rsa.key", "tls/ec.pem"])
        #expect(tls.certificates.map(\.ocsp) == ["tls/rsa.der", nil])
        #expect(tls.unknownNames == .refuse)
        #expect(tls.clientCertificates?.mode == .optional)
        #expect(tls.clientCertificates?.authorities == "tls/staff.pem")
        #expect(tls.clientCertificates?.depth == 1)
        #expect(tls.minimum == .tls13)
        #expect(tls.ciphers == "ECDHE+AESGCM:!SHA1")
        #expect(tls.cipherSuites == "TLS_AES_128_GCM_SHA256")
        #expect(tls.groups == "P-256")
        #expect(!tls.tickets)
        #expect(tls.ticketRotation == .hours(1))

        #expect(listeners[2].redirectToHTTPS == 8443)

        let tcp = listeners[3]
        #expect(tcp.kind == .tcp)
        #expect(tcp.proxyProtocol == .required)
        #expect(tcp.pool?.rawValue == "db")
        #expect(tcp.sni.map(\.host) == [.suffix(".db.example.com"), .exact("db.example.com")])
        #expect(tcp.sni.map(\.pool.rawValue) == ["api", "db"])
    }

    @Test func `every setting of connections to servers reaches its value`() throws {
        let pools = try #require(SettingsFile.load(text: fullFile, file: "f").0).pools
        let tls = try #require(pools[1].tls)
        #expect(tls.authorities == "tls/db.pem")
        #expect(tls.serverName == "db.internal")
        #expect(tls.verify)
        #expect(tls.certificate == "tls/belay.pem")
        #expect(tls.key == "tls/belay.key")
        #expect(tls.minimum == .tls13)
        #expect(pools[1].proxyProtocol == .v2)
        #expect(pools[1].proxyProtocolTLVs == Settings.ProxyTLV.allCases)
        #expect(pools[1].health?.interval == .seconds(1))
        #expect(pools[1].health?.timeout == .milliseconds(500))
        #expect(pools[1].health?.fall == 2)
        #expect(pools[1].health?.rise == 5)
        #expect(pools[1].tunnelsPerServer == 300)
    }

    @Test(
        arguments: [
            ("http/1.1", .http1, nil), ("h2", .http2, Settings.PoolTLS()),
            ("h2c", .http2ClearText, nil),
        ] as [(String, Settings.ServerProtocol, Settings.PoolTLS?)]
    )
    func `"protocol: h2" turns TLS on`(
        word: String,
        want: Settings.ServerProtocol,
        tls: Settings.PoolTLS?
    ) throws {
        let text = "pools: {shop: {servers: [a:1], protocol: \(word)}}\n"
        let pool = try #require(SettingsFile.load(text: text, file: "f").0?.pools.first)
        #expect(pool.serverProtocol == want)
        #expect(pool.tls == tls)
    }

    @Test(
        arguments: [("off", nil), ("on", 443), ("443", 443), ("8443", 8443)] as [(String, UInt16?)]
    )
    func `where clients of clear text are sent`(word: String, want: UInt16?) throws {
        let listener = try self.listener("{address: ':1', redirect-to-https: \(word)}")
        #expect(listener.redirectToHTTPS == want)
    }

    @Test(
        arguments: [
            ("1.2", .tls12), ("\"1.2\"", .tls12), ("1.3", .tls13), ("'1.3'", .tls13),
        ] as [(String, Settings.TLSVersion)]
    )
    func `a version is a number or a text`(word: String, want: Settings.TLSVersion) throws {
        let listener = try self.listener(
            "{address: ':1', tls: {certificates: [{certificate: c, key: k}], minimum: \(word)}}"
        )
        #expect(listener.tls?.minimum == want)
    }

    @Test(
        arguments: [
            ("https://Shop.example.com", "https://shop.example.com"),
            ("HTTPS://shop.example.com:443", "https://shop.example.com"),
            ("http://shop.example.com:80", "http://shop.example.com"),
            ("http://shop.example.com:443", "http://shop.example.com:443"),
            ("https://*.example.com:8443", "https://*.example.com:8443"),
            ("'https://[::1]:8443'", "https://[::1]:8443"),
            ("capacitor://localhost", "capacitor://localhost"),
        ]
    )
    func `origins are kept as browsers write them`(text: String, want: String) throws {
        let text = "routes:\n- pool: a\n  origins:\n  - \(text)\npools: {a: {servers: [x:1]}}\n"
        let settings = try #require(SettingsFile.load(text: text, file: "f").0)
        #expect(settings.routes[0].origins.map(\.spelled) == [want])
    }

    @Test func `an origin has a scheme, a host and perhaps a port`() throws {
        let origins = try #require(SettingsFile.load(text: fullFile, file: "f").0).routes[1].origins
        #expect(origins.map(\.scheme) == ["https", "https", "http"])
        #expect(
            origins.map(\.host) == [
                .suffix(".example.com"), .exact("example.com"), .exact("localhost"),
            ]
        )
        #expect(origins.map(\.port) == [nil, nil, 3000])
    }

    static let tcp = "{address: ':1', kind: tcp, pool: db}"
    static let pools = "db: {servers: [a:1]}"

    @Test(
        arguments: [
            // One pool gets the requests, where there are any.
            ("':1'", pools, ["db"]),
            ("\(tcp), ':2'", pools, ["db"]),
            (tcp, pools, []),
            // Of several, the one that TCP leaves.
            ("\(tcp), ':2'", "\(pools), web: {servers: [b:1]}", ["web"]),
            (tcp, "\(pools), web: {servers: [b:1]}", []),
            // Requests that are only redirected need no pool.
            (
                "\(tcp), {address: ':2', redirect-to-https: on}",
                "\(pools), web: {servers: [b:1]}, api: {servers: [c:1]}", []
            ),
        ]
    )
    func `routes that are left out`(listeners: String, pools: String, want: [String]) throws {
        let text = "listeners: [\(listeners)]\npools: {\(pools)}\n"
        let (settings, problems) = SettingsFile.load(text: text, file: "f")
        #expect(problems.isEmpty)
        #expect(try #require(settings).routes.map(\.pool.rawValue) == want)
    }
}
