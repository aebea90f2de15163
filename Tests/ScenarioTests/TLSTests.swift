import Foundation
import Testing

extension Scenarios {
    /// Handshakes, as OpenSSL's own client makes them.
    @Suite(.serialized) struct TLSTests {
        @Test(
            arguments: [
                (nil, "-tls1_1", nil), (nil, "-tls1_2", "TLSv1.2"), (nil, "-tls1_3", "TLSv1.3"),
                ("minimum: \"1.3\"", "-tls1_2", nil), ("minimum: \"1.3\"", "-tls1_3", "TLSv1.3"),
            ] as [(String?, String, String?)]
        )
        func `versions below the minimum are refused`(
            setting: String?,
            option: String,
            version: String?
        ) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay(setting.map { [$0] } ?? [])
                // Without this the client itself would not offer the old ones.
                let arguments = [option, "-cipher", "DEFAULT@SECLEVEL=0"]
                let text = try scenario.handshake(belay.port, arguments)
                #expect(text.contains("New, \(version ?? "(NONE)"), Cipher is"))
                if version == nil {
                    let reason = "{reason=\"no-shared-version\"}"
                    try belay.wait(for: ["belay_tls_handshake_failures_total\(reason)": 1])
                }
            }
        }

        @Test(
            arguments: [
                ("", "h2,http/1.1", "h2"), ("", "http/1.1,h2", "h2"), ("", "http/1.1", "http/1.1"),
                ("", "spdy/1,http/1.1", "http/1.1"), ("", "", "none"), ("", "spdy/1", "refused"),
                ("protocols: [http/1.1]", "h2,http/1.1", "http/1.1"),
                ("protocols: [http/1.1]", "h2", "refused"),
                ("protocols: [http/1.1, h2]", "h2,http/1.1", "http/1.1"),
                ("protocols: [h2]", "http/1.1", "refused"),
            ]
        )
        func `the version of HTTP is agreed on by ALPN`(
            setting: String,
            offered: String,
            chosen: String
        ) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay(listener: setting.isEmpty ? [] : [setting])
                let arguments = offered.isEmpty ? [] : ["-alpn", offered]
                let text = try scenario.handshake(belay.port, arguments)
                switch chosen {
                case "none": #expect(text.contains("No ALPN negotiated"))
                // RFC 7301: no_application_protocol.
                case "refused": #expect(text.contains("alert number 120"))
                default: #expect(text.contains("ALPN protocol: \(chosen)"))
                }
            }
        }

        @Test(
            arguments: [
                ("shop.test", "shop.test"), ("SHOP.test", "shop.test"), ("api.test", "api.test"),
                ("a.wild.test", "*.wild.test"), ("b.wild.test", "*.wild.test"),
                ("exact.wild.test", "exact.wild.test"), ("a.b.wild.test", "shop.test"),
                ("wild.test", "shop.test"), ("unknown.test", "shop.test"), (nil, "shop.test"),
            ] as [(String?, String)]
        )
        func `the certificate is chosen by the name that is asked for`(
            name: String?,
            subject: String
        ) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let others = try ["api.test", "*.wild.test", "exact.wild.test"].map { name in
                    try site.authority.certificate(
                        [name],
                        as: name.replacing("*", with: "any")
                    )
                }
                let belay = try site.belay(others: others)
                let arguments = name.map { ["-servername", $0] } ?? ["-noservername"]
                let text = try scenario.handshake(belay.port, arguments)
                #expect(text.contains("subject=CN = \(subject)\n"))
            }
        }

        @Test(arguments: [("shop.test", true), ("unknown.test", false), (nil, true)])
        func `unknown names are refused where they shall be`(
            name: String?,
            isServed: Bool
        ) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay(["unknown-names: refuse"])
                let arguments = name.map { ["-servername", $0] } ?? ["-noservername"]
                let text = try scenario.handshake(belay.port, arguments)
                // RFC 6066: unrecognized_name.
                #expect(text.contains("alert number 112") == !isServed)
                #expect(text.contains("subject=CN = shop.test") == isServed)
            }
        }

        @Test(
            arguments: [
                (["-sigalgs", "ECDSA+SHA256:RSA-PSS+SHA256"], "ECDSA"),
                (["-sigalgs", "ECDSA+SHA256"], "ECDSA"),
                (["-sigalgs", "RSA-PSS+SHA256"], "RSA-PSS"),
                (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "RSA-PSS"),
                (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "ECDSA"),
            ]
        )
        func `RSA and ECDSA stand side by side`(options: [String], kind: String) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let rsa = try site.authority.certificate(["shop.test"], as: "rsa", .rsa)
                let belay = try site.belay(others: [rsa])
                let text = try scenario.handshake(
                    belay.port,
                    ["-servername", "shop.test"] + options
                )
                #expect(text.contains("Peer signature type: \(kind)"))
                #expect(text.contains("Server public key is \(kind == "ECDSA" ? 256 : 2048) bit"))
            }
        }

        @Test func `an answer of the authority is stapled`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let staple = try site.authority.stapled(site.certificate, as: "staple")
                let entry = site.certificate.entry.replacing(" }", with: ", ocsp: \"\(staple)\" }")
                let belay = try scenario.belay(
                    listeners: [listener("tls: { certificates: [\(entry)] }")],
                    pools: [site.pool]
                )
                let text = try scenario.handshake(belay.port, ["-status"])
                #expect(text.contains("OCSP Response Status: successful"))
                #expect(text.contains("Cert Status: good"))
            }
        }

        @Test func `plain HTTP on a port of TLS is answered 400`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay()
                let answer = try belay.ask()
                #expect(answer.status == 400)
                #expect(answer.closes)
                let reason = "{reason=\"plain-http\"}"
                try belay.wait(for: ["belay_tls_handshake_failures_total\(reason)": 1])
                #expect(site.server.requests.now.isEmpty)
                #expect(try site.ask(belay).text == "shop")
            }
        }

        @Test(
            arguments: [
                ("on", "/a?b=c", "https://shop.test/a?b=c"),
                ("8443", "/", "https://shop.test:8443/"),
            ]
        )
        func `clear text is sent to TLS`(setting: String, path: String, location: String) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try scenario.belay(
                    listeners: [listener("redirect-to-https: \(setting)")],
                    pools: [site.pool]
                )
                for method in ["GET", "POST", "HEAD"] {
                    let answer = try belay.ask(path, method: method)
                    #expect(answer.status == 308)
                    #expect(answer["location"] == location)
                }
                // The port that the client came to is not that of TLS.
                let client = try belay.connect()
                try client.write("GET \(path) HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n")
                #expect(try client.answer()["location"] == location)
                #expect(site.server.requests.now.isEmpty)
            }
        }

        @Test(arguments: [
            ("{}", "max-age=31536000"),
            (
                "{ max-age: 730d, include-subdomains: true, preload: true }",
                "max-age=63072000; includeSubDomains; preload"
            ),
        ])
        func `browsers are told to stay with TLS, over TLS only`(
            setting: String,
            value: String
        ) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let secure = listener(tls(site.certificate), "hsts: \(setting)")
                let belay = try scenario.belay(listeners: [secure, listener()], pools: [site.pool])
                for version in [ClientVersion.http1TLS, .http2TLS] {
                    let answer = try site.ask(belay, [version.option])
                    #expect(answer["strict-transport-security"] == value)
                }
                let clear = try scenario.ask("http://127.0.0.1:\(belay.ports[1])/")
                #expect(clear.text == "shop")
                #expect(clear["strict-transport-security"] == nil)
            }
        }

        @Test func `the binding's cookie is secure over TLS alone`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let pool = PoolText(servers: [site.server], ["persistence: { cookie: {} }"])
                let belay = try scenario.belay(
                    listeners: [listener(tls(site.certificate)), listener()],
                    pools: [pool]
                )
                for version in [ClientVersion.http1TLS, .http2TLS] {
                    let cookie = try site.ask(belay, [version.option])["set-cookie"]
                    #expect(cookie?.contains("Secure") == true)
                }
                let clear = try scenario.ask("http://127.0.0.1:\(belay.ports[1])/")
                #expect(clear["set-cookie"]?.contains("Secure") == false)
            }
        }

        @Test(arguments: ["-tls1_2", "-tls1_3"])
        func `the log and the counters tell of TLS`(version: String) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay()
                _ = try scenario.handshakeAndRequest(belay.port, [version])
                #expect(try belay.log(1)[0]["tls"] == .text(version == "-tls1_2" ? "1.2" : "1.3"))
                try belay.wait(for: ["belay_tls_handshakes_total": 1])
            }
        }
    }
}

/// One server behind a listener of TLS.
struct Site {
    let scenario: Scenario
    let authority: Authority
    let certificate: Certificate
    let server: RawServer

    var pool: PoolText { PoolText(servers: [self.server]) }

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        self.authority = try Authority(scenario)
        self.certificate = try self.authority.certificate()
        self.server = try scenario.server("shop")
    }

    /// Belay with these settings of `tls`, these of the listener, and more certificates.
    func belay(
        _ settings: [String] = [],
        listener lines: [String] = [],
        others: [Certificate] = [],
        top: [String] = []
    ) throws -> Belay {
        let entries = ([self.certificate] + others).map(\.entry).joined(separator: ", ")
        let group = (["certificates: [\(entries)]"] + settings).joined(separator: ", ")
        let all = (["address: \"127.0.0.1:0\"", "tls: { \(group) }"] + lines)
        return try self.scenario.belay(
            listeners: ["  - { " + all.joined(separator: ", ") + " }"],
            pools: [self.pool],
            top: top
        )
    }

    /// Asks over TLS with curl.
    func ask(_ belay: Belay, _ arguments: [String] = []) throws -> Message {
        let options = ["--cacert", self.authority.path] + arguments
        return try self.scenario.ask(belay.secureURL + "/", options)
    }
}
