import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayHTTP2
import BelayPersistence
import BelayTelemetry
import BelayTransport

// The servers' side: connections are opened, encrypted, used again and given up.

extension Worker {
    // MARK: Connections

    /// Gives the exchange a connection to its server: an idle one if there is, else a new one.
    mutating func attach(_ exchange: Int, _ pool: Int, _ server: Int) {
        if self.pools[pool].plan.speaksHTTP2 {
            self.attachStream(exchange, pool, server)
            return
        }
        if self.exchanges[exchange].state.contains(.isTCP) {
            self.connect(exchange, pool, server)
            return
        }
        while let slot = self.takeIdle(exchange, pool, server) {
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
        if self.pools[pool].plan.speaksHTTP2 {
            self.attachStream(exchange, pool, server)
            return
        }
        self.exchanges[exchange].state.remove(.isReused)
        self.exchanges[exchange].record.isReused = false
        self.exchanges[exchange].record.connectStarted = self.engine.now
        self.exchanges[exchange].record.connectDone = nil
        guard let slot = self.openServerConnection(exchange, pool, server) else { return }
        self.roles[slot].exchange = Int32(truncatingIfNeeded: exchange)
        self.exchanges[exchange].server = Int32(truncatingIfNeeded: slot)
        if self.pools[pool].plan.proxyHeader != .off {
            self.roles[slot].owner = self.owner(of: exchange)
        }
    }

    /// A new connection to a server, on its way. Nil when there is none; then the exchange has gone
    /// another way.
    mutating func openServerConnection(_ exchange: Int, _ pool: Int, _ server: Int) -> Int? {
        guard self.pendingConnects < self.limits.pendingConnects else {
            self.leaveServer(exchange)
            self.answer(exchange, .pendingConnects)
            return nil
        }
        switch self.engine.connect(to: self.pools[pool].plan.servers[server].address) {
        case .failure(let error):
            if error.isOutOfDescriptors || error.isOutOfMemory || error.isOutOfPorts {
                // Belay's own want, not the server's fault.
                self.leaveServer(exchange)
                self.answer(exchange, .noConnection)
            } else {
                self.attemptFailed(exchange, .connectFailed, .connectFailed)
            }
            return nil
        case .success(let slot):
            self.growRoles(to: slot)
            self.roles[slot] = Role()
            self.roles[slot].kind = .server
            self.roles[slot].pool = Int32(truncatingIfNeeded: pool)
            self.roles[slot].server = Int32(truncatingIfNeeded: server)
            self.pools[pool].plan.table.connectionOpened(server)
            self.pendingConnects &+= 1
            self.engine.setDeadline(
                slot,
                self.engine.now + self.pools[pool].plan.connectTimeout
            )
            guard self.encrypt(slot, pool, server) else {
                self.closeServer(slot, cutting: true)
                self.leaveServer(exchange)
                self.answer(exchange, .noMemory)
                return nil
            }
            return slot
        }
    }

    /// Encrypts a connection that is connecting, if its pool wants that.
    private mutating func encrypt(_ slot: Int, _ pool: Int, _ server: Int) -> Bool {
        guard !self.pools[pool].encryption.isEmpty else { return true }
        let encryption = self.pools[pool].encryption[server]
        return self.engine.connectTLS(
            slot,
            encryption.context,
            serverName: encryption.serverName,
            session: UInt32(truncatingIfNeeded: server)
        )
    }

    /// A step of a connection to a server that is not ready yet.
    mutating func continueConnecting(_ slot: Int) -> ConnectStep {
        let step = self.engine.continueConnecting(slot)
        switch step {
        case .waiting, .failed: return step
        case .ready:
            if self.engine.tls(slot) != nil { self.metrics.count(.serverHandshakes) }
            return step
        case .accepted:
            let exchange = self.exchangeThatConnects(slot)
            let pool = Int(self.roles[slot].pool)
            if exchange >= 0, self.pools[pool].plan.proxyHeader != .off {
                self.composeProxyHeader(exchange, pool)
                guard self.engine.sendAhead(slot, self.composed) else {
                    return .failed(.refused(.connectionReset))
                }
            }
            return self.continueConnecting(slot)
        }
    }

    /// The exchange for which a connection to a server is being opened, or -1.
    private func exchangeThatConnects(_ slot: Int) -> Int {
        let session = Int(self.roles[slot].session)
        guard session >= 0 else { return Int(self.roles[slot].exchange) }
        let stream = Int(self.sessions[session].firstStream)
        return stream < 0 ? -1 : Int(self.roles[stream].exchange)
    }

    /// Something changed on the connection of an exchange.
    mutating func serverChanged(_ slot: Int) {
        let exchange = Int(self.roles[slot].exchange)
        if self.roles[slot].stream < 0, self.engine[slot].state.contains(.connecting) {
            switch self.continueConnecting(slot) {
            case .waiting, .accepted: return
            case .failed(let failure):
                if case .tls(let problem) = failure { self.noteHandshakeFailure(slot, problem) }
                self.attemptFailed(exchange, .connectFailed, .connectFailed)
                return
            case .ready:
                self.pendingConnects &-= 1
                self.exchanges[exchange].record.connectDone = self.engine.now
                self.engine.setDeadline(slot, .distantFuture)
            }
        }
        self.pump(exchange)
    }

    /// Says to the operator why a server's connection could not be encrypted.
    mutating func noteHandshakeFailure(_ slot: Int, _ failure: TLSFailure) {
        // Limit: a line in a second, for each worker; the failures themselves are counted.
        guard self.engine.now >= self.nextHandshakeNotice else { return }
        self.nextHandshakeNotice = self.engine.now + .seconds(1)
        let pool = Int(self.roles[slot].pool)
        let server = Int(self.roles[slot].server)
        self.shared.notices(.handshakeFailed(pool: pool, server: server, failure))
    }

    // MARK: PROXY headers

    /// The client's connection by which a server's connection is known to be its own.
    func owner(of exchange: Int) -> UInt64 {
        let slot = self.carrier(of: Int(self.exchanges[exchange].client))
        return UInt64(self.engine.generation(slot)) << 32 | UInt64(slot + 1)
    }

    /// The slot of the connection that carries a client's slot.
    func carrier(of slot: Int) -> Int {
        let stream = Int(self.roles[slot].stream)
        guard stream >= 0 else { return slot }
        return Int(self.sessions[Int(self.streams[stream].session)].slot)
    }

    /// Writes the header that tells the server whose connection it is.
    private mutating func composeProxyHeader(_ exchange: Int, _ pool: Int) {
        let slot = Int(self.exchanges[exchange].client)
        let carrier = self.carrier(of: slot)
        let source = self.engine[slot].address
        let destination = self.engine.localAddress(carrier) ?? source
        self.composed.removeAll()
        let wanted = self.pools[pool].plan.proxyHeaderTLVs
        guard self.pools[pool].plan.proxyHeader == .version2 else {
            writeProxyHeader(
                .v1,
                source: source,
                destination: destination,
                into: &self.composed
            )
            return
        }
        self.frames.removeAll()
        let tlvs = self.proxyValues(wanted, exchange, carrier)
        Self.write(source, destination, tlvs, valuesIn: self.frames, into: &self.composed)
    }

    private static func write(
        _ source: SocketAddress,
        _ destination: SocketAddress,
        _ tlvs: ProxyHeaderTLVs,
        valuesIn values: borrowing ByteWriter,
        into out: inout ByteWriter
    ) {
        writeProxyHeader(
            .v2,
            source: source,
            destination: destination,
            tlvs: tlvs,
            in: values.bytes,
            into: &out
        )
    }

    /// What the header says beside the addresses; the values lie in `frames`.
    private mutating func proxyValues(
        _ wanted: ProxyHeaderTLVSet,
        _ exchange: Int,
        _ carrier: Int
    ) -> ProxyHeaderTLVs {
        var tlvs = ProxyHeaderTLVs()
        tlvs.hasChecksum = wanted.contains(.checksum)
        let tls = self.engine.tls(carrier)
        if wanted.contains(.alpn), let spoken = tls?.applicationProtocol {
            tlvs.alpn = self.value { $0.append(spoken.name) }
        }
        if wanted.contains(.authority), let tls {
            let range = self.value { tls.writeServerName(into: &$0) }
            if !range.isEmpty { tlvs.authority = range }
        }
        if wanted.contains(.uniqueID) {
            let (high, low) = (self.random.next(), self.random.next())
            tlvs.uniqueID = self.value {
                $0.append(hexadecimal: high)
                $0.append(hexadecimal: low)
            }
        }
        if wanted.contains(.ssl) {
            var facts = ProxyHeaderTLS(flags: tls == nil ? [] : .isTLS, verify: 1)
            if let tls {
                facts.version = self.value { $0.append(tls.version.name) }
                facts.cipher = self.value { tls.writeCipher(into: &$0) }
                if tls.hasVerifiedClient {
                    facts.flags.formUnion([.certificateOnConnection, .certificateInSession])
                    facts.verify = 0
                }
            }
            tlvs.tls = facts
        }
        return tlvs
    }

    private mutating func value(_ write: (inout ByteWriter) -> Void) -> Range<Int> {
        let start = self.frames.count
        write(&self.frames)
        return start..<self.frames.count
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
        if self.roles[slot].stream >= 0 {
            self.closeStream(slot, code: cutting ? HTTP2Code.cancel : nil)
            return
        }
        let pool = Int(self.roles[slot].pool)
        let server = Int(self.roles[slot].server)
        if self.engine[slot].state.contains(.connecting) { self.pendingConnects &-= 1 }
        self.pools[pool].plan.table.connectionClosed(server)
        self.roles[slot].kind = .free
        self.roles[slot].exchange = -1
        self.engine.close(slot, cutting: cutting)
    }

    // MARK: Idle connections, newest first, so that the oldest run into their time-out

    private mutating func takeIdle(_ exchange: Int, _ pool: Int, _ server: Int) -> Int? {
        var slot = Int(self.pools[pool].newestIdle[server])
        if self.pools[pool].plan.proxyHeader != .off {
            // The header on the connection names one client.
            let owner = self.owner(of: exchange)
            while slot >= 0, self.roles[slot].owner != owner {
                slot = Int(self.roles[slot].nextIdle)
            }
        }
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
            self.stopping == .running, !self.pools[pool].plan.servers[server].isGone
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
            if self.roles[slot].stream >= 0 {
                let isOver = state.contains(.requestDone) || state.contains(.requestRefused)
                self.closeStream(slot, code: isOver ? nil : HTTP2Code.cancel)
                self.closeAtServer(exchange)
                return
            }
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
        self.endAwaiting(exchange)
        self.endTunnelCount(exchange, pool, server)
        self.pools[pool].requestClosed(server)
        if self.pools[pool].plan.queueMax > 0, self.pools[pool].plan.table.openMax(server) > 0 {
            self.roomCame(pool, server)
        }
    }
}
