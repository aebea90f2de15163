import Foundation
import Testing

private let trusting = "trusted-proxies: [127.0.0.0/8]"

extension Scenarios {
    /// Headers of the PROXY protocol, sent and read.
    @Suite(.serialized) struct ProxyProtocolTests {
        // MARK: Sent to servers

        @Test func `a server of TCP gets the client's address in a line`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario, ["--proxy"])
                let belay = try ways.belay(["proxy-protocol: v1"])
                let client = try belay.connect(from: 0x7F00_0005)
                try client.write("x")
                #expect(try client.read(1) == [120])
                let header = try ways.header()
                let ports = "\(client.socket.port) \(belay.port)"
                #expect(header.line == "PROXY TCP4 127.0.0.5 127.0.0.1 \(ports)")
            }
        }

        @Test func `a server of TCP gets the client's address in bytes`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario, ["--proxy"])
                let belay = try ways.belay(["proxy-protocol: v2"])
                let client = try belay.connect(from: 0x7F00_0005)
                try client.write("x")
                #expect(try client.read(1) == [120])
                let header = try ways.header()
                #expect(header.version == 2 && header.command == 1 && header.family == 0x11)
                #expect(header.source == "127.0.0.5")
                #expect(header.sourcePort == Int(client.socket.port))
                #expect(header.destination == "127.0.0.1")
                #expect(header.destinationPort == Int(belay.port))
                #expect(header.checksum == nil && header.authority == nil)
            }
        }

        @Test func `what the server wants to know stands behind the addresses`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario, ["--proxy"])
                let authority = try Authority(scenario)
                let certificate = try authority.certificate()
                let belay = try ways.belay(
                    [
                        "proxy-protocol: v2",
                        "proxy-protocol-tlvs: [alpn, authority, crc32c, unique-id, ssl]",
                    ],
                    listener: [tls(certificate)]
                )
                let client = try scenario.keptClient(belay.port, authority, ["--raw"])
                #expect(try client.ask("x") == "line x")
                let header = try ways.header()
                #expect(header.checksum == "right")
                #expect(header.authority == "shop.test")
                #expect(header.uniqueID?.isEmpty == false)
                // The first byte says that the client came over TLS.
                #expect(header.ssl?.hasPrefix("01") == true)
                #expect(header.ssl?.contains(Data("TLSv1.3".utf8).hexadecimal) == true)
            }
        }

        @Test(arguments: ["v1", "v2"], [ClientVersion.http1, .http2])
        func `nginx learns each client's address, also on kept connections`(
            version: String,
            client: ClientVersion
        ) throws {
            try Scenario.run { scenario in
                let nginx = try scenario.nginxServer(
                    "one",
                    listen: "proxy_protocol",
                    lines: ["location / { return 200 \"$proxy_protocol_addr\\n\"; }"]
                )
                let belay = try scenario.belay(
                    pools: [PoolText(peers: [nginx], ["proxy-protocol: \(version)"])]
                )
                // A connection that carries one client's address must not carry another's request.
                for number in [5, 6, 5, 7, 6, 5] {
                    let address = "127.0.0.\(number)"
                    let options = [client.option, "--interface", address]
                    #expect(try scenario.ask(belay.url, options).text == address)
                }
            }
        }

        @Test func `the header goes before TLS with the server`() throws {
            try Scenario.run { scenario in
                let authority = try Authority(scenario)
                let certificate = try authority.certificate()
                let nginx = try scenario.nginxServer(
                    "one",
                    listen: "ssl http2 proxy_protocol",
                    lines: [
                        "ssl_certificate \(certificate.certificate);",
                        "ssl_certificate_key \(certificate.key);",
                        "location / { return 200 \"$proxy_protocol_addr $server_protocol\\n\"; }",
                    ]
                )
                let lines = ServerVersion.h2.lines(authority) + ["proxy-protocol: v2"]
                let belay = try scenario.belay(pools: [PoolText(peers: [nginx], lines)])
                let answer = try belay.ask()
                #expect(answer.text == "127.0.0.1 HTTP/2.0\n")
            }
        }

        // MARK: Read from clients

        @Test(arguments: Header.allCases)
        func `the address in a header is the client's`(header: Header) throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    listeners: [listener("proxy-protocol: required")],
                    pools: [PoolText(servers: [server])],
                    top: [trusting]
                )
                let client = try belay.connect()
                try client.write(header.bytes)
                // All requests of the connection are this client's.
                for _ in 0..<2 { #expect(try client.ask().text == "a") }
                for request in server.requests.now {
                    #expect(request["x-forwarded-for"] == header.address)
                }
                let own = "\(header.address):"
                let logged = header.address.contains(":") ? "[\(header.address)]:" : own
                let line = try belay.log(1)[0]
                #expect(line["client"]?.description.hasPrefix(logged) == true)
                let result = header == .local ? "local" : "accepted"
                try belay.wait(for: ["belay_proxy_headers_total{result=\"\(result)\"}": 1])
            }
        }

        @Test(arguments: [ClientVersion.http1TLS, .http2TLS, .http1, .http2])
        func `curl's header is read before TLS and before HTTP 2`(version: ClientVersion) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let proxied = "proxy-protocol: required"
                let belay = try scenario.belay(
                    listeners: [
                        version.isSecure
                            ? listener(tls(site.certificate), proxied) : listener(proxied)
                    ],
                    pools: [site.pool],
                    top: [trusting]
                )
                let url = version.isSecure ? belay.secureURL : belay.url
                let trust = ["--cacert", site.authority.path]
                let answer = try scenario.ask(
                    url,
                    ["--haproxy-protocol", version.option, "--interface", "127.0.0.9"]
                        + (version.isSecure ? trust : [])
                )
                #expect(answer.text == "shop")
                #expect(site.server.requests.now.last?["x-forwarded-for"] == "127.0.0.9")
                try belay.wait(for: ["belay_proxy_headers_total{result=\"accepted\"}": 1])
            }
        }

        @Test(arguments: ["one piece", "each byte by itself"])
        func `a header may come in pieces, and with the request`(how: String) throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    listeners: [listener("proxy-protocol: required")],
                    pools: [PoolText(servers: [server])],
                    top: [trusting]
                )
                let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                let client = try belay.connect()
                client.socket.sendAtOnce()
                let bytes = Header.bytes4.bytes + Array(request.utf8)
                if how == "one piece" {
                    try client.write(bytes)
                } else {
                    for byte in bytes { try client.write([byte]) }
                }
                #expect(try client.answer().text == "a")
                #expect(server.requests.now.last?["x-forwarded-for"] == Header.bytes4.address)
            }
        }

        @Test(
            arguments: [
                ("required", "", "missing"), ("required", "PROXY nonsense\r\n", "malformed"),
                ("optional", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "malformed"),
                (
                    "optional", "PROXY TCP4 1.2.3.4 \(String(repeating: "9", count: 200))",
                    "malformed"
                ),
            ]
        )
        func `what is no header is closed and counted`(
            mode: String,
            start: String,
            result: String
        ) throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    listeners: [listener("proxy-protocol: \(mode)")],
                    pools: [PoolText(servers: [server])],
                    top: [trusting]
                )
                let text = try belay.exchange(start + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(text == "")
                #expect(server.requests.now.isEmpty)
                try belay.wait(for: [
                    "belay_proxy_headers_total{result=\"\(result)\"}": 1,
                    "belay_connections_refused_total{reason=\"proxy-header\"}": 1,
                ])
            }
        }

        @Test(arguments: ["required", "optional"])
        func `a header from anyone else is closed and counted`(mode: String) throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    listeners: [listener("proxy-protocol: \(mode)")],
                    pools: [PoolText(servers: [server])],
                    top: ["trusted-proxies: [127.0.0.2]"]
                )
                let liar = try belay.connect()
                try liar.write(Header.line.bytes)
                try liar.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try liar.readToEnd() == "")
                try belay.wait(for: ["belay_proxy_headers_total{result=\"untrusted\"}": 1])
                #expect(server.requests.now.isEmpty)
                let proxy = try belay.connect(from: 0x7F00_0002)
                try proxy.write(Header.line.bytes)
                #expect(try proxy.ask().text == "a")
                #expect(server.requests.now.last?["x-forwarded-for"] == Header.line.address)
            }
        }

        @Test func `without a header a client is itself where it may be left out`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    listeners: [listener("proxy-protocol: optional")],
                    pools: [PoolText(servers: [server])],
                    top: ["trusted-proxies: [127.0.0.2]"]
                )
                for source in [UInt32(0x7F00_0001), 0x7F00_0002] {
                    let client = try belay.connect(from: source)
                    #expect(try client.ask().text == "a")
                    let address = "127.0.0.\(source & 0xFF)"
                    #expect(server.requests.now.last?["x-forwarded-for"] == address)
                }
            }
        }

        @Test func `limits count the client in the header and not the proxy`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    listeners: [listener("proxy-protocol: required")],
                    pools: [PoolText(servers: [server])],
                    top: [trusting, "limits: { connections-per-client: 2 }"]
                )
                func client(_ address: String) throws -> Wire {
                    let wire = try belay.connect()
                    try wire.write("PROXY TCP4 \(address) 10.0.0.1 1000 80\r\n")
                    return wire
                }
                // More of the proxy's connections than one client may have.
                let others = try (1...5).map { try client("10.9.9.\($0)") }
                for other in others { #expect(try other.ask().text == "a") }
                let own = try (0..<2).map { _ in try client("10.1.1.1") }
                for wire in own { #expect(try wire.ask().text == "a") }
                #expect(try client("10.1.1.1").readToEnd() == "")
                try belay.wait(for: ["belay_connections_refused_total{reason=\"client-limit\"}": 1])
                own[0].close()
                try look(for: "room for the client") {
                    let wire = try client("10.1.1.1")
                    defer { wire.close() }
                    return (try? wire.ask())?.text == "a" ? true : nil
                }
            }
        }

        @Test func `an address from a header chooses the server and goes on in one`() throws {
            try Scenario.run { scenario in
                let ways = try TCPWays(scenario, count: 3, ["--proxy"])
                let belay = try ways.belay(
                    ["balance: source-hash", "proxy-protocol: v2"],
                    listener: ["proxy-protocol: required"],
                    top: [trusting]
                )
                for _ in 0..<3 {
                    let client = try belay.connect()
                    try client.write("PROXY TCP4 10.1.1.1 10.0.0.1 1000 80\r\nx")
                    #expect(try client.read(1) == [120])
                    client.close()
                }
                let said = ways.servers.map { server in
                    server.program.output.now.filter { $0.hasPrefix("proxy ") }
                }
                #expect(said.filter { !$0.isEmpty }.count == 1)
                let headers = said.flatMap { $0 }
                #expect(headers.count == 3)
                #expect(headers.allSatisfy { $0.contains("\"source\": \"10.1.1.1\"") })
            }
        }

        @Test func `a header that does not come in time is closed, others are served`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    listeners: [listener("proxy-protocol: required")],
                    pools: [PoolText(servers: [server])],
                    top: [trusting, "limits: { handshake-timeout: 2s }"]
                )
                let stalled = try (0..<20).map { _ in try belay.connect() }
                for client in stalled { try client.write("PROXY TCP4 1.2.3.4") }
                let good = try belay.connect()
                try good.write(Header.line.bytes)
                #expect(try good.ask().text == "a")
                for client in stalled { #expect(try client.readToEnd() == "") }
                try belay.wait(for: ["belay_proxy_headers_total{result=\"timed-out\"}": 20])
            }
        }
    }
}

/// Headers as proxies send them.
enum Header: CaseIterable {
    case line
    case line6
    case bytes4
    case bytes6
    /// Of the proxy itself, such as a check of health.
    case local

    /// The client that it tells of.
    var address: String {
        switch self {
        case .line, .bytes4: "192.0.2.7"
        case .line6, .bytes6: "2001:db8::7"
        case .local: "127.0.0.1"
        }
    }

    var bytes: [UInt8] {
        let start = Array("\r\n\r\n\0\r\nQUIT\n".utf8)
        // Ports 1000 and 80.
        let ports: [UInt8] = [0x03, 0xE8, 0x00, 0x50]
        switch self {
        case .line: return Array("PROXY TCP4 192.0.2.7 10.0.0.1 1000 80\r\n".utf8)
        case .line6: return Array("PROXY TCP6 2001:db8::7 2001:db8::1 1000 80\r\n".utf8)
        case .bytes4: return start + [0x21, 0x11, 0, 12] + [192, 0, 2, 7, 10, 0, 0, 1] + ports
        case .bytes6:
            let network: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11)
            return start + [0x21, 0x21, 0, 36] + network + [7] + network + [1] + ports
        case .local: return start + [0x20, 0x00, 0, 0]
        }
    }
}

/// A header that Python has read.
private struct ReadHeader: Decodable {
    enum CodingKeys: String, CodingKey {
        case version, command, family, line, source, destination, authority, ssl
        case sourcePort = "source-port"
        case destinationPort = "destination-port"
        case checksum = "crc32c"
        case uniqueID = "unique-id"
    }

    let version: Int
    let command: Int?
    let family: Int?
    let line: String?
    let source: String?
    let sourcePort: Int?
    let destination: String?
    let destinationPort: Int?
    let checksum: String?
    let authority: String?
    let uniqueID: String?
    let ssl: String?
}

extension TCPWays {
    fileprivate init(_ scenario: Scenario, _ options: [String]) throws {
        try self.init(scenario, count: 1, mode: "echo", options)
    }

    fileprivate init(_ scenario: Scenario, count: Int, _ options: [String]) throws {
        try self.init(scenario, count: count, mode: "echo", options)
    }

    /// The header that the first server has read.
    fileprivate func header() throws -> ReadHeader {
        let text = try self.servers[0].program.lines(beginning: "proxy ")[0]
        return try JSONDecoder().decode(ReadHeader.self, from: Data(text.utf8))
    }
}

extension Data {
    fileprivate var hexadecimal: String {
        self.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
