private import Glibc

/// Why a file could not be opened or written: the call's errno and the words for it.
package struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
    package let code: Int32
    /// What was tried: `open` or `write`.
    package let action: String
    package let path: String

    package init(code: Int32, action: String, path: String) {
        self.code = code
        self.action = action
        self.path = path
    }

    package var description: String {
        // Safe: strerror returns a terminated text that is copied before anything else runs.
        let reason = unsafe String(cString: strerror(self.code))
        return "cannot \(self.action) \(self.path): \(reason)"
    }
}

/// A file that bytes are appended to, or one of the process's own outputs. Closed when it is
/// dropped; the process's outputs stay open. Writing blocks: for threads that may wait.
package struct OutputFile: ~Copyable, Sendable {
    private let descriptor: Int32
    private let isOwned: Bool
    /// The path for messages.
    package let path: String

    /// Opens the file for appending and makes it where there is none (mode 0640: a log names
    /// clients). It is not inherited by programs that this one starts.
    package init(appendingTo path: String) throws(FileError) {
        // Safe: the path is passed as a terminated text that lives during the call.
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY
        let descriptor = unsafe open(path, flags, 0o640)
        guard descriptor >= 0 else {
            throw FileError(code: errno, action: "open", path: path)
        }
        self.init(descriptor: descriptor, isOwned: true, path: path)
    }

    private init(descriptor: Int32, isOwned: Bool, path: String) {
        self.descriptor = descriptor
        self.isOwned = isOwned
        self.path = path
    }

    /// The process's standard output.
    package static func standardOutput() -> OutputFile {
        OutputFile(descriptor: STDOUT_FILENO, isOwned: false, path: "standard output")
    }

    /// The process's standard error.
    package static func standardError() -> OutputFile {
        OutputFile(descriptor: STDERR_FILENO, isOwned: false, path: "standard error")
    }

    deinit {
        if self.isOwned { close(self.descriptor) }
    }

    /// Writes what the system takes of `bytes` from `start` and returns how much that was: less
    /// than all is usual on a pipe, and on a disk that is nearly full. Waits where the other end of
    /// a pipe doesn't read.
    package borrowing func write(
        _ bytes: borrowing Span<UInt8>,
        from start: Int = 0
    ) throws(FileError) -> Int {
        precondition(start >= 0 && start < bytes.count, "nothing to write")
        let descriptor = self.descriptor
        let (written, code) = unsafe bytes.withUnsafeBytes { raw -> (Int, Int32) in
            guard let base = raw.baseAddress else { return (0, 0) }
            while true {
                // Safe: the bytes from `start` to the end of the span, checked above.
                let written = unsafe Glibc.write(descriptor, base + start, raw.count - start)
                if written >= 0 { return (written, 0) }
                switch errno {
                case EINTR: continue
                case EAGAIN:
                    // Somebody made the pipe we were given non-blocking.
                    var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    // Safe: one element, as stated.
                    _ = unsafe poll(&wanted, 1, -1)
                case let code: return (0, code)
                }
            }
        }
        if code != 0 { throw FileError(code: code, action: "write", path: self.path) }
        return written
    }

    /// Writes all of `bytes`.
    package borrowing func writeAll(_ bytes: borrowing Span<UInt8>) throws(FileError) {
        var done = 0
        while done < bytes.count { done += try self.write(bytes, from: done) }
    }
}
