import BelayBytes
import BelayCore
import BelayHTTP

/// What a session knows of one stream, as long as nghttp2 knows it.
struct StreamState {
    let id: Int32
    var tag = -1
    /// The caller knows it: a head was reported, or the caller opened it.
    var isKnown: Bool
    /// Nothing more is said of it: a reset was reported, or the caller asked for one.
    var isDone = false
    /// The peer spoiled it, and that was counted.
    var isCounted = false
    /// The final head of the answer went, or came.
    var isAnswered = false
    var remoteEnded = false
    var localEnded = false
    /// nghttp2 waits for `offer` before it asks for more of the body.
    var isDeferred = false
    /// Body bytes that wait at the caller.
    var offered = 0
    /// They are the last.
    var isLast = false
    /// Trailers end the body.
    var hasTrailers = false
    /// All of the body was taken.
    var bodyIsTaken = false
    /// Trailers that came before the body was taken; allocated in this rare case only.
    var trailers: [UInt8]?
    /// Body bytes that the caller got and did not give credit for.
    var uncredited = 0
    /// Opened as extended CONNECT.
    var isWebSocket = false
    /// Client: the Sec-WebSocket-Accept that HTTP/1.1 expects.
    var accept: [UInt8]?

    init(id: Int32, isKnown: Bool) {
        self.id = id
        self.isKnown = isKnown
    }
}

/// What a session is to do once a head is complete.
enum HeadOutcome {
    case none
    case reset(code: UInt32)
}

/// The part of a session that is no pointer: streams, events, the head that is being read.
/// nghttp2's callbacks talk to it.
struct SessionCore: ~Copyable {
    /// Limit: events, and pieces of a write, that there is room for at once.
    private static let eventsAtStart = 16
    /// Limit: events after which no more is read until they were handled.
    private static let eventsMax = 64

    let role: HTTP2Role
    /// Streams that we have reset for something that the peer did on them.
    var spoiledStreams = 0
    let limits: HTTP2Limits
    var streams: Slab<StreamState>
    var scanner: FrameScanner
    var head: HeadReader
    var events: [HTTP2Event] = []
    var segments: [HTTP2Segment] = []
    var now: Instant
    var failure: HTTP2Failure?
    /// The connection ends with a failure that is reported once nghttp2 stands still.
    var pendingFailure: HTTP2Failure?
    /// A head or the like was reported: its event is to be handled before more is read.
    var mustPause = false
    var hasGoAway = false
    /// The peer's SETTINGS came.
    var hasSettings = false

    /// Body bytes that may still go in this `write`.
    var budget = 0
    /// The header of a DATA frame that nghttp2 has just made.
    var dataHeader = [9 of UInt8](repeating: 0)
    var hasDataHeader = false
    /// Whose body it frames.
    var bodyStream = HTTP2Stream(id: 0, place: 0)
    var bodyTag = -1
    /// Where the bytes that are being read begin, as a number: data is told as offsets from here.
    var input = 0

    init(role: HTTP2Role, limits: HTTP2Limits, seed: UInt64, now: Instant) {
        self.role = role
        self.limits = limits
        self.now = now
        // nghttp2 may know streams that are about to close besides those that are open.
        self.streams = Slab(capacity: limits.streamsMax * 2 + 16)
        self.scanner = FrameScanner(limits)
        self.head = HeadReader(limits, seed: seed)
        self.events.reserveCapacity(Self.eventsAtStart)
        self.segments.reserveCapacity(Self.eventsAtStart)
    }

    /// No more is to be read until the events were handled.
    var isFull: Bool { self.mustPause || self.events.count >= Self.eventsMax }

    func name(_ place: Int) -> HTTP2Stream {
        HTTP2Stream(id: self.streams[place].id, place: Int32(truncatingIfNeeded: place))
    }

    /// The place of a stream that is still talked about.
    func place(_ stream: HTTP2Stream) -> Int? {
        let place = Int(stream.place)
        guard self.streams.isUsed(place), self.streams[place].id == stream.id,
            !self.streams[place].isDone
        else { return nil }
        return place
    }

    func stage(_ place: Int?) -> StreamStage {
        guard let place, self.streams.isUsed(place) else { return .none }
        return self.streams[place].isAnswered ? .answered : .open
    }

    mutating func fail(_ failure: HTTP2Failure) {
        if self.pendingFailure == nil, self.failure == nil { self.pendingFailure = failure }
    }

    /// The final head of the answer went, or came.
    mutating func answered(_ place: Int) {
        guard !self.streams[place].isAnswered else { return }
        self.streams[place].isAnswered = true
        self.scanner.requestAnswered()
    }

    /// The peer spoiled a stream: that counts.
    mutating func spoiled(_ place: Int?) {
        if let place {
            if self.streams[place].isCounted { return }
            self.streams[place].isCounted = true
        }
        self.spoiledStreams &+= 1
        if let failure = self.scanner.streamSpoiled(at: self.now) { self.fail(failure) }
    }

    /// A head begins. Nil when there is no room for its stream.
    mutating func headBegins(id: Int32, place: Int?, isRequest: Bool) -> Int? {
        if let place {
            let section: HeadReader.Section =
                switch self.role {
                case .server: .trailers
                case .client: self.streams[place].isAnswered ? .trailers : .response
                }
            self.head.begin(section, place: place, isWebSocket: self.streams[place].isWebSocket)
            return place
        }
        guard isRequest, self.role == .server, self.streams.count < self.limits.streamsMax,
            let place = self.streams.insert(StreamState(id: id, isKnown: false))
        else {
            self.spoiled(nil)
            return nil
        }
        self.head.begin(.request, place: place, isWebSocket: false)
        return place
    }

    /// A head is complete and well-formed as far as nghttp2 knows.
    mutating func headEnds(_ place: Int, isLast: Bool) -> HeadOutcome {
        guard self.head.isReading, self.head.place == place else { return .none }
        if self.head.section == .response {
            self.head.closePseudoFields()
            if let accept = self.streams[place].accept { self.head.addAccept(accept.span) }
        }
        self.head.finish()
        if isLast { self.streams[place].remoteEnded = true }
        if self.streams[place].isDone { return .none }
        if self.head.isMalformed {
            self.spoiled(place)
            self.reportReset(place, code: HTTP2Code.protocolError, .here)
            return .reset(code: HTTP2Code.protocolError)
        }
        switch self.head.section {
        case .request: self.requestEnds(place, isLast: isLast)
        case .response: self.responseEnds(place, isLast: isLast)
        case .trailers: return self.trailersEnd(place)
        }
        return .none
    }

    private mutating func requestEnds(_ place: Int, isLast: Bool) {
        self.streams[place].isKnown = true
        self.streams[place].isWebSocket = self.head.isWebSocket
        self.reportHead(place, .request, isLast: isLast)
    }

    private mutating func responseEnds(_ place: Int, isLast: Bool) {
        let isInterim = self.head.status / 100 == 1
        if isInterim {
            // Each costs the caller a head: they are as control frames.
            if let failure = self.scanner.interimHead(at: self.now) { return self.fail(failure) }
        } else {
            self.answered(place)
        }
        self.reportHead(place, isInterim ? .interim : .response, isLast: isLast)
    }

    private mutating func reportHead(_ place: Int, _ kind: HeadKind, isLast: Bool) {
        let stream = self.name(place)
        let tag = self.streams[place].tag
        if let refusal = self.head.refusal {
            self.events.append(.refusedHead(stream, tag: tag, refusal, isLast: isLast))
        } else {
            let text = 0..<self.head.text.count
            self.events.append(.head(stream, tag: tag, text: text, kind, isLast: isLast))
        }
        self.mustPause = true
    }

    private mutating func trailersEnd(_ place: Int) -> HeadOutcome {
        guard self.head.refusal == nil else {
            self.spoiled(place)
            self.reportReset(place, code: HTTP2Code.enhanceYourCalm, .here)
            return .reset(code: HTTP2Code.enhanceYourCalm)
        }
        self.events.append(
            .trailers(
                self.name(place),
                tag: self.streams[place].tag,
                text: 0..<self.head.text.count
            )
        )
        self.mustPause = true
        return .none
    }

    /// A piece of a body came. How much of it nobody will give credit for.
    mutating func dataArrived(_ place: Int?, _ range: Range<Int>) -> Int {
        guard let place, self.streams[place].isKnown, !self.streams[place].isDone else {
            return range.count
        }
        self.streams[place].uncredited &+= range.count
        self.events.append(
            .data(self.name(place), tag: self.streams[place].tag, range, isLast: false)
        )
        return 0
    }

    /// A DATA frame is complete.
    mutating func dataFrameEnds(_ place: Int, payload: Int, isPadded: Bool, isLast: Bool) {
        if isPadded, !isLast, payload < FrameScanner.tinyData,
            let failure = self.scanner.paddingOnly(at: self.now)
        {
            self.fail(failure)
        }
        guard isLast else { return }
        self.streams[place].remoteEnded = true
        guard self.streams[place].isKnown, !self.streams[place].isDone else { return }
        if let last = self.events.indices.last,
            case .data(let stream, let tag, let range, _) = self.events[last],
            stream.id == self.streams[place].id
        {
            self.events[last] = .data(stream, tag: tag, range, isLast: true)
        } else {
            self.events.append(.end(self.name(place), tag: self.streams[place].tag))
        }
    }

    /// Says once that a stream ended before its time.
    mutating func reportReset(_ place: Int, code: UInt32, _ origin: ResetOrigin) {
        guard !self.streams[place].isDone else { return }
        self.streams[place].isDone = true
        guard self.streams[place].isKnown else { return }
        self.events.append(
            .reset(self.name(place), tag: self.streams[place].tag, code: code, origin)
        )
    }

    /// Our side's end of stream was written.
    mutating func localSideEnds(_ place: Int) {
        self.streams[place].localEnded = true
        guard self.streams[place].isKnown, !self.streams[place].isDone,
            !self.streams[place].remoteEnded
        else { return }
        self.events.append(.sent(self.name(place), tag: self.streams[place].tag))
    }

    /// nghttp2 forgets a stream. What was not given credit for goes back to the connection.
    mutating func streamCloses(_ place: Int, code: UInt32) -> Int {
        let stream = self.streams[place]
        if !stream.isDone {
            if code == 0, stream.remoteEnded, stream.localEnded {
                if stream.isKnown {
                    self.events.append(.closed(self.name(place), tag: stream.tag))
                }
            } else {
                // A client's stream that a GOAWAY left out was the peer's choice.
                let byPeer =
                    self.role == .client && self.hasGoAway
                    && code == HTTP2Code.refusedStream
                self.reportReset(place, code: code, byPeer ? .peer : .here)
            }
        }
        if self.head.isReading, self.head.place == place { self.head.abandon() }
        self.streams.remove(place)
        return stream.uncredited
    }

    /// How many body bytes nghttp2 may frame now, and whether they are the last.
    mutating func takeBody(_ place: Int, max: Int) -> (count: Int, isLast: Bool) {
        let count = min(self.streams[place].offered, max, Swift.max(1, self.budget))
        self.streams[place].offered &-= count
        let isLast = self.streams[place].isLast && self.streams[place].offered == 0
        // The stream may be over by the time that its frame's header is written.
        self.bodyStream = self.name(place)
        self.bodyTag = self.streams[place].tag
        if isLast { self.streams[place].bodyIsTaken = true }
        return (count, isLast)
    }

    /// So many bytes of the writer are next.
    mutating func noteBytes(_ range: Range<Int>) {
        if let last = self.segments.indices.last,
            case .bytes(let before) = self.segments[last],
            before.upperBound == range.lowerBound
        {
            self.segments[last] = .bytes(before.lowerBound..<range.upperBound)
        } else {
            self.segments.append(.bytes(range))
        }
    }

    /// So many bytes of the body that was asked for last are next.
    mutating func noteBody(_ count: Int) {
        guard count > 0 else { return }
        self.segments.append(.body(self.bodyStream, tag: self.bodyTag, count: count))
    }

    /// Forgets the events, which were dealt with.
    mutating func removeEvents() {
        self.events.removeAll(keepingCapacity: true)
        self.mustPause = false
        self.head.clear(shrinking: self.streams.count == 0)
    }
}
