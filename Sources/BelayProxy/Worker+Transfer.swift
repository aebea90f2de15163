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
    static let roundsMax = 16

    // MARK: Requests

    mutating func pumpRequest(_ exchange: Int) {
        let state = self.exchanges[exchange].state
        guard !state.hasAny(of: .requestDone | .requestRefused) else { return }
        let server = Int(self.exchanges[exchange].server)
        guard !self.engine[server].hasOutput else { return }
        self.composed.removeAll()
        if !state.contains(.requestStarted) {
            let isStream = self.exchanges[exchange].state.contains(.serverIsStream)
            guard !isStream || self.mayStartStream(exchange), self.composeRequest(exchange)
            else { return }
            guard !isStream || self.startServerStream(exchange) else { return }
            self.exchanges[exchange].state.insert(.requestStarted)
        }
        switch self.transfer(exchange, .request) {
        case .done:
            self.exchanges[exchange].state.insert(.requestDone)
            self.beginAwaitingBodies(exchange)
            // What is to become a tunnel goes on behind its request.
            if !self.exchanges[exchange].request.wantsUpgrade { self.finishOutput(server) }
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
            rules.prefixedCookie = self.pools[pool].plan.prefixedCookie
            rules.prefixSeparator = self.pools[pool].plan.prefixSeparator
            if request.minorVersion == 0, let server = self.exchanges[exchange].record.server {
                rules.defaultHost = self.pools[pool].plan.servers[server].defaultHost
            }
        }
        let peer = self.engine[slot].address.ip
        var facts = ForwardingFacts(
            client: peer,
            isTLS: self.exchanges[exchange].state.contains(.isOverTLS),
            peerIsTrusted: self.isTrusted(peer)
        )
        facts.moved = self.moved(exchange)
        facts.checksCertificates = self.roles[slot].traits.contains(.passesCertificates)
        writeRequest(
            request,
            self.fields,
            in: input,
            from: self.exchanges[exchange].headStart,
            rules: rules,
            facts: facts,
            // A stream ends with its body; elsewhere a body of unknown length goes in chunks.
            framing: request.framing == .untilClose ? .chunked : request.framing,
            keepsUpgrade: request.wantsUpgrade,
            into: &self.composed
        )
        if self.roles[slot].traits.contains(.passesCertificates) {
            self.appendCertificate(slot)
        }
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
            if self.exchanges[exchange].state.contains(.isTunnel) {
                // What the client sent behind its request is the tunnel's first bytes.
                self.engine.requeue(client)
                return
            }
        }
        switch self.transfer(exchange, .response) {
        case .done:
            self.exchanges[exchange].state.insert(.responseDone)
            self.finishOutput(client)
            self.finishWhenFlushed(exchange)
        case .waiting: break
        case .sinkFailed: self.cut(exchange, .clientLeft)
        case .sourceEnded: self.cut(exchange, .serverClosedEarly)
        case .malformed(let error):
            self.exchanges[exchange].record.refusal = error.rawValue
            self.cut(exchange, error == .unexpectedEnd ? .serverClosedEarly : .responseRefused)
        case .noMemory: self.cut(exchange, .overloaded)
        }
    }

    // MARK: Both

    /// What a transfer works on; read from the exchange at its beginning and written back.
    struct Flow {
        var source: Int
        var sink: Int
        var reader: BodyReader
        /// The next byte to send, in the source's input.
        var cursor: Int
        /// So many bytes from there on were read as data.
        var vetted: Int
        var isChunked: Bool
        var hasTail: Bool
        /// The sink is a stream, which takes trailers apart from the body.
        var isFramed = false
        /// The tunnel whose frames are watched, or -1.
        var tunnel: Int32 = -1
        /// It ends with its frame that is under way, and that frame's end was found.
        var endsAtBoundary = false
        var isCutOff = false
        var isTunnel = false
        var isDirect = false
        /// The exchange whose first bytes of an answer are looked at, or -1.
        var learner = -1
        /// There is input that was not looked at.
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
        var flow: Flow
        switch direction {
        case .request:
            let framing = self.exchanges[exchange].request.framing
            let isOpenEnded = framing == .chunked || framing == .untilClose
            flow = Flow(
                source: client,
                sink: server,
                reader: self.exchanges[exchange].requestReader,
                cursor: self.exchanges[exchange].cursor,
                vetted: self.exchanges[exchange].requestVetted,
                isChunked: isOpenEnded && !state.hasAny(of: .isTunnel | .serverIsStream),
                hasTail: state.contains(.requestTail),
                isFramed: state.contains(.serverIsStream),
                data: self.exchanges[exchange].bodyBytes,
                dataMax: self.limits.bodySize > 0 ? self.limits.bodySize : .max
            )
        case .response:
            flow = Flow(
                source: server,
                sink: client,
                reader: self.exchanges[exchange].responseReader,
                cursor: self.engine[server].inputStart,
                vetted: self.exchanges[exchange].responseVetted,
                isChunked: self.exchanges[exchange].responseChunked,
                hasTail: state.contains(.responseTail),
                isFramed: state.contains(.clientIsStream)
            )
            if state.contains(.learnsBody) { flow.learner = exchange }
        }
        if state.contains(.isTunnel) {
            flow.isTunnel = true
            flow.dataMax = .max
            flow.cursor = self.engine[flow.source].inputStart
            if state.contains(.isWebSocket) {
                flow.tunnel = self.exchanges[exchange].tunnel
                flow.endsAtBoundary = state.contains(.isDraining)
            }
        }
        return flow
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
    mutating func transfer(_ exchange: Int, _ direction: Direction) -> TransferOutcome {
        var flow = self.flow(exchange, direction)
        let before = flow.data &- UInt64(flow.vetted)
        let outcome = self.move(&flow, exchange, direction)
        self.keep(flow, exchange, direction)
        if self.engine[flow.source].carrier == .stream {
            self.credit(flow, direction, before)
        }
        return outcome
    }

    /// So much has gone on: the other side may send as much again. What is sent once more, on
    /// another attempt, has had its credit.
    private mutating func credit(
        _ flow: Flow,
        _ direction: Direction,
        _ before: UInt64
    ) {
        let passed = flow.data &- UInt64(flow.vetted)
        guard direction == .request else {
            self.creditStream(flow.source, Int(passed &- before))
            return
        }
        let index = Int(self.roles[flow.source].stream)
        let credited = self.streams[index].credited
        guard passed > credited else { return }
        self.streams[index].credited = passed
        self.creditStream(flow.source, Int(passed &- credited))
    }

    private mutating func move(
        _ flow: inout Flow,
        _ exchange: Int,
        _ direction: Direction
    ) -> TransferOutcome {
        for _ in 0..<Self.roundsMax {
            do throws(MessageError) { try self.compose(&flow, direction) } catch {
                return .malformed(error)
            }
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
            // Behind the last frame nothing more is read: it would fill the block.
            if flow.isCutOff, flow.vetted == 0 { return .waiting }
            if flow.isOver, self.piped(exchange, direction) == 0 { return .done }
            if let outcome = self.refill(&flow, exchange, direction) { return outcome }
        }
        // The others' turn.
        self.engine.requeue(flow.source)
        return .waiting
    }

    /// Looks at the input and writes what should leave into `composed`; sets `isDirect` when the
    /// vetted bytes are to be sent from where they lie, behind it.
    private mutating func compose(
        _ flow: inout Flow,
        _ direction: Direction
    ) throws(MessageError) {
        flow.isDirect = false
        flow.hasMore = false
        let block = self.engine[flow.source].inputBlock
        let end = self.engine[flow.source].inputEnd
        let memory = self.engine.memory
        while self.composed.count < Self.composedMax {
            if flow.vetted > 0 {
                guard flow.isChunked || flow.vetted <= Self.copyMax else {
                    flow.isDirect = true
                    // Behind it more may have come meanwhile: to a stream that did not ask for it.
                    flow.hasMore = flow.cursor &+ flow.vetted < end
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
                if flow.isChunked && !flow.hasTail { self.composeTail(&flow) }
                return
            }
            guard flow.cursor < end, block >= 0 else { return }
            switch try flow.reader.next(memory.bytes(block, 0..<end), from: flow.cursor) {
            case .data(let range):
                flow.vetted = range.count
                flow.data &+= UInt64(range.count)
                guard flow.data <= flow.dataMax else { throw .bodyTooLarge }
                if flow.learner >= 0 {
                    self.learnBody(flow.learner, memory.bytes(block, range))
                    flow.learner = -1
                }
                if flow.tunnel >= 0 {
                    self.watch(&flow, range, direction)
                    if flow.vetted == 0 { return }
                }
            case .framing(let count): flow.cursor += count
            case .trailer(let line):
                if flow.isFramed {
                    self.keepTrailer(flow.sink, memory.bytes(block, line))
                } else if flow.isChunked {
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

    /// Writes the end of a body in chunks: behind the trailers of a stream, where it had some.
    private mutating func composeTail(_ flow: inout Flow) {
        flow.hasTail = true
        let trailers = self.arrivedTrailers(flow.source)
        guard let (block, range) = trailers else {
            self.composed.appendLastChunk()
            return
        }
        self.composed.append("0\r\n")
        self.composed.append(self.engine.memory.bytes(block, range))
        self.composed.append("\r\n")
    }

    /// Follows the frames of a WebSocket; at a boundary that is to be its end, what lies behind is
    /// left where it is.
    private mutating func watch(
        _ flow: inout Flow,
        _ range: Range<Int>,
        _ direction: Direction
    ) {
        let memory = self.engine.memory
        let bytes = memory.bytes(self.engine[flow.source].inputBlock, range)
        let tunnel = Int(flow.tunnel)
        if flow.endsAtBoundary {
            let rest = self.tunnels[tunnel].reader(direction).prefixUntilBoundary(bytes)
            flow.vetted = rest
            flow.isCutOff = rest < range.count
            self.tunnels[tunnel].pass(direction, bytes.extracting(0..<rest))
            return
        }
        self.tunnels[tunnel].pass(direction, bytes)
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
        if flow.isFramed { self.noteOutput(flow.sink) }
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
        guard direction == .response || flow.isTunnel else { return }
        self.engine.consume(flow.source, flow.cursor - self.engine[flow.source].inputStart)
        flow.cursor = self.engine[flow.source].inputStart
    }

    mutating func count(sent: Int, _ exchange: Int, _ direction: Direction) {
        switch direction {
        case .request: self.exchanges[exchange].record.bytesToServer &+= UInt64(sent)
        case .response: self.exchanges[exchange].record.bytesToClient &+= UInt64(sent)
        }
    }

    mutating func count(received: Int, _ exchange: Int, _ direction: Direction) {
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
        if self.spliceLimit(flow, exchange, direction) > 0,
            let pipe = self.pipe(exchange, direction)
        {
            return self.splice(&flow, through: pipe, exchange, direction)
        }
        let state = self.engine[flow.source].state
        if state.contains(.atEnd) {
            if state.contains(.failed) { return .sourceEnded }
            if flow.isFramed, let trailers = self.arrivedTrailers(flow.source) {
                self.keepTrailers(flow.sink, trailers)
            }
            do throws(MessageError) { try flow.reader.connectionClosed() } catch {
                return .sourceEnded
            }
            return nil
        }
        guard state.contains(.readable) else { return .waiting }
        if direction == .request, !flow.isTunnel {
            guard self.makeRoom(&flow, exchange) else { return .malformed(.chunkTooLarge) }
        } else if self.engine.inputRoom(flow.source) == 0 {
            self.engine.compactInput(flow.source)
        }
        guard let moved = self.engine.receive(flow.source) else { return .noMemory }
        if direction == .response || flow.isTunnel {
            flow.cursor = self.engine[flow.source].inputStart
        }
        if case .bytes(let count) = moved {
            // What a stream brings was counted when it was delivered.
            if self.engine[flow.source].carrier != .stream {
                self.count(received: count, exchange, direction)
            }
            self.noteProgress(exchange)
            if flow.isTunnel, count >= Self.bulkMin { self.setBulk(true, exchange, direction) }
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
}
