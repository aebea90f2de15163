import BelayBalancing
import BelayBytes
import BelayCore
import BelayCrypto
import BelayHTTP
import BelayPersistence
import BelayProxy
import BelaySettings
import BelayTelemetry
import BelayTransport
import Foundation
import Logging

/// Turns checked settings into what the workers need: names are resolved, keys are read, tables are
/// made. Reads files and asks the resolver, so it runs before the workers do.
struct PlanBuilder {
    let settings: Settings
    let logger: Logger

    func plan(connectionsMax: Int) throws -> ProxyPlan {
        // Binding cookies and session tickets are sealed with the same ring's keys.
        let needsKeys =
            self.settings.pools.contains { $0.persistence != nil }
            || self.settings.listeners.contains { $0.tls?.tickets ?? false }
        let keyRing = needsKeys ? try self.keyRing() : nil
        return ProxyPlan(
            limits: self.limits(connectionsMax: connectionsMax),
            listeners: try self.listeners(keys: keyRing),
            routes: try self.routes(),
            pools: try self.settings.pools.map { try self.pool($0) },
            rules: self.rules(),
            trusted: self.settings.trustedProxies,
            errorPages: try self.errorPages(),
            keyRing: keyRing
        )
    }

    private func limits(connectionsMax: Int) -> ProxyLimits {
        let wanted = self.settings.limits
        var limits = ProxyLimits()
        limits.connections = Swift.min(wanted.connections, connectionsMax)
        limits.connectionsPerClient = wanted.connectionsPerClient ?? 0
        limits.headSize = wanted.headSize.bytes
        limits.headerCount = wanted.headerCount
        limits.bodySize = UInt64(wanted.bodySize?.bytes ?? 0)
        limits.headTimeout = wanted.headTimeout
        limits.keepAlive = wanted.keepAlive
        limits.idle = wanted.idle
        limits.tunnelIdle = wanted.tunnelIdle
        limits.pendingConnects = wanted.pendingConnects
        limits.requestsPerConnection = wanted.requestsPerConnection ?? 0
        limits.handshakeTimeout = wanted.handshakeTimeout
        limits.handshakesPerClient = wanted.handshakesPerClient ?? 0
        limits.tunnelsPerClient = wanted.tunnelsPerClient ?? 0
        limits.streams = wanted.http2.streams
        limits.resets = wanted.http2.resets
        limits.controlFrames = wanted.http2.controlFrames
        return limits
    }

    private func rules() -> ForwardingRules {
        var rules = ForwardingRules()
        rules.xForwarded = self.settings.headers.xForwarded
        rules.forwarded = self.settings.headers.forwarded
        switch self.settings.headers.via {
        case .off: rules.via = nil
        case .on: rules.via = InternedText(ProcessInfo.processInfo.hostName)
        case .pseudonym: rules.via = InternedText("belay")
        }
        return rules
    }

    private func routes() throws -> [RoutePlan] {
        let numbers = Dictionary(
            uniqueKeysWithValues: self.settings.pools.enumerated().map { ($1.name, $0) }
        )
        return try self.settings.routes.map { route in
            guard let pool = numbers[route.pool] else {
                throw StartError("the route \(route.name) names no pool of the file")
            }
            var methods: UInt16 = 0
            for method in route.match.methods {
                methods |= 1 << UInt16(Method(name: method).rawValue)
            }
            var plan = RoutePlan(
                name: InternedText(route.name),
                host: HostMatch(route.match.host),
                path: InternedText(route.match.path.text),
                methods: methods,
                pool: pool
            )
            plan.origins = route.origins.map { OriginRule($0) }
            return plan
        }
    }

    private func pool(_ pool: Settings.ServerPool) throws -> PoolPlan {
        let weights = pool.servers.map(\.weight)
        let names = pool.servers.map(\.name)
        let table = ServerPoolTable(
            weights: weights,
            openMax: pool.servers.map { $0.maxConnections ?? 0 },
            ejection: EjectionPolicy(
                failuresMax: pool.failures.count,
                window: pool.failures.window,
                eject: pool.failures.eject,
                ejectMax: pool.failures.ejectMax,
                ejectShare: pool.failures.ejectShare
            )
        )
        for (index, server) in pool.servers.enumerated() {
            table.setAdminState(server.state, index)
        }
        var plan = PoolPlan(
            name: pool.name,
            algorithm: pool.balance,
            servers: try pool.servers.map { server in
                ServerPlan(name: server.name, address: try resolve(server.address))
            },
            table: table,
            lookup: try ServerLookup(names),
            balancer: Balancer(
                algorithm: pool.balance,
                weights: weights,
                names: names,
                loadBound: pool.loadBound,
                seed: 0
            ),
            retries: pool.retries,
            connectTimeout: self.settings.connectTimeout(of: pool),
            idleConnections: pool.keep.idleConnections,
            idleTimeout: pool.keep.idle,
            persistence: try pool.persistence.map { try self.persistence($0.cookie, pool.name) }
        )
        try self.complete(&plan, pool)
        return plan
    }

    private func persistence(
        _ cookie: Settings.BindingCookie,
        _ pool: PoolName
    ) throws -> PersistenceSettings {
        let sameSite: PersistenceSettings.SameSite =
            switch cookie.sameSite {
            case .lax: .lax
            case .strict: .strict
            case .none: .none
            }
        let secure: PersistenceSettings.Secure =
            switch cookie.secure {
            case .auto: .auto
            case .always: .always
            case .never: .never
            }
        do {
            return try PersistenceSettings(
                name: cookie.name,
                domain: cookie.domain,
                path: cookie.path,
                sameSite: sameSite,
                secure: secure,
                idle: cookie.idle,
                lifetime: cookie.lifetime
            )
        } catch {
            throw StartError("the cookie of pool \(pool): \(error)")
        }
    }

    // MARK: Files

    private func keyRing() throws -> KeyRing {
        do {
            if !self.settings.keys.ring.isEmpty {
                let keys = self.settings.keys.ring.map { SecretBytes(copying: $0.bytes.span) }
                return try KeyRing(keys: keys)
            }
            let file: KeyRingFile
            if let path = self.settings.keys.file {
                file = try KeyRingFile(path: path)
            } else {
                file = try KeyRingFile(directory: self.stateDirectory())
            }
            if file.isNew { self.logger.notice("made a key for binding cookies: \(file.path)") }
            if file.warning != nil {
                self.logger.warning("\(file.path) can be read by its group; chmod 600 it")
            }
            return file.ring
        } catch {
            throw StartError("the keys for binding cookies and TLS tickets: \(error)")
        }
    }

    func stateDirectory() -> String {
        if let directory = self.settings.stateDirectory { return directory }
        let environment = ProcessInfo.processInfo.environment
        // Set by systemd's StateDirectory=; of several the first.
        if let list = environment["STATE_DIRECTORY"], let first = list.split(separator: ":").first {
            return String(first)
        }
        if let home = environment["XDG_STATE_HOME"], !home.isEmpty { return home + "/belay" }
        return NSHomeDirectory() + "/.local/state/belay"
    }

    private func errorPages() throws -> ErrorPages {
        guard let directory = self.settings.errorPages else { return ErrorPages() }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            throw StartError("the directory of error pages can't be read: \(directory)")
        }
        var files: [(name: String, bytes: [UInt8])] = []
        for name in names where !name.hasPrefix(".") {
            guard let data = FileManager.default.contents(atPath: directory + "/" + name) else {
                throw StartError("the error page \(directory)/\(name) can't be read")
            }
            files.append((name: name, bytes: Array(data)))
        }
        var problems: [ErrorPages.Problem] = []
        let pages = ErrorPages(files: files, problems: &problems)
        if !problems.isEmpty {
            throw StartError(
                problems.map { "\(directory)/\($0.file): \($0.what)" }.joined(separator: "\n")
            )
        }
        return pages
    }
}

/// The address of a server: as written, or the first that the resolver gives for its name.
private func resolve(_ address: Settings.ServerAddress) throws -> SocketAddress {
    if let ip = IPAddress(address.host) { return SocketAddress(ip: ip, port: address.port) }
    guard let ip = Resolver.address(of: address.host) else {
        throw StartError("the server's name \(address.host) can't be resolved")
    }
    return SocketAddress(ip: ip, port: address.port)
}

extension Method {
    /// The method of that name, `other` for one that Belay has no name for.
    init(name: String) {
        self = Method.allCases.first { "\($0)".uppercased() == name.uppercased() } ?? .other
    }
}
