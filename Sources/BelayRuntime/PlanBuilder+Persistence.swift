import BelayBytes
import BelayCore
import BelayCrypto
import BelayHTTP
import BelayPersistence
import BelayProxy
import BelaySettings
import Foundation

// How a pool keeps its clients: the settings' ways to bind, with the keys that they hash by.

extension PlanBuilder {
    /// Completes a pool's plan by what its persistence says. Throws what can't be obeyed.
    func setPersistence(
        _ plan: inout PoolPlan,
        _ pool: Settings.ServerPool,
        _ ring: KeyRing?
    ) throws {
        guard let persistence = pool.persistence, let ring else { return }
        plan.sharesKeys = !self.settings.keys.ring.isEmpty || self.settings.keys.file != nil
        plan.ways = try persistence.ways.map { try self.way($0, pool, ring) }
        plan.exempt = persistence.exempt.map { ExemptRule($0) }
        plan.rules.returnsHome = persistence.returning == .home
        plan.rules.rejectsWhenFull = persistence.onFull == .reject
        plan.rules.rejectStatus =
            persistence.onFailure == .reject ? UInt16(persistence.rejectStatus) : 0
        plan.rules.claim = persistence.claim
        if let cookie = persistence.ownCookie {
            plan.rules.setsOnNavigationOnly = cookie.setOn == .navigation
            plan.rules.preserves = cookie.preserve
        }
        try self.setWords(&plan, pool, persistence)
    }

    private func way(
        _ way: Settings.Way,
        _ pool: Settings.ServerPool,
        _ ring: KeyRing
    ) throws -> BindingWay {
        func hasher(_ kind: BindingKind, _ name: String) throws -> KeyHasher {
            try KeyHasher(ring: ring, pool: pool.name, kind: kind, name: name)
        }
        switch way {
        case .cookie: return .cookie
        case .applicationCookie(let cookie):
            let separator = cookie.separator.utf8.first
            let mode: BelayPersistence.ApplicationCookie.Mode =
                switch cookie.mode {
                case .learn: .learn(try hasher(.applicationCookie, cookie.name))
                case .prefix: .prefix(separator ?? UInt8(ascii: "~"))
                case .route: .route(separator ?? UInt8(ascii: "."))
                }
            return .applicationCookie(ApplicationCookie(name: cookie.name, mode: mode))
        case .header(let header):
            return .header(
                HeaderBinding(
                    name: header.name,
                    learnsFrom: header.learn ? header.name : nil,
                    hasher: try hasher(.header, header.name)
                )
            )
        case .query(let query):
            let learning: QueryBinding.Learning =
                switch query.learn {
                case .off: .off
                case .header(let name): .header(InternedText(name.lowercased()))
                case .body: .body
                }
            return .query(
                QueryBinding(
                    name: query.name,
                    learning: learning,
                    hasher: try hasher(.query, query.name)
                )
            )
        case .sourceAddress(let address):
            return .sourceAddress(
                SourceAddressBinding(
                    ipv4Prefix: address.ipv4Prefix,
                    ipv6Prefix: address.ipv6Prefix,
                    isHash: address.store == .hash
                )
            )
        case .tuple(let fields):
            let count: TupleBinding.Fields =
                switch fields {
                case .two: .two
                case .three: .three
                case .five: .five
                }
            return .tuple(TupleBinding(fields: count))
        case .tlsSession:
            return .tlsSession(TLSSessionBinding(hasher: try hasher(.tlsSession, "")))
        case .jwt(let token):
            return .jwtClaim(
                JWTClaimBinding(
                    claim: token.claim,
                    header: token.header,
                    hasher: try hasher(.jwtClaim, token.claim),
                    key: try self.key(of: token, pool.name)
                )
            )
        }
    }

    /// The key that signs tokens; nil: signatures are not looked at.
    private func key(
        of token: Settings.BindingToken,
        _ pool: PoolName
    ) throws -> JWTKey? {
        guard let wanted = token.algorithm else { return nil }
        let algorithm = JWTAlgorithm(wanted)
        var bytes = token.secret?.bytes
        if bytes == nil, let path = token.keyFile {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw StartError("pool \(pool): the key of tokens can't be read: \(path)")
            }
            bytes = Array(data)
        }
        guard let bytes else {
            throw StartError(
                "pool \(pool): tokens of \(algorithm.name) need a secret or a key file"
            )
        }
        if algorithm.isSymmetric {
            return JWTKey(algorithm, secret: SecretBytes(copying: bytes.span))
        }
        guard let key = JWTKey(algorithm, pem: bytes) else {
            throw StartError(
                "pool \(pool): \(token.keyFile ?? "the key") has no public key of "
                    + "\(algorithm.name) in PEM; RSA needs 2048 bits, ES256 P-256, ES384 P-384, "
                    + "ES512 P-521"
            )
        }
        return key
    }

    /// What application cookies call the servers.
    private func setWords(
        _ plan: inout PoolPlan,
        _ pool: Settings.ServerPool,
        _ persistence: Settings.Persistence
    ) throws {
        for case .applicationCookie(let cookie) in persistence.ways where cookie.mode != .learn {
            var words: [ServerName: String] = [:]
            for server in pool.servers { words[server.name] = server.routeWord }
            var ids: [ServerName: ServerID] = [:]
            for index in plan.servers.indices {
                let name = plan.servers[index].name
                // One that leaves is called as before.
                let before = plan.servers[index].word
                let word =
                    words[name].map { Array($0.utf8) }
                    ?? (before.isEmpty ? Array(name.rawValue.utf8) : before)
                plan.servers[index].word = word
                ids[name] = ServerID(ofName: word.span)
                if cookie.mode == .prefix {
                    let separator = cookie.separator.utf8.first ?? UInt8(ascii: "~")
                    plan.servers[index].cookiePrefix = InternedText(bytes: word + [separator])
                }
            }
            plan.routes = try ServerLookup(plan.servers.map(\.name)) {
                ids[$0] ?? ServerID(of: $0)
            }
            if cookie.mode == .prefix {
                plan.prefixedCookie = InternedText(cookie.name)
                plan.prefixSeparator = cookie.separator.utf8.first ?? UInt8(ascii: "~")
            }
        }
    }
}

extension JWTAlgorithm {
    fileprivate init(_ algorithm: Settings.TokenAlgorithm) {
        self =
            switch algorithm {
            case .hs256: .hs256
            case .hs384: .hs384
            case .hs512: .hs512
            case .rs256: .rs256
            case .rs384: .rs384
            case .rs512: .rs512
            case .ps256: .ps256
            case .es256: .es256
            case .es384: .es384
            case .edDSA: .edDSA
            }
    }
}

extension BelayPersistence.ExemptRule {
    fileprivate init(_ rule: Settings.ExemptRule) {
        var methods: UInt16 = 0
        if let method = rule.method { methods = 1 << UInt16(Method(name: method).rawValue) }
        self.init(
            path: rule.path.text.isEmpty ? nil : rule.path.text,
            suffix: rule.suffix,
            userAgent: rule.userAgent,
            methods: methods
        )
    }
}
