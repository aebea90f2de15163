import BelayBalancing
import BelayCore
import BelayHTTP
import BelayTransport

// What the checker keeps: a pool with what was found about its servers, and for each of these its
// checks.

/// A pool as the checker sees it. Of the checker's thread alone.
final class CheckedPool {
    var plan: PoolPlan
    /// How its servers are checked, if they are.
    let health: HealthCheckPlan
    let isChecked: Bool
    /// Only servers that were ejected because they refused connections are tried.
    let isProbed: Bool
    /// By server.
    var found: [Found]

    init(_ plan: PoolPlan, found: [Found]) {
        precondition(found.count == plan.servers.count, "a row for each server")
        self.plan = plan
        self.found = found
        let isProbe = plan.health?.isProbe ?? false
        self.isChecked = plan.health != nil && !isProbe && !plan.isGone
        self.isProbed = isProbe && !plan.isGone
        self.health =
            plan.health
            ?? HealthCheckPlan(interval: .hours(1), timeout: .seconds(1), fall: 1, rise: 1)
    }

    /// Whether its traffic is looked at now and then.
    var isJudged: Bool { !self.plan.isGone && (self.plan.outliers != nil || self.plan.panic > 0) }
}

/// What makes a server another one, of which nothing is known.
struct CheckedServer: Equatable {
    let name: ServerName
    let address: SocketAddress
    let generation: Int

    init(_ plan: ServerPlan) {
        self.name = plan.name
        self.address = plan.address
        self.generation = plan.generation
    }
}

/// What was found about one server.
struct Found {
    let server: CheckedServer
    /// By checks: it fell, and has not risen since.
    var isCheckedDown = false
    /// By its own word.
    var isAgentDown = false
    /// What it said last; nil: nothing of that.
    var state: AdminState?
    var percent: Int?
    /// Its agent could not be asked, or said what nobody understands; and that was told.
    var isAgentTold = false

    init(_ server: CheckedServer) { self.server = server }

    var isDown: Bool { self.isCheckedDown || self.isAgentDown }

    /// Words about a state and a weight, as the table keeps them; nil: nothing but `ready`.
    var word: (state: AdminState, percent: Int)? {
        let word = (state: self.state ?? .ready, percent: self.percent ?? 100)
        return word == (.ready, 100) ? nil : word
    }
}

/// Which check it is.
struct CheckKey: Hashable {
    let pool: Int
    let server: Int
    let isAgent: Bool
}

/// What is asked, and where. A check of which that changes begins anew.
struct CheckQuestion: Equatable {
    let server: CheckedServer
    let address: SocketAddress
    let kind: HealthCheckPlan.Kind
    let isHTTP2: Bool
    /// The head of the request, as text of HTTP/1.1; empty where nothing is said.
    let head: [UInt8]
    /// What follows it, in one frame.
    let body: [UInt8]
    /// A server that wants PROXY headers is told that the connection is Belay's own.
    let proxyHeader: ProxyHeaderOut
    let fall: Int
    let rise: Int
}

/// One server's checks, or those of its agent.
struct Check {
    let key: CheckKey
    let question: CheckQuestion
    var policy: CheckPolicy
    /// Its connection, or -1.
    var slot: Int32 = -1
    var began: Instant
    var talk = Talk()
}

/// How far the talk on a check's connection is.
struct Talk {
    /// What is to be said has been.
    var hasAsked = false
    /// The server has accepted the connection.
    var isAccepted = false
    var scanner = HeadScanner()
    /// The answer's status, once its head is there.
    var status: UInt16 = 0
    var reader = BodyReader(.none, trailerMax: 0)
    /// What came of the body, up to `bodyMax`, and how far it was searched.
    var body: [UInt8] = []
    var searched = 0
    /// What the server, or its agent, says of itself.
    var word: AgentWord?
    /// Its session of HTTP/2, or -1.
    var session: Int32 = -1

    // Limit: a page that says how the server is has a few bytes.
    static let bodyMax = 16 * 1024
}

/// What a check came to.
enum CheckOutcome {
    case good
    /// What speaks against the server, in words.
    case bad(String)
    /// Belay lacked something itself: that says nothing about the server.
    case untold
}
