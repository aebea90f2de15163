import Foundation
import Testing

extension Scenarios {
    /// What a scanner finds that looks for weak TLS.
    @Suite(.serialized) struct TLSScanTests {
        @Test func `testssl finds nothing above LOW in the defaults`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                // Long enough to live that its end is no finding.
                _ = try site.authority.certificate(days: 90)
                let rsa = try site.authority.certificate(["shop.test"], as: "rsa", .rsa, days: 90)
                let belay = try site.belay(others: [rsa])
                let program = try scenario.start([
                    // Protocols, ciphers, forward secrecy, the server's defaults and preferences,
                    // and all known attacks. Not the clients it simulates, nor the fields of
                    // answers, which are the server's own.
                    "testssl", "-p", "-s", "-f", "-S", "-P", "-U",
                    "--quiet", "--color", "0", "--warnings", "off",
                    // The name has no records, which would be findings of their own (CAA).
                    "--ip", "127.0.0.1", "--nodns", "none", "--add-ca", site.authority.path,
                    "--severity", "MEDIUM", "--jsonfile", scenario.path("findings.json"),
                    "https://shop.test:\(belay.port)/",
                ])
                // It makes some hundred handshakes, each with a program of its own.
                try program.waitForEnd(patience: 20 * patienceSeconds)
                let text = scenario.text(of: "findings.json")
                #expect(program.text.contains("Done"), "\(program.text)")
                let found = try JSONDecoder().decode([Finding].self, from: Data(text.utf8))
                // The test's own authority publishes no list of what it revoked.
                let others = found.filter { finding in
                    ["MEDIUM", "HIGH", "CRITICAL"].contains(finding.severity)
                        && !finding.id.hasPrefix("cert_revocation")
                }
                #expect(others.map { "\($0.id): \($0.severity) \($0.finding)" } == [])
                #expect(try site.ask(belay).text == "shop")
            }
        }
    }
}

private struct Finding: Decodable {
    let id: String
    let severity: String
    let finding: String
}
