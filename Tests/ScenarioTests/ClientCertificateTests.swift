import Foundation
import Testing

private let certificateFields = [
    "Client-Cert", "Client-Cert-Chain", "X-Client-Verify", "X-Client-Subject", "X-Client-Issuer",
    "X-Client-Serial", "X-Client-Fingerprint",
]

extension Scenarios {
    /// Clients that show certificates.
    @Suite(.serialized) struct ClientCertificateTests {
        @Test(arguments: ["optional", "required"], [ClientVersion.http1TLS, .http2TLS])
        func `a certificate that holds is passed on to servers`(
            mode: String,
            version: ClientVersion
        ) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay([site.demand(mode)])
                let pair = try site.authority.certificate(["alice"], as: "alice")
                let answer = try site.ask(belay, [version.option] + pair.curlOptions)
                #expect(answer.text == "shop")
                let request = try #require(site.server.requests.now.last)
                // RFC 9440: the certificate in DER and base64, between colons.
                let der = try scenario.der(pair)
                #expect(request["client-cert"] == ":\(der.base64EncodedString()):")
                #expect(request["x-client-verify"] == "SUCCESS")
                #expect(request["x-client-subject"] == "CN=alice")
                #expect(request["x-client-issuer"] == "CN=Test authority authority")
                #expect(request["x-client-serial"] == (try site.authority.serial(of: pair)))
            }
        }

        @Test(arguments: [("optional", true), ("required", false)])
        func `a client without a certificate is let in where it may be`(
            mode: String,
            isServed: Bool
        ) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay([site.demand(mode)])
                for version in ["--tlsv1.3", "--tls-max=1.2"] {
                    let option = version == "--tls-max=1.2" ? ["--tls-max", "1.2"] : [version]
                    let answer = try site.ask(belay, option)
                    #expect((answer.text == "shop") == isServed)
                }
                guard isServed else {
                    let reason = "{reason=\"client-certificate-missing\"}"
                    try belay.wait(for: ["belay_tls_handshake_failures_total\(reason)": 2])
                    return #expect(site.server.requests.now.isEmpty)
                }
                let request = try #require(site.server.requests.now.last)
                #expect(request["client-cert"] == nil)
                #expect(request["x-client-verify"] == "NONE")
            }
        }

        @Test(arguments: ["optional", "required"])
        func `a certificate of another authority is refused in either mode`(mode: String) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay([site.demand(mode)])
                let other = try Authority(scenario, name: "other")
                let pair = try other.certificate(["alice"], as: "alice")
                let answer = try site.ask(belay, pair.curlOptions)
                #expect(answer.status == 0)
                #expect(site.server.requests.now.isEmpty)
                let reason = "{reason=\"bad-certificate\"}"
                try belay.wait(for: ["belay_tls_handshake_failures_total\(reason)": 1])
                let good = try site.authority.certificate(["bob"], as: "bob")
                #expect(try site.ask(belay, good.curlOptions).text == "shop")
            }
        }

        @Test func `an expired certificate is refused`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay([site.demand("required")])
                let pair = try site.authority.expired("alice")
                #expect(try site.ask(belay, pair.curlOptions).status == 0)
                #expect(site.server.requests.now.isEmpty)
                try belay.wait(
                    for: "belay_tls_handshake_failures_total{reason=\"bad-certificate\"}"
                )
            }
        }

        @Test(arguments: ClientVersion.allCases)
        func `nobody can forge what is said of certificates`(version: ClientVersion) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let group = "certificates: [\(site.certificate.entry)], \(site.demand("optional"))"
                let belay = try scenario.belay(
                    listeners: [listener(), listener("tls: { \(group) }")],
                    pools: [site.pool]
                )
                let secure = version.isSecure
                let scheme = secure ? "https" : "http"
                let forged = certificateFields.flatMap { ["--header", "\($0): forged"] }
                let trust = secure ? ["--cacert", site.authority.path] : []
                let answer = try scenario.ask(
                    "\(scheme)://127.0.0.1:\(belay.ports[secure ? 1 : 0])/",
                    [version.option] + trust + forged
                )
                #expect(answer.text == "shop")
                let request = try #require(site.server.requests.now.last)
                #expect(request.fields.allSatisfy { !$0.value.contains("forged") })
            }
        }

        @Test func `nothing is said where it shall not be, and forgeries are dropped too`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay(
                    [site.demand("required")],
                    top: ["headers: { client-certificate: off }"]
                )
                let pair = try site.authority.certificate(["alice"], as: "alice")
                _ = try site.ask(belay, pair.curlOptions)
                let request = try #require(site.server.requests.now.last)
                for name in certificateFields { #expect(request[name] == nil) }
            }
        }
    }
}

extension Site {
    /// The setting that asks clients for certificates of this site's authority.
    func demand(_ mode: String) -> String {
        "client-certificates: { mode: \(mode), authorities: \"\(self.authority.path)\" }"
    }
}

extension Certificate {
    var curlOptions: [String] { ["--cert", self.certificate, "--key", self.key] }
}

extension Scenario {
    fileprivate func der(_ pair: Certificate) throws -> Data {
        let path = self.path("certificate.der")
        _ = try self.run([
            "openssl", "x509", "-in", pair.certificate, "-outform", "DER", "-out", path,
        ])
        return try Data(contentsOf: URL(fileURLWithPath: path))
    }
}
