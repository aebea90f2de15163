import BelayBytes
private import CNGHTTP2

// What the caller asks of a session. Names of streams that are over are passed over.
//
// Safe, throughout: the session and its core live as long as the value, these functions are
// mutating, and nghttp2 stands between two calls; it copies what it is given.

extension HTTP2Session {
    /// Sets the number that comes back in the stream's events.
    package mutating func setTag(_ stream: HTTP2Stream, _ tag: Int) {
        guard let place = unsafe self.core.pointee.place(stream) else { return }
        unsafe self.core.pointee.streams[place].tag = tag
    }

    /// Sends the head of a response, given as HTTP/1.1 text. A 101 that answers a WebSocket's
    /// request becomes 200 (RFC 8441 §5). With `isLast` no body follows; interim heads are never
    /// last.
    package mutating func submitResponse(
        _ stream: HTTP2Stream,
        head: borrowing Span<UInt8>,
        isLast: Bool,
        isInterim: Bool
    ) {
        guard let place = unsafe self.core.pointee.place(stream), !self.isFailed else { return }
        let opensWebSocket =
            unsafe self.core.pointee.streams[place].isWebSocket && isSwitching(head)
        if !isInterim || opensWebSocket { unsafe self.core.pointee.answered(place) }
        var fields = HeadFields(head, hasFirstLine: true)
        let session = unsafe self.session
        let result = unsafe withFieldArray(head, extra: 1) { array -> Int32 in
            // `HTTP/1.1 200`.
            if opensWebSocket {
                unsafe array.append(":status", "200")
            } else {
                unsafe array.append(":status", 9..<12)
            }
            while let field = fields.next(head) {
                switch KnownName(head, field.name) {
                case .hopByHop, .upgrade, .te: continue
                case .webSocketAccept, .contentLength: if opensWebSocket { continue }
                case .other, .host, .cookie, .webSocketKey: break
                }
                unsafe array.append(field.name, field.value)
            }
            if isInterim && !opensWebSocket {
                return unsafe nghttp2_submit_headers(
                    session,
                    0,
                    stream.id,
                    nil,
                    array.fields,
                    array.count,
                    nil
                )
            }
            if isLast && !opensWebSocket {
                return unsafe nghttp2_submit_response(
                    session,
                    stream.id,
                    array.fields,
                    array.count,
                    nil
                )
            }
            var provider = unsafe bodyProvider()
            return unsafe nghttp2_submit_response(
                session,
                stream.id,
                array.fields,
                array.count,
                &provider
            )
        }
        if result < 0 { self.giveUp(stream, place) }
    }

    /// Sends the head of a request, given as HTTP/1.1 text, on a new stream.
    ///
    /// Throws when the request must go elsewhere.
    package mutating func submitRequest(
        head: borrowing Span<UInt8>,
        scheme: HTTP2Scheme,
        isLast: Bool,
        tag: Int
    ) throws(HTTP2Refusal) -> HTTP2Stream {
        let parts = RequestParts(head)
        try self.checkRoom()
        if parts.isWebSocket, !self.peerAllowsExtendedConnect { throw .noExtendedConnect }
        guard let place = unsafe self.core.pointee.streams.insert(StreamState(id: 0, isKnown: true))
        else { throw .full }
        let id = self.send(parts, head, scheme, isLast: isLast, place: place)
        guard id > 0 else {
            unsafe self.core.pointee.streams.remove(place)
            throw .closing
        }
        var state = StreamState(id: id, isKnown: true)
        state.tag = tag
        if parts.isWebSocket {
            state.isWebSocket = true
            if let key = parts.key {
                state.accept = WebSocketHandshake.accept(head.extracting(key))
            }
        }
        unsafe self.core.pointee.streams[place] = state
        return HTTP2Stream(id: id, place: Int32(truncatingIfNeeded: place))
    }

    private func checkRoom() throws(HTTP2Refusal) {
        guard !self.isFailed, !self.isFinal, unsafe !self.core.pointee.hasGoAway,
            unsafe nghttp2_session_check_request_allowed(self.session) != 0
        else { throw .closing }
        let streamsMax = unsafe Swift.min(self.core.pointee.limits.streamsMax, self.peerStreamsMax)
        guard self.streamCount < streamsMax else { throw .full }
    }

    /// The stream's id, or what went wrong.
    private func send(
        _ parts: RequestParts,
        _ head: borrowing Span<UInt8>,
        _ scheme: HTTP2Scheme,
        isLast: Bool,
        place: Int
    ) -> Int32 {
        var fields = HeadFields(head, hasFirstLine: true)
        let session = unsafe self.session
        let isConnect = head.isEqual(parts.method, to: "CONNECT")
        return unsafe withFieldArray(head, extra: 5) { array -> Int32 in
            if parts.isWebSocket {
                unsafe array.append(":method", "CONNECT")
                unsafe array.append(":protocol", "websocket")
            } else {
                unsafe array.append(":method", parts.method)
            }
            if isConnect {
                unsafe array.append(":authority", parts.target)
            } else {
                switch scheme {
                case .http: unsafe array.append(":scheme", "http")
                case .https: unsafe array.append(":scheme", "https")
                }
                if let host = parts.host { unsafe array.append(":authority", host) }
                unsafe array.append(":path", parts.target)
            }
            while let field = fields.next(head) {
                switch KnownName(head, field.name) {
                case .hopByHop, .upgrade, .host: continue
                case .webSocketKey: if parts.isWebSocket { continue }
                case .te:
                    guard head.isEqual(field.value, toLowercase: "trailers") else { continue }
                case .other, .cookie, .contentLength, .webSocketAccept: break
                }
                unsafe array.append(field.name, field.value)
            }
            let data = unsafe pointer(ofPlace: place)
            if isLast && !parts.isWebSocket {
                return unsafe nghttp2_submit_request(
                    session,
                    nil,
                    array.fields,
                    array.count,
                    nil,
                    data
                )
            }
            var provider = unsafe bodyProvider()
            return unsafe nghttp2_submit_request(
                session,
                nil,
                array.fields,
                array.count,
                &provider,
                data
            )
        }
    }

    /// Says how many body bytes wait at the caller, in all, and whether they are the last; with
    /// `trailers` the caller also calls `submitTrailers`.
    package mutating func offer(
        _ stream: HTTP2Stream,
        count: Int,
        isLast: Bool,
        trailers: Bool = false
    ) {
        precondition(count >= 0, "less than nothing is offered")
        guard let place = unsafe self.core.pointee.place(stream), !self.isFailed else { return }
        guard unsafe !self.core.pointee.streams[place].bodyIsTaken else { return }
        unsafe self.core.pointee.streams[place].offered = count
        unsafe self.core.pointee.streams[place].isLast = isLast
        unsafe self.core.pointee.streams[place].hasTrailers = trailers
        guard count > 0 || isLast, unsafe self.core.pointee.streams[place].isDeferred else {
            return
        }
        unsafe self.core.pointee.streams[place].isDeferred = false
        unsafe nghttp2_session_resume_data(self.session, stream.id)
    }

    /// Sends field lines behind the last byte that was offered, and ends the stream.
    package mutating func submitTrailers(_ stream: HTTP2Stream, lines: borrowing Span<UInt8>) {
        guard let place = unsafe self.core.pointee.place(stream), !self.isFailed else { return }
        if unsafe self.core.pointee.streams[place].bodyIsTaken {
            if unsafe submitFields(self.session, stream.id, lines) < 0 {
                self.giveUp(stream, place)
            }
            return
        }
        var copy: [UInt8] = []
        copy.reserveCapacity(lines.count)
        for index in 0..<lines.count { copy.append(lines[index]) }
        unsafe self.core.pointee.streams[place].trailers = copy
    }

    /// Says that so many received body bytes were passed on: as many more may come.
    package mutating func credit(_ stream: HTTP2Stream, _ count: Int) {
        guard let place = unsafe self.core.pointee.place(stream) else { return }
        let size = unsafe Swift.min(count, self.core.pointee.streams[place].uncredited)
        guard size > 0 else { return }
        unsafe self.core.pointee.streams[place].uncredited &-= size
        unsafe nghttp2_session_consume(self.session, stream.id, size)
    }

    /// Ends a stream before its time. Nothing more is said of it.
    package mutating func reset(_ stream: HTTP2Stream, code: UInt32) {
        guard let place = unsafe self.core.pointee.place(stream) else { return }
        unsafe self.core.pointee.streams[place].isDone = true
        let uncredited = unsafe self.core.pointee.streams[place].uncredited
        unsafe self.core.pointee.streams[place].uncredited = 0
        if uncredited > 0 { unsafe nghttp2_session_consume_connection(self.session, uncredited) }
        unsafe nghttp2_submit_rst_stream(self.session, 0, stream.id, code)
    }

    /// Says that the connection will end: `notice` first, `final` a round trip later, or at once.
    package mutating func shutdown(_ phase: HTTP2ShutdownPhase) {
        guard !self.isFailed, !self.isFinal else { return }
        switch phase {
        case .notice:
            guard unsafe self.core.pointee.role == .server else { return }
            unsafe nghttp2_submit_shutdown_notice(self.session)
        case .final:
            self.isFinal = true
            let last = unsafe nghttp2_session_get_last_proc_stream_id(self.session)
            unsafe nghttp2_submit_goaway(self.session, 0, last, HTTP2Code.noError, nil, 0)
        }
    }

    var isFailed: Bool { unsafe self.core.pointee.failure != nil }

    /// nghttp2 did not take a head: the stream cannot go on.
    private mutating func giveUp(_ stream: HTTP2Stream, _ place: Int) {
        unsafe self.core.pointee.reportReset(place, code: HTTP2Code.internalError, .here)
        unsafe nghttp2_submit_rst_stream(self.session, 0, stream.id, HTTP2Code.internalError)
    }
}

/// The text is of a 101.
private func isSwitching(_ head: borrowing Span<UInt8>) -> Bool {
    head.count > 12 && head.isEqual(9..<12, to: "101")
}

/// Sends field lines as the trailers of a stream; below zero what went wrong.
@discardableResult
func submitFields(
    _ session: OpaquePointer,
    _ id: Int32,
    _ lines: borrowing Span<UInt8>
) -> Int32 {
    var fields = HeadFields(lines, hasFirstLine: false)
    return unsafe withFieldArray(lines, extra: 0) { array in
        while let field = fields.next(lines) {
            switch KnownName(lines, field.name) {
            case .hopByHop, .upgrade, .te, .host, .contentLength: continue
            case .other, .cookie, .webSocketKey, .webSocketAccept: break
            }
            unsafe array.append(field.name, field.value)
        }
        return unsafe nghttp2_submit_trailer(session, id, array.fields, array.count)
    }
}

/// Fields in the form that nghttp2 reads: pointers into a copy of the head's text, in which names
/// are in lower case.
@unsafe
private struct FieldArray {
    let text: UnsafeMutablePointer<UInt8>
    let size: Int
    let fields: UnsafeMutablePointer<nghttp2_nv>
    let capacity: Int
    var count = 0

    /// Safe: the ranges lie in the text that was copied, and there is room for as many fields as
    /// it has lines; both are checked.
    mutating func append(_ name: Range<Int>, _ value: Range<Int>) {
        precondition(unsafe self.count < self.capacity, "more fields than lines")
        let end = max(name.upperBound, value.upperBound)
        precondition(unsafe end <= self.size, "a field beyond the text")
        for index in name { unsafe self.text[index] = lowercased(self.text[index]) }
        unsafe (self.fields + self.count).initialize(
            to: nghttp2_nv(
                name: self.text + name.lowerBound,
                value: self.text + value.lowerBound,
                namelen: name.count,
                valuelen: value.count,
                flags: 0
            )
        )
        unsafe self.count &+= 1
    }

    mutating func append(_ name: StaticString, _ value: Range<Int>) {
        precondition(unsafe value.upperBound <= self.size, "a field beyond the text")
        unsafe self.append(name, self.text + value.lowerBound, value.count)
    }

    mutating func append(_ name: StaticString, _ value: StaticString) {
        unsafe self.append(
            name,
            UnsafeMutablePointer(mutating: value.utf8Start),
            value.utf8CodeUnitCount
        )
    }

    /// Safe: nghttp2 only reads, although its fields are not const, and static strings stay.
    private mutating func append(
        _ name: StaticString,
        _ value: UnsafeMutablePointer<UInt8>,
        _ count: Int
    ) {
        precondition(unsafe self.count < self.capacity, "more fields than lines")
        unsafe (self.fields + self.count).initialize(
            to: nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name.utf8Start),
                value: value,
                namelen: name.utf8CodeUnitCount,
                valuelen: count,
                flags: 0
            )
        )
        unsafe self.count &+= 1
    }
}

/// Calls `body` with an array that has room for every line of `text` and `extra` more.
private func withFieldArray(
    _ text: borrowing Span<UInt8>,
    extra: Int,
    _ body: (inout FieldArray) -> Int32
) -> Int32 {
    var lines = extra
    for index in 0..<text.count where text[index] == 0x0A { lines &+= 1 }
    let size = text.count
    // Safe: the two pieces of memory are as large as stated, live until `body` has returned, and
    // hold trivial values. nghttp2 copies what it is given. `text` is copied whole before use.
    return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(1, size)) { copy in
        for index in 0..<size { unsafe copy.initializeElement(at: index, to: text[index]) }
        return unsafe withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: max(1, lines)) {
            fields -> Int32 in
            guard let start = copy.baseAddress, let first = fields.baseAddress else { return -1 }
            var array = unsafe FieldArray(text: start, size: size, fields: first, capacity: lines)
            return unsafe body(&array)
        }
    }
}
