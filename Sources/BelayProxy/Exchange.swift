import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence
import BelayTelemetry
import BelayTransport

/// One request and its response, on whichever connections they travel. Lives in a slot of the
/// worker's slab from the request's head to the response's last byte.
struct Exchange {
    /// A set of the facts below, joined by `|`. No `OptionSet`: its literals of several members
    /// make an array where the optimizer does not look through them.
    struct State {
        let rawValue: UInt64

        static func | (left: State, right: State) -> State {
            State(rawValue: left.rawValue | right.rawValue)
        }

        /// Whether all of `others` hold.
        func contains(_ others: State) -> Bool {
            self.rawValue & others.rawValue == others.rawValue
        }

        /// Whether any of `others` holds.
        func hasAny(of others: State) -> Bool { self.rawValue & others.rawValue != 0 }

        mutating func insert(_ others: State) { self = self | others }

        mutating func remove(_ others: State) {
            self = State(rawValue: self.rawValue & ~others.rawValue)
        }

        /// The request's head has been given to the server's connection.
        static var requestStarted: State { State(rawValue: 1 << 0) }
        /// All of the request has been given to it.
        static var requestDone: State { State(rawValue: 1 << 1) }
        /// The server takes no more of the request, but may still answer.
        static var requestRefused: State { State(rawValue: 1 << 2) }
        /// Part of the body has left the client's block: the request can't be sent again.
        static var bodyLetGo: State { State(rawValue: 1 << 3) }
        /// The response's head has been given to the client's connection: from here on the
        /// exchange can only end well or be cut.
        static var responseStarted: State { State(rawValue: 1 << 4) }
        static var responseDone: State { State(rawValue: 1 << 5) }
        /// The client's connection ends with this exchange.
        static var closesClient: State { State(rawValue: 1 << 7) }
        /// The server's connection can carry another exchange after this one.
        static var serverStays: State { State(rawValue: 1 << 8) }
        /// The last chunk's size line has been written, trailers may follow.
        static var requestTail: State { State(rawValue: 1 << 11) }
        static var responseTail: State { State(rawValue: 1 << 12) }
        /// Both sides speak what they like.
        static var isTunnel: State { State(rawValue: 1 << 13) }
        /// The server's connection had carried an exchange before.
        static var isReused: State { State(rawValue: 1 << 14) }
        /// A stale connection was already excused once.
        static var excused: State { State(rawValue: 1 << 15) }
        /// `request` was parsed (a refused head was not).
        static var hasRequest: State { State(rawValue: 1 << 16) }
        /// Counted among the server's open requests.
        static var isOpenAtServer: State { State(rawValue: 1 << 17) }
        static var hasAuthorization: State { State(rawValue: 1 << 18) }
        /// The client came over TLS, or a trusted proxy says so.
        static var isOverTLS: State { State(rawValue: 1 << 19) }
        /// The request came on a stream, whose body needs no framing of its own.
        static var clientIsStream: State { State(rawValue: 1 << 20) }
        /// The request goes out on a stream.
        static var serverIsStream: State { State(rawValue: 1 << 21) }
        /// No messages, but bytes in both directions (a listener of kind `tcp`).
        static var isTCP: State { State(rawValue: 1 << 22) }
        /// The tunnel's frames are watched.
        static var isWebSocket: State { State(rawValue: 1 << 23) }
        /// Counted among the tunnels of its client, and of its server.
        static var countsForClient: State { State(rawValue: 1 << 24) }
        static var countsForServer: State { State(rawValue: 1 << 6) }
        /// A server was passed over because it has all the tunnels it may have.
        static var foundTunnelsFull: State { State(rawValue: 1 << 9) }
        /// Belay ends the tunnel: each direction as soon as its frame is whole.
        static var isDraining: State { State(rawValue: 1 << 25) }
        /// The close frame of that direction was sent.
        static var requestClosed: State { State(rawValue: 1 << 26) }
        static var responseClosed: State { State(rawValue: 1 << 27) }
        /// The tunnel's bytes come in bulk: the kernel may move them.
        static var requestIsBulk: State { State(rawValue: 1 << 28) }
        static var responseIsBulk: State { State(rawValue: 1 << 29) }
        /// Has no server, and waits for one: `wait` says for what.
        static var isWaiting: State { State(rawValue: 1 << 10) }
        /// Counted among the requests that wait for the server's answer.
        static var awaitsAnswer: State { State(rawValue: 1 << 30) }
        /// Counted among the pool's retries.
        static var isRetry: State { State(rawValue: 1 << 31) }
        /// The first bytes of the answer's body are looked at for what they hand out.
        static var learnsBody: State { State(rawValue: 1 << 32) }
    }

    var state = State(rawValue: 0)
    var record: ExchangeRecord
    var request = RequestHead()
    /// Slots of the engine; -1: none.
    var client: Int32
    var server: Int32 = -1
    /// Where the request's head begins in the client's input.
    var headStart = 0
    /// The next byte of the request's body in the client's input, and how many bytes from there
    /// on have been read as data and not been sent.
    var cursor = 0
    var requestVetted = 0
    /// Bytes of the request's body that were read so far, on this attempt.
    var bodyBytes: UInt64 = 0
    var responseVetted = 0
    var requestReader = BodyReader(.none, trailerMax: 0)
    var responseReader = BodyReader(.none, trailerMax: 0)
    /// How the response's body goes to the client.
    var responseChunked = false
    var responseScanner = HeadScanner()
    /// What the client is bound by, as it presented it.
    var binding: Binding?
    /// What the answer's cookie will say.
    var cookie: Binding?
    /// The way that found the binding, in the order of the pool's; -1: none did.
    var way: Int8 = -1
    /// A hash that names the server by itself.
    var affinity: UInt64?
    /// The server that another first request of this client has found, or -1.
    var claimed: Int32 = -1
    /// Who claims: a hash of the client's address and User-Agent; 0: nobody.
    var claimant: UInt64 = 0
    var tried = TriedServers()
    /// Pipes in use for splicing (-1: none), and the bytes they hold.
    var requestPipe: PipeIndex = -1
    var responsePipe: PipeIndex = -1
    var requestPiped = 0
    var responsePiped = 0
    /// What is kept of a tunnel, or -1.
    var tunnel: Int32 = -1
    var wait = Wait()

    init(client: Int, record: ExchangeRecord) {
        self.client = Int32(truncatingIfNeeded: client)
        self.record = record
    }
}

/// What an exchange without a server waits for. Kept between two waits: their times add up.
struct Wait {
    /// Until when a refused connection is tried again; nil before the first.
    var patienceEnds: Instant?
    /// It has waited for room for as long as it may.
    var isOver = false
    /// In the pool's queue: its place among those of its worker, which it keeps when it was called
    /// in vain; 0: it never queued.
    var ticket: UInt64 = 0
    /// The server whose room is awaited; -1: any one's.
    var server: Int32 = -1
    var next: Int32 = -1
    var previous: Int32 = -1
    var isQueued = false
}

/// What a connection is for, beside the engine's own state under the same slot.
struct Role {
    enum Kind: UInt8 {
        case free
        /// A client's connection on its way to its first request: `arrival` says how far it is.
        case arriving
        /// A client's connection in HTTP/1.1, a stream of one in HTTP/2, or plain TCP.
        case client
        /// A connection of a client or to a server that carries streams: `session` says which.
        case session
        /// To a server: connecting, or carrying an exchange.
        case server
        /// To a server: idle, in the list of those that can be used again.
        case idleServer
        /// Has had its last answer; what still arrives is thrown away until the other side closes,
        /// so that a reset does not destroy the answer on its way (RFC 9112 §9.6).
        case lingering
    }

    /// What a client's connection waits for before its first request; each may be followed by
    /// those below it.
    enum Arrival: UInt8 {
        case proxyHeader
        case handshake
        /// The ClientHello of a connection that is not decrypted.
        case clientHello
    }

    var kind: Kind = .free
    var arrival: Arrival = .proxyHeader
    var traits: Traits = .none
    var listener: UInt8 = 0
    /// Stands in the line of handshakes.
    var isQueued = false
    /// Counted among the connections of its address.
    var isCounted = false
    /// The session that this connection carries, or -1.
    var session: Int32 = -1
    /// The stream that this slot stands for, or -1 when it is a connection.
    var stream: Int32 = -1
    /// The exchange on this connection, or -1.
    var exchange: Int32 = -1
    // For a client's connection.
    /// Where its first request went, for others that come before an answer has bound the client.
    var claimPool: Int32 = -1
    var claimServer: Int32 = -1
    var claimEnds = Instant(nanoseconds: 0)
    var scanner = HeadScanner()
    var requests: UInt32 = 0
    // For a server's connection.
    var pool: Int32 = -1
    var server: Int32 = -1
    /// The client's connection that alone may use this one, because a PROXY header named it; 0:
    /// anyone's.
    var owner: UInt64 = 0
    /// Neighbours in the list of idle ones, newest first.
    var nextIdle: Int32 = -1
    var previousIdle: Int32 = -1
}
