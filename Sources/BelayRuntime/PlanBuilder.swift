import BelayBalancing
import BelayBytes
import BelayCore
import BelayCrypto
import BelayHTTP
import BelayPersistence
import BelayProxy
package import BelaySettings
import BelayTelemetry
import BelayTransport
import Foundation
package import Logging

/// Turns checked settings into what the workers need: names are resolved, keys are read, tables are
/// made. Reads files and asks the resolver, so it runs before the workers do.
package struct PlanBuilder {
    package var settings: Settings
    let logger: Logger
    /// Another process of this Belay has the state directory in use, and hands over.
    var sharesState = false
    /// Only servers are different: no file is read again.
    package var isEdit = false
    /// By pool, places of removed servers that others may have.
    package var free: [Int: [Int]] = [:]

    package init(settings: Settings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    func limits(connectionsMax: Int) -> ProxyLimits {
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

    func rules() -> ForwardingRules {
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

    func route(_ route: Settings.Route, pool: Int) -> RoutePlan {
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

    func persistence(
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
        let keep: PersistenceSettings.Keep =
            switch cookie.keep {
            case .session: .session
            case .binding: .binding
            }
        do {
            return try PersistenceSettings(
                name: cookie.name,
                domain: cookie.domain,
                path: cookie.path,
                sameSite: sameSite,
                secure: secure,
                partitioned: cookie.partitioned,
                httpOnly: cookie.httpOnly,
                keep: keep,
                idle: cookie.idle,
                lifetime: cookie.lifetime
            )
        } catch {
            throw StartError("the cookie of pool \(pool): \(error)")
        }
    }

    // MARK: Files

    func keyRing() throws -> KeyRing {
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

    func errorPages() throws -> ErrorPages {
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

extension PlanBuilder {
    /// The address of a server: as written, or the first that the resolver gives for its name.
    func resolve(_ address: Settings.ServerAddress) throws -> SocketAddress {
        if let ip = IPAddress(address.host) { return SocketAddress(ip: ip, port: address.port) }
        guard let ip = DNSClient(self.settings.resolver).address(of: address.host) else {
            throw StartError("the server's name \(address.host) can't be resolved")
        }
        return SocketAddress(ip: ip, port: address.port)
    }
}

extension Method {
    /// The method of that name, `other` for one that Belay has no name for.
    init(name: String) {
        self = Method.allCases.first { "\($0)".uppercased() == name.uppercased() } ?? .other
    }
}
