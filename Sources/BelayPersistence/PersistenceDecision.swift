package import BelayCore

/// The state of the server that a binding names, as far as a bound client is concerned.
package struct BoundServerState: Hashable, Sendable {
    package var adminState: AdminState
    package var health: Health
    /// It has as many open requests as it may have.
    package var isFull: Bool
    /// Its weight is 0: it keeps those that are bound to it.
    package var hasWeightZero = false
    /// It came back or was added a short while ago.
    package var isStarting = false
    /// It was taken out of the settings and keeps its clients until its deadline.
    package var isLeaving = false
    /// It is no longer in the pool.
    package var isRemoved = false
    /// It gives clients away, and this one's turn has come.
    package var givesAway = false

    package init(adminState: AdminState, health: Health, isFull: Bool) {
        self.adminState = adminState
        self.health = health
        self.isFull = isFull
    }
}

/// Judges the binding that a client presented.
///
/// What a person set comes before what traffic found, and both before how busy the server is: a
/// server in maintenance is not called down, nor one that is down full.
///
/// - Parameters:
///   - opening: what the cookie turned out to be; nil if the client presented none.
///   - server: the state of the server that the binding names; nil if the pool has none of that
///     name. Only looked at when the opening is a binding.
/// - Returns: what the binding is worth; its `step` says what is to be done.
package func persistenceVerdict(
    for opening: BindingOpening?,
    server: BoundServerState?
) -> PersistenceVerdict {
    switch opening {
    case nil: return .none
    case .foreign: return .foreign
    case .tampered: return .tampered
    case .expiredIdle: return .expiredIdle
    case .expiredLifetime: return .expiredLifetime
    case .binding: break
    }
    guard let server, !server.isRemoved else { return .unknownServer }
    if server.adminState == .maintenance { return .serverMaintenance }
    switch server.health {
    case .up: break
    case .down: return .serverDown
    case .ejected: return .serverEjected
    }
    if server.givesAway { return .moved }
    if server.isFull { return .serverFull }
    if server.isLeaving { return .serverLeaving }
    if server.adminState == .draining { return .serverDraining }
    if server.hasWeightZero { return .serverWeightZero }
    return server.isStarting ? .serverStarting : .valid
}

/// What is to be done for a client with that verdict.
package enum BindingStep: UInt8, Sendable, CaseIterable {
    /// Its server takes the request.
    case keep
    /// Its server is gone: the next one by rendezvous over the binding's id takes the request, and
    /// the binding moves there (`Binding.moved`).
    case redispatch
    /// Its server has no room just now: the request may wait for it, or be answered by the next
    /// one by rendezvous. The binding stays, so that the client is back once there is room.
    case overflow
    /// It is bound to none: the balancer picks, and the client gets a new binding.
    case pick
    /// It is bound to none and stays so: the balancer picks.
    case pickUnbound
}

extension PersistenceVerdict {
    package var step: BindingStep {
        switch self {
        case .off, .exempt: .pickUnbound
        case .none, .claimed, .expiredIdle, .expiredLifetime, .tampered, .foreign: .pick
        case .valid, .serverStarting, .serverWeightZero, .serverDraining, .serverLeaving: .keep
        case .unknownServer, .serverDown, .serverEjected, .serverMaintenance, .moved: .redispatch
        case .serverFull: .overflow
        }
    }
}
