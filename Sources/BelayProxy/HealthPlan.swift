package import BelayBytes
package import BelayCore

/// How the servers of a pool are checked.
package struct HealthCheckPlan: Sendable {
    package enum Kind: Sendable {
        /// The connection is accepted.
        case tcp
        /// And encrypted.
        case tls
        /// A request is answered as it should be.
        case http
        /// The server calls itself SERVING (grpc.health.v1).
        case grpc
    }

    package var kind = Kind.tcp
    /// No checks were asked for: only a server that is ejected because it refused connections is
    /// tried now and then, so that it is in use again as soon as it listens.
    package var isProbe = false
    package var interval: TimeSpan
    /// While the state is changing.
    package var fastInterval: TimeSpan
    package var timeout: TimeSpan
    package var fall: Int
    package var rise: Int
    /// Nil: the server's own.
    package var port: UInt16?
    /// Of `http`: the head of the request.
    package var method = "GET"
    package var path = "/"
    /// Of `http` and `grpc` what they ask for, of `tls` the name in the handshake.
    package var host: String?
    /// By server: what `http` and `grpc` ask for where `host` is nil.
    package var hosts: [String] = []
    package var statuses: [ClosedRange<UInt16>] = [200...399]
    /// What must be in the body's first 16 KiB; empty: anything.
    package var body: [UInt8] = []
    /// Of `grpc`; empty: the server as a whole.
    package var service = ""
    /// The header of an answer that has an agent's words, in lower case.
    package var agentHeader: InternedText?
    /// Where an agent is asked, and how often; nil: nowhere.
    package var agentPort: UInt16?
    package var agentInterval = TimeSpan.seconds(5)

    package init(interval: TimeSpan, timeout: TimeSpan, fall: Int, rise: Int) {
        self.interval = interval
        self.fastInterval = TimeSpan(
            nanoseconds: Swift.max(interval.nanoseconds / 4, 100_000_000)
        )
        self.timeout = timeout
        self.fall = fall
        self.rise = rise
    }

    /// The Host of requests to a server; nil: its address.
    func host(of server: Int) -> String? {
        if let host = self.host { return host }
        return server < self.hosts.count ? self.hosts[server] : nil
    }
}

/// When live traffic shows a server to be worse than the others.
package struct OutlierPlan: Sendable {
    package var errorRate: Double?
    package var latency: Double?
    package var interval: TimeSpan
    package var requestsMin: Int

    package init(
        errorRate: Double?,
        latency: Double?,
        interval: TimeSpan,
        requestsMin: Int
    ) {
        self.errorRate = errorRate
        self.latency = latency
        self.interval = interval
        self.requestsMin = requestsMin
    }
}

/// What the last check of a server came to.
package struct CheckResult: Sendable {
    package var isGood: Bool
    /// In words; empty when it was good.
    package var reason: String
    /// What the server, or its agent, said of itself the last time that it did.
    package var said: String?
    package var at: Instant
    package var took: TimeSpan

    package init(
        isGood: Bool,
        reason: String,
        said: String? = nil,
        at: Instant,
        took: TimeSpan
    ) {
        self.isGood = isGood
        self.reason = reason
        self.said = said
        self.at = at
        self.took = took
    }
}
