import BelayBytes
import CNGHTTP2

// What nghttp2 calls while it reads and writes. Each finds the session's core behind `user_data`
// and hands it spans and numbers.
//
// Safe, throughout: `user_data` is the core that the session was made with, which outlives it.
// nghttp2 is called only by functions of `HTTP2Session` that are mutating and hold no access to the
// core meanwhile, so that a callback is the core's only user. Frames and bytes are valid during the
// callback, and no pointer to them is kept.

/// Makes nghttp2's session with our settings queued; nil without memory.
func makeSession(
    _ role: HTTP2Role,
    _ limits: HTTP2Limits,
    _ core: UnsafeMutablePointer<SessionCore>
) -> OpaquePointer? {
    var callbacks: OpaquePointer?
    guard unsafe nghttp2_session_callbacks_new(&callbacks) == 0 else { return nil }
    // Safe: the session copies the callbacks and the options.
    defer { unsafe nghttp2_session_callbacks_del(callbacks) }
    unsafe setCallbacks(callbacks)

    var options: OpaquePointer?
    guard unsafe nghttp2_option_new(&options) == 0 else { return nil }
    defer { unsafe nghttp2_option_del(options) }
    unsafe setOptions(options)

    var session: OpaquePointer?
    let result =
        role == .server
        ? unsafe nghttp2_session_server_new2(&session, callbacks, core, options)
        : unsafe nghttp2_session_client_new2(&session, callbacks, core, options)
    guard result == 0, let session = unsafe session else { return nil }
    guard unsafe submitSettings(session, role, limits) else {
        unsafe nghttp2_session_del(session)
        return nil
    }
    return unsafe session
}

private func setOptions(_ options: OpaquePointer?) {
    // Bodies are given credit for when they were passed on, not when they came.
    unsafe nghttp2_option_set_no_auto_window_update(options, 1)
    // The preface is read before nghttp2 is asked.
    unsafe nghttp2_option_set_no_recv_client_magic(options, 1)
    // A response may be as large as our parser takes it.
    unsafe nghttp2_option_set_max_send_header_block_length(options, 256 * 1024)
    // Limit: we count resets and continuations ourselves, by the time that we are given; these are
    // beyond what we let through.
    unsafe nghttp2_option_set_stream_reset_rate_limit(options, 1 << 40, 1 << 20)
    unsafe nghttp2_option_set_max_continuations(options, 64)
    unsafe nghttp2_option_set_max_outbound_ack(options, 1 << 20)
}

private func submitSettings(
    _ session: OpaquePointer,
    _ role: HTTP2Role,
    _ limits: HTTP2Limits
) -> Bool {
    func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
        nghttp2_settings_entry(
            settings_id: Int32(bitPattern: id.rawValue),
            value: UInt32(truncatingIfNeeded: value)
        )
    }
    var entries: [nghttp2_settings_entry] = []
    // First, because `stateStreams` writes over it: more than are open at once, and all that may be
    // refused at once.
    if role == .server {
        let count = 2 * limits.streamsMax + limits.resets + 16
        entries.append(entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, count))
    }
    entries += [
        entry(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 4096),
        entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.streamWindow),
        entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.headSizeMax),
    ]
    switch role {
    case .server:
        if limits.allowsExtendedConnect {
            entries.append(entry(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1))
        }
    case .client:
        entries.append(entry(NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
    }
    // Safe: nghttp2 copies the entries.
    let isSubmitted =
        unsafe nghttp2_submit_settings(
            session,
            UInt8(NGHTTP2_FLAG_NONE.rawValue),
            entries,
            entries.count
        ) == 0
    let window = Int32(truncatingIfNeeded: limits.connectionWindow)
    return unsafe isSubmitted
        && nghttp2_session_set_local_window_size(session, 0, 0, window) == 0
}

private func setCallbacks(_ callbacks: OpaquePointer?) {
    unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) {
        unsafe headersBegin($0, $1, $2)
    }
    unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
        _,
        _,
        name,
        nameCount,
        value,
        valueCount,
        _,
        userData in
        unsafe headerArrives(name, nameCount, value, valueCount, userData)
    }
    unsafe nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks) {
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _ in
        // nghttp2 would pass over the field; the head is malformed (RFC 9113 §8.1.1).
        NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }
    unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) {
        unsafe frameArrives($0, $1, $2)
    }
    unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
        session,
        _,
        id,
        data,
        count,
        userData in
        unsafe dataArrives(session, id, data, count, userData)
    }
    unsafe nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) {
        session,
        frame,
        _,
        userData in
        unsafe frameIsInvalid(session, frame, userData)
    }
    unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) {
        unsafe streamCloses($0, $1, $2, $3)
    }
    unsafe nghttp2_session_callbacks_set_send_data_callback(callbacks) {
        _,
        _,
        header,
        count,
        _,
        userData in
        unsafe dataHeaderIsMade(header, count, userData)
    }
    unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) {
        unsafe frameIsSent($0, $1, $2)
    }
    unsafe nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) {
        session,
        frame,
        _,
        _ in
        unsafe frameIsNotSent(session, frame)
    }
}

private func core(_ userData: UnsafeMutableRawPointer?) -> UnsafeMutablePointer<SessionCore> {
    guard let userData = unsafe userData else { preconditionFailure("a session without a core") }
    return unsafe userData.assumingMemoryBound(to: SessionCore.self)
}

/// A place as the pointer that nghttp2 keeps for a stream.
func pointer(ofPlace place: Int) -> UnsafeMutableRawPointer? {
    unsafe UnsafeMutableRawPointer(bitPattern: place &+ 1)
}

// MARK: - Reading

private func headersBegin(
    _ session: OpaquePointer?,
    _ frame: UnsafePointer<nghttp2_frame>?,
    _ userData: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = unsafe session, let frame = unsafe frame else { return 0 }
    let id = unsafe frame.pointee.hd.stream_id
    let known = unsafe streamPlace(session, id)
    let isRequest = unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
    let core = unsafe core(userData)
    guard
        let place = unsafe core.pointee.headBegins(id: id, place: known, isRequest: isRequest)
    else {
        unsafe nghttp2_submit_rst_stream(session, 0, id, HTTP2Code.refusedStream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }
    if known == nil {
        unsafe nghttp2_session_set_stream_user_data(session, id, pointer(ofPlace: place))
    }
    return 0
}

private func headerArrives(
    _ name: UnsafePointer<UInt8>?,
    _ nameCount: Int,
    _ value: UnsafePointer<UInt8>?,
    _ valueCount: Int,
    _ userData: UnsafeMutableRawPointer?
) -> Int32 {
    let core = unsafe core(userData)
    let name = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: name, count: nameCount))
    let value = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: value, count: valueCount))
    if unsafe core.pointee.head.add(name, value) { return 0 }
    unsafe core.pointee.fail(.headSize)
    return NGHTTP2_ERR_PAUSE.rawValue
}

private func frameArrives(
    _ session: OpaquePointer?,
    _ frame: UnsafePointer<nghttp2_frame>?,
    _ userData: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = unsafe session, let frame = unsafe frame else { return 0 }
    let core = unsafe core(userData)
    let header = unsafe frame.pointee.hd
    let isLast = UInt32(header.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0
    switch UInt32(header.type) {
    case NGHTTP2_DATA.rawValue:
        guard let place = unsafe streamPlace(session, header.stream_id) else { return 0 }
        let padding = unsafe frame.pointee.data.padlen
        let payload = header.length &- padding
        let isPadded = padding > 0
        unsafe core.pointee.dataFrameEnds(
            place,
            payload: payload,
            isPadded: isPadded,
            isLast: isLast
        )
    case NGHTTP2_HEADERS.rawValue:
        guard let place = unsafe streamPlace(session, header.stream_id) else { return 0 }
        if case .reset(let code) = unsafe core.pointee.headEnds(place, isLast: isLast) {
            unsafe nghttp2_submit_rst_stream(session, 0, header.stream_id, code)
        }
    case NGHTTP2_RST_STREAM.rawValue:
        guard let place = unsafe streamPlace(session, header.stream_id) else { return 0 }
        let code = unsafe frame.pointee.rst_stream.error_code
        unsafe core.pointee.reportReset(place, code: code, .peer)
    case NGHTTP2_SETTINGS.rawValue:
        guard UInt32(header.flags) & NGHTTP2_FLAG_ACK.rawValue == 0 else { return 0 }
        unsafe core.pointee.hasSettings = true
        unsafe core.pointee.events.append(.settings)
    case NGHTTP2_GOAWAY.rawValue:
        unsafe core.pointee.hasGoAway = true
        let last = unsafe frame.pointee.goaway.last_stream_id
        let code = unsafe frame.pointee.goaway.error_code
        unsafe core.pointee.events.append(.goAway(lastStream: last, code: code))
    default: break
    }
    return 0
}

private func dataArrives(
    _ session: OpaquePointer?,
    _ id: Int32,
    _ data: UnsafePointer<UInt8>?,
    _ count: Int,
    _ userData: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = unsafe session, count > 0 else { return 0 }
    let core = unsafe core(userData)
    // Safe: nghttp2 hands on a part of what it was given to read, which begins at `input`.
    let start = unsafe Int(bitPattern: data) &- core.pointee.input
    let place = unsafe streamPlace(session, id)
    let unwanted = unsafe core.pointee.dataArrived(place, start..<start &+ count)
    if unwanted > 0 { unsafe nghttp2_session_consume_connection(session, unwanted) }
    return 0
}

/// nghttp2 resets the frame's stream, or ends the connection.
private func frameIsInvalid(
    _ session: OpaquePointer?,
    _ frame: UnsafePointer<nghttp2_frame>?,
    _ userData: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = unsafe session, let frame = unsafe frame else { return 0 }
    let id = unsafe frame.pointee.hd.stream_id
    guard id != 0, let place = unsafe streamPlace(session, id) else { return 0 }
    unsafe core(userData).pointee.spoiled(place)
    return 0
}

private func streamCloses(
    _ session: OpaquePointer?,
    _ id: Int32,
    _ code: UInt32,
    _ userData: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = unsafe session, let place = unsafe streamPlace(session, id) else {
        return 0
    }
    let uncredited = unsafe core(userData).pointee.streamCloses(place, code: code)
    unsafe nghttp2_session_set_stream_user_data(session, id, nil)
    if uncredited > 0 { unsafe nghttp2_session_consume_connection(session, uncredited) }
    return 0
}

// MARK: - Writing

/// What nghttp2 asks for the body of a stream.
func bodyProvider() -> nghttp2_data_provider {
    var provider = unsafe nghttp2_data_provider()
    unsafe provider.read_callback = { session, id, _, length, flags, _, userData in
        unsafe bodyIsAskedFor(session, id, length, flags, userData)
    }
    return unsafe provider
}

private func bodyIsAskedFor(
    _ session: OpaquePointer?,
    _ id: Int32,
    _ length: Int,
    _ flags: UnsafeMutablePointer<UInt32>?,
    _ userData: UnsafeMutableRawPointer?
) -> Int {
    guard let session = unsafe session, let flags = unsafe flags,
        let place = unsafe streamPlace(session, id)
    else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
    let core = unsafe core(userData)
    let (count, isLast) = unsafe core.pointee.takeBody(place, max: length)
    if count == 0, !isLast {
        unsafe core.pointee.streams[place].isDeferred = true
        return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }
    unsafe flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
    guard isLast else { return count }
    unsafe flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
    if unsafe core.pointee.streams[place].hasTrailers {
        unsafe flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
        if let trailers = unsafe core.pointee.streams[place].trailers {
            unsafe core.pointee.streams[place].trailers = nil
            unsafe submitFields(session, id, trailers.span)
        }
    }
    return count
}

private func dataHeaderIsMade(
    _ header: UnsafePointer<UInt8>?,
    _ count: Int,
    _ userData: UnsafeMutableRawPointer?
) -> Int32 {
    let core = unsafe core(userData)
    // Safe: nghttp2 passes the nine bytes of a frame's header.
    for index in 0..<9 {
        unsafe core.pointee.dataHeader[index] = header?[index] ?? 0
    }
    unsafe core.pointee.hasDataHeader = true
    unsafe core.pointee.scanner.dataSent(count)
    // nghttp2 returns to `write`, which then knows where the frame's bytes are due.
    return NGHTTP2_ERR_PAUSE.rawValue
}

private func frameIsSent(
    _ session: OpaquePointer?,
    _ frame: UnsafePointer<nghttp2_frame>?,
    _ userData: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = unsafe session, let frame = unsafe frame else { return 0 }
    let core = unsafe core(userData)
    let header = unsafe frame.pointee.hd
    switch UInt32(header.type) {
    case NGHTTP2_DATA.rawValue, NGHTTP2_HEADERS.rawValue:
        guard UInt32(header.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0,
            let place = unsafe streamPlace(session, header.stream_id)
        else { return 0 }
        unsafe core.pointee.localSideEnds(place)
    case NGHTTP2_RST_STREAM.rawValue:
        let place = unsafe streamPlace(session, header.stream_id)
        let isOurWish = place.map { unsafe core.pointee.streams[$0].isDone } ?? true
        if !isOurWish { unsafe core.pointee.spoiled(place) }
    case NGHTTP2_GOAWAY.rawValue:
        let code = unsafe frame.pointee.goaway.error_code
        if code != 0, unsafe core.pointee.failure == nil {
            unsafe core.pointee.fail(HTTP2Failure(code: code))
        }
    default: break
    }
    return 0
}

/// A head that nghttp2 could not write leaves its stream without an end.
private func frameIsNotSent(
    _ session: OpaquePointer?,
    _ frame: UnsafePointer<nghttp2_frame>?
) -> Int32 {
    guard let session = unsafe session, let frame = unsafe frame else { return 0 }
    let header = unsafe frame.pointee.hd
    guard UInt32(header.type) == NGHTTP2_HEADERS.rawValue,
        unsafe frame.pointee.headers.cat != NGHTTP2_HCAT_REQUEST,
        unsafe streamPlace(session, header.stream_id) != nil
    else { return 0 }
    unsafe nghttp2_submit_rst_stream(session, 0, header.stream_id, HTTP2Code.internalError)
    return 0
}
