import BelayBytes
import BelayCore
import BelayTelemetry
import BelayTransport

// Messages from other threads, and the graceful stop that they may ask for.

extension Worker {
    // Limit: how long an idle client connection is kept at a graceful stop, for a request that may
    // be on its way already. The next answer on it says `Connection: close`.
    private static let idleGrace = TimeSpan.seconds(1)

    mutating func readMail() {
        for message in self.mailbox.takeAll() {
            switch message {
            case .stop(let within): self.beginStopping(within: within)
            case .retire(let within):
                guard self.stopping == .running else { continue }
                self.engine.giveListenersAway()
                self.beginStopping(within: within)
                self.isRetiring = true
            case .stopNow: self.stopping = .stopped
            case .encryptClients(let listener, let context):
                self.listeners[listener].tls = context
            case .encryptServers(let pool, let encryption): self.pools[pool].encryption = encryption
            case .weigh(let pool): self.pools[pool].weigh()
            case .endTunnels(let pool, let server): self.endTunnels(pool, server)
            case .replacePlan(let change): self.replacePlan(change)
            case .roomAt(let pool, let server, let passed):
                self.rooms.append(Room(pool: pool, server: server, passed: passed))
            case .explain(let question, let reply): reply(self.explain(question))
            }
        }
    }

    private mutating func beginStopping(within: TimeSpan) {
        if self.isRetiring, self.stopping == .finishing {
            // There was time while another process took over; now there is as much as at any stop.
            self.isRetiring = false
            self.stoppedAt = self.engine.now
            self.stopDeadline = Swift.min(self.stopDeadline, self.engine.now + within)
            return
        }
        guard self.stopping == .running else { return }
        self.stopping = .finishing
        self.stopDeadline = self.engine.now + within
        self.stoppedAt = self.engine.now
        // Where another process has the sockets too, it takes the connections. Else they are
        // taken here for as long as idle ones are kept: who connects now is served, and is not
        // refused until Belay is as good as gone.
        if self.isRetiring { self.closeListeners() }
        self.closeIdleServers()
        self.stopTunnelsAndSessions()
        self.continueStopping()
    }

    private mutating func closeListeners() {
        self.listenersAreClosed = true
        for socket in 0..<self.engine.listenerCount { self.closeListener(socket) }
    }

    /// Closes what is idle and ends when nothing runs any more, or the time is up.
    mutating func continueStopping() {
        guard self.stopping == .finishing else { return }
        let now = self.engine.now
        // Where another process has taken over there is time: a kept connection may have its next
        // request on its way at any moment, so it ends with that one's answer, or by itself.
        let graceIsOver = !self.isRetiring && now >= self.stoppedAt + Self.idleGrace
        if graceIsOver, !self.listenersAreClosed {
            self.closeListeners()
            self.stopTunnelsAndSessions()
        }
        var left = 0
        for slot in 0..<self.roles.count {
            switch self.roles[slot].kind {
            case .client:
                if self.roles[slot].exchange < 0, !self.engine[slot].hasInput, graceIsOver {
                    self.closeClient(slot)
                } else {
                    left += 1
                }
            case .arriving: left += 1
            case .session:
                // A client's is closed as soon as its streams are over.
                if !self.sessions[Int(self.roles[slot].session)].isToServer { left += 1 }
            case .free, .server, .idleServer, .lingering: break
            }
        }
        if left == 0 && self.lingering == 0 {
            guard self.listenersAreClosed else {
                // Nobody is there: whoever stands in the kernel's queue is the last to be served.
                self.closeListeners()
                self.continueStopping()
                return
            }
            self.stopping = .stopped
        } else if now >= self.stopDeadline {
            for _ in 0..<left { self.metrics.timedOut(.drain) }
            self.stopping = .stopped
        }
    }

    /// Tunnels are ended one after the other before the time is up; sessions take no new streams.
    private mutating func stopTunnelsAndSessions() {
        for slot in 0..<self.roles.count {
            switch self.roles[slot].kind {
            case .client:
                let exchange = Int(self.roles[slot].exchange)
                if exchange >= 0, self.exchanges[exchange].state.contains(.isTunnel) {
                    self.scheduleDrain(exchange)
                }
            case .session: self.endSessionSoon(Int(self.roles[slot].session))
            case .free, .arriving, .server, .idleServer, .lingering: break
            }
        }
    }

    private mutating func closeIdleServers() {
        for slot in 0..<self.roles.count where self.roles[slot].kind == .idleServer {
            self.removeIdle(slot)
            self.closeServer(slot)
        }
    }

    /// The end: whatever is still open is cut.
    mutating func closeEverything() {
        for slot in 0..<self.roles.count {
            switch self.roles[slot].kind {
            case .free: break
            case .arriving: self.closeClient(slot, cutting: true)
            case .session: self.closeSession(Int(self.roles[slot].session), cutting: true)
            case .client:
                let exchange = Int(self.roles[slot].exchange)
                if exchange >= 0 { self.cut(exchange, .shutDown) } else { self.closeClient(slot) }
            case .server:
                // Its exchange is cut by its client's slot, which closes this one too.
                if self.roles[slot].exchange < 0 { self.closeServer(slot) }
            case .idleServer:
                self.removeIdle(slot)
                self.closeServer(slot)
            case .lingering: self.closeClient(slot)
            }
        }
        self.engine.closeListeners()
        if self.logs.count > 0 { self.logs[0].flush() }
    }
}
