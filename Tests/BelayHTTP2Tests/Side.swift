import BelayBytes
import BelayCore
import BelayHTTP2

/// A session with what its caller does: holds bodies, hands out tags, and writes a log of events.
final class Side {
    var session: HTTP2Session
    var now = Instant(nanoseconds: 1_000_000_000_000)
    /// One line for each event.
    var log: [String] = []
    var texts: [Int32: [String]] = [:]
    var received: [Int32: [UInt8]] = [:]
    var streams: [Int32: HTTP2Stream] = [:]
    var failure: HTTP2Failure?
    /// Gives credit for all that comes, at once.
    var givesCredit = true
    /// Body bytes that wait to be framed.
    var bodies: [Int32: [UInt8]] = [:]
    private var out: ByteWriter
    private let sendMax: Int

    init(
        _ role: HTTP2Role,
        limits: HTTP2Limits = HTTP2Limits(),
        writer: Int = 70_000,
        sendMax: Int = 1 << 20
    ) throws {
        guard let session = HTTP2Session(role: role, limits: limits, seed: 1, now: self.now) else {
            throw NoSession()
        }
        self.session = session
        self.out = ByteWriter(capacity: writer)
        self.sendMax = sendMax
    }

    struct NoSession: Error {}

    var isOver: Bool { self.session.isOver }
    var wantsWrite: Bool { self.session.wantsWrite }
    var streamCount: Int { self.session.streamCount }
    var peerStreamsMax: Int { self.session.peerStreamsMax }
    var peerAllowsExtendedConnect: Bool { self.session.peerAllowsExtendedConnect }

    /// Reads bytes as a connection does, in the pieces that end at `cuts`.
    func receive(_ bytes: [UInt8], cuts: [Int] = []) {
        var start = 0
        for end in cuts + [bytes.count] {
            self.receivePiece(Array(bytes[start..<end]))
            start = end
        }
    }

    private func receivePiece(_ bytes: [UInt8]) {
        var index = 0
        while index < bytes.count {
            index += self.session.receive(bytes.span, from: index, now: self.now)
            self.handleEvents(bytes)
        }
    }

    func handleEvents(_ bytes: [UInt8] = []) {
        for index in 0..<self.session.eventCount { self.handle(self.session.event(index), bytes) }
        self.session.removeEvents()
    }

    private func handle(_ event: HTTP2Event, _ bytes: [UInt8]) {
        switch event {
        case .head(let stream, _, let range, let kind, let isLast):
            self.streams[stream.id] = stream
            self.session.setTag(stream, Int(stream.id))
            self.texts[stream.id, default: []].append(self.headText(range))
            self.log.append("\(stream.id) \(kind)\(isLast ? " last" : "")")
        case .refusedHead(let stream, _, let refusal, let isLast):
            self.streams[stream.id] = stream
            self.session.setTag(stream, Int(stream.id))
            self.log.append("\(stream.id) refused \(refusal)\(isLast ? " last" : "")")
        case .data(let stream, let tag, let range, let isLast):
            self.received[stream.id, default: []] += bytes[range]
            if self.givesCredit { self.session.credit(stream, range.count) }
            // However a body is cut, its log is the same.
            let line = "\(stream.id) data"
            if self.log.last != line { self.log.append(line) }
            if isLast { self.log.append("\(stream.id) end") }
            self.check(tag, stream)
        case .trailers(let stream, let tag, let range):
            self.texts[stream.id, default: []].append(self.headText(range))
            self.log.append("\(stream.id) trailers")
            self.check(tag, stream)
        case .end(let stream, let tag):
            self.log.append("\(stream.id) end")
            self.check(tag, stream)
        case .reset(let stream, let tag, let code, let origin):
            self.log.append("\(stream.id) reset \(code) \(origin)")
            self.check(tag, stream)
        case .sent(let stream, let tag):
            self.log.append("\(stream.id) sent")
            self.check(tag, stream)
        case .closed(let stream, let tag):
            self.log.append("\(stream.id) closed")
            self.check(tag, stream)
        case .goAway(let last, let code): self.log.append("go away \(last) \(code)")
        case .settings: self.log.append("settings")
        case .failed(let failure):
            self.failure = failure
            self.log.append("failed \(failure)")
        }
    }

    private func check(_ tag: Int, _ stream: HTTP2Stream) {
        if tag != Int(stream.id) { self.log.append("\(stream.id) has the tag \(tag)") }
    }

    private func headText(_ range: Range<Int>) -> String {
        text(of: self.session, range)
    }

    /// All that the session has to send, bodies put in.
    func output() -> [UInt8] {
        var bytes: [UInt8] = []
        while self.session.wantsWrite {
            let before = bytes.count
            bytes += self.write(max: self.sendMax)
            if bytes.count == before { break }
        }
        return bytes
    }

    /// One write, put together.
    func write(max: Int) -> [UInt8] {
        self.out.removeAll()
        let total = self.session.write(max: max, into: &self.out)
        var bytes: [UInt8] = []
        for index in 0..<self.session.segmentCount {
            switch self.session.segment(index) {
            case .bytes(let range):
                bytes += copy(self.out.bytes, range)
            case .body(let stream, let tag, let count):
                self.check(tag, stream)
                bytes += self.bodies[stream.id]?.prefix(count) ?? []
                self.bodies[stream.id]?.removeFirst(count)
            }
        }
        if total != bytes.count { self.log.append("wrote \(total), not \(bytes.count)") }
        self.handleEvents()
        return bytes
    }

    func respond(_ id: Int32, _ head: String, isLast: Bool = true, isInterim: Bool = false) {
        guard let stream = self.streams[id] else { return }
        self.session.submitResponse(
            stream,
            head: octets(head).span,
            isLast: isLast,
            isInterim: isInterim
        )
    }

    @discardableResult
    func request(
        _ head: String,
        scheme: HTTP2Scheme = .https,
        isLast: Bool = true
    ) throws -> HTTP2Stream {
        let stream = try self.session.submitRequest(
            head: octets(head).span,
            scheme: scheme,
            isLast: isLast,
            tag: 0
        )
        self.session.setTag(stream, Int(stream.id))
        self.streams[stream.id] = stream
        return stream
    }

    func offer(_ id: Int32, _ bytes: [UInt8], isLast: Bool, trailers: Bool = false) {
        guard let stream = self.streams[id] else { return }
        self.bodies[id, default: []] += bytes
        let count = self.bodies[id]?.count ?? 0
        self.session.offer(stream, count: count, isLast: isLast, trailers: trailers)
    }
}

/// One byte for each scalar.
func octets(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

private func text(of session: borrowing HTTP2Session, _ range: Range<Int>) -> String {
    string(copy(session.text, range))
}

private func copy(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
    var copy: [UInt8] = []
    for index in range { copy.append(bytes[index]) }
    return copy
}

func string(_ bytes: some Collection<UInt8>) -> String {
    var text = ""
    for byte in bytes { text.unicodeScalars.append(Unicode.Scalar(byte)) }
    return text
}

/// A frame that a session wrote.
struct ReadFrame: Equatable {
    let type: UInt8
    let flags: UInt8
    let stream: Int
    let payload: [UInt8]

    static func all(_ bytes: [UInt8]) -> [ReadFrame] {
        var frames: [ReadFrame] = []
        var index = bytes.starts(with: Frames.preface) ? Frames.preface.count : 0
        while index + 9 <= bytes.count {
            let size = Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
            let stream = bytes[(index + 5)..<(index + 9)].reduce(0) { $0 << 8 | Int($1) }
            let end = min(index + 9 + size, bytes.count)
            frames.append(
                ReadFrame(
                    type: bytes[index + 3],
                    flags: bytes[index + 4],
                    stream: stream,
                    payload: Array(bytes[(index + 9)..<end])
                )
            )
            index = end
        }
        return frames
    }
}

/// Carries bytes both ways until both sides are silent.
func exchange(_ left: Side, _ right: Side, cutting: Bool = false) {
    var random = RandomSource(seed: 7)
    while true {
        let there = left.output()
        right.receive(there, cuts: cutting ? cuts(there.count, &random) : [])
        let back = right.output()
        left.receive(back, cuts: cutting ? cuts(back.count, &random) : [])
        if there.isEmpty, back.isEmpty { return }
    }
}

private func cuts(_ count: Int, _ random: inout RandomSource) -> [Int] {
    var cuts: [Int] = []
    var place = 0
    while count - place > 1 {
        place += 1 + random.below(min(count - place, 400))
        if place < count { cuts.append(place) }
    }
    return cuts
}
