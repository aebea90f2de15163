package import BelayCore

// What a pool does with servers that come, go and fall silent, and with the clients that are bound
// to them.

extension Settings {
    /// Who can read a user's session.
    package enum SessionPlace: String, Sendable, CaseIterable {
        /// The server that made it, and no other: moving its client loses it.
        case server
        /// Every server of the pool.
        case shared
    }

    /// What becomes of a server that is no longer in the file.
    package enum Removal: String, Sendable, CaseIterable {
        /// It keeps its bound clients until `drain-deadline`.
        case drain
        /// It takes nobody any more.
        case now
    }

    /// How newcomers find their server.
    package enum Newcomers: String, Sendable, CaseIterable {
        /// Where one server has clearly fewer bound clients than the others, there; else by the
        /// algorithm.
        case level
        /// By the algorithm.
        case balance
    }

    /// Requests that wait for a server with room.
    package struct Queue: Sendable, Equatable {
        /// Over all workers.
        package var size = 1000
        package var timeout = TimeSpan.seconds(5)

        package init() {}
    }

    /// What keeps a pool in trouble from being given more.
    package struct Circuit: Sendable, Equatable {
        /// Requests open at all servers together. Nil: any number.
        package var requests: Int?
        /// The share of open requests that may be retries.
        package var retryBudget = 0.2
        /// So many retries at once are allowed in any case: a server that dies with all its
        /// requests is no storm.
        package var retriesMin = 100

        package init() {}
    }
}
