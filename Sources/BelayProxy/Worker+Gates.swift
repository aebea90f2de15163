import BelayBytes
import BelayCore
import BelayHTTP
import BelayTelemetry
import BelayTransport

// What is asked of a request before a server is chosen for it: whether it came over TLS where it
// must, whether its page may open a WebSocket here, whether its client and a server may have
// another tunnel. And what the listener adds: certificates that were verified.

extension Worker {
    // MARK: To https

    /// Answers that the same thing is to be had over TLS.
    mutating func redirect(_ exchange: Int) {
        let slot = Int(self.exchanges[exchange].client)
        let listener = Int(self.roles[slot].listener)
        let request = self.exchanges[exchange].request
        let start = self.exchanges[exchange].headStart
        let isWhole = request.framing == .none
        if !isWhole { self.exchanges[exchange].state.insert(.closesClient) }
        let memory = self.engine.memory
        let input = memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd)
        let date = self.date
        self.composed.removeAll()
        let status = writeRedirect(
            request,
            in: input,
            from: start,
            port: self.listeners[listener].redirectPort ?? 443,
            closes: self.exchanges[exchange].state.contains(.closesClient)
                || self.stopping != .running,
            date: date.bytes,
            into: &self.composed
        )
        if status == 400 { self.exchanges[exchange].state.insert(.closesClient) }
        self.sendOwn(exchange, status: status, status == 400 ? .requestRefused : .redirected)
    }

    // MARK: WebSockets

    /// Whether a request that wants to become a tunnel may go on; it is answered if not.
    mutating func mayUpgrade(_ exchange: Int, _ route: Int) -> Bool {
        let slot = Int(self.exchanges[exchange].client)
        let start = self.exchanges[exchange].headStart
        let memory = self.engine.memory
        let input = memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd)
        switch upgradeWish(self.fields, in: input, from: start) {
        case .http2:
            // The wish ends here: a tunnel to a server that then speaks HTTP/2 would carry
            // requests past every rule of Belay's.
            self.exchanges[exchange].request.wantsUpgrade = false
            return true
        case .webSocket: self.exchanges[exchange].state.insert(.isWebSocket)
        case .other: break
        }
        if !self.routes[route].origins.isEmpty,
            !mayOpen(self.routes[route].origins, self.fields, in: input, from: start)
        {
            self.metrics.count(TunnelRefusal.origin)
            self.answer(exchange, .originRefused)
            return false
        }
        guard self.limits.tunnelsPerClient > 0 else { return true }
        let address = self.exchanges[exchange].record.client.ip
        guard self.shared.tunnelOpened(of: address, limit: self.limits.tunnelsPerClient) else {
            self.metrics.count(TunnelRefusal.clientLimit)
            self.answer(exchange, .clientTunnels)
            return false
        }
        self.exchanges[exchange].state.insert(.countsForClient)
        return true
    }

    /// Whether the server may have one more tunnel, if the exchange is to be one. It is counted.
    mutating func mayTunnel(_ exchange: Int, _ pool: Int, _ server: Int) -> Bool {
        let most = self.pools[pool].plan.tunnelsPerServer
        let wantsTunnel =
            self.exchanges[exchange].request.wantsUpgrade
            || self.exchanges[exchange].state.contains(.isTCP)
        guard most > 0, wantsTunnel else { return true }
        if self.pools[pool].plan.tunnels.add(1, server, 0) <= Int64(most) {
            self.exchanges[exchange].state.insert(.countsForServer)
            return true
        }
        self.pools[pool].plan.tunnels.add(-1, server, 0)
        self.metrics.count(TunnelRefusal.serverLimit)
        self.exchanges[exchange].state.insert(.foundTunnelsFull)
        return false
    }

    /// The exchange has left its server, or is no tunnel after all.
    mutating func endTunnelCount(_ exchange: Int, _ pool: Int, _ server: Int) {
        guard self.exchanges[exchange].state.contains(.countsForServer) else { return }
        self.exchanges[exchange].state.remove(.countsForServer)
        self.pools[pool].plan.tunnels.add(-1, server, 0)
    }

    // MARK: Certificates of clients

    /// Puts what was verified of the client's certificate into the head that was composed.
    mutating func appendCertificate(_ slot: Int) {
        var carrier = slot
        let stream = Int(self.roles[slot].stream)
        if stream >= 0 {
            carrier = Int(self.sessions[Int(self.streams[stream].session)].slot)
        }
        guard let tls = self.engine.tls(carrier) else { return }
        // The head ends in an empty line; the fields go before it.
        self.composed.truncate(to: self.composed.count - 2)
        tls.writeClientCertificate(into: &self.composed)
        self.composed.append("\r\n")
    }
}
