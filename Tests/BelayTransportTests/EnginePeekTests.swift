import BelayBytes
import BelayCore
import BelayTransport
import Testing

/// What comes ahead of a connection's own bytes, looked at and left where it is.
@Suite struct EnginePeekTests {
    /// Both ends of a new connection on which `bytes` have arrived.
    private func arrived(_ bytes: [UInt8], _ engine: inout Engine) throws -> (Int, Int) {
        let (client, server) = try engine.pair(try engine.listen())
        engine.put(client, bytes)
        engine.awaitArrival(server)
        return (client, server)
    }

    @Test func `what was looked at is still there`() throws {
        var engine = try Engine.forTest()
        let (_, server) = try self.arrived(Array("PROXY header, then more".utf8), &engine)
        for _ in 0..<2 {
            guard case .bytes(13)? = engine.peek(server, limit: 13) else {
                Issue.record("another number of bytes")
                return
            }
            #expect(engine.input(server) == Array("PROXY header,".utf8))
            engine.forgetPeeked(server, waits: false)
            #expect(!engine[server].hasInput)
            #expect(engine.blocksUsed == 0)
        }
        engine.skipInput(server, 14)
        #expect(engine.blocksUsed == 0)
        #expect(engine[server].state.contains(.readable))
        #expect(engine.read(server, 9) == Array("then more".utf8))
    }

    @Test func `who waits for more is told when it comes`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try self.arrived([1], &engine)
        _ = engine.peek(server, limit: 100)
        engine.forgetPeeked(server, waits: true)
        #expect(!engine[server].state.contains(.readable))
        _ = engine.eventsNow()
        engine.put(client, [2, 3])
        engine.run("the rest arrives") { engine, event in
            guard case .connection(server) = event else { return false }
            guard case .bytes(3)? = engine.peek(server, limit: 100) else { return false }
            return true
        }
        #expect(engine.input(server) == [1, 2, 3])
        engine.forgetPeeked(server, waits: false)
    }

    @Test func `nothing, the end and a cut are told apart`() throws {
        var engine = try Engine.forTest()
        let listener = try engine.listen()
        let (silent, quiet) = try engine.pair(listener)
        guard case .wouldBlock? = engine.peek(quiet, limit: 10) else {
            Issue.record("something came")
            return
        }
        #expect(!engine[quiet].state.contains(.readable))
        engine.shutdownWrite(silent)
        engine.awaitArrival(quiet)
        guard case .end? = engine.peek(quiet, limit: 10) else {
            Issue.record("no end")
            return
        }
        let (cut, other) = try engine.pair(listener)
        engine.close(cut, cutting: true)
        engine.run("the cut is reported") { _, event in
            if case .connection(other) = event { true } else { false }
        }
        guard case .failed? = engine.peek(other, limit: 10) else {
            Issue.record("no cut")
            return
        }
        #expect(engine.blocksUsed == 0)
    }

    @Test func `without a block there is nothing to see`() throws {
        var engine = try Engine.forTest(blocks: 1)
        let (_, server) = try self.arrived([1], &engine)
        guard let block = engine.takeBlock() else {
            Issue.record("there is none")
            return
        }
        let before = engine.peek(server, limit: 10)
        engine.giveBlock(block)
        let after = engine.peek(server, limit: 10)
        #expect(before == nil && after != nil)
    }

    @Test func `the address is what the header says, and the own end is known`() throws {
        var engine = try Engine.forTest()
        let listener = try engine.listen()
        let (_, server) = try engine.pair(listener)
        let named = SocketAddress(ip: IPAddress(v4: 0xC000_0207), port: 4711)
        engine.setAddress(server, named)
        #expect(engine[server].address == named)
        #expect(engine.localAddress(server) == listener.address)
    }

    @Test func `the header's bytes are taken, and those behind it are left for OpenSSL`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try engine.pair(try engine.listen())
        let header = Array("PROXY UNKNOWN\r\n".utf8)
        engine.put(client, header)
        try engine.beginTLS(client: client)
        _ = engine.handshake(client)
        engine.awaitArrival(server)
        _ = engine.peek(server, limit: 4096)
        #expect(engine.input(server).starts(with: header))
        engine.forgetPeeked(server, waits: false)
        engine.skipInput(server, header.count)
        try engine.beginTLS(server: server)
        engine.shakeHands(client, server)
        engine.put(client, [1, 2, 3])
        #expect(engine.read(server, 3) == [1, 2, 3])
    }
}
