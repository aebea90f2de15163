import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayTelemetry
import BelayTransport

// The servers' side in HTTP/1.1: connections are opened, used again and given up, response heads
// are read.

extension Worker {
    // Limit: what is read of a response before its head is known: small answers whole, of long ones
    // little, because the rest is spliced.
    private static let firstRead = 16 * 1024

    // MARK: Connections

    /// Gives the exchange a connection to its server: an idle one if there is, else a new one.
    mutating func attach(_ exchange: Int, _ pool: Int, _ server: Int) {
        while let slot = self.takeIdle(pool, server) {
            // Repeating a request that may have acted is forbidden, so for such a one it is worth
            // a system call to know that the server has not closed the connection meanwhile.
            if !self.exchanges[exchange].request.method.isIdempotent,
                !self.engine.isQuiet(slot)
            {
                self.closeServer(slot)
                continue
            }
            self.roles[slot].kind = .server
            self.roles[slot].exchange = Int32(truncatingIfNeeded: exchange)
            self.exchanges[exchange].server = Int32(truncatingIfNeeded: slot)
            self.exchanges[exchange].state.insert(.isReused)
            self.exchanges[exchange].record.isReused = true
            self.exchanges[exchange].record.connectStarted = nil
            self.exchanges[exchange].record.connectDone = nil
            // The deadline of its idle time stays: it is ignored while an exchange runs, and moving
            // it twice for each exchange would cost more.
            self.pump(exchange)
            return
        }
        self.connect(exchange, pool, server)
    }

    mutating func connect(_ exchange: Int, _ pool: Int, _ server: Int) {
        self.exchanges[exchange].state.remove(.isReused)
        self.exchanges[exchange].record.isReused = false
        guard self.pendingConnects < self.limits.pendingConnects else {
            self.leaveServer(exchange)
            self.answer(exchange, .pendingConnects)
            return
        }
        self.exchanges[exchange].record.connectStarted = self.engine.now
        self.exchanges[exchange].record.connectDone = nil
        switch self.engine.connect(to: self.pools[pool].plan.servers[server].address) {
        case .failure(let error):
            if error.isOutOfDescriptors || error.isOutOfMemory || error.isOutOfPorts {
                // Belay's own want, not the server's fault.
                self.leaveServer(exchange)
                self.answer(exchange, .noConnection)
            } else {
                self.attemptFailed(exchange, .connectFailed, .connectFailed)
            }
        case .success(let slot):
            self.growRoles(to: slot)
            self.roles[slot] = Role()
            self.roles[slot].kind = .server
            self.roles[slot].exchange = Int32(truncatingIfNeeded: exchange)
            self.roles[slot].pool = Int32(truncatingIfNeeded: pool)
            self.roles[slot].server = Int32(truncatingIfNeeded: server)
            self.exchanges[exchange].server = Int32(truncatingIfNeeded: slot)
            self.pools[pool].plan.table.connectionOpened(server)
            self.pendingConnects &+= 1
            self.engine.setDeadline(
                slot,
                self.engine.now + self.pools[pool].plan.connectTimeout
            )
        }
    }

    /// Something changed on the connection of an exchange.
    mutating func serverChanged(_ slot: Int) {
        let exchange = Int(self.roles[slot].exchange)
        if self.engine[slot].state.contains(.connecting) {
            guard let result = self.engine.finishConnecting(slot) else { return }
            self.pendingConnects &-= 1
            switch result {
            case .failure:
                self.attemptFailed(exchange, .connectFailed, .connectFailed)
                return
            case .success:
                self.exchanges[exchange].record.connectDone = self.engine.now
                self.engine.setDeadline(slot, .distantFuture)
            }
        }
        self.pump(exchange)
    }

    /// A server closed an idle connection, or sent what nobody asked for.
    mutating func idleServerChanged(_ slot: Int) {
        let state = self.engine[slot].state
        guard state.hasAny(of: .disturbed) else { return }
        self.removeIdle(slot)
        self.closeServer(slot)
    }

    /// Closes a server's connection that is in no list and has no exchange any more.
    mutating func closeServer(_ slot: Int, cutting: Bool = false) {
        let pool = Int(self.roles[slot].pool)
        let server = Int(self.roles[slot].server)
        if self.engine[slot].state.contains(.connecting) { self.pendingConnects &-= 1 }
        self.pools[pool].plan.table.connectionClosed(server)
        self.roles[slot].kind = .free
        self.roles[slot].exchange = -1
        self.engine.close(slot, cutting: cutting)
    }

    // MARK: Idle connections, newest first, so that the oldest run into their time-out

    private mutating func takeIdle(_ pool: Int, _ server: Int) -> Int? {
        let slot = Int(self.pools[pool].newestIdle[server])
        guard slot >= 0 else { return nil }
        self.removeIdle(slot)
        return slot
    }

    mutating func removeIdle(_ slot: Int) {
        let pool = Int(self.roles[slot].pool)
        let server = Int(self.roles[slot].server)
        let next = self.roles[slot].nextIdle
        let previous = self.roles[slot].previousIdle
        if previous >= 0 {
            self.roles[Int(previous)].nextIdle = next
        } else {
            self.pools[pool].newestIdle[server] = next
        }
        if next >= 0 { self.roles[Int(next)].previousIdle = previous }
        self.roles[slot].nextIdle = -1
        self.roles[slot].previousIdle = -1
        self.pools[pool].idleCount[server] &-= 1
        self.idleConnections &-= 1
    }

    private mutating func keepIdle(_ slot: Int) {
        let pool = Int(self.roles[slot].pool)
        let server = Int(self.roles[slot].server)
        guard Int(self.pools[pool].idleCount[server]) < self.pools[pool].plan.idleConnections,
            self.stopping == .running
        else {
            self.closeServer(slot)
            return
        }
        let newest = self.pools[pool].newestIdle[server]
        self.roles[slot].kind = .idleServer
        self.roles[slot].exchange = -1
        self.roles[slot].nextIdle = newest
        self.roles[slot].previousIdle = -1
        if newest >= 0 {
            self.roles[Int(newest)].previousIdle = Int32(truncatingIfNeeded: slot)
        }
        self.pools[pool].newestIdle[server] = Int32(truncatingIfNeeded: slot)
        self.pools[pool].idleCount[server] &+= 1
        self.idleConnections &+= 1
        self.engine.setDeadline(slot, self.engine.now + self.pools[pool].plan.idleTimeout)
    }

    // MARK: Leaving

    /// The exchange is through with its server: the connection is kept if it can carry another.
    mutating func endServer(_ exchange: Int) {
        let slot = Int(self.exchanges[exchange].server)
        if slot >= 0 {
            let state = self.exchanges[exchange].state
            self.exchanges[exchange].server = -1
            let isClean =
                state.contains(.serverStays) && state.contains(.requestDone)
                && !state.contains(.requestRefused) && !self.engine[slot].hasInput
                && !self.engine[slot].hasOutput && self.engine.isSettled(slot)
            if isClean { self.keepIdle(slot) } else { self.closeServer(slot) }
        }
        self.closeAtServer(exchange)
    }

    /// Takes the exchange off its server, whatever state its connection is in.
    mutating func leaveServer(_ exchange: Int) {
        let slot = Int(self.exchanges[exchange].server)
        if slot >= 0 {
            self.exchanges[exchange].server = -1
            self.closeServer(slot, cutting: true)
        }
        self.closeAtServer(exchange)
    }

    private mutating func closeAtServer(_ exchange: Int) {
        guard self.exchanges[exchange].state.contains(.isOpenAtServer),
            let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        else { return }
        self.exchanges[exchange].state.remove(.isOpenAtServer)
        self.pools[pool].requestClosed(server)
    }

    // MARK: Response heads

    /// Reads the response's head, passing interim ones on. True when the final head has been
    /// composed, and its body may follow.
    mutating func readResponseHead(_ exchange: Int) -> Bool {
        let slot = Int(self.exchanges[exchange].server)
        while true {
            if self.engine[slot].hasInput {
                do throws(MessageError) {
                    switch try self.takeResponseHead(exchange, slot) {
                    case .incomplete: break
                    case .interim: continue
                    case .final: return true
                    case .over: return false
                    }
                } catch {
                    self.refuseResponse(exchange, error)
                    return false
                }
            }
            let state = self.engine[slot].state
            if state.contains(.atEnd) {
                if self.engine[slot].hasInput {
                    self.refuseResponse(exchange, .unexpectedEnd)
                } else {
                    self.attemptFailed(
                        exchange,
                        self.exchanges[exchange].state.contains(.isReused)
                            ? .idleConnectionClosed : .connectionClosed,
                        .serverClosedEarly
                    )
                }
                return false
            }
            guard state.contains(.readable) else { return false }
            if self.engine.inputRoom(slot) == 0 { self.engine.compactInput(slot) }
            guard let moved = self.engine.receive(slot, limit: Self.firstRead) else {
                self.answer(exchange, .noMemory)
                return false
            }
            if case .bytes(let count) = moved {
                self.exchanges[exchange].record.bytesFromServer &+= UInt64(count)
                if self.exchanges[exchange].record.firstByte == nil {
                    self.exchanges[exchange].record.firstByte = self.engine.now
                }
            }
        }
    }

    private enum HeadStep {
        case incomplete, interim, final, over
    }

    private mutating func takeResponseHead(
        _ exchange: Int,
        _ slot: Int
    ) throws(MessageError) -> HeadStep {
        let memory = self.engine.memory
        let start = self.engine[slot].inputStart
        let input = memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd)
        guard
            let length = try self.exchanges[exchange].responseScanner.scan(
                input,
                from: start,
                headMax: self.limits.headSize
            )
        else { return .incomplete }
        self.fieldsOf = -1
        let head = try ResponseHead.parse(
            input,
            from: start,
            length: length,
            answering: self.exchanges[exchange].request.method,
            into: &self.fields
        )
        self.exchanges[exchange].responseScanner = HeadScanner()
        if head.status == 101 {
            guard head.isUpgrade, self.exchanges[exchange].request.wantsUpgrade else {
                throw .badUpgrade
            }
            self.composed.removeAll()
            self.composeResponse(exchange, head, in: input, from: start)
            self.openTunnel(exchange)
            self.engine.consume(slot, length)
            return .final
        }
        if head.status < 200 {
            let goesOn = self.passInterim(exchange, head, in: input, from: start)
            if goesOn { self.engine.consume(slot, length) }
            return goesOn ? .interim : .over
        }
        self.composed.removeAll()
        self.beginResponse(exchange, head)
        self.composeResponse(exchange, head, in: input, from: start)
        self.engine.consume(slot, length)
        return .final
    }

    /// Passes 100, 102, 103 and the like on to clients that know them (RFC 9110 §15.2).
    private mutating func passInterim(
        _ exchange: Int,
        _ head: ResponseHead,
        in input: borrowing Span<UInt8>,
        from start: Int
    ) -> Bool {
        guard self.exchanges[exchange].request.minorVersion > 0 else { return true }
        self.composed.removeAll()
        writeResponse(
            head,
            self.fields,
            in: input,
            from: start,
            options: ResponseOptions(framing: .none),
            setCookie: Span(),
            date: Span(),
            into: &self.composed
        )
        // A server that sends interim heads without end fills the client's block and is cut.
        guard self.engine.send(Int(self.exchanges[exchange].client), self.composed) else {
            self.cut(exchange, .clientLeft)
            return false
        }
        self.exchanges[exchange].record.bytesToClient &+= UInt64(self.composed.count)
        self.noteProgress(exchange)
        return true
    }

    /// Settles how the response's body is read and written, and what becomes of the connections.
    private mutating func beginResponse(_ exchange: Int, _ head: ResponseHead) {
        let request = self.exchanges[exchange].request
        self.exchanges[exchange].record.status = head.status
        self.exchanges[exchange].responseReader = BodyReader(
            head.framing,
            trailerMax: Swift.min(self.limits.headSize, 8 * 1024)
        )
        if head.keepsAlive { self.exchanges[exchange].state.insert(.serverStays) }
        // The body of unknown length becomes chunks, so that the client sees whether it is whole;
        // HTTP/1.0 has none, there the end of the connection ends the body.
        let isOpenEnded = head.framing == .chunked || head.framing == .untilClose
        self.exchanges[exchange].responseChunked = isOpenEnded && request.minorVersion > 0
        if isOpenEnded && request.minorVersion == 0 {
            self.exchanges[exchange].state.insert(.closesClient)
        }
        // An answer before the whole request: what is still to come of it ends the connection.
        if !self.exchanges[exchange].state.contains(.requestDone) || self.stopping != .running {
            self.exchanges[exchange].state.insert(.closesClient)
        }
        if let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        {
            if let began = self.exchanges[exchange].record.headReceived {
                let time = self.engine.now - began
                self.pools[pool].plan.table.answered(server, after: time, at: self.engine.now)
            }
            self.countSuccess(pool, server)
        }
    }

    /// Writes the response's head as the client gets it into `composed`.
    private mutating func composeResponse(
        _ exchange: Int,
        _ head: ResponseHead,
        in input: borrowing Span<UInt8>,
        from start: Int
    ) {
        var options = ResponseOptions(framing: head.framing)
        if self.exchanges[exchange].responseChunked { options.framing = .chunked }
        if head.framing == .chunked && !self.exchanges[exchange].responseChunked {
            options.framing = .untilClose
        }
        options.via = self.rules.via
        if head.status != 101 {
            if self.exchanges[exchange].state.contains(.closesClient) {
                options.connection = .close
            } else if self.exchanges[exchange].request.minorVersion == 0 {
                options.connection = .keepAlive
            }
        }
        let date = self.date
        writeResponse(
            head,
            self.fields,
            in: input,
            from: start,
            options: options,
            setCookie: Span(),
            date: date.bytes,
            into: &self.composed
        )
        self.appendCookie(exchange, in: input, from: start)
        self.exchanges[exchange].state.insert(.responseStarted)
    }

    /// Puts the binding cookie into the head that was composed, if the client is to get it and the
    /// response is one that no shared cache keeps.
    private mutating func appendCookie(
        _ exchange: Int,
        in input: borrowing Span<UInt8>,
        from start: Int
    ) {
        guard self.exchanges[exchange].record.binding != .none,
            let binding = self.exchanges[exchange].binding,
            let pool = self.exchanges[exchange].record.pool
        else { return }
        var caching = SharedCaching()
        var hasSetCookie = false
        for index in 0..<self.fields.count {
            let line = self.fields[index]
            let value = line.value.moved(by: start)
            switch line.id {
            case .cacheControl: caching.note(cacheControl: input.extracting(value))
            case .expires: caching.note(expires: input.extracting(value), now: self.unixNow)
            case .setCookie: hasSetCookie = true
            default: break
            }
        }
        let method = self.exchanges[exchange].request.method
        let mayCarry = caching.mayCarryCookie(
            isGetOrHead: method == .get || method == .head,
            hasAuthorization: self.exchanges[exchange].state.contains(.hasAuthorization),
            hasSetCookie: hasSetCookie
        )
        // The head ends in an empty line; the cookie goes before it.
        let end = self.composed.count - 2
        self.composed.truncate(to: end)
        if mayCarry {
            self.composed.append("Set-Cookie: ")
            if self.pools[pool].writeSetCookie(
                binding,
                now: self.unixNow,
                isOverTLS: self.exchanges[exchange].state.contains(.isOverTLS),
                into: &self.composed
            ) {
                self.composed.append("\r\n\r\n")
                return
            }
            self.composed.truncate(to: end)
        }
        self.composed.append("\r\n")
        self.exchanges[exchange].record.binding = .none
    }

    /// The server's answer can't be understood: nothing of it goes on.
    mutating func refuseResponse(_ exchange: Int, _ error: MessageError) {
        self.exchanges[exchange].record.refusal = error.rawValue
        if let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        {
            self.countFailure(pool, server)
        }
        self.answer(exchange, .badResponse)
    }

    /// From here on both sides speak what they agreed on (RFC 9110 §7.8).
    private mutating func openTunnel(_ exchange: Int) {
        self.exchanges[exchange].record.status = 101
        self.exchanges[exchange].state.insert(.isTunnel | .closesClient)
        self.exchanges[exchange].requestReader = BodyReader(.untilClose, trailerMax: 0)
        self.exchanges[exchange].responseReader = BodyReader(.untilClose, trailerMax: 0)
        self.exchanges[exchange].responseChunked = false
        self.exchanges[exchange].state.remove(.requestDone | .requestTail)
        self.metrics.count(.tunnelsOpened)
        if let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        {
            self.countSuccess(pool, server)
        }
    }
}
