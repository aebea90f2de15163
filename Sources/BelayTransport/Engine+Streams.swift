package import BelayBytes
package import BelayCore

// Streams: connections without a socket, whose bytes travel on another connection with those of
// others (HTTP/2). For whoever moves messages they are like any other connection: `receive`,
// `send`, `flush` and `hasOutput` mean the same. Their driver delivers what has arrived and takes
// what shall leave.

extension Engine {
    /// A stream to or from `address`; nil when all slots are taken. It reports no events but what
    /// `requeue` asks for.
    package mutating func openStream(address: SocketAddress, isConnecting: Bool) -> Int? {
        var connection = Connection(
            socket: .none,
            address: address,
            state: isConnecting ? .connecting : .writable
        )
        connection.carrier = .stream
        return self.connections.insert(connection)
    }

    /// The stream's connection is ready to carry it.
    package mutating func streamConnected(_ slot: Int) {
        self.connections[slot].state.remove(.connecting)
        self.connections[slot].state.insert(.writable)
    }

    /// Puts bytes that have arrived behind the stream's input. False when no block is left, or the
    /// other side sent more than the window that the two blocks of a stream allow.
    package mutating func deliver(_ slot: Int, _ bytes: borrowing Span<UInt8>) -> Bool {
        guard !bytes.isEmpty else { return true }
        var taken = 0
        if self.connections[slot].reserveBlock < 0 {
            if self.connections[slot].inputBlock < 0 {
                guard let block = self.pool.take() else { return false }
                self.connections[slot].inputBlock = block
                self.connections[slot].inputStart = 0
                self.connections[slot].inputEnd = 0
            }
            let end = self.connections[slot].inputEnd
            taken = Swift.min(BlockMemory.blockSize &- end, bytes.count)
            self.pool.memory.copy(
                bytes.extracting(0..<taken),
                to: self.connections[slot].inputBlock,
                at: end
            )
            self.connections[slot].inputEnd = end &+ taken
            guard taken < bytes.count else { return true }
            guard let block = self.pool.take() else { return false }
            self.connections[slot].reserveBlock = block
            self.connections[slot].reserveStart = 0
            self.connections[slot].reserveEnd = 0
        }
        return self.keepInReserve(slot, bytes.extracting(taken..<bytes.count))
    }

    /// Makes a stream's input longer by `count` bytes; returns where they are to be written, or nil
    /// when no block or room is left.
    package mutating func extendInput(_ slot: Int, by count: Int) -> Int? {
        guard self.connections[slot].reserveBlock < 0 else { return nil }
        if self.connections[slot].inputBlock < 0 {
            guard let block = self.pool.take() else { return nil }
            self.connections[slot].inputBlock = block
            self.connections[slot].inputStart = 0
            self.connections[slot].inputEnd = 0
        }
        let end = self.connections[slot].inputEnd
        guard count <= BlockMemory.blockSize &- end else { return nil }
        self.connections[slot].inputEnd = end &+ count
        return end
    }

    private mutating func keepInReserve(_ slot: Int, _ bytes: borrowing Span<UInt8>) -> Bool {
        let block = self.connections[slot].reserveBlock
        let start = Int(self.connections[slot].reserveStart)
        var end = Int(self.connections[slot].reserveEnd)
        if bytes.count > BlockMemory.blockSize &- end {
            self.pool.memory.move(block, start..<end, to: 0)
            end &-= start
            self.connections[slot].reserveStart = 0
        }
        guard bytes.count <= BlockMemory.blockSize &- end else { return false }
        self.pool.memory.copy(bytes, to: block, at: end)
        self.connections[slot].reserveEnd = Int32(truncatingIfNeeded: end &+ bytes.count)
        self.connections[slot].state.insert(.readable)
        return true
    }

    /// No more will be delivered to this stream.
    package mutating func endInput(_ slot: Int) {
        self.connections[slot].inputEnds = true
        if self.connections[slot].reserveBlock < 0 {
            self.connections[slot].state.insert(.atEnd)
        } else {
            self.connections[slot].state.insert(.readable)
        }
    }

    /// The stream is broken: the other side has reset it, or its connection is gone.
    package mutating func breakStream(_ slot: Int) {
        self.connections[slot].state.remove(.readable)
        self.connections[slot].state.insert(.broken)
    }

    /// What `receive` does for a stream: moves what waits in reserve to the input.
    mutating func receiveFromReserve(_ slot: Int, room: Range<Int>) -> Moved {
        let block = self.connections[slot].reserveBlock
        guard block >= 0 else {
            guard self.connections[slot].inputEnds else { return .wouldBlock }
            return .end
        }
        let start = Int(self.connections[slot].reserveStart)
        let left = Int(self.connections[slot].reserveEnd) &- start
        let count = Swift.min(left, room.count)
        let memory = self.pool.memory
        memory.copy(
            memory.bytes(block, start..<(start &+ count)),
            to: self.connections[slot].inputBlock,
            at: room.lowerBound
        )
        if count < left {
            self.connections[slot].reserveStart = Int32(truncatingIfNeeded: start &+ count)
        } else {
            self.pool.give(block)
            self.connections[slot].reserveBlock = -1
        }
        return .bytes(count)
    }

    // MARK: What leaves

    /// How many bytes of a stream wait to leave.
    package func outputCount(_ slot: Int) -> Int {
        guard self.connections[slot].hasOutput else { return 0 }
        return Int(self.connections[slot].outputEnd &- self.connections[slot].outputStart)
    }

    /// The block and the place of the first `count` bytes of a stream that wait to leave.
    package func output(_ slot: Int, first count: Int) -> (BlockIndex, Range<Int>) {
        precondition(count <= self.outputCount(slot), "more taken than waits")
        let start = Int(self.connections[slot].outputStart)
        return (self.connections[slot].outputBlock, start..<(start &+ count))
    }

    /// `count` bytes of a stream have left.
    package mutating func outputLeft(_ slot: Int, _ count: Int) {
        self.connections[slot].outputStart += Int32(truncatingIfNeeded: count)
        guard self.connections[slot].outputStart >= self.connections[slot].outputEnd else { return }
        self.pool.give(self.connections[slot].outputBlock)
        self.connections[slot].outputBlock = -1
    }

    /// `send` for what was written from `start` on.
    package mutating func sendOnStream(
        _ slot: Int,
        _ written: borrowing ByteWriter,
        from start: Int
    ) -> Bool {
        let bytes = written.bytes
        return self.keepForStream(slot, bytes.extracting(start..<bytes.count))
            == bytes.count &- start
    }

    /// A stream's `send`: what fits is taken, and how much that was is returned.
    mutating func keepForStream(_ slot: Int, _ bytes: borrowing Span<UInt8>) -> Int? {
        guard !bytes.isEmpty else { return 0 }
        let room =
            self.connections[slot].hasOutput
            ? BlockMemory.blockSize &- Int(self.connections[slot].outputEnd)
            : BlockMemory.blockSize
        let count = Swift.min(bytes.count, room)
        guard let end = self.extendOutput(slot, by: count) else { return nil }
        self.pool.memory.copy(
            bytes.extracting(0..<count),
            to: self.connections[slot].outputBlock,
            at: end
        )
        return count
    }

    // MARK: Blocks by themselves

    /// A block for what belongs to no connection's input or output, such as trailers; nil when
    /// none is left.
    package mutating func takeBlock() -> BlockIndex? { self.pool.take() }

    package mutating func giveBlock(_ block: BlockIndex) { self.pool.give(block) }
}
