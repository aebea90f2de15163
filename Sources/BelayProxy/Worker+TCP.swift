import BelayBalancing
import BelayBytes
import BelayCore
import BelayTelemetry
import BelayTransport

// Listeners of kind `tcp`: a connection is an exchange without messages, a tunnel from its
// beginning. It is balanced, retried, counted and logged by the same code as a request.

extension Worker {
    /// Finds a server for a client's connection. `pool` is nil where none takes it.
    mutating func beginTCP(_ slot: Int, pool: Int?) {
        self.roles[slot].kind = .client
        guard let exchange = self.openExchange(slot) else { return }
        self.exchanges[exchange].state.insert(.isTCP | .closesClient)
        self.exchanges[exchange].record.transport = .tcp
        self.exchanges[exchange].record.isTunnel = true
        self.exchanges[exchange].record.headReceived = self.engine.now
        self.exchanges[exchange].record.bytesFromClient = UInt64(
            self.engine[slot].inputEnd - self.engine[slot].inputStart
        )
        self.engine.setDeadline(slot, self.engine.now + self.limits.tunnelIdle)
        guard let pool else {
            self.cut(exchange, .noRoute)
            return
        }
        if self.limits.tunnelsPerClient > 0 {
            let address = self.exchanges[exchange].record.client.ip
            guard self.shared.tunnelOpened(of: address, limit: self.limits.tunnelsPerClient) else {
                self.metrics.count(TunnelRefusal.clientLimit)
                self.cut(exchange, .tunnelLimit)
                return
            }
            self.exchanges[exchange].state.insert(.countsForClient)
        }
        self.exchanges[exchange].record.pool = pool
        self.openTCPBinding(exchange, pool)
        self.chooseServer(exchange)
    }

    /// The server has accepted: bytes go both ways from here on.
    mutating func openTCP(_ exchange: Int) {
        guard let tunnel = self.tunnels.insert(Tunnel()) else {
            self.cut(exchange, .overloaded)
            return
        }
        self.exchanges[exchange].tunnel = Int32(truncatingIfNeeded: tunnel)
        let client = Int(self.exchanges[exchange].client)
        if let pool = self.exchanges[exchange].record.pool,
            self.pools[pool].plan.facts.asksForTLS
        {
            self.tunnels[tunnel].awaitsHello = self.engine.tls(client) == nil
        }
        self.startTunnel(exchange)
        if let pool = self.exchanges[exchange].record.pool,
            let server = self.exchanges[exchange].record.server
        {
            let began = self.exchanges[exchange].record.connectStarted
            let time = began.map { self.engine.now - $0 }
            if let time {
                self.pools[pool].plan.table.answered(server, after: time, at: self.engine.now)
            }
            self.noteAnswer(pool, server, isFailure: false, after: time)
            self.countSuccess(pool, server)
            self.endAwaiting(exchange)
        }
        self.pump(exchange)
    }
}
