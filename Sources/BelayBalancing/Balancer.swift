/// The balancing room: which server takes a client that is bound to none, and what live traffic
/// says about a server. An algorithm is one file, a case of `Balancer` and its tests; the state
/// that all workers share is `ServerPoolTable`; passive failure marking is `EjectionPolicy`;
/// whether an attempt may be repeated is `RetryPolicy`. Nothing here knows of bindings, messages or
/// sockets, reads a clock or writes a log: time and random numbers are passed in, so the proxy, the
/// tests and the simulator run the same code.
internal import BelayBytes
package import BelayCore

/// What an algorithm may ask about the servers of one pool, by index `0..<count`. Used as a generic
/// constraint only, never as an existential. A question about one server costs about a cache miss,
/// so algorithms are judged by how many they ask.
package protocol ServerPoolView {
    var count: Int { get }

    /// The share of new clients that was set for the server.
    func weight(_ index: Int) -> Weight

    /// Why the server may not take a new client, or `.no` if it may. A server of weight 0 may not.
    func passOver(_ index: Int) -> PassOver

    /// The part of its share that a server in slow start takes, in 256ths; 256 otherwise.
    func startShare(_ index: Int) -> Int

    /// The server's requests that have begun and not ended, over all workers.
    func openRequests(_ index: Int) -> Int

    /// How long the server takes to answer, as `PeakEWMA` has it; `.zero` when that is not known.
    func latency(_ index: Int, at now: Instant) -> TimeSpan
}

extension ServerPoolView {
    /// Whether the server may take a new client. (A pattern, because `==` of an enum from another
    /// room is a call through a witness.)
    @inline(__always)
    func mayTake(_ index: Int) -> Bool {
        if case .no = self.passOver(index) { true } else { false }
    }
}

/// What the hash algorithms choose by. The caller computes a hash only if the pool's algorithm asks
/// for it (`Algorithm.sourceHash`, `.urlHash`); any number will do for the other.
package struct PickKey: Sendable {
    /// Of the client's address.
    package var sourceHash: UInt64
    /// Of the request's target.
    package var urlHash: UInt64

    package init(sourceHash: UInt64 = 0, urlHash: UInt64 = 0) {
        self.sourceHash = sourceHash
        self.urlHash = urlHash
    }

    /// The hash of a client's address: the same on every Belay, and for ever.
    package static func hash(of address: IPAddress) -> UInt64 {
        StableHash.combine(address.high, address.low)
    }
}

/// The balancing state of one worker for one server pool. Each worker owns a value of its own and
/// mutates it in place; what workers know of each other they read through the view. `pick` and the
/// two events allocate nothing.
///
/// Every algorithm keeps the promises that `BalancerSuite` checks: it never picks a server that is
/// passed over, it answers nil only if every server is, and in the long run shares follow weights.
package enum Balancer: Sendable {
    case roundRobin(SmoothRoundRobin)
    case leastConnections(LeastConnections)
    case sourceHash(HashAffinity)
    case urlHash(HashAffinity)
    case leastTime(LeastTime)
    case randomOfTwo(RandomOfTwo)

    /// - Parameters:
    ///   - algorithm: as configured.
    ///   - weights: one for each server of the pool.
    ///   - names: as many; the hash algorithms tell servers apart by them.
    ///   - loadBound: how much above its share of the open requests the hash algorithms may load a
    ///     server: 1.25 is a quarter; `.infinity` switches the bound off. At least 1.
    ///   - seed: another one for each worker, so that workers don't march in step.
    package init(
        algorithm: Algorithm,
        weights: [Weight],
        names: [ServerName],
        loadBound: Double,
        seed: UInt64
    ) {
        precondition(!weights.isEmpty, "a server pool without servers")
        precondition(weights.count == names.count, "a weight for each name")
        switch algorithm {
        case .roundRobin:
            self = .roundRobin(SmoothRoundRobin(weights: weights, seed: seed))
        case .leastConnections:
            self = .leastConnections(LeastConnections(weights: weights, seed: seed))
        case .sourceHash:
            self = .sourceHash(
                HashAffinity(weights: weights, names: names, loadBound: loadBound)
            )
        case .urlHash:
            self = .urlHash(HashAffinity(weights: weights, names: names, loadBound: loadBound))
        case .leastTime:
            self = .leastTime(LeastTime(weights: weights))
        case .randomOfTwo:
            self = .randomOfTwo(RandomOfTwo(weights: weights))
        }
    }

    /// The balancer of another worker for the same pool. It shares what never changes, such as a
    /// hash algorithm's slots, which take long to fill and much memory, and starts elsewhere.
    package func forAnotherWorker(seed: UInt64) -> Balancer {
        switch self {
        case .roundRobin(let state): .roundRobin(state.forAnotherWorker(seed: seed))
        case .leastConnections(let state): .leastConnections(state.forAnotherWorker(seed: seed))
        case .sourceHash(let state): .sourceHash(state.forAnotherWorker())
        case .urlHash(let state): .urlHash(state.forAnotherWorker())
        case .leastTime(let state): .leastTime(state)
        case .randomOfTwo(let state): .randomOfTwo(state)
        }
    }

    /// The server for a client that is bound to none, of those that the exchange has not tried;
    /// nil if nobody can take it. Servers in slow start and silent ones take what is theirs, and
    /// all where there are no others. Follow it with `requestOpened`, after the request is counted
    /// in the table.
    package mutating func pick(
        from table: ServerPoolTable,
        key: PickKey,
        tried: TriedServers,
        now: Instant,
        random: inout RandomSource
    ) -> Int? {
        let draw = table.isStarting(at: now) ? self.draw(key, &random) : 0
        let view = table.view(at: now, tried: tried, draw: draw)
        if let server = self.choose(view, key: key, now: now, random: &random) { return server }
        let lenient = table.view(at: now, tried: tried, isLenient: true)
        return self.choose(lenient, key: key, now: now, random: &random)
    }

    /// The number by which servers in slow start take a newcomer or not (see `SlowStart`).
    package func draw(_ key: PickKey, _ random: inout RandomSource) -> UInt32 {
        switch self {
        case .leastConnections: 0
        case .sourceHash: Self.draw(key.sourceHash)
        case .urlHash: Self.draw(key.urlHash)
        case .roundRobin, .leastTime, .randomOfTwo:
            UInt32(truncatingIfNeeded: random.next()) | 1
        }
    }

    private static func draw(_ hash: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: StableHash.combine(hash, 0x736C_6F77)) | 1
    }

    /// The server for a client that is bound to none; nil if every server is passed over. Follow it
    /// with `requestOpened`, after the request is counted where the view reads.
    package mutating func pick(
        _ view: some ServerPoolView,
        key: PickKey,
        now: Instant,
        random: inout RandomSource
    ) -> Int? {
        self.choose(view, key: key, now: now, random: &random)
    }

    /// The same for the workers' table. (Not generic, so that it is compiled for this view, here:
    /// package-wide generics are not specialized across rooms, and ask through witnesses.)
    package mutating func pick(
        _ view: ServerPoolTable.View,
        key: PickKey,
        now: Instant,
        random: inout RandomSource
    ) -> Int? {
        self.choose(view, key: key, now: now, random: &random)
    }

    private mutating func choose(
        _ view: some ServerPoolView,
        key: PickKey,
        now: Instant,
        random: inout RandomSource
    ) -> Int? {
        // The value is taken apart and put together again, so that its arrays stay unshared and
        // are written in place. All `pick`s are mutating, even those that change nothing: what is
        // moved and not copied needs no reference counting (measured: a sixth of a random pick).
        switch consume self {
        case .roundRobin(var state):
            let server = state.pick(view)
            self = .roundRobin(state)
            return server
        case .leastConnections(var state):
            let server = state.pick(view)
            self = .leastConnections(state)
            return server
        case .sourceHash(var state):
            let server = state.pick(view, key: key.sourceHash)
            self = .sourceHash(state)
            return server
        case .urlHash(var state):
            let server = state.pick(view, key: key.urlHash)
            self = .urlHash(state)
            return server
        case .leastTime(var state):
            let server = state.pick(view, now: now, random: &random)
            self = .leastTime(state)
            return server
        case .randomOfTwo(var state):
            let server = state.pick(view, random: &random)
            self = .randomOfTwo(state)
            return server
        }
    }

    /// A request of this worker went to the server, whether this balancer picked it or a binding.
    package mutating func requestOpened(_ index: Int) {
        switch consume self {
        case .leastConnections(var state):
            state.requestOpened(index)
            self = .leastConnections(state)
        case .sourceHash(var state):
            state.requestOpened(index)
            self = .sourceHash(state)
        case .urlHash(var state):
            state.requestOpened(index)
            self = .urlHash(state)
        case .roundRobin(let state): self = .roundRobin(state)
        case .leastTime(let state): self = .leastTime(state)
        case .randomOfTwo(let state): self = .randomOfTwo(state)
        }
    }

    /// A request of this worker ended. One that this balancer never saw opening, because it began
    /// before a reload, may be reported too.
    package mutating func requestClosed(_ index: Int) {
        switch consume self {
        case .leastConnections(var state):
            state.requestClosed(index)
            self = .leastConnections(state)
        case .sourceHash(var state):
            state.requestClosed(index)
            self = .sourceHash(state)
        case .urlHash(var state):
            state.requestClosed(index)
            self = .urlHash(state)
        case .roundRobin(let state): self = .roundRobin(state)
        case .leastTime(let state): self = .leastTime(state)
        case .randomOfTwo(let state): self = .randomOfTwo(state)
        }
    }

    /// What newcomers are shared by.
    package var weights: [Weight] {
        switch self {
        case .roundRobin(let state): state.weights
        case .leastConnections(let state): state.weights
        case .sourceHash(let state), .urlHash(let state): state.weights
        case .leastTime(let state): state.weights
        case .randomOfTwo(let state): state.weights
        }
    }

    /// Other weights for the same servers, in the same order. Allocates, and for a hash fills its
    /// slots anew: not for every request. Does nothing if they are the same.
    package mutating func weightsChanged(_ weights: [Weight]) {
        guard weights != self.weights else { return }
        switch consume self {
        case .roundRobin(var state):
            state.weightsChanged(weights)
            self = .roundRobin(state)
        case .leastConnections(var state):
            state.weightsChanged(weights)
            self = .leastConnections(state)
        case .sourceHash(var state):
            state.weightsChanged(weights)
            self = .sourceHash(state)
        case .urlHash(var state):
            state.weightsChanged(weights)
            self = .urlHash(state)
        case .leastTime(var state):
            state.weightsChanged(weights)
            self = .leastTime(state)
        case .randomOfTwo(var state):
            state.weightsChanged(weights)
            self = .randomOfTwo(state)
        }
    }
}
