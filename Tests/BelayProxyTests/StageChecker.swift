import BelayBytes
import BelayProxy
import BelayTelemetry
import BelayTransport
import Testing

/// The thread that checks servers and compares them, if any pool of the stage wants that.
final class StageChecker {
    let mailbox: HealthMailbox
    private var thread: SystemThread?

    init(
        _ plan: ProxyPlan,
        _ worker: Mailbox,
        _ metrics: WorkerMetrics,
        _ notices: Notices
    ) throws {
        let mailbox = try HealthMailbox()
        self.mailbox = mailbox
        guard plan.pools.contains(where: { $0.health != nil || $0.outliers != nil }) else { return }
        self.thread = SystemThread.start {
            do {
                var checker = try HealthChecker(
                    pools: plan.pools,
                    mailbox: mailbox,
                    workers: [worker],
                    metrics: metrics,
                    notices: { notices.add($0) },
                    seed: 1
                )
                checker.run()
            } catch {
                Issue.record(error)
            }
        }
    }

    deinit {
        self.mailbox.post(.stop)
        self.thread?.join()
        self.mailbox.wakeup.close()
    }
}
