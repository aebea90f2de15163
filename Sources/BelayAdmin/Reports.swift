package import BelayCore

/// A server pool as `/api/pools` shows it.
package struct PoolReport: Codable, Equatable, Sendable {
    package var name: String
    /// The algorithm, as spelled in the configuration.
    package var algorithm: String
    package var servers: [ServerReport]

    package init(name: String, algorithm: Algorithm, servers: [ServerReport]) {
        self.name = name
        self.algorithm = "\(algorithm.name)"
        self.servers = servers
    }
}

/// A server as `/api/pools` shows it.
package struct ServerReport: Codable, Equatable, Sendable {
    package var name: String
    /// Address and port.
    package var address: String
    package var weight: Int
    /// What a person set: `ready`, `draining`, `maintenance`; `leaving` for one that is no longer
    /// in the settings.
    package var state: String
    /// What checks and live traffic found: `up`, `starting`, `stalled`, `ejected`, `down`.
    package var health: String
    /// Seconds until the server is let in again; null while it is up.
    package var ejectedForSeconds: Double?
    package var openRequests: Int
    /// Clients that are bound to it, as far as this Belay knows.
    package var bound: Int
    /// Exchanges that ended at this server so far.
    package var exchanges: Int
    /// Those among them that it answered with 5xx or not at all.
    package var failures: Int
    /// Its response time as `least-time` sees it (peak EWMA); null before the first answer.
    package var latencyMs: Double?
    /// How far it is emptied; null while nobody empties it.
    package var drain: DrainReport?
    /// Its last check; null before the first, and where none are made.
    package var check: CheckReport?
    /// How asking its agent went the last time; null before the first time, and where none is
    /// asked.
    package var agent: CheckReport?

    package init(
        name: String,
        address: SocketAddress,
        weight: Weight,
        state: String,
        health: String,
        ejectedFor: TimeSpan?,
        openRequests: Int,
        bound: Int,
        exchanges: Int,
        failures: Int,
        latency: TimeSpan?,
        drain: DrainReport? = nil,
        check: CheckReport? = nil,
        agent: CheckReport? = nil
    ) {
        self.name = name
        self.address = address.description
        self.weight = Int(weight.rawValue)
        self.state = state
        self.health = health
        self.ejectedForSeconds = ejectedFor.map { Double($0.milliseconds) / 1_000 }
        self.openRequests = openRequests
        self.bound = bound
        self.exchanges = exchanges
        self.failures = failures
        self.latencyMs = latency.map { Double($0.microseconds) / 1_000 }
        self.drain = drain
        self.check = check
        self.agent = agent
    }

    /// Writes null where a value is missing: a reader then sees that the key exists.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.name, forKey: .name)
        try container.encode(self.address, forKey: .address)
        try container.encode(self.weight, forKey: .weight)
        try container.encode(self.state, forKey: .state)
        try container.encode(self.health, forKey: .health)
        try container.encode(self.ejectedForSeconds, forKey: .ejectedForSeconds)
        try container.encode(self.openRequests, forKey: .openRequests)
        try container.encode(self.bound, forKey: .bound)
        try container.encode(self.exchanges, forKey: .exchanges)
        try container.encode(self.failures, forKey: .failures)
        try container.encode(self.latencyMs, forKey: .latencyMs)
        try container.encode(self.drain, forKey: .drain)
        try container.encode(self.check, forKey: .check)
        try container.encode(self.agent, forKey: .agent)
    }
}

/// The last check of a server, or of its agent, as `/api/pools` shows it.
package struct CheckReport: Codable, Equatable, Sendable {
    package var good: Bool
    /// What was wrong; null when it was good.
    package var reason: String?
    /// The words that the server, or its agent, said of itself last; null when it has said none.
    package var said: String?
    package var secondsAgo: Double
    package var tookMs: Double

    /// `reason` is empty when it was good.
    package init(isGood: Bool, reason: String, said: String?, ago: TimeSpan, took: TimeSpan) {
        self.good = isGood
        self.reason = reason.isEmpty ? nil : reason
        self.said = said
        self.secondsAgo = Double(ago.milliseconds) / 1_000
        self.tookMs = Double(took.microseconds) / 1_000
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.good, forKey: .good)
        try container.encode(self.reason, forKey: .reason)
        try container.encode(self.said, forKey: .said)
        try container.encode(self.secondsAgo, forKey: .secondsAgo)
        try container.encode(self.tookMs, forKey: .tookMs)
    }
}

/// Whether clients should be sent to this Belay, as `/readyz` tells a balancer in front of it.
package struct Readiness: Codable, Equatable, Sendable {
    package var ready: Bool
    /// What stands in the way, one sentence each; empty when ready.
    package var reasons: [String]
    /// What somebody should see to, although clients are served; one sentence each.
    package var warnings: [String]

    /// Ready unless there are reasons.
    package init(reasons: [String], warnings: [String] = []) {
        self.ready = reasons.isEmpty
        self.reasons = reasons
        self.warnings = warnings
    }
}
