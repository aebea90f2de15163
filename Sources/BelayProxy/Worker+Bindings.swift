import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayTelemetry
import BelayTransport

// What a client's binding says, where it is kept, and when it moves. Which way binds how is for
// BelayPersistence to say, where the value stands in a message for BelayHTTP, what a request
// presents for `PoolState.present`.

extension Worker {
    // MARK: Reading

    /// Reads the binding that the client of a request presents, and judges it.
    mutating func openBinding(_ exchange: Int, _ pool: Int) {
        guard self.pools[pool].hasPersistence else { return }
        if self.fields.first(.authorization) != nil {
            self.exchanges[exchange].state.insert(.hasAuthorization)
        }
        let slot = Int(self.exchanges[exchange].client)
        let memory = self.engine.memory
        let origin = self.origin(of: exchange, pool)
        let presented = self.pools[pool].present(
            self.exchanges[exchange].request,
            self.fields,
            in: memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd),
            from: self.exchanges[exchange].headStart,
            origin,
            now: self.engine.now,
            unixNow: self.unixNow
        )
        self.take(presented, exchange)
        if presented.verdict.mayClaim { self.followClaim(exchange, pool) }
    }

    /// The same for a connection of TCP.
    mutating func openTCPBinding(_ exchange: Int, _ pool: Int) {
        guard self.pools[pool].hasPersistence else { return }
        let presented = self.pools[pool].present(
            self.origin(of: exchange, pool),
            now: self.engine.now,
            unixNow: self.unixNow
        )
        self.take(presented, exchange)
    }

    private mutating func take(_ presented: Presented, _ exchange: Int) {
        self.exchanges[exchange].binding = presented.binding
        self.exchanges[exchange].way = presented.way
        self.exchanges[exchange].affinity = presented.affinity
        self.exchanges[exchange].record.persistence = presented.verdict
        self.exchanges[exchange].record.moveReason = presented.moveReason
    }

    /// Where the exchange's client comes from.
    private func origin(of exchange: Int, _ pool: Int) -> Origin {
        let carrier = self.carrier(of: Int(self.exchanges[exchange].client))
        let connection = self.engine[carrier].address
        let facts = self.pools[pool].plan.facts
        var origin = Origin(
            client: SocketAddress(
                ip: self.exchanges[exchange].record.client.ip,
                port: connection.port
            ),
            // It costs a system call.
            local: facts.asksForLocal ? self.engine.localAddress(carrier) : nil
        )
        if facts.asksForTLS { self.noteTLSSession(&origin, exchange, carrier) }
        return origin
    }

    /// Where Belay ends TLS, the session has a name of its own. Where TLS passes through, the
    /// ClientHello lies in the client's block until a server has accepted.
    private func noteTLSSession(_ origin: inout Origin, _ exchange: Int, _ carrier: Int) {
        if let tls = self.engine.tls(carrier) {
            guard let name = tls.sessionName else { return }
            origin.tlsSession = TLSSessionName(name.span)
            origin.keepsTLSSession = true
        } else if self.exchanges[exchange].state.contains(.isTCP), self.engine[carrier].hasInput {
            let memory = self.engine.memory
            let range = self.engine[carrier].inputStart..<self.engine[carrier].inputEnd
            let bytes = memory.bytes(self.engine[carrier].inputBlock, range)
            guard let reading = try? ClientHello.parse(bytes, from: 0),
                case .hello(let hello) = reading, let session = hello.sessionID
            else { return }
            origin.tlsSession = TLSSessionName(bytes.extracting(session))
        }
    }

    /// Time has passed, and the servers' states with it: what the binding is worth now.
    mutating func judgeAgain(_ exchange: Int) {
        guard let pool = self.exchanges[exchange].record.pool,
            let binding = self.exchanges[exchange].binding,
            self.exchanges[exchange].way >= 0
        else { return }
        self.exchanges[exchange].record.persistence = self.pools[pool].judge(
            binding,
            now: self.engine.now
        )
    }

    /// The server that the exchange's client is bound to, if the pool has it.
    func boundServer(_ exchange: Int, _ pool: Int) -> Int? {
        guard let binding = self.exchanges[exchange].binding else { return nil }
        return self.pools[pool].plan.lookup.index(of: binding.serverID)
    }

    // MARK: Claims

    /// Another first request of this client may have found a server a moment ago: on the same
    /// connection, or beside it.
    private mutating func followClaim(_ exchange: Int, _ pool: Int) {
        guard self.pools[pool].plan.rules.claim != nil else { return }
        let now = self.engine.now
        let slot = self.carrier(of: Int(self.exchanges[exchange].client))
        // Behind a proxy's connection there are many clients.
        guard !self.isTrusted(self.engine[slot].address.ip) else { return }
        if Int(self.roles[slot].claimPool) == pool, now < self.roles[slot].claimEnds,
            self.follow(Int(self.roles[slot].claimServer), exchange, pool)
        {
            return
        }
        self.roles[slot].claimPool = -1
        let client = self.claimant(exchange, pool)
        self.exchanges[exchange].claimant = client
        if client != 0, let server = self.shared.claims.follow(client, now: now),
            self.follow(server, exchange, pool)
        {
            return
        }
    }

    /// A hash of the client's address and User-Agent, and of the pool; 0 without a User-Agent: who
    /// sends none is no browser.
    private func claimant(_ exchange: Int, _ pool: Int) -> UInt64 {
        let slot = Int(self.exchanges[exchange].client)
        let start = self.exchanges[exchange].headStart
        let memory = self.engine.memory
        let input = memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd)
        for index in 0..<self.fields.count {
            let line = self.fields[index]
            guard line.id == .other,
                input.isEqual(line.name.moved(by: start), toLowercase: "user-agent")
            else { continue }
            let agent = StableHash.of(
                input.extracting(line.value.moved(by: start)),
                seed: UInt64(pool)
            )
            let client = self.exchanges[exchange].record.client.ip
            return StableHash.combine(agent, PickKey.hash(of: client)) | 1
        }
        return 0
    }

    private mutating func follow(_ server: Int, _ exchange: Int, _ pool: Int) -> Bool {
        let table = self.pools[pool].plan.table
        guard server < table.count,
            table.passOver(server, at: self.engine.now, tried: TriedServers()) == .no
        else { return false }
        self.exchanges[exchange].claimed = Int32(truncatingIfNeeded: server)
        self.exchanges[exchange].record.persistence = .claimed
        return true
    }
}

extension Worker {
    /// What the server is told of a client that has come from another one.
    func moved(_ exchange: Int) -> (from: InternedText, reason: StaticString)? {
        guard let reason = self.exchanges[exchange].record.moveReason,
            let pool = self.exchanges[exchange].record.pool
        else { return nil }
        let from = self.exchanges[exchange].record.movedFrom
        let name = from.map { self.pools[pool].plan.servers[$0].text } ?? Self.unknownServer
        return (name, reason.name)
    }

    private static var unknownServer: InternedText { InternedText("unknown") }

    /// Learns what the answer's head, and the first bytes behind it, hand out. False when `fields`
    /// no longer has the answer's lines.
    mutating func learn(
        _ exchange: Int,
        in input: borrowing Span<UInt8>,
        from start: Int,
        body: Range<Int>
    ) -> Bool {
        guard let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server,
            self.pools[pool].learns,
            self.exchanges[exchange].record.persistence != .exempt
        else { return true }
        let lesson = self.pools[pool].learn(
            self.fields,
            in: input,
            from: start,
            body: body,
            at: server,
            now: self.unixNow
        )
        if lesson.awaitsBody { self.exchanges[exchange].state.insert(.learnsBody) }
        guard lesson.endsSession else { return true }
        self.forgetPresented(exchange, pool)
        return false
    }

    /// The application has taken its cookie away: what the request presented is over.
    private mutating func forgetPresented(_ exchange: Int, _ pool: Int) {
        guard self.parseFieldsAgain(exchange) else { return }
        let slot = Int(self.exchanges[exchange].client)
        let memory = self.engine.memory
        self.pools[pool].forgetPresented(
            self.exchanges[exchange].request,
            self.fields,
            in: memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd),
            from: self.exchanges[exchange].headStart
        )
    }

    /// Learns from the first bytes of the answer's body, which came behind its head.
    mutating func learnBody(_ exchange: Int, _ bytes: borrowing Span<UInt8>) {
        self.exchanges[exchange].state.remove(.learnsBody)
        guard let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        else { return }
        self.pools[pool].learnBody(bytes, at: server, now: self.unixNow)
    }

    /// Learns from the first message of a TLS server, whose bytes go on as they are. False while it
    /// is not whole: nothing goes on before that.
    mutating func learnHello(_ exchange: Int) -> Bool {
        let tunnel = Int(self.exchanges[exchange].tunnel)
        let slot = Int(self.exchanges[exchange].server)
        while true {
            if self.engine[slot].hasInput {
                let memory = self.engine.memory
                let range = self.engine[slot].inputStart..<self.engine[slot].inputEnd
                let bytes = memory.bytes(self.engine[slot].inputBlock, range)
                switch ServerHello.parse(bytes, from: 0) {
                case .needsMore: break
                case .other:
                    self.tunnels[tunnel].awaitsHello = false
                    return true
                case .hello(let hello):
                    self.tunnels[tunnel].awaitsHello = false
                    guard hello.namesSession, let pool = self.exchanges[exchange].record.pool,
                        let server = self.exchanges[exchange].record.server
                    else { return true }
                    let session = bytes.extracting(hello.sessionID)
                    self.pools[pool].learnTLSSession(session, at: server, now: self.unixNow)
                    return true
                }
            }
            let state = self.engine[slot].state
            let mayRead = state.contains(.readable) && !state.contains(.atEnd)
            guard mayRead, let moved = self.engine.receive(slot) else {
                // Broken, or the block is full: what is there goes on as it is.
                if mayRead || state.contains(.atEnd) { self.tunnels[tunnel].awaitsHello = false }
                return !self.tunnels[tunnel].awaitsHello
            }
            guard case .bytes(let count) = moved else { continue }
            self.exchanges[exchange].record.bytesFromServer &+= UInt64(count)
            self.noteProgress(exchange)
        }
    }

    // MARK: Binding

    /// The exchange goes to `server`: decides whether its client becomes bound there, or moves, or
    /// has its binding renewed. What can be kept at once is kept; a cookie goes with the response.
    mutating func bind(_ exchange: Int, _ pool: Int, _ server: Int) {
        guard self.pools[pool].hasPersistence,
            self.exchanges[exchange].record.persistence != .exempt
        else { return }
        guard let binding = self.exchanges[exchange].binding else {
            self.bindNew(exchange, pool, server)
            return
        }
        let id = self.pools[pool].plan.servers[server].id
        if binding.isToMove {
            self.finishMove(exchange, pool, binding, at: server)
            return
        }
        if binding.serverID != id {
            self.move(exchange, pool, from: binding, to: server)
            return
        }
        if self.exchanges[exchange].record.moveReason != nil {
            // It was moved by an attempt that failed, and came back to its own.
            self.exchanges[exchange].record.moveReason = nil
            self.exchanges[exchange].record.movedFrom = nil
            self.exchanges[exchange].record.binding = .none
            self.exchanges[exchange].cookie = nil
        }
        self.keep(exchange, pool, binding, at: server)
    }

    /// Somebody has moved this client, and this is its first request at the other server.
    private mutating func finishMove(
        _ exchange: Int,
        _ pool: Int,
        _ binding: Binding,
        at server: Int
    ) {
        let from = binding.cameFrom.flatMap { self.pools[pool].plan.lookup.index(of: $0) }
        self.exchanges[exchange].record.moveReason =
            self.exchanges[exchange].record.moveReason ?? .request
        self.exchanges[exchange].record.movedFrom = from
        self.exchanges[exchange].record.binding = .created
        if self.pools[pool].isCookie(self.exchanges[exchange].way) {
            var moved = binding.moved(to: self.pools[pool].plan.servers[server].id)
            moved.isToMove = false
            self.exchanges[exchange].cookie = moved
        }
        if self.pools[pool].hasTableWays { _ = self.keepPresented(exchange, pool, server) }
        self.pools[pool].noteBound(server)
        if let from { self.pools[pool].noteBound(from) }
    }

    /// The client is where it belongs.
    private mutating func keep(_ exchange: Int, _ pool: Int, _ binding: Binding, at server: Int) {
        if self.pools[pool].plan.rules.returnsHome,
            let away = self.pools[pool].comeHome(binding, now: self.unixNow)
        {
            self.exchanges[exchange].record.moveReason = .home
            self.exchanges[exchange].record.movedFrom = away
        }
        guard self.pools[pool].hasCookie else { return }
        if !self.pools[pool].isCookie(self.exchanges[exchange].way) {
            // Found in another way; from here on the cookie says it too.
            guard self.exchanges[exchange].record.binding == .none,
                self.mayBringCookie(exchange, pool),
                let made = self.pools[pool].makeBinding(to: server, now: self.unixNow)
            else { return }
            self.exchanges[exchange].cookie = made
            self.exchanges[exchange].record.binding = .created
        } else if self.exchanges[exchange].record.binding == .none,
            self.pools[pool].renewalIsDue(binding, now: self.unixNow),
            self.mayBringCookie(exchange, pool)
        {
            self.exchanges[exchange].cookie = binding
            self.exchanges[exchange].record.binding = .renewed
        }
    }

    /// A client that was bound to none.
    private mutating func bindNew(_ exchange: Int, _ pool: Int, _ server: Int) {
        let now = self.unixNow
        self.claim(exchange, pool, server)
        var isBound = false
        if self.pools[pool].hasCookie, self.mayBringCookie(exchange, pool),
            let made = self.pools[pool].makeBinding(to: server, now: now)
        {
            self.exchanges[exchange].cookie = made
            isBound = true
        }
        if self.pools[pool].hasTableWays, self.keepPresented(exchange, pool, server) {
            isBound = true
        }
        guard isBound else { return }
        self.exchanges[exchange].record.binding = .created
        self.pools[pool].plan.table.boundSoon(server)
    }

    /// A bound client goes to another server than its binding names.
    private mutating func move(
        _ exchange: Int,
        _ pool: Int,
        from binding: Binding,
        to server: Int
    ) {
        let verdict = self.exchanges[exchange].record.persistence
        let isRetry = self.exchanges[exchange].record.retries > 0
        let home = self.pools[pool].plan.lookup.index(of: binding.serverID)
        let isDrained = home.map { self.pools[pool].isDrained($0) } ?? false
        let reason: MoveReason =
            isRetry && verdict.step == .keep
            ? .down
            : self.exchanges[exchange].record.moveReason
                ?? verdict.moveReason(isDrained: isDrained)
        if self.pools[pool].plan.rules.returnsHome, reason.isTemporary {
            // The binding goes on naming its home; where the client is meanwhile is noted beside
            // it.
            let last = self.pools[pool].stayAway(
                binding,
                at: server,
                now: self.unixNow
            )
            guard last != server else { return }
            self.exchanges[exchange].record.moveReason = reason
            self.exchanges[exchange].record.movedFrom = last ?? home
            return
        }
        let moved = binding.moved(to: self.pools[pool].plan.servers[server].id)
        self.exchanges[exchange].record.moveReason = reason
        self.exchanges[exchange].record.movedFrom = home
        // For another attempt at this exchange the binding still names the server that was left, so
        // that it is known where the client came from.
        self.exchanges[exchange].record.binding = .created
        if self.pools[pool].hasCookie {
            let isCookie = self.pools[pool].isCookie(self.exchanges[exchange].way)
            if isCookie, verdict == .moved { self.pools[pool].noteMoved(moved, now: self.unixNow) }
            self.exchanges[exchange].cookie =
                isCookie
                ? moved : self.pools[pool].makeBinding(to: server, now: self.unixNow)
        }
        if self.pools[pool].hasTableWays {
            _ = self.keepPresented(exchange, pool, server)
        }
        self.pools[pool].noteBound(server)
        if let home { self.pools[pool].noteBound(home) }
    }

    /// Binds what the request presented to the server, in the ways that keep it in the table.
    private mutating func keepPresented(_ exchange: Int, _ pool: Int, _ server: Int) -> Bool {
        let origin = self.origin(of: exchange, pool)
        guard !self.exchanges[exchange].state.contains(.isTCP) else {
            return self.pools[pool].keepPresented(origin, at: server, now: self.unixNow)
        }
        guard self.parseFieldsAgain(exchange) else { return false }
        let slot = Int(self.exchanges[exchange].client)
        let memory = self.engine.memory
        return self.pools[pool].keepPresented(
            self.exchanges[exchange].request,
            self.fields,
            in: memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd),
            from: self.exchanges[exchange].headStart,
            origin,
            at: server,
            now: self.unixNow
        )
    }

    /// Whether the answer to this request may bring a cookie, by what the request is.
    private mutating func mayBringCookie(_ exchange: Int, _ pool: Int) -> Bool {
        guard !self.exchanges[exchange].state.contains(.isTCP) else { return false }
        guard self.pools[pool].plan.rules.setsOnNavigationOnly else { return true }
        guard self.parseFieldsAgain(exchange) else { return false }
        let slot = Int(self.exchanges[exchange].client)
        let memory = self.engine.memory
        return isNavigation(
            self.fields,
            in: memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd),
            from: self.exchanges[exchange].headStart
        )
    }

    /// Tells the client's other first requests where this one goes.
    private mutating func claim(_ exchange: Int, _ pool: Int, _ server: Int) {
        guard let span = self.pools[pool].plan.rules.claim,
            self.exchanges[exchange].record.persistence != .claimed
        else { return }
        let end = self.engine.now + span
        let slot = self.carrier(of: Int(self.exchanges[exchange].client))
        self.roles[slot].claimPool = Int32(truncatingIfNeeded: pool)
        self.roles[slot].claimServer = Int32(truncatingIfNeeded: server)
        self.roles[slot].claimEnds = end
        let claimant = self.exchanges[exchange].claimant
        if claimant != 0 { self.shared.claims.claim(claimant, server: server, until: end) }
    }

    /// The answer has begun: the client knows its server itself now.
    mutating func endClaim(_ exchange: Int) {
        let claimant = self.exchanges[exchange].claimant
        if claimant != 0 { self.shared.claims.answered(claimant, now: self.engine.now) }
    }
}

extension PersistenceVerdict {
    /// The client is bound to nobody, so another of its first requests may know a server.
    var mayClaim: Bool { self.step == .pick }

    /// Why a client with that verdict moves.
    func moveReason(isDrained: Bool) -> MoveReason {
        switch self {
        case .serverDown: .down
        case .serverEjected: .ejected
        case .serverMaintenance: isDrained ? .drain : .maintenance
        case .serverFull: .full
        case .unknownServer: .removed
        case .moved: .drain
        case .off, .exempt, .none, .claimed, .valid, .serverStarting, .serverWeightZero,
            .serverDraining, .serverLeaving, .expiredIdle, .expiredLifetime, .tampered, .foreign:
            .down
        }
    }
}

extension MoveReason {
    /// The client's server may have it again.
    var isTemporary: Bool {
        switch self {
        case .maintenance, .down, .ejected, .full: true
        case .drain, .removed, .rebalance, .request, .home: false
        }
    }
}

extension Worker {
    /// The cookie has been sealed: the register and the balancer know of it from now on.
    mutating func register(_ exchange: Int, _ pool: Int, _ cookie: Binding) {
        guard let server = self.exchanges[exchange].record.server else { return }
        self.pools[pool].register(cookie, at: server, now: self.unixNow)
        if let before = self.exchanges[exchange].record.movedFrom {
            self.pools[pool].noteBound(before)
        }
    }
}
