internal import BelayBytes

// Moving bytes from connection to connection within the kernel.

extension Engine {
    /// A pipe for moving bytes within the kernel; nil when none can be had.
    package mutating func takePipe() -> PipeIndex? { self.pipes.take() }

    /// Gives a pipe back; one that still holds bytes is closed.
    package mutating func givePipe(_ pipe: PipeIndex, isEmpty: Bool) {
        self.pipes.give(pipe, isEmpty: isEmpty)
    }

    /// Moves what has arrived at `slot`, at most `limit` bytes, into a pipe.
    package mutating func splice(_ slot: Int, into pipe: PipeIndex, limit: Int) -> Moved {
        let socket = self.connections[slot].socket
        let moved = socket.splice(to: self.pipes.writeEnd(pipe), count: limit, more: false)
        switch moved {
        case .bytes: break
        case .wouldBlock: self.connections[slot].state.remove(.readable)
        case .end:
            self.connections[slot].state.remove(.readable)
            self.connections[slot].state.insert(.ended)
        case .failed:
            self.connections[slot].state.remove(.readable)
            self.connections[slot].state.insert(.broken)
        }
        return moved
    }

    /// Moves `count` bytes that a pipe holds to `slot`.
    package mutating func splice(
        from pipe: PipeIndex,
        to slot: Int,
        count: Int,
        more: Bool
    ) -> Moved {
        let moved = self.pipes.readEnd(pipe).splice(
            to: self.connections[slot].socket,
            count: count,
            more: more
        )
        switch moved {
        case .bytes(let sent):
            if sent < count { self.connections[slot].state.remove(.writable) }
        case .wouldBlock: self.connections[slot].state.remove(.writable)
        case .end, .failed: self.connections[slot].state.insert(.failed)
        }
        return moved
    }
}
