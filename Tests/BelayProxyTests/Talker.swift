import BelayBytes
import BelayCore
import BelayHTTP2
import BelayTransport
import Testing

/// An end of a connection that speaks HTTP/2, a client's or a server's, as plain as it can be: it
/// takes note of all that comes, and sends what it is told.
final class Talker {
    /// What has come on a stream.
    struct Stream {
        let name: HTTP2Stream
        /// Heads as text of HTTP/1.1, interim ones too.
        var heads: [String] = []
        var body: [UInt8] = []
        var trailers = ""
        /// The other side has said all.
        var isWhole = false
        /// The code of the reset that ended it.
        var reset: UInt32?

        var head: String { self.heads.last ?? "" }
        var text: String { String(decoding: self.body, as: UTF8.self) }
        var status: Int { Int(self.head.split(separator: " ").dropFirst().first ?? "") ?? 0 }
        var path: String {
            self.head.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        }
        var isOver: Bool { self.isWhole || self.reset != nil }

        /// The values of all lines of that name, which is in lower case.
        func values(_ name: String) -> [String] {
            self.head.split(separator: "\r\n").dropFirst().compactMap { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2, parts[0].lowercased() == name else { return nil }
                return String(parts[1].drop { $0 == " " })
            }
        }
    }

    /// What of a body is to be sent, and how much of it has been.
    private struct Body {
        var bytes: [UInt8] = []
        var sent = 0

        var left: Int { self.bytes.count - self.sent }

        mutating func take(_ count: Int) -> ArraySlice<UInt8> {
            self.sent += count
            return self.bytes[(self.sent - count)..<self.sent]
        }
    }

    let slot: Int
    /// The server that this connection was accepted by; nil for a client's.
    var server: Int? { self.stage[self.slot].server }
    private unowned let stage: Stage
    private var session: HTTP2Session
    private(set) var streams: [Int32: Stream] = [:]
    private(set) var goAways: [(last: Int32, code: UInt32)] = []
    private(set) var failure: HTTP2Failure?
    /// Whether more may come as soon as some has come.
    var givesCredit = true
    /// What waits to be sent, by stream.
    private var bodies: [Int32: Body] = [:]
    /// Requests that a test has not seen.
    var fresh: [Int32] = []
    private var isHolding = false
    private var held: [UInt8] = []
    private var out = ByteWriter(capacity: 70_000)

    init(_ stage: Stage, _ slot: Int, _ role: HTTP2Role) throws {
        var limits = HTTP2Limits()
        limits.streamsMax = role == .client ? 1000 : stage.streamsMax
        limits.allowsExtendedConnect = stage.takesSockets
        let session = HTTP2Session(role: role, limits: limits, seed: 1, now: Self.now)
        struct NoMemory: Error {}
        guard let session else { throw NoMemory() }
        self.session = session
        self.stage = stage
        self.slot = slot
    }

    private static var now: Instant {
        Instant(nanoseconds: SystemClock.monotonicNanoseconds())
    }

    subscript(_ id: Int32) -> Stream {
        self.streams[id] ?? Stream(name: HTTP2Stream(id: id, place: -1))
    }

    /// Handles what has come, and sends what is to leave.
    func turn() {
        let bytes = self.stage.takeAll(self.slot)
        var index = 0
        while index < bytes.count {
            index += self.session.receive(bytes.span, from: index, now: Self.now)
            self.handleEvents(bytes)
        }
        self.flush()
    }

    private func handleEvents(_ bytes: [UInt8]) {
        for index in 0..<self.session.eventCount { self.handle(self.session.event(index), bytes) }
        self.session.removeEvents()
    }

    private func handle(_ event: HTTP2Event, _ bytes: [UInt8]) {
        switch event {
        case .head(let stream, _, let range, let kind, let isLast):
            if self.streams[stream.id] == nil { self.streams[stream.id] = Stream(name: stream) }
            self.streams[stream.id]?.heads.append(Self.text(self.session.text, range))
            if kind == .request { self.fresh.append(stream.id) }
            if isLast { self.streams[stream.id]?.isWhole = true }
        case .refusedHead(let stream, _, let refusal, _):
            Issue.record("a head on stream \(stream.id) is refused: \(refusal)")
        case .data(let stream, _, let range, let isLast):
            self.streams[stream.id]?.body += bytes[range]
            if self.givesCredit { self.session.credit(stream, range.count) }
            if isLast { self.streams[stream.id]?.isWhole = true }
        case .trailers(let stream, _, let range):
            self.streams[stream.id]?.trailers = Self.text(self.session.text, range)
            self.streams[stream.id]?.isWhole = true
        case .end(let stream, _): self.streams[stream.id]?.isWhole = true
        case .reset(let stream, _, let code, _): self.streams[stream.id]?.reset = code
        case .goAway(let last, let code): self.goAways.append((last, code))
        case .failed(let failure): self.failure = failure
        case .sent, .closed, .settings: break
        }
    }

    private static func text(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> String {
        var copy: [UInt8] = []
        for index in range { copy.append(bytes[index]) }
        return String(decoding: copy, as: UTF8.self)
    }

    /// What `body` says leaves in one piece.
    func hold(_ body: () throws -> Void) rethrows {
        self.isHolding = true
        defer {
            self.isHolding = false
            if !self.held.isEmpty { self.stage.send(self.slot, self.held) }
            self.held = []
        }
        try body()
    }

    private func flush() {
        while self.session.wantsWrite {
            self.out.removeAll()
            _ = self.session.write(max: 64 * 1024, into: &self.out)
            var bytes: [UInt8] = []
            for index in 0..<self.session.segmentCount {
                switch self.session.segment(index) {
                case .bytes(let range):
                    let written = self.out.bytes
                    for place in range { bytes.append(written[place]) }
                case .body(let stream, _, let count):
                    bytes += self.bodies[stream.id]?.take(count) ?? []
                }
            }
            self.handleEvents([])
            if bytes.isEmpty { return }
            if self.isHolding { self.held += bytes } else { self.stage.send(self.slot, bytes) }
        }
    }

    /// Streams that are not over on both sides.
    var openStreams: Int { self.session.streamCount }

    /// The other side has said that it opens WebSockets.
    var takesSockets: Bool { self.session.peerAllowsExtendedConnect }

    // MARK: Speaking

    /// Sends a request; its stream. `body` nil: there is none. Otherwise it goes on with `isLast`
    /// false until `offer` says that it ends.
    @discardableResult
    func request(
        _ head: String,
        body: String? = nil,
        trailers: String = "",
        isLast: Bool = true
    ) throws -> Int32 {
        let stream = try self.session.submitRequest(
            head: Array(head.utf8).span,
            scheme: .https,
            isLast: body == nil && isLast,
            tag: 0
        )
        self.streams[stream.id] = Stream(name: stream)
        if body != nil || !isLast {
            self.offer(stream.id, Array((body ?? "").utf8), trailers: trailers, isLast: isLast)
        }
        self.flush()
        return stream.id
    }

    /// A GET for the path.
    @discardableResult
    func get(_ path: String) throws -> Int32 {
        try self.request("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
    }

    func respond(
        _ id: Int32,
        _ head: String,
        body: String? = nil,
        trailers: String = "",
        isLast: Bool = true,
        isInterim: Bool = false
    ) {
        self.session.submitResponse(
            self[id].name,
            head: Array(head.utf8).span,
            isLast: body == nil && isLast,
            isInterim: isInterim
        )
        if !isInterim, body != nil || !isLast {
            self.offer(id, Array((body ?? "").utf8), trailers: trailers, isLast: isLast)
        }
        self.flush()
    }

    func ok(_ id: Int32, _ body: String = "ok") {
        self.respond(id, "HTTP/1.1 200 OK\r\n\r\n", body: body)
    }

    /// Goes on with a body.
    func offer(_ id: Int32, _ bytes: [UInt8], trailers: String = "", isLast: Bool) {
        self.bodies[id, default: Body()].bytes += bytes
        let stream = self[id].name
        if !trailers.isEmpty {
            self.session.submitTrailers(stream, lines: Array(trailers.utf8).span)
        }
        self.session.offer(
            stream,
            count: self.waiting(id),
            isLast: isLast,
            trailers: !trailers.isEmpty
        )
        self.flush()
    }

    /// What of a body has not been sent, because the other side takes no more.
    func waiting(_ id: Int32) -> Int { self.bodies[id]?.left ?? 0 }

    func reset(_ id: Int32, _ code: UInt32) {
        self.session.reset(self[id].name, code: code)
        self.flush()
    }

    /// Says that streams above `last` were not looked at.
    func goAway(last: Int32, _ code: UInt32 = HTTP2Code.noError) {
        let numbers = [UInt32(last), code].flatMap { number in
            stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
        }
        self.stage.send(self.slot, [0, 0, 8, 7, 0, 0, 0, 0, 0] + numbers)
    }

    /// Lets the other side send on.
    func credit(_ id: Int32, _ count: Int) {
        self.session.credit(self[id].name, count)
        self.flush()
    }
}
