import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayHTTP2
import BelayTelemetry
import BelayTransport

// Connections to servers that speak HTTP/2: an exchange is given a stream on one that has room, and
// waits with others while it connects.

extension Worker {
    // MARK: Attaching

    /// Gives the exchange a stream to its server.
    mutating func attachStream(_ exchange: Int, _ pool: Int, _ server: Int) {
        // Where a PROXY header names the client, each client has connections of its own.
        let owner = self.pools[pool].plan.proxyHeader == .off ? 0 : self.owner(of: exchange)
        var candidate = Int(self.pools[pool].firstSession[server])
        while candidate >= 0,
            !self.hasRoom(candidate)
                || self.roles[Int(self.sessions[candidate].slot)].owner != owner
        {
            candidate = Int(self.sessions[candidate].nextSession)
        }
        let isNew = candidate < 0
        if isNew {
            guard let session = self.connectSession(exchange, pool, server) else { return }
            candidate = session
            self.roles[Int(self.sessions[candidate].slot)].owner = owner
        }
        let isReady = self.sessions[candidate].isReady
        let wasIdle = isReady && self.sessions[candidate].streamCount == 0
        guard let slot = self.makeStream(candidate, isConnecting: !isReady) else {
            self.leaveServer(exchange)
            self.answer(exchange, .noMemory)
            return
        }
        self.sessions[candidate].requests &+= 1
        self.roles[slot].kind = .server
        self.roles[slot].exchange = Int32(truncatingIfNeeded: exchange)
        self.roles[slot].pool = Int32(truncatingIfNeeded: pool)
        self.roles[slot].server = Int32(truncatingIfNeeded: server)
        self.exchanges[exchange].server = Int32(truncatingIfNeeded: slot)
        self.exchanges[exchange].state.insert(.serverIsStream)
        self.exchanges[exchange].record.isReused = !isNew
        // Only of a connection that was idle may the server have taken leave as the request came.
        if wasIdle {
            self.exchanges[exchange].state.insert(.isReused)
        } else {
            self.exchanges[exchange].state.remove(.isReused)
        }
        if isReady {
            self.exchanges[exchange].record.connectStarted = nil
            self.exchanges[exchange].record.connectDone = nil
            self.engine.setDeadline(Int(self.sessions[candidate].slot), .distantFuture)
            self.pump(exchange)
        } else {
            self.exchanges[exchange].record.connectStarted = self.engine.now
            self.exchanges[exchange].record.connectDone = nil
        }
    }

    // Limit: the streams of one connection to a server; for more another is opened.
    static var serverStreamsMax: Int { 100 }

    private func hasRoom(_ session: Int) -> Bool {
        guard !self.sessions[session].isEnding else { return false }
        // Those whose answer is whole may still wait for the frame that says so; others wait to be
        // sent.
        let most = Swift.min(self.sessions[session].http2.peerStreamsMax, Self.serverStreamsMax)
        return Swift.max(
            Int(self.sessions[session].streamCount),
            self.sessions[session].http2.streamCount
        ) < most
    }

    private mutating func connectSession(
        _ exchange: Int,
        _ pool: Int,
        _ server: Int
    ) -> Int? {
        guard let slot = self.openServerConnection(exchange, pool, server) else { return nil }
        guard
            let http2 = HTTP2Session(
                role: .client,
                limits: self.sessionLimits(.client),
                seed: self.random.next(),
                now: self.engine.now
            ),
            let index = self.sessions.insert(
                Session(
                    http2: http2,
                    slot: Int32(truncatingIfNeeded: slot),
                    pool: Int32(truncatingIfNeeded: pool),
                    server: Int32(truncatingIfNeeded: server),
                    isReady: false
                )
            )
        else {
            self.closeServer(slot, cutting: true)
            self.leaveServer(exchange)
            self.answer(exchange, .noMemory)
            return nil
        }
        self.roles[slot].kind = .session
        self.roles[slot].session = Int32(truncatingIfNeeded: index)
        self.sessions[index].nextSession = self.pools[pool].firstSession[server]
        self.pools[pool].firstSession[server] = Int32(truncatingIfNeeded: index)
        return index
    }

    // MARK: Connecting

    /// Something changed on a connection that is not ready yet.
    mutating func continueServerSession(_ session: Int) {
        let slot = Int(self.sessions[session].slot)
        switch self.continueConnecting(slot) {
        case .waiting, .accepted: return
        case .failed(let failure):
            if case .tls(let problem) = failure { self.noteHandshakeFailure(slot, problem) }
            self.serverSessionFailed(session, .connectFailed)
        case .ready:
            self.pendingConnects &-= 1
            if let tls = self.engine.tls(slot), tls.applicationProtocol != .http2 {
                // The server was configured to speak HTTP/2, and does not.
                self.noteHandshakeFailure(slot, TLSFailure(.noSharedProtocol))
                self.serverSessionFailed(session, .connectFailed)
                return
            }
            self.sessions[session].isReady = true
            self.engine.setDeadline(slot, .distantFuture)
            self.queueSession(session)
            self.releaseStreams(session)
            guard self.sessions.isUsed(session), self.engine.isUsed(slot) else { return }
            self.sessionChanged(slot)
        }
    }

    /// The connection is there: those who waited for it go on.
    private mutating func releaseStreams(_ session: Int) {
        let generation = self.sessions.generation(session)
        var slot = Int(self.sessions[session].firstStream)
        while slot >= 0 {
            let next = Int(self.streams[Int(self.roles[slot].stream)].next)
            self.engine.streamConnected(slot)
            let exchange = Int(self.roles[slot].exchange)
            self.exchanges[exchange].record.connectDone = self.engine.now
            self.engine.requeue(slot)
            guard self.sessions.isCurrent(session, generation) else { return }
            slot = next
        }
    }

    /// The connection did not come about: those who waited try another server.
    mutating func serverSessionFailed(_ session: Int, _ ending: Ending) {
        self.sessions[session].isEnding = true
        while true {
            let slot = Int(self.sessions[session].firstStream)
            guard slot >= 0 else { break }
            let exchange = Int(self.roles[slot].exchange)
            // Takes the stream off the list.
            self.attemptFailed(exchange, .connectFailed, ending)
        }
        self.closeSession(session, cutting: true)
    }

    // MARK: Requests and answers

    /// The request's head in `composed` opens the stream. False when it can't be sent on this
    /// connection; then the exchange has gone another way.
    mutating func startServerStream(_ exchange: Int) -> Bool {
        let slot = Int(self.exchanges[exchange].server)
        let index = Int(self.roles[slot].stream)
        let session = Int(self.streams[index].session)
        let isEncrypted = self.engine.tls(Int(self.sessions[session].slot)) != nil
        do throws(HTTP2Refusal) {
            self.streams[index].stream = try self.sessions[session].submitRequest(
                self.composed,
                scheme: isEncrypted ? .https : .http,
                isLast: self.exchanges[exchange].requestReader.isAtEnd,
                tag: slot
            )
        } catch {
            self.composed.removeAll()
            switch error {
            case .noExtendedConnect:
                self.leaveServer(exchange)
                self.answer(exchange, .noWebSockets)
            case .full where self.sessions[session].http2.peerStreamsMax > 0:
                self.moveStream(exchange)
            case .full, .closing:
                if error == .closing { self.sessions[session].isEnding = true }
                self.attemptFailed(exchange, .notProcessed, .serverClosedEarly)
            }
            return false
        }
        self.exchanges[exchange].record.bytesToServer &+= UInt64(self.composed.count)
        self.composed.removeAll()
        self.queueSession(session)
        return true
    }

    /// More requests waited for the connection than the server takes on one: this one goes to
    /// another, on which nothing was said of it either.
    private mutating func moveStream(_ exchange: Int) {
        guard let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        else { return }
        let slot = Int(self.exchanges[exchange].server)
        self.exchanges[exchange].server = -1
        self.closeServer(slot, cutting: true)
        self.attachStream(exchange, pool, server)
    }

    /// The head of an answer, or of an interim one.
    mutating func responseArrived(_ slot: Int, _ session: Int, _ text: Range<Int>, isLast: Bool) {
        let exchange = Int(self.roles[slot].exchange)
        if self.exchanges[exchange].record.firstByte == nil {
            self.exchanges[exchange].record.firstByte = self.engine.now
        }
        guard self.deliverHead(slot, session, text) else {
            self.answer(exchange, .noMemory)
            return
        }
        self.exchanges[exchange].record.bytesFromServer &+= UInt64(text.count)
        if isLast { self.engine.endInput(slot) }
        self.serverChanged(slot)
    }

    mutating func streamRefusedHead(_ slot: Int, _ refusal: HeadRefusal) {
        self.refuseResponse(Int(self.roles[slot].exchange), refusal.error)
    }

    // MARK: Failures

    /// The server has reset the stream of an exchange.
    mutating func serverStreamReset(_ slot: Int, _ exchange: Int, _ code: UInt32) {
        let state = self.exchanges[exchange].state
        if state.contains(.responseDone) { return }
        if state.contains(.isTunnel) {
            self.endTunnel(exchange, .server)
        } else if state.contains(.responseStarted) {
            // RFC 9113 §8.1: a whole answer may be followed by a reset without an error.
            self.cut(exchange, .serverClosedEarly)
        } else if code == HTTP2Code.refusedStream {
            self.attemptFailed(exchange, .notProcessed, .serverClosedEarly)
        } else {
            self.attemptFailed(exchange, .connectionClosed, .serverClosedEarly)
        }
    }

    /// The connection of an exchange's stream is gone.
    mutating func serverStreamBroke(_ slot: Int, _ exchange: Int) {
        let state = self.exchanges[exchange].state
        if state.contains(.isTunnel) {
            self.endTunnel(exchange, .server)
        } else if state.contains(.responseStarted) {
            self.cut(exchange, .serverClosedEarly)
        } else {
            self.attemptFailed(
                exchange,
                state.contains(.isReused) ? .idleConnectionClosed : .connectionClosed,
                .serverClosedEarly
            )
        }
    }

    // MARK: Idle and gone

    mutating func serverSessionIsIdle(_ session: Int) {
        let slot = Int(self.sessions[session].slot)
        guard self.sessions[session].isReady else { return }
        if self.stopping != .running
            || self.pools[Int(self.sessions[session].pool)].plan
                .idleConnections == 0
        {
            self.endSessionSoon(session)
            return
        }
        let pool = Int(self.sessions[session].pool)
        self.engine.setDeadline(slot, self.engine.now + self.pools[pool].plan.idleTimeout)
    }

    /// The server has said what it takes: those who had to know go on.
    mutating func settingsChanged(_ session: Int) {
        guard self.sessions[session].isToServer else { return }
        var slot = Int(self.sessions[session].firstStream)
        while slot >= 0 {
            let index = Int(self.roles[slot].stream)
            if self.streams[index].stream == nil { self.engine.requeue(slot) }
            slot = Int(self.streams[index].next)
        }
    }

    /// Whether the request may be sent now. Of those that wait for a new connection the first goes
    /// at once; the others have to know how many the server takes, and one that wants a WebSocket
    /// whether it takes those.
    func mayStartStream(_ exchange: Int) -> Bool {
        let index = Int(self.roles[Int(self.exchanges[exchange].server)].stream)
        let session = Int(self.streams[index].session)
        return self.sessions[session].http2.hasPeerSettings
            || (self.sessions[session].http2.streamCount == 0
                && !self.exchanges[exchange].request.wantsUpgrade)
    }

    /// Takes a session out of its server's list.
    mutating func forgetServerSession(_ session: Int) {
        let pool = Int(self.sessions[session].pool)
        let server = Int(self.sessions[session].server)
        let after = self.sessions[session].nextSession
        var index = Int(self.pools[pool].firstSession[server])
        if index == session {
            self.pools[pool].firstSession[server] = after
            return
        }
        while index >= 0 {
            let next = Int(self.sessions[index].nextSession)
            if next == session {
                self.sessions[index].nextSession = after
                return
            }
            index = next
        }
    }
}
