private import Glibc

/// A count that one thread waits for and others raise. Raising it never waits, and costs no system
/// call while nobody waits.
@safe
package final class Semaphore: @unchecked Sendable {
    // Safe to share: that is what a semaphore is for.
    private let semaphore: UnsafeMutablePointer<sem_t>

    package init() {
        unsafe self.semaphore = .allocate(capacity: 1)
        // Safe: room for one; `sem_init` initialises it and cannot fail with these arguments.
        unsafe self.semaphore.initialize(to: sem_t())
        _ = unsafe sem_init(self.semaphore, 0, 0)
    }

    deinit {
        // Safe: nobody can wait on an object that nobody holds.
        unsafe sem_destroy(self.semaphore)
        unsafe self.semaphore.deallocate()
    }

    package func post() {
        // Safe: initialised in `init`, destroyed in `deinit` only.
        _ = unsafe sem_post(self.semaphore)
    }

    /// Waits until the count is above zero and takes one of it.
    package func wait() {
        // Safe: as above. A signal's handler may end the wait early.
        while unsafe sem_wait(self.semaphore) != 0 {}
    }

    /// Waits at most `nanoseconds`; whether one was taken. On the wall clock, so a jump of that
    /// clock stretches or cuts the wait: for deadlines of politeness only.
    package func wait(nanoseconds: Int64) -> Bool {
        var deadline = timespec()
        // Safe: writes the one value.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &deadline)
        let sum = Int64(deadline.tv_nsec) + Swift.max(0, nanoseconds) % 1_000_000_000
        deadline.tv_sec += Int(Swift.max(0, nanoseconds) / 1_000_000_000 + sum / 1_000_000_000)
        deadline.tv_nsec = Int(sum % 1_000_000_000)
        // Safe: initialised; the deadline is read during the call.
        while unsafe sem_timedwait(self.semaphore, &deadline) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }
}
