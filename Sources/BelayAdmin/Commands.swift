package import BelayCore

// What a person may ask of the running Belay beyond looking: the questions, and what is answered.

/// What is asked. Servers and pools are named as in the settings.
package enum AdminCommand: Equatable, Sendable {
    /// The settings are read again.
    case reload
    /// Another binary takes over.
    case upgrade
    case drain(ServerRef, deadline: TimeSpan?, rate: Double?)
    case drainStatus(ServerRef)
    case pauseDrain(ServerRef)
    case resumeDrain(ServerRef)
    case undoDrain(ServerRef)
    case setServer(ServerRef, ServerChanges)
    case addServer(pool: String, ServerChanges)
    case removeServer(ServerRef, now: Bool)
    case rebalance(pool: String, goal: Double, rate: Double)
    case stopRebalance(pool: String)
    case bindings(pool: String, server: String?, limit: Int, cursor: Int)
    case findBinding(pool: String, way: String, value: String)
    case moveBinding(pool: String, key: String, server: String)
    case forgetBinding(pool: String, key: String)
}

/// A server by its name. The pool may be left out where only one has a server of that name.
package struct ServerRef: Equatable, Sendable {
    package var pool: String?
    package var server: String

    package init(pool: String?, server: String) {
        self.pool = pool
        self.server = server
    }
}

/// What is to be different about a server; nil: as it is.
package struct ServerChanges: Codable, Equatable, Sendable {
    package var name: String?
    package var address: String?
    package var weight: Int?
    package var state: String?
    package var maxConnections: Int?
    package var generation: Int?

    package init() {}

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, address, weight, state, maxConnections, generation
    }
}

/// What a command is answered with: one of these, as JSON.
package enum AdminResult: Sendable {
    case done(String)
    case reload(ReloadAnswer)
    case drain(DrainReport)
    case rebalance(RebalanceReport)
    case bindings(BindingsReport)
    case binding(BindingReport)
}

/// A command that can't be obeyed.
package struct AdminRefusal: Error, Equatable, Sendable {
    /// Of HTTP: 400 for a question that is wrong in itself, 404 for what is not there, 409 for what
    /// the state of things forbids, 503 for what can't be had now.
    package let status: Int
    package let sentence: String

    package init(_ status: Int, _ sentence: String) {
        self.status = status
        self.sentence = sentence
    }
}

package struct ReloadAnswer: Codable, Equatable, Sendable {
    package var served: Bool
    /// What is wrong with the settings; then nothing was changed.
    package var problems: [String]
    package var news: [String]
    package var warnings: [String]

    package init(served: Bool, problems: [String], news: [String], warnings: [String]) {
        self.served = served
        self.problems = problems
        self.news = news
        self.warnings = warnings
    }
}

/// Where a drain is.
package enum DrainPhase: String, Codable, CaseIterable, Sendable {
    case running
    /// Its time stands still, and nobody moves.
    case paused
    /// Nobody is bound to the server any more, and nothing runs there.
    case empty
    /// The deadline has come: who is still bound moves with its next request.
    case over
}

/// How far a drain is. Times are seconds since 1970.
package struct DrainReport: Codable, Equatable, Sendable {
    package var pool: String
    package var server: String
    /// `command` or `removal`.
    package var cause: String
    /// A `DrainPhase`.
    package var phase: String
    /// Clients that are bound to the server, as far as this Belay knows.
    package var bound: Int
    /// Whether it knows of all: not of those who come with an application's cookie that names their
    /// server, nor of those whose cookies another Belay with the same keys has sealed.
    package var countsAll: Bool
    /// Those that were when the drain began.
    package var boundAtStart: Int
    /// Those that would lose their session if the drain ended now.
    package var losing: Int
    package var openRequests: Int
    /// Clients that move in a second; null: they stay until the deadline.
    package var rate: Double?
    package var began: Int64
    package var deadline: Int64
    /// When it will be done, going on as it has so far; null while it is paused.
    package var expectedEnd: Int64?

    package init(
        pool: String,
        server: String,
        cause: String,
        phase: String,
        bound: Int,
        countsAll: Bool,
        boundAtStart: Int,
        losing: Int,
        openRequests: Int,
        rate: Double?,
        began: Int64,
        deadline: Int64,
        expectedEnd: Int64?
    ) {
        self.pool = pool
        self.server = server
        self.cause = cause
        self.phase = phase
        self.bound = bound
        self.countsAll = countsAll
        self.boundAtStart = boundAtStart
        self.losing = losing
        self.openRequests = openRequests
        self.rate = rate
        self.began = began
        self.deadline = deadline
        self.expectedEnd = expectedEnd
    }

    /// Writes null where a value is missing: a reader then sees that the key exists.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.pool, forKey: .pool)
        try container.encode(self.server, forKey: .server)
        try container.encode(self.cause, forKey: .cause)
        try container.encode(self.phase, forKey: .phase)
        try container.encode(self.bound, forKey: .bound)
        try container.encode(self.countsAll, forKey: .countsAll)
        try container.encode(self.boundAtStart, forKey: .boundAtStart)
        try container.encode(self.losing, forKey: .losing)
        try container.encode(self.openRequests, forKey: .openRequests)
        try container.encode(self.rate, forKey: .rate)
        try container.encode(self.began, forKey: .began)
        try container.encode(self.deadline, forKey: .deadline)
        try container.encode(self.expectedEnd, forKey: .expectedEnd)
    }

    /// How many clients have still to go, in a few words.
    package var left: String {
        if self.countsAll { return "\(self.bound) of \(self.boundAtStart) left" }
        return self.bound == 0 ? "not all are counted" : "at least \(self.bound) left"
    }
}

package struct RebalanceReport: Codable, Equatable, Sendable {
    package var pool: String
    /// The fullest server's clients as a multiple of its share.
    package var spread: Double
    package var goal: Double
    /// Clients that are to move.
    package var moving: Int
    package var sentence: String

    package init(pool: String, spread: Double, goal: Double, moving: Int, sentence: String) {
        self.pool = pool
        self.spread = spread
        self.goal = goal
        self.moving = moving
        self.sentence = sentence
    }
}

/// A learned binding, or a cookie that this Belay sealed. Times are seconds since 1970.
package struct BindingReport: Codable, Equatable, Sendable {
    /// What it is found by: the hash of what the client presents, in hexadecimal digits.
    package var key: String
    package var way: String
    /// The client's address, where that is what binds it.
    package var address: String?
    /// Null when its server is no longer known.
    package var server: String?
    package var issued: Int64
    package var renewed: Int64

    package init(
        key: String,
        way: String,
        address: String?,
        server: String?,
        issued: Int64,
        renewed: Int64
    ) {
        self.key = key
        self.way = way
        self.address = address
        self.server = server
        self.issued = issued
        self.renewed = renewed
    }

    /// Writes null where a value is missing.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.key, forKey: .key)
        try container.encode(self.way, forKey: .way)
        try container.encode(self.address, forKey: .address)
        try container.encode(self.server, forKey: .server)
        try container.encode(self.issued, forKey: .issued)
        try container.encode(self.renewed, forKey: .renewed)
    }
}

package struct BindingsReport: Codable, Equatable, Sendable {
    package var bindings: [BindingReport]
    /// Where to go on; null at the end.
    package var next: Int?
    /// All that the table holds.
    package var count: Int
    package var evictions: Int

    package init(bindings: [BindingReport], next: Int?, count: Int, evictions: Int) {
        self.bindings = bindings
        self.next = next
        self.count = count
        self.evictions = evictions
    }

    /// Writes null where a value is missing.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.bindings, forKey: .bindings)
        try container.encode(self.next, forKey: .next)
        try container.encode(self.count, forKey: .count)
        try container.encode(self.evictions, forKey: .evictions)
    }
}
