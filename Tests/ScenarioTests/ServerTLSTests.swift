import Foundation
import Testing

extension Scenarios {
    /// TLS between Belay and servers.
    @Suite(.serialized) struct ServerTLSTests {
        @Test(arguments: ["http/1.1", "h2"])
        func `a server is reached over TLS under its name`(version: String) throws {
            try Scenario.run { scenario in
                let far = try FarServer(scenario, version)
                let belay = try far.belay(["server-name: shop.test"])
                let number = version == "h2" ? "HTTP/2.0" : "HTTP/1.1"
                for _ in 0..<3 {
                    #expect(try belay.ask().text == "\(number) shop.test NONE\n")
                }
                let count = "belay_server_tls_handshakes_total"
                try belay.wait(for: count)
                #expect(try belay.metrics()[count] <= 3)
            }
        }

        @Test(
            arguments: [
                ("another authority", 502), ("another name", 502), ("verify: off", 200),
                ("expired", 502), ("no TLS", 502),
            ]
        )
        func `a server is believed only with a certificate that holds`(
            fault: String,
            status: Int
        ) throws {
            try Scenario.run { scenario in
                let far = try FarServer(
                    scenario,
                    "http/1.1",
                    isExpired: fault == "expired",
                    isPlain: fault == "no TLS"
                )
                let other = try Authority(scenario, name: "other")
                let belay = try far.belay(
                    [
                        "server-name: \(fault == "another name" ? "other.test" : "shop.test")"
                    ] + (fault == "verify: off" ? [fault] : []),
                    authority: fault == "another authority" ? other : nil,
                    believesAnyone: fault == "verify: off"
                )
                #expect(try belay.ask().status == status)
                // A certificate does not come right by asking again.
                #expect(try belay.ask().status == status)
            }
        }

        @Test func `Belay shows a certificate where servers ask for one`() throws {
            try Scenario.run { scenario in
                let far = try FarServer(scenario, "h2", asksForCertificates: true)
                let pair = try far.authority.certificate(["belay"], as: "belay")
                let belay = try far.belay([
                    "server-name: shop.test", "certificate: \"\(pair.certificate)\"",
                    "key: \"\(pair.key)\"",
                ])
                #expect(try belay.ask().text == "HTTP/2.0 shop.test SUCCESS\n")
            }
        }

        @Test(arguments: [("1.2", 200), ("1.3", 502)])
        func `servers below the minimum are refused`(minimum: String, status: Int) throws {
            try Scenario.run { scenario in
                let far = try FarServer(scenario, "http/1.1", versions: "TLSv1.2")
                let settings = ["server-name: shop.test", "minimum: \"\(minimum)\""]
                #expect(try far.belay(settings).ask().status == status)
            }
        }

        @Test func `a server that does not speak HTTP 2 is no server of h2`() throws {
            try Scenario.run { scenario in
                let far = try FarServer(scenario, "http/1.1")
                let belay = try far.belay(["server-name: shop.test"], version: "h2")
                #expect(try belay.ask().status == 502)
            }
        }

        @Test func `a request goes to the next server where one is not believed`() throws {
            try Scenario.run { scenario in
                let good = try FarServer(scenario, "http/1.1")
                let bad = try FarServer(scenario, "http/1.1", name: "bad", isPlain: true)
                let group =
                    "tls: { authorities: \"\(good.authority.path)\", server-name: shop.test }"
                let belay = try scenario.belay(
                    pools: [
                        PoolText(
                            peers: [bad.server, good.server],
                            [group, "balance: round-robin"]
                        )
                    ]
                )
                for _ in 0..<6 { #expect(try belay.ask().status == 200) }
            }
        }
    }
}

/// An nginx that speaks TLS and says what it sees of it.
private struct FarServer {
    let scenario: Scenario
    let authority: Authority
    let server: ServerPeer
    let version: String

    init(
        _ scenario: Scenario,
        _ version: String,
        name: String = "far",
        asksForCertificates: Bool = false,
        versions: String = "TLSv1.2 TLSv1.3",
        isExpired: Bool = false,
        isPlain: Bool = false
    ) throws {
        self.scenario = scenario
        self.version = version
        self.authority = try Authority(scenario, name: "authority-\(name)")
        let pair =
            isExpired
            ? try self.authority.expired("shop.test")
            : try self.authority.certificate(["shop.test"], as: name)
        var lines = [
            "ssl_certificate \(pair.certificate);", "ssl_certificate_key \(pair.key);",
            "ssl_protocols \(versions);",
            "location / { return 200 \"$server_protocol $ssl_server_name $verified\\n\"; }",
        ]
        if asksForCertificates {
            lines.append("ssl_client_certificate \(self.authority.path);")
            lines.append("ssl_verify_client on;")
        }
        self.server = try scenario.nginxServer(
            name,
            listen: isPlain ? "" : version == "h2" ? "ssl http2" : "ssl",
            lines: lines,
            http: ["map $ssl_client_verify $verified { default $ssl_client_verify; '' NONE; }"]
        )
    }

    func belay(
        _ settings: [String],
        authority: Authority? = nil,
        version: String? = nil,
        believesAnyone: Bool = false
    ) throws -> Belay {
        let path = (authority ?? self.authority).path
        let authorities = believesAnyone ? [] : ["authorities: \"\(path)\""]
        let group = (authorities + settings).joined(separator: ", ")
        let lines = ["protocol: \(version ?? self.version)", "tls: { \(group) }"]
        return try self.scenario.belay(pools: [PoolText(peers: [self.server], lines)])
    }
}
