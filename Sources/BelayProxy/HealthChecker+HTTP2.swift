import BelayBytes
import BelayCore
import BelayHTTP
import BelayHTTP2
import BelayTransport

// Checks of servers that speak HTTP/2, and of gRPC's health service.

/// A check's connection of HTTP/2.
struct CheckSession: ~Copyable {
    var http2: HTTP2Session
    /// The body of the request, which leaves with its frame.
    var body: [UInt8]

    /// A copy of text that `receive` made.
    func copy(_ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        for place in range { bytes.append(self.http2.text[place]) }
        return bytes
    }
}

extension HealthChecker {
    /// Sends the request on the first stream. False when the check is over.
    mutating func askHTTP2(_ slot: Int, _ index: Int) -> Bool {
        let tls = self.engine.tls(slot)
        if let tls, tls.applicationProtocol != .http2 {
            self.end(slot, .bad("it speaks no HTTP/2"))
            return false
        }
        let (head, body) = (self.checks[index].question.head, self.checks[index].question.body)
        guard
            var http2 = HTTP2Session(
                role: .client,
                limits: HTTP2Limits(),
                seed: self.random.next(),
                now: self.engine.now
            )
        else {
            self.end(slot, .untold)
            return false
        }
        do throws(HTTP2Refusal) {
            let stream = try http2.submitRequest(
                head: head.span,
                scheme: tls == nil ? .http : .https,
                isLast: body.isEmpty,
                tag: 0
            )
            if !body.isEmpty { http2.offer(stream, count: body.count, isLast: true) }
        } catch {
            self.end(slot, .untold)
            return false
        }
        guard let session = self.sessions.insert(CheckSession(http2: http2, body: body)) else {
            self.end(slot, .untold)
            return false
        }
        self.checks[index].talk.session = Int32(truncatingIfNeeded: session)
        return self.write(slot, index, session)
    }

    /// Writes what a session has to say. False when the check is over.
    private mutating func write(_ slot: Int, _ index: Int, _ session: Int) -> Bool {
        while self.sessions[session].http2.wantsWrite {
            self.frames.removeAll()
            self.composed.removeAll()
            self.sessions[session].http2.write(max: 16 * 1024, into: &self.frames)
            for number in 0..<self.sessions[session].http2.segmentCount {
                switch self.sessions[session].http2.segment(number) {
                case .bytes(let range): Self.copy(range, of: self.frames, to: &self.composed)
                case .body: Self.copy(self.sessions[session].body, to: &self.composed)
                }
            }
            let isSent = self.composed.count == 0 || self.engine.send(slot, self.composed)
            // Writing may have found out that the session is over.
            let nothing: [UInt8] = []
            guard self.takeEvents(slot, index, session, nothing.span) else { return false }
            guard isSent else {
                self.end(slot, .bad(Self.closed))
                return false
            }
            if self.composed.count == 0 { break }
        }
        return true
    }

    private static func copy(
        _ range: Range<Int>,
        of frames: borrowing ByteWriter,
        to out: inout ByteWriter
    ) {
        out.append(frames.bytes, range)
    }

    private static func copy(_ bytes: [UInt8], to out: inout ByteWriter) {
        out.append(bytes.span)
    }

    /// Reads frames that have come. False when the check is over.
    mutating func takeFrames(_ slot: Int, _ index: Int) -> Bool {
        let session = Int(self.checks[index].talk.session)
        while self.engine[slot].hasInput {
            let memory = self.engine.memory
            let start = self.engine[slot].inputStart
            let input = memory.bytes(
                self.engine[slot].inputBlock,
                0..<self.engine[slot].inputEnd
            )
            let used = self.sessions[session].http2.receive(
                input,
                from: start,
                now: self.engine.now
            )
            guard self.takeEvents(slot, index, session, input) else { return false }
            guard used > 0 else { break }
            self.engine.consume(slot, used)
        }
        return self.write(slot, index, session)
    }

    /// What a session has to tell. False when the check is over.
    private mutating func takeEvents(
        _ slot: Int,
        _ index: Int,
        _ session: Int,
        _ input: borrowing Span<UInt8>
    ) -> Bool {
        for number in 0..<self.sessions[session].http2.eventCount {
            let event = self.sessions[session].http2.event(number)
            guard self.take(event, slot, index, session, input) else { return false }
        }
        self.sessions[session].http2.removeEvents()
        return true
    }

    /// One event of a session. False when the check is over.
    private mutating func take(
        _ event: HTTP2Event,
        _ slot: Int,
        _ index: Int,
        _ session: Int,
        _ input: borrowing Span<UInt8>
    ) -> Bool {
        switch event {
        case .head(_, _, let text, .response, let isLast):
            return self.takeHead(slot, index, self.sessions[session].copy(text), isLast: isLast)
        case .data(_, _, let range, let isLast):
            self.keepBody(index, input.extracting(range))
            return self.judge(slot, index, isWhole: isLast)
        case .trailers(_, _, let text):
            return self.judge(slot, index, isWhole: true, fields: self.sessions[session].copy(text))
        case .end: return self.judge(slot, index, isWhole: true)
        case .reset(_, _, _, .peer):
            self.end(slot, .bad("it reset the request"))
            return false
        case .reset(_, _, _, .here), .refusedHead, .failed:
            self.end(slot, .bad("it speaks no proper HTTP/2"))
            return false
        // A server may say that it goes away and answer all the same; a request that it leaves out
        // is reset.
        case .head, .goAway, .sent, .closed, .settings: return true
        }
    }

    private mutating func takeHead(
        _ slot: Int,
        _ index: Int,
        _ bytes: [UInt8],
        isLast: Bool
    ) -> Bool {
        let pool = self.pools[self.checks[index].key.pool]
        do throws(MessageError) {
            let head = try ResponseHead.parse(
                bytes.span,
                from: 0,
                length: bytes.count,
                answering: pool.health.methodOfCheck,
                into: &self.fields
            )
            guard self.judgeHead(slot, index, head, in: bytes.span, from: 0) else { return false }
            return isLast ? self.judge(slot, index, isWhole: true, fields: bytes) : true
        } catch {
            self.end(slot, .bad("its answer is no proper HTTP: \(error.name)"))
            return false
        }
    }

    /// Whether what came of the answer is what it should be. `fields` is a head or trailers that
    /// may say what is wrong. False when the check is over.
    private mutating func judge(
        _ slot: Int,
        _ index: Int,
        isWhole: Bool,
        fields: [UInt8] = []
    ) -> Bool {
        guard self.checks[index].question.kind == .grpc else {
            return self.judgeBody(slot, index, isWhole: isWhole)
        }
        // The status that comes last has the last word: with NOT_FOUND, some servers send an empty
        // message all the same.
        guard isWhole else { return true }
        let answer = GRPCHealth.answer(self.checks[index].talk.body)
        let isRefused = (GRPCHealth.status(in: fields) ?? 0) != 0
        switch isRefused ? nil : answer {
        case .serving: self.end(slot, .good)
        case .problem(let text): self.end(slot, .bad(text))
        case nil: self.end(slot, .bad(GRPCHealth.problem(fields)))
        }
        return false
    }
}
