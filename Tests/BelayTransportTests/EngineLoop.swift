import BelayBytes
import BelayCore
import BelayTransport
import Testing

/// What the tests do with an engine: drive it until something has happened, open both ends of a
/// connection, and move plain arrays.
extension Engine {
    static func forTest(connections: Int = 16, blocks: Int = 32) throws -> Engine {
        try Engine(
            limits: EngineLimits(connectionsMax: connections, blocksMax: blocks),
            wakeup: try Wakeup()
        )
    }

    /// Adds a listener on a port of the system's choice.
    mutating func listen() throws -> (index: Int, address: SocketAddress) {
        let any = SocketAddress(ip: .loopbackV4, port: 0)
        let socket = try Descriptor.listen(on: any, backlog: 16)
        return (try self.addListener(socket), try #require(socket.localAddress()))
    }

    /// Hands events to `isDone` until it says so; false, and a failed test, after ten seconds.
    @discardableResult
    mutating func run(
        _ what: String,
        sourceLocation: SourceLocation = #_sourceLocation,
        until isDone: (inout Engine, EngineEvent) -> Bool
    ) -> Bool {
        let end = self.now + .seconds(10)
        while self.now < end {
            self.wait(until: end)
            while let event = self.nextEvent() {
                if isDone(&self, event) { return true }
            }
        }
        Issue.record("nothing happened: \(what)", sourceLocation: sourceLocation)
        return false
    }

    /// The events that are there now.
    mutating func eventsNow() -> [EngineEvent] {
        self.wait(until: self.now)
        var events: [EngineEvent] = []
        while let event = self.nextEvent() { events.append(event) }
        return events
    }

    /// Both ends of a new connection.
    mutating func pair(
        _ listener: (index: Int, address: SocketAddress)
    ) throws -> (client: Int, server: Int) {
        let client = try self.connect(to: listener.address).get()
        var server: Int?
        var isConnected = false
        self.run("a connection is taken") { engine, event in
            switch event {
            case .listener(let index):
                if case .connection(let slot) = engine.accept(from: index) { server = slot }
            case .connection(client):
                if case .success = engine.finishConnecting(client) { isConnected = true }
            case .connection, .wakeup, .deadline: break
            }
            return server != nil && isConnected
        }
        return (client, try #require(server))
    }

    /// How a connect in clear text ended; nil while it goes on.
    mutating func finishConnecting(_ slot: Int) -> Result<Void, SystemError>? {
        while true {
            switch self.continueConnecting(slot) {
            case .waiting: return nil
            case .accepted: continue
            case .ready: return .success(())
            case .failed(.refused(let error)): return .failure(error)
            case .failed(.tls(let failure)):
                Issue.record(failure)
                return nil
            }
        }
    }

    /// Sends all of `bytes`; false as `send` says it.
    mutating func send(_ slot: Int, _ bytes: [UInt8]) -> Bool {
        var writer = ByteWriter(capacity: Swift.max(1, bytes.count))
        writer.append(bytes.span)
        return self.send(slot, writer)
    }

    /// Sends all of `bytes`, which must be taken or kept.
    mutating func put(
        _ slot: Int,
        _ bytes: [UInt8],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard !self.send(slot, bytes) else { return }
        Issue.record("the bytes are refused", sourceLocation: sourceLocation)
    }

    /// The input that lies in the connection's block.
    func input(_ slot: Int) -> [UInt8] {
        guard self[slot].hasInput else { return [] }
        let memory = self.memory
        let bytes = memory.bytes(
            self[slot].inputBlock,
            self[slot].inputStart..<self[slot].inputEnd
        )
        return bytes.indices.map { bytes[$0] }
    }

    /// Reads until `count` bytes have come or the stream has ended, taking them out of the block.
    mutating func read(_ slot: Int, _ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        self.takeInput(slot, into: &bytes, count)
        if bytes.count < count, !self[slot].state.contains(.atEnd) {
            self.run("\(count) bytes arrive") { engine, event in
                guard case .connection(let changed) = event else { return false }
                if engine.isUsed(changed), engine[changed].hasOutput { _ = engine.flush(changed) }
                engine.takeInput(slot, into: &bytes, count)
                return bytes.count >= count || engine[slot].state.contains(.atEnd)
            }
        }
        return bytes
    }

    private mutating func takeInput(_ slot: Int, into bytes: inout [UInt8], _ count: Int) {
        while bytes.count < count {
            if !self[slot].hasInput {
                guard self[slot].state.contains(.readable) else { return }
                guard case .bytes = self.receive(slot) else { continue }
            }
            let fresh = self.input(slot).prefix(count - bytes.count)
            bytes += fresh
            self.consume(slot, fresh.count)
        }
    }

    /// Waits until the kernel has something for this connection, without taking its report.
    mutating func awaitArrival(_ slot: Int) {
        let end = SystemClock.monotonicNanoseconds() + 10_000_000_000
        while self.isQuiet(slot), SystemClock.monotonicNanoseconds() < end {}
        if self.isQuiet(slot) { Issue.record("nothing arrives") }
    }
}

/// `count` bytes in which every place can be told from its neighbours.
func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}
