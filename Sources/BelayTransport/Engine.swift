// BelayTransport: the one room with system calls. `Engine` is what a worker thread drives: epoll,
// its connections in slots, blocks of bytes, deadlines. It moves bytes and knows nothing of what
// they mean. Files named `+Unsafe` hold what the compiler cannot check, behind types that are safe
// to use. Next door: BelayHTTP says what the bytes mean, BelayProxy decides where they go.

public import BelayBytes
package import BelayCore

/// How large an engine is.
package struct EngineLimits: Sendable {
    /// Connections of both sides together.
    package var connectionsMax: Int
    /// Blocks of 68 KiB; a connection holds one while bytes wait in it, none while idle.
    package var blocksMax: Int

    package init(connectionsMax: Int, blocksMax: Int) {
        self.connectionsMax = connectionsMax
        self.blocksMax = blocksMax
    }
}

/// A worker's event loop, connections and buffers. One thread owns it.
///
/// Drive it so: `wait`, then `nextEvent` until nil, and again. Nothing here allocates after `init`.
@usableFromInline
package struct Engine: ~Copyable {
    var poller: Poller
    @usableFromInline var connections: Slab<Connection>
    @usableFromInline var pool: BufferPool
    private var timers: TimerWheel
    var pipes: PipePool
    /// What the encrypted connections share.
    var secrets = TLSScratch()
    /// A head and the body's beginning, joined for one record.
    var joined = ByteWriter(capacity: 16 * 1024)
    private let wakeup: Wakeup
    var sockets: [ListeningSocket] = []
    /// Connections to be looked at again though the kernel reports nothing new: a ring.
    private var ready: [Int32]
    private var readyHead = 0
    private var readyCount = 0
    /// How many of `ready` were there when the last wait began: those are reported first.
    private var readyNow = 0
    /// Kept open so that it can be closed to refuse a connection when descriptors run out.
    var spare: Descriptor
    /// The monotonic clock as it stood after the last wait.
    package private(set) var now: Instant

    package init(limits: EngineLimits, wakeup: Wakeup) throws(SystemError) {
        let poller = try Poller()
        let spare = try Wakeup().descriptor
        guard poller.add(wakeup: wakeup.descriptor) else { throw .last }
        guard let pool = BufferPool(blockCount: limits.blocksMax) else { throw .last }
        let now = Instant(nanoseconds: SystemClock.monotonicNanoseconds())
        self.now = now
        self.poller = poller
        self.pool = pool
        self.connections = Slab(capacity: limits.connectionsMax)
        self.timers = TimerWheel(slots: limits.connectionsMax, now: now)
        self.pipes = PipePool()
        self.wakeup = wakeup
        self.ready = Array(repeating: 0, count: limits.connectionsMax)
        self.spare = spare
    }

    // MARK: Events

    /// Waits for events until `deadline` at the latest.
    package mutating func wait(until deadline: Instant) {
        self.readyNow = self.readyCount
        var limit = deadline
        if let wake = self.timers.nextWake(), wake < limit { limit = wake }
        let rest = limit.nanoseconds &- self.now.nanoseconds
        let milliseconds: Int32
        if self.readyNow > 0 || rest <= 0 {
            milliseconds = 0
        } else {
            milliseconds = Int32(clamping: rest / 1_000_000 &+ 1)
        }
        self.poller.wait(milliseconds: milliseconds)
        self.now = Instant(nanoseconds: SystemClock.monotonicNanoseconds())
    }

    /// The next thing to look at; nil when it is time to wait again.
    package mutating func nextEvent() -> EngineEvent? {
        while let (subject, readiness) = self.poller.next() {
            switch subject {
            case .listener(let index): return .listener(index)
            case .wakeup:
                self.wakeup.drain()
                return .wakeup
            case .connection(let slot, let generation):
                // The slot may have been closed, or closed and taken anew, since epoll looked.
                guard self.connections.isUsed(slot),
                    self.connections.generation(slot) & 0x3FFF_FFFF == generation
                else { continue }
                self.note(readiness, slot)
                return .connection(slot)
            }
        }
        while self.readyNow > 0 {
            let slot = Int(self.ready[self.readyHead])
            self.readyHead = self.readyHead &+ 1 == self.ready.count ? 0 : self.readyHead &+ 1
            self.readyCount &-= 1
            self.readyNow &-= 1
            guard self.connections.isUsed(slot),
                self.connections[slot].state.contains(.queued)
            else { continue }
            self.connections[slot].state.remove(.queued)
            return .connection(slot)
        }
        if let slot = self.timers.popExpired(now: self.now) { return .deadline(slot) }
        return nil
    }

    private mutating func note(_ readiness: PollReadiness, _ slot: Int) {
        var state = self.connections[slot].state
        if readiness.contains(.readable) { state.insert(.readable) }
        if readiness.contains(.writable) { state.insert(.writable) }
        if readiness.contains(.readHangup) || readiness.contains(.hangup) {
            state.insert(.peerClosed)
            state.insert(.readable)
        }
        if readiness.contains(.error) {
            state.insert(.failed)
            state.insert(.readable)
        }
        self.connections[slot].state = state
    }

    /// Has this connection reported again before the next wait, after the others had their turn.
    package mutating func requeue(_ slot: Int) {
        guard !self.connections[slot].state.contains(.queued) else { return }
        // A closed slot may still stand in the ring, so it can be full of stale entries only when
        // as many slots are queued as there are; then the kernel's next report serves as well.
        guard self.readyCount < self.ready.count else { return }
        self.connections[slot].state.insert(.queued)
        let end = self.readyHead &+ self.readyCount
        self.ready[end >= self.ready.count ? end &- self.ready.count : end] =
            Int32(truncatingIfNeeded: slot)
        self.readyCount &+= 1
    }

    // MARK: Connecting

    mutating func register(_ connection: Connection) -> Int? {
        let socket = connection.socket
        guard let slot = self.connections.insert(connection) else {
            socket.close()
            return nil
        }
        guard self.poller.add(socket, slot: slot, generation: self.connections.generation(slot))
        else {
            self.connections.remove(slot)
            socket.close()
            return nil
        }
        return slot
    }

    /// Opens a connection to `address`; it is `connecting` until `finishConnecting` says otherwise.
    package mutating func connect(
        to address: SocketAddress
    ) -> Result<Int, SystemError> {
        switch Descriptor.connect(to: address) {
        case .failure(let error): return .failure(error)
        case .success(let socket):
            var connection = Connection(socket: socket, address: address, state: .connecting)
            connection.isTCPConnecting = true
            guard let slot = self.register(connection) else {
                return .failure(SystemError(code: 12))
            }
            return .success(slot)
        }
    }

    /// A step of a connecting connection that was reported.
    package mutating func continueConnecting(_ slot: Int) -> ConnectStep {
        let state = self.connections[slot].state
        guard state.contains(.writable) || state.contains(.failed) else { return .waiting }
        if self.connections[slot].isTCPConnecting {
            // Epoll tells of a failure beside being writable: without one there is nothing to ask.
            if state.contains(.failed), let error = self.connections[slot].socket.connectError() {
                return .failed(.refused(error))
            }
            self.connections[slot].isTCPConnecting = false
            return .accepted
        }
        if self.connections[slot].carrier == .tls {
            switch self.handshake(slot) {
            case .done: break
            case .needsInput: return .waiting
            case .closed: return .failed(.refused(.connectionReset))
            case .failed(let failure): return .failed(.tls(failure))
            }
        }
        self.connections[slot].state.remove(.connecting)
        return .ready
    }

    /// Sends bytes in clear text ahead of an encryption that has not begun.
    package mutating func sendAhead(_ slot: Int, _ written: borrowing ByteWriter) -> Bool {
        self.sendPlain(slot, written.bytes)
    }

    // MARK: Looking at a connection

    package var connectionCount: Int { self.connections.count }
    package var connectionsMax: Int { self.connections.capacity }
    package var blocksUsed: Int { self.pool.used }
    @inlinable package func isUsed(_ slot: Int) -> Bool { self.connections.isUsed(slot) }
    package func generation(_ slot: Int) -> UInt32 { self.connections.generation(slot) }

    /// The memory that input lies in: take a copy, then `input(of:)` ranges of it.
    @inlinable package var memory: BlockMemory { self.pool.memory }

    // MARK: Receiving

    /// Reads what has arrived behind the input that is there, at most `limit` bytes.
    ///
    /// A block is taken when there is none, and given back when nothing came. `nil`: the block is
    /// full, or none is left (`hasInput` tells which).
    package mutating func receive(_ slot: Int, limit: Int = BlockMemory.blockSize) -> Moved? {
        var block = self.connections[slot].inputBlock
        if block < 0 {
            guard let fresh = self.pool.take() else { return nil }
            block = fresh
            self.connections[slot].inputBlock = fresh
            self.connections[slot].inputStart = 0
            self.connections[slot].inputEnd = 0
        }
        let end = self.connections[slot].inputEnd
        let room = Swift.min(BlockMemory.blockSize &- end, limit)
        guard room > 0 else { return nil }
        let moved: Moved
        // A short read emptied the kernel's buffer: the next arrival is a new edge.
        var isDrained = true
        switch self.connections[slot].carrier {
        case .socket:
            moved = self.connections[slot].socket.read(
                self.pool.memory,
                block,
                end..<(end &+ room)
            )
            if case .bytes(let count) = moved { isDrained = count < room }
        case .tls: (moved, isDrained) = self.decrypt(slot, block, end..<(end &+ room))
        case .stream:
            moved = self.receiveFromReserve(slot, room: end..<(end &+ room))
            isDrained = self.connections[slot].reserveBlock < 0
        }
        switch moved {
        case .bytes(let count):
            self.connections[slot].inputEnd = end &+ count
            // The end was reported already if it came with these bytes.
            if isDrained && !self.connections[slot].state.contains(.peerClosed) {
                self.connections[slot].state.remove(.readable)
                if self.connections[slot].inputEnds { self.connections[slot].state.insert(.atEnd) }
            }
        case .wouldBlock: self.connections[slot].state.remove(.readable)
        case .end:
            self.connections[slot].state.remove(.readable)
            // A stream that ends one way may go on the other: that is no hang-up.
            self.connections[slot].state.insert(
                self.connections[slot].carrier == .stream ? .atEnd : .ended
            )
        case .failed:
            self.connections[slot].state.remove(.readable)
            self.connections[slot].state.insert(.broken)
        }
        self.releaseInputIfEmpty(slot)
        return moved
    }

    /// Drops the first `count` bytes of the input.
    package mutating func consume(_ slot: Int, _ count: Int) {
        let start = self.connections[slot].inputStart &+ count
        precondition(start <= self.connections[slot].inputEnd, "more consumed than received")
        self.connections[slot].inputStart = start
        self.releaseInputIfEmpty(slot)
    }

    mutating func releaseInputIfEmpty(_ slot: Int) {
        guard !self.connections[slot].hasInput, self.connections[slot].inputBlock >= 0 else {
            return
        }
        self.pool.give(self.connections[slot].inputBlock)
        self.connections[slot].inputBlock = -1
        self.connections[slot].inputStart = 0
        self.connections[slot].inputEnd = 0
    }

    /// Moves the input to the block's beginning, so that there is room behind it.
    package mutating func compactInput(_ slot: Int) {
        let range = self.connections[slot].inputStart..<self.connections[slot].inputEnd
        guard !range.isEmpty, range.lowerBound > 0 else { return }
        self.pool.memory.move(self.connections[slot].inputBlock, range, to: 0)
        self.connections[slot].inputStart = 0
        self.connections[slot].inputEnd = range.count
    }

    /// Drops the bytes `range` out of the middle of the input: what lies behind moves up.
    package mutating func dropInput(_ slot: Int, _ range: Range<Int>) {
        let end = self.connections[slot].inputEnd
        precondition(
            range.lowerBound >= self.connections[slot].inputStart && range.upperBound <= end,
            "bytes dropped that are not there"
        )
        self.pool.memory.move(
            self.connections[slot].inputBlock,
            range.upperBound..<end,
            to: range.lowerBound
        )
        self.connections[slot].inputEnd = end &- range.count
    }

    /// Room behind the input.
    package func inputRoom(_ slot: Int) -> Int {
        self.connections[slot].inputBlock < 0
            ? BlockMemory.blockSize
            : BlockMemory.blockSize &- self.connections[slot].inputEnd
    }

    // MARK: Sending

    /// Sends what was `written`, and keeps what the kernel does not take (`hasOutput` then; it
    /// leaves with `flush`). Behind output that waits it is appended.
    ///
    /// False when the connection is broken, or no block or room is left for the rest.
    package mutating func send(_ slot: Int, _ written: borrowing ByteWriter) -> Bool {
        let bytes = written.bytes
        // Nothing would look like a socket that takes nothing.
        guard !bytes.isEmpty else { return true }
        switch self.connections[slot].carrier {
        case .socket: return self.sendPlain(slot, bytes)
        case .tls: return self.encrypt(slot, bytes) && self.sendEncrypted(slot)
        case .stream: return self.keepForStream(slot, bytes) == bytes.count
        }
    }

    mutating func sendPlain(_ slot: Int, _ bytes: borrowing Span<UInt8>) -> Bool {
        if self.connections[slot].hasOutput { return self.keep(slot, bytes) }
        switch self.connections[slot].socket.send(bytes) {
        case .bytes(let count) where count == bytes.count: return true
        case .bytes(let count):
            self.connections[slot].state.remove(.writable)
            return self.keep(slot, bytes.extracting(count..<bytes.count))
        case .wouldBlock:
            self.connections[slot].state.remove(.writable)
            return self.keep(slot, bytes)
        case .end, .failed:
            self.connections[slot].state.insert(.failed)
            return false
        }
    }

    private mutating func keep(_ slot: Int, _ bytes: borrowing Span<UInt8>) -> Bool {
        guard let end = self.extendOutput(slot, by: bytes.count) else { return false }
        self.pool.memory.copy(bytes, to: self.connections[slot].outputBlock, at: end)
        return true
    }

    /// Makes the output longer by `count` bytes; returns where they are to be written, or nil when
    /// no block or room is left.
    mutating func extendOutput(_ slot: Int, by count: Int) -> Int? {
        if !self.connections[slot].hasOutput {
            guard let block = self.pool.take() else { return nil }
            self.connections[slot].outputBlock = block
            self.connections[slot].outputStart = 0
            self.connections[slot].outputEnd = 0
        }
        let end = Int(self.connections[slot].outputEnd)
        guard count <= BlockMemory.blockSize &- end else { return nil }
        self.connections[slot].outputEnd = Int32(truncatingIfNeeded: end &+ count)
        return end
    }

    /// Sends what waits. False when the connection is broken; `hasOutput` tells if some is left.
    package mutating func flush(_ slot: Int) -> Bool {
        // What a stream has to send is taken by its connection's driver.
        if self.connections[slot].carrier == .stream {
            return !self.connections[slot].state.contains(.failed)
        }
        while self.connections[slot].hasOutput {
            guard self.connections[slot].state.contains(.writable) else { return true }
            let range =
                Int(self.connections[slot].outputStart)..<Int(self.connections[slot].outputEnd)
            let block = self.connections[slot].outputBlock
            let memory = self.pool.memory
            switch self.connections[slot].socket.send(memory.bytes(block, range)) {
            case .bytes(let count):
                self.connections[slot].outputStart += Int32(truncatingIfNeeded: count)
                if count < range.count {
                    self.connections[slot].state.remove(.writable)
                } else {
                    self.pool.give(block)
                    self.connections[slot].outputBlock = -1
                }
            case .wouldBlock: self.connections[slot].state.remove(.writable)
            case .end, .failed:
                self.connections[slot].state.insert(.failed)
                return false
            }
        }
        return true
    }

    /// Sends what was `written`, then `range` of the input of `source`, with one call where the
    /// kernel takes both. Returns how many bytes of `range` left (what is missing of `written` is
    /// kept), or nil when the connection is broken. Not for a connection with output that waits.
    package mutating func send(
        _ slot: Int,
        _ written: borrowing ByteWriter,
        thenInputOf source: Int,
        _ range: Range<Int>
    ) -> Int? {
        let head = written.bytes
        precondition(!self.connections[slot].hasOutput, "bytes would overtake others")
        let memory = self.pool.memory
        let body = memory.bytes(self.connections[source].inputBlock, range)
        switch self.connections[slot].carrier {
        case .socket: break
        case .tls: return self.encrypt(slot, head, then: body)
        case .stream:
            guard self.keepForStream(slot, head) == head.count else { return nil }
            return self.keepForStream(slot, body)
        }
        let socket = self.connections[slot].socket
        let moved = head.isEmpty ? socket.send(body) : socket.send(head, body)
        switch moved {
        case .bytes(let count):
            if count < head.count &+ range.count {
                self.connections[slot].state.remove(.writable)
            }
            if count >= head.count { return count &- head.count }
            return self.keep(slot, head.extracting(count..<head.count)) ? 0 : nil
        case .wouldBlock:
            self.connections[slot].state.remove(.writable)
            if head.isEmpty { return 0 }
            return self.keep(slot, head) ? 0 : nil
        case .end, .failed:
            self.connections[slot].state.insert(.failed)
            return nil
        }
    }

    // MARK: Deadlines and ending

    @inline(__always)
    package mutating func setDeadline(_ slot: Int, _ deadline: Instant) {
        self.timers.set(slot, deadline)
    }

    /// Whether the other side has neither sent anything nor closed: one system call.
    package func isQuiet(_ slot: Int) -> Bool {
        self.connections[slot].carrier == .stream || self.connections[slot].socket.isQuiet()
    }

    /// Whether nothing is left to read and the connection is whole. A read that took just what it
    /// asked for, as `splice` does with a body's rest, leaves that open: then the kernel is asked.
    package mutating func isSettled(_ slot: Int) -> Bool {
        let state = self.connections[slot].state
        if state.contains(.peerClosed) || state.contains(.failed) { return false }
        guard state.contains(.readable) else { return true }
        // What OpenSSL holds the kernel does not know of.
        guard self.connections[slot].carrier == .socket, self.isQuiet(slot) else { return false }
        self.connections[slot].state.remove(.readable)
        return true
    }

    /// Says to the other side that no more will come, and goes on reading.
    package mutating func shutdownWrite(_ slot: Int) {
        guard !self.connections[slot].state.contains(.shut) else { return }
        self.connections[slot].state.insert(.shut)
        switch self.connections[slot].carrier {
        case .socket: self.connections[slot].socket.shutdownWrite()
        case .tls:
            self.sayGoodbye(slot)
            self.connections[slot].socket.shutdownWrite()
        case .stream: break
        }
    }

    /// Closes the connection and frees its slot. `cutting`: with a reset, so that the other side
    /// does not take what it got for the whole.
    package mutating func close(_ slot: Int, cutting: Bool = false) {
        self.timers.remove(slot)
        if self.connections[slot].carrier == .tls { self.endTLS(slot, cutting: cutting) }
        let connection = self.connections[slot]
        if connection.inputBlock >= 0 { self.pool.give(connection.inputBlock) }
        if connection.outputBlock >= 0 { self.pool.give(connection.outputBlock) }
        if connection.reserveBlock >= 0 { self.pool.give(connection.reserveBlock) }
        if cutting { connection.socket.resetOnClose() }
        connection.socket.close()
        self.connections.remove(slot)
    }

    /// Housekeeping; call it about once a second.
    package mutating func tick() {
        self.pool.trim()
        if self.spare == .none { self.spare = (try? Wakeup().descriptor) ?? .none }
    }
}
