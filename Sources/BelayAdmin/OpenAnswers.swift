import Synchronization

/// How many answers are on their way: the end of the server waits for them, so that whoever asked
/// for an upgrade or a stop is told that it came.
final class OpenAnswers: Sendable {
    private struct State {
        var count = 0
        var whenNone: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    var isNone: Bool { self.state.withLock { $0.count == 0 } }

    func began() { self.state.withLock { $0.count += 1 } }

    func ended() {
        let isTold = self.state.withLock { state -> (@Sendable () -> Void)? in
            state.count -= 1
            guard state.count == 0 else { return nil }
            defer { state.whenNone = nil }
            return state.whenNone
        }
        isTold?()
    }

    /// Calls `then` once, when none is on its way or after `limit`: a client may have left.
    func whenNone(within limit: Duration, then: @escaping @Sendable () -> Void) {
        let isNone = self.state.withLock { state in
            if state.count > 0 { state.whenNone = then }
            return state.count == 0
        }
        guard !isNone else { return then() }
        Task {
            try? await Task.sleep(for: limit)
            self.state.withLock { state -> (@Sendable () -> Void)? in
                defer { state.whenNone = nil }
                return state.whenNone
            }?()
        }
    }
}
