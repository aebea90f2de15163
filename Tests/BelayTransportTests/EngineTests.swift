import BelayBytes
import BelayCore
import BelayTransport
import Testing

@Suite struct EngineTests {
    // MARK: Listening and connecting

    @Test func `accepts a connection and knows where it comes from`() throws {
        var engine = try Engine.forTest()
        let listener = try engine.listen()
        let (client, server) = try engine.pair(listener)
        #expect(engine[client].address == listener.address)
        #expect(engine[server].address.ip == .loopbackV4)
        #expect(engine[server].address.port != listener.address.port)
        #expect(!engine[client].state.contains(.connecting))
        #expect(engine.connectionCount == 2)
        guard case .none = engine.accept(from: listener.index) else {
            Issue.record("a connection that nobody opened")
            return
        }
    }

    @Test func `a refused connect is reported as refused`() throws {
        var engine = try Engine.forTest()
        let listener = try engine.listen()
        engine.closeListeners()
        var error: SystemError?
        switch engine.connect(to: listener.address) {
        case .failure(let failure): error = failure
        case .success(let slot):
            engine.run("the connect ends") { engine, event in
                guard case .connection(slot) = event,
                    case .failure(let failure) = engine.finishConnecting(slot)
                else { return false }
                error = failure
                return true
            }
        }
        #expect(error == .connectionRefused)
    }

    @Test func `what comes along with the connection is not missed`() throws {
        var engine = try Engine.forTest()
        var outside = try Engine.forTest()
        let listener = try outside.listen()
        let client = try engine.connect(to: listener.address).get()
        outside.run("the other side speaks first, and finishes") { outside, event in
            guard case .listener(let index) = event,
                case .connection(let slot) = outside.accept(from: index)
            else { return false }
            outside.put(slot, [7])
            outside.shutdownWrite(slot)
            return true
        }
        engine.awaitArrival(client)
        // One report for all of it.
        engine.run("the connection is there") { engine, event in
            guard case .connection(client) = event else { return false }
            return engine.finishConnecting(client) != nil
        }
        #expect(engine.read(client, 2) == [7])
        #expect(engine[client].state.contains(.atEnd))
    }

    @Test func `without a free slot a connection is refused and closed`() throws {
        var engine = try Engine.forTest(connections: 1)
        var outside = try Engine.forTest()
        let listener = try engine.listen()
        let client = try outside.connect(to: listener.address).get()
        let other = try outside.connect(to: listener.address).get()
        var refused = false
        engine.run("one is taken and one refused") { engine, event in
            guard case .listener(let index) = event else { return false }
            if case .refused(.memory) = engine.accept(from: index) { refused = true }
            return refused && engine.connectionCount == 1
        }
        outside.run("the refused one is closed") { outside, event in
            guard case .connection(let slot) = event else { return false }
            _ = outside.receive(slot)
            return outside[slot].state.contains(.atEnd)
        }
        #expect([client, other].count { outside[$0].state.contains(.atEnd) } == 1)
    }

    @Test func `a paused listener is silent, and reports what waits when it resumes`() throws {
        var engine = try Engine.forTest()
        var outside = try Engine.forTest()
        let listener = try engine.listen()
        engine.pauseListener(listener.index)
        let client = try outside.connect(to: listener.address).get()
        outside.run("the kernel takes the connection") { outside, _ in
            outside.finishConnecting(client) != nil
        }
        #expect(engine.eventsNow().isEmpty)
        engine.resumeListener(listener.index)
        engine.run("the listener reports") { engine, event in
            guard case .listener(listener.index) = event else { return false }
            if case .connection = engine.accept(from: listener.index) { return true }
            return false
        }
    }

    @Test func `closed listeners take nothing any more`() throws {
        var engine = try Engine.forTest()
        let listener = try engine.listen()
        engine.closeListeners()
        guard case .none = engine.accept(from: listener.index) else {
            Issue.record("a closed listener took a connection")
            return
        }
    }

    // MARK: Receiving

    @Test func `input is received, consumed, dropped and compacted in its block`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try engine.pair(try engine.listen())
        engine.put(client, Array("abcdefghij".utf8))
        engine.awaitArrival(server)
        guard case .bytes(4) = engine.receive(server, limit: 4) else {
            Issue.record("the limit is not kept")
            return
        }
        #expect(engine.input(server) == Array("abcd".utf8))
        guard case .bytes(6) = engine.receive(server) else {
            Issue.record("the rest does not lie behind")
            return
        }
        #expect(engine.inputRoom(server) == BlockMemory.blockSize - 10)
        engine.consume(server, 2)
        #expect(engine.input(server) == Array("cdefghij".utf8))
        engine.dropInput(server, 4..<6)
        #expect(engine.input(server) == Array("cdghij".utf8))
        engine.dropInput(server, 6..<8)
        #expect(engine.input(server) == Array("cdgh".utf8))
        engine.compactInput(server)
        #expect(engine[server].inputStart == 0)
        #expect(engine.input(server) == Array("cdgh".utf8))
        #expect(engine.inputRoom(server) == BlockMemory.blockSize - 4)
        #expect(engine.blocksUsed == 1)
        engine.consume(server, 4)
        #expect(engine.blocksUsed == 0, "a connection without input holds no block")
        guard case .wouldBlock = engine.receive(server) else {
            Issue.record("bytes out of nowhere")
            return
        }
        #expect(engine.blocksUsed == 0)
    }

    @Test func `a full block takes no more until it is compacted`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try engine.pair(try engine.listen())
        let sent = pattern(BlockMemory.blockSize)
        engine.put(client, sent)
        engine.put(client, [42])
        engine.run("the block is full") { engine, event in
            guard case .connection(let slot) = event else { return false }
            if slot == client { _ = engine.flush(client) }
            while engine[server].state.contains(.readable), engine.inputRoom(server) > 0 {
                _ = engine.receive(server)
            }
            return engine.inputRoom(server) == 0
        }
        #expect(engine.receive(server) == nil)
        engine.consume(server, 1)
        #expect(engine.inputRoom(server) == 0)
        engine.compactInput(server)
        engine.awaitArrival(server)
        guard case .bytes(1) = engine.receive(server) else {
            Issue.record("no room after all")
            return
        }
        #expect(engine.input(server) == sent.dropFirst() + [42])
    }

    @Test func `without a block nothing is received, and nothing is lost`() throws {
        var engine = try Engine.forTest(blocks: 1)
        let listener = try engine.listen()
        let first = try engine.pair(listener)
        let second = try engine.pair(listener)
        engine.put(first.client, [1])
        engine.put(second.client, [2])
        engine.awaitArrival(first.server)
        engine.awaitArrival(second.server)
        _ = engine.receive(first.server)
        #expect(engine.receive(second.server) == nil)
        #expect(!engine[second.server].hasInput)
        engine.consume(first.server, 1)
        _ = engine.receive(second.server)
        #expect(engine.input(second.server) == [2])
    }

    @Test func `bytes that come before the end are read before it`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try engine.pair(try engine.listen())
        engine.put(client, [1, 2, 3])
        engine.shutdownWrite(client)
        #expect(engine.read(server, 4) == [1, 2, 3])
        #expect(engine[server].state.contains(.atEnd))
        #expect(!engine[server].state.contains(.failed))
        // The other direction is still open.
        engine.put(server, [9])
        #expect(engine.read(client, 1) == [9])
    }

    @Test(arguments: [true, false])
    func `a connection that was cut is told from one that was closed`(cutting: Bool) throws {
        var engine = try Engine.forTest()
        let (client, server) = try engine.pair(try engine.listen())
        engine.close(client, cutting: cutting)
        engine.run("the end is seen") { engine, event in
            guard case .connection(server) = event else { return false }
            _ = engine.receive(server)
            return engine[server].state.contains(.atEnd)
        }
        #expect(engine[server].state.contains(.failed) == cutting)
    }

    // MARK: Sending

    @Test func `what a full socket does not take is kept and leaves in order`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try engine.pair(try engine.listen())
        var sent: [UInt8] = []
        let piece = pattern(48 * 1024)
        // Limit: more than any socket's buffers hold.
        while !engine[client].hasOutput, sent.count < 1 << 28 {
            engine.put(client, piece)
            sent += piece
        }
        #expect(engine[client].hasOutput)
        let tail = Array("the tail".utf8)
        engine.put(client, tail)
        sent += tail
        let isWhole = engine.flush(client)
        #expect(isWhole, "a full socket is not a broken one")
        #expect(engine[client].hasOutput)
        #expect(engine.read(server, sent.count) == sent)
        #expect(!engine[client].hasOutput)
        #expect(engine.blocksUsed == 0)
    }

    @Test func `output that finds no room is refused`() throws {
        var engine = try Engine.forTest()
        let (client, _) = try engine.pair(try engine.listen())
        let piece = pattern(48 * 1024)
        var sent = 0
        while !engine[client].hasOutput, sent < 1 << 28 {
            engine.put(client, piece)
            sent += piece.count
        }
        var pieces = 0
        while engine.send(client, piece), pieces < 3 { pieces += 1 }
        #expect(pieces < 3)
        #expect(engine.blocksUsed == 1)
        engine.close(client)
        #expect(engine.blocksUsed == 0)
    }

    @Test(arguments: [("", 0..<4), ("head ", 0..<4), ("head ", 2..<4), ("head ", 4..<4)])
    func `a head and another's input leave as one`(head: String, range: Range<Int>) throws {
        var engine = try Engine.forTest()
        let listener = try engine.listen()
        let from = try engine.pair(listener)
        let into = try engine.pair(listener)
        engine.put(from.client, Array("body".utf8))
        engine.awaitArrival(from.server)
        _ = engine.receive(from.server)
        var writer = ByteWriter(capacity: 16)
        writer.append(text: head)
        let sent = engine.send(into.server, writer, thenInputOf: from.server, range)
        #expect(sent == range.count)
        let want = Array(head.utf8) + Array("body".utf8)[range]
        #expect(engine.read(into.client, want.count) == want)
        #expect(engine.input(from.server) == Array("body".utf8), "the input stays where it is")
    }

    @Test func `sending into a cut connection says so`() throws {
        var engine = try Engine.forTest()
        let (client, server) = try engine.pair(try engine.listen())
        engine.close(client, cutting: true)
        engine.run("the cut is seen") { _, event in
            if case .connection(server) = event { return true }
            return false
        }
        let isTaken = engine.send(server, [1]) && engine.send(server, [1])
        #expect(!isTaken)
        #expect(engine[server].state.contains(.failed))
    }

    @Test func `a body moves through a pipe, and the pipe is used again`() throws {
        var engine = try Engine.forTest()
        let listener = try engine.listen()
        let from = try engine.pair(listener)
        let into = try engine.pair(listener)
        let taken = engine.takePipe()
        let pipe = try #require(taken)
        let body = pattern(64 * 1024)
        engine.put(from.client, body)
        var got: [UInt8] = []
        while got.count < body.count {
            engine.awaitArrival(from.server)
            guard case .bytes(let count) = engine.splice(from.server, into: pipe, limit: 10_000)
            else { continue }
            #expect(count <= 10_000)
            guard
                case .bytes(count) = engine.splice(
                    from: pipe,
                    to: into.server,
                    count: count,
                    more: false
                )
            else {
                Issue.record("an empty socket takes so little")
                return
            }
            got += engine.read(into.client, count)
        }
        #expect(got == body)
        guard case .wouldBlock = engine.splice(from.server, into: pipe, limit: 10) else {
            Issue.record("nothing is left")
            return
        }
        engine.close(from.client)
        engine.awaitArrival(from.server)
        guard case .end = engine.splice(from.server, into: pipe, limit: 10) else {
            Issue.record("the end is the end")
            return
        }
        engine.givePipe(pipe, isEmpty: true)
        #expect(engine.takePipe() == pipe)
        engine.givePipe(pipe, isEmpty: false)
        #expect(engine.takePipe() == pipe, "the name is free again, the pipe is new")
    }
}
