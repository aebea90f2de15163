import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayTelemetry
import BelayTransport

// The exchange itself: which route, which server, another attempt, an answer of Belay's own, the
// end. Nothing here knows how either side frames its messages.

extension Worker {
    // MARK: Choosing a server

    /// A request's head is whole, and `fields` holds its lines.
    mutating func requestArrived(_ exchange: Int) {
        let request = self.exchanges[exchange].request
        if request.method == .connect {
            self.answer(exchange, .connectRefused)
            return
        }
        let traits = self.roles[Int(self.exchanges[exchange].client)].traits
        if traits.contains(.redirects) {
            self.redirect(exchange)
            return
        }
        if traits.contains(.lacksHTTP1), !self.exchanges[exchange].state.contains(.clientIsStream) {
            self.answer(exchange, .versionNotSpoken)
            return
        }
        if self.limits.bodySize > 0, case .length(let length) = request.framing,
            length > self.limits.bodySize
        {
            self.answer(exchange, OwnAnswer(.bodyTooLarge))
            return
        }
        let start = self.exchanges[exchange].headStart
        let slot = Int(self.exchanges[exchange].client)
        let memory = self.engine.memory
        let input = memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd)
        let route = self.routeIndex.first(
            self.routes,
            method: request.method,
            authority: request.authority.moved(by: start),
            path: request.path.moved(by: start),
            in: input
        )
        guard let route else {
            self.answer(exchange, .noRoute)
            return
        }
        let pool = self.routes[route].pool
        self.exchanges[exchange].record.route = self.routes[route].number
        self.exchanges[exchange].record.pool = pool
        if self.roles[slot].traits.contains(.isTLS) {
            self.exchanges[exchange].state.insert(.isOverTLS)
        }
        let peer = self.engine[slot].address.ip
        if self.isTrusted(peer) {
            self.exchanges[exchange].record.client.ip = clientAddress(
                peer: peer,
                self.fields,
                in: input,
                from: start,
                trusted: self.trusted
            )
            if forwardedIsTLS(self.fields, in: input, from: start) == true {
                self.exchanges[exchange].state.insert(.isOverTLS)
            }
        }
        self.openBinding(exchange, pool)
        guard !request.wantsUpgrade || self.mayUpgrade(exchange, route) else { return }
        self.chooseServer(exchange)
    }

    /// Finds the server for this attempt, and gives the request to it.
    mutating func chooseServer(_ exchange: Int) {
        guard let pool = self.exchanges[exchange].record.pool else { return }
        let isRetry = self.exchanges[exchange].record.retries > 0
        if !isRetry, self.waitsForRoom(exchange, pool) || self.rejects(exchange, pool) { return }
        if !isRetry, !self.poolHasRoom(pool) {
            self.answer(exchange, .poolFull)
            return
        }
        while let (server, rule) = self.choice(exchange, pool, isRetry: isRetry) {
            guard self.mayTunnel(exchange, pool, server) else {
                guard self.exchanges[exchange].tried.insert(server) else { break }
                continue
            }
            guard self.pools[pool].requestOpened(server) else {
                self.endTunnelCount(exchange, pool, server)
                // Another worker gave it its last request meanwhile.
                guard self.exchanges[exchange].tried.insert(server) else { break }
                if self.exchanges[exchange].record.persistence.step == .keep {
                    self.exchanges[exchange].record.persistence = .serverFull
                    if self.waitsForRoom(exchange, pool) { return }
                }
                continue
            }
            self.exchanges[exchange].record.server = server
            self.exchanges[exchange].record.rule = rule
            self.exchanges[exchange].state.insert(.isOpenAtServer)
            self.beginAwaitingHeads(exchange, pool, server)
            self.bind(exchange, pool, server)
            self.attach(exchange, pool, server)
            return
        }
        if self.exchanges[exchange].state.contains(.foundTunnelsFull) {
            self.answer(exchange, .tunnelsFull)
        } else if !self.waitsForAnyRoom(exchange, pool) {
            self.answer(exchange, self.whyNoServer(exchange, pool))
        }
    }

    /// The server for this attempt, and the rule that chose it.
    private mutating func choice(
        _ exchange: Int,
        _ pool: Int,
        isRetry: Bool
    ) -> (Int, PickRule)? {
        let now = self.engine.now
        let tried = self.exchanges[exchange].tried
        if let binding = self.exchanges[exchange].binding {
            let step = self.exchanges[exchange].record.persistence.step
            if !isRetry, step == .keep, let server = self.boundServer(exchange, pool) {
                return (server, .binding)
            }
            if !isRetry, binding.isToMove, let server = self.boundServer(exchange, pool),
                self.pools[pool].plan.table.passOverBound(server, at: now, tried: tried) == .no
            {
                return (server, .redispatch)
            }
            let isGiven = !isRetry && self.exchanges[exchange].record.persistence == .moved
            if isGiven {
                if let server = self.emptiest(pool, tried, ignoresStart: true) {
                    return (server, .redispatch)
                }
                // All are level by now.
                if self.exchanges[exchange].record.moveReason == .rebalance {
                    return self.staying(exchange, pool)
                }
            }
            guard
                let server = self.pools[pool].next(for: binding, now: now, tried: tried)
            else { return isGiven ? self.staying(exchange, pool) : nil }
            return (server, isRetry ? .retry : .redispatch)
        }
        if let affinity = self.exchanges[exchange].affinity {
            let server = self.pools[pool].pick(affinity: affinity, now: now, tried: tried)
            return server.map { ($0, isRetry ? .retry : .affinity) }
        }
        if !isRetry, self.exchanges[exchange].claimed >= 0 {
            let server = Int(self.exchanges[exchange].claimed)
            self.exchanges[exchange].claimed = -1
            if !tried.contains(server) { return (server, .claim) }
        }
        var key = PickKey()
        switch self.pools[pool].plan.algorithm {
        case .sourceHash:
            key.sourceHash = PickKey.hash(of: self.exchanges[exchange].record.client.ip)
        case .urlHash: key.urlHash = self.urlHash(exchange)
        case .roundRobin, .leastConnections, .leastTime, .randomOfTwo: break
        }
        let verdict = self.exchanges[exchange].record.persistence
        if self.levels(verdict, pool), let server = self.emptiest(pool, tried) {
            return (server, isRetry ? .retry : .level)
        }
        guard
            let server = self.pools[pool].pick(
                key,
                now: now,
                tried: tried,
                random: &self.random
            )
        else { return nil }
        return (server, isRetry ? .retry : self.pools[pool].plan.algorithm.rule)
    }

    /// Its server gives the client away, but nobody else would have it just now: it stays.
    private mutating func staying(_ exchange: Int, _ pool: Int) -> (Int, PickRule)? {
        guard let server = self.boundServer(exchange, pool),
            self.pools[pool].plan.table.passOverBound(
                server,
                at: self.engine.now,
                tried: self.exchanges[exchange].tried
            ) == .no
        else { return nil }
        self.exchanges[exchange].record.moveReason = nil
        self.judgeAgain(exchange)
        return (server, .binding)
    }

    /// The server that has clearly fewer bound clients than the others; nil: they are level.
    private mutating func emptiest(
        _ pool: Int,
        _ tried: TriedServers,
        ignoresStart: Bool = false
    ) -> Int? {
        var random = self.random
        let server = self.pools[pool].level(
            now: self.engine.now,
            tried: tried,
            ignoresStart: ignoresStart,
            random: &random
        )
        self.random = random
        return server
    }

    /// Whether this newcomer may be sent where bound clients are missing: one that will be bound,
    /// in a pool whose algorithm is no hash.
    func levels(_ verdict: PersistenceVerdict, _ pool: Int) -> Bool {
        guard self.pools[pool].plan.levels, verdict != .exempt else { return false }
        switch self.pools[pool].plan.algorithm {
        case .sourceHash, .urlHash: return false
        case .roundRobin, .leastConnections, .leastTime, .randomOfTwo: return true
        }
    }

    /// A hash of host and target, the same on every Belay.
    private func urlHash(_ exchange: Int) -> UInt64 {
        let slot = Int(self.exchanges[exchange].client)
        let memory = self.engine.memory
        return Self.urlHash(
            self.exchanges[exchange].request,
            in: memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd),
            from: self.exchanges[exchange].headStart
        )
    }

    static func urlHash(
        _ request: RequestHead,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) -> UInt64 {
        let host = StableHash.of(bytes.extracting(request.authority.moved(by: start)))
        return StableHash.of(bytes.extracting(request.path.moved(by: start)), seed: host)
    }

    // MARK: Failed attempts

    /// The attempt at the exchange's server ended before any byte of an answer. `ending` says what
    /// the exchange ended of, if there is no other attempt.
    mutating func attemptFailed(
        _ exchange: Int,
        _ failure: AttemptFailure,
        _ ending: Ending
    ) {
        guard let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        else { return }
        let state = self.exchanges[exchange].state
        let isHeld = !state.hasAny(of: .bodyLetGo)
        let isIdempotent = self.exchanges[exchange].request.method.isIdempotent
        self.leaveServer(exchange)
        // A server may close a connection that was idle just as a request is on its way: no
        // failure of the server's, and worth one more attempt there.
        if failure == .idleConnectionClosed, isHeld, isIdempotent,
            self.tryThereAgain(exchange, pool, server)
        {
            return
        }
        if self.waitsForServer(exchange, pool, failure) { return }
        if failure.countsAgainstServer {
            let table = self.pools[pool].plan.table
            table.noteRefused(failure == .connectFailed && ending == .connectFailed, server)
            self.countFailure(pool, server)
            self.noteAnswer(pool, server, isFailure: true, after: nil)
        }
        if failure == .connectFailed {
            self.metrics.count(.connectFailures, pool: pool, server: server)
        }
        if ending == .connectTimedOut { self.metrics.timedOut(.connect) }
        if case .serverTimedOut = ending {
            self.metrics.timedOut(.server)
            // That it took at least so long is what `least-time` has to know of it.
            let now = self.engine.now
            let began = self.exchanges[exchange].record.headReceived ?? now
            self.pools[pool].plan.table.gaveUp(server, after: now - began, at: now)
        }
        self.exchanges[exchange].tried.insert(server)
        let mayRetry = RetryPolicy(retriesMax: self.pools[pool].plan.retries).mayRetry(
            after: failure,
            isIdempotent: isIdempotent,
            isBodyHeld: isHeld,
            attempts: Int(self.exchanges[exchange].record.retries) + 1
        )
        guard mayRetry, self.hasAnother(exchange, pool),
            self.retryIsWithinBudget(exchange, pool, failure)
        else {
            // Nothing is wrong with a server that leaves its connection, or has all the streams
            // that it takes on it.
            if failure == .notProcessed, isHeld, self.tryThereAgain(exchange, pool, server) {
                return
            }
            switch ending {
            case .connectFailed: self.answer(exchange, .connectFailed)
            case .connectTimedOut: self.answer(exchange, .connectTimedOut)
            case .serverTimedOut: self.answer(exchange, .serverTimedOut)
            default: self.answer(exchange, .serverClosedEarly)
            }
            return
        }
        self.metrics.count(.retries, pool: pool, server: server)
        self.pools[pool].plan.table.requestRetried(server)
        self.exchanges[exchange].record.retries &+= 1
        self.rewindRequest(exchange)
        self.chooseServer(exchange)
    }

    /// Excuses a server that was asked in a bad moment, once: the request goes to it again, on
    /// another connection. False when it can't.
    private mutating func tryThereAgain(_ exchange: Int, _ pool: Int, _ server: Int) -> Bool {
        guard !self.exchanges[exchange].state.contains(.excused),
            self.mayTunnel(exchange, pool, server)
        else { return false }
        guard self.pools[pool].requestOpened(server) else {
            self.endTunnelCount(exchange, pool, server)
            return false
        }
        self.exchanges[exchange].state.insert(.excused | .isOpenAtServer)
        self.rewindRequest(exchange)
        self.connect(exchange, pool, server)
        return true
    }

    /// Whether any server is left to try: if none is, what the last one did is the better answer.
    func hasAnother(_ exchange: Int, _ pool: Int) -> Bool {
        let table = self.pools[pool].plan.table
        let tried = self.exchanges[exchange].tried
        for server in 0..<table.count
        where table.passOver(server, at: self.engine.now, tried: tried) == .no {
            return true
        }
        return false
    }

    mutating func countFailure(_ pool: Int, _ server: Int) {
        let table = self.pools[pool].plan.table
        if case .ejected(let span) = table.requestFailed(server, at: self.engine.now) {
            self.metrics.count(.ejections, pool: pool, server: server)
            self.shared.notices(.ejected(pool: pool, server: server, span))
        }
    }

    /// An answer has begun, after this time: by its status it may count as a failure.
    mutating func countAnswer(_ pool: Int, _ server: Int, _ status: UInt16, after time: TimeSpan?) {
        let isFailure =
            !self.pools[pool].plan.failureStatuses.isEmpty
            && self.pools[pool].plan.failureStatuses.contains { $0.contains(status) }
        self.noteAnswer(pool, server, isFailure: isFailure || status >= 500, after: time)
        if isFailure { self.countFailure(pool, server) } else { self.countSuccess(pool, server) }
    }

    /// For who compares the pool's servers.
    func noteAnswer(_ pool: Int, _ server: Int, isFailure: Bool, after time: TimeSpan?) {
        guard self.pools[pool].plan.outliers != nil else { return }
        self.pools[pool].plan.table.noteAnswer(isFailure: isFailure, after: time, server)
    }

    mutating func countSuccess(_ pool: Int, _ server: Int) {
        let table = self.pools[pool].plan.table
        if case .returned = table.requestSucceeded(server, at: self.engine.now) {
            self.metrics.count(.returns, pool: pool, server: server)
            self.shared.notices(.returned(pool: pool, server: server))
        }
    }

    /// Begins the request anew: its bytes are still in the client's block.
    mutating func rewindRequest(_ exchange: Int) {
        let request = self.exchanges[exchange].request
        self.exchanges[exchange].cursor = self.exchanges[exchange].headStart + request.length
        self.exchanges[exchange].requestVetted = 0
        self.exchanges[exchange].bodyBytes = 0
        self.exchanges[exchange].requestReader = BodyReader(
            request.framing,
            trailerMax: Swift.min(self.limits.headSize, 8 * 1024)
        )
        self.exchanges[exchange].responseScanner = HeadScanner()
        self.exchanges[exchange].state.remove(
            .requestStarted | .requestDone | .requestRefused | .requestTail | .isReused
        )
        self.givePipes(exchange)
    }

    // MARK: Moving on

    /// Moves whatever can be moved in either direction. Called when either connection changed; the
    /// exchange may be over when it returns.
    mutating func pump(_ exchange: Int) {
        let client = Int(self.exchanges[exchange].client)
        if self.exchanges[exchange].state.contains(.isTunnel) {
            self.pumpTunnel(exchange)
            return
        }
        if self.exchanges[exchange].state.contains(.responseDone) {
            self.finishWhenFlushed(exchange)
            return
        }
        let server = Int(self.exchanges[exchange].server)
        guard server >= 0 else {
            // Without a server it waits for one, unless its client has left.
            if self.engine[client].state.contains(.peerClosed) { self.cut(exchange, .clientLeft) }
            return
        }
        guard !self.engine[server].state.contains(.connecting) else { return }
        if self.exchanges[exchange].state.contains(.isTCP) {
            self.openTCP(exchange)
            return
        }
        if self.engine[client].hasOutput, !self.engine.flush(client) {
            self.cut(exchange, .clientLeft)
            return
        }
        if self.engine[server].hasOutput, !self.engine.flush(server) {
            self.exchanges[exchange].state.insert(.requestRefused)
        }
        let generation = self.exchanges.generation(exchange)
        self.pumpRequest(exchange)
        guard self.exchanges.isCurrent(exchange, generation),
            Int(self.exchanges[exchange].server) == server
        else { return }
        self.pumpResponse(exchange)
    }

    /// Something moved: the idle time begins anew.
    @inline(__always)
    mutating func noteProgress(_ exchange: Int) {
        var idle = self.limits.idle
        if self.exchanges[exchange].state.contains(.isTunnel) {
            // A tunnel's end is set already when Belay stops, or its server was drained.
            let tunnel = Int(self.exchanges[exchange].tunnel)
            guard self.tunnels[tunnel].drainAt == .distantFuture else { return }
            idle = self.limits.tunnelIdle
        }
        self.engine.setDeadline(
            Int(self.exchanges[exchange].client),
            self.engine.now + idle
        )
    }

    // MARK: Ending

    /// Ends an exchange whose response is done, once the client's connection took all of it.
    mutating func finishWhenFlushed(_ exchange: Int) {
        let slot = Int(self.exchanges[exchange].client)
        guard self.engine.flush(slot) else {
            self.cut(exchange, .clientLeft)
            return
        }
        if self.engine[slot].hasOutput { return }
        self.endServer(exchange)
        let state = self.exchanges[exchange].state
        let expectsMore = !state.contains(.requestDone)
        // Whoever was not told stays also in a stop that began meanwhile: the next answer tells.
        let closes = state.contains(.closesClient) || expectsMore
        let used = self.exchanges[exchange].cursor - self.engine[slot].inputStart
        self.closeExchange(exchange)
        self.roles[slot].exchange = -1
        if !state.contains(.hasRequest) || expectsMore || state.contains(.clientIsStream) {
            self.closeAfterAnswer(slot, expectsMore: expectsMore)
            return
        }
        // The whole request is dealt with: only what lies behind it is more.
        if used > 0 { self.engine.consume(slot, used) }
        if closes {
            self.closeAfterAnswer(slot, expectsMore: false)
            return
        }
        self.engine.setDeadline(slot, self.engine.now + self.limits.keepAlive)
        // The next request may be here already; it waits for its turn among the others.
        if self.engine[slot].hasInput || self.engine[slot].state.contains(.readable) {
            self.engine.requeue(slot)
        }
    }

    /// Ends the exchange at once: both connections are closed, the client's with a reset when it
    /// got a part of an answer, so that it does not take it for the whole.
    mutating func cut(_ exchange: Int, _ ending: Ending) {
        if self.exchanges[exchange].state.contains(.isTunnel),
            self.exchanges[exchange].tunnel >= 0, self.exchanges[exchange].record.closeCode == 0
        {
            let tunnel = Int(self.exchanges[exchange].tunnel)
            self.exchanges[exchange].record.closeCode = self.tunnels[tunnel].closeCode
        }
        let slot = Int(self.exchanges[exchange].client)
        let state = self.exchanges[exchange].state
        let isPartial = state.contains(.responseStarted) && !state.contains(.isTunnel)
        self.exchanges[exchange].record.ending = ending
        if ending == .clientLeft, self.exchanges[exchange].record.status == 0 {
            // nginx's number for it: nothing was sent, but the line should say why.
            self.exchanges[exchange].record.status = 499
        }
        self.leaveServer(exchange)
        self.closeExchange(exchange)
        self.closeClient(slot, cutting: isPartial)
    }

    /// Counts and logs the exchange and frees its slot.
    private mutating func closeExchange(_ exchange: Int) {
        self.leaveQueue(exchange)
        self.endRetry(exchange)
        self.exchanges[exchange].record.ended = self.engine.now
        if self.exchanges[exchange].state.contains(.hasRequest),
            !self.exchanges[exchange].state.contains(.bodyLetGo)
        {
            // All of it still lies in the client's block, so its size is exact: what was received
            // behind a chunked body may be the next request's.
            self.exchanges[exchange].record.bytesFromClient = UInt64(
                self.exchanges[exchange].cursor - self.exchanges[exchange].headStart
            )
        }
        self.givePipes(exchange)
        if self.exchanges[exchange].state.contains(.isTunnel) {
            self.metrics.count(.tunnelsClosed)
        }
        self.metrics.exchangeEnded(self.exchanges[exchange].record)
        self.writeLog(exchange, isOpening: false)
        if self.exchanges[exchange].tunnel >= 0 {
            self.tunnels.remove(Int(self.exchanges[exchange].tunnel))
        }
        if self.exchanges[exchange].state.contains(.countsForClient) {
            self.shared.tunnelClosed(of: self.exchanges[exchange].record.client.ip)
        }
        self.exchanges.remove(exchange)
        if self.fieldsOf == exchange { self.fieldsOf = -1 }
    }

    mutating func writeLog(_ exchange: Int, isOpening: Bool) {
        guard self.logs.count > 0 else { return }
        let tunnel = Int(self.exchanges[exchange].tunnel)
        if tunnel >= 0 {
            let request = self.exchanges[exchange].request
            let head = self.tunnels[tunnel].head
            self.writeLog(exchange, request, head.span, isOpening: isOpening)
            return
        }
        let slot = Int(self.exchanges[exchange].client)
        let block = self.engine[slot].inputBlock
        let memory = self.engine.memory
        let hasHead = self.exchanges[exchange].state.contains(.hasRequest) && block >= 0
        let start = self.exchanges[exchange].headStart
        let request = self.exchanges[exchange].request
        let head = memory.bytes(
            hasHead ? block : 0,
            hasHead ? start..<(start + request.length) : 0..<0
        )
        self.writeLog(exchange, request, head, isOpening: isOpening)
    }

    private mutating func writeLog(
        _ exchange: Int,
        _ request: RequestHead,
        _ head: borrowing Span<UInt8>,
        isOpening: Bool
    ) {
        let record = self.exchanges[exchange].record
        let path = request.form == .absolute ? request.path : request.target
        if isOpening {
            self.logs[0].writeOpened(
                record,
                method: head.extracting(request.methodBytes),
                host: head.extracting(request.authority),
                path: head.extracting(path)
            )
        } else {
            self.logs[0].write(
                record,
                method: head.extracting(request.methodBytes),
                host: head.extracting(request.authority),
                path: head.extracting(path)
            )
        }
    }

    mutating func givePipes(_ exchange: Int) {
        let (up, down) = (
            self.exchanges[exchange].requestPipe, self.exchanges[exchange].responsePipe
        )
        if up >= 0 {
            self.engine.givePipe(up, isEmpty: self.exchanges[exchange].requestPiped == 0)
            self.exchanges[exchange].requestPipe = -1
            self.exchanges[exchange].requestPiped = 0
        }
        if down >= 0 {
            self.engine.givePipe(down, isEmpty: self.exchanges[exchange].responsePiped == 0)
            self.exchanges[exchange].responsePipe = -1
            self.exchanges[exchange].responsePiped = 0
        }
    }
}

extension Range<Int> {
    /// The range from another origin.
    @inline(__always)
    func moved(by offset: Int) -> Range<Int> {
        (self.lowerBound &+ offset)..<(self.upperBound &+ offset)
    }
}
