import BelayBytes
import BelayCore
import BelayProxy
import BelaySettings
import BelayTransport
import Foundation
import Logging
import Synchronization

/// How an attempt to hand over to another process went.
package struct UpgradeReport: Sendable {
    /// Why it failed; then this process goes on as before.
    package var problem: String?
    /// The process that serves now.
    package var pid: Int32?
}

extension RunningProcess {
    // Limit: how long the new process may take until it serves, in milliseconds. Names of servers
    // are looked up meanwhile.
    private static let readyWithin: Int64 = 60_000

    /// Who may change what this process serves.
    enum Phase {
        case serving
        /// Another process is being started; may become `serving` again.
        case upgrading
        /// Another process serves; this one finishes what it has.
        case retired
    }

    /// Starts the program as it is on disk now, gives it the listening sockets, and ends this
    /// process once it serves and what runs here has ended. No connection is refused meanwhile:
    /// both accept from the same queues. Waits until the new process serves; to be called from a
    /// thread that may wait.
    func upgrade() -> UpgradeReport {
        let mayBegin = self.phase.withLock { phase in
            guard phase == .serving else { return false }
            phase = .upgrading
            return true
        }
        guard mayBegin else {
            return UpgradeReport(problem: "another process is taking over already")
        }
        // No change of plan is half way through: sockets stay what they are.
        let started: Result<Successor, SystemError> = self.changing.withLock { _ in
            do throws(SystemError) {
                return .success(try self.startSuccessor())
            } catch {
                return .failure(error)
            }
        }
        switch started {
        case .failure(let error):
            return self.upgradeFailed("\(self.executable) can't be started: \(error)")
        case .success(let successor):
            self.logger.notice("upgrade: started pid \(successor.pid)")
            switch successor.wait(milliseconds: Self.readyWithin) {
            case .failed(let reason): return self.upgradeFailed(reason)
            case .ready:
                self.retire(successor.pid)
                return UpgradeReport(pid: successor.pid)
            }
        }
    }

    private func startSuccessor() throws(SystemError) -> Successor {
        try Successor(
            path: self.executable,
            arguments: CommandLine.arguments,
            environment: ProcessInfo.processInfo.environment,
            sockets: self.sockets.all
        )
    }

    private func upgradeFailed(_ problem: String) -> UpgradeReport {
        self.phase.withLock { $0 = .serving }
        self.logger.error("upgrade: \(problem); this process goes on")
        return UpgradeReport(problem: problem)
    }

    private func retire(_ pid: Int32) {
        self.phase.withLock { $0 = .retired }
        let span = self.serving.withLock { $0.planned.settings.limits.upgrade }
        self.logger.notice(
            "upgrade: pid \(pid) serves; up to \(span.milliseconds) ms for what runs here"
        )
        self.supervisor.say("MAINPID=\(pid)")
        self.view.setState(.stopping)
        for mailbox in self.mailboxes { mailbox.post(.retire(within: span)) }
        self.closeAdmin()
    }
}
