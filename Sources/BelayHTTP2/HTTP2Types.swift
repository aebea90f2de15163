// BelayHTTP2: one side of an HTTP/2 connection (RFC 9113), bytes to events and heads to bytes,
// without I/O and without a clock. nghttp2 does frames and HPACK; here heads become HTTP/1.1 text
// and HTTP/1.1 text becomes heads, so that one strict parser serves both versions, and floods are
// counted before they cost anything. Not here: sockets (BelayTransport), what to do with a request
// (BelayProxy). Start with `HTTP2Session`, then `FrameScanner`, `HeadReader` and `HeadFields`.

package import BelayHTTP

/// Which side of the connection we are.
package enum HTTP2Role: UInt8, Sendable {
    case server, client
}

/// What one connection may take.
package struct HTTP2Limits: Sendable {
    /// Streams that are open at once.
    package var streamsMax = 100
    /// Bytes of a head: names, values and 32 for each field (RFC 9113 §6.5.2). At most 48 KiB, so
    /// that its text fits the ranges of a parsed head.
    package var headSizeMax = 32 * 1024
    /// Fields of a head, the pseudo-header fields not among them.
    package var headerCountMax = 100
    /// Requests that the peer may give up before they are answered, or spoil so that we must reset
    /// them, at once; refills within ten seconds.
    package var resets = 200
    /// PING, SETTINGS, PRIORITY, empty DATA and the like at once; refills within ten seconds.
    package var controlFrames = 200
    /// Bytes of a body that may wait here, for each stream.
    package var streamWindow = 65_535
    /// Bytes of all bodies that may wait here.
    package var connectionWindow = 1024 * 1024
    /// Server: WebSockets may be opened (RFC 8441).
    package var allowsExtendedConnect = true

    package init() {}
}

/// The name of a stream. A name of a stream that is over is harmless: whatever is asked of it is
/// passed over.
package struct HTTP2Stream: Hashable, Sendable {
    package let id: Int32
    /// Its index in the session's own table, reused by later streams.
    package let place: Int32

    package init(id: Int32, place: Int32) {
        self.id = id
        self.place = place
    }
}

/// What a head is of.
package enum HeadKind: UInt8, Sendable {
    case request
    /// A 1xx response; another head follows.
    case interim
    case response
}

/// Why a head that was framed well is not passed on. The stream is open and waits for an answer or
/// a reset.
package enum HeadRefusal: Equatable, Sendable {
    case tooLarge
    case tooManyFields
    /// An extended CONNECT for something else than a WebSocket: to be answered 501.
    case unknownProtocol

    /// What to answer.
    package var error: MessageError {
        switch self {
        case .tooLarge: .headTooLarge
        case .tooManyFields: .tooManyFields
        case .unknownProtocol: .badUpgrade
        }
    }

    package var status: UInt16 {
        switch self {
        case .tooLarge, .tooManyFields: 431
        case .unknownProtocol: 501
        }
    }
}

/// Who ended a stream before its time.
package enum ResetOrigin: UInt8, Sendable {
    /// The peer: by RST_STREAM, or by a GOAWAY that leaves the stream out.
    case peer
    /// We, for something that the peer did wrong on it.
    case here
}

/// Why a connection cannot go on; for counters and the log.
package enum HTTP2Failure: UInt8, Sendable, CaseIterable {
    // What the peer did wrong.
    case badPreface, protocolError, flowControl, frameSize, compression, streamClosed
    // What the peer did too often. `resets` are of requests, `queue` is what it lets wait here
    // without reading.
    case resets, pings, settings, priorities, windowUpdates, emptyFrames, unknownFrames
    case interimHeads, continuations, headSize, queue
    /// nghttp2 could not go on, for example without memory.
    case `internal`

    /// As it stands in logs and metrics.
    package var name: StaticString {
        switch self {
        case .badPreface: "bad-preface"
        case .protocolError: "protocol-error"
        case .flowControl: "flow-control"
        case .frameSize: "frame-size"
        case .compression: "compression"
        case .streamClosed: "stream-closed"
        case .resets: "resets"
        case .pings: "pings"
        case .settings: "settings"
        case .priorities: "priorities"
        case .windowUpdates: "window-updates"
        case .emptyFrames: "empty-frames"
        case .unknownFrames: "unknown-frames"
        case .interimHeads: "interim-heads"
        case .continuations: "continuations"
        case .headSize: "head-size"
        case .queue: "queue"
        case .internal: "internal"
        }
    }

    /// The code that the GOAWAY carries (RFC 9113 §7).
    package var code: UInt32 {
        switch self {
        case .badPreface, .protocolError: HTTP2Code.protocolError
        case .flowControl: HTTP2Code.flowControlError
        case .frameSize: HTTP2Code.frameSizeError
        case .compression: HTTP2Code.compressionError
        case .streamClosed: HTTP2Code.streamClosed
        case .internal: HTTP2Code.internalError
        case .resets, .pings, .settings, .priorities, .windowUpdates, .emptyFrames,
            .unknownFrames, .interimHeads, .continuations, .headSize, .queue:
            HTTP2Code.enhanceYourCalm
        }
    }

    /// What a GOAWAY that nghttp2 decided on means.
    init(code: UInt32) {
        self =
            switch code {
            case HTTP2Code.flowControlError: .flowControl
            case HTTP2Code.frameSizeError: .frameSize
            case HTTP2Code.compressionError: .compression
            case HTTP2Code.streamClosed: .streamClosed
            case HTTP2Code.internalError: .internal
            case HTTP2Code.enhanceYourCalm: .queue
            default: .protocolError
            }
    }
}

/// Error codes of RFC 9113 §7.
package enum HTTP2Code {
    package static let noError: UInt32 = 0
    package static let protocolError: UInt32 = 1
    package static let internalError: UInt32 = 2
    package static let flowControlError: UInt32 = 3
    package static let streamClosed: UInt32 = 5
    package static let frameSizeError: UInt32 = 6
    package static let refusedStream: UInt32 = 7
    package static let cancel: UInt32 = 8
    package static let compressionError: UInt32 = 9
    package static let connectError: UInt32 = 10
    package static let enhanceYourCalm: UInt32 = 11
}

/// What the peer's bytes, or our writing, came to. Every stream that had a head, or that we opened,
/// ends with exactly one `reset` or `closed`, unless we reset it: then nothing more is said of it.
package enum HTTP2Event: Equatable, Sendable {
    /// A complete head, as HTTP/1.1 text in `text`, empty line included. With `isLast` no body
    /// follows.
    case head(HTTP2Stream, tag: Int, text: Range<Int>, HeadKind, isLast: Bool)
    /// A head that is not passed on; body and end of its stream are reported as usual.
    case refusedHead(HTTP2Stream, tag: Int, HeadRefusal, isLast: Bool)
    /// Bytes of a body: offsets into the bytes that were given to `receive`.
    case data(HTTP2Stream, tag: Int, Range<Int>, isLast: Bool)
    /// Field lines `name: value`, each with its line end, without what must not come so late. The
    /// body is over.
    case trailers(HTTP2Stream, tag: Int, text: Range<Int>)
    /// The body is over.
    case end(HTTP2Stream, tag: Int)
    /// The stream ended before its time.
    case reset(HTTP2Stream, tag: Int, code: UInt32, ResetOrigin)
    /// All of our side was written, end of stream included, while the peer's side is still open. A
    /// server that does not want the rest of the request may now reset with `noError`.
    case sent(HTTP2Stream, tag: Int)
    /// Both sides ended as they should.
    case closed(HTTP2Stream, tag: Int)
    /// The peer opens no more streams, and takes none of ours above `lastStream`.
    case goAway(lastStream: Int32, code: UInt32)
    /// The peer's settings came, or changed; until then `peerAllowsExtendedConnect` is false.
    case settings
    /// The connection is to be closed once what `wantsWrite` was written. No more events come: the
    /// streams are lost.
    case failed(HTTP2Failure)
}

/// A piece of what is to be written, in order.
package enum HTTP2Segment: Equatable, Sendable {
    /// Bytes in the writer that was given to `write`.
    case bytes(Range<Int>)
    /// So many bytes of the stream's body, which the caller holds.
    case body(HTTP2Stream, tag: Int, count: Int)
}

/// Why a request was not submitted. Nothing happened to it: it may go to another connection.
package enum HTTP2Refusal: Error, Equatable, Sendable {
    /// The peer takes no more streams at once.
    case full
    /// A WebSocket, and the peer does not take them (RFC 8441).
    case noExtendedConnect
    /// The connection goes away or has no stream numbers left.
    case closing
}

/// How a connection says that it will end (RFC 9113 §6.8).
package enum HTTP2ShutdownPhase: UInt8, Sendable {
    /// No more requests, please; those under way to us are still taken.
    case notice
    /// What comes after the last request that was taken is not looked at.
    case final
}

/// The scheme of requests on a connection.
package enum HTTP2Scheme: UInt8, Sendable {
    case http, https
}
