import BelayTransport
import Foundation

/// What the threads of a start tell the one that waits for them.
// tidy: allow UNSAFE because a thread waits here, and Mutex has no condition to wait for
final class StartOutcome: @unchecked Sendable {
    // Safe to share: everything below is touched under the condition's lock only.
    private let condition = NSCondition()
    private let control: Wakeup
    private var started = 0
    private var ended = 0
    private var failure: String?
    private var adminIsOn = false
    private var adminFailure: String?

    init(control: Wakeup) { self.control = control }

    private func note(_ change: () -> Void) {
        self.condition.lock()
        change()
        self.condition.broadcast()
        self.condition.unlock()
        self.control.post()
    }

    func workerStarted() { self.note { self.started += 1 } }
    func workerEnded() { self.note { self.ended += 1 } }
    func workerFailed(_ sentence: String) { self.note { self.failure = sentence } }
    func adminStarted() { self.note { self.adminIsOn = true } }
    func adminFailed(_ sentence: String) { self.note { self.adminFailure = sentence } }

    var runningWorkers: Int {
        self.condition.lock()
        defer { self.condition.unlock() }
        return self.started - self.ended
    }

    /// Waits until all workers run; throws if one can't.
    func waitForStart(of workers: Int) throws {
        self.condition.lock()
        defer { self.condition.unlock() }
        while self.started < workers, self.failure == nil { self.condition.wait() }
        if let failure { throw StartError(failure) }
    }

    /// Waits until the admin server listens; throws if it can't.
    func waitForAdmin() throws {
        self.condition.lock()
        defer { self.condition.unlock() }
        while !self.adminIsOn, self.adminFailure == nil { self.condition.wait() }
        if let adminFailure { throw StartError(adminFailure) }
    }
}
