/// What carries an exchange on the client's side.
package enum ExchangeProtocol: UInt8, Sendable, CaseIterable {
    /// HTTP/1.0 or HTTP/1.1.
    case http1
    case http2
    /// Bytes of which Belay understands nothing.
    case tcp

    package var name: StaticString {
        switch self {
        case .http1: "http/1"
        case .http2: "http/2"
        case .tcp: "tcp"
        }
    }
}

/// The version of TLS as the log writes it.
package enum TLSVersionWord: UInt8, Sendable, CaseIterable {
    /// Clear text; null in JSON.
    case none
    case v12
    case v13

    package var name: StaticString {
        switch self {
        case .none: "-"
        case .v12: "1.2"
        case .v13: "1.3"
        }
    }
}

/// Values of a metric's label, whose counters stand side by side in the order of the cases.
protocol LabelValue: CaseIterable, RawRepresentable where RawValue == UInt8 {
    var name: StaticString { get }
}

/// Why a client's TLS handshake failed.
package enum HandshakeFailure: UInt8, Sendable, CaseIterable, LabelValue {
    /// The client spoke HTTP in clear text.
    case plainHTTP
    /// The client asked for a name that no certificate has.
    case unknownName
    case noSharedVersion
    case noSharedCipher
    /// None of the client's application protocols is served here (ALPN).
    case noSharedProtocol
    /// A certificate is required, and the client has shown none.
    case clientCertificateMissing
    /// The client's certificate does not hold: its chain, its dates, its signature.
    case badCertificate
    /// The client ended it with an alert: it does not trust the certificate, for one.
    case peerAlert
    /// What the client sent is no proper TLS.
    case protocolError
    case timedOut
    /// The client closed or reset its connection meanwhile.
    case closed
    /// The client's address began more handshakes than it may.
    case rateLimited

    package var name: StaticString {
        switch self {
        case .plainHTTP: "plain-http"
        case .unknownName: "unknown-name"
        case .noSharedVersion: "no-shared-version"
        case .noSharedCipher: "no-shared-cipher"
        case .noSharedProtocol: "no-shared-protocol"
        case .clientCertificateMissing: "client-certificate-missing"
        case .badCertificate: "bad-certificate"
        case .peerAlert: "peer-alert"
        case .protocolError: "protocol-error"
        case .timedOut: "timed-out"
        case .closed: "closed"
        case .rateLimited: "rate-limited"
        }
    }
}

/// For what a client's HTTP/2 connection was ended.
package enum HTTP2Fault: UInt8, Sendable, CaseIterable, LabelValue {
    /// What the client sent is no proper HTTP/2.
    case protocolError
    /// Requests that were reset before they were answered (CVE-2023-44487).
    case resets
    case ping
    case settings
    /// Frames of DATA or HEADERS without content.
    case emptyFrames
    /// A head in too many CONTINUATION frames (CVE-2024-27316).
    case continuation
    case priority
    case windowUpdate
    /// A frame beyond the size that was agreed on.
    case frameSize
    /// A head that unpacks to far more than was sent.
    case headerBomb
    /// More bytes than the window allows.
    case flowControl
    /// A head whose compression cannot be undone.
    case compression
    case unknownFrames
    /// It does not read what it is sent, and makes more of it.
    case queue

    package var name: StaticString {
        switch self {
        case .protocolError: "protocol-error"
        case .resets: "resets"
        case .ping: "ping"
        case .settings: "settings"
        case .emptyFrames: "empty-frames"
        case .continuation: "continuation"
        case .priority: "priority"
        case .windowUpdate: "window-update"
        case .frameSize: "frame-size"
        case .headerBomb: "header-bomb"
        case .flowControl: "flow-control"
        case .compression: "compression"
        case .unknownFrames: "unknown-frames"
        case .queue: "queue"
        }
    }
}

/// What a connection's PROXY protocol header was worth.
package enum ProxyHeaderResult: UInt8, Sendable, CaseIterable, LabelValue {
    /// It named the client's address.
    case accepted
    /// The proxy spoke for itself: LOCAL, or UNKNOWN.
    case local
    /// There was none, and none was required.
    case absent
    /// There was none where one is required.
    case missing
    /// It came from somebody who may not send one.
    case untrusted
    case malformed
    case timedOut

    package var name: StaticString {
        switch self {
        case .accepted: "accepted"
        case .local: "local"
        case .absent: "absent"
        case .missing: "missing"
        case .untrusted: "untrusted"
        case .malformed: "malformed"
        case .timedOut: "timed-out"
        }
    }
}

/// Why a tunnel was not opened.
package enum TunnelRefusal: UInt8, Sendable, CaseIterable, LabelValue {
    /// The page that asked for it is not from an origin that may.
    case origin
    /// The client's address has as many as it may.
    case clientLimit
    /// The server has as many as it may.
    case serverLimit

    package var name: StaticString {
        switch self {
        case .origin: "origin"
        case .clientLimit: "client-limit"
        case .serverLimit: "server-limit"
        }
    }
}

/// Who or what ended a tunnel.
package enum TunnelEnd: UInt8, Sendable, CaseIterable, LabelValue {
    case client
    case server
    /// Neither side said anything for too long.
    case idle
    /// Belay closed it, a WebSocket with code 1012, because it stops or the server drains.
    case drained
    /// A connection was reset, or what came was no WebSocket frame.
    case broken

    package var name: StaticString {
        switch self {
        case .client: "client"
        case .server: "server"
        case .idle: "idle"
        case .drained: "drained"
        case .broken: "broken"
        }
    }
}
