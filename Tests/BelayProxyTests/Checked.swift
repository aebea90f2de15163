import BelayBalancing
import BelayCore
import BelayProxy
import Testing

/// Stages whose servers are checked, and what is found there.
enum Checked {
    /// One server, checked as often as can be; one result changes its state.
    static func setup(_ adjust: @escaping (inout HealthCheckPlan) -> Void = { _ in }) -> Setup {
        var setup = Setup()
        setup.adjustPool = { pool in
            var health = HealthCheckPlan(
                interval: .milliseconds(1),
                timeout: .seconds(10),
                fall: 1,
                rise: 1
            )
            health.fastInterval = .milliseconds(1)
            adjust(&health)
            pool.health = health
        }
        return setup
    }

    /// Why a server was found down, once it was.
    static func reason(
        _ stage: Stage,
        _ server: Int,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> String? {
        var reason: String?
        stage.watch("it is found down", sourceLocation) {
            for case .checkedDown(0, server, let text) in stage.notices.all { reason = text }
            return reason != nil
        }
        return reason
    }

    static func isUp(_ stage: Stage, _ server: Int) -> Bool {
        stage.notices.all.contains { notice in
            if case .checkedUp(0, server) = notice { true } else { false }
        }
    }

    /// What was said of a server and its agent.
    static func words(_ stage: Stage, _ server: Int) -> [String] {
        stage.notices.all.compactMap { notice in
            if case .agent(0, server, let text) = notice { text } else { nil }
        }
    }

    /// What the first check of a server came to, once it did; empty when it was good.
    static func result(
        _ stage: Stage,
        _ server: Int,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> String? {
        let mailbox = stage.checker.mailbox
        stage.watch("it is checked", sourceLocation) {
            mailbox.lastCheck(pool: 0, server: server) != nil
        }
        guard let result = mailbox.lastCheck(pool: 0, server: server) else { return nil }
        #expect(result.isGood == result.reason.isEmpty, sourceLocation: sourceLocation)
        #expect(result.took >= .zero, sourceLocation: sourceLocation)
        return result.reason
    }
}
