import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayTelemetry
import BelayTransport

// Response heads: read, judged, and written as the client gets them.

extension Worker {
    // Limit: what is read of a response before its head is known: small answers whole, of long ones
    // little, because the rest is spliced.
    private static let firstRead = 16 * 1024

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
        var head = try ResponseHead.parse(
            input,
            from: start,
            length: length,
            answering: self.exchanges[exchange].request.method,
            into: &self.fields
        )
        self.exchanges[exchange].responseScanner = HeadScanner()
        if head.status == 101 {
            let isWebSocket = self.exchanges[exchange].state.contains(.isWebSocket)
            guard head.isUpgrade, self.exchanges[exchange].request.wantsUpgrade,
                isWebSocket == (upgradeWish(self.fields, in: input, from: start) == .webSocket)
            else { throw .badUpgrade }
            self.composed.removeAll()
            try self.learn(exchange, head, in: input, from: start, body: start..<start)
            self.composeResponse(exchange, head, in: input, from: start)
            self.engine.consume(slot, length)
            return self.switchProtocols(exchange, isWebSocket: isWebSocket) ? .final : .over
        }
        if head.status < 200 {
            let goesOn = self.passInterim(exchange, head, in: input, from: start)
            if goesOn { self.engine.consume(slot, length) }
            return goesOn ? .interim : .over
        }
        if head.framing == .untilClose, self.isWhole(slot, headEnd: start + length) {
            // The stream ended with its head: so does the answer.
            let isStream = self.exchanges[exchange].state.contains(.clientIsStream)
            head.framing = isStream ? .none : .length(0)
        }
        self.composed.removeAll()
        self.beginResponse(exchange, head)
        let body = start + length..<self.engine[slot].inputEnd
        try self.learn(exchange, head, in: input, from: start, body: body)
        self.composeResponse(exchange, head, in: input, from: start)
        self.engine.consume(slot, length)
        if self.exchanges[exchange].state.contains(.clientIsStream) {
            self.exchanges[exchange].record.bytesToClient &+= UInt64(self.composed.count)
            self.sendHead(
                Int(self.exchanges[exchange].client),
                isLast: self.exchanges[exchange].responseReader.isAtEnd,
                isInterim: false
            )
        }
        return .final
    }

    /// Learns from a head, whose lines `fields` has before and after.
    private mutating func learn(
        _ exchange: Int,
        _ head: ResponseHead,
        in input: borrowing Span<UInt8>,
        from start: Int,
        body: Range<Int>
    ) throws(MessageError) {
        guard !self.learn(exchange, in: input, from: start, body: body) else { return }
        self.fieldsOf = -1
        _ = try ResponseHead.parse(
            input,
            from: start,
            length: head.length,
            answering: self.exchanges[exchange].request.method,
            into: &self.fields
        )
    }

    /// Whether a stream to a server has brought nothing behind its head, and never will.
    private func isWhole(_ slot: Int, headEnd: Int) -> Bool {
        self.engine[slot].carrier == .stream && self.engine[slot].inputEnds
            && self.engine[slot].inputEnd == headEnd && self.arrivedTrailers(slot) == nil
    }

    /// Sends the 101 in `composed`, and makes the exchange a tunnel. False when it is over instead.
    private mutating func switchProtocols(_ exchange: Int, isWebSocket: Bool) -> Bool {
        let client = Int(self.exchanges[exchange].client)
        self.exchanges[exchange].record.bytesToClient &+= UInt64(self.composed.count)
        if self.exchanges[exchange].state.contains(.clientIsStream) {
            self.sendHead(client, isLast: false, isInterim: false)
        } else if !self.engine.send(client, self.composed) {
            self.cut(exchange, .clientLeft)
            return false
        }
        self.composed.removeAll()
        guard self.openTunnel(exchange, isWebSocket: isWebSocket) else {
            self.cut(exchange, .overloaded)
            return false
        }
        return true
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
        if self.exchanges[exchange].state.contains(.clientIsStream) {
            self.sendHead(
                Int(self.exchanges[exchange].client),
                isLast: false,
                isInterim: true
            )
            self.noteProgress(exchange)
            return true
        }
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
        let isStream = self.exchanges[exchange].state.contains(.clientIsStream)
        self.exchanges[exchange].responseChunked =
            isOpenEnded && request.minorVersion > 0 && !isStream
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
            let began = self.exchanges[exchange].record.headReceived
            let time = began.map { self.engine.now - $0 }
            if let time {
                self.pools[pool].plan.table.answered(server, after: time, at: self.engine.now)
            }
            self.countAnswer(pool, server, head.status, after: time)
            self.endAwaiting(exchange)
            self.endRetry(exchange)
            self.endClaim(exchange)
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
        if let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server,
            let name = self.pools[pool].plan.prefixedCookie
        {
            options.prefixedCookie = (name, self.pools[pool].plan.servers[server].cookiePrefix)
        }
        if let pool = self.exchanges[exchange].record.pool, !self.pools[pool].plan.rules.preserves {
            options.ownCookie = self.pools[pool].plan.cookieName
        }
        options.fillsReason = self.exchanges[exchange].state.contains(.serverIsStream)
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
        let slot = Int(self.exchanges[exchange].client)
        if self.roles[slot].traits.contains(.isStrict | .isTLS) { self.appendStrictness(slot) }
        self.appendCookie(exchange, in: input, from: start)
        self.exchanges[exchange].state.insert(.responseStarted)
    }

    /// Tells browsers to come over TLS only, unless the server has told them already.
    private mutating func appendStrictness(_ slot: Int) {
        let listener = Int(self.roles[slot].listener)
        guard let line = self.listeners[listener].strictTransport else { return }
        let end = self.composed.count - 2
        guard !self.composed.bytes.extracting(0..<end).hasField("strict-transport-security")
        else { return }
        self.composed.truncate(to: end)
        self.composed.append(line.bytes)
        self.composed.append("\r\n\r\n")
    }

    /// Puts the binding cookie into the head that was composed, if the client is to get it and the
    /// response is one that no shared cache keeps.
    private mutating func appendCookie(
        _ exchange: Int,
        in input: borrowing Span<UInt8>,
        from start: Int
    ) {
        guard let pool = self.exchanges[exchange].record.pool else { return }
        if self.pools[pool].plan.rules.preserves,
            self.serverSetsCookie(exchange, pool, in: input, from: start)
        {
            // The client gets the server's, and nothing else under that name.
            if !self.pools[pool].hasTableWays { self.exchanges[exchange].record.binding = .none }
            return
        }
        guard self.exchanges[exchange].record.binding != .none,
            let binding = self.exchanges[exchange].cookie
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
                self.register(exchange, pool, binding)
                return
            }
            self.composed.truncate(to: end)
        }
        self.composed.append("\r\n")
        if !self.pools[pool].hasTableWays { self.exchanges[exchange].record.binding = .none }
    }

    /// Whether the answer has a cookie under the name of Belay's own. If it takes that cookie away,
    /// the client is bound no more.
    private mutating func serverSetsCookie(
        _ exchange: Int,
        _ pool: Int,
        in input: borrowing Span<UInt8>,
        from start: Int
    ) -> Bool {
        guard let name = self.pools[pool].plan.cookieName else { return false }
        var isFound = false
        for index in 0..<self.fields.count where self.fields[index].id == .setCookie {
            let line = input.extracting(self.fields[index].value.moved(by: start))
            guard let cookie = SetCookieText(line), cookie.isNamed(name.bytes, in: line) else {
                continue
            }
            isFound = true
            if cookie.isRemoved(in: line), let binding = self.exchanges[exchange].binding,
                self.pools[pool].isCookie(self.exchanges[exchange].way)
            {
                self.pools[pool].unregister(binding)
            }
        }
        return isFound
    }

    /// The server's answer can't be understood: nothing of it goes on.
    mutating func refuseResponse(_ exchange: Int, _ error: MessageError) {
        self.exchanges[exchange].record.refusal = error.rawValue
        if let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        {
            self.countFailure(pool, server)
            self.noteAnswer(pool, server, isFailure: true, after: nil)
        }
        self.answer(exchange, .badResponse)
    }
}
