import BelayHTTP
import BelayTelemetry

/// An answer of Belay's own: its status, how the exchange counts as ended, and the reason as
/// programs and people read it.
struct OwnAnswer {
    let status: UInt16
    let ending: Ending
    let reason: StaticString
    let sentence: StaticString

    init(_ status: UInt16, _ ending: Ending, _ reason: StaticString, _ sentence: StaticString) {
        self.status = status
        self.ending = ending
        self.reason = reason
        self.sentence = sentence
    }

    /// A message of the client's that can't be understood.
    init(_ error: MessageError) {
        self.init(error.status, .requestRefused, error.name, error.sentence)
    }

    /// The client's server can't take the request, and no other may.
    static func bindingRejected(_ status: UInt16) -> OwnAnswer {
        OwnAnswer(
            status,
            .bindingRejected,
            "binding-rejected",
            "The server that has this session can't be reached at the moment."
        )
    }

    static let connectRefused = OwnAnswer(
        405,
        .requestRefused,
        "connect-refused",
        "This server is no proxy for CONNECT."
    )
    static let noRoute = OwnAnswer(
        404,
        .noRoute,
        "no-route",
        "Nothing is served under this host and path."
    )
    static let plainHTTP = OwnAnswer(
        400,
        .requestRefused,
        "plain-http",
        "This port speaks HTTPS; the request came in clear text."
    )
    static let versionNotSpoken = OwnAnswer(
        505,
        .requestRefused,
        "version-not-spoken",
        "This server speaks HTTP/2 only."
    )
    static let unknownProtocol = OwnAnswer(
        501,
        .requestRefused,
        "unknown-protocol",
        "This server opens WebSockets, and no other protocol, within HTTP/2."
    )
    static let originRefused = OwnAnswer(
        403,
        .originRefused,
        "origin-refused",
        "Pages of this origin may not open WebSockets here."
    )
    static let clientTunnels = OwnAnswer(
        429,
        .tunnelLimit,
        "client-tunnels",
        "This address has as many tunnels as one client may have."
    )
    static let tunnelsFull = OwnAnswer(
        503,
        .tunnelLimit,
        "server-tunnels",
        "The servers have as many tunnels as they may have."
    )
    static let noWebSockets = OwnAnswer(
        502,
        .responseRefused,
        "no-websockets",
        "The server opens no WebSockets within HTTP/2."
    )
    static let noServer = OwnAnswer(
        503,
        .noServer,
        "no-server",
        "No server can take this request at the moment."
    )
    static let poolFull = OwnAnswer(
        503,
        .overloaded,
        "pool-full",
        "The servers have as many requests together as they may have."
    )
    static let queueTimedOut = OwnAnswer(
        503,
        .queueTimedOut,
        "queue-timed-out",
        "The servers had no room for this request in time."
    )
    static let queueFull = OwnAnswer(
        503,
        .queueFull,
        "queue-full",
        "Too many requests wait for the servers at the moment."
    )
    static let pendingConnects = OwnAnswer(
        503,
        .overloaded,
        "pending-connects",
        "Too many connections to servers are being opened at the moment."
    )
    static let noConnection = OwnAnswer(
        503,
        .overloaded,
        "no-connection",
        "No more connections to servers can be opened at the moment."
    )
    static let noMemory = OwnAnswer(
        503,
        .overloaded,
        "no-memory",
        "There is no room for this request at the moment."
    )
    static let connectFailed = OwnAnswer(
        502,
        .connectFailed,
        "connect-failed",
        "The servers that were tried refuse connections."
    )
    static let connectTimedOut = OwnAnswer(
        504,
        .connectTimedOut,
        "connect-timed-out",
        "The servers that were tried do not accept connections in time."
    )
    static let serverClosedEarly = OwnAnswer(
        502,
        .serverClosedEarly,
        "server-closed-early",
        "The server closed the connection before it answered."
    )
    static let serverTimedOut = OwnAnswer(
        504,
        .serverTimedOut,
        "server-timed-out",
        "The server did not answer in time."
    )
    static let badResponse = OwnAnswer(
        502,
        .responseRefused,
        "response-refused",
        "The server's answer is no proper HTTP."
    )
    static let clientTimedOut = OwnAnswer(
        408,
        .clientTimedOut,
        "client-timed-out",
        "The request did not arrive in time."
    )
}
