/// How an attempt to have a request answered failed before any byte of an answer came. (After the
/// first byte there is nothing to retry: the client has seen a part of the answer.)
package enum AttemptFailure: UInt8, Sendable, CaseIterable {
    /// No connection: refused, unreachable, or not established in time. Nothing was sent.
    case connectFailed
    /// The server closed or reset a connection that had been made for this request.
    case connectionClosed
    /// The server closed a connection that had been kept from an earlier request. Mostly it just
    /// gave up an idle connection while our request was on its way, which says nothing about it.
    case idleConnectionClosed
    /// No byte of an answer in time.
    case timedOut
    /// Nothing is heard of the server while requests wait there; another one is tried.
    case stalled
    /// The server said that it has not looked at the request: its connection takes no more
    /// (RFC 9113 §8.7).
    case notProcessed

    /// Whether the failure speaks against the server, so that `requestFailed` is to be told.
    package var countsAgainstServer: Bool {
        switch self {
        case .connectFailed, .connectionClosed, .timedOut: true
        case .idleConnectionClosed, .stalled, .notProcessed: false
        }
    }

    /// Whether the server may have acted on the request.
    package var mayHaveActed: Bool {
        switch self {
        case .connectFailed, .notProcessed: false
        case .connectionClosed, .idleConnectionClosed, .stalled, .timedOut: true
        }
    }

    /// The spelling in metrics and logs.
    package var name: StaticString {
        switch self {
        case .connectFailed: "connect-failed"
        case .connectionClosed: "connection-closed"
        case .idleConnectionClosed: "idle-connection-closed"
        case .timedOut: "timed-out"
        case .stalled: "stalled"
        case .notProcessed: "not-processed"
        }
    }
}

/// Whether a failed attempt may be made again (RFC 9110, section 9.2.2: a proxy must not repeat a
/// request that is not idempotent unless it knows that the first was not acted upon).
package struct RetryPolicy: Equatable, Sendable {
    /// Attempts after the first; 0 switches retries off.
    package let retriesMax: Int

    package init(retriesMax: Int) {
        precondition((0...TriedServers.capacity).contains(retriesMax), "retries of a request")
        self.retriesMax = retriesMax
    }

    /// - Parameters:
    ///   - failure: how the attempt failed.
    ///   - isIdempotent: the request's method is (GET, HEAD, PUT, DELETE, OPTIONS, TRACE).
    ///   - isBodyHeld: the whole body can be sent again: there is none, or nothing of it has been
    ///     sent yet, or what has been sent is still in our buffers.
    ///   - attempts: made so far, the failed one included.
    /// - Returns: whether another attempt may be made, on a server that was not tried.
    package func mayRetry(
        after failure: AttemptFailure,
        isIdempotent: Bool,
        isBodyHeld: Bool,
        attempts: Int
    ) -> Bool {
        precondition(attempts >= 1, "a failure before the first attempt")
        return attempts <= self.retriesMax
            && isBodyHeld
            && (isIdempotent || !failure.mayHaveActed)
    }
}
