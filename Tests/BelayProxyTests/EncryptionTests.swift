import BelayBytes
import BelayCore
import BelayProxy
import BelayTransport
import Testing

/// TLS on both sides.
@Suite struct EncryptionTests {
    /// A stage whose listener and servers are encrypted, or not.
    private func stage(
        client: Bool,
        server: Bool,
        _ version: Version = .http1,
        offered: [TLSApplicationProtocol]? = nil,
        adjust: (inout Setup) -> Void = { _ in }
    ) throws -> Stage {
        let listener = client ? try Certificates.shared.server() : nil
        var setup = Setup { $0.tls = listener }
        setup.speaksHTTP2 = version == .http2
        if server {
            let spoken: TLSApplicationProtocol = version == .http2 ? .http2 : .http11
            setup.serverTLS = try Certificates.shared.server(offered ?? [spoken])
            let context = try Certificates.shared.client([spoken])
            setup.adjustPool = { pool in
                pool.tls = pool.servers.map { _ in
                    ServerEncryption(context: context, serverName: "shop.example")
                }
            }
        }
        adjust(&setup)
        return try Stage(setup)
    }

    @Test(arguments: Version.pairs, [(true, false), (false, true), (true, true)])
    func `long bodies pass both ways`(
        versions: (client: Version, server: Version),
        encrypted: (client: Bool, server: Bool)
    ) throws {
        let stage = try self.stage(
            client: encrypted.client,
            server: encrypted.server,
            versions.server
        )
        let context = try Certificates.shared.client(versions.client == .http2 ? [.http2] : [])
        let tls = encrypted.client ? context : nil
        let body = String(repeating: "0123456789abcdef", count: 100_000)
        for size in [0, 1, 16_384, 100_000, 1_600_000] {
            let sent = String(body.prefix(size))
            var asker: End
            switch versions.client {
            case .http1:
                let slot = try stage.connect(tls: tls)
                let length = "Content-Length: \(size)\r\n\r\n"
                stage.send(slot, "PUT / HTTP/1.1\r\nHost: a\r\n" + length + sent)
                asker = .text(slot)
            case .http2:
                let client = try stage.talk(tls: tls)
                let head = "PUT / HTTP/1.1\r\nHost: a\r\n\r\n"
                asker = .frames(client, try client.request(head, body: sent))
            }
            let (asked, request) = try stage.asked(versions.server)
            #expect(request.body == sent)
            stage.reply(asked, body: sent)
            #expect(try stage.answer(asker).body == sent)
        }
        stage.waitUntilFree()
    }

    @Test func `clear text on an encrypted port is told so`() throws {
        let stage = try self.stage(client: true, server: false)
        let client = try stage.connect()
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try stage.message(client)
        #expect(answer.status == 400)
        #expect(answer.body.contains("plain-http"))
        stage.finish(client)
        stage.end(client)
        #expect(!stage[client].isCut)
        stage.waitUntilFree()
    }

    @Test func `what is no handshake at all ends the connection`() throws {
        let stage = try self.stage(client: true, server: false)
        let client = try stage.connect()
        stage.send(client, [UInt8](repeating: 0xFF, count: 600))
        stage.end(client)
        #expect(!stage[client].isCut)
        stage.close(client)
        stage.watch("the connection is given back") { stage.shared.openConnections == 0 }
    }

    @Test(arguments: [true, false])
    func `a server's certificate must hold`(hasName: Bool) throws {
        let stage = try self.stage(client: false, server: true) { setup in
            guard hasName else {
                setup.serverTLS = nil
                return
            }
            let adjust = setup.adjustPool
            setup.adjustPool = { pool in
                adjust(&pool)
                pool.tls[0].serverName = "other.example"
            }
        }
        let client = try stage.connect()
        stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        if !hasName {
            // The server does not speak TLS.
            stage.wait("the first bytes arrive") {
                guard
                    let slot = stage.peers.keys.first(where: {
                        stage[$0].server != nil && !stage[$0].received.isEmpty
                    })
                else { return false }
                stage.send(slot, "HTTP/1.1 400 Bad Request\r\n\r\n")
                return true
            }
        }
        #expect(try stage.message(client).status == 502)
        let isTold = stage.notices.all.contains {
            if case .handshakeFailed(pool: 0, server: 0, _) = $0 { true } else { false }
        }
        #expect(isTold)
        stage.waitUntilFree()
    }

    @Test func `a server that does not agree on HTTP/2 is given up, each time`() throws {
        let stage = try self.stage(client: false, server: true, .http2, offered: []) { setup in
            setup.limits.pendingConnects = 2
        }
        for _ in 0..<5 {
            let client = try stage.connect()
            stage.send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try stage.message(client).status == 502)
        }
        stage.waitUntilFree()
    }

    @Test(arguments: Version.allCases)
    func `a client's close notice ends the connection between requests`(version: Version) throws {
        let stage = try self.stage(client: true, server: false)
        let context = try Certificates.shared.client(version == .http2 ? [.http2] : [])
        let slot: Int
        switch version {
        case .http1: slot = try stage.connect(tls: context)
        case .http2: slot = try stage.talk(tls: context).slot
        }
        stage.settle()
        stage.finish(slot)
        stage.end(slot)
        #expect(!stage[slot].isCut)
        stage.close(slot)
        stage.watch("the connection is given back") { stage.shared.openConnections == 0 }
    }
}
