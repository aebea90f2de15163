import BelayBytes
import BelayCore
import BelayHTTP
import BelayTelemetry
import BelayTransport

// Bodies. Both directions are moved by the same code: read what has arrived, look at the framing,
// write it as the other side wants it, stop when the other side takes no more.

/// Which way bytes go.
enum Direction {
    /// From the client to the server.
    case request
    /// From the server to the client.
    case response
}

/// What became of a transfer.
enum TransferOutcome {
    /// The message is whole, and all of it has been given to the other side's connection.
    case done
    /// One of the sides must become ready first.
    case waiting
    /// The giving side closed or broke before the message was whole.
    case sourceEnded
    /// The taking side is broken.
    case sinkFailed
    /// The message's framing is wrong.
    case malformed(MessageError)
    /// No block is left.
    case noMemory
}

extension Worker {
    // Limit: pieces of up to this size are copied behind a head or a chunk's size, so that one
    // plain write takes all; longer ones are sent from where they lie.
    private static let copyMax = 8 * 1024
    // Limit: rounds of reading and writing before the others have their turn: 16 blocks are 1 MiB.
    private static let roundsMax = 16
    // Limit: bodies with at least so many bytes to come are spliced: measured at 64 KiB, that takes
    // two thirds of the CPU of copying; below, two more system calls cost more than the copy.
    static let spliceMin: UInt64 = 32 * 1024
    private static let spliceAtOnce = 256 * 1024

    // MARK: Requests

    mutating func pumpRequest(_ exchange: Int) {
        let state = self.exchanges[exchange].state
        guard !state.hasAny(of: .requestDone | .requestRefused) else { return }
        let server = Int(self.exchanges[exchange].server)
        guard !self.engine[server].hasOutput else { return }
        self.composed.removeAll()
        if !state.contains(.requestStarted) {
            guard self.composeRequest(exchange) else { return }
            self.exchanges[exchange].state.insert(.requestStarted)
        }
        switch self.transfer(exchange, .request) {
        case .done: self.exchanges[exchange].state.insert(.requestDone)
        case .waiting: break
        case .sinkFailed:
            // The server may have answered before it closed: that is read next.
            self.exchanges[exchange].state.insert(.requestRefused)
        case .sourceEnded: self.cut(exchange, .clientLeft)
        case .malformed(let error): self.refuseRequestBody(exchange, error)
        case .noMemory: self.answer(exchange, .noMemory)
        }
    }

    private mutating func refuseRequestBody(_ exchange: Int, _ error: MessageError) {
        self.exchanges[exchange].record.refusal = error.rawValue
        self.exchanges[exchange].state.insert(.closesClient)
        self.answer(exchange, OwnAnswer(error))
    }

    /// Writes the request's head as the server gets it into `composed`.
    private mutating func composeRequest(_ exchange: Int) -> Bool {
        guard self.parseFieldsAgain(exchange) else { return false }
        let slot = Int(self.exchanges[exchange].client)
        let request = self.exchanges[exchange].request
        let memory = self.engine.memory
        let input = memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd)
        var rules = self.rules
        if let pool = self.exchanges[exchange].record.pool {
            rules.bindingCookie = self.pools[pool].plan.cookieName
            if request.minorVersion == 0, let server = self.exchanges[exchange].record.server {
                rules.defaultHost = self.pools[pool].plan.servers[server].defaultHost
            }
        }
        let peer = self.engine[slot].address.ip
        writeRequest(
            request,
            self.fields,
            in: input,
            from: self.exchanges[exchange].headStart,
            rules: rules,
            facts: ForwardingFacts(
                client: peer,
                isTLS: self.exchanges[exchange].state.contains(.isOverTLS),
                peerIsTrusted: self.isTrusted(peer)
            ),
            framing: request.framing,
            keepsUpgrade: request.wantsUpgrade,
            into: &self.composed
        )
        guard !self.composed.hasOverflowed else {
            self.answer(exchange, OwnAnswer(.headTooLarge))
            return false
        }
        return true
    }

    /// Makes `fields` hold the lines of this exchange's request again, after other heads were
    /// parsed. The head lies in the client's block until the exchange ends.
    mutating func parseFieldsAgain(_ exchange: Int) -> Bool {
        guard self.fieldsOf != exchange else { return true }
        let slot = Int(self.exchanges[exchange].client)
        guard self.engine[slot].inputBlock >= 0 else { return false }
        let memory = self.engine.memory
        let parsed = try? RequestHead.parse(
            memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd),
            from: self.exchanges[exchange].headStart,
            length: self.exchanges[exchange].request.length,
            into: &self.fields
        )
        self.fieldsOf = parsed == nil ? -1 : exchange
        return parsed != nil
    }

    // MARK: Responses

    mutating func pumpResponse(_ exchange: Int) {
        let state = self.exchanges[exchange].state
        let client = Int(self.exchanges[exchange].client)
        guard !self.engine[client].hasOutput else { return }
        self.composed.removeAll()
        if !state.contains(.responseStarted) {
            guard self.readResponseHead(exchange) else { return }
        }
        switch self.transfer(exchange, .response) {
        case .done:
            if self.exchanges[exchange].state.contains(.isTunnel) {
                self.halfClose(exchange)
                return
            }
            self.exchanges[exchange].state.insert(.responseDone)
            self.finishWhenFlushed(exchange)
        case .waiting:
            // What the client sent behind its request is the tunnel's first bytes.
            if self.exchanges[exchange].state.contains(.isTunnel) { self.engine.requeue(client) }
        case .sinkFailed: self.cut(exchange, .clientLeft)
        case .sourceEnded: self.cut(exchange, .serverClosedEarly)
        case .malformed(let error):
            self.exchanges[exchange].record.refusal = error.rawValue
            self.cut(exchange, error == .unexpectedEnd ? .serverClosedEarly : .responseRefused)
        case .noMemory: self.cut(exchange, .overloaded)
        }
    }

    /// One side of a tunnel has finished; the tunnel ends with the other.
    private mutating func halfClose(_ exchange: Int) {
        self.exchanges[exchange].state.insert(.responseDone)
        self.endTunnelIfDone(exchange)
    }

    /// Moves a tunnel's bytes in both directions.
    mutating func pumpTunnel(_ exchange: Int) {
        let client = Int(self.exchanges[exchange].client)
        let server = Int(self.exchanges[exchange].server)
        guard self.pumpTunnel(exchange, .request, to: server, .requestDone),
            self.pumpTunnel(exchange, .response, to: client, .responseDone)
        else {
            self.cut(exchange, .tunnelClosed)
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
        self.composed.removeAll()
        switch self.transfer(exchange, direction) {
        case .done:
            self.exchanges[exchange].state.insert(mark)
            return true
        case .waiting: return true
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
            // An orderly end: a reset could destroy the last bytes on their way.
            self.exchanges[exchange].server = -1
            self.closeServer(server)
            self.cut(exchange, .tunnelClosed)
        } else if answered {
            self.engine.shutdownWrite(client)
        } else if asked {
            self.engine.shutdownWrite(server)
        }
    }

    // MARK: Both

    /// What a transfer works on; read from the exchange at its beginning and written back.
    private struct Flow {
        var source: Int
        var sink: Int
        var reader: BodyReader
        /// The next byte to send, in the source's input.
        var cursor: Int
        /// So many bytes from there on were read as data.
        var vetted: Int
        var isChunked: Bool
        var hasTail: Bool
        var isDirect = false
        /// There is input that was not looked at, because enough had been composed.
        var hasMore = false
        /// Bytes of the body's data that were read, and how many it may have.
        var data: UInt64 = 0
        var dataMax = UInt64.max

        /// Nothing of the message is left in the source's input.
        var isOver: Bool {
            self.reader.isAtEnd && self.vetted == 0 && (!self.isChunked || self.hasTail)
        }
    }

    private func flow(_ exchange: Int, _ direction: Direction) -> Flow {
        let client = Int(self.exchanges[exchange].client)
        let server = Int(self.exchanges[exchange].server)
        let state = self.exchanges[exchange].state
        switch direction {
        case .request:
            return Flow(
                source: client,
                sink: server,
                reader: self.exchanges[exchange].requestReader,
                cursor: self.exchanges[exchange].cursor,
                vetted: self.exchanges[exchange].requestVetted,
                isChunked: self.exchanges[exchange].request.framing == .chunked
                    && !state.contains(.isTunnel),
                hasTail: state.contains(.requestTail),
                data: self.exchanges[exchange].bodyBytes,
                dataMax: self.limits.bodySize > 0 ? self.limits.bodySize : .max
            )
        case .response:
            return Flow(
                source: server,
                sink: client,
                reader: self.exchanges[exchange].responseReader,
                cursor: self.engine[server].inputStart,
                vetted: self.exchanges[exchange].responseVetted,
                isChunked: self.exchanges[exchange].responseChunked,
                hasTail: state.contains(.responseTail)
            )
        }
    }

    private mutating func keep(_ flow: Flow, _ exchange: Int, _ direction: Direction) {
        switch direction {
        case .request:
            self.exchanges[exchange].requestReader = flow.reader
            self.exchanges[exchange].cursor = flow.cursor
            self.exchanges[exchange].requestVetted = flow.vetted
            self.exchanges[exchange].bodyBytes = flow.data
            if flow.hasTail { self.exchanges[exchange].state.insert(.requestTail) }
        case .response:
            self.exchanges[exchange].responseReader = flow.reader
            self.exchanges[exchange].responseVetted = flow.vetted
            if flow.hasTail { self.exchanges[exchange].state.insert(.responseTail) }
        }
    }

    /// Moves a message on, as far as both sides allow. `composed` may hold its head already. The
    /// sink must have no output that waits.
    private mutating func transfer(_ exchange: Int, _ direction: Direction) -> TransferOutcome {
        var flow = self.flow(exchange, direction)
        let outcome = self.move(&flow, exchange, direction)
        self.keep(flow, exchange, direction)
        return outcome
    }

    private mutating func move(
        _ flow: inout Flow,
        _ exchange: Int,
        _ direction: Direction
    ) -> TransferOutcome {
        for _ in 0..<Self.roundsMax {
            do throws(MessageError) { try self.compose(&flow) } catch { return .malformed(error) }
            if self.composed.count > 0 || flow.isDirect {
                guard let outcome = self.sendComposed(&flow, exchange, direction) else {
                    return .sinkFailed
                }
                if let outcome { return outcome }
                if flow.vetted > 0 || flow.hasMore { continue }
            } else {
                // Framing alone was read: a chunk's size line whose data is not here yet.
                self.dropRead(&flow, direction)
            }
            if flow.isOver, self.piped(exchange, direction) == 0 { return .done }
            if let outcome = self.refill(&flow, exchange, direction) { return outcome }
        }
        // The others' turn.
        self.engine.requeue(flow.source)
        return .waiting
    }

    /// Looks at the input and writes what should leave into `composed`; sets `isDirect` when the
    /// vetted bytes are to be sent from where they lie, behind it.
    private mutating func compose(_ flow: inout Flow) throws(MessageError) {
        flow.isDirect = false
        flow.hasMore = false
        let block = self.engine[flow.source].inputBlock
        let end = self.engine[flow.source].inputEnd
        let memory = self.engine.memory
        while self.composed.count < Self.composedMax {
            if flow.vetted > 0 {
                guard flow.isChunked || flow.vetted <= Self.copyMax else {
                    flow.isDirect = true
                    return
                }
                let room = Self.composedMax + 16 * 1024 - self.composed.count - 32
                let count = Swift.min(flow.vetted, room)
                let data = memory.bytes(block, flow.cursor..<(flow.cursor + count))
                if flow.isChunked {
                    self.composed.appendChunk(data)
                } else {
                    self.composed.append(data)
                }
                flow.cursor += count
                flow.vetted -= count
                continue
            }
            if flow.reader.isAtEnd {
                if flow.isChunked && !flow.hasTail {
                    self.composed.appendLastChunk()
                    flow.hasTail = true
                }
                return
            }
            guard flow.cursor < end, block >= 0 else { return }
            switch try flow.reader.next(memory.bytes(block, 0..<end), from: flow.cursor) {
            case .data(let range):
                flow.vetted = range.count
                flow.data &+= UInt64(range.count)
                guard flow.data <= flow.dataMax else { throw .bodyTooLarge }
            case .framing(let count): flow.cursor += count
            case .trailer(let line):
                if flow.isChunked {
                    if !flow.hasTail { self.composed.append("0\r\n") }
                    flow.hasTail = true
                    self.composed.append(memory.bytes(block, line))
                    self.composed.append("\r\n")
                }
                flow.cursor = line.upperBound + 2
            case .needsMore: return
            case .end(let count):
                flow.cursor += count
                if flow.isChunked {
                    self.composed.append(flow.hasTail ? "\r\n" : "0\r\n\r\n")
                    flow.hasTail = true
                }
            }
        }
        flow.hasMore = true
    }

    /// Sends what was composed. Nil: the sink is broken; `.some(nil)`: go on.
    private mutating func sendComposed(
        _ flow: inout Flow,
        _ exchange: Int,
        _ direction: Direction
    ) -> TransferOutcome?? {
        var sent = self.composed.count
        if flow.isDirect {
            let range = flow.cursor..<(flow.cursor + flow.vetted)
            guard
                let count = self.engine.send(
                    flow.sink,
                    self.composed,
                    thenInputOf: flow.source,
                    range
                )
            else { return nil }
            flow.cursor += count
            flow.vetted -= count
            sent += count
        } else if !self.engine.send(flow.sink, self.composed) {
            return nil
        }
        self.composed.removeAll()
        self.count(sent: sent, exchange, direction)
        self.noteProgress(exchange)
        self.dropRead(&flow, direction)
        if self.engine[flow.sink].hasOutput || (flow.isDirect && flow.vetted > 0) {
            return .some(flow.isOver ? .done : .waiting)
        }
        return .some(nil)
    }

    /// What was read of a response leaves the server's input; a request stays, to be sent again.
    private mutating func dropRead(_ flow: inout Flow, _ direction: Direction) {
        guard direction == .response else { return }
        self.engine.consume(flow.source, flow.cursor - self.engine[flow.source].inputStart)
        flow.cursor = self.engine[flow.source].inputStart
    }

    private mutating func count(sent: Int, _ exchange: Int, _ direction: Direction) {
        switch direction {
        case .request: self.exchanges[exchange].record.bytesToServer &+= UInt64(sent)
        case .response: self.exchanges[exchange].record.bytesToClient &+= UInt64(sent)
        }
    }

    private mutating func count(received: Int, _ exchange: Int, _ direction: Direction) {
        switch direction {
        case .request: self.exchanges[exchange].record.bytesFromClient &+= UInt64(received)
        case .response: self.exchanges[exchange].record.bytesFromServer &+= UInt64(received)
        }
    }

    /// Gets more input. Nil: there is more, or the end of the message was found; go on.
    private mutating func refill(
        _ flow: inout Flow,
        _ exchange: Int,
        _ direction: Direction
    ) -> TransferOutcome? {
        if self.maySplice(flow, exchange, direction), let pipe = self.pipe(exchange, direction) {
            return self.splice(&flow, through: pipe, exchange, direction)
        }
        let state = self.engine[flow.source].state
        if state.contains(.atEnd) {
            if state.contains(.failed) { return .sourceEnded }
            do throws(MessageError) { try flow.reader.connectionClosed() } catch {
                return .sourceEnded
            }
            return nil
        }
        guard state.contains(.readable) else { return .waiting }
        if direction == .request {
            guard self.makeRoom(&flow, exchange) else { return .malformed(.chunkTooLarge) }
        } else if self.engine.inputRoom(flow.source) == 0 {
            self.engine.compactInput(flow.source)
        }
        guard let moved = self.engine.receive(flow.source) else { return .noMemory }
        if direction == .response { flow.cursor = self.engine[flow.source].inputStart }
        if case .bytes(let count) = moved {
            self.count(received: count, exchange, direction)
            self.noteProgress(exchange)
        }
        return nil
    }

    /// Makes room behind the client's input. What was sent of the body goes first; the head stays
    /// for the log and for another attempt, which is ruled out from here on.
    private mutating func makeRoom(_ flow: inout Flow, _ exchange: Int) -> Bool {
        if self.engine.inputRoom(flow.source) > 0 { return true }
        let head = self.exchanges[exchange].request.length
        if self.exchanges[exchange].headStart > 0 {
            let start = self.exchanges[exchange].headStart
            self.engine.compactInput(flow.source)
            self.exchanges[exchange].headStart = 0
            flow.cursor -= start
        }
        if flow.cursor > head {
            self.engine.dropInput(flow.source, head..<flow.cursor)
            flow.cursor = head
            self.exchanges[exchange].state.insert(.bodyLetGo)
        }
        return self.engine.inputRoom(flow.source) > 0
    }

    // MARK: Splicing

    private func maySplice(_ flow: Flow, _ exchange: Int, _ direction: Direction) -> Bool {
        if self.piped(exchange, direction) > 0 { return true }
        guard !flow.isChunked, flow.vetted == 0,
            flow.cursor >= self.engine[flow.source].inputEnd,
            let left = flow.reader.remaining
        else { return false }
        return left >= Self.spliceMin
    }

    /// Moves a long body within the kernel, round by round.
    private mutating func splice(
        _ flow: inout Flow,
        through pipe: PipeIndex,
        _ exchange: Int,
        _ direction: Direction
    ) -> TransferOutcome? {
        var piped = self.piped(exchange, direction)
        defer { self.setPiped(piped, exchange, direction) }
        if direction == .request { self.exchanges[exchange].state.insert(.bodyLetGo) }
        for _ in 0..<Self.roundsMax {
            if piped == 0 {
                guard let left = flow.reader.remaining, left > 0 else { return nil }
                guard self.engine[flow.source].state.contains(.readable) else { return .waiting }
                let limit = Int(Swift.min(left, UInt64(Self.spliceAtOnce)))
                switch self.engine.splice(flow.source, into: pipe, limit: limit) {
                case .bytes(let count):
                    piped = count
                    flow.reader.advance(UInt64(count))
                    self.count(received: count, exchange, direction)
                case .wouldBlock: return .waiting
                case .end, .failed: return .sourceEnded
                }
            }
            let moved = self.engine.splice(
                from: pipe,
                to: flow.sink,
                count: piped,
                more: flow.reader.remaining ?? 0 > 0
            )
            switch moved {
            case .bytes(let count):
                piped -= count
                self.count(sent: count, exchange, direction)
                self.metrics.count(.bytesSpliced, count)
                self.noteProgress(exchange)
                if piped > 0 { return .waiting }
                if flow.reader.isAtEnd { return nil }
            case .wouldBlock: return .waiting
            case .end, .failed: return .sinkFailed
            }
        }
        self.engine.requeue(flow.source)
        return .waiting
    }

    private mutating func pipe(_ exchange: Int, _ direction: Direction) -> PipeIndex? {
        let known =
            direction == .request
            ? self.exchanges[exchange].requestPipe : self.exchanges[exchange].responsePipe
        if known >= 0 { return known }
        guard let pipe = self.engine.takePipe() else { return nil }
        switch direction {
        case .request: self.exchanges[exchange].requestPipe = pipe
        case .response: self.exchanges[exchange].responsePipe = pipe
        }
        return pipe
    }

    private func piped(_ exchange: Int, _ direction: Direction) -> Int {
        direction == .request
            ? self.exchanges[exchange].requestPiped : self.exchanges[exchange].responsePiped
    }

    private mutating func setPiped(_ count: Int, _ exchange: Int, _ direction: Direction) {
        switch direction {
        case .request: self.exchanges[exchange].requestPiped = count
        case .response: self.exchanges[exchange].responsePiped = count
        }
    }
}
