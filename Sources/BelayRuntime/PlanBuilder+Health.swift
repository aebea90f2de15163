import BelayBytes
import BelayCore
import BelayProxy
import BelaySettings
import BelayTransport

// How the servers of a pool are checked, and judged by their traffic.

extension PlanBuilder {
    func setHealth(_ plan: inout PoolPlan, _ pool: Settings.ServerPool) throws {
        plan.health = pool.health.map { HealthCheckPlan($0) } ?? .probe
        let hosts = self.hosts(plan, pool)
        plan.health?.hosts = hosts
        let failures = pool.failures
        plan.failureStatuses = failures.statuses.map { $0.first...$0.last }
        if failures.errorRate != nil || failures.latency != nil {
            plan.outliers = OutlierPlan(
                errorRate: failures.errorRate,
                latency: failures.latency,
                interval: failures.interval,
                requestsMin: failures.requestsMin
            )
        }
        try self.setCheckEncryption(&plan, pool)
    }

    /// What checks ask each server for: as the settings name it, so that one address may answer for
    /// several hosts.
    private func hosts(_ plan: PoolPlan, _ pool: Settings.ServerPool) -> [String] {
        let defaultPort: UInt16 = plan.tls.isEmpty ? 80 : 443
        var hosts: [ServerName: String] = [:]
        for server in pool.servers {
            let host = server.address.host
            let port = pool.health?.port ?? server.address.port
            let name = host.contains(":") ? "[\(host)]" : host
            hosts[server.name] = port == defaultPort ? name : "\(name):\(port)"
        }
        return plan.servers.map { hosts[$0.name] ?? "\($0.address)" }
    }

    /// The encryption of checks that the pool's own does not serve.
    private func setCheckEncryption(
        _ plan: inout PoolPlan,
        _ pool: Settings.ServerPool
    ) throws {
        // A check over TLS where the traffic goes in clear text: nothing is known to verify by.
        guard plan.tls.isEmpty, pool.health?.check == .tls else { return }
        var settings = TLSClientSettings()
        settings.verifies = false
        do throws(TLSSettingsError) {
            plan.checkEncryption = try TLSClientContext(settings)
        } catch {
            throw StartError("pool \(pool.name): \(error)")
        }
    }
}

extension HealthCheckPlan {
    /// What is done where no checks are asked for.
    fileprivate static let probe: HealthCheckPlan = {
        var plan = HealthCheckPlan(
            interval: .milliseconds(250),
            timeout: .seconds(2),
            fall: 1,
            rise: 1
        )
        plan.isProbe = true
        return plan
    }()

    fileprivate init(_ health: Settings.Health) {
        self.init(
            interval: health.interval,
            timeout: health.timeout,
            fall: health.fall,
            rise: health.rise
        )
        self.kind =
            switch health.check {
            case .tcp: .tcp
            case .tls: .tls
            case .http: .http
            case .grpc: .grpc
            }
        self.fastInterval = health.changingInterval
        self.port = health.port
        self.method = health.method
        self.path = health.path
        self.host = health.host
        self.statuses = health.statuses.map { $0.first...$0.last }
        self.body = health.body.map { Array($0.utf8) } ?? []
        self.service = health.service
        self.agentHeader = health.agentHeader.map { InternedText($0) }
        self.agentPort = health.agent?.port
        self.agentInterval = health.agent?.interval ?? .seconds(5)
    }
}
