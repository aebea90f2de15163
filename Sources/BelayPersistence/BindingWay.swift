/// A way to know a client again. A pool lists some in order; the first that finds a binding
/// decides.
///
/// Another way is a type in a file of its own, a case here, and its test; the compiler lists what
/// has to answer it.
package enum BindingWay: Sendable {
    /// A sealed cookie of Belay's own; its settings are the pool's `PersistenceSettings`.
    case cookie
    case applicationCookie(ApplicationCookie)
    case header(HeaderBinding)
    case query(QueryBinding)
    case sourceAddress(SourceAddressBinding)
    case tuple(TupleBinding)
    case tlsSession(TLSSessionBinding)
    case jwtClaim(JWTClaimBinding)

    /// The hasher of what the client presents, where bindings are kept in the table.
    package var hasher: KeyHasher? {
        switch self {
        case .cookie, .tuple: nil
        case .applicationCookie(let way): way.hasher
        case .header(let way): way.hasher
        case .query(let way): way.hasher
        case .sourceAddress: nil
        case .tlsSession(let way): way.hasher
        case .jwtClaim(let way): way.hasher
        }
    }

    /// How the table names it; nil where nothing is kept there.
    package var kind: BindingKind? {
        switch self {
        case .cookie: .cookie
        case .applicationCookie(let way): way.hasher == nil ? nil : .applicationCookie
        case .header: .header
        case .query: .query
        case .sourceAddress(let way): way.isHash ? nil : .sourceAddress
        case .tuple: nil
        case .tlsSession: .tlsSession
        case .jwtClaim: .jwtClaim
        }
    }

    /// The spelling in the settings.
    package var name: StaticString {
        switch self {
        case .cookie: "cookie"
        case .applicationCookie: "application-cookie"
        case .header: "header"
        case .query: "query"
        case .sourceAddress: "source-address"
        case .tuple: "tuple"
        case .tlsSession: "tls-session"
        case .jwtClaim: "jwt"
        }
    }
}
