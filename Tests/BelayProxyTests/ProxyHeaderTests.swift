import BelayBytes
import BelayCore
import BelayHTTP
import BelayProxy
import BelayTransport
import Testing

/// The PROXY protocol, from proxies before Belay and to servers behind it.
@Suite struct ProxyHeaderTests {
    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let named = SocketAddress(ip: IPAddress(v4: 0xC0_00_02_07), port: 4711)

    private static func header(
        _ version: ProxyHeaderVersion,
        _ source: SocketAddress = Self.named
    ) -> [UInt8] {
        var out = ByteWriter(capacity: 512)
        let destination = SocketAddress(ip: .loopbackV4, port: 80)
        writeProxyHeader(version, source: source, destination: destination, into: &out)
        let bytes = out.bytes
        return bytes.indices.map { bytes[$0] }
    }

    /// Says that the connection is the proxy's own.
    private static let local: [UInt8] =
        Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x20, 0, 0, 0]

    private static func setup(
        _ rule: ListenerPlan.ProxyHeaderRule,
        isTrusted: Bool = true
    ) -> Setup {
        var setup = Setup { $0.proxyHeader = rule }
        if isTrusted { setup.trusted = [Network(.loopbackV4)] }
        return setup
    }

    // MARK: In

    @Test(
        arguments: [
            (Self.header(.v1), "accepted", "192.0.2.7"),
            (Self.header(.v2), "accepted", "192.0.2.7"),
            (Self.local, "local", "127.0.0.1"),
            (Array("PROXY UNKNOWN\r\n".utf8), "local", "127.0.0.1"),
        ],
        [ListenerPlan.ProxyHeaderRule.optional, .required]
    )
    func `the client is whom a trusted proxy names`(
        header: (bytes: [UInt8], result: String, client: String),
        rule: ListenerPlan.ProxyHeaderRule
    ) throws {
        let stage = try Stage(Self.setup(rule))
        // At once, and byte by byte.
        for isWhole in [true, false] {
            let client = try stage.connect()
            let bytes = header.bytes + Array(Self.get.utf8)
            for piece in isWhole ? [bytes] : bytes.map({ [$0] }) {
                stage.send(client, piece)
                if !isWhole { stage.settle() }
            }
            let (server, request) = try stage.request()
            #expect(request.value("x-forwarded-for") == header.client)
            stage.send(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            #expect(try stage.message(client).status == 200)
        }
        #expect(stage.metric("belay_proxy_headers_total{result=\"\(header.result)\"}") == 2)
    }

    @Test(arguments: [
        ("untrusted", Self.header(.v1), ListenerPlan.ProxyHeaderRule.optional, false),
        ("untrusted", Self.header(.v2), .required, false),
        ("missing", Array(Self.get.utf8), .required, true),
        ("missing", Array(Self.get.utf8), .required, false),
        ("malformed", Array("PROXY TCP4 1.2.3.4\r\n".utf8), .optional, true),
        ("malformed", Array("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n".utf8), .required, true),
        ("malformed", Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x31, 0x11, 0, 0], .required, true),
    ])
    func `a connection with no proper header is cut and counted`(
        result: String,
        bytes: [UInt8],
        rule: ListenerPlan.ProxyHeaderRule,
        isTrusted: Bool
    ) throws {
        let stage = try Stage(Self.setup(rule, isTrusted: isTrusted))
        let client = try stage.connect()
        stage.send(client, bytes)
        stage.end(client)
        #expect(stage[client].received.isEmpty)
        stage.settle()
        #expect(stage.metric("belay_proxy_headers_total{result=\"\(result)\"}") == 1)
        #expect(stage.metric("belay_connections_refused_total{reason=\"proxy-header\"}") == 1)
        #expect(stage.shared.openConnections == 0)
    }

    @Test func `a connection that ends before its header is closed`() throws {
        let stage = try Stage(Self.setup(.required))
        let client = try stage.connect()
        stage.finish(client)
        stage.end(client)
        let half = try stage.connect()
        stage.send(half, "PROXY TCP4 ")
        stage.settle()
        stage.close(half, cutting: true)
        stage.watch("both are given back") { stage.shared.openConnections == 0 }
    }

    @Test(arguments: [true, false])
    func `where a header may be left out, none is asked for`(isTrusted: Bool) throws {
        let stage = try Stage(Self.setup(.optional, isTrusted: isTrusted))
        // The first shares three bytes with a header.
        for request in ["PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", Self.get] {
            let client = try stage.connect()
            stage.send(client, request)
            let (server, asked) = try stage.request()
            #expect(asked.value("x-forwarded-for") == "127.0.0.1")
            stage.send(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            #expect(try stage.message(client).status == 200)
        }
        #expect(stage.metric("belay_proxy_headers_total{result=\"absent\"}") == 2)
    }

    @Test(arguments: Version.allCases, [true, false])
    func `behind the header comes what always comes`(version: Version, tls: Bool) throws {
        let context = try Certificates.shared.server()
        var setup = Self.setup(.required)
        if tls { setup.listeners[0].tls = context }
        let stage = try Stage(setup)
        let client = try Certificates.shared.client(version == .http2 ? [.http2] : [])
        let header = Self.header(.v2)
        switch version {
        case .http1:
            let slot = try stage.connect(ahead: header, tls: tls ? client : nil)
            stage.send(slot, Self.get)
            let (server, request) = try stage.request()
            #expect(request.value("x-forwarded-for") == "192.0.2.7")
            stage.reply(.text(server))
            #expect(try stage.message(slot).status == 200)
        case .http2:
            let talker = try stage.talk(ahead: header, tls: tls ? client : nil)
            for _ in 0..<2 {
                let id = try talker.get("/")
                let (server, request) = try stage.request()
                #expect(request.value("x-forwarded-for") == "192.0.2.7")
                stage.reply(.text(server))
                #expect(stage.whole(talker, id).status == 200)
            }
        }
    }

    @Test func `the limit of one client is that of the one who is named`() throws {
        var setup = Self.setup(.required)
        setup.limits.connectionsPerClient = 1
        let stage = try Stage(setup)
        let other = SocketAddress(ip: IPAddress(v4: 0xC0_00_02_08), port: 4711)
        let first = try stage.connect(ahead: Self.header(.v1))
        let second = try stage.connect(ahead: Self.header(.v1, other))
        stage.settle()
        let third = try stage.connect(ahead: Self.header(.v2))
        stage.end(third)
        for client in [first, second] {
            stage.send(client, Self.get)
            stage.reply(.text(try stage.request().slot))
            #expect(try stage.message(client).status == 200)
        }
        // Who has left is not counted any more.
        stage.close(first)
        stage.watch("it has left") { stage.shared.openConnections == 1 }
        let fourth = try stage.connect(ahead: Self.header(.v2))
        stage.send(fourth, Self.get)
        stage.reply(.text(try stage.request().slot))
        #expect(try stage.message(fourth).status == 200)
    }

    // MARK: Out

    /// The header that a server's connection began with, taken off.
    private func taken(_ stage: Stage, _ slot: Int) throws -> ProxyHeader {
        var header: ProxyHeader?
        stage.wait("a header arrives") {
            let bytes = stage[slot].received
            if case .header(let found, let length) = try? ProxyHeader.parse(bytes.span, from: 0) {
                let rest = Array(stage.takeAll(slot)[length...])
                stage.putBack(slot, rest)
                header = found
            }
            return header != nil
        }
        return try #require(header)
    }

    /// Waits for a new connection at a server.
    private func arrival(_ stage: Stage, besides known: Set<Int> = []) -> Int {
        var found = -1
        stage.wait("a connection arrives at a server") {
            found =
                stage.peers.keys.first { stage[$0].server != nil && !known.contains($0) } ?? -1
            return found >= 0
        }
        return found
    }

    @Test(arguments: [ProxyHeaderOut.version1, .version2])
    func `a server is told whose connection it is, and each client has its own`(
        version: ProxyHeaderOut
    ) throws {
        var setup = Setup()
        setup.adjustPool = { $0.proxyHeader = version }
        let stage = try Stage(setup)
        var known: Set<Int> = []
        let clients = [try stage.connect(), try stage.connect()]
        for client in clients {
            stage.send(client, Self.get)
            let server = self.arrival(stage, besides: known)
            known.insert(server)
            let header = try self.taken(stage, server)
            #expect(header.command == .proxy)
            #expect(header.source?.ip == .loopbackV4)
            #expect(header.destination == stage.addresses[0])
            stage.reply(.text(try stage.request().slot))
            #expect(try stage.message(client).status == 200)
        }
        // Both connections are idle now, and go to the one that they were opened for.
        var used: [Int] = []
        for client in clients + clients {
            stage.send(client, Self.get)
            let (server, _) = try stage.request()
            used.append(server)
            stage.reply(.text(server))
            #expect(try stage.message(client).status == 200)
        }
        #expect(used[0] != used[1])
        #expect(used[0] == used[2])
        #expect(used[1] == used[3])
        // Another client gets neither.
        stage.close(clients[0])
        let third = try stage.connect()
        stage.send(third, Self.get)
        #expect(!known.contains(self.arrival(stage, besides: known)))
    }

    @Test func `what is told beside the addresses`() throws {
        let context = try Certificates.shared.server()
        var setup = Setup { $0.tls = context }
        setup.adjustPool = {
            $0.proxyHeader = .version2
            $0.proxyHeaderTLVs = [.alpn, .authority, .checksum, .uniqueID, .ssl]
        }
        let stage = try Stage(setup)
        let client = try stage.talk(tls: try Certificates.shared.client([.http2]))
        let id = try client.get("/")
        let server = self.arrival(stage)
        stage.wait("the header arrives") { stage[server].received.count > 16 }
        let bytes = stage[server].received
        let header = try self.taken(stage, server)
        let values = header.tlvs
        func text(_ range: Range<Int>?) -> String? {
            range.map { String(decoding: bytes[$0], as: UTF8.self) }
        }
        #expect(text(values.alpn) == "h2")
        #expect(text(values.authority) == "shop.example")
        #expect(values.uniqueID?.count == 32)
        #expect(values.hasChecksum)
        #expect(text(values.tls?.version) == "TLSv1.3")
        #expect(text(values.tls?.cipher)?.hasPrefix("TLS_") == true)
        stage.reply(.text(try stage.request().slot))
        #expect(stage.whole(client, id).status == 200)
    }

    @Test func `the named client is named again`() throws {
        var setup = Self.setup(.required)
        setup.listeners[0].kind = .tcp
        setup.listeners[0].pool = 0
        setup.adjustPool = { $0.proxyHeader = .version1 }
        let stage = try Stage(setup)
        let client = try stage.connect(ahead: Self.header(.v2))
        stage.send(client, "bytes")
        let server = self.arrival(stage)
        #expect(try self.taken(stage, server).source == Self.named)
        stage.wait("the bytes arrive") { stage.text(server) == "bytes" }
    }

    @Test(arguments: Version.allCases)
    func `a server that speaks TLS gets its header before the handshake`(version: Version) throws {
        let context = try Certificates.shared.client([version == .http2 ? .http2 : .http11])
        var setup = Setup()
        setup.adjustPool = { pool in
            pool.proxyHeader = .version2
            pool.speaksHTTP2 = version == .http2
            pool.tls = pool.servers.map { _ in
                ServerEncryption(context: context, serverName: "shop.example")
            }
        }
        let stage = try Stage(setup)
        let client = try stage.connect()
        stage.send(client, Self.get)
        let slot = self.arrival(stage)
        #expect(try self.taken(stage, slot).command == .proxy)
        // The first record of a handshake.
        stage.wait("the handshake begins") { stage[slot].received.first == 22 }
    }
}
