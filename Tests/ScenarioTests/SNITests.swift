import Foundation
import Testing

extension Scenarios {
    /// Connections of TLS that are passed on by the name they ask for, without decrypting.
    @Suite(.serialized) struct SNITests {
        @Test(
            arguments: [
                ("one.test", "one"), ("ONE.test", "one"), ("two.test", "two"),
                ("a.two.test", "two"), ("three.test", "rest"), (nil, "rest"),
            ] as [(String?, String)]
        )
        func `the name chooses the server, whose own certificate the client sees`(
            name: String?,
            server: String
        ) throws {
            try Scenario.run { scenario in
                let names = try NamedServers(scenario)
                let belay = try names.belay("pool: rest")
                let arguments = name.map { ["-servername", $0] } ?? ["-noservername"]
                for version in ["-tls1_2", "-tls1_3"] {
                    let text = try scenario.handshake(belay.port, arguments + [version])
                    #expect(text.contains("subject=CN = \(server).server\n"))
                }
            }
        }

        @Test func `a name that nobody takes is closed where there is no pool for the rest`() throws
        {
            try Scenario.run { scenario in
                let names = try NamedServers(scenario)
                let belay = try names.belay()
                let text = try scenario.handshake(belay.port, ["-servername", "three.test"])
                #expect(!text.contains("subject="))
                let good = try scenario.handshake(belay.port, ["-servername", "one.test"])
                #expect(good.contains("subject=CN = one.server\n"))
            }
        }

        @Test func `requests pass, and HTTP 2 with them`() throws {
            try Scenario.run { scenario in
                let names = try NamedServers(scenario)
                let belay = try names.belay()
                for (name, version) in [("one", "--http1.1"), ("two", "--http2")] {
                    let answer = try scenario.ask(
                        "https://\(name).test:\(belay.port)/",
                        [version, "--insecure", "--connect-to", "::127.0.0.1:\(belay.port)"]
                    )
                    #expect(answer.text == name)
                }
            }
        }

        @Test(arguments: ["GET / HTTP/1.1\r\nHost: one.test\r\n\r\n", "SSH-2.0-client\r\n"])
        func `what is no TLS goes to the pool for the rest, or is closed`(bytes: String) throws {
            try Scenario.run { scenario in
                let rest = try scenario.server("rest") { wire, _ in
                    let line = try wire.read(until: "\r\n")
                    try wire.write("rest \(line)")
                }
                let names = try NamedServers(scenario)
                let open = try names.belay("pool: plain", [PoolText("plain", servers: [rest])])
                let client = try open.connect()
                try client.write(bytes)
                let line = bytes.prefix { $0 != "\r\n" }
                #expect(try client.readToEnd() == "rest \(line)\r\n")
                #expect(try names.belay().exchange(bytes) == "")
            }
        }

        @Test func `a ClientHello in many pieces is read whole`() throws {
            try Scenario.run { scenario in
                let names = try NamedServers(scenario)
                let belay = try names.belay()
                let port = belay.port
                // A relay that sends each byte by itself.
                let relay = try scenario.server("relay") { wire, _ in
                    let near = wire.socket
                    let far = try Socket.connect(to: port)
                    defer { far.shutDown() }
                    far.sendAtOnce()
                    onThread {
                        while let bytes = try? far.read(), !bytes.isEmpty { try? near.write(bytes) }
                        near.closeWrite()
                    }
                    while true {
                        let bytes = try near.read()
                        if bytes.isEmpty { break }
                        for byte in bytes { try far.write([byte]) }
                    }
                }
                let text = try scenario.handshake(relay.port, ["-servername", "two.test"])
                #expect(text.contains("subject=CN = two.server\n"))
            }
        }

        @Test func `a hello that never ends is cut, and others are served`() throws {
            try Scenario.run { scenario in
                let names = try NamedServers(scenario)
                let belay = try names.belay(top: ["limits: { handshake-timeout: 2s }"])
                let stalled = try belay.connect()
                try stalled.write([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
                let text = try scenario.handshake(belay.port, ["-servername", "one.test"])
                #expect(text.contains("subject=CN = one.server\n"))
                #expect(try stalled.readToEnd() == "")
            }
        }
    }
}

/// Three nginx with certificates of their own.
private struct NamedServers {
    let scenario: Scenario
    let servers: [ServerPeer]

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        let authority = try Authority(scenario)
        self.servers = try ["one", "two", "rest"].map { name in
            let pair = try authority.certificate(["\(name).server"], as: name)
            return try scenario.nginxServer(
                name,
                listen: "ssl http2",
                lines: [
                    "ssl_certificate \(pair.certificate);", "ssl_certificate_key \(pair.key);",
                    "location / { return 200 \"\(name)\\n\"; }",
                ]
            )
        }
    }

    /// Belay with a pool for each, and what the listener does with the rest.
    func belay(
        _ rest: String = "",
        _ others: [PoolText] = [],
        top: [String] = []
    ) throws -> Belay {
        let rules = [
            "{ host: one.test, pool: one }", "{ host: two.test, pool: two }",
            "{ host: \"*.two.test\", pool: two }",
        ]
        let sni = "sni: [\(rules.joined(separator: ", "))]"
        return try self.scenario.belay(
            listeners: [
                rest.isEmpty ? listener("kind: tcp", sni) : listener("kind: tcp", sni, rest)
            ],
            pools: self.servers.map { PoolText($0.name, peers: [$0]) } + others,
            top: top
        )
    }
}
