import Foundation
import Synchronization

/// A value that threads change and others wait for.
final class Watched<Value: Sendable>: Sendable {
    struct TimedOut: Error, CustomStringConvertible {
        let description: String
    }

    private let condition = NSCondition()
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    var now: Value { self.value.withLock { $0 } }

    func change(_ change: (inout Value) -> Void) {
        self.condition.lock()
        self.value.withLock { value in
            var copy = value
            change(&copy)
            value = copy
        }
        self.condition.broadcast()
        self.condition.unlock()
    }

    /// Waits until `found` finds something in the value.
    @discardableResult
    func wait<Found>(
        for what: String,
        patience: Int = patienceSeconds,
        _ found: (Value) -> Found?
    ) throws -> Found {
        let deadline = Date(timeIntervalSinceNow: TimeInterval(patience))
        self.condition.lock()
        defer { self.condition.unlock() }
        while true {
            let now = self.now
            if let found = found(now) { return found }
            guard self.condition.wait(until: deadline) else {
                throw TimedOut(description: "waited \(patience) s for \(what); have \(now)")
            }
        }
    }
}

extension Watched<Int> {
    func add(_ count: Int = 1) { self.change { $0 += count } }

    func wait(for what: String, atLeast count: Int) throws {
        try self.wait(for: what) { $0 >= count ? true : nil }
    }
}

/// Looks again and again until `found` finds something, for what tells nobody when it changes.
@discardableResult
func look<Found>(for what: String, _ found: () throws -> Found?) throws -> Found {
    let deadline = Date(timeIntervalSinceNow: TimeInterval(patienceSeconds))
    let breath = NSCondition()
    while Date() < deadline {
        if let found = try found() { return found }
        // Between two looks others may work.
        breath.lock()
        _ = breath.wait(until: Date(timeIntervalSinceNow: 0.01))
        breath.unlock()
    }
    throw Watched<Int>.TimedOut(description: "looked \(patienceSeconds) s for \(what)")
}

/// Runs on a thread of its own, because what it calls blocks.
func onThread(_ body: @escaping @Sendable () -> Void) {
    let thread = Thread(block: body)
    thread.stackSize = 512 * 1024
    thread.start()
}
