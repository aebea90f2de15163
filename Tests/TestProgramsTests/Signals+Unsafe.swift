import Glibc

/// Runs `body` on a thread that has a signal blocked, in a process that ignores another.
func withSignals<Result>(
    blocked: Int32,
    ignored: Int32,
    _ body: () throws -> Result
) rethrows -> Result {
    var set = sigset_t()
    var before = sigset_t()
    // Safe: the sets are this function's own, and nothing suspends between the two changes.
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, blocked)
    unsafe pthread_sigmask(SIG_BLOCK, &set, &before)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    let handler = signal(ignored, SIG_IGN)
    defer { signal(ignored, handler) }
    return try body()
}
