internal import BelayBytes
package import BelayCore

// Looking at what comes ahead of a connection's own bytes: a PROXY header. What follows it may be
// for OpenSSL to read, so no byte more is taken than the header has.

extension Engine {
    /// Looks at the first bytes that have arrived, at most `limit`, and leaves them where they are:
    /// they are in the input until `forgetPeeked`. Nil when no block is left.
    package mutating func peek(_ slot: Int, limit: Int) -> Moved? {
        precondition(!self.connections[slot].hasInput, "input would be overwritten")
        if self.connections[slot].inputBlock < 0 {
            guard let fresh = self.pool.take() else { return nil }
            self.connections[slot].inputBlock = fresh
        }
        self.connections[slot].inputStart = 0
        self.connections[slot].inputEnd = 0
        let moved = self.connections[slot].socket.peek(
            self.pool.memory,
            self.connections[slot].inputBlock,
            0..<limit
        )
        if case .bytes(let count) = moved {
            self.connections[slot].inputEnd = count
        } else {
            if case .wouldBlock = moved { self.connections[slot].state.remove(.readable) }
            self.releaseInputIfEmpty(slot)
        }
        return moved
    }

    /// Takes what `peek` found out of the input. `waits`: nothing is to be done before more comes.
    package mutating func forgetPeeked(_ slot: Int, waits: Bool) {
        self.connections[slot].inputStart = self.connections[slot].inputEnd
        self.releaseInputIfEmpty(slot)
        if waits, !self.connections[slot].state.contains(.peerClosed) {
            self.connections[slot].state.remove(.readable)
        }
    }

    /// Reads `count` bytes that `peek` has shown, and drops them.
    package mutating func skipInput(_ slot: Int, _ count: Int) {
        guard case .bytes(let size) = self.receive(slot, limit: count) else { return }
        self.consume(slot, size)
        // What follows them has not been read, whatever the count says.
        self.connections[slot].state.insert(.readable)
    }

    /// The address that a PROXY header says the connection comes from.
    package mutating func setAddress(_ slot: Int, _ address: SocketAddress) {
        self.connections[slot].address = address
    }

    /// The address at which this side's end of the connection is.
    package func localAddress(_ slot: Int) -> SocketAddress? {
        self.connections[slot].socket.localAddress()
    }
}
