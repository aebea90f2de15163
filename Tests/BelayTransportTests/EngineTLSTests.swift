import BelayBytes
import BelayCore
import BelayTransport
import Testing

extension Engine {
    mutating func beginTLS(client: Int) throws {
        let isEncrypted = self.connectTLS(
            client,
            try TLSClientContext(.forTest()),
            serverName: "shop.example",
            session: 0
        )
        #expect(isEncrypted)
    }

    mutating func beginTLS(server: Int) throws {
        let isEncrypted = self.acceptTLS(server, try TLSServerContext(.forTest("shop")))
        #expect(isEncrypted)
    }

    /// Handshakes on until both ends are done.
    mutating func shakeHands(
        _ client: Int,
        _ server: Int,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var done: Set<Int> = []
        for slot in [client, server] { self.shake(slot, &done) }
        if done.count == 2 { return }
        self.run("both ends are done", sourceLocation: sourceLocation) { engine, event in
            guard case .connection(let slot) = event, slot == client || slot == server
            else { return false }
            if !done.contains(slot) { engine.shake(slot, &done) }
            return done.count == 2
        }
    }

    private mutating func shake(_ slot: Int, _ done: inout Set<Int>) {
        switch self.handshake(slot) {
        case .done: done.insert(slot)
        case .needsInput: break
        case .closed: Issue.record("the connection is closed")
        case .failed(let failure): Issue.record(failure)
        }
    }
}

/// Encrypted connections over loopback.
@Suite struct EngineTLSTests {
    private func encrypted(_ engine: inout Engine) throws -> (client: Int, server: Int) {
        let (client, server) = try engine.pair(try engine.listen())
        try engine.beginTLS(client: client)
        try engine.beginTLS(server: server)
        engine.shakeHands(client, server)
        return (client, server)
    }

    /// Sends `bytes` in blocks from one end to the other, as either side allows.
    private func pass(
        _ bytes: [UInt8],
        from: Int,
        to: Int,
        _ engine: inout Engine
    ) -> [UInt8] {
        var sent = 0
        var read: [UInt8] = []
        func turn(_ engine: inout Engine) {
            guard engine.flush(from) else { return }
            while sent < bytes.count, !engine[from].hasOutput {
                let piece = Array(bytes[sent...].prefix(32 * 1024))
                engine.put(from, piece)
                sent += piece.count
            }
            while engine[to].state.contains(.readable), engine.receive(to) != nil {
                let fresh = engine.input(to)
                read += fresh
                engine.consume(to, fresh.count)
            }
        }
        turn(&engine)
        if read.count < bytes.count {
            engine.run("all arrives") { engine, event in
                turn(&engine)
                return read.count >= bytes.count
            }
        }
        return read
    }

    @Test(arguments: [1, 16_384, 16_385, 100_000, 4 << 20])
    func `bytes pass both ways, however many`(size: Int) throws {
        var engine = try Engine.forTest()
        let (client, server) = try self.encrypted(&engine)
        let bytes = pattern(size)
        #expect(self.pass(bytes, from: client, to: server, &engine) == bytes)
        #expect(self.pass(bytes, from: server, to: client, &engine) == bytes)
        #expect(engine.blocksUsed == 0)
        for slot in [client, server] {
            #expect(!engine[slot].state.contains(.readable))
            let isSettled = engine.isSettled(slot)
            #expect(isSettled)
        }
    }

    @Test func `a head and another's input leave together`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try self.encrypted(&engine)
        let opened = engine.openStream(
            address: SocketAddress(ip: .loopbackV4, port: 9),
            isConnecting: false
        )
        let source = try #require(opened)
        for (head, size) in [(0, 100), (100, 10_000), (100, 60_000), (30_000, 60_000)] {
            let bytes = pattern(size)
            _ = engine.deliver(source, bytes.span)
            var written = ByteWriter(capacity: 65_536)
            written.append(pattern(head).span)
            let start = engine[source].inputStart
            let count = engine.send(
                client,
                written,
                thenInputOf: source,
                start..<(start + size)
            )
            #expect(count == size, "what the socket takes at once")
            #expect(engine.read(server, head + size) == pattern(head) + bytes)
            engine.consume(source, size)
        }
    }

    @Test func `a connection on which nothing waits is settled, and one that ends is not`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try self.encrypted(&engine)
        // What the handshake left behind, such as tickets, is read.
        _ = engine.receive(client)
        var isSettled = [engine.isSettled(client)]
        engine.put(server, [1])
        engine.awaitArrival(client)
        _ = engine.eventsNow()
        isSettled.append(engine.isSettled(client))
        #expect(engine.read(client, 1) == [1])
        isSettled.append(engine.isSettled(client))
        engine.close(server)
        engine.awaitArrival(client)
        _ = engine.eventsNow()
        isSettled.append(engine.isSettled(client))
        #expect(isSettled == [true, false, true, false])
    }

    @Test(arguments: [true, false])
    func `one side finishes, the other speaks on`(client first: Bool) throws {
        var engine = try Engine.forTest()
        let (client, server) = try self.encrypted(&engine)
        let (early, late) = first ? (client, server) : (server, client)
        engine.put(early, [1, 2])
        engine.shutdownWrite(early)
        #expect(engine.read(late, 3) == [1, 2])
        #expect(engine[late].state.contains(.atEnd))
        #expect(!engine[late].state.contains(.failed))
        #expect(engine.tls(late)?.hasCloseNotice == true)
        let bytes = pattern(200_000)
        #expect(self.pass(bytes, from: late, to: early, &engine) == bytes)
        engine.close(late)
        #expect(engine.read(early, 1) == [])
        #expect(engine[early].state.contains(.atEnd))
        #expect(!engine[early].state.contains(.failed))
    }

    @Test func `a cut is no proper end`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try self.encrypted(&engine)
        engine.close(server, cutting: true)
        #expect(engine.read(client, 1) == [])
        #expect(engine[client].state.contains(.failed))
        let isSent = engine.send(client, [1])
        #expect(!isSent)
        engine.close(client)
        #expect(engine.blocksUsed == 0)
        #expect(engine.connectionCount == 0)
    }

    @Test func `what the socket does not take is kept encrypted, in order`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try self.encrypted(&engine)
        var sent: [UInt8] = []
        while !engine[client].hasOutput {
            let piece = pattern(32_000)
            engine.put(client, piece)
            sent += piece
        }
        // A little more goes behind it.
        engine.put(client, [1, 2, 3])
        sent += [1, 2, 3]
        #expect(engine.read(server, sent.count) == sent)
        #expect(!engine[client].hasOutput)
        #expect(engine.blocksUsed == 0)
    }

    @Test func `clear text is known for what it is, and answered in clear text`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try engine.pair(try engine.listen())
        try engine.beginTLS(server: server)
        engine.put(client, Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        engine.awaitArrival(server)
        guard case .failed(let failure) = engine.handshake(server) else {
            Issue.record("the handshake goes on")
            return
        }
        #expect(failure.kind == .plainHTTP)
        engine.dropTLS(server)
        #expect(engine.tls(server) == nil)
        engine.put(server, Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
        engine.shutdownWrite(server)
        #expect(
            engine.read(client, 100) == Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8),
            "no alert comes before it"
        )
    }

    @Test func `a connecting end is ready when the handshake is done`() throws {
        var engine = try Engine.forTest()
        let listener = try engine.listen()
        let client = try engine.connect(to: listener.address).get()
        let context = try TLSServerContext(.forTest("shop"))
        try engine.beginTLS(client: client)
        var steps: [String] = []
        var server = -1
        engine.run("both are ready") { engine, event in
            switch event {
            case .listener(let index):
                guard case .connection(let slot) = engine.accept(from: index) else { return false }
                server = slot
                _ = engine.acceptTLS(slot, context)
                _ = engine.handshake(slot)
            case .connection(client):
                var step = engine.continueConnecting(client)
                if case .accepted = step {
                    steps.append("accepted")
                    step = engine.continueConnecting(client)
                }
                if case .ready = step { steps.append("ready") }
            case .connection(let slot): _ = engine.handshake(slot)
            case .wakeup, .deadline: break
            }
            return steps.last == "ready"
        }
        #expect(steps == ["accepted", "ready"])
        #expect(!engine[client].state.contains(.connecting))
        engine.put(client, [7])
        engine.shakeHands(client, server)
        #expect(engine.read(server, 1) == [7])
    }
}
