internal import BelayBytes
package import BelayCore

/// The same key goes to the same server, as long as it may take clients and is not overloaded:
/// affinity, which remembers nothing. The key is a hash of the client's address or of the request's
/// target.
///
/// A key's servers are the owners of a sequence of slots (`HashSlots`) that follows from the key
/// alone, so every worker and every Belay tries the same ones in the same order. When a server is
/// passed over, only its keys move, and each to another next one, so they spread by weight.
///
/// Bounded load (Mirrokni, Thorup, Zadimoghaddam 2018): a server may have at most `loadBound` times
/// its share of all open requests, else the key's next server takes the request. The open requests
/// of all servers are an estimate (see `LoadEstimate`), those of the server itself are read. A
/// server with fewer than `alwaysAllowed` open requests is never too loaded: by the formula alone,
/// in a pool with little to do the second connection of the same browser would go elsewhere.
package struct HashAffinity: Sendable {
    // Limit: a browser opens at most 6 connections to a host over HTTP/1.1, and 2 more for a
    // second tab.
    package static let alwaysAllowed = 8
    // Limit: at a bound of 1.25 at least a fifth of the weight has room, so that 32 tries find room
    // in all but 0.08 % of the picks; those go to the least loaded of the servers tried.
    static let triesMax: UInt64 = 32

    private let names: [UInt64]
    private(set) var weights: [Weight]
    private var slots: HashSlots?
    private var estimate: LoadEstimate
    private let loadBound: Double

    package init(weights: [Weight], names: [ServerName], loadBound: Double) {
        precondition(loadBound >= 1, "a bound below the servers' shares")
        self.names = names.map(Rendezvous.hash(of:))
        self.weights = weights
        self.slots = HashSlots(names: self.names, weights: weights)
        self.estimate = LoadEstimate(weights: weights)
        self.loadBound = loadBound
    }

    /// The same pool's state for another worker, with the same slots and no request of its own.
    package func forAnotherWorker() -> HashAffinity {
        var other = self
        other.estimate.forgetOwn()
        return other
    }

    /// Keys move from servers that lost weight to those that gained some, and no others. Keeps what
    /// it knows of open requests.
    package mutating func weightsChanged(_ weights: [Weight]) {
        precondition(weights.count == self.names.count, "the same servers, in the same order")
        self.weights = weights
        self.slots = HashSlots(names: self.names, weights: weights)
        for (server, weight) in weights.enumerated() {
            self.estimate.putInPlay(server, weight: weight)
        }
    }

    /// The server of the key; nil if every server is passed over. Asks four questions of each
    /// server that it tries, mostly one, and four of two others in turn; when all tries
    /// find servers that are passed over, asks everyone.
    package mutating func pick(_ view: some ServerPoolView, key: UInt64) -> Int? {
        precondition(view.count == self.names.count, "a view of another pool")
        if self.loadBound < .infinity {
            for _ in 0..<LoadEstimate.rereadsPerPick {
                _ = self.estimate.reread(self.estimate.nextToReread(), view)
            }
        }
        var leastLoaded: Int?
        for attempt in 0..<(self.slots == nil ? 0 : Self.triesMax) {
            guard let server = self.server(key, attempt) else { break }
            guard view.mayTake(server) else { continue }
            if self.loadBound == .infinity { return server }
            _ = self.estimate.reread(server, view)
            if self.hasRoom(server) { return server }
            if leastLoaded.map({ self.isLessLoaded(server, than: $0) }) ?? true {
                leastLoaded = server
            }
        }
        return leastLoaded ?? Rendezvous.pick(key, names: self.names.span, among: view)
    }

    package mutating func requestOpened(_ index: Int) { self.estimate.requestOpened(index) }

    package mutating func requestClosed(_ index: Int) { _ = self.estimate.requestClosed(index) }

    /// The server that the key tries at an attempt.
    private func server(_ key: UInt64, _ attempt: UInt64) -> Int? {
        self.slots?.owner(attempt == 0 ? key : StableHash.combine(key, attempt))
    }

    private func hasRoom(_ index: Int) -> Bool {
        let server = self.estimate.servers[index]
        if server.open < Self.alwaysAllowed { return true }
        // With this request: open + 1 <= ceil(bound * (all + 1) * weight / all weights).
        let share = Double(server.weightInPlay) / Double(Swift.max(self.estimate.weightTotal, 1))
        let room = (self.loadBound * Double(self.estimate.openTotal + 1) * share).rounded(.up)
        return Double(server.open + 1) <= room
    }

    private func isLessLoaded(_ left: Int, than right: Int) -> Bool {
        let first = self.estimate.servers[left]
        let second = self.estimate.servers[right]
        return Int64(first.open) * Int64(second.weightInPlay)
            < Int64(second.open) * Int64(first.weightInPlay)
    }
}
