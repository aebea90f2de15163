package import BelayCore

/// The server with the fewest open requests for its weight (open / weight). When several are equal,
/// which is the rule while there is little to do, they take turns by weight, so that idle servers
/// share as in weighted round robin. Slow start leaves a server a part of its weight.
///
/// The servers are the leaves of a tournament: each inner place holds the better of the two below
/// it, so the best stands at the top and a change costs at most log2(n) comparisons.
///
/// Limits. A worker knows its own requests exactly and those of others as last read. The winner is
/// re-read before it is picked, so a server that others have filled is not taken for idle; one that
/// others have emptied is noticed within n / 2 picks. Workers that pick in the same instant may
/// pick the same server: the most they can overshoot is one request for each other worker.
package struct LeastConnections: Sendable {
    // Limit: after so many winners turned out busier than believed, the best of those re-read is
    // taken. That bounds a pick's questions when every estimate is old.
    private static let winnersRereadMax = 8
    /// What a turn costs a server of weight 1: divisible by most weights in use, so that turns stay
    /// even.
    private static let turnCost: Int64 = 720_720

    private(set) var weights: [Weight]
    private var estimate: LoadEstimate
    /// When the server's turn comes among equals: the smallest is next. A turn costs
    /// `turnCost / weight`.
    private var turns: [Int64]
    /// The turn that was served last.
    private var turnServed: Int64 = 0
    /// Places n..<2n are the servers; place k is the better of 2k and 2k + 1.
    private var tree: [Int32]

    /// The seed says where the turns among equals begin.
    package init(weights: [Weight], seed: UInt64) {
        self.weights = weights
        self.estimate = LoadEstimate(weights: weights)
        var random = RandomSource(seed: seed)
        self.turns = weights.map { Int64(random.below(Int(Self.cost(of: $0)))) }
        self.tree = Array(repeating: 0, count: 2 * weights.count)
        self.plantTree()
    }

    /// The same pool's state for another worker, with no request of its own.
    package func forAnotherWorker(seed: UInt64) -> LeastConnections {
        LeastConnections(weights: self.weights, seed: seed)
    }

    /// Keeps what it knows of open requests.
    package mutating func weightsChanged(_ weights: [Weight]) {
        precondition(weights.count == self.weights.count, "the same servers, in the same order")
        self.weights = weights
        for (server, weight) in weights.enumerated() {
            self.estimate.putInPlay(server, weight: weight)
        }
        self.plantTree()
    }

    /// The idlest server; nil if every server is passed over. Asks four questions of the winner, of
    /// two others in turn, and of each further winner that turned out busier or passed over. When
    /// all that were believed in play are not, asks everyone.
    package mutating func pick(_ view: some ServerPoolView) -> Int? {
        precondition(view.count == self.weights.count, "a view of another pool")
        for _ in 0..<LoadEstimate.rereadsPerPick {
            self.reread(self.estimate.nextToReread(), view)
        }
        if let server = self.winner(view) {
            self.takeTurn(server)
            return server
        }
        for server in 0..<self.weights.count { self.reread(server, view) }
        let server = Int(self.tree[1])
        guard self.estimate.servers[server].weightInPlay > 0 else { return nil }
        self.takeTurn(server)
        return server
    }

    package mutating func requestOpened(_ index: Int) {
        self.estimate.requestOpened(index)
        self.replay(index)
    }

    package mutating func requestClosed(_ index: Int) {
        guard self.estimate.requestClosed(index) else { return }
        // A full server has room again, and one that was tried may be tried by others: it is asked
        // when it wins, long before its turn to be re-read.
        if self.estimate.servers[index].weightInPlay == 0 {
            self.estimate.putInPlay(index, weight: self.weights[index])
        }
        self.replay(index)
    }

    /// The best server whose state was read just now; nil if nobody is believed in play.
    private mutating func winner(_ view: some ServerPoolView) -> Int? {
        var best: Int?
        var busier = 0
        while true {
            let server = Int(self.tree[1])
            guard self.estimate.servers[server].weightInPlay > 0 else { return nil }
            self.reread(server, view)
            if Int(self.tree[1]) == server && self.estimate.servers[server].weightInPlay > 0 {
                return server
            }
            // Those passed over are not counted: each is out of play from now on, so that their
            // number is bounded by itself.
            guard self.estimate.servers[server].weightInPlay > 0 else { continue }
            let isBest = if let best { self.isBetter(server, than: best) } else { true }
            if isBest { best = server }
            busier &+= 1
            if busier == Self.winnersRereadMax { return best }
        }
    }

    private mutating func reread(_ index: Int, _ view: some ServerPoolView) {
        if self.estimate.reread(index, view) { self.replay(index) }
    }

    private mutating func takeTurn(_ server: Int) {
        // A server that was out of play does not catch up on the turns that it missed.
        let turn = Swift.max(self.turns[server], self.turnServed)
        self.turnServed = turn
        let weight = Int64(Swift.max(self.estimate.servers[server].weightInPlay, 1))
        self.turns[server] = turn &+ Self.turnCost &* Int64(SlowStart.whole) / weight
        self.replay(server)
    }

    private func isBetter(_ left: Int, than right: Int) -> Bool {
        let first = self.estimate.servers[left]
        let second = self.estimate.servers[right]
        if first.weightInPlay == 0 || second.weightInPlay == 0 {
            return first.weightInPlay > 0 || (second.weightInPlay == 0 && left < right)
        }
        // open / weight on both sides, multiplied out.
        let firstLoad = Int64(first.open) &* Int64(second.weightInPlay)
        let secondLoad = Int64(second.open) &* Int64(first.weightInPlay)
        if firstLoad != secondLoad { return firstLoad < secondLoad }
        let firstTurn = self.turns[left]
        let secondTurn = self.turns[right]
        return firstTurn != secondTurn ? firstTurn < secondTurn : left < right
    }

    /// Plays a server's matches again after something about it changed.
    private mutating func replay(_ server: Int) {
        var place = (server &+ self.weights.count) / 2
        while place >= 1 {
            let winner = self.match(place)
            // The same winner, and not the one that changed: nothing changes further up.
            if winner == self.tree[place] && Int(winner) != server { return }
            self.tree[place] = winner
            place /= 2
        }
    }

    private func match(_ place: Int) -> Int32 {
        let left = self.tree[2 &* place]
        let right = self.tree[2 &* place &+ 1]
        return self.isBetter(Int(left), than: Int(right)) ? left : right
    }

    private mutating func plantTree() {
        let count = self.weights.count
        for server in 0..<count { self.tree[count + server] = Int32(server) }
        for place in stride(from: count - 1, to: 0, by: -1) { self.tree[place] = self.match(place) }
    }

    private static func cost(of weight: Weight) -> Int64 {
        Self.turnCost / Int64(Swift.max(weight.rawValue, 1))
    }
}
