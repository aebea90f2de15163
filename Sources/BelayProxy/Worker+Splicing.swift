import BelayBytes
import BelayCore
import BelayHTTP
import BelayTelemetry
import BelayTransport

// Long bodies, and tunnels that carry much, move within the kernel: from socket to pipe to socket.

extension Worker {
    // Limit: bodies with at least so many bytes to come are spliced: measured at 64 KiB, that takes
    // two thirds of the CPU of copying; below, two more system calls cost more than the copy.
    private static let spliceMin: UInt64 = 32 * 1024
    private static let spliceAtOnce = 256 * 1024
    /// A read of a tunnel that brings so much is followed by a splice; one that brings less than
    /// half of it, by reads again.
    static let bulkMin = 32 * 1024

    /// How many bytes may be spliced now; 0: none, they have to be looked at.
    func spliceLimit(_ flow: Flow, _ exchange: Int, _ direction: Direction) -> UInt64 {
        guard !flow.isChunked, flow.vetted == 0,
            flow.cursor >= self.engine[flow.source].inputEnd,
            self.engine[flow.source].carrier == .socket,
            self.engine[flow.sink].carrier == .socket
        else { return 0 }
        if self.piped(exchange, direction) > 0 { return .max }
        // What ends it is for reading to find.
        guard !self.engine[flow.source].state.contains(.atEnd) else { return 0 }
        guard flow.isTunnel else {
            guard let left = flow.reader.remaining, left >= Self.spliceMin else { return 0 }
            return left
        }
        if flow.tunnel >= 0 {
            let reader = self.tunnels[Int(flow.tunnel)].reader(direction)
            if !reader.isOpaque {
                return reader.remaining >= Self.spliceMin ? reader.remaining : 0
            }
        }
        let bulk: Exchange.State = direction == .request ? .requestIsBulk : .responseIsBulk
        return self.exchanges[exchange].state.contains(bulk) ? .max : 0
    }

    mutating func setBulk(_ isBulk: Bool, _ exchange: Int, _ direction: Direction) {
        let bulk: Exchange.State = direction == .request ? .requestIsBulk : .responseIsBulk
        if isBulk {
            self.exchanges[exchange].state.insert(bulk)
        } else {
            self.exchanges[exchange].state.remove(bulk)
        }
    }

    /// Moves a long body within the kernel, round by round. Nil: go on by reading.
    mutating func splice(
        _ flow: inout Flow,
        through pipe: PipeIndex,
        _ exchange: Int,
        _ direction: Direction
    ) -> TransferOutcome? {
        var piped = self.piped(exchange, direction)
        defer { self.setPiped(piped, exchange, direction) }
        if direction == .request { self.exchanges[exchange].state.insert(.bodyLetGo) }
        for _ in 0..<Self.roundsMax {
            if piped == 0 {
                let left = self.spliceLimit(flow, exchange, direction)
                guard left > 0 else { return nil }
                guard self.engine[flow.source].state.contains(.readable) else { return .waiting }
                let limit = Int(Swift.min(left, UInt64(Self.spliceAtOnce)))
                switch self.engine.splice(flow.source, into: pipe, limit: limit) {
                case .bytes(let count):
                    piped = count
                    self.noteSpliced(&flow, count, exchange, direction)
                case .wouldBlock: return .waiting
                case .end: return flow.isTunnel ? nil : .sourceEnded
                case .failed: return .sourceEnded
                }
            }
            let moved = self.engine.splice(
                from: pipe,
                to: flow.sink,
                count: piped,
                more: !flow.isTunnel && flow.reader.remaining ?? 0 > 0
            )
            switch moved {
            case .bytes(let count):
                piped -= count
                self.count(sent: count, exchange, direction)
                self.metrics.count(.bytesSpliced, count)
                self.noteProgress(exchange)
                if piped > 0 { return .waiting }
                if flow.reader.isAtEnd { return nil }
            case .wouldBlock: return .waiting
            case .end, .failed: return .sinkFailed
            }
        }
        self.engine.requeue(flow.source)
        return .waiting
    }

    /// `count` bytes have gone into the pipe.
    private mutating func noteSpliced(
        _ flow: inout Flow,
        _ count: Int,
        _ exchange: Int,
        _ direction: Direction
    ) {
        flow.reader.advance(UInt64(count))
        if flow.tunnel >= 0 {
            self.tunnels[Int(flow.tunnel)].advance(direction, UInt64(count))
        }
        if flow.isTunnel, count < Self.bulkMin / 2 { self.setBulk(false, exchange, direction) }
        self.count(received: count, exchange, direction)
    }

    mutating func pipe(_ exchange: Int, _ direction: Direction) -> PipeIndex? {
        let known =
            direction == .request
            ? self.exchanges[exchange].requestPipe : self.exchanges[exchange].responsePipe
        if known >= 0 { return known }
        guard let pipe = self.engine.takePipe() else { return nil }
        switch direction {
        case .request: self.exchanges[exchange].requestPipe = pipe
        case .response: self.exchanges[exchange].responsePipe = pipe
        }
        return pipe
    }

    func piped(_ exchange: Int, _ direction: Direction) -> Int {
        direction == .request
            ? self.exchanges[exchange].requestPiped : self.exchanges[exchange].responsePiped
    }

    private mutating func setPiped(_ count: Int, _ exchange: Int, _ direction: Direction) {
        switch direction {
        case .request: self.exchanges[exchange].requestPiped = count
        case .response: self.exchanges[exchange].responsePiped = count
        }
    }
}
