import BelayBytes
import BelayCore
import BelayHTTP
import BelayHTTP2
import BelayTelemetry
import BelayTransport

// What a stream is for the rest of the proxy: a connection without a socket, whose input is a head
// in the text of HTTP/1.1 and then the body as it is, and whose output is a body. Its head leaves
// by itself (`sendHead`), its trailers too, and its end is said with `finishOutput`.

extension Worker {
    // MARK: Opening

    /// A slot for a stream of a session.
    mutating func makeStream(_ session: Int, isConnecting: Bool) -> Int? {
        let carrier = Int(self.sessions[session].slot)
        let address = self.engine[carrier].address
        guard let slot = self.engine.openStream(address: address, isConnecting: isConnecting)
        else { return nil }
        let state = StreamState(session: Int32(truncatingIfNeeded: session))
        guard let index = self.streams.insert(state) else {
            self.engine.close(slot)
            return nil
        }
        self.growRoles(to: slot)
        self.roles[slot] = Role()
        self.roles[slot].stream = Int32(truncatingIfNeeded: index)
        self.roles[slot].listener = self.roles[carrier].listener
        self.roles[slot].traits = self.roles[carrier].traits
        let first = self.sessions[session].firstStream
        self.streams[index].next = first
        if first >= 0 {
            let other = Int(self.roles[Int(first)].stream)
            self.streams[other].previous = Int32(truncatingIfNeeded: slot)
        }
        self.sessions[session].firstStream = Int32(truncatingIfNeeded: slot)
        self.sessions[session].streamCount &+= 1
        return slot
    }

    // Limit: a stream whose reader takes nothing holds about three blocks, and a connection has
    // many streams: a quarter of the blocks is left to connections without streams.
    private var mayTakeStream: Bool {
        let most = self.engine.memory.blockCount / 4 * 3
        return self.streams.count < most && self.engine.blocksUsed < most
    }

    /// A request has come on a client's connection.
    mutating func openClientStream(
        _ session: Int,
        _ stream: HTTP2Stream,
        _ text: Range<Int>,
        isLast: Bool
    ) {
        self.sessions[session].requests &+= 1
        self.metrics.count(.http2Streams)
        guard self.mayTakeStream, let slot = self.makeStream(session, isConnecting: false) else {
            self.metrics.connectionRefused(.memory)
            self.sessions[session].http2.reset(stream, code: HTTP2Code.refusedStream)
            self.queueSession(session)
            return
        }
        let index = Int(self.roles[slot].stream)
        self.streams[index].stream = stream
        self.sessions[session].http2.setTag(stream, slot)
        self.roles[slot].kind = .client
        self.roles[slot].requests = 1
        self.engine.setDeadline(Int(self.sessions[session].slot), .distantFuture)
        guard self.deliverHead(slot, session, text) else {
            self.metrics.connectionRefused(.memory)
            self.closeStream(slot, code: HTTP2Code.refusedStream)
            return
        }
        if isLast { self.engine.endInput(slot) }
        let most = self.limits.requestsPerConnection
        if most > 0, Int(self.sessions[session].requests) >= most { self.endSessionSoon(session) }
        self.beginExchange(slot, length: text.count)
    }

    /// A head that is beyond the limits is answered on its stream.
    mutating func refuseClientStream(
        _ session: Int,
        _ stream: HTTP2Stream,
        _ refusal: HeadRefusal,
        isLast: Bool
    ) {
        guard let slot = self.makeStream(session, isConnecting: false) else {
            self.sessions[session].http2.reset(stream, code: HTTP2Code.refusedStream)
            return
        }
        self.streams[Int(self.roles[slot].stream)].stream = stream
        self.sessions[session].http2.setTag(stream, slot)
        self.roles[slot].kind = .client
        if isLast { self.engine.endInput(slot) }
        switch refusal {
        case .tooLarge, .tooManyFields:
            self.answerWithoutRequest(slot, OwnAnswer(refusal.error), refusal: refusal.error)
        case .unknownProtocol: self.answerWithoutRequest(slot, .unknownProtocol)
        }
    }

    // MARK: What arrives

    /// Puts a head's text into the stream's input; false when there is no room.
    mutating func deliverHead(_ slot: Int, _ session: Int, _ text: Range<Int>) -> Bool {
        guard let place = self.engine.extendInput(slot, by: text.count) else { return false }
        let memory = self.engine.memory
        self.sessions[session].copy(text, to: self.engine[slot].inputBlock, at: place, memory)
        return true
    }

    /// Bytes of a body.
    mutating func streamReceived(_ slot: Int, _ bytes: borrowing Span<UInt8>, isLast: Bool) {
        guard self.engine.deliver(slot, bytes) else {
            // It sent more than its window, or there is no memory.
            self.resetStream(slot, HTTP2Code.flowControlError)
            return
        }
        let exchange = Int(self.roles[slot].exchange)
        if exchange >= 0 {
            if self.roles[slot].kind == .client {
                self.exchanges[exchange].record.bytesFromClient &+= UInt64(bytes.count)
            } else {
                self.exchanges[exchange].record.bytesFromServer &+= UInt64(bytes.count)
            }
        }
        if isLast { self.engine.endInput(slot) }
        self.streamChanged(slot)
    }

    mutating func streamEnded(_ slot: Int) {
        self.engine.endInput(slot)
        self.streamChanged(slot)
    }

    mutating func streamTrailers(_ slot: Int, _ session: Int, _ text: Range<Int>) {
        let index = Int(self.roles[slot].stream)
        // Limit: what does not fit a block is left out, as RFC 9110 §6.5 allows with trailers.
        if !text.isEmpty, text.count <= BlockMemory.blockSize,
            let block = self.engine.takeBlock()
        {
            self.sessions[session].copy(text, to: block, at: 0, self.engine.memory)
            self.streams[index].arrived = (block, text.count)
        }
        self.streamEnded(slot)
    }

    private mutating func streamChanged(_ slot: Int) {
        if self.roles[slot].kind == .client {
            self.clientChanged(slot)
        } else {
            self.serverChanged(slot)
        }
    }

    /// The other side gave the stream up, or did something wrong on it.
    mutating func streamReset(_ slot: Int, _ code: UInt32, _ origin: ResetOrigin) {
        let index = Int(self.roles[slot].stream)
        // Nothing more is said of it.
        self.streams[index].stream = nil
        let exchange = Int(self.roles[slot].exchange)
        if self.roles[slot].kind == .server, code == HTTP2Code.noError,
            self.engine[slot].inputEnds
        {
            // RFC 9113 §8.1: the answer is whole, and the server wants no more of the request.
            self.exchanges[exchange].state.insert(.requestRefused)
            self.serverChanged(slot)
            return
        }
        self.engine.breakStream(slot)
        if self.roles[slot].kind == .client {
            guard exchange >= 0 else { return self.closeStream(slot, code: code) }
            if origin == .peer {
                self.clientStreamBroke(exchange)
            } else {
                self.cut(exchange, .requestRefused)
            }
        } else {
            self.serverStreamReset(slot, exchange, code)
        }
    }

    /// The client's stream is gone, and with it what it was for.
    mutating func clientStreamBroke(_ exchange: Int) {
        if self.exchanges[exchange].state.contains(.isTunnel) {
            self.endTunnel(exchange, .client)
        } else {
            self.cut(exchange, .clientLeft)
        }
    }

    /// Ends a stream that went beyond its limits, and its exchange.
    private mutating func resetStream(_ slot: Int, _ code: UInt32) {
        let exchange = Int(self.roles[slot].exchange)
        self.tellReset(slot, code)
        if self.roles[slot].kind == .client {
            guard exchange >= 0 else { return self.closeStream(slot, code: code) }
            self.cut(exchange, .overloaded)
        } else {
            self.cut(exchange, .responseRefused)
        }
    }

    /// So many bytes of the stream's body went on: the other side may send as many again.
    mutating func creditStream(_ slot: Int, _ count: Int) {
        let index = Int(self.roles[slot].stream)
        guard count > 0, index >= 0, let stream = self.streams[index].stream else { return }
        let session = Int(self.streams[index].session)
        self.sessions[session].http2.credit(stream, count)
        if self.sessions[session].http2.wantsWrite { self.queueSession(session) }
    }

    // MARK: What leaves

    /// The head in `composed` leaves by itself where the sink is a stream; elsewhere it waits for
    /// the body's first bytes, to leave together with them.
    mutating func sendHead(_ slot: Int, isLast: Bool, isInterim: Bool) {
        let index = Int(self.roles[slot].stream)
        guard index >= 0 else { return }
        if let stream = self.streams[index].stream {
            let session = Int(self.streams[index].session)
            self.sessions[session].submitResponse(
                stream,
                self.composed,
                isLast: isLast,
                isInterim: isInterim
            )
            self.queueSession(session)
        }
        self.composed.removeAll()
    }

    /// The stream's output has become longer.
    mutating func noteOutput(_ slot: Int) {
        let index = Int(self.roles[slot].stream)
        guard index >= 0, let stream = self.streams[index].stream else { return }
        let session = Int(self.streams[index].session)
        let isShut = self.engine[slot].state.contains(.shut)
        self.sessions[session].http2.offer(
            stream,
            count: self.engine.outputCount(slot),
            isLast: isShut,
            trailers: self.streams[index].leaving.count > 0
        )
        self.queueSession(session)
    }

    /// No more will be sent on this connection or stream; for a plain connection of HTTP/1.1 whose
    /// message says itself where it ends, there is nothing to do but in a tunnel.
    mutating func finishOutput(_ slot: Int) {
        let index = Int(self.roles[slot].stream)
        guard index >= 0 else {
            let exchange = Int(self.roles[slot].exchange)
            if exchange >= 0, self.exchanges[exchange].state.contains(.isTunnel) {
                self.engine.shutdownWrite(slot)
            }
            return
        }
        guard !self.engine[slot].state.contains(.shut) else { return }
        self.engine.shutdownWrite(slot)
        if let stream = self.streams[index].stream, self.streams[index].leaving.count > 0 {
            let session = Int(self.streams[index].session)
            let (block, count) = self.streams[index].leaving
            let memory = self.engine.memory
            self.sessions[session].http2.submitTrailers(
                stream,
                lines: memory.bytes(block, 0..<count)
            )
        }
        self.noteOutput(slot)
    }

    // MARK: Trailers

    /// The trailers that came at the end of a stream's body.
    func arrivedTrailers(_ slot: Int) -> (BlockIndex, Range<Int>)? {
        let index = Int(self.roles[slot].stream)
        guard index >= 0, self.streams[index].arrived.count > 0 else { return nil }
        return (self.streams[index].arrived.block, 0..<self.streams[index].arrived.count)
    }

    /// One field line, without its end, that is to follow the body of a stream.
    mutating func keepTrailer(_ slot: Int, _ line: borrowing Span<UInt8>) {
        let index = Int(self.roles[slot].stream)
        guard index >= 0, let end = self.roomForTrailer(index, line.count + 2) else { return }
        let block = self.streams[index].leaving.block
        self.engine.memory.copy(line, to: block, at: end)
        let lineEnd: InlineArray<2, UInt8> = [13, 10]
        self.engine.memory.copy(lineEnd.span, to: block, at: end + line.count)
    }

    /// Field lines that are to follow the body of a stream.
    mutating func keepTrailers(_ slot: Int, _ lines: (block: BlockIndex, range: Range<Int>)) {
        let index = Int(self.roles[slot].stream)
        guard index >= 0, let end = self.roomForTrailer(index, lines.range.count) else { return }
        let memory = self.engine.memory
        memory.copy(
            memory.bytes(lines.block, lines.range),
            to: self.streams[index].leaving.block,
            at: end
        )
    }

    /// Where the next `count` bytes of trailers go; nil when there is no room, and they are left
    /// out.
    private mutating func roomForTrailer(_ index: Int, _ count: Int) -> Int? {
        if self.streams[index].leaving.block < 0 {
            guard let block = self.engine.takeBlock() else { return nil }
            self.streams[index].leaving = (block, 0)
        }
        let end = self.streams[index].leaving.count
        guard count <= BlockMemory.blockSize - end else { return nil }
        self.streams[index].leaving.count = end + count
        return end
    }

    // MARK: Closing

    /// The slot's stream is over for us. `code`: the other side is told by a reset; nil: all that
    /// had to be said was said, or is on its way, unless there is something that waits.
    mutating func closeStream(_ slot: Int, code: UInt32?) {
        let index = Int(self.roles[slot].stream)
        // A frame that is begun later would find nothing to carry.
        let isOwed =
            self.engine[slot].hasOutput || !self.engine[slot].state.contains(.shut)
        if let code = code ?? (isOwed ? HTTP2Code.cancel : nil) { self.tellReset(slot, code) }
        let session = Int(self.streams[index].session)
        if let stream = self.streams[index].stream {
            self.sessions[session].http2.setTag(stream, -1)
            if self.streams[index].isSent, !self.engine[slot].inputEnds,
                !self.sessions[session].isToServer
            {
                self.endSoon(stream, of: session)
            }
        }
        self.unlinkStream(slot)
        let (arrived, leaving) = (self.streams[index].arrived, self.streams[index].leaving)
        if arrived.block >= 0 { self.engine.giveBlock(arrived.block) }
        if leaving.block >= 0 { self.engine.giveBlock(leaving.block) }
        self.streams.remove(index)
        self.roles[slot].kind = .free
        self.roles[slot].stream = -1
        self.roles[slot].exchange = -1
        self.engine.close(slot)
        if session >= 0 { self.sessionLostStream(session) }
    }

    /// The connection of a server's stream is gone, and its answer is here: that goes on by itself.
    mutating func detachStream(_ slot: Int, _ exchange: Int) {
        let index = Int(self.roles[slot].stream)
        self.unlinkStream(slot)
        self.streams[index].stream = nil
        self.streams[index].session = -1
        self.exchanges[exchange].state.insert(.requestRefused)
        self.engine.requeue(slot)
    }

    // Limit: how long a client may go on with a request that was answered, and how many may do so;
    // beyond it they are reset at once.
    private static let answeredTime = TimeSpan.seconds(1)
    private static let answeredMax = 4096

    /// The answer is whole, and what is missing of the request is not wanted: the stream is reset,
    /// without an error (RFC 9113 §8.1), unless its request ends by itself meanwhile.
    mutating func endSoon(_ stream: HTTP2Stream, of session: Int) {
        guard self.answered.count < Self.answeredMax else {
            self.sessions[session].http2.reset(stream, code: HTTP2Code.noError)
            self.queueSession(session)
            return
        }
        self.answered.append(
            AnsweredStream(
                session: Int32(truncatingIfNeeded: session),
                generation: self.sessions.generation(session),
                stream: stream,
                deadline: self.engine.now + Self.answeredTime
            )
        )
    }

    /// Resets the streams whose time is up.
    mutating func endAnsweredStreams() {
        while let next = self.answered.first, next.deadline <= self.engine.now {
            _ = self.answered.popFirst()
            let session = Int(next.session)
            guard self.sessions.isCurrent(session, next.generation) else { continue }
            self.sessions[session].http2.reset(next.stream, code: HTTP2Code.noError)
            self.queueSession(session)
        }
    }

    private mutating func tellReset(_ slot: Int, _ code: UInt32) {
        let index = Int(self.roles[slot].stream)
        guard let stream = self.streams[index].stream else { return }
        let session = Int(self.streams[index].session)
        self.sessions[session].http2.reset(stream, code: code)
        self.streams[index].stream = nil
        self.queueSession(session)
    }

    /// Takes a stream out of its session's list, if it is there.
    mutating func unlinkStream(_ slot: Int) {
        let index = Int(self.roles[slot].stream)
        let session = Int(self.streams[index].session)
        let (next, previous) = (self.streams[index].next, self.streams[index].previous)
        guard session >= 0 else { return }
        guard previous >= 0 || self.sessions[session].firstStream == slot else { return }
        if previous >= 0 {
            self.streams[Int(self.roles[Int(previous)].stream)].next = next
        } else {
            self.sessions[session].firstStream = next
        }
        if next >= 0 { self.streams[Int(self.roles[Int(next)].stream)].previous = previous }
        self.streams[index].next = -1
        self.streams[index].previous = -1
        self.sessions[session].streamCount &-= 1
    }

    /// What a session does with one stream less.
    private mutating func sessionLostStream(_ session: Int) {
        guard self.sessions[session].streamCount == 0 else { return }
        let slot = Int(self.sessions[session].slot)
        if self.sessions[session].isToServer {
            self.serverSessionIsIdle(session)
        } else {
            self.engine.setDeadline(slot, self.engine.now + self.limits.keepAlive)
        }
        if self.sessions[session].isEnding { self.queueSession(session) }
    }
}
