import BelayBytes
import BelayCore
import BelayHTTP2
import BelayTransport

/// An HTTP/2 connection as the worker sees it: the session, the connection that carries it, its
/// streams. Lives in a slot of the worker's slab.
struct Session: ~Copyable {
    var http2: HTTP2Session
    /// The slot of its connection.
    let slot: Int32
    /// The pool and the server that it leads to; -1 for a client's.
    let pool: Int32
    let server: Int32
    /// It can carry streams: for a server's, when it is connected.
    var isReady: Bool
    /// Waits in the line of those that have something to write.
    var isQueued = false
    /// It takes no new streams, and is closed when those it has are over.
    var isEnding = false
    /// The GOAWAY that names the last stream was queued.
    var saidGoodbye = false
    /// All that is still to be written is a last word; then the connection is closed.
    var isFailed = false
    /// The slots of its streams, linked by `StreamState.next`.
    var firstStream: Int32 = -1
    var streamCount: Int32 = 0
    /// Requests that came or went so far.
    var requests: UInt32 = 0
    /// `http2.spoiledStreams` when it was last looked at.
    var spoiled = 0
    /// Its neighbour in the list of its server's sessions.
    var nextSession: Int32 = -1

    var isToServer: Bool { self.pool >= 0 }
}

extension Session {
    /// Copies text that `receive` made.
    func copy(_ text: Range<Int>, to block: BlockIndex, at place: Int, _ memory: BlockMemory) {
        memory.copy(self.http2.text.extracting(text), to: block, at: place)
    }

    mutating func submitResponse(
        _ stream: HTTP2Stream,
        _ head: borrowing ByteWriter,
        isLast: Bool,
        isInterim: Bool
    ) {
        self.http2.submitResponse(
            stream,
            head: head.bytes,
            isLast: isLast,
            isInterim: isInterim
        )
    }

    mutating func submitRequest(
        _ head: borrowing ByteWriter,
        scheme: HTTP2Scheme,
        isLast: Bool,
        tag: Int
    ) throws(HTTP2Refusal) -> HTTP2Stream {
        try self.http2.submitRequest(
            head: head.bytes,
            scheme: scheme,
            isLast: isLast,
            tag: tag
        )
    }
}

/// A stream of a client that has had its whole answer, and still sends its request. It may go on
/// for a moment: a reset at once would make some clients throw the answer away.
struct AnsweredStream {
    let session: Int32
    let generation: UInt32
    let stream: HTTP2Stream
    let deadline: Instant
}

/// What a stream has beside its slot in the engine and its role.
struct StreamState {
    /// The session that carries it; -1: none any more, and what is here is all there is.
    var session: Int32
    /// Its name there; nil as long as a request to a server has not been sent.
    var stream: HTTP2Stream?
    /// Its trailers that arrived, and those that shall leave: the block and how many bytes.
    var arrived: (block: BlockIndex, count: Int) = (-1, 0)
    var leaving: (block: BlockIndex, count: Int) = (-1, 0)
    /// A client's: bytes of its body that have gone on, on whichever attempt.
    var credited: UInt64 = 0
    /// All that shall leave has been written, its end too.
    var isSent = false
    /// Neighbours in the list of the session's streams, by slot.
    var next: Int32 = -1
    var previous: Int32 = -1
}
