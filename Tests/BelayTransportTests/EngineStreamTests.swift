import BelayBytes
import BelayCore
import BelayTransport
import Testing

/// Streams: connections without a socket, whose bytes others carry.
@Suite struct EngineStreamTests {
    private static let peer = SocketAddress(ip: .loopbackV4, port: 9)

    private func stream(_ engine: inout Engine, isConnecting: Bool = false) throws -> Int {
        let slot = engine.openStream(address: Self.peer, isConnecting: isConnecting)
        return try #require(slot)
    }

    /// Reads all that a stream has now, at most `limit` bytes with each call.
    private func readAll(
        _ engine: inout Engine,
        _ slot: Int,
        limit: Int = BlockMemory.blockSize
    ) -> [UInt8] {
        var bytes = engine.input(slot)
        engine.consume(slot, bytes.count)
        while engine[slot].state.contains(.readable), engine.receive(slot, limit: limit) != nil {
            let fresh = engine.input(slot)
            bytes += fresh
            engine.consume(slot, fresh.count)
        }
        return bytes
    }

    @Test func `a stream comes from where its connection comes, and reports when it is asked to`()
        throws
    {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine, isConnecting: true)
        #expect(engine[slot].address == Self.peer)
        #expect(engine[slot].state.contains(.connecting))
        engine.streamConnected(slot)
        #expect(!engine[slot].state.contains(.connecting))
        let (isWhole, isQuiet) = (engine.flush(slot), engine.isQuiet(slot))
        #expect(isWhole && isQuiet)
        #expect(engine.eventsNow().isEmpty)
        engine.requeue(slot)
        let events = engine.eventsNow()
        #expect(events.count == 1)
        guard case .connection(slot)? = events.first else {
            Issue.record("another event came")
            return
        }
        engine.close(slot)
        #expect(engine.connectionCount == 0)
    }

    @Test func `there are as many as there are slots`() throws {
        var engine = try Engine.forTest(connections: 2)
        _ = try self.stream(&engine)
        let last = try self.stream(&engine)
        let refused = engine.openStream(address: Self.peer, isConnecting: false)
        #expect(refused == nil)
        engine.close(last)
        _ = try self.stream(&engine)
    }

    // MARK: What arrives

    @Test(
        arguments: [
            [1], [10, 20, 30], [BlockMemory.blockSize], [BlockMemory.blockSize + 1],
            [BlockMemory.blockSize - 1, 2], [60_000, 60_000], [30_000, 30_000, 30_000, 30_000],
            [2 * BlockMemory.blockSize],
        ],
        [1_000, BlockMemory.blockSize]
    )
    func `what is delivered comes out whole and in order`(pieces: [Int], limit: Int) throws {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine)
        let bytes = pattern(pieces.reduce(0, +))
        var start = 0
        for size in pieces {
            let piece = Array(bytes[start..<(start + size)])
            let isTaken = engine.deliver(slot, piece.span)
            #expect(isTaken)
            start += size
        }
        #expect(engine.blocksUsed == (bytes.count > BlockMemory.blockSize ? 2 : 1))
        #expect(self.readAll(&engine, slot, limit: limit) == bytes)
        #expect(engine.blocksUsed == 0)
        #expect(!engine[slot].state.contains(.readable))
        #expect(!engine[slot].state.contains(.atEnd))
        guard case .wouldBlock? = engine.receive(slot) else {
            Issue.record("there is more")
            return
        }
        #expect(engine.blocksUsed == 0)
    }

    @Test func `what comes while the reserve is in use goes behind it`() throws {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine)
        let bytes = pattern(9 * 30_000)
        var read: [UInt8] = []
        // A window of 60,000 bytes, of which a half is read at each step.
        for step in 0..<9 {
            let piece = Array(bytes[(step * 30_000)..<((step + 1) * 30_000)])
            let isTaken = engine.deliver(slot, piece.span)
            #expect(isTaken, "step \(step)")
            guard step > 0 else { continue }
            var wanted = 30_000
            while wanted > 0 {
                if !engine[slot].hasInput { _ = engine.receive(slot) }
                let fresh = engine.input(slot).prefix(wanted)
                read += fresh
                engine.consume(slot, fresh.count)
                wanted -= fresh.count
            }
        }
        read += self.readAll(&engine, slot)
        #expect(read == bytes)
        #expect(engine.blocksUsed == 0)
    }

    @Test func `more than both blocks hold is refused`() throws {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine)
        let block = pattern(BlockMemory.blockSize)
        for _ in 0..<2 {
            let isTaken = engine.deliver(slot, block.span)
            #expect(isTaken)
        }
        let isTaken = engine.deliver(slot, [1].span)
        #expect(!isTaken)
        engine.close(slot)
        #expect(engine.blocksUsed == 0)
    }

    @Test func `without a block nothing is taken`() throws {
        var engine = try Engine.forTest(blocks: 1)
        let (slot, other) = (try self.stream(&engine), try self.stream(&engine))
        let first = engine.deliver(slot, [1].span)
        let second = engine.deliver(other, [1].span)
        #expect(first && !second)
        let nothing = engine.deliver(other, [UInt8]().span)
        #expect(nothing, "nothing needs no room")
        // The reserve is a block as well.
        let long = pattern(BlockMemory.blockSize)
        let third = engine.deliver(slot, long.span)
        #expect(!third)
        #expect(engine.extendInput(other, by: 1) == nil)
        engine.close(slot)
        engine.close(other)
        #expect(engine.blocksUsed == 0)
    }

    @Test func `a head is written where the input ends`() throws {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine)
        for (text, place) in [("head", 0), ("another", 4)] {
            let bytes = Array(text.utf8)
            let end = engine.extendInput(slot, by: bytes.count)
            #expect(end == place)
            engine.memory.copy(bytes.span, to: engine[slot].inputBlock, at: place)
        }
        #expect(engine.input(slot) == Array("headanother".utf8))
        #expect(engine.extendInput(slot, by: BlockMemory.blockSize) == nil, "no such room")
        let long = pattern(BlockMemory.blockSize)
        let isTaken = engine.deliver(slot, long.span)
        #expect(isTaken)
        #expect(engine.extendInput(slot, by: 1) == nil, "it would overtake the reserve")
        #expect(self.readAll(&engine, slot) == Array("headanother".utf8) + long)
    }

    // MARK: The end

    @Test(arguments: [0, 10, BlockMemory.blockSize, BlockMemory.blockSize + 10])
    func `the end comes behind what came before it`(size: Int) throws {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine)
        let bytes = pattern(size)
        _ = engine.deliver(slot, bytes.span)
        engine.endInput(slot)
        #expect(engine[slot].inputEnds)
        #expect(engine[slot].state.contains(.atEnd) == (size <= BlockMemory.blockSize))
        #expect(self.readAll(&engine, slot) == bytes)
        #expect(engine[slot].state.contains(.atEnd))
        #expect(!engine[slot].state.contains(.failed))
        #expect(!engine[slot].state.contains(.peerClosed), "the other direction may go on")
        #expect(engine.blocksUsed == 0)
        let isSent = engine.send(slot, [1])
        #expect(isSent)
        engine.close(slot)
        #expect(engine.blocksUsed == 0)
    }

    @Test func `the end of an empty reserve is found by reading`() throws {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine)
        _ = engine.deliver(slot, pattern(BlockMemory.blockSize + 10).span)
        engine.consume(slot, BlockMemory.blockSize)
        guard case .bytes(10)? = engine.receive(slot) else {
            Issue.record("the reserve is not read")
            return
        }
        #expect(!engine[slot].state.contains(.atEnd))
        engine.endInput(slot)
        #expect(engine[slot].state.contains(.atEnd))
        engine.consume(slot, 10)
        guard case .end? = engine.receive(slot) else {
            Issue.record("there is no end")
            return
        }
        #expect(engine.blocksUsed == 0)
    }

    @Test func `a broken stream is at its end, and nothing of it is left`() throws {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine)
        _ = engine.deliver(slot, pattern(BlockMemory.blockSize + 10).span)
        _ = engine.send(slot, [1, 2, 3])
        engine.breakStream(slot)
        #expect(engine[slot].state.contains(.atEnd))
        #expect(engine[slot].state.contains(.failed))
        #expect(!engine[slot].state.contains(.readable))
        let (isWhole, isSettled) = (engine.flush(slot), engine.isSettled(slot))
        #expect(!isWhole && !isSettled)
        #expect(engine.blocksUsed == 3)
        engine.close(slot, cutting: true)
        #expect(engine.blocksUsed == 0)
    }

    // MARK: What leaves

    private func taken(_ engine: inout Engine, _ slot: Int, _ count: Int) -> [UInt8] {
        let (block, range) = engine.output(slot, first: count)
        let memory = engine.memory
        let bytes = memory.bytes(block, range)
        let copy = bytes.indices.map { bytes[$0] }
        engine.outputLeft(slot, count)
        return copy
    }

    @Test(arguments: [1, 7, 1_000, 70_000])
    func `output is taken in pieces, and its block given back with the last`(size: Int) throws {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine)
        #expect(engine.outputCount(slot) == 0)
        let bytes = pattern(60_000)
        let (first, second) = (Array(bytes[..<20_000]), Array(bytes[20_000...]))
        let isSent = engine.send(slot, first) && engine.send(slot, second)
        #expect(isSent)
        #expect(engine.outputCount(slot) == 60_000)
        var left: [UInt8] = []
        while engine[slot].hasOutput {
            let count = Swift.min(size, engine.outputCount(slot))
            left += self.taken(&engine, slot, count)
            #expect(engine.outputCount(slot) == 60_000 - left.count)
        }
        #expect(left == bytes)
        #expect(engine.blocksUsed == 0)
    }

    @Test func `more than a block is not kept`() throws {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine)
        let isSent = engine.send(slot, pattern(BlockMemory.blockSize))
        let isMore = engine.send(slot, [1])
        #expect(isSent)
        #expect(!isMore)
        #expect(engine.outputCount(slot) == BlockMemory.blockSize)
        _ = self.taken(&engine, slot, BlockMemory.blockSize)
        let isAgain = engine.send(slot, [1])
        #expect(isAgain)
    }

    @Test(arguments: [(0, 100), (10, 60_000), (10, 69_000), (40_000, 69_000)])
    func `of another's input as much is taken as there is room`(head: Int, size: Int) throws {
        var engine = try Engine.forTest()
        let (slot, source) = (try self.stream(&engine), try self.stream(&engine))
        _ = engine.deliver(source, pattern(size).span)
        var written = ByteWriter(capacity: 65_536)
        written.append(pattern(head).span)
        let count = engine.send(slot, written, thenInputOf: source, 0..<size)
        let room = BlockMemory.blockSize - head
        #expect(count == Swift.min(size, room))
        let sent = engine.outputCount(slot)
        #expect(sent == head + Swift.min(size, room))
        let want = pattern(head) + pattern(size).prefix(room)
        #expect(self.taken(&engine, slot, sent) == want)
    }

    @Test func `the tail of what was written is sent alone`() throws {
        var engine = try Engine.forTest()
        let slot = try self.stream(&engine)
        var written = ByteWriter(capacity: 64)
        written.append("head body")
        let isSent = engine.sendOnStream(slot, written, from: 5)
        let isNothing = engine.sendOnStream(slot, written, from: 9)
        #expect(isSent && isNothing)
        #expect(self.taken(&engine, slot, 4) == Array("body".utf8))
        #expect(engine.blocksUsed == 0)
    }

    @Test func `a block by itself is one of the engine's`() throws {
        var engine = try Engine.forTest(blocks: 1)
        guard let block = engine.takeBlock() else {
            Issue.record("there is none")
            return
        }
        #expect(engine.blocksUsed == 1)
        #expect(engine.takeBlock() == nil)
        engine.giveBlock(block)
        #expect(engine.blocksUsed == 0)
    }
}
