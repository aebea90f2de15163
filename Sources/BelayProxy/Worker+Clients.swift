import BelayBytes
import BelayCore
import BelayHTTP
import BelayHTTP2
import BelayTelemetry
import BelayTransport

// The client's side in HTTP/1.1: connections come, heads are read, what can't be understood is
// refused, and a connection that has had its last answer is closed without destroying it.

extension Worker {
    // Limit: connections taken at one report of a listener, so that a flood of new ones does not
    // starve those that are open; the listener reports again.
    private static let acceptsAtOnce = 64

    // MARK: Accepting

    /// Takes what waits at one socket of a listener.
    mutating func acceptConnections(_ socket: Int) {
        let listener = self.engine.listener(of: socket)
        for _ in 0..<Self.acceptsAtOnce {
            switch self.engine.accept(from: socket) {
            case .none: return
            case .refused(.descriptors):
                self.metrics.connectionRefused(.descriptors)
            case .refused(.memory):
                self.metrics.connectionRefused(.memory)
                // It would report for ever: it is looked away from until the next tick.
                self.engine.pauseListener(socket)
                self.hasPausedListeners = true
                return
            case .connection(let slot): self.admit(slot, listener)
            }
        }
    }

    mutating func resumeListeners() {
        guard self.hasPausedListeners else { return }
        self.engine.resumeListeners()
        self.hasPausedListeners = false
    }

    /// Takes what has come to a socket, and closes it.
    mutating func closeListener(_ socket: Int) {
        // Connections that the kernel has already taken would be reset with the socket.
        if self.engine.narrowListener(socket) { self.acceptConnections(socket) }
        self.engine.closeListener(socket)
    }

    private mutating func admit(_ slot: Int, _ listener: Int) {
        guard self.shared.connectionOpened(limit: self.limits.connections) else {
            self.metrics.connectionRefused(.limit)
            self.engine.close(slot, cutting: true)
            return
        }
        self.metrics.count(.connectionsAccepted)
        self.growRoles(to: slot)
        self.roles[slot] = Role()
        self.roles[slot].kind = .client
        self.roles[slot].listener = UInt8(truncatingIfNeeded: listener)
        let traits = self.listenerTraits[listener]
        self.roles[slot].traits = traits
        // Whose connection it is may stand in a PROXY header that is still to come.
        guard traits.contains(.namesClient) || self.countClient(slot) else {
            self.metrics.connectionRefused(.clientLimit)
            self.closeClient(slot, cutting: true)
            return
        }
        guard traits.contains(.startsPlainly) else {
            self.beginArrival(slot)
            return
        }
        self.engine.setDeadline(slot, self.engine.now + self.limits.headTimeout)
        self.readRequest(slot)
    }

    /// Counts the connection among those of its address; false when these are too many.
    mutating func countClient(_ slot: Int) -> Bool {
        guard self.limits.connectionsPerClient > 0, !self.roles[slot].isCounted else {
            return true
        }
        let address = self.engine[slot].address.ip
        guard self.shared.opened(from: address, limit: self.limits.connectionsPerClient)
        else { return false }
        self.roles[slot].isCounted = true
        return true
    }

    /// Closes a client's connection, in whichever state it is, or its stream.
    mutating func closeClient(_ slot: Int, cutting: Bool = false) {
        if self.roles[slot].stream >= 0 {
            self.closeStream(slot, code: cutting ? HTTP2Code.internalError : nil)
            return
        }
        if self.roles[slot].isCounted { self.shared.closed(from: self.engine[slot].address.ip) }
        if self.roles[slot].kind == .lingering { self.lingering &-= 1 }
        self.roles[slot].kind = .free
        self.shared.connectionClosed()
        self.metrics.count(.connectionsClosed)
        self.engine.close(slot, cutting: cutting)
    }

    // MARK: Reading heads

    mutating func clientChanged(_ slot: Int) {
        let exchange = Int(self.roles[slot].exchange)
        if exchange < 0 {
            self.readRequest(slot)
            return
        }
        let state = self.engine[slot].state
        if state.contains(.failed) {
            if self.exchanges[exchange].state.contains(.isTunnel) {
                self.endTunnel(exchange, .broken)
            } else {
                self.cut(exchange, .clientLeft)
            }
            return
        }
        self.pump(exchange)
        // The pump reads what there is to read; a client that closed behind a whole request has
        // left, and its server need not go on.
        guard self.exchanges.isUsed(exchange),
            Int(self.exchanges[exchange].client) == slot,
            self.engine[slot].state.contains(.peerClosed),
            self.exchanges[exchange].state.contains(.requestDone),
            !self.exchanges[exchange].state.hasAny(of: .isTunnel | .responseDone)
        else { return }
        self.cut(exchange, .clientLeft)
    }

    /// Reads until a head is whole, and begins its exchange.
    mutating func readRequest(_ slot: Int) {
        while true {
            if self.engine[slot].hasInput {
                let memory = self.engine.memory
                let start = self.engine[slot].inputStart
                let end = self.engine[slot].inputEnd
                let input = memory.bytes(self.engine[slot].inputBlock, 0..<end)
                if self.roles[slot].requests == 0,
                    self.roles[slot].traits.contains(.mayBeHTTP2)
                {
                    switch ClientPreface.judge(input, from: start) {
                    case .other: break
                    case .needsMore:
                        guard self.receiveMore(slot) else { return }
                        continue
                    case .http2:
                        self.beginClientSession(slot)
                        return
                    }
                }
                do throws(MessageError) {
                    let length = try self.roles[slot].scanner.scan(
                        input,
                        from: start,
                        headMax: self.limits.headSize
                    )
                    if let length {
                        self.beginExchange(slot, length: length)
                        return
                    }
                } catch {
                    self.refuseHead(slot, error)
                    return
                }
            }
            guard self.receiveMore(slot) else { return }
        }
    }

    /// Reads more of a head. False when nothing is there, or the connection has ended.
    private mutating func receiveMore(_ slot: Int) -> Bool {
        let state = self.engine[slot].state
        if state.contains(.atEnd) {
            self.closeClient(slot)
            return false
        }
        guard state.contains(.readable) else { return false }
        if self.engine.inputRoom(slot) == 0 { self.engine.compactInput(slot) }
        let wasEmpty = !self.engine[slot].hasInput
        guard let moved = self.engine.receive(slot) else {
            // No block is left: this connection makes room for the others.
            self.metrics.connectionRefused(.memory)
            self.closeClient(slot, cutting: true)
            return false
        }
        if wasEmpty, case .bytes = moved, self.roles[slot].requests > 0 {
            // A head's time runs from its first byte.
            self.engine.setDeadline(slot, self.engine.now + self.limits.headTimeout)
        }
        return true
    }

    /// Parses the head and hands the request over.
    mutating func beginExchange(_ slot: Int, length: Int) {
        self.roles[slot].scanner = HeadScanner()
        self.roles[slot].requests &+= 1
        var start = self.engine[slot].inputStart
        var request = RequestHead()
        let memory = self.engine.memory
        self.fieldsOf = -1
        do throws(MessageError) {
            request = try RequestHead.parse(
                memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd),
                from: start,
                length: length,
                into: &self.fields
            )
        } catch {
            self.refuseHead(slot, error)
            return
        }
        let isStream = self.roles[slot].stream >= 0
        if isStream, request.framing == .none, !request.wantsUpgrade,
            !self.engine[slot].inputEnds
        {
            // A stream's body ends with the stream.
            request.framing = .untilClose
        }
        if start > 0, request.framing != .none {
            // The body may need the room before it.
            self.engine.compactInput(slot)
            start = 0
        }
        guard let exchange = self.openExchange(slot) else { return }
        self.fieldsOf = exchange
        self.exchanges[exchange].request = request
        self.exchanges[exchange].state.insert(.hasRequest)
        if isStream { self.exchanges[exchange].state.insert(.clientIsStream) }
        self.exchanges[exchange].headStart = start
        self.exchanges[exchange].cursor = start &+ length
        // With what came of the body together with the head.
        var received = UInt64(length)
        let behind = UInt64(self.engine[slot].inputEnd - start - length)
        switch request.framing {
        case .length(let size): received &+= Swift.min(size, behind)
        case .chunked: received &+= behind
        case .none, .untilClose: break
        }
        self.exchanges[exchange].record.bytesFromClient = received
        self.exchanges[exchange].record.headReceived = self.engine.now
        if !request.keepsAlive { self.exchanges[exchange].state.insert(.closesClient) }
        if self.limits.requestsPerConnection > 0,
            Int(self.roles[slot].requests) >= self.limits.requestsPerConnection
        {
            self.exchanges[exchange].state.insert(.closesClient)
        }
        self.exchanges[exchange].requestReader = BodyReader(
            request.framing,
            trailerMax: Swift.min(self.limits.headSize, 8 * 1024)
        )
        self.engine.setDeadline(slot, self.engine.now + self.limits.idle)
        self.requestArrived(exchange)
    }

    /// A place for a new exchange of this client; nil when there is none, and the client is closed.
    mutating func openExchange(_ slot: Int) -> Int? {
        var record = ExchangeRecord(client: self.engine[slot].address, started: self.engine.now)
        let traits = self.roles[slot].traits
        if traits.contains(.isTLS) { record.tls = traits.contains(.isTLS13) ? .v13 : .v12 }
        if self.roles[slot].stream >= 0 { record.transport = .http2 }
        guard let exchange = self.exchanges.insert(Exchange(client: slot, record: record)) else {
            self.metrics.connectionRefused(.memory)
            self.closeClient(slot, cutting: true)
            return nil
        }
        self.roles[slot].exchange = Int32(truncatingIfNeeded: exchange)
        return exchange
    }

    /// Answers a head that can't be understood, and closes.
    private mutating func refuseHead(_ slot: Int, _ error: MessageError) {
        self.answerWithoutRequest(slot, OwnAnswer(error), refusal: error)
    }

    /// Answers though there is no request that was understood, and closes.
    mutating func answerWithoutRequest(
        _ slot: Int,
        _ answer: OwnAnswer,
        refusal: MessageError? = nil
    ) {
        guard let exchange = self.openExchange(slot) else { return }
        if self.roles[slot].stream >= 0 {
            self.exchanges[exchange].state.insert(.clientIsStream)
        }
        self.exchanges[exchange].record.bytesFromClient = UInt64(
            self.engine[slot].inputEnd - self.engine[slot].inputStart
        )
        self.exchanges[exchange].record.refusal = refusal?.rawValue
        self.exchanges[exchange].state.insert(.closesClient)
        self.engine.setDeadline(slot, self.engine.now + self.limits.idle)
        self.answer(exchange, answer)
    }

    // MARK: After the last answer

    // Limit: how long and how much is read and thrown away after a last answer, and how many
    // connections may be in that state; beyond it they are closed at once.
    private static let lingerTime = TimeSpan.seconds(2)
    private static let lingeringMax = 4096
    private static let lingeringBytesMax: UInt32 = 16 * 1024 * 1024

    /// Closes a client's connection after its last answer has been given to the kernel. When bytes
    /// of the client may still arrive, closing at once would answer them with a reset, which
    /// destroys the answer on its way.
    mutating func closeAfterAnswer(_ slot: Int, expectsMore: Bool) {
        if self.roles[slot].stream >= 0 {
            // What the client still sends on the stream is answered by a reset, once all is out.
            self.closeStream(slot, code: nil)
            return
        }
        let state = self.engine[slot].state
        guard expectsMore || self.engine[slot].hasInput || state.contains(.readable),
            !state.contains(.atEnd), !state.contains(.failed),
            self.lingering < Self.lingeringMax
        else {
            self.closeClient(slot)
            return
        }
        self.engine.shutdownWrite(slot)
        self.roles[slot].kind = .lingering
        self.roles[slot].exchange = -1
        // From here on the bytes that were thrown away.
        self.roles[slot].requests = 0
        self.lingering &+= 1
        self.engine.setDeadline(slot, self.engine.now + Self.lingerTime)
        self.drainLingering(slot)
    }

    mutating func drainLingering(_ slot: Int) {
        for _ in 0..<16 {
            let input = self.engine[slot].inputEnd - self.engine[slot].inputStart
            if input > 0 { self.engine.consume(slot, input) }
            self.roles[slot].requests &+= UInt32(truncatingIfNeeded: input)
            let state = self.engine[slot].state
            if state.contains(.atEnd) || state.contains(.failed)
                || self.roles[slot].requests > Self.lingeringBytesMax
            {
                self.closeClient(slot)
                return
            }
            guard state.contains(.readable) else { return }
            guard self.engine.receive(slot) != nil else {
                self.closeClient(slot)
                return
            }
        }
        self.engine.requeue(slot)
    }
}
