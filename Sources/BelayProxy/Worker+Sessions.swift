import BelayBytes
import BelayCore
import BelayHTTP
import BelayHTTP2
import BelayTelemetry
import BelayTransport

// Connections that carry streams (HTTP/2), of clients and to servers. What arrives is given to the
// session, and what it makes of it to the streams; what the streams have to say is collected, and
// written once all connections had their turn, so that many streams share one system call.
//   +Streams        what a stream is for the rest of the proxy
//   +ServerSessions connections to servers that speak HTTP/2

extension Worker {
    // Limit: what is written of one session before the others have their turn.
    private static let writesAtOnce = 8
    private static let writeMax = 48 * 1024
    // Limit: reads of one connection before the others have their turn.
    private static let readsAtOnce = 8

    /// What a session may take: of a client what the settings say, of a server what is usual.
    func sessionLimits(_ role: HTTP2Role) -> HTTP2Limits {
        var limits = HTTP2Limits()
        limits.headSizeMax = self.limits.headSize
        limits.headerCountMax = self.limits.headerCount
        switch role {
        case .server:
            limits.streamsMax = self.limits.streams
            limits.resets = self.limits.resets
            limits.controlFrames = self.limits.controlFrames
        case .client: limits.streamsMax = Self.serverStreamsMax
        }
        // The window of each stream bounds what waits here. That of the connection leaves room for
        // all of them, so that those which wait for a slow reader don't stop the others.
        limits.connectionWindow = Swift.max(
            limits.connectionWindow,
            limits.streamsMax * limits.streamWindow
        )
        return limits
    }

    /// A client's connection speaks HTTP/2 from here on.
    mutating func beginClientSession(_ slot: Int) {
        guard
            let http2 = HTTP2Session(
                role: .server,
                limits: self.sessionLimits(.server),
                seed: self.random.next(),
                now: self.engine.now
            ),
            let index = self.sessions.insert(
                Session(
                    http2: http2,
                    slot: Int32(truncatingIfNeeded: slot),
                    pool: -1,
                    server: -1,
                    isReady: true
                )
            )
        else {
            self.metrics.connectionRefused(.memory)
            self.closeClient(slot, cutting: true)
            return
        }
        self.roles[slot].kind = .session
        self.roles[slot].session = Int32(truncatingIfNeeded: index)
        self.metrics.count(.http2ConnectionsOpened)
        // The first request has to come as soon as in HTTP/1.1.
        self.engine.setDeadline(slot, self.engine.now + self.limits.headTimeout)
        self.queueSession(index)
        if self.stopping != .running { self.endSessionSoon(index) }
        self.sessionChanged(slot)
    }

    // MARK: Reading

    /// Something changed on a connection that carries streams.
    mutating func sessionChanged(_ slot: Int) {
        let session = Int(self.roles[slot].session)
        let generation = self.sessions.generation(session)
        if self.sessions[session].isToServer, self.engine[slot].state.contains(.connecting) {
            self.continueServerSession(session)
            return
        }
        guard self.engine.flush(slot) else {
            self.closeSession(session, cutting: true)
            return
        }
        for _ in 0..<Self.readsAtOnce {
            if self.engine[slot].hasInput {
                guard self.feedSession(session, generation) else { return }
            }
            let state = self.engine[slot].state
            if state.contains(.atEnd) {
                self.closeSession(session, cutting: false)
                return
            }
            guard state.contains(.readable), !self.sessions[session].isFailed else {
                self.queueSession(session)
                return
            }
            guard self.engine.receive(slot) != nil else {
                self.metrics.connectionRefused(.memory)
                self.closeSession(session, cutting: true)
                return
            }
        }
        self.queueSession(session)
        self.engine.requeue(slot)
    }

    /// Gives all that has arrived to the session, and what it makes of it to the streams. False
    /// when the session is over.
    private mutating func feedSession(_ session: Int, _ generation: UInt32) -> Bool {
        let slot = Int(self.sessions[session].slot)
        while self.engine[slot].hasInput {
            if self.sessions[session].isFailed {
                self.engine.consume(
                    slot,
                    self.engine[slot].inputEnd - self.engine[slot].inputStart
                )
                return true
            }
            let memory = self.engine.memory
            let block = self.engine[slot].inputBlock
            let start = self.engine[slot].inputStart
            let end = self.engine[slot].inputEnd
            let used = self.sessions[session].http2.receive(
                memory.bytes(block, start..<end),
                from: 0,
                now: self.engine.now
            )
            for index in 0..<self.sessions[session].http2.eventCount {
                let event = self.sessions[session].http2.event(index)
                self.handle(event, of: session, in: (block, start))
                guard self.sessions.isCurrent(session, generation) else { return false }
            }
            self.sessions[session].http2.removeEvents()
            self.countSpoiled(session)
            self.engine.consume(slot, used)
        }
        return true
    }

    /// Counts the requests that were no proper ones: the session has reset their streams, and there
    /// is no exchange to tell of them.
    private mutating func countSpoiled(_ session: Int) {
        let spoiled = self.sessions[session].http2.spoiledStreams
        guard spoiled != self.sessions[session].spoiled else { return }
        if !self.sessions[session].isToServer {
            self.metrics.count(.http2StreamsReset, spoiled - self.sessions[session].spoiled)
        }
        self.sessions[session].spoiled = spoiled
    }

    /// `input`: where the bytes that were given to `receive` begin.
    private mutating func handle(
        _ event: HTTP2Event,
        of session: Int,
        in input: (block: BlockIndex, start: Int)
    ) {
        switch event {
        case .head(let stream, let tag, let text, let kind, let isLast):
            if kind == .request {
                self.openClientStream(session, stream, text, isLast: isLast)
            } else if self.isCurrent(tag, stream, session) {
                self.responseArrived(tag, session, text, isLast: isLast)
            }
        case .refusedHead(let stream, let tag, let refusal, let isLast):
            if self.sessions[session].isToServer {
                if self.isCurrent(tag, stream, session) { self.streamRefusedHead(tag, refusal) }
            } else {
                self.refuseClientStream(session, stream, refusal, isLast: isLast)
            }
        case .data(let stream, let tag, let range, let isLast):
            // Of a request that is answered nothing more is wanted: its window stays shut.
            guard self.isCurrent(tag, stream, session) else { return }
            let memory = self.engine.memory
            self.streamReceived(
                tag,
                memory.bytes(input.block, range.moved(by: input.start)),
                isLast: isLast
            )
        case .trailers(let stream, let tag, let text):
            if self.isCurrent(tag, stream, session) { self.streamTrailers(tag, session, text) }
        case .end(let stream, let tag):
            if self.isCurrent(tag, stream, session) { self.streamEnded(tag) }
        case .reset(let stream, let tag, let code, let origin):
            if self.isCurrent(tag, stream, session) { self.streamReset(tag, code, origin) }
        case .sent(let stream, let tag):
            if self.isCurrent(tag, stream, session) {
                self.streams[Int(self.roles[tag].stream)].isSent = true
            } else if !self.sessions[session].isToServer {
                self.endSoon(stream, of: session)
            }
        case .closed: break
        case .goAway(let lastStream, let code):
            self.sessionGoesAway(session, lastStream, code)
        case .settings: self.settingsChanged(session)
        case .failed(let failure):
            self.sessions[session].isFailed = true
            self.sessions[session].isEnding = true
            if !self.sessions[session].isToServer, let fault = HTTP2Fault(failure) {
                self.metrics.count(fault)
            }
            self.queueSession(session)
        }
    }

    /// Whether the slot still stands for the stream: what an event before this one brought may have
    /// been the end of it.
    private func isCurrent(_ slot: Int, _ stream: HTTP2Stream, _ session: Int) -> Bool {
        guard slot >= 0, self.engine.isUsed(slot) else { return false }
        let index = Int(self.roles[slot].stream)
        return index >= 0 && Int(self.streams[index].session) == session
            && self.streams[index].stream == stream
    }

    private mutating func sessionGoesAway(_ session: Int, _ lastStream: Int32, _ code: UInt32) {
        self.sessions[session].isEnding = true
        if self.sessions[session].streamCount == 0 { self.queueSession(session) }
    }

    // MARK: Writing

    /// The session has something to write, most likely.
    mutating func queueSession(_ session: Int) {
        guard !self.sessions[session].isQueued else { return }
        self.sessions[session].isQueued = true
        self.sessionLine.append(Int32(truncatingIfNeeded: session))
    }

    /// Writes what the sessions have to say; called when all that was reported has been looked at.
    mutating func flushSessions() {
        while let session = self.sessionLine.popFirst().map(Int.init) {
            guard self.sessions.isUsed(session), self.sessions[session].isQueued else { continue }
            self.sessions[session].isQueued = false
            self.flushSession(session)
        }
    }

    private mutating func flushSession(_ session: Int) {
        let slot = Int(self.sessions[session].slot)
        guard self.sessions[session].isReady else { return }
        let generation = self.sessions.generation(session)
        for _ in 0..<Self.writesAtOnce {
            guard self.engine.flush(slot) else {
                self.closeSession(session, cutting: true)
                return
            }
            // The rest leaves when the kernel takes more.
            if self.engine[slot].hasOutput { return }
            guard self.sessions[session].http2.wantsWrite else {
                self.endSessionIfOver(session)
                return
            }
            self.composeFrames(session)
            guard self.sessions.isCurrent(session, generation) else { return }
            // What it has may wait for the other side's windows.
            guard self.composed.count > 0 else { return }
            guard self.engine.send(slot, self.composed) else {
                self.closeSession(session, cutting: true)
                return
            }
            self.finishDrained()
        }
        // The others' turn.
        self.engine.requeue(slot)
    }

    /// Writes frames into `composed`: the session's own bytes and, between them, the streams'.
    private mutating func composeFrames(_ session: Int) {
        self.composed.removeAll()
        self.frames.removeAll()
        self.drained.removeAll()
        _ = self.sessions[session].http2.write(max: Self.writeMax, into: &self.frames)
        let memory = self.engine.memory
        for index in 0..<self.sessions[session].http2.segmentCount {
            switch self.sessions[session].http2.segment(index) {
            case .bytes(let range): Self.append(range, of: self.frames, to: &self.composed)
            case .body(_, let tag, let count):
                guard tag >= 0 else { continue }
                let (block, range) = self.engine.output(tag, first: count)
                self.composed.append(memory.bytes(block, range))
                self.engine.outputLeft(tag, count)
                if !self.engine[tag].hasOutput { self.outputDrained(tag) }
            }
        }
        // Writing may have ended streams.
        for index in 0..<self.sessions[session].http2.eventCount {
            let event = self.sessions[session].http2.event(index)
            self.handle(event, of: session, in: (0, 0))
        }
        self.sessions[session].http2.removeEvents()
    }

    /// All that waited of a stream is on its way: its exchange has more, or is at its end.
    private mutating func outputDrained(_ slot: Int) {
        let exchange = Int(self.roles[slot].exchange)
        if exchange >= 0, self.roles[slot].kind == .client,
            self.exchanges[exchange].state.contains(.responseDone)
        {
            self.drained.append(Int32(truncatingIfNeeded: slot))
        } else {
            self.engine.requeue(slot)
        }
    }

    /// Ends the exchanges whose answers have just left: a client that closes as soon as it has its
    /// answer has not left early.
    private mutating func finishDrained() {
        while let slot = self.drained.popFirst().map(Int.init) {
            let exchange = Int(self.roles[slot].exchange)
            // What came to light while writing may have ended it, and given its slot to another.
            guard exchange >= 0, self.roles[slot].kind == .client,
                self.exchanges[exchange].state.contains(.responseDone)
            else { continue }
            self.finishWhenFlushed(exchange)
        }
    }

    private static func append(
        _ range: Range<Int>,
        of frames: borrowing ByteWriter,
        to out: inout ByteWriter
    ) {
        out.append(frames.bytes.extracting(range))
    }

    // MARK: Ending

    /// No more streams; the session ends with those it has.
    mutating func endSessionSoon(_ session: Int) {
        guard !self.sessions[session].isEnding else { return }
        self.sessions[session].isEnding = true
        self.sessions[session].http2.shutdown(.notice)
        self.queueSession(session)
    }

    /// Whether all was said and nothing runs any more; then the connection is closed.
    private mutating func endSessionIfOver(_ session: Int) {
        let isOver = self.sessions[session].http2.isOver
        let isDone = self.sessions[session].isEnding && self.sessions[session].streamCount == 0
        guard isOver || self.sessions[session].isFailed || isDone else { return }
        let slot = Int(self.sessions[session].slot)
        if self.sessions[session].isToServer {
            self.closeSession(session, cutting: false)
            return
        }
        if isDone, !self.sessions[session].saidGoodbye {
            // What the client sent before it read the notice is still answered.
            self.sessions[session].saidGoodbye = true
            self.sessions[session].http2.shutdown(.final)
            self.queueSession(session)
            return
        }
        self.breakStreams(session)
        self.removeSession(session)
        self.roles[slot].kind = .client
        self.roles[slot].exchange = -1
        self.closeAfterAnswer(slot, expectsMore: true)
    }

    /// Nothing was asked on the connection for too long.
    mutating func sessionDeadlinePassed(_ slot: Int) {
        let session = Int(self.roles[slot].session)
        if self.sessions[session].isToServer {
            if self.engine[slot].state.contains(.connecting) {
                self.serverSessionFailed(session, .connectTimedOut)
            } else if self.sessions[session].streamCount == 0 {
                self.closeSession(session, cutting: false)
            }
            return
        }
        guard self.sessions[session].streamCount == 0 else { return }
        if self.sessions[session].isEnding {
            // Its last words did not leave in time.
            self.closeSession(session, cutting: true)
            return
        }
        self.metrics.timedOut(self.sessions[session].requests == 0 ? .head : .keepAlive)
        self.endSessionSoon(session)
        self.engine.setDeadline(slot, self.engine.now + Self.goodbyeTime)
    }

    // Limit: how long a connection that is to be closed has to take its last words.
    static var goodbyeTime: TimeSpan { .seconds(2) }

    /// Ends a session and its connection at once.
    mutating func closeSession(_ session: Int, cutting: Bool) {
        let slot = Int(self.sessions[session].slot)
        let isToServer = self.sessions[session].isToServer
        self.breakStreams(session)
        self.removeSession(session)
        if isToServer {
            self.closeServer(slot, cutting: cutting)
        } else {
            self.closeClient(slot, cutting: cutting)
        }
    }

    /// Ends the exchanges of all streams of a session whose connection is gone.
    private mutating func breakStreams(_ session: Int) {
        // Whoever tries again takes another connection.
        self.sessions[session].isEnding = true
        while true {
            let slot = Int(self.sessions[session].firstStream)
            guard slot >= 0 else { return }
            let exchange = Int(self.roles[slot].exchange)
            if exchange >= 0, self.sessions[session].isToServer, self.isAnswered(slot, exchange) {
                self.detachStream(slot, exchange)
                continue
            }
            self.unlinkStream(slot)
            self.engine.breakStream(slot)
            if exchange < 0 {
                self.closeStream(slot, code: nil)
            } else if self.sessions[session].isToServer {
                self.serverStreamBroke(slot, exchange)
            } else {
                self.clientStreamBroke(exchange)
            }
        }
    }

    /// Whether all of the answer has arrived on a server's stream, though it may not have gone on.
    private func isAnswered(_ slot: Int, _ exchange: Int) -> Bool {
        let state = self.exchanges[exchange].state
        return state.contains(.responseDone)
            || (self.engine[slot].inputEnds && !state.contains(.isTunnel))
    }

    private mutating func removeSession(_ session: Int) {
        let slot = Int(self.sessions[session].slot)
        self.roles[slot].session = -1
        if self.sessions[session].isToServer {
            self.forgetServerSession(session)
        } else {
            self.metrics.count(.http2ConnectionsClosed)
        }
        self.sessions.remove(session)
    }
}

extension HTTP2Fault {
    /// The word of the metrics for what ended a client's connection; nil for what was no fault of
    /// the client's.
    init?(_ failure: HTTP2Failure) {
        switch failure {
        case .badPreface, .protocolError, .streamClosed: self = .protocolError
        case .flowControl: self = .flowControl
        case .frameSize: self = .frameSize
        case .compression: self = .compression
        case .resets: self = .resets
        case .pings: self = .ping
        case .settings: self = .settings
        case .priorities: self = .priority
        case .windowUpdates: self = .windowUpdate
        case .emptyFrames: self = .emptyFrames
        case .unknownFrames: self = .unknownFrames
        case .continuations: self = .continuation
        case .headSize: self = .headerBomb
        case .queue: self = .queue
        case .internal, .interimHeads: return nil
        }
    }
}
