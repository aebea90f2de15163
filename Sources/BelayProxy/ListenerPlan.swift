package import BelayBytes
package import BelayTransport

/// What the workers need to know of a listener.
package struct ListenerPlan: Sendable {
    package enum Kind: Sendable {
        case http
        /// Bytes as they come: connections are balanced, not requests.
        case tcp
    }

    /// Whether a connection begins with a PROXY header.
    package enum ProxyHeaderRule: Sendable {
        case off, optional, required
    }

    package var name: InternedText
    package var kind = Kind.http
    /// The encryption of new connections; nil: clear text.
    package var tls: TLSServerContext?
    package var speaksHTTP1 = true
    package var speaksHTTP2 = true
    /// The port of https to which every request is sent; nil: requests are served.
    package var redirectPort: UInt16?
    /// The field line that tells browsers to come over TLS only, without its line end.
    package var strictTransport: InternedText?
    package var proxyHeader = ProxyHeaderRule.off
    /// Servers are told what was verified of a client's certificate.
    package var passesCertificates = false
    /// TCP only: where connections go by the name that their ClientHello asks for, then where all
    /// others go; nil: nowhere.
    package var names: [(host: HostMatch, pool: Int)] = []
    package var pool: Int?

    package init(name: InternedText) { self.name = name }
}

/// What a connection has of its listener, at hand for each request.
struct Traits {
    let rawValue: UInt16

    static var none: Traits { Traits(rawValue: 0) }
    static var isTLS: Traits { Traits(rawValue: 1) }
    static var redirects: Traits { Traits(rawValue: 2) }
    static var isStrict: Traits { Traits(rawValue: 4) }
    static var passesCertificates: Traits { Traits(rawValue: 8) }
    static var mayBeHTTP2: Traits { Traits(rawValue: 16) }
    static var isTCP: Traits { Traits(rawValue: 32) }
    static var isTLS13: Traits { Traits(rawValue: 64) }
    static var lacksHTTP1: Traits { Traits(rawValue: 128) }
    /// The first bytes are a request's: no PROXY header, no TLS, no TCP.
    static var startsPlainly: Traits { Traits(rawValue: 256) }
    /// A PROXY header may say whose the connection is.
    static var namesClient: Traits { Traits(rawValue: 512) }

    static func | (left: Traits, right: Traits) -> Traits {
        Traits(rawValue: left.rawValue | right.rawValue)
    }

    /// What its listener asks of every request, as others have it, and the rest as it was.
    func following(_ others: Traits) -> Traits {
        let asked = Traits.redirects | .isStrict | .passesCertificates
        return Traits(
            rawValue: self.rawValue & ~asked.rawValue | others.rawValue & asked.rawValue
        )
    }

    func contains(_ others: Traits) -> Bool { self.rawValue & others.rawValue == others.rawValue }

    /// What a new connection of a listener begins with.
    init(_ listener: borrowing ListenerPlan) {
        var traits = Traits.none
        if listener.redirectPort != nil { traits = traits | .redirects }
        if listener.strictTransport != nil { traits = traits | .isStrict }
        if listener.passesCertificates { traits = traits | .passesCertificates }
        if listener.speaksHTTP2 { traits = traits | .mayBeHTTP2 }
        if !listener.speaksHTTP1 { traits = traits | .lacksHTTP1 }
        if listener.kind == .tcp { traits = traits | .isTCP }
        if listener.proxyHeader != .off { traits = traits | .namesClient }
        if listener.kind == .http, listener.tls == nil, listener.proxyHeader == .off {
            traits = traits | .startsPlainly
        }
        self = traits
    }

    init(rawValue: UInt16) { self.rawValue = rawValue }
}
