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
        let rawValue: UInt32

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
        /// The client came over TLS.
        static var isOverTLS: State { State(rawValue: 1 << 19) }
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
    /// Bytes of the request's body that were read so far.
    var bodyBytes: UInt64 = 0
    var responseVetted = 0
    var requestReader = BodyReader(.none, trailerMax: 0)
    var responseReader = BodyReader(.none, trailerMax: 0)
    /// How the response's body goes to the client.
    var responseChunked = false
    var responseScanner = HeadScanner()
    var binding: Binding?
    var tried = TriedServers()
    /// Pipes in use for splicing (-1: none), and the bytes they hold.
    var requestPipe: PipeIndex = -1
    var responsePipe: PipeIndex = -1
    var requestPiped = 0
    var responsePiped = 0

    init(client: Int, record: ExchangeRecord) {
        self.client = Int32(truncatingIfNeeded: client)
        self.record = record
    }
}

/// What a connection is for, beside the engine's own state under the same slot.
struct Role {
    enum Kind: UInt8 {
        case free
        case client
        /// To a server: connecting, or carrying an exchange.
        case server
        /// To a server: idle, in the list of those that can be used again.
        case idleServer
        /// Has had its last answer; what still arrives is thrown away until the other side closes,
        /// so that a reset does not destroy the answer on its way (RFC 9112 §9.6).
        case lingering
    }

    var kind: Kind = .free
    var listener: UInt8 = 0
    /// The exchange on this connection, or -1.
    var exchange: Int32 = -1
    // For a client's connection.
    var scanner = HeadScanner()
    var requests: UInt32 = 0
    // For a server's connection.
    var pool: Int32 = -1
    var server: Int32 = -1
    /// Neighbours in the list of idle ones, newest first.
    var nextIdle: Int32 = -1
    var previousIdle: Int32 = -1
}
