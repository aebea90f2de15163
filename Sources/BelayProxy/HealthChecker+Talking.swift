import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayTransport

// What is said on a check's connection in HTTP/1.1, and how its answers are read; and an agent,
// which is only listened to.

extension HealthChecker {
    // Limit: the head of an answer.
    private static let headMax = 32 * 1024
    // Limit: an agent's line.
    private static let lineMax = 1024

    /// Something changed on a check's connection.
    mutating func changed(_ slot: Int) {
        let index = Int(self.owners[slot])
        guard index >= 0 else { return }
        if self.engine[slot].state.contains(.connecting) {
            guard self.connect(slot, index) else { return }
        }
        if !self.checks[index].talk.hasAsked {
            guard self.ask(slot, index) else { return }
        }
        if self.engine[slot].hasOutput, !self.engine.flush(slot) {
            self.end(slot, .bad(Self.closed))
            return
        }
        self.listen(slot, index)
    }

    static var closed: String { "the server closed the connection" }

    /// Goes on with connecting. False while there is no connection, or when the check is over.
    private mutating func connect(_ slot: Int, _ index: Int) -> Bool {
        while true {
            switch self.engine.continueConnecting(slot) {
            case .waiting: return false
            case .ready: return true
            case .accepted:
                self.checks[index].talk.isAccepted = true
                self.sayLocal(slot, index)
            case .failed(.tls(let failure)):
                self.end(slot, .bad("no TLS: \(failure.text)"))
                return false
            case .failed(.refused(let error)):
                let isAccepted = self.checks[index].talk.isAccepted
                self.end(
                    slot,
                    .bad(
                        isAccepted
                            ? "no TLS: the server closed the connection"
                            : "cannot connect: \(error)"
                    )
                )
                return false
            }
        }
    }

    /// A server that wants PROXY headers is told that the connection is Belay's own.
    private mutating func sayLocal(_ slot: Int, _ index: Int) {
        let version: ProxyHeaderVersion
        switch self.checks[index].question.proxyHeader {
        case .off: return
        case .version1: version = .v1
        case .version2: version = .v2
        }
        self.composed.removeAll()
        writeLocalProxyHeader(version, into: &self.composed)
        _ = self.engine.sendAhead(slot, self.composed)
    }

    // MARK: Asking

    /// Says what is to be said. False when the check is over.
    private mutating func ask(_ slot: Int, _ index: Int) -> Bool {
        self.checks[index].talk.hasAsked = true
        // An agent speaks first.
        if self.checks[index].key.isAgent { return true }
        switch self.checks[index].question.kind {
        case .tcp, .tls:
            self.end(slot, .good)
            return false
        case .http, .grpc: break
        }
        if self.checks[index].question.isHTTP2 { return self.askHTTP2(slot, index) }
        self.composed.removeAll()
        let head = self.checks[index].question.head
        self.composed.append(head.span)
        guard self.engine.send(slot, self.composed) else {
            self.end(slot, .bad(Self.closed))
            return false
        }
        return true
    }

    // MARK: Listening

    private mutating func listen(_ slot: Int, _ index: Int) {
        while true {
            if self.engine[slot].state.contains(.readable) {
                if self.engine.inputRoom(slot) == 0 { self.engine.compactInput(slot) }
                guard self.engine.receive(slot) != nil else {
                    self.end(slot, .untold)
                    return
                }
            }
            guard self.take(slot, index) else { return }
            // What came before the end, or before a reset, has been looked at.
            let after = self.engine[slot].state
            if after.contains(.atEnd) || after.contains(.failed) {
                self.atEnd(slot, index)
                return
            }
            guard after.contains(.readable) else { return }
        }
    }

    /// Reads what has come. False when the check is over.
    private mutating func take(_ slot: Int, _ index: Int) -> Bool {
        guard self.engine[slot].hasInput else { return true }
        if self.checks[index].talk.session >= 0 { return self.takeFrames(slot, index) }
        if self.checks[index].key.isAgent { return self.takeWord(slot, index, isWhole: false) }
        do throws(MessageError) {
            while self.checks[index].talk.status == 0 {
                guard self.engine[slot].hasInput else { return true }
                guard let isOver = try self.takeHead(slot, index) else { return true }
                if isOver { return false }
            }
            return try self.takeBody(slot, index)
        } catch {
            self.end(slot, .bad("its answer is no proper HTTP: \(error.name)"))
            return false
        }
    }

    /// The head of an answer, interim ones too: whether the check is over with it; nil before it
    /// is whole.
    private mutating func takeHead(_ slot: Int, _ index: Int) throws(MessageError) -> Bool? {
        let memory = self.engine.memory
        let start = self.engine[slot].inputStart
        let input = memory.bytes(self.engine[slot].inputBlock, 0..<self.engine[slot].inputEnd)
        guard
            let length = try self.checks[index].talk.scanner.scan(
                input,
                from: start,
                headMax: Self.headMax
            )
        else { return nil }
        self.checks[index].talk.scanner = HeadScanner()
        let pool = self.pools[self.checks[index].key.pool]
        let head = try ResponseHead.parse(
            input,
            from: start,
            length: length,
            answering: pool.health.methodOfCheck,
            into: &self.fields
        )
        if head.status >= 200 || head.isUpgrade {
            guard self.judgeHead(slot, index, head, in: input, from: start) else { return true }
        }
        self.engine.consume(slot, length)
        return false
    }

    /// The status, and an agent's words beside it. False when the check is over.
    mutating func judgeHead(
        _ slot: Int,
        _ index: Int,
        _ head: ResponseHead,
        in input: borrowing Span<UInt8>,
        from start: Int
    ) -> Bool {
        let health = self.pools[self.checks[index].key.pool].health
        self.checks[index].talk.status = head.status
        self.checks[index].talk.reader = BodyReader(head.framing, trailerMax: 8 * 1024)
        if let name = health.agentHeader,
            let line = self.fields.first(named: name, in: input, from: start)
        {
            self.checks[index].talk.word = AgentWord(
                input.extracting(line.value.moved(by: start))
            )
        }
        let isGRPC = health.kind == .grpc
        let isWanted =
            isGRPC ? head.status == 200 : health.statuses.contains { $0.contains(head.status) }
        guard isWanted else {
            self.end(slot, .bad("it answered \(head.status)"))
            return false
        }
        if !isGRPC, health.body.isEmpty {
            self.end(slot, .good)
            return false
        }
        return true
    }

    /// The body of an answer, out of its frames. False when the check is over.
    private mutating func takeBody(_ slot: Int, _ index: Int) throws(MessageError) -> Bool {
        let memory = self.engine.memory
        while true {
            let start = self.engine[slot].inputStart
            let block = self.engine[slot].inputBlock
            let input = memory.bytes(Swift.max(block, 0), 0..<self.engine[slot].inputEnd)
            switch try self.checks[index].talk.reader.next(input, from: start) {
            case .needsMore: return self.judgeBody(slot, index, isWhole: false)
            case .end: return self.judgeBody(slot, index, isWhole: true)
            case .framing(let consumed): self.engine.consume(slot, consumed)
            case .trailer(let line): self.engine.consume(slot, line.count + 2)
            case .data(let range):
                self.keepBody(index, input.extracting(range))
                self.engine.consume(slot, range.count)
                if self.checks[index].talk.body.count >= Talk.bodyMax {
                    return self.judgeBody(slot, index, isWhole: true)
                }
            }
        }
    }

    mutating func keepBody(_ index: Int, _ bytes: borrowing Span<UInt8>) {
        let room = Talk.bodyMax - self.checks[index].talk.body.count
        for place in 0..<Swift.min(room, bytes.count) {
            self.checks[index].talk.body.append(bytes[place])
        }
    }

    /// Whether the text that was asked for is in what came of the body. False when the check is
    /// over.
    mutating func judgeBody(_ slot: Int, _ index: Int, isWhole: Bool) -> Bool {
        let health = self.pools[self.checks[index].key.pool].health
        let from = self.checks[index].talk.searched
        if self.checks[index].talk.body.contains(health.body, from: from) {
            self.end(slot, .good)
            return false
        }
        let count = self.checks[index].talk.body.count
        guard isWhole || count >= Talk.bodyMax else {
            // What has come of the text so far may be its beginning.
            self.checks[index].talk.searched = Swift.max(0, count - health.body.count + 1)
            return true
        }
        self.end(slot, .bad("its answer lacks the text that was asked for"))
        return false
    }

    /// An agent's line is whole with its end, or the connection's. False when the check is over.
    private mutating func takeWord(_ slot: Int, _ index: Int, isWhole: Bool) -> Bool {
        let memory = self.engine.memory
        let range = self.engine[slot].inputStart..<self.engine[slot].inputEnd
        let text = memory.bytes(Swift.max(self.engine[slot].inputBlock, 0), range)
        guard isWhole || text.count > Self.lineMax || text.firstIndex(of: 0x0A) != nil else {
            return true
        }
        self.checks[index].talk.word = AgentWord(text)
        self.end(slot, .good)
        return false
    }

    /// The server has nothing more to say.
    private mutating func atEnd(_ slot: Int, _ index: Int) {
        let isFailed = self.engine[slot].state.contains(.failed)
        if self.checks[index].key.isAgent {
            if self.engine[slot].hasInput {
                _ = self.takeWord(slot, index, isWhole: true)
            } else {
                self.end(slot, .bad("it closed the connection and said nothing"))
            }
            return
        }
        guard self.checks[index].talk.status != 0, self.checks[index].talk.session < 0, !isFailed
        else {
            self.end(slot, .bad(Self.closed))
            return
        }
        do throws(MessageError) {
            try self.checks[index].talk.reader.connectionClosed()
            _ = self.judgeBody(slot, index, isWhole: true)
        } catch {
            self.end(slot, .bad(Self.closed))
        }
    }
}

extension HealthCheckPlan {
    /// The method that answers are to.
    var methodOfCheck: Method {
        if self.kind == .grpc { return .post }
        switch self.method {
        case "HEAD": return .head
        case "OPTIONS": return .options
        default: return .get
        }
    }
}

extension [UInt8] {
    /// Whether `text` begins in it at `from` or later.
    fileprivate func contains(_ text: [UInt8], from: Int) -> Bool {
        guard self.count - from >= text.count else { return false }
        for start in from...(self.count - text.count)
        where self[start...].starts(with: text) {
            return true
        }
        return false
    }
}
