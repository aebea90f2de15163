import Foundation
import Testing

private let failures = "belay_tls_certificate_reload_failures_total"
private let expiry = "belay_tls_certificate_expiry_timestamp_seconds"

extension Scenarios {
    /// Certificates that change on disk while Belay runs.
    @Suite(.serialized) struct CertificateRenewalTests {
        @Test func `a renewed certificate is served, and no connection is lost`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay()
                let old = try site.authority.serial(of: site.certificate)
                let kept = try scenario.keptClient(belay.port, site.authority)
                #expect(try kept.greeting().serial == old)
                #expect(try kept.ask("/before") == "answer 200 shop")
                let new = try site.renew()
                try look(for: "the new certificate") {
                    try scenario.serial(at: belay.port, site.authority) == new ? true : nil
                }
                #expect(try kept.ask("/after") == "answer 200 shop")
                #expect(try belay.metrics()[failures] == 0)
                #expect(try belay.adminPage("/readyz").status == 200)
            }
        }

        @Test func `renewals under load fail no request`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay(top: ["log: { access: off }"])
                // Each request has a connection and so a handshake of its own.
                let load = try scenario.peer(
                    "tls_load.py",
                    ["\(belay.port)", "until-told", "--authorities", site.authority.path],
                    reads: true
                )
                try load.line(with: "going", on: load.output)
                for _ in 0..<3 {
                    let new = try site.renew()
                    try look(for: "the new certificate") {
                        try scenario.serial(at: belay.port, site.authority) == new ? true : nil
                    }
                }
                try load.endInput()
                #expect(try load.waitForEnd() == 0)
                #expect(load.said("failed") == "0")
                #expect((Int(load.said("done") ?? "") ?? 0) > 0)
            }
        }

        @Test(arguments: ["key of another", "no PEM", "no file"])
        func `a bad new pair leaves the old one, and that is told`(fault: String) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay()
                let old = try site.authority.serial(of: site.certificate)
                try site.spoil(fault)
                try belay.wait(for: failures)
                #expect(try scenario.serial(at: belay.port, site.authority) == old)
                let page = try belay.adminPage("/readyz")
                // The old one serves, so that clients may come.
                #expect(page.status == 200)
                #expect(page.text.contains("certificate"))
                let new = try site.renew()
                try look(for: "the good one") {
                    try scenario.serial(at: belay.port, site.authority) == new ? true : nil
                }
                #expect(try !belay.adminPage("/readyz").text.contains("certificate"))
            }
        }

        @Test func `each certificate has its expiry as a metric`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let other = try site.authority.certificate(["other.test"], as: "other", days: 20)
                let belay = try site.belay(listener: ["name: web"], others: [other])
                let metrics = try belay.metrics()
                for (pair, days) in [(site.certificate, 10.0), (other, 20.0)] {
                    let labels = "{listener=\"web\",certificate=\"\(pair.certificate)\"}"
                    let wanted = Date().timeIntervalSince1970 + days * 86_400
                    #expect(abs(metrics[expiry + labels] - wanted) < 3_600)
                }
            }
        }

        @Test func `a renewed staple is served`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let staple = try site.authority.stapled(site.certificate, as: "staple")
                let entry = site.certificate.entry.replacing(" }", with: ", ocsp: \"\(staple)\" }")
                let belay = try scenario.belay(
                    listeners: [listener("tls: { certificates: [\(entry)] }")],
                    pools: [site.pool]
                )
                let first = try scenario.handshake(belay.port, ["-status"])
                #expect(first.contains("Cert Status: good"))
                let revoked = try site.authority.stapled(
                    site.certificate,
                    as: "revoked",
                    revoked: true
                )
                let files = FileManager.default
                try files.removeItem(atPath: staple)
                try files.copyItem(atPath: revoked, toPath: staple)
                try look(for: "the new staple") {
                    let text = try scenario.handshake(belay.port, ["-status"])
                    return text.contains("Cert Status: revoked") ? true : nil
                }
            }
        }
    }
}

extension Site {
    /// Puts a new certificate in the place of the old one; its serial number.
    fileprivate func renew() throws -> String {
        try self.authority.serial(of: try self.authority.certificate())
    }

    fileprivate func spoil(_ fault: String) throws {
        let path = self.certificate.certificate
        switch fault {
        case "key of another":
            let other = try self.authority.certificate(["shop.test"], as: "another")
            try FileManager.default.removeItem(atPath: self.certificate.key)
            try FileManager.default.copyItem(atPath: other.key, toPath: self.certificate.key)
        case "no PEM": try self.scenario.file("server.pem", "nonsense\n")
        default: try FileManager.default.removeItem(atPath: path)
        }
    }
}
