internal import BelayCore

/// What one worker believes about the open requests of all servers without asking every one each
/// time: exact for the worker's own requests, and for those of other workers as last read.
///
/// Each pick re-reads the servers that it considers and the next few in turn. So what another
/// worker opened on a server is seen, at the latest, when that server is considered; what another
/// closed is seen within n / `rereadsPerPick` picks.
struct LoadEstimate: Sendable {
    struct Server: Sendable {
        /// Of all workers, as far as known; never fewer than `own`.
        var open: Int32 = 0
        /// Of this worker.
        var own: Int32 = 0
        /// Its weight in 256ths, of which slow start leaves a part; 0 while the server is passed
        /// over.
        var weightInPlay: Int32
    }

    // Limit: two servers a pick keep the estimates of a small pool fresh and cost two questions
    // each.
    static let rereadsPerPick = 2

    private(set) var servers: [Server]
    /// Open requests of the servers in play.
    private(set) var openTotal = 0
    /// Weight of the servers in play.
    private(set) var weightTotal = 0
    private var next = 0

    /// All servers in play and nothing open.
    init(weights: [Weight]) {
        self.servers = weights.map { Server(weightInPlay: Self.inPlay($0)) }
        self.weightTotal = weights.reduce(0) { $0 + Int(Self.inPlay($1)) }
    }

    private static func inPlay(_ weight: Weight, share: Int = SlowStart.whole) -> Int32 {
        Int32(weight.rawValue) &* Int32(truncatingIfNeeded: share)
    }

    /// The server whose turn it is to be re-read.
    mutating func nextToReread() -> Int {
        let server = self.next
        self.next &+= 1
        if self.next == self.servers.count { self.next = 0 }
        return server
    }

    /// Reads a server's state and open requests; whether anything differs from what was believed.
    mutating func reread(_ index: Int, _ view: some ServerPoolView) -> Bool {
        var server = self.servers[index]
        if view.mayTake(index) {
            // A view that says yes to a server of weight 0 gets it treated as weight 1.
            let weight = Swift.max(view.weight(index), .one)
            server.weightInPlay = Self.inPlay(weight, share: view.startShare(index))
            server.open = Swift.max(Int32(clamping: view.openRequests(index)), server.own)
        } else {
            server.weightInPlay = 0
        }
        return self.replace(index, with: server)
    }

    mutating func requestOpened(_ index: Int) {
        var server = self.servers[index]
        server.own &+= 1
        server.open &+= 1
        _ = self.replace(index, with: server)
    }

    /// False if this worker has no open request there: it began before this value was made.
    mutating func requestClosed(_ index: Int) -> Bool {
        var server = self.servers[index]
        guard server.own > 0 else { return false }
        server.own &-= 1
        server.open &-= 1
        _ = self.replace(index, with: server)
        return true
    }

    /// Believes that the server can take clients, until it is re-read.
    mutating func putInPlay(_ index: Int, weight: Weight) {
        var server = self.servers[index]
        server.weightInPlay = Self.inPlay(weight)
        _ = self.replace(index, with: server)
    }

    /// For another worker: nothing is its own yet.
    mutating func forgetOwn() {
        for index in self.servers.indices { self.servers[index].own = 0 }
    }

    private mutating func replace(_ index: Int, with server: Server) -> Bool {
        let before = self.servers[index]
        if before.weightInPlay > 0 { self.openTotal &-= Int(before.open) }
        if server.weightInPlay > 0 { self.openTotal &+= Int(server.open) }
        self.weightTotal &+= Int(server.weightInPlay) &- Int(before.weightInPlay)
        self.servers[index] = server
        return before.open != server.open || before.weightInPlay != server.weightInPlay
    }
}
