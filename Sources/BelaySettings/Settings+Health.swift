package import BelayCore

// How Belay finds out whether a server is well: by asking it, and by its answers to clients.

extension Settings {
    /// Active checks.
    package struct Health: Sendable, Equatable {
        package var check = HealthCheck.tcp
        /// Of `http`: path and query.
        package var path = "/"
        /// Of `http` and `grpc` what they ask for, of `tls` the name in the handshake. Nil: the
        /// host of the server's address.
        package var host: String?
        /// Of `http`, in upper case.
        package var method = "GET"
        /// Of `http`: the statuses of a server that is well.
        package var statuses = [StatusRange(200...399)]
        /// Of `http`: what must be in the first 16 KiB of the answer's body. Nil: anything.
        package var body: String?
        /// Of `grpc`: the service that is asked for. Empty: the server as a whole.
        package var service = ""
        /// Nil: the server's own.
        package var port: UInt16?
        package var interval = TimeSpan.seconds(2)
        /// While the state is changing. Nil: a quarter of `interval`, at least 100 ms.
        package var fastInterval: TimeSpan?
        package var timeout = TimeSpan.seconds(2)
        /// So many failed checks in a row take a server down.
        package var fall = 3
        /// So many good checks in a row take it up again.
        package var rise = 2
        /// Nil: no agent is asked.
        package var agent: HealthAgent?
        /// Of `http`: the field of the answer that has the words of an agent, in lower case.
        package var agentHeader: String?

        package init() {}

        /// The time between two checks while the state is changing.
        package var changingInterval: TimeSpan {
            self.fastInterval
                ?? TimeSpan(nanoseconds: max(self.interval.nanoseconds / 4, 100_000_000))
        }
    }

    /// What a check asks of a server.
    package enum HealthCheck: String, Sendable, CaseIterable {
        /// To accept a connection.
        case tcp
        /// To end a TLS handshake.
        case tls
        /// To answer a request; over TLS where the pool has that.
        case http
        /// To call itself `SERVING` (grpc.health.v1); over TLS where the pool has that.
        case grpc
    }

    /// A program beside the server that says how it is, in HAProxy's agent words.
    package struct HealthAgent: Sendable, Equatable {
        package var port: UInt16
        package var interval = TimeSpan.seconds(5)

        package init(port: UInt16) { self.port = port }
    }

    /// Statuses of HTTP, from one to another.
    package struct StatusRange: Sendable, Equatable {
        package var first: UInt16
        package var last: UInt16

        package init(_ range: ClosedRange<UInt16>) {
            self.first = range.lowerBound
            self.last = range.upperBound
        }

        package func contains(_ status: UInt16) -> Bool {
            (self.first...self.last).contains(status)
        }
    }

    /// When live traffic ejects a server.
    package struct Failures: Sendable, Equatable {
        /// So many failures within `window` eject.
        package var count = 5
        package var window = TimeSpan.seconds(10)
        /// The first ejection; every further one doubles, up to `ejectMax`.
        package var eject = TimeSpan.seconds(10)
        package var ejectMax = TimeSpan.minutes(5)
        /// The part of the pool, 0...1, that may be ejected at once.
        package var ejectShare = 0.5
        /// Answers that are failures too.
        package var statuses: [StatusRange] = []
        /// Ejected when its share of failures is so much above the others' mean, 0...1. Nil: never.
        package var errorRate: Double?
        /// Ejected when its response time is so many times the others' median. Nil: never.
        package var latency: Double?
        /// How often servers are compared by `errorRate` and `latency`.
        package var interval = TimeSpan.seconds(10)
        /// Only servers with so many answers since the last comparison are compared.
        package var requestsMin = 100

        package init() {}
    }
}
