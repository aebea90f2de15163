import BelayBytes
import BelayCore
import BelayHTTP
import BelayTelemetry
import BelayTransport

// What comes before a connection's first request: a PROXY header that says whose it is, the TLS
// handshake, the ClientHello of one that is passed on as it is. Handshakes cost a thousand times
// what a request does, so they wait in a line of their own: a flood of them does not hold up the
// connections that are there.

extension Worker {
    // Limit: steps of handshakes between two looks at all other connections: about 2 ms.
    private static let handshakesAtOnce = 4

    /// The connection is admitted: its first stage begins.
    mutating func beginArrival(_ slot: Int) {
        let listener = Int(self.roles[slot].listener)
        self.roles[slot].kind = .arriving
        self.engine.setDeadline(slot, self.engine.now + self.limits.handshakeTimeout)
        if self.listeners[listener].proxyHeader != .off {
            self.roles[slot].arrival = .proxyHeader
            self.readProxyHeader(slot)
        } else {
            self.beginHandshake(slot)
        }
    }

    mutating func arrivalChanged(_ slot: Int) {
        switch self.roles[slot].arrival {
        case .proxyHeader: self.readProxyHeader(slot)
        case .handshake: self.queueHandshake(slot)
        case .clientHello: self.readClientHello(slot)
        }
    }

    mutating func arrivalDeadlinePassed(_ slot: Int) {
        switch self.roles[slot].arrival {
        case .proxyHeader: self.metrics.count(ProxyHeaderResult.timedOut)
        case .handshake: self.metrics.count(HandshakeFailure.timedOut)
        case .clientHello: break
        }
        self.metrics.timedOut(.handshake)
        self.closeClient(slot, cutting: true)
    }

    // MARK: PROXY headers

    /// Looks at the first bytes and takes no more of them than the header has, because what
    /// follows may be for OpenSSL to read.
    private mutating func readProxyHeader(_ slot: Int) {
        guard let moved = self.engine.peek(slot, limit: ProxyHeader.sizeMax) else {
            self.metrics.connectionRefused(.memory)
            self.closeClient(slot, cutting: true)
            return
        }
        switch moved {
        case .bytes: break
        case .wouldBlock: return
        case .end, .failed:
            self.metrics.count(ProxyHeaderResult.missing)
            self.closeClient(slot)
            return
        }
        let memory = self.engine.memory
        let range = self.engine[slot].inputStart..<self.engine[slot].inputEnd
        let reading: ProxyHeaderReading
        do throws(ProxyHeaderError) {
            reading = try ProxyHeader.parse(
                memory.bytes(self.engine[slot].inputBlock, range),
                from: 0
            )
        } catch {
            self.refuseProxyHeader(slot, .malformed)
            return
        }
        switch reading {
        case .needsMore:
            self.engine.forgetPeeked(slot, waits: true)
            if self.engine[slot].state.contains(.peerClosed) {
                // Nothing more will come.
                self.metrics.count(ProxyHeaderResult.missing)
                self.closeClient(slot)
            }
        case .absent:
            self.engine.forgetPeeked(slot, waits: false)
            let listener = Int(self.roles[slot].listener)
            if self.listeners[listener].proxyHeader == .required {
                self.refuseProxyHeader(slot, .missing)
            } else {
                self.metrics.count(ProxyHeaderResult.absent)
                self.endProxyHeader(slot)
            }
        case .header(let header, let length):
            self.engine.forgetPeeked(slot, waits: false)
            guard self.isTrusted(self.engine[slot].address.ip) else {
                self.refuseProxyHeader(slot, .untrusted)
                return
            }
            self.engine.skipInput(slot, length)
            if header.command == .proxy, let source = header.source {
                self.metrics.count(ProxyHeaderResult.accepted)
                self.engine.setAddress(slot, source)
            } else {
                self.metrics.count(ProxyHeaderResult.local)
            }
            self.endProxyHeader(slot)
        }
    }

    private mutating func refuseProxyHeader(_ slot: Int, _ result: ProxyHeaderResult) {
        self.metrics.count(result)
        self.metrics.connectionRefused(.proxyHeader)
        self.closeClient(slot, cutting: true)
    }

    /// Whose connection it is stands fast: the limits of one client hold from here on.
    private mutating func endProxyHeader(_ slot: Int) {
        guard self.countClient(slot) else {
            self.metrics.connectionRefused(.clientLimit)
            self.closeClient(slot, cutting: true)
            return
        }
        self.beginHandshake(slot)
    }

    // MARK: Handshakes

    private mutating func beginHandshake(_ slot: Int) {
        let listener = Int(self.roles[slot].listener)
        guard let context = self.listeners[listener].tls else {
            self.beginClientHello(slot)
            return
        }
        let address = self.engine[slot].address.ip
        if self.limits.handshakesPerClient > 0,
            !self.shared.mayHandshake(
                address,
                limit: self.limits.handshakesPerClient,
                now: self.engine.now
            )
        {
            self.metrics.count(HandshakeFailure.rateLimited)
            self.metrics.connectionRefused(.handshakeRate)
            self.closeClient(slot, cutting: true)
            return
        }
        guard self.engine.acceptTLS(slot, context) else {
            self.metrics.connectionRefused(.memory)
            self.closeClient(slot, cutting: true)
            return
        }
        self.roles[slot].arrival = .handshake
        self.queueHandshake(slot)
    }

    private mutating func queueHandshake(_ slot: Int) {
        guard !self.roles[slot].isQueued else { return }
        self.roles[slot].isQueued = true
        self.handshakes.append(Int32(truncatingIfNeeded: slot))
    }

    /// Takes some steps of those handshakes that can go on. False when some are left.
    mutating func runHandshakes() {
        for _ in 0..<Self.handshakesAtOnce {
            guard let slot = self.handshakes.popFirst().map(Int.init) else { return }
            guard self.engine.isUsed(slot), self.roles[slot].isQueued else { continue }
            self.roles[slot].isQueued = false
            guard self.roles[slot].kind == .arriving, self.roles[slot].arrival == .handshake
            else { continue }
            self.continueHandshake(slot)
        }
    }

    private mutating func continueHandshake(_ slot: Int) {
        switch self.engine.handshake(slot) {
        case .needsInput:
            if self.engine[slot].state.contains(.atEnd) { self.closeClient(slot, cutting: true) }
        case .closed:
            self.metrics.count(HandshakeFailure.closed)
            self.closeClient(slot, cutting: true)
        case .failed(let failure):
            self.metrics.count(HandshakeFailure(failure.kind))
            if failure.kind == .plainHTTP, !self.roles[slot].traits.contains(.isTCP) {
                self.engine.dropTLS(slot)
                self.roles[slot].kind = .client
                self.answerWithoutRequest(slot, .plainHTTP)
            } else {
                // The alert has been given to the kernel: a reset would destroy it on its way.
                self.closeAfterAnswer(slot, expectsMore: true)
            }
        case .done: self.endHandshake(slot)
        }
    }

    private mutating func endHandshake(_ slot: Int) {
        guard let tls = self.engine.tls(slot) else { return }
        self.metrics.count(.tlsHandshakes)
        if tls.isResumed { self.metrics.count(.tlsResumptions) }
        var traits = self.roles[slot].traits | .isTLS
        if tls.version == .tls13 { traits = traits | .isTLS13 }
        self.roles[slot].traits = traits
        if !traits.contains(.isTCP), tls.applicationProtocol == .http2 {
            self.beginClientSession(slot)
        } else {
            self.begin(slot)
        }
    }

    // MARK: ClientHello

    private mutating func beginClientHello(_ slot: Int) {
        if self.roles[slot].traits.contains(.isTCP), self.asksForHello(slot) {
            self.roles[slot].arrival = .clientHello
            self.readClientHello(slot)
        } else {
            self.begin(slot)
        }
    }

    /// Whether it matters which name the client asks for, or which session it goes on with.
    private func asksForHello(_ slot: Int) -> Bool {
        let listener = Int(self.roles[slot].listener)
        guard self.listeners[listener].names.isEmpty else { return true }
        return self.listeners[listener].pool.map { self.pools[$0].plan.facts.asksForTLS } ?? false
    }

    private mutating func readClientHello(_ slot: Int) {
        while true {
            if self.engine[slot].hasInput {
                let memory = self.engine.memory
                let range = self.engine[slot].inputStart..<self.engine[slot].inputEnd
                let bytes = memory.bytes(self.engine[slot].inputBlock, range)
                let reading = (try? ClientHello.parse(bytes, from: 0)) ?? .notTLS
                switch reading {
                case .needsMore: break
                case .notTLS:
                    self.beginTCP(slot, pool: self.listeners[Int(self.roles[slot].listener)].pool)
                    return
                case .hello(let hello):
                    self.beginTCP(slot, pool: self.pool(of: hello, slot))
                    return
                }
            }
            let state = self.engine[slot].state
            if state.contains(.atEnd) {
                self.closeClient(slot)
                return
            }
            guard state.contains(.readable) else { return }
            guard self.engine.receive(slot) != nil else {
                self.closeClient(slot, cutting: true)
                return
            }
        }
    }

    /// Where a connection goes by the name that its ClientHello asks for.
    private func pool(of hello: ClientHello, _ slot: Int) -> Int? {
        let listener = Int(self.roles[slot].listener)
        let name = hello.serverName
        for index in 0..<self.listeners[listener].names.count
        where matches(self.listeners[listener].names[index].host, 0..<name.count, in: name) {
            return self.listeners[listener].names[index].pool
        }
        return self.listeners[listener].pool
    }

    /// The same, where the connection was decrypted.
    private static func pool(
        ofName name: borrowing ByteWriter,
        _ listener: ListenerPlan
    ) -> Int? {
        for rule in listener.names where matches(rule.host, 0..<name.count, in: name.bytes) {
            return rule.pool
        }
        return listener.pool
    }

    /// The connection has arrived: its first request, or its bytes, may come.
    private mutating func begin(_ slot: Int) {
        if self.roles[slot].traits.contains(.isTCP) {
            self.frames.removeAll()
            self.engine.tls(slot)?.writeServerName(into: &self.frames)
            let listener = Int(self.roles[slot].listener)
            let pool = Self.pool(ofName: self.frames, self.listeners[listener])
            self.beginTCP(slot, pool: pool)
            return
        }
        self.roles[slot].kind = .client
        self.engine.setDeadline(slot, self.engine.now + self.limits.headTimeout)
        self.readRequest(slot)
    }
}

extension HandshakeFailure {
    /// The word of the metrics for what the engine found.
    init(_ kind: TLSFailure.Kind) {
        switch kind {
        case .plainHTTP: self = .plainHTTP
        case .unknownName: self = .unknownName
        case .noSharedVersion: self = .noSharedVersion
        case .noSharedCipher: self = .noSharedCipher
        case .noSharedProtocol: self = .noSharedProtocol
        case .badCertificate: self = .badCertificate
        case .clientCertificateMissing: self = .clientCertificateMissing
        case .peerAlert: self = .peerAlert
        case .protocolError: self = .protocolError
        case .connection: self = .closed
        }
    }
}
