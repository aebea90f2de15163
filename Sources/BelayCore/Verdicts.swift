/// The words of a decision: what persistence found, by which rule a server was chosen, and why
/// another was passed over. The access log, the metrics' labels and `belay explain` spell them as
/// `name` does.

/// What the binding that a client presented was worth.
package enum PersistenceVerdict: UInt8, Sendable, CaseIterable {
    /// The pool keeps no bindings.
    case off
    /// The request is one that never binds, by the pool's rules.
    case exempt
    /// The client presented no binding.
    case none
    /// The client presented none, but another of its first requests was bound a moment ago.
    case claimed
    /// Bound, and the server takes it.
    case valid
    /// Bound to a server that has just come back and gets few new clients; kept there.
    case serverStarting
    /// Bound to a server of weight 0, and kept there.
    case serverWeightZero
    /// Bound to a server that is draining, and kept there.
    case serverDraining
    /// Bound to a server that was taken out of the settings, and kept there until its deadline.
    case serverLeaving
    /// Bound to a server that has as many requests as it may have.
    case serverFull
    /// Bound to a server that gives clients away: this one moved, by a drain at a rate or to
    /// relieve the server.
    case moved
    /// Bound to a server that active checks find down, or that cannot be reached.
    case serverDown
    /// Bound to a server that is ejected.
    case serverEjected
    /// Bound to a server in maintenance.
    case serverMaintenance
    /// Bound to a server that is no longer in the pool, or to an earlier generation of one.
    case unknownServer
    /// Not renewed within the idle window.
    case expiredIdle
    /// Older than the lifetime.
    case expiredLifetime
    /// Cannot be opened with a key of ours although it names one: changed on its way, or forged.
    case tampered
    /// Not ours: another format, an unknown key, or another pool's binding.
    case foreign

    package var name: StaticString {
        switch self {
        case .off: "off"
        case .exempt: "exempt"
        case .none: "none"
        case .claimed: "claimed"
        case .valid: "valid"
        case .serverStarting: "server-starting"
        case .serverWeightZero: "server-weight-zero"
        case .serverDraining: "server-draining"
        case .serverLeaving: "server-leaving"
        case .serverFull: "server-full"
        case .moved: "moved"
        case .serverDown: "server-down"
        case .serverEjected: "server-ejected"
        case .serverMaintenance: "server-maintenance"
        case .unknownServer: "unknown-server"
        case .expiredIdle: "expired-idle"
        case .expiredLifetime: "expired-lifetime"
        case .tampered: "tampered"
        case .foreign: "foreign"
        }
    }

    /// What the word says, for people.
    package var meaning: StaticString {
        switch self {
        case .off: "the pool binds nobody"
        case .exempt: "a request that never binds"
        case .none: "no binding was presented"
        case .claimed: "another first request of this client was bound a moment ago"
        case .valid: "bound, and the server takes it"
        case .serverStarting: "bound, and the server has just started"
        case .serverWeightZero: "bound to a server of weight 0"
        case .serverDraining: "bound to a server that drains"
        case .serverLeaving: "bound to a server that left the settings"
        case .serverFull: "bound to a server that is full"
        case .moved: "bound to a server that gives clients away"
        case .serverDown: "bound to a server that is down"
        case .serverEjected: "bound to a server that is ejected"
        case .serverMaintenance: "bound to a server in maintenance"
        case .unknownServer: "bound to a server that the pool has no more"
        case .expiredIdle: "not used for too long"
        case .expiredLifetime: "too old"
        case .tampered: "changed on its way, or forged"
        case .foreign: "not a binding of this pool"
        }
    }
}

/// Why a bound client came to another server than its binding named. The server is told so on the
/// client's first request there.
package enum MoveReason: UInt8, Sendable, CaseIterable {
    /// Its server drains at a rate, or its deadline has come.
    case drain
    /// Its server is in maintenance.
    case maintenance
    /// Its server is down, or refused the connection for longer than it is waited for.
    case down
    case ejected
    /// Its server had no room in time.
    case full
    /// Its server was taken out of the settings.
    case removed
    /// Its server has more clients than its share.
    case rebalance
    /// Somebody moved this one client.
    case request
    /// Its home server is back.
    case home

    package var name: StaticString {
        switch self {
        case .drain: "drain"
        case .maintenance: "maintenance"
        case .down: "down"
        case .ejected: "ejected"
        case .full: "full"
        case .removed: "removed"
        case .rebalance: "rebalance"
        case .request: "request"
        case .home: "home"
        }
    }
}

/// By which rule the server of an exchange was chosen.
package enum PickRule: UInt8, Sendable, CaseIterable {
    /// None was: the exchange ended before, or no server could be had.
    case none
    /// The client's binding named it.
    case binding
    /// The binding's server is gone; this is the next one by rendezvous hashing.
    case redispatch
    /// Another of the client's first requests was sent there a moment ago.
    case claim
    /// It has the fewest bound clients for its weight, and so far fewer than the others that
    /// newcomers level it.
    case level
    /// A hash of the client's address and ports, as the way to bind says.
    case affinity
    /// An earlier attempt failed and this server was tried next.
    case retry
    case roundRobin
    case leastConnections
    case sourceHash
    case urlHash
    case leastTime
    case randomOfTwo

    package var name: StaticString {
        switch self {
        case .none: "none"
        case .binding: "binding"
        case .redispatch: "redispatch"
        case .claim: "claim"
        case .level: "level"
        case .affinity: "affinity"
        case .retry: "retry"
        case .roundRobin: "round-robin"
        case .leastConnections: "least-connections"
        case .sourceHash: "source-hash"
        case .urlHash: "url-hash"
        case .leastTime: "least-time"
        case .randomOfTwo: "random-of-two"
        }
    }
}

/// The balancing algorithm of a server pool, as configured.
package enum Algorithm: UInt8, Sendable, CaseIterable {
    case roundRobin
    case leastConnections
    case sourceHash
    case urlHash
    case leastTime
    case randomOfTwo

    /// The spelling in configuration; the same word as the rule's.
    package var name: StaticString { self.rule.name }

    /// The rule that a pick of this algorithm is recorded under.
    package var rule: PickRule {
        switch self {
        case .roundRobin: .roundRobin
        case .leastConnections: .leastConnections
        case .sourceHash: .sourceHash
        case .urlHash: .urlHash
        case .leastTime: .leastTime
        case .randomOfTwo: .randomOfTwo
        }
    }
}

/// Why a server may not take a client that is bound to none.
package enum PassOver: UInt8, Sendable, CaseIterable {
    /// It may: nothing stands against it.
    case no
    case draining
    case maintenance
    case ejected
    /// Active checks find it down.
    case down
    case weightZero
    /// It came back, or was added, a short while ago, and takes only a part of its share.
    case starting
    /// Requests wait there and nothing has been heard of it for too long.
    case stalled
    /// It was taken out of the settings and keeps its clients until its deadline.
    case leaving
    /// It is no longer in the pool.
    case removed
    case full
    /// This exchange tried it already and failed.
    case tried

    package var name: StaticString {
        switch self {
        case .no: "no"
        case .draining: "draining"
        case .maintenance: "maintenance"
        case .ejected: "ejected"
        case .down: "down"
        case .weightZero: "weight-zero"
        case .starting: "starting"
        case .stalled: "stalled"
        case .leaving: "leaving"
        case .removed: "removed"
        case .full: "full"
        case .tried: "tried"
        }
    }
}
