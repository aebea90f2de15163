import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayProxy
import BelayTransport
import Testing

/// The TLS session as a way to bind, ended here and passed through.
@Suite struct TLSWayTests {
    private let pool: WayPool

    init() throws { self.pool = try WayPool() }

    private func way() throws -> [BindingWay] {
        [.tlsSession(TLSSessionBinding(hasher: try self.pool.hasher(.tlsSession)))]
    }

    @Test(arguments: [TLSVersion.tls12, .tls13])
    func `a client that resumes its session comes back to its server`(version: TLSVersion) throws {
        let context = try Certificates.shared.server([.http11], tickets: true)
        let stage = try Stage(self.pool.setup(self.way(), listener: { $0.tls = context }))
        let clients = try (0..<3).map { _ in
            try Certificates.shared.client(maximum: version)
        }
        var servers: [Int] = []
        for round in 0..<4 {
            for (index, client) in clients.enumerated() {
                let slot = try stage.connect(tls: client)
                let visit = try stage.visit(client: slot)
                if round == 0 { servers.append(visit.server) }
                #expect(visit.server == servers[index])
                #expect(try stage.visit(client: slot).server == servers[index])
                stage.close(slot)
            }
        }
        #expect(Set(servers).count == 3)
        #expect(stage.bindings == 3)
        #expect(stage.metric("belay_tls_resumptions_total") == 9)
    }

    @Test func `streams of one session go to one server`() throws {
        let context = try Certificates.shared.server([.http2], tickets: true)
        let stage = try Stage(self.pool.setup(self.way(), listener: { $0.tls = context }))
        let client = try Certificates.shared.client([.http2])
        var servers: Set<Int> = []
        for _ in 0..<2 {
            let talker = try stage.talk(tls: client)
            for _ in 0..<3 {
                let id = try talker.request("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                let (slot, _) = try stage.request()
                servers.insert(try #require(stage[slot].server))
                stage.send(slot, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                #expect(stage.whole(talker, id).isWhole)
            }
            stage.close(talker.slot)
        }
        #expect(servers.count == 1 && stage.bindings == 1)
    }

    @Test func `without a ticket there is no session to bind by`() throws {
        let context = try Certificates.shared.server([.http11])
        let stage = try Stage(self.pool.setup(self.way(), listener: { $0.tls = context }))
        let client = try Certificates.shared.client()
        var servers: Set<Int> = []
        for _ in 0..<3 {
            let slot = try stage.connect(tls: client)
            servers.insert(try stage.visit(client: slot).server)
            stage.close(slot)
        }
        #expect(servers.count == 3 && stage.bindings == 0)
    }

    // MARK: Passed through

    private func sized(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
    }

    private func clientHello(_ id: [UInt8]) -> [UInt8] {
        let body: [UInt8] =
            [3, 3] + [UInt8](repeating: 1, count: 32) + [UInt8(id.count)] + id
            + [0, 2, 0xC0, 0x2B, 1, 0]
        return [22, 3, 1] + self.sized([1, 0] + self.sized(body))
    }

    private func serverHello(_ id: [UInt8], isTLS13: Bool = false) -> [UInt8] {
        var body: [UInt8] =
            [3, 3] + [UInt8](repeating: 2, count: 32) + [UInt8(id.count)] + id + [0xC0, 0x2B, 0]
        if isTLS13 { body += [0, 6, 0, 43, 0, 2, 3, 4] }
        return [22, 3, 3] + self.sized([2, 0] + self.sized(body) + [14, 0, 0, 0])
    }

    /// A connection on which both sides say something: the server that it went to.
    private func connection(
        _ stage: Stage,
        _ hello: [UInt8],
        _ answer: [UInt8],
        bytewise: Bool = false
    ) throws -> Int {
        let known = Set(stage.peers.keys)
        let client = try stage.connect()
        stage.send(client, hello)
        var slot = -1
        stage.wait("the hello arrives at a server") {
            slot = stage.peers.keys.first { stage[$0].server != nil && !known.contains($0) } ?? -1
            return slot >= 0 && stage[slot].received == hello
        }
        if bytewise {
            for byte in answer {
                stage.send(slot, [byte])
                stage.settle()
            }
        } else {
            stage.send(slot, answer)
        }
        stage.wait("the answer arrives") { stage[client].received == answer }
        stage.send(client, "more")
        stage.wait("more arrives") { stage[slot].received == hello + Array("more".utf8) }
        let server = try #require(stage[slot].server)
        stage.close(client)
        stage.end(slot)
        stage.close(slot)
        return server
    }

    private func stage() throws -> Stage {
        try Stage(
            self.pool.setup(
                self.way(),
                listener: {
                    $0.kind = .tcp
                    $0.pool = 0
                }
            )
        )
    }

    @Test(arguments: [true, false])
    func `a session that a server names leads back to it`(bytewise: Bool) throws {
        let stage = try self.stage()
        let (one, two) = ([UInt8](repeating: 7, count: 32), [UInt8](8..<24))
        let first = try self.connection(
            stage,
            self.clientHello([]),
            self.serverHello(one),
            bytewise: bytewise
        )
        let second = try self.connection(stage, self.clientHello([]), self.serverHello(two))
        #expect(first != second && stage.bindings == 2)
        for _ in 0..<3 {
            #expect(
                try self.connection(stage, self.clientHello(one), self.serverHello(one)) == first
            )
            #expect(
                try self.connection(stage, self.clientHello(two), self.serverHello(two)) == second
            )
        }
        #expect(stage.bindings == 2)
    }

    @Test func `an id that is random each time is not kept`() throws {
        let stage = try self.stage()
        for number in 0..<3 as Range<UInt8> {
            let id = [UInt8](repeating: number, count: 32)
            _ = try self.connection(
                stage,
                self.clientHello(id),
                self.serverHello(id, isTLS13: true)
            )
            _ = try self.connection(stage, self.clientHello(id), self.serverHello([]))
        }
        #expect(stage.bindings == 0)
    }

    @Test func `what is no TLS passes as it is`() throws {
        let stage = try self.stage()
        let answers: [[UInt8]] = [
            Array("220 hello\r\n".utf8), [22, 3, 3, 0, 2, 1, 0], [21, 3, 3],
        ]
        for answer in answers {
            _ = try self.connection(stage, Array("EHLO a\r\n".utf8), answer)
        }
        #expect(stage.bindings == 0)
    }

    @Test func `a server that ends within its hello is passed on so`() throws {
        let stage = try self.stage()
        let client = try stage.connect()
        stage.send(client, self.clientHello([]))
        var slot = -1
        stage.wait("the hello arrives") {
            slot = stage.peers.keys.first { stage[$0].server != nil } ?? -1
            return slot >= 0 && !stage[slot].received.isEmpty
        }
        let half = Array(self.serverHello([1]).prefix(30))
        stage.send(slot, half)
        stage.finish(slot)
        stage.end(client)
        #expect(stage[client].received == half)
        stage.close(client)
        stage.close(slot)
        stage.waitUntilFree()
    }
}
