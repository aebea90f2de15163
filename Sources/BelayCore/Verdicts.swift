/// The words of a decision: what persistence found, by which rule a server was chosen, and why
/// another was passed over. The access log, the metrics' labels and `belay explain` spell them as
/// `name` does.

/// What the binding that a client presented was worth.
package enum PersistenceVerdict: UInt8, Sendable, CaseIterable {
    /// The pool keeps no bindings.
    case off
    /// The client presented no binding.
    case none
    /// Bound, and the server takes it.
    case valid
    /// Not renewed within the idle window.
    case expiredIdle
    /// Older than the lifetime.
    case expiredLifetime
    /// Cannot be opened with a key of ours although it names one: changed on its way, or forged.
    case tampered
    /// Not ours: another format, an unknown key, or another pool's binding.
    case foreign
    /// Bound to a server that is no longer in the pool.
    case unknownServer
    /// Bound to a server that is ejected or cannot be reached.
    case serverDown
    /// Bound to a server in maintenance.
    case serverMaintenance
    /// Bound to a server that is draining, and kept there.
    case serverDraining
    /// Bound to a server that has as many requests as it may have.
    case serverFull

    package var name: StaticString {
        switch self {
        case .off: "off"
        case .none: "none"
        case .valid: "valid"
        case .expiredIdle: "expired-idle"
        case .expiredLifetime: "expired-lifetime"
        case .tampered: "tampered"
        case .foreign: "foreign"
        case .unknownServer: "unknown-server"
        case .serverDown: "server-down"
        case .serverMaintenance: "server-maintenance"
        case .serverDraining: "server-draining"
        case .serverFull: "server-full"
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
        case .full: "full"
        case .tried: "tried"
        }
    }
}
