package import BelayCore

// What a listener can be told, and the origins of a route.

extension Settings {
    /// An address that clients connect to.
    package struct Listener: Sendable, Equatable {
        /// Of IPv6 `::` where the file names no address: that takes IPv4 as well.
        package var address: SocketAddress
        /// What logs and metrics call it. Starts as the address, as it was written.
        package var name = ""
        package var kind = ListenerKind.http
        /// Nil: clear text, or with `kind` TCP whatever the clients send.
        package var tls: ListenerTLS?
        package var proxyProtocol = ProxyAcceptance.off
        /// Offered to clients, in this order; at least one. Only of HTTP.
        package var protocols: [HTTPVersion] = [.http2, .http1]
        /// The port of HTTPS to which every request is sent on; nil: none is. Only of HTTP in
        /// clear text.
        package var redirectToHTTPS: UInt16?
        /// Only of HTTP over TLS.
        package var hsts: StrictTransport?
        /// Where a connection goes that no rule of `sni` takes; nil: it is closed. Only of TCP.
        package var pool: PoolName?
        /// In the order in which they are tried; the first that matches is taken. Only of TCP.
        package var sni: [SNIRule] = []

        package init(address: SocketAddress) { self.address = address }
    }

    /// What a listener makes of the bytes of its clients.
    package enum ListenerKind: String, Sendable, CaseIterable {
        case http, tcp
    }

    /// A version of HTTP that is offered to clients.
    package enum HTTPVersion: UInt8, Sendable, CaseIterable {
        /// `h2`. In clear text for clients that begin with it (RFC 9113 §3.3).
        case http2
        /// `http/1.1`.
        case http1
    }

    /// Whether connections begin with a header of the PROXY protocol.
    package enum ProxyAcceptance: String, Sendable, CaseIterable {
        case off, optional, required
    }

    /// What the header Strict-Transport-Security says (RFC 6797 §6.1).
    package struct StrictTransport: Sendable, Equatable {
        /// In whole seconds.
        package var maxAge = TimeSpan.hours(24 * 365)
        package var includeSubdomains = false
        package var preload = false

        package init() {}
    }

    /// TCP connections that ask for this host go to the server pool.
    package struct SNIRule: Sendable, Equatable {
        /// Never an IP address, for which no client asks.
        package var host: HostPattern
        package var pool: PoolName

        package init(host: HostPattern, pool: PoolName) {
            self.host = host
            self.pool = pool
        }
    }

    /// Pages from which WebSockets may be opened: what browsers send as Origin (RFC 6454 §7).
    package struct Origin: Sendable, Equatable {
        /// In lower case.
        package var scheme: String
        package var host: HostPattern
        /// Nil: that of the scheme, which browsers leave out too.
        package var port: UInt16?

        package init(scheme: String, host: HostPattern, port: UInt16? = nil) {
            self.scheme = scheme
            self.host = host
            self.port = port
        }

        /// As browsers write it, or with `*.` in front of a domain: `https://shop.example.com`.
        package var spelled: String {
            "\(self.scheme)://\(self.host.spelled)" + (self.port.map { ":\($0)" } ?? "")
        }
    }
}
