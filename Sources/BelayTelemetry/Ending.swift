/// How an exchange ended. The spelling of `name` is that of the log's field and the metrics' label.
package enum Ending: UInt8, Sendable, CaseIterable {
    /// The answer went out whole.
    case done
    /// The client closed or reset its connection before the answer was out.
    case clientLeft
    /// The client sent or took nothing for too long.
    case clientTimedOut
    /// The request was no proper HTTP, or beyond a limit.
    case requestRefused
    /// A listener in clear text sent the client to https.
    case redirected
    /// A page from this origin may not open WebSockets here.
    case originRefused
    /// No route matches the request.
    case noRoute
    /// No server of the pool may take it.
    case noServer
    /// It waited for a server with room, and none had any in time.
    case queueTimedOut
    /// As many requests wait for the pool's servers as may.
    case queueFull
    /// Its client's server can't take it, and the pool moves nobody.
    case bindingRejected
    /// Every server that was tried refused the connection.
    case connectFailed
    /// Connecting took too long, on the last attempt.
    case connectTimedOut
    /// The server closed or reset its connection before its answer was whole.
    case serverClosedEarly
    /// The server sent or took nothing for too long.
    case serverTimedOut
    /// The server's answer was no proper HTTP, or beyond a limit.
    case responseRefused
    /// Belay had no memory for it: a limit of its own.
    case overloaded
    /// As many tunnels are open, of this client or to this server, as may be.
    case tunnelLimit
    /// A tunnel was open (WebSocket, TCP), and one side closed it.
    case tunnelClosed
    /// A tunnel was open, and Belay closed it because it stops or its server drains.
    case tunnelDrained
    /// Belay stopped and the time for finishing was over.
    case shutDown

    package var name: StaticString {
        switch self {
        case .done: "done"
        case .clientLeft: "client-left"
        case .clientTimedOut: "client-timed-out"
        case .requestRefused: "request-refused"
        case .redirected: "redirected"
        case .originRefused: "origin-refused"
        case .noRoute: "no-route"
        case .noServer: "no-server"
        case .queueTimedOut: "queue-timed-out"
        case .queueFull: "queue-full"
        case .bindingRejected: "binding-rejected"
        case .connectFailed: "connect-failed"
        case .connectTimedOut: "connect-timed-out"
        case .serverClosedEarly: "server-closed-early"
        case .serverTimedOut: "server-timed-out"
        case .responseRefused: "response-refused"
        case .overloaded: "overloaded"
        case .tunnelLimit: "tunnel-limit"
        case .tunnelClosed: "tunnel-closed"
        case .tunnelDrained: "tunnel-drained"
        case .shutDown: "shut-down"
        }
    }
}

/// Why a client's connection was closed as soon as it was there.
package enum ConnectionRefusal: UInt8, Sendable, CaseIterable, LabelValue {
    /// As many connections are open as may be.
    case limit
    /// As many of this client address are open as may be.
    case clientLimit
    /// The process may open no more descriptors.
    case descriptors
    /// No memory for another connection.
    case memory
    /// This client address began as many TLS handshakes within a second as it may.
    case handshakeRate
    /// The PROXY protocol's header is improper, missing, or from somebody who may not send one.
    case proxyHeader

    package var name: StaticString {
        switch self {
        case .limit: "limit"
        case .clientLimit: "client-limit"
        case .descriptors: "descriptors"
        case .memory: "memory"
        case .handshakeRate: "handshake-rate"
        case .proxyHeader: "proxy-header"
        }
    }
}

/// Which limit of time ended something.
package enum TimeoutKind: UInt8, Sendable, CaseIterable, LabelValue {
    /// A client's TLS handshake, or its PROXY protocol header, was not whole in time.
    case handshake
    /// A request's head did not arrive whole in time.
    case head
    /// A client connection was idle between requests.
    case keepAlive
    /// The client was silent during an exchange.
    case client
    /// The server was silent during an exchange.
    case server
    /// A server did not accept a connection in time.
    case connect
    /// A request that waited for a server with room.
    case queue
    /// A tunnel in which neither side said anything.
    case tunnel
    /// An exchange that was still open at the deadline of a graceful stop.
    case drain

    package var name: StaticString {
        switch self {
        case .handshake: "handshake"
        case .head: "head"
        case .keepAlive: "keep-alive"
        case .client: "client"
        case .server: "server"
        case .connect: "connect"
        case .queue: "queue"
        case .tunnel: "tunnel"
        case .drain: "drain"
        }
    }
}

/// What an answer did to the client's binding.
package enum BindingChange: UInt8, Sendable, CaseIterable {
    case none
    /// The client was bound, or bound anew.
    case created
    /// The binding's idle window was started again.
    case renewed

    package var name: StaticString {
        switch self {
        case .none: "none"
        case .created: "created"
        case .renewed: "renewed"
        }
    }
}
