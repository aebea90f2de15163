package import BelayCore

// The servers of a pool: those that stand in the file, and where others come from.

extension Settings {
    /// One server of a pool.
    package struct Server: Sendable, Equatable {
        /// Unique within its pool. Starts as the address, as it was written.
        package var name: ServerName
        package var address: ServerAddress
        package var weight = Weight.one
        package var state = AdminState.ready
        /// A server of the same name and another generation is another server.
        package var generation = 0
        /// Requests that it may have at once; nil: no limit.
        package var maxConnections: Int?
        /// What stands for it in an application's cookie; nil: its name.
        package var route: String?

        package init(name: ServerName, address: ServerAddress) {
            self.name = name
            self.address = address
        }

        /// What stands for it in an application's cookie.
        package var routeWord: String { self.route ?? self.name.rawValue }
    }

    /// Where a server is reached. A host name is kept as text; the runtime resolves it.
    package struct ServerAddress: Sendable, Equatable {
        /// A host name in lower case, or an IP address without brackets.
        package var host: String
        package var port: UInt16

        package init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }
    }

    /// The DNS servers that are asked for names of servers.
    package struct Resolver: Sendable, Equatable {
        /// At least one; the next is asked where one does not answer.
        package var servers: [SocketAddress]
        /// In whole seconds.
        package var timeout = TimeSpan.seconds(2)
        package var attempts = 2

        package init(servers: [SocketAddress]) { self.servers = servers }
    }

    /// Where servers come from that don't stand in the file by themselves.
    package struct ServerSource: Sendable, Equatable {
        package var kind: Kind
        /// Of each of its servers that has no other. Not for `srv`, whose records have weights.
        package var weight = Weight.one
        /// Requests that each of its servers may have at once; nil: no limit.
        package var maxConnections: Int?

        package init(_ kind: Kind) { self.kind = kind }

        package enum Kind: Sendable, Equatable {
            /// The addresses (A, AAAA) of a host name, in lower case; each server is named by its
            /// address.
            case dns(host: String, port: UInt16)
            /// The records of a service, such as `_http._tcp.shop.internal`, in lower case.
            case srv(String)
            /// A file with a line `name address [weight]` for each server, which is watched.
            case file(String)
        }
    }
}
