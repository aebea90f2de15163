// BelayHTTP: bytes to messages and messages to bytes, without I/O. HTTP/1.1 (RFC 9112) heads and
// bodies are read strictly, over `Span`, where they lie: what two programs could read in two ways
// is refused, never repaired. The results are ranges into those bytes. Nothing here allocates per
// message. Not here: sockets and time (BelayTransport), what to do with a message (BelayProxy).
// Start with `RequestHead`, then `BodyReader`, then the writers. What stands around HTTP on a
// connection is here as well: `ProxyHeader`, `ClientHello`, `WebSocketReader`.

/// The request methods that decisions depend on; any other is `other` and passes through.
package enum Method: UInt8, Sendable, CaseIterable {
    case get, head, post, put, delete, connect, options, trace, patch, other

    /// Repeating the request does what sending it once does (RFC 9110 §9.2.2).
    package var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .connect, .patch, .other: false
        }
    }
}

/// The fields that Belay reads, drops or writes; any other is `other` and passes through.
@usableFromInline
package enum FieldName: UInt8, Sendable, CaseIterable {
    case other
    // Framing and the connection (RFC 9112, RFC 9110 §7.6).
    case host, contentLength, transferEncoding, connection, keepAlive, proxyConnection, te
    case trailer, upgrade, expect
    // Who asked, and through whom.
    case forwarded, xForwardedFor, xForwardedProto, xForwardedHost, via
    // Persistence and caching.
    case cookie, setCookie, cacheControl
    // Others that are read.
    case date, accept, expires, authorization
}

/// One field line of a head that was parsed: where its name and value lie in the head's bytes.
@usableFromInline
package struct FieldLine: Sendable {
    @usableFromInline var nameStart: UInt16
    @usableFromInline var nameEnd: UInt16
    @usableFromInline var valueStart: UInt16
    @usableFromInline var valueEnd: UInt16
    @usableFromInline package var id: FieldName
    /// A Connection field of the same head names it, so it ends here (RFC 9110 §7.6.1).
    @usableFromInline package var isNominated: Bool

    /// Offsets below 65,536: a head is at most 48 KiB.
    @inlinable
    package init(name: Range<Int>, value: Range<Int>, id: FieldName) {
        self.nameStart = UInt16(truncatingIfNeeded: name.lowerBound)
        self.nameEnd = UInt16(truncatingIfNeeded: name.upperBound)
        self.valueStart = UInt16(truncatingIfNeeded: value.lowerBound)
        self.valueEnd = UInt16(truncatingIfNeeded: value.upperBound)
        self.id = id
        self.isNominated = false
    }

    @inlinable package var name: Range<Int> { Int(self.nameStart)..<Int(self.nameEnd) }
    /// Without the white space around it.
    @inlinable package var value: Range<Int> { Int(self.valueStart)..<Int(self.valueEnd) }
}

/// The field lines of one head, in order, in memory that is taken once: a worker has one list and
/// parses every head into it.
@usableFromInline
package struct FieldList: ~Copyable {
    @usableFromInline var lines: [FieldLine]
    @usableFromInline package internal(set) var count = 0

    package init(capacity: Int) {
        let nothing = FieldLine(name: 0..<0, value: 0..<0, id: .other)
        self.lines = Array(repeating: nothing, count: capacity)
    }

    package var capacity: Int { self.lines.count }

    @inlinable package mutating func removeAll() { self.count = 0 }

    /// False when the list is full.
    @inlinable
    package mutating func append(_ line: FieldLine) -> Bool {
        guard self.count < self.lines.count else { return false }
        self.lines[self.count] = line
        self.count &+= 1
        return true
    }

    @inlinable
    package subscript(_ index: Int) -> FieldLine {
        get {
            precondition(index < self.count, "no such field line")
            return self.lines[index]
        }
        set {
            precondition(index < self.count, "no such field line")
            self.lines[index] = newValue
        }
    }

    /// The first line of that name.
    package func first(_ id: FieldName) -> FieldLine? {
        for index in 0..<self.count where self.lines[index].id == id { return self.lines[index] }
        return nil
    }
}

/// How the length of a message's body is told (RFC 9112 §6.3).
package enum BodyFraming: Equatable, Sendable {
    /// There is none.
    case none
    case length(UInt64)
    case chunked
    /// Responses only: until the server closes.
    case untilClose
}

/// The forms of a request's target (RFC 9112 §3.2).
package enum TargetForm: UInt8, Sendable {
    case origin, absolute, authority, asterisk
}

/// The head of a request, parsed. Ranges are offsets from the head's first byte, which is the
/// first byte of the request line.
package struct RequestHead: Sendable {
    package var method: Method = .other
    package var methodBytes: Range<Int> = 0..<0
    package var form: TargetForm = .origin
    /// The whole target as sent.
    package var target: Range<Int> = 0..<0
    /// The path and query: the target in origin form; of an absolute target what follows the
    /// authority (may be empty: then it stands for `/`); empty for `*` and for CONNECT.
    package var path: Range<Int> = 0..<0
    /// Host and port: of an absolute target its authority, which wins over Host (RFC 9112 §3.2.2);
    /// else the value of Host; empty where an HTTP/1.0 request has none.
    package var authority: Range<Int> = 0..<0
    /// 1 in HTTP/1.1, 0 in HTTP/1.0.
    package var minorVersion: UInt8 = 1
    package var framing: BodyFraming = .none
    /// The client means to send another request on this connection.
    package var keepsAlive = true
    /// `Expect: 100-continue` (RFC 9110 §10.1.1).
    package var expectsContinue = false
    /// `Connection: upgrade` with an Upgrade field: the connection may become a tunnel.
    package var wantsUpgrade = false
    /// The length of the head, its closing empty line included.
    package var length = 0

    package init() {}
}

/// The head of a response, parsed. Ranges are offsets from the first byte of the status line.
package struct ResponseHead: Sendable {
    package var status: UInt16 = 0
    package var reason: Range<Int> = 0..<0
    package var minorVersion: UInt8 = 1
    /// Regards the request's method: none for HEAD, 1xx, 204, 304.
    package var framing: BodyFraming = .none
    /// What Content-Length said even where no body follows (HEAD, 304).
    package var statedLength: UInt64?
    package var keepsAlive = true
    /// 101 with an Upgrade field: a tunnel begins after the head.
    package var isUpgrade = false
    package var length = 0

    package init() {}
}

/// Why a message was refused. A request that is refused is answered with `status`, and its
/// connection is closed; a response that is refused becomes a 502. `name` stands in logs and
/// metrics, `sentence` in the answer's body.
package enum MessageError: UInt8, Error, Sendable, CaseIterable {
    // The head as a whole.
    case bareLineFeed, bareCarriageReturn, headTooLarge, tooManyFields, leadingWhitespace
    // The request line.
    case badMethod, badTarget, badVersion, unsupportedVersion, badRequestLine, targetTooLong
    // Field lines.
    case badFieldName, spaceBeforeColon, noColon, badFieldValue, obsoleteFold, repeatedField
    // Host (RFC 9112 §3.2).
    case missingHost, severalHosts, badHost
    // Framing (RFC 9112 §6).
    case badContentLength, severalContentLengths, lengthAndTransferEncoding
    case badTransferEncoding, severalTransferEncodings, transferEncodingInOldVersion
    case unsupportedTransferCoding, bodyNotAllowed
    // Connection and Expect.
    case badConnection, badExpectation, badUpgrade
    // Bodies.
    case badChunkSize, badChunkExtension, badChunkEnd, chunkTooLarge, badTrailer, trailerTooLarge
    case bodyTooLarge, unexpectedEnd
    // The status line.
    case badStatusLine, badStatus
}
