package import BelayBytes
package import BelayCore
private import CNGHTTP2

/// One side of one HTTP/2 connection.
///
/// The caller gives it what the socket received (`receive`), handles the events, calls
/// `removeEvents`, and repeats that until all bytes are consumed; it asks `wantsWrite` and sends
/// what `write` made. Writing, too, has events. Times come from the caller.
///
/// Bodies pass by: received bytes are reported as ranges of the caller's own bytes, and for bytes
/// to be sent only the frames' headers are made here.
@safe
package struct HTTP2Session: ~Copyable, @unchecked Sendable {
    // Safe to send: nobody else has the session or the core, and neither knows its thread.
    let session: OpaquePointer
    let core: UnsafeMutablePointer<SessionCore>
    /// The part of a frame's header that came so far.
    private var partial = [9 of UInt8](repeating: 0)
    private var partialCount = 0
    /// Bytes that are missing of the frame whose header came last.
    private var frameLeft = 0
    /// Server: bytes of the client's preface that are missing.
    private var prefaceLeft: Int
    /// What nghttp2 has made and `write` had no room for. nghttp2 keeps it until it is asked for
    /// more.
    private var pending: UnsafePointer<UInt8>?
    private var pendingCount = 0
    /// Server: the highest number of a stream that the client has opened.
    private var highestStream: Int32 = 0
    private var isDead = false
    /// Limit: with less than this left to write, no frame is begun, so that bodies are not cut
    /// into crumbs.
    private static let restMin = 512
    /// Server: the bytes that were written of its SETTINGS, up to the number of streams.
    private var settingsWritten = 0
    var isFinal = false

    /// Queues our settings at once. `seed` is for the keys of WebSockets. Nil without memory.
    package init?(role: HTTP2Role, limits: HTTP2Limits, seed: UInt64, now: Instant) {
        precondition(limits.streamsMax > 0 && limits.headSizeMax <= 48 * 1024, "limits")
        let core = UnsafeMutablePointer<SessionCore>.allocate(capacity: 1)
        // Safe: room for one.
        unsafe core.initialize(to: SessionCore(role: role, limits: limits, seed: seed, now: now))
        guard let session = unsafe makeSession(role, limits, core) else {
            unsafe core.deinitialize(count: 1)
            unsafe core.deallocate()
            return nil
        }
        unsafe self.session = session
        unsafe self.core = core
        unsafe self.pending = nil
        self.prefaceLeft = role == .server ? ClientPreface.bytes.count : 0
    }

    deinit {
        // Safe: nghttp2 may use the core until it is gone, so the core goes last.
        unsafe nghttp2_session_del(self.session)
        unsafe self.core.deinitialize(count: 1)
        unsafe self.core.deallocate()
    }

    // MARK: - Reading

    /// Takes bytes from `start` on and returns how many were consumed: all, or those up to a head,
    /// whose event must be handled before more is read; none while older events wait.
    package mutating func receive(
        _ bytes: borrowing Span<UInt8>,
        from start: Int,
        now: Instant
    ) -> Int {
        precondition(start >= 0 && start <= bytes.count, "beyond the end")
        // Safe: the core lives as long as the session; no other access to it is under way.
        unsafe self.core.pointee.now = now
        // Ranges of older events would be taken for ranges of these bytes.
        if self.eventCount > 0 { return 0 }
        var index = start
        while index < bytes.count, self.mayRead {
            if self.prefaceLeft > 0 {
                self.readPreface(bytes, &index)
            } else {
                self.readFrame(bytes, &index)
            }
            self.settle()
            if unsafe self.core.pointee.isFull { return index &- start }
        }
        // What comes after a failure is of no interest.
        return self.mayRead ? index &- start : bytes.count &- start
    }

    private var mayRead: Bool {
        unsafe !self.isDead && self.core.pointee.failure == nil
    }

    private mutating func readPreface(_ bytes: borrowing Span<UInt8>, _ index: inout Int) {
        while self.prefaceLeft > 0, index < bytes.count {
            let place = ClientPreface.bytes.count &- self.prefaceLeft
            guard bytes[index] == ClientPreface.bytes[place] else {
                unsafe self.core.pointee.fail(.badPreface)
                return
            }
            self.prefaceLeft &-= 1
            index &+= 1
        }
    }

    /// Reads a frame, or the part of it that is there.
    private mutating func readFrame(_ bytes: borrowing Span<UInt8>, _ index: inout Int) {
        if self.frameLeft > 0 {
            let size = Swift.min(self.frameLeft, bytes.count &- index)
            self.frameLeft &-= size
            self.feed(bytes, index..<index &+ size)
            index &+= size
            return
        }
        if self.partialCount == 0, bytes.count &- index >= FrameHeader.size {
            let header = FrameHeader(bytes, at: index)
            guard self.passes(header) else { return }
            let size = Swift.min(header.length, bytes.count &- index &- FrameHeader.size)
            self.frameLeft = header.length &- size
            self.feed(bytes, index..<index &+ FrameHeader.size &+ size)
            index &+= FrameHeader.size &+ size
            return
        }
        while self.partialCount < FrameHeader.size, index < bytes.count {
            self.partial[self.partialCount] = bytes[index]
            self.partialCount &+= 1
            index &+= 1
        }
        guard self.partialCount == FrameHeader.size else { return }
        self.partialCount = 0
        let partial = self.partial
        let header = FrameHeader(partial.span, at: 0)
        guard self.passes(header) else { return }
        self.frameLeft = header.length
        self.feed(partial.span, 0..<FrameHeader.size)
    }

    /// Counts a frame before nghttp2 sees it.
    private mutating func passes(_ header: FrameHeader) -> Bool {
        // Safe: as everywhere here, the core and the session live and are used by nobody else.
        let place = unsafe header.type == 3 ? streamPlace(self.session, header.stream) : nil
        let stage = unsafe self.core.pointee.stage(place)
        let now = unsafe self.core.pointee.now
        var failure = unsafe self.core.pointee.scanner.check(header, stage, at: now)
        // Limit: what may wait for a peer that doesn't read: an answer for each stream, and one
        // for each frame that may come at once.
        let limits = unsafe self.core.pointee.limits
        let queueMax = 64 + 4 * limits.streamsMax + 2 * (limits.controlFrames + limits.resets)
        if unsafe nghttp2_session_get_outbound_queue_size(self.session) > queueMax {
            failure = .queue
        }
        if failure == nil, header.type == 1, self.isStale(header.stream) {
            failure = .protocolError
        }
        guard let failure else { return true }
        unsafe self.core.pointee.fail(failure)
        return false
    }

    /// Whether a client's head is for a stream that it has passed by, or that is over for long:
    /// nghttp2 would not say anything (RFC 9113 §5.1.1).
    private mutating func isStale(_ stream: Int32) -> Bool {
        guard unsafe self.core.pointee.role == .server, stream & 1 == 1 else { return false }
        if stream > self.highestStream {
            self.highestStream = stream
            return false
        }
        return unsafe nghttp2_session_find_stream(self.session, stream) == nil
    }

    private mutating func feed(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
        let session = unsafe self.session
        let core = unsafe self.core
        let read = unsafe bytes.withUnsafeBufferPointer { bytes -> Int in
            guard let base = bytes.baseAddress else { return 0 }
            unsafe core.pointee.input = Int(bitPattern: base)
            // Safe: the range lies within the span. nghttp2 reads it during this call only, and
            // its callbacks use the core, which nobody else does meanwhile.
            return unsafe nghttp2_session_mem_recv(
                session,
                base + range.lowerBound,
                range.count
            )
        }
        // A callback that has had enough stops nghttp2 early; then there is a failure.
        if read < 0 {
            self.isDead = true
            unsafe self.core.pointee.fail(.internal)
        }
    }

    /// Turns a failure that was found into a GOAWAY and an event.
    private mutating func settle() {
        guard let failure = unsafe self.core.pointee.pendingFailure else { return }
        unsafe self.core.pointee.pendingFailure = nil
        unsafe self.core.pointee.failure = failure
        unsafe self.core.pointee.events.append(.failed(failure))
        if self.isDead { return }
        // Safe: nghttp2 stands between two calls.
        let result = unsafe nghttp2_session_terminate_session(self.session, failure.code)
        if result != 0 { self.isDead = true }
    }

    // MARK: - Events

    package var eventCount: Int { unsafe self.core.pointee.events.count }

    package func event(_ index: Int) -> HTTP2Event { unsafe self.core.pointee.events[index] }

    /// Where the texts of heads and trailers lie, until `removeEvents`.
    package var text: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            // Safe: the core is owned by the session, which the span borrows, and changes only in
            // mutating functions.
            let span = unsafe self.core.pointee.head.text.writer.bytes
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// To be called once the events were handled, before more is received.
    package mutating func removeEvents() { unsafe self.core.pointee.removeEvents() }

    // MARK: - Writing

    /// There is something to write. False, too, while all that waits is bodies without a window.
    package var wantsWrite: Bool {
        if self.pendingCount > 0 { return true }
        return unsafe !self.isDead && nghttp2_session_want_write(self.session) != 0
    }

    /// Appends to `out` what is to be sent, up to about `max` bytes and as far as there is room,
    /// bodies included, of which only the frames' headers are written: what lies between them is
    /// told by the segments. Returns how many bytes the segments come to.
    @discardableResult
    package mutating func write(max: Int, into out: inout ByteWriter) -> Int {
        unsafe self.core.pointee.segments.removeAll(keepingCapacity: true)
        var total = 0
        while total < max {
            if self.pendingCount > 0 {
                let size = Swift.min(self.pendingCount, out.capacity &- out.count)
                guard size > 0 else { break }
                self.movePending(size, into: &out)
                total &+= size
                continue
            }
            guard !self.isDead, out.capacity &- out.count >= FrameHeader.size,
                total == 0 || max &- total >= Self.restMin
            else { break }
            unsafe self.core.pointee.budget = max &- total &- FrameHeader.size
            var data: UnsafePointer<UInt8>?
            // Safe: nghttp2 stands between two calls. What it points to stays until the next one.
            let size = unsafe nghttp2_session_mem_send(self.session, &data)
            if size < 0 {
                self.isDead = true
                unsafe self.core.pointee.fail(.internal)
                break
            }
            if unsafe self.core.pointee.hasDataHeader {
                total &+= self.moveDataHeader(into: &out)
            } else if size == 0 {
                break
            } else {
                unsafe self.pending = data
                self.pendingCount = size
            }
        }
        self.settle()
        return total
    }

    private mutating func movePending(_ size: Int, into out: inout ByteWriter) {
        guard let pending = unsafe self.pending else { return }
        // Safe: `size` is at most `pendingCount`, which is how many bytes nghttp2 left there, and
        // it was not called since.
        out.append(unsafe Span(_unsafeStart: pending, count: size))
        unsafe self.pending = pending + size
        self.pendingCount &-= size
        unsafe self.core.pointee.noteBytes(out.count &- size..<out.count)
        self.stateStreams(size, in: &out)
    }

    /// Puts the true number of streams into our SETTINGS. nghttp2 was told more: it ends the
    /// connection where there are too many, and a stream too many is to be refused by itself
    /// (RFC 9113 §5.1.2).
    private mutating func stateStreams(_ size: Int, in out: inout ByteWriter) {
        // The number lies behind the frame's header and the first entry's name.
        guard self.settingsWritten < 15 else { return }
        let (role, limits) = unsafe (self.core.pointee.role, self.core.pointee.limits)
        guard role == .server else { return }
        let start = out.count &- size
        for offset in 0..<size where (11..<15).contains(self.settingsWritten &+ offset) {
            let shift = (14 &- self.settingsWritten &- offset) * 8
            out.replace(
                at: start &+ offset,
                with: UInt8(truncatingIfNeeded: limits.streamsMax >> shift)
            )
        }
        self.settingsWritten &+= size
    }

    /// The frame's header goes to `out`; what the frame takes in all.
    private mutating func moveDataHeader(into out: inout ByteWriter) -> Int {
        let start = out.count
        let header = unsafe self.core.pointee.dataHeader
        out.append(header.span)
        unsafe self.core.pointee.hasDataHeader = false
        let count = FrameHeader(header.span, at: 0).length
        unsafe self.core.pointee.noteBytes(start..<out.count)
        unsafe self.core.pointee.noteBody(count)
        return FrameHeader.size &+ count
    }

    package var segmentCount: Int { unsafe self.core.pointee.segments.count }

    /// A piece of what the last `write` made, in order.
    package func segment(_ index: Int) -> HTTP2Segment {
        unsafe self.core.pointee.segments[index]
    }

    // MARK: - State

    /// Nothing more will be read or written: the connection may be closed.
    package var isOver: Bool {
        if self.wantsWrite { return false }
        if unsafe self.core.pointee.failure != nil || self.isDead { return true }
        return unsafe (self.isFinal || self.core.pointee.hasGoAway)
            && self.core.pointee.streams.count == 0
    }

    /// Streams that are not over on both sides.
    package var streamCount: Int { unsafe self.core.pointee.streams.count }

    /// The peer's SETTINGS came, so that what it allows is known.
    package var hasPeerSettings: Bool { unsafe self.core.pointee.hasSettings }

    /// A frame or a head has begun and is not complete: the peer is in the middle of something.
    package var isReading: Bool {
        if self.frameLeft > 0 || self.partialCount > 0 { return true }
        return unsafe self.core.pointee.head.isReading
    }

    /// Streams that were reset for what the peer did on them, from the beginning.
    package var spoiledStreams: Int { unsafe self.core.pointee.spoiledStreams }

    /// How many streams the peer takes at once.
    package var peerStreamsMax: Int {
        // Safe: reads a number.
        Int(
            unsafe nghttp2_session_get_remote_settings(
                self.session,
                NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS
            )
        )
    }

    /// The peer takes WebSockets (RFC 8441).
    package var peerAllowsExtendedConnect: Bool {
        // Safe: reads a number.
        unsafe nghttp2_session_get_remote_settings(
            self.session,
            NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL
        ) == 1
    }
}

/// The place that a stream has in our table; nil for streams that nghttp2 does not know, or that
/// were refused.
func streamPlace(_ session: OpaquePointer, _ id: Int32) -> Int? {
    // Safe: the pointer is a number that we gave, never followed.
    let data = unsafe nghttp2_session_get_stream_user_data(session, id)
    let number = Int(bitPattern: data)
    return number == 0 ? nil : number &- 1
}
