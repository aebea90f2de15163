private import Glibc

/// A thread of the system, for work that waits, such as writing the log.
package struct SystemThread: @unchecked Sendable {
    // Safe to share: an id, used for nothing but joining and detaching.
    private let id: pthread_t

    /// Starts `body` on a thread of its own; nil when the system gives no thread.
    package static func start(_ body: @escaping @Sendable () -> Void) -> SystemThread? {
        let task = unsafe Unmanaged.passRetained(ThreadBody(run: body))
        var id = pthread_t()
        // Safe: the object was retained for the thread, which takes that reference over.
        let result = unsafe pthread_create(
            &id,
            nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let body = unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
                body.run()
                return nil
            },
            unsafe task.toOpaque()
        )
        guard result == 0 else {
            unsafe task.release()
            return nil
        }
        return SystemThread(id: id)
    }

    /// Lets other threads have the processor, if any are waiting for it.
    package static func yield() { _ = sched_yield() }

    /// Waits until the thread's body has returned. To be called once.
    package func join() {
        _ = pthread_join(self.id, nil)
    }

    /// Lets the thread run on; it must not be joined after that.
    package func detach() {
        _ = pthread_detach(self.id)
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(run: @escaping @Sendable () -> Void) { self.run = run }
}
