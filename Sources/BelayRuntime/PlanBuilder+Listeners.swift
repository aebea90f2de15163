import BelayBytes
import BelayCore
import BelayCrypto
import BelayHTTP
import BelayPersistence
import BelayProxy
import BelaySettings
import BelayTransport
import Logging

// Listeners and what is encrypted: certificates are read here, before the workers start, and again
// when their files change.

extension PlanBuilder {
    /// What the workers need of a listener. Throws what is wrong with a certificate.
    func listener(
        _ listener: Settings.Listener,
        keys: KeyRing?,
        pools: [PoolName: Int]
    ) throws -> ListenerPlan {
        var plan = ListenerPlan(name: InternedText(listener.name))
        plan.kind = listener.kind == .tcp ? .tcp : .http
        plan.speaksHTTP1 = listener.protocols.contains(.http1)
        plan.speaksHTTP2 = listener.protocols.contains(.http2)
        plan.redirectPort = listener.redirectToHTTPS
        plan.strictTransport = listener.hsts.map { InternedText($0.fieldLine) }
        plan.proxyHeader =
            switch listener.proxyProtocol {
            case .off: .off
            case .optional: .optional
            case .required: .required
            }
        if let tls = listener.tls {
            plan.passesCertificates =
                tls.clientCertificates != nil && self.settings.headers.clientCertificate
            plan.tls = try self.serverContext(tls, of: listener, keys: keys)
        }
        plan.names = try listener.sni.map { rule in
            (host: HostMatch(rule.host), pool: try Self.index(of: rule.pool, pools))
        }
        plan.pool = try listener.pool.map { try Self.index(of: $0, pools) }
        return plan
    }

    /// The encryption of a listener, from its files as they are now.
    func serverContext(
        _ tls: Settings.ListenerTLS,
        of listener: Settings.Listener,
        keys: KeyRing?
    ) throws -> TLSServerContext {
        var settings = TLSServerSettings(
            identities: tls.certificates.map {
                TLSIdentityFiles(certificate: $0.certificate, key: $0.key, ocsp: $0.ocsp)
            }
        )
        settings.minimum = TLSVersion(tls.minimum)
        settings.ciphers = tls.ciphers
        settings.cipherSuites = tls.cipherSuites
        settings.groups = tls.groups
        settings.protocols =
            listener.kind == .tcp
            ? [] : listener.protocols.map { $0 == .http2 ? .http2 : .http11 }
        if let certificates = tls.clientCertificates {
            let authorities = TLSAuthorities(
                path: certificates.authorities,
                depth: certificates.depth
            )
            settings.clientCertificates =
                certificates.mode == .required ? .required(authorities) : .optional(authorities)
        }
        if tls.tickets, let keys {
            settings.tickets = TLSTicketSettings(
                secrets: keys.keys,
                rotation: tls.ticketRotation
            )
        }
        settings.refusesUnknownNames = tls.unknownNames == .refuse
        do throws(TLSSettingsError) {
            let context = try TLSServerContext(settings)
            for warning in context.warnings {
                self.logger.warning("listener \(listener.name): \(warning)")
            }
            return context
        } catch {
            throw StartError("listener \(listener.name): \(error)")
        }
    }

    private static func index(of name: PoolName, _ pools: [PoolName: Int]) throws -> Int {
        guard let index = pools[name] else {
            throw StartError("a listener names the pool \(name), which the file has not")
        }
        return index
    }

    // MARK: Servers

    /// What a pool adds to its servers' connections.
    func complete(_ plan: inout PoolPlan, _ pool: Settings.ServerPool) throws {
        plan.speaksHTTP2 = pool.serverProtocol != .http1
        plan.tunnelsPerServer = pool.tunnelsPerServer ?? 0
        plan.proxyHeader =
            switch pool.proxyProtocol {
            case .off: .off
            case .v1: .version1
            case .v2: .version2
            }
        for value in pool.proxyProtocolTLVs {
            switch value {
            case .alpn: plan.proxyHeaderTLVs.insert(.alpn)
            case .authority: plan.proxyHeaderTLVs.insert(.authority)
            case .crc32c: plan.proxyHeaderTLVs.insert(.checksum)
            case .uniqueID: plan.proxyHeaderTLVs.insert(.uniqueID)
            case .ssl: plan.proxyHeaderTLVs.insert(.ssl)
            }
        }
        guard let tls = pool.tls else {
            plan.tls = []
            return
        }
        if self.isEdit, let context = plan.tls.first?.context {
            self.encrypt(&plan, pool, tls, context)
            return
        }
        var settings = TLSClientSettings()
        settings.authorities = tls.authorities
        settings.verifies = tls.verify
        if let certificate = tls.certificate, let key = tls.key {
            settings.identity = TLSIdentityFiles(certificate: certificate, key: key)
        }
        settings.minimum = TLSVersion(tls.minimum)
        settings.protocols = plan.speaksHTTP2 ? [.http2] : [.http11]
        do throws(TLSSettingsError) {
            self.encrypt(&plan, pool, tls, try TLSClientContext(settings))
        } catch {
            throw StartError("pool \(pool.name): \(error)")
        }
    }

    private func encrypt(
        _ plan: inout PoolPlan,
        _ pool: Settings.ServerPool,
        _ tls: Settings.PoolTLS,
        _ context: TLSClientContext
    ) {
        let hosts = Dictionary(pool.servers.map { ($0.name, $0.address.host) }) { one, _ in one }
        plan.tls = plan.servers.map { server in
            ServerEncryption(
                context: context,
                serverName: tls.serverName ?? hosts[server.name] ?? "\(server.address.ip)"
            )
        }
    }
}

extension TLSVersion {
    init(_ version: Settings.TLSVersion) {
        switch version {
        case .tls12: self = .tls12
        case .tls13: self = .tls13
        }
    }
}

extension HostMatch {
    /// The host pattern of a route, or of a name that TLS clients ask for.
    init(_ pattern: Settings.HostPattern) {
        switch pattern {
        case .any: self = .any
        case .exact(let text): self = .exact(InternedText(text.lowercased()))
        case .suffix(let text):
            self = .suffix(InternedText((text.hasPrefix(".") ? "" : ".") + text.lowercased()))
        }
    }
}

extension Settings.StrictTransport {
    /// The field line that says so (RFC 6797 §6.1).
    var fieldLine: String {
        var line = "Strict-Transport-Security: max-age=\(self.maxAge.milliseconds / 1000)"
        if self.includeSubdomains { line += "; includeSubDomains" }
        if self.preload { line += "; preload" }
        return line
    }
}

extension OriginRule {
    init(_ origin: Settings.Origin) {
        let (host, isSuffix): (String, Bool) =
            switch origin.host {
            case .any: ("", true)
            case .exact(let text): (text, false)
            case .suffix(let text): ((text.hasPrefix(".") ? "" : ".") + text, true)
            }
        self.init(scheme: origin.scheme, host: host, isSuffix: isSuffix, port: origin.port)
    }
}
