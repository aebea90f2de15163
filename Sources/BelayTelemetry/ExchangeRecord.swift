public import BelayCore

/// What happened to one exchange, and why: written by the proxy while it happens, read by the
/// access log and the metrics when it has ended. Numbers only, 176 bytes at most, so it lives in
/// the exchange's slot. Method, host and path lie in the request's buffer and are handed to the
/// log beside it.
@usableFromInline
package struct ExchangeRecord: Sendable {
    /// The first byte of the request was there.
    package var started: Instant
    @usableFromInline var headReceivedAt = Moment()
    @usableFromInline var connectStartedAt = Moment()
    @usableFromInline var connectDoneAt = Moment()
    @usableFromInline var firstByteAt = Moment()
    /// The last byte of the answer was sent, or the exchange was given up.
    package var ended: Instant
    package var client: SocketAddress
    /// Bytes of the request as received from the client, head and body.
    package var bytesFromClient: UInt64 = 0
    /// Bytes of the answer as sent to the client.
    package var bytesToClient: UInt64 = 0
    /// Bytes of the answer as received from servers, of every attempt.
    package var bytesFromServer: UInt64 = 0
    /// Bytes of the request as sent to servers, of every attempt.
    package var bytesToServer: UInt64 = 0
    @usableFromInline var routeIndex: Int32 = -1
    @usableFromInline var poolIndex: Int32 = -1
    @usableFromInline var serverIndex: Int32 = -1
    @usableFromInline var movedFromIndex: Int32 = -1
    /// What the client got; 0 when it got nothing.
    package var status: UInt16 = 0
    @usableFromInline var refusalIndex: Int16 = -1
    package var rule: PickRule = .none
    package var persistence: PersistenceVerdict = .off
    package var binding: BindingChange = .none
    /// Why the client came to another server than it was bound to; nil when it did not.
    package var moveReason: MoveReason?
    package var ending: Ending = .done
    /// How many attempts followed the first: 0 when the first one succeeded, or none was made.
    package var retries: UInt8 = 0
    /// The last attempt used a server connection that was open already.
    package var isReused = false
    /// Belay itself wrote the answer, not the server.
    package var isOwnAnswer = false
    /// How the client sent the request.
    package var transport: ExchangeProtocol = .http1
    /// The version of TLS on the client's side.
    package var tls: TLSVersionWord = .none
    /// The exchange became a tunnel: any upgrade, or TCP from the start. The log then has a line
    /// for its beginning and one for its end.
    package var isTunnel = false
    /// The tunnel carries WebSocket frames. Goes with `isTunnel`.
    package var isWebSocket = false
    /// The code of the WebSocket's Close frame that was seen first (RFC 6455 §7.4); 0: none.
    package var closeCode: UInt16 = 0

    package init(client: SocketAddress, started: Instant) {
        self.client = client
        self.started = started
        self.ended = started
    }

    /// The request's head was whole.
    @inlinable package var headReceived: Instant? {
        get { self.headReceivedAt.instant }
        set { self.headReceivedAt.instant = newValue }
    }

    /// The last attempt began to connect; nil when it found an open connection, or none was made.
    @inlinable package var connectStarted: Instant? {
        get { self.connectStartedAt.instant }
        set { self.connectStartedAt.instant = newValue }
    }

    /// The server accepted.
    @inlinable package var connectDone: Instant? {
        get { self.connectDoneAt.instant }
        set { self.connectDoneAt.instant = newValue }
    }

    /// The first byte of the server's answer was there.
    @inlinable package var firstByte: Instant? {
        get { self.firstByteAt.instant }
        set { self.firstByteAt.instant = newValue }
    }

    /// Index of the route; nil when none matches or the request was refused before.
    @inlinable package var route: Int? {
        get { self.routeIndex < 0 ? nil : Int(self.routeIndex) }
        set { self.routeIndex = newValue.map(Int32.init) ?? -1 }
    }

    /// Index of the server pool.
    @inlinable package var pool: Int? {
        get { self.poolIndex < 0 ? nil : Int(self.poolIndex) }
        set { self.poolIndex = newValue.map(Int32.init) ?? -1 }
    }

    /// Index within the pool of the server that was tried last.
    @inlinable package var server: Int? {
        get { self.serverIndex < 0 ? nil : Int(self.serverIndex) }
        set { self.serverIndex = newValue.map(Int32.init) ?? -1 }
    }

    /// Index within the pool of the server that the client was bound to before; nil when it did not
    /// move, or nobody knows that server any more.
    @inlinable package var movedFrom: Int? {
        get { self.movedFromIndex < 0 ? nil : Int(self.movedFromIndex) }
        set { self.movedFromIndex = newValue.map(Int32.init) ?? -1 }
    }

    /// Raw value of the error for which a message was refused: the request when the ending is
    /// `requestRefused`, else the server's answer.
    @inlinable package var refusal: UInt8? {
        get { self.refusalIndex < 0 ? nil : UInt8(truncatingIfNeeded: self.refusalIndex) }
        set { self.refusalIndex = newValue.map(Int16.init) ?? -1 }
    }

    /// A tunnel was open: the answer that agreed to it was there, or the server accepted.
    var opened: Instant {
        self.firstByte ?? self.connectDone ?? self.headReceived ?? self.started
    }

    /// From the first byte of the request to the end.
    package var totalTime: TimeSpan { self.ended - self.started }

    /// How long the server took to accept; nil without a new connection.
    package var connectTime: TimeSpan? {
        guard let start = self.connectStarted, let done = self.connectDone else { return nil }
        return done - start
    }

    /// From the whole head to the first byte of the server's answer; nil when none came.
    package var firstByteTime: TimeSpan? {
        guard let start = self.headReceived, let first = self.firstByte else { return nil }
        return first - start
    }
}

/// An instant or none, in one word.
@usableFromInline
struct Moment: Sendable {
    @usableFromInline var raw = Int64.min

    @inlinable var instant: Instant? {
        get { self.raw == .min ? nil : Instant(nanoseconds: self.raw) }
        set { self.raw = newValue.map(\.nanoseconds) ?? .min }
    }
}
