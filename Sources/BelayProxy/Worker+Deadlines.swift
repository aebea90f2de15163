import BelayBalancing
import BelayBytes
import BelayCore
import BelayTelemetry
import BelayTransport

// What happens when time is up. Each connection has one deadline; what it is for follows from what
// the connection is doing.

extension Worker {
    mutating func deadlinePassed(_ slot: Int) {
        guard self.engine.isUsed(slot) else { return }
        switch self.roles[slot].kind {
        case .free: break
        case .arriving: self.arrivalDeadlinePassed(slot)
        case .session: self.sessionDeadlinePassed(slot)
        case .client:
            let exchange = Int(self.roles[slot].exchange)
            if exchange < 0 {
                self.headDeadlinePassed(slot)
            } else {
                self.idleDeadlinePassed(exchange, slot)
            }
        case .server:
            let exchange = Int(self.roles[slot].exchange)
            guard self.roles[slot].stream < 0, self.engine[slot].state.contains(.connecting)
            else { return }
            self.attemptFailed(exchange, .connectFailed, .connectTimedOut)
        case .idleServer:
            self.removeIdle(slot)
            self.closeServer(slot)
        case .lingering: self.closeClient(slot)
        }
    }

    /// No whole head in time. One that has begun is answered; silence is met with silence, because
    /// browsers open connections that they never use, and would take an answer for that of their
    /// next request.
    private mutating func headDeadlinePassed(_ slot: Int) {
        if self.engine[slot].hasInput {
            self.metrics.timedOut(.head)
            self.answerWithoutRequest(slot, .clientTimedOut)
            return
        }
        self.metrics.timedOut(self.roles[slot].requests == 0 ? .head : .keepAlive)
        self.closeClient(slot)
    }

    /// Nothing moved in an exchange for too long: whose fault it is decides what is done.
    private mutating func idleDeadlinePassed(_ exchange: Int, _ slot: Int) {
        let state = self.exchanges[exchange].state
        if state.contains(.isTunnel) {
            if state.contains(.isDraining) {
                self.endTunnel(exchange, .drained)
            } else if self.stopping != .running
                || self.tunnels[Int(self.exchanges[exchange].tunnel)].drainAt <= self.engine.now
            {
                self.beginDrain(exchange)
            } else {
                self.metrics.timedOut(.tunnel)
                self.endTunnel(exchange, .idle)
            }
            return
        }
        if self.exchanges[exchange].wait.isQueued {
            self.queueTimedOut(exchange)
            return
        }
        let server = Int(self.exchanges[exchange].server)
        let serverIsSlow =
            server >= 0
            && (state.contains(.requestDone) || self.engine[server].hasOutput
                || self.exchanges[exchange].requestPiped > 0)
        if self.engine[slot].hasOutput || self.exchanges[exchange].responsePiped > 0
            || self.exchanges[exchange].responseVetted > 0
        {
            self.metrics.timedOut(.client)
            self.cut(exchange, .clientTimedOut)
        } else if state.contains(.responseStarted) {
            self.metrics.timedOut(.server)
            self.cut(exchange, .serverTimedOut)
        } else if serverIsSlow {
            self.attemptFailed(exchange, .timedOut, .serverTimedOut)
        } else {
            self.metrics.timedOut(.client)
            self.exchanges[exchange].state.insert(.closesClient)
            self.answer(exchange, .clientTimedOut)
        }
    }
}
