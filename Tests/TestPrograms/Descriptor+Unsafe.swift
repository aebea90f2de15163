import CTestPrograms
import Glibc

/// An open descriptor, closed with the last reference to it.
final class Descriptor: Sendable {
    let number: Int32

    private init(_ number: Int32) { self.number = number }

    deinit { _ = close(self.number) }

    static func pipe() throws -> (reading: Descriptor, writing: Descriptor) {
        var ends: [Int32] = [-1, -1]
        // Safe: the call writes two numbers, and there is room for two.
        let error = unsafe tests_pipe(&ends)
        guard error == 0 else { throw ProgramFailure("cannot make a pipe", error) }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    /// Writes some of the bytes; how many.
    func write(_ bytes: ArraySlice<UInt8>) throws -> Int {
        var written = 0
        // Safe: the pointer is used during the call only, with the count of what it points to.
        let error = unsafe bytes.withUnsafeBytes { buffer in
            unsafe tests_write(self.number, buffer.baseAddress, buffer.count, &written)
        }
        guard error == 0 else { throw ProgramFailure("cannot write", error) }
        return written
    }

    /// What can be read next; empty at the end.
    func read(max: Int = 64 * 1024) throws -> [UInt8] {
        // Safe: the kernel writes at most as many bytes as the buffer has, and `count` says how
        // many it wrote.
        try unsafe Array(unsafeUninitializedCapacity: max) { buffer, count in
            let error = unsafe tests_read(self.number, buffer.baseAddress, max, &count)
            guard error == 0 else { throw ProgramFailure("cannot read", error) }
        }
    }
}

/// Starts a program; its number.
func spawn(
    _ arguments: [String],
    environment: [String],
    directory: String,
    input: Descriptor?,
    output: Descriptor,
    errors: Descriptor
) throws -> Int32 {
    precondition(!arguments.isEmpty, "a program without a name")
    var identifier: Int32 = 0
    // Safe: the copies live until the call has returned, and each list ends with nil. The
    // descriptors are open as long as the parameters.
    let error = unsafe withCopies(of: arguments) { arguments in
        unsafe withCopies(of: environment) { environment in
            unsafe tests_spawn(
                &identifier,
                arguments,
                environment,
                directory,
                input?.number ?? -1,
                output.number,
                errors.number
            )
        }
    }
    guard error == 0 else {
        throw ProgramFailure("cannot start “\(arguments[0])” in “\(directory)”", error)
    }
    return identifier
}

/// The texts as C wants a list of them, while `body` runs.
private func withCopies<Result>(
    of texts: [String],
    _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    // Safe: what strdup gives is freed once, after its last use.
    let copies = unsafe texts.map { unsafe strdup($0) } + [nil]
    defer { unsafe copies.forEach { unsafe free($0) } }
    return unsafe body(copies)
}

/// Waits until a child of this process has ended, and leaves its number to it.
func awaitEnd(of identifier: Int32) {
    let error = tests_await(identifier)
    precondition(error == 0, "program \(identifier) was reaped by someone else: \(error)")
}

/// Takes the end of a child; its exit code, or minus the signal that ended it.
func reap(_ identifier: Int32) -> Int32 {
    var status: Int32 = 0
    // Safe: the call writes one number.
    let error = unsafe tests_reap(identifier, &status)
    precondition(error == 0, "program \(identifier) was reaped by someone else: \(error)")
    return status
}

/// An error number in words.
func meaning(of error: Int32) -> String {
    // Safe: for the numbers of the system strerror gives constant text.
    unsafe String(cString: strerror(error))
}
