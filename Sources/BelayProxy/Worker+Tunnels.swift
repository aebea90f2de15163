import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayTelemetry
import BelayTransport

// Tunnels: both sides speak what they agreed on. Of a WebSocket the frames' boundaries are watched,
// so that Belay can end it in a proper frame and knows why it ended; nothing else is looked at.

/// What is kept of a tunnel while it is open.
struct Tunnel {
    /// The request's head, so that the client's block is free while nothing moves. Empty in TCP.
    var head: [UInt8] = []
    var fromClient = WebSocketReader()
    var fromServer = WebSocketReader()
    /// The server's first bytes are looked at for the TLS session that they name.
    var awaitsHello = false
    /// The side that had nothing more to say first; nil while both go on.
    var endedFirst: TunnelEnd?
    /// When its turn to be ended comes, once Belay stops.
    var drainAt = Instant.distantFuture

    init() {}

    /// The code of the close frame that went by first, or 0.
    var closeCode: UInt16 { self.fromClient.closeCode ?? self.fromServer.closeCode ?? 0 }

    mutating func pass(_ direction: Direction, _ bytes: borrowing Span<UInt8>) {
        switch direction {
        case .request: self.fromClient.pass(bytes)
        case .response: self.fromServer.pass(bytes)
        }
    }

    mutating func advance(_ direction: Direction, _ count: UInt64) {
        switch direction {
        case .request: self.fromClient.advance(count)
        case .response: self.fromServer.advance(count)
        }
    }

    func reader(_ direction: Direction) -> WebSocketReader {
        direction == .request ? self.fromClient : self.fromServer
    }
}

extension Worker {
    // Limit: how long a client has to answer Belay's close frame.
    private static let closeGrace = TimeSpan.seconds(2)

    // MARK: Opening

    /// From here on both sides speak what they agreed on (RFC 9110 §7.8). False when there is no
    /// room for it.
    mutating func openTunnel(_ exchange: Int, isWebSocket: Bool) -> Bool {
        guard let tunnel = self.tunnels.insert(Tunnel()) else { return false }
        self.exchanges[exchange].tunnel = Int32(truncatingIfNeeded: tunnel)
        self.exchanges[exchange].record.status = 101
        self.exchanges[exchange].record.isTunnel = true
        self.exchanges[exchange].state.insert(.closesClient)
        if isWebSocket {
            self.exchanges[exchange].record.isWebSocket = true
            self.exchanges[exchange].state.insert(.isWebSocket)
        }
        let slot = Int(self.exchanges[exchange].client)
        let start = self.exchanges[exchange].headStart
        let length = self.exchanges[exchange].request.length
        let memory = self.engine.memory
        let head = memory.bytes(self.engine[slot].inputBlock, start..<(start + length))
        self.tunnels[tunnel].head.reserveCapacity(length)
        for index in 0..<length { self.tunnels[tunnel].head.append(head[index]) }
        self.engine.consume(slot, self.exchanges[exchange].cursor - self.engine[slot].inputStart)
        self.exchanges[exchange].headStart = 0
        self.exchanges[exchange].state.insert(.bodyLetGo)
        if let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        {
            self.countSuccess(pool, server)
            self.endAwaiting(exchange)
            self.endRetry(exchange)
        }
        self.startTunnel(exchange)
        return true
    }

    /// What all tunnels begin with.
    mutating func startTunnel(_ exchange: Int) {
        self.exchanges[exchange].state.insert(.isTunnel | .requestStarted | .responseStarted)
        self.exchanges[exchange].requestReader = BodyReader(.untilClose, trailerMax: 0)
        self.exchanges[exchange].responseReader = BodyReader(.untilClose, trailerMax: 0)
        self.exchanges[exchange].requestVetted = 0
        self.exchanges[exchange].responseChunked = false
        self.exchanges[exchange].state.remove(.requestDone | .requestTail)
        self.metrics.count(.tunnelsOpened)
        self.writeLog(exchange, isOpening: true)
        if self.stopping != .running { self.scheduleDrain(exchange) }
    }

    // MARK: Moving

    /// Moves a tunnel's bytes in both directions.
    mutating func pumpTunnel(_ exchange: Int) {
        let client = Int(self.exchanges[exchange].client)
        let server = Int(self.exchanges[exchange].server)
        guard server >= 0 else { return }
        guard self.pumpTunnel(exchange, .request, to: server, .requestDone) else {
            self.endTunnel(exchange, .broken)
            return
        }
        guard self.pumpTunnel(exchange, .response, to: client, .responseDone) else {
            self.endTunnel(exchange, .broken)
            return
        }
        self.endTunnelIfDone(exchange)
    }

    /// One direction of it; false when it is broken.
    private mutating func pumpTunnel(
        _ exchange: Int,
        _ direction: Direction,
        to sink: Int,
        _ mark: Exchange.State
    ) -> Bool {
        guard self.engine.flush(sink) else { return false }
        guard !self.engine[sink].hasOutput, !self.exchanges[exchange].state.contains(mark) else {
            return true
        }
        if self.exchanges[exchange].state.contains(.isDraining), self.drain(exchange, direction) {
            return true
        }
        if direction == .response, self.tunnels[Int(self.exchanges[exchange].tunnel)].awaitsHello,
            !self.learnHello(exchange)
        {
            return true
        }
        self.composed.removeAll()
        switch self.transfer(exchange, direction) {
        case .done:
            self.exchanges[exchange].state.insert(mark)
            let tunnel = Int(self.exchanges[exchange].tunnel)
            if self.tunnels[tunnel].endedFirst == nil {
                self.tunnels[tunnel].endedFirst = direction == .request ? .client : .server
            }
            return true
        case .waiting:
            // The frame that was under way may be whole now.
            if self.exchanges[exchange].state.contains(.isDraining), !self.engine[sink].hasOutput {
                _ = self.drain(exchange, direction)
            }
            return true
        case .sinkFailed, .sourceEnded, .malformed, .noMemory: return false
        }
    }

    /// Passes a half-close on, and ends the tunnel when both sides have finished.
    private mutating func endTunnelIfDone(_ exchange: Int) {
        let client = Int(self.exchanges[exchange].client)
        let server = Int(self.exchanges[exchange].server)
        let state = self.exchanges[exchange].state
        let answered = state.contains(.responseDone) && !self.engine[client].hasOutput
        let asked = state.contains(.requestDone) && !self.engine[server].hasOutput
        if answered && asked {
            // A stream is told so even if its end and the other's come together.
            if self.roles[client].stream >= 0 { self.finishOutput(client) }
            if self.roles[server].stream >= 0 { self.finishOutput(server) }
            self.endTunnel(exchange, state.contains(.isDraining) ? .drained : nil)
        } else if answered {
            self.finishOutput(client)
        } else if asked {
            self.finishOutput(server)
        }
    }

    /// Ends a tunnel. `end` says why; nil when both sides have finished.
    mutating func endTunnel(_ exchange: Int, _ end: TunnelEnd?) {
        let tunnel = Int(self.exchanges[exchange].tunnel)
        self.exchanges[exchange].record.closeCode = self.tunnels[tunnel].closeCode
        let server = Int(self.exchanges[exchange].server)
        if end == nil || end == .drained, server >= 0 {
            // An orderly end: a reset could destroy the last bytes on their way.
            self.exchanges[exchange].server = -1
            self.closeServer(server)
        }
        if self.exchanges[exchange].state.contains(.responseClosed) {
            self.exchanges[exchange].record.closeCode = 1012
        }
        self.metrics.count(end ?? self.tunnels[tunnel].endedFirst ?? .client)
        self.cut(exchange, end == .drained ? .tunnelDrained : .tunnelClosed)
    }

    // MARK: Draining

    /// Belay stops, and the tunnel stays until its turn: those of a worker end one after the
    /// other, so that their clients do not all come back in one moment.
    mutating func scheduleDrain(_ exchange: Int) {
        let tunnel = Int(self.exchanges[exchange].tunnel)
        guard self.tunnels[tunnel].drainAt == .distantFuture else { return }
        // The second half of the time that is left; the last tenth is for the close handshakes.
        let left = self.stopDeadline - self.engine.now
        let earliest = left.nanoseconds / 2
        let width = UInt64(Swift.max(1, left.nanoseconds / 10 * 4))
        let offset = Int64(truncatingIfNeeded: self.random.next() % width)
        self.tunnels[tunnel].drainAt =
            self.engine.now + TimeSpan(nanoseconds: earliest &+ offset)
        self.engine.setDeadline(
            Int(self.exchanges[exchange].client),
            self.tunnels[tunnel].drainAt
        )
    }

    // Limit: over how long the tunnels of a server that was drained are ended.
    private static let drainSpread = TimeSpan.seconds(5)

    /// The server takes nobody any more: its tunnels end one after the other.
    mutating func endTunnels(_ pool: Int, _ server: Int) {
        for exchange in 0..<self.exchanges.count where self.exchanges.isUsed(exchange) {
            let state = self.exchanges[exchange].state
            guard self.exchanges[exchange].record.pool == pool,
                self.exchanges[exchange].record.server == server,
                state.contains(.isTunnel), !state.contains(.isDraining)
            else { continue }
            let tunnel = Int(self.exchanges[exchange].tunnel)
            let width = UInt64(Self.drainSpread.nanoseconds)
            let offset = Int64(truncatingIfNeeded: self.random.next() % width)
            self.tunnels[tunnel].drainAt = self.engine.now + TimeSpan(nanoseconds: offset)
            self.engine.setDeadline(
                Int(self.exchanges[exchange].client),
                self.tunnels[tunnel].drainAt
            )
        }
    }

    /// The tunnel's turn has come.
    mutating func beginDrain(_ exchange: Int) {
        guard self.exchanges[exchange].state.contains(.isWebSocket) else {
            self.endTunnel(exchange, .drained)
            return
        }
        self.exchanges[exchange].state.insert(.isDraining)
        self.engine.setDeadline(
            Int(self.exchanges[exchange].client),
            self.engine.now + Self.closeGrace
        )
        self.pump(exchange)
    }

    /// Sends the close frame of one direction if its last frame is whole. True when nothing more
    /// is to be moved in it.
    private mutating func drain(_ exchange: Int, _ direction: Direction) -> Bool {
        let state = self.exchanges[exchange].state
        let isClosed = state.contains(direction == .request ? .requestClosed : .responseClosed)
        let (source, sink) = self.ends(exchange, direction)
        if isClosed {
            // What still comes is thrown away; only the end is of interest.
            self.discard(source)
            if self.engine[source].state.contains(.atEnd) {
                self.exchanges[exchange].state.insert(
                    direction == .request ? .requestDone : .responseDone
                )
            }
            return true
        }
        let tunnel = Int(self.exchanges[exchange].tunnel)
        let reader = self.tunnels[tunnel].reader(direction)
        let vetted =
            direction == .request
            ? self.exchanges[exchange].requestVetted : self.exchanges[exchange].responseVetted
        guard reader.isAtFrameBoundary, vetted == 0, self.piped(exchange, direction) == 0,
            !reader.isOpaque
        else { return false }
        self.composed.removeAll()
        // RFC 6455 §7.4 and its registry: 1012 is "service restart", come back later.
        let mask = UInt32(truncatingIfNeeded: self.random.next())
        writeCloseFrame(
            code: 1012,
            reason: "restart",
            mask: direction == .request ? mask : nil,
            into: &self.composed
        )
        _ = self.engine.send(sink, self.composed)
        self.noteOutput(sink)
        self.exchanges[exchange].state.insert(
            direction == .request ? .requestClosed : .responseClosed
        )
        return true
    }

    private func ends(_ exchange: Int, _ direction: Direction) -> (source: Int, sink: Int) {
        let client = Int(self.exchanges[exchange].client)
        let server = Int(self.exchanges[exchange].server)
        return direction == .request ? (client, server) : (server, client)
    }

    private mutating func discard(_ slot: Int) {
        for _ in 0..<16 {
            let input = self.engine[slot].inputEnd - self.engine[slot].inputStart
            if input > 0 { self.engine.consume(slot, input) }
            guard self.engine[slot].state.contains(.readable), self.engine.receive(slot) != nil
            else { return }
        }
        self.engine.requeue(slot)
    }
}
