import BelayBytes
import BelayCore
import BelayHTTP
import BelayTelemetry
import BelayTransport

// Answers of Belay's own.

extension Worker {
    /// Gives Belay's own answer, if nothing of another one has been sent, and ends the exchange.
    mutating func answer(_ exchange: Int, _ answer: OwnAnswer) {
        self.exchanges[exchange].record.ending = answer.ending
        guard !self.exchanges[exchange].state.hasAny(of: .responseStarted | .isTCP) else {
            self.cut(exchange, answer.ending)
            return
        }
        self.leaveServer(exchange)
        if !self.requestIsInHand(exchange) || self.stopping != .running {
            self.exchanges[exchange].state.insert(.closesClient)
        }
        self.composed.removeAll()
        self.compose(answer, exchange)
        self.sendOwn(exchange, status: answer.status, answer.ending)
    }

    /// Sends an answer of Belay's own that lies in `composed`, and ends the exchange.
    mutating func sendOwn(_ exchange: Int, status: UInt16, _ ending: Ending) {
        self.exchanges[exchange].record.ending = ending
        self.exchanges[exchange].record.status = status
        self.exchanges[exchange].record.isOwnAnswer = true
        self.exchanges[exchange].record.binding = .none
        self.exchanges[exchange].record.bytesToClient &+= UInt64(self.composed.count)
        self.exchanges[exchange].state.insert(.responseStarted | .responseDone)
        if self.requestIsInHand(exchange) { self.skipBody(exchange) }
        guard self.sendWhole(exchange) else {
            self.cut(exchange, .clientLeft)
            return
        }
        self.finishWhenFlushed(exchange)
    }

    /// Sends an answer of Belay's own, head and body, that lies in `composed`.
    private mutating func sendWhole(_ exchange: Int) -> Bool {
        let slot = Int(self.exchanges[exchange].client)
        guard self.exchanges[exchange].state.contains(.clientIsStream) else {
            return self.engine.send(slot, self.composed)
        }
        let head = self.composed.bytes.endOfHead
        let isLast = head == self.composed.count
        guard self.engine.sendOnStream(slot, self.composed, from: head) else { return false }
        self.composed.truncate(to: head)
        self.sendHead(slot, isLast: isLast, isInterim: false)
        self.finishOutput(slot)
        return true
    }

    /// The request's body is in the client's block and nobody wants it. Of one that went on to a
    /// server the block may hold no part any more.
    private mutating func skipBody(_ exchange: Int) {
        guard !self.exchanges[exchange].state.contains(.requestDone) else { return }
        self.exchanges[exchange].state.insert(.requestDone)
        if case .length(let length) = self.exchanges[exchange].request.framing {
            let head = self.exchanges[exchange].request.length
            self.exchanges[exchange].cursor =
                self.exchanges[exchange].headStart + head + Int(length)
        }
    }

    private mutating func compose(_ own: OwnAnswer, _ exchange: Int) {
        let slot = Int(self.exchanges[exchange].client)
        let state = self.exchanges[exchange].state
        let request = self.exchanges[exchange].request
        let date = self.date
        var format = AnswerFormat.problem
        if state.contains(.hasRequest), self.parseFieldsAgain(exchange) {
            let memory = self.engine.memory
            format = AnswerFormat(
                accepting: self.fields,
                in: memory.bytes(
                    self.engine[slot].inputBlock,
                    0..<self.engine[slot].inputEnd
                ),
                from: self.exchanges[exchange].headStart
            )
        }
        var answer = ErrorAnswer(
            status: own.status,
            reason: own.reason,
            sentence: own.sentence,
            format: format
        )
        if state.contains(.clientIsStream), state.contains(.hasRequest),
            self.fields.announceGRPC(
                in: self.engine.memory.bytes(
                    self.engine[slot].inputBlock,
                    0..<self.engine[slot].inputEnd
                ),
                from: self.exchanges[exchange].headStart
            )
        {
            writeGRPCAnswer(status: own.status, sentence: own.sentence, into: &self.composed)
            return
        }
        answer.isHead = request.method == .head && state.contains(.hasRequest)
        if self.roles[slot].traits.contains(.isStrict | .isTLS) {
            answer.strictTransport = self.listeners[Int(self.roles[slot].listener)].strictTransport
        }
        answer.connection =
            state.contains(.closesClient)
            ? .close : request.minorVersion == 0 ? .keepAlive : .none
        writeErrorAnswer(answer, pages: self.errorPages, date: date.bytes, into: &self.composed)
    }

    /// Whether the whole request, body included, has arrived, so that the connection can go on.
    private func requestIsInHand(_ exchange: Int) -> Bool {
        guard self.exchanges[exchange].state.contains(.hasRequest) else { return false }
        if self.exchanges[exchange].state.contains(.requestDone) { return true }
        switch self.exchanges[exchange].request.framing {
        case .none: return true
        case .length(let length):
            // Only what lies in the block is known to be there.
            guard !self.exchanges[exchange].state.hasAny(of: .bodyLetGo) else { return false }
            let slot = Int(self.exchanges[exchange].client)
            let head = self.exchanges[exchange].headStart + self.exchanges[exchange].request.length
            return UInt64(Swift.max(0, self.engine[slot].inputEnd - head)) >= length
        case .chunked: return false
        case .untilClose:
            let slot = Int(self.exchanges[exchange].client)
            return self.engine[slot].state.contains(.atEnd)
        }
    }
}
