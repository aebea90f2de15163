import BelayBytes
import BelayCore
import BelayHTTP
import BelayHTTP2
import FuzzSupport

/// What must hold of every HTTP/2 connection, whatever the peer sends and however it is cut.
enum HTTP2Fuzzer {
    static func check(_ input: FuzzInput) {
        var bytes = input.bytes
        let role: HTTP2Role = input.choice & 1 == 0 ? .server : .client
        if input.choice & 2 != 0 {
            // Most inputs are to get past the preface.
            if role == .server { bytes = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + bytes }
        }
        let whole = Connection.run(role, bytes, cuts: [], writes: false)
        for cuts in [[input.cut], Array(0..<bytes.count)] {
            let cut = Connection.run(role, bytes, cuts: cuts, writes: false)
            require(cut == whole, "cut is as whole: \(cut) is not \(whole)")
        }
        _ = Connection.run(role, bytes, cuts: [input.cut], writes: true)
        if isCanary { require(whole.heads == 0, "the canary: there are no heads") }
    }
}

/// What a connection came to.
private struct Outcome: Equatable {
    var log: [String] = []
    var bodies: [Int32: [UInt8]] = [:]
    var output: [UInt8] = []
    var heads = 0
}

/// A session and a caller that answers, resets or leaves alone, by the stream's number.
private struct Connection: ~Copyable {
    private static let headSizeMax = 1024

    private var session: HTTP2Session
    private let role: HTTP2Role
    private var outcome = Outcome()
    private var fields = FieldList(capacity: 24)
    private var out = ByteWriter(capacity: 2048)
    private var ended: Set<Int32> = []
    private var isFailed = false

    static func run(_ role: HTTP2Role, _ bytes: [UInt8], cuts: [Int], writes: Bool) -> Outcome {
        var connection = Connection(role)
        var start = 0
        for end in cuts + [bytes.count] {
            connection.receive(Array(bytes[min(start, end)..<end]))
            if writes { connection.write() }
            start = end
        }
        connection.write()
        connection.session.shutdown(.final)
        connection.write()
        // Where one frame is wrong in two ways, the code of the GOAWAY depends on the cuts; and so
        // does how much of a body comes before the byte that is too many.
        if connection.isFailed {
            connection.outcome.output = []
            connection.outcome.bodies = [:]
        }
        return connection.outcome
    }

    init(_ role: HTTP2Role) {
        var limits = HTTP2Limits()
        limits.headSizeMax = Self.headSizeMax
        limits.headerCountMax = 12
        limits.streamsMax = 4
        limits.resets = 6
        limits.controlFrames = 10
        self.role = role
        let now = Instant(nanoseconds: 5)
        guard let session = HTTP2Session(role: role, limits: limits, seed: 1, now: now) else {
            fatalError("no memory")
        }
        self.session = session
        if role == .client { self.submitRequests() }
    }

    private mutating func submitRequests() {
        let heads = [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        ]
        for head in heads {
            let stream = try? self.session.submitRequest(
                head: Array(head.utf8).span,
                scheme: .http,
                isLast: !head.hasPrefix("POST"),
                tag: 7
            )
            require(stream != nil, "a request is taken")
            if let stream { self.session.offer(stream, count: 5, isLast: true) }
        }
        // A peer answers what it was asked.
        self.write()
    }

    private mutating func receive(_ bytes: [UInt8]) {
        var index = 0
        while index < bytes.count {
            let now = Instant(nanoseconds: 5)
            let size = self.session.receive(bytes.span, from: index, now: now)
            require(size > 0 && size <= bytes.count - index, "bytes are consumed")
            index += size
            self.handleEvents(bytes)
        }
    }

    private mutating func write() {
        for _ in 0..<1000 where self.session.wantsWrite {
            self.out.removeAll()
            var sum = 0
            let total = self.session.write(max: 1500, into: &self.out)
            for index in 0..<self.session.segmentCount {
                switch self.session.segment(index) {
                case .bytes(let range):
                    require(range.upperBound <= self.out.count, "bytes lie in the writer")
                    self.outcome.output += range.map { self.out.bytes[$0] }
                    sum += range.count
                case .body(_, _, let count):
                    require(count > 0 && count <= 5, "no more than was offered")
                    sum += count
                }
            }
            require(sum == total, "segments are all that was written")
            self.handleEvents([])
            if total == 0 { return }
        }
    }

    private mutating func handleEvents(_ bytes: [UInt8]) {
        for index in 0..<self.session.eventCount {
            require(!self.isFailed, "nothing comes after a failure")
            self.handle(self.session.event(index), bytes)
        }
        self.session.removeEvents()
        require(self.session.streamCount <= 4, "no more streams than are allowed")
    }

    private mutating func handle(_ event: HTTP2Event, _ bytes: [UInt8]) {
        switch event {
        case .head(let stream, _, let range, let kind, let isLast):
            self.log(stream, "head \(kind) \(isLast) \(self.text(range))")
            self.checkHead(range, kind)
            if kind == .request { self.answer(stream) }
        case .refusedHead(let stream, _, let refusal, let isLast):
            self.log(stream, "refused \(refusal) \(isLast)")
            self.answer(stream)
        case .data(let stream, _, let range, let isLast):
            require(range.upperBound <= bytes.count && !range.isEmpty, "data lies in the bytes")
            self.outcome.bodies[stream.id, default: []] += bytes[range]
            self.session.credit(stream, range.count)
            if isLast { self.log(stream, "end") }
            require(self.outcome.bodies[stream.id]?.count ?? 0 <= 65_535, "a window holds")
        case .trailers(let stream, _, let range):
            let lines = self.text(range)
            self.log(stream, "trailers \(lines)")
            let head = PlainReader(
                Array(("x\r\n" + lines + "\r\n").unicodeScalars.map { UInt8($0.value) })
            )
            require(head.faults.isEmpty, "\(head.faults) in \(lines)")
        case .end(let stream, _): self.log(stream, "end")
        case .reset(let stream, _, let code, let origin):
            self.log(stream, "reset \(code) \(origin)")
            if origin == .here { self.outcome.bodies[stream.id] = nil }
            self.ended.insert(stream.id)
        case .sent(let stream, _): self.log(stream, "sent")
        case .closed(let stream, _):
            self.log(stream, "closed")
            self.ended.insert(stream.id)
        case .goAway(let last, let code): self.outcome.log.append("go away \(last) \(code)")
        case .settings: self.outcome.log.append("settings")
        case .failed(let failure):
            self.isFailed = true
            self.outcome.log.append("failed \(failure)")
        }
    }

    private mutating func log(_ stream: HTTP2Stream, _ words: String) {
        require(!self.ended.contains(stream.id), "nothing comes after a stream's end")
        self.outcome.log.append("\(stream.id) \(words)")
    }

    /// Some are answered whole, some with a body that does not end, some reset.
    private mutating func answer(_ stream: HTTP2Stream) {
        self.session.setTag(stream, Int(stream.id))
        let head = Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".utf8)
        switch stream.id % 8 {
        case 1, 3:
            self.session.submitResponse(stream, head: head.span, isLast: false, isInterim: false)
            self.session.offer(stream, count: 5, isLast: stream.id % 8 == 1)
        case 5:
            self.session.reset(stream, code: HTTP2Code.cancel)
            self.ended.insert(stream.id)
        default: break
        }
    }

    private func text(_ range: Range<Int>) -> String {
        let bytes = self.session.text
        var copy: [UInt8] = []
        for index in range { copy.append(bytes[index]) }
        return FuzzSupport.text(copy)
    }

    private mutating func checkHead(_ range: Range<Int>, _ kind: HeadKind) {
        self.outcome.heads += 1
        require(range.count <= Self.headSizeMax + 256, "a head's text is bounded")
        let bytes = self.text(range).unicodeScalars.map { UInt8($0.value) }
        let plain = PlainReader(bytes)
        // What else is odd the strict parser must find.
        for fault in ["no empty line", "bare", "control", "no colon"] {
            require(!plain.faults.contains { $0.hasPrefix(fault) }, "\(plain.faults)")
        }
        var scanner = HeadScanner()
        do throws(MessageError) {
            let length = try scanner.scan(bytes.span, from: 0, headMax: 4096)
            require(length == bytes.count, "a text is one head")
            switch kind {
            case .request:
                let head = try RequestHead.parse(
                    bytes.span,
                    from: 0,
                    length: bytes.count,
                    into: &self.fields
                )
                require(head.minorVersion == 1, "the version is HTTP/1.1")
                require(plain.values(ofLetters: "host").count == 1, "there is one Host")
            case .interim, .response:
                _ = try ResponseHead.parse(
                    bytes.span,
                    from: 0,
                    length: bytes.count,
                    answering: .get,
                    into: &self.fields
                )
            }
        } catch {
            return
        }
        require(plain.faults.isEmpty, "\(plain.faults) in \(plain.firstLine)")
    }
}
