import Dispatch
import Foundation
import Glibc
import Synchronization

// Programs that tests start. Foundation's `Process` is not used: to close what a child must not
// inherit, it reads /proc/self/fd in a way that now and then crashes the whole test process.

/// Why a program could not be started, or be written to.
package struct ProgramFailure: Error, CustomStringConvertible {
    package let description: String

    init(_ what: String, _ error: Int32) {
        self.description = "\(what): \(meaning(of: error))"
    }
}

/// A program that this process has started. It ends by itself or by a signal: letting go of this
/// value does not end it.
package final class RunningProgram: Sendable {
    package let identifier: Int32
    /// What the program reads; nil where it reads nothing.
    package let input: ProgramInput?
    package let output: ProgramOutput
    /// The same as `output` where both are joined.
    package let errors: ProgramOutput
    private let ending = Mutex<Int32?>(nil)
    private let ended = DispatchGroup()

    /// Starts `arguments[0]`, looked up in the path. It inherits this process's environment, with
    /// `environment` on top, and no descriptor. `whenEnded` is called once, on another thread.
    package init(
        _ arguments: [String],
        environment: [String: String] = [:],
        directory: String,
        reads: Bool = false,
        joinsErrors: Bool = false,
        whenEnded: (@Sendable (Int32) -> Void)? = nil
    ) throws {
        let input = reads ? try Descriptor.pipe() : nil
        let output = try Descriptor.pipe()
        let errors = joinsErrors ? output : try Descriptor.pipe()
        let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        self.identifier = try spawn(
            arguments,
            environment: all.map { "\($0)=\($1)" },
            directory: directory,
            input: input?.reading,
            output: output.writing,
            errors: errors.writing
        )
        self.input = input.map { ProgramInput($0.writing) }
        self.output = ProgramOutput(output.reading)
        self.errors = joinsErrors ? self.output : ProgramOutput(errors.reading)
        self.ended.enter()
        let waiter = Thread { [self] in
            let status = self.takeEnd()
            self.ended.leave()
            whenEnded?(status)
        }
        waiter.stackSize = 256 * 1024
        waiter.start()
    }

    private func takeEnd() -> Int32 {
        awaitEnd(of: self.identifier)
        return self.ending.withLock { ending in
            let status = reap(self.identifier)
            ending = status
            return status
        }
    }

    /// How it ended: its exit code, or minus the signal that ended it; nil while it runs.
    package var status: Int32? { self.ending.withLock { $0 } }

    /// Sends a signal, unless it has ended.
    package func signal(_ signal: Int32) {
        // Nobody else gets this number before the end is taken, and that happens under the lock.
        self.ending.withLock { ending in
            if ending == nil { _ = kill(self.identifier, signal) }
        }
    }

    /// Waits for its end, for as long as it takes. A negative status is the signal that ended it.
    @discardableResult
    package func waitForEnd() -> Int32 {
        self.ended.wait()
        guard let status = self.status else { preconditionFailure("ended without a status") }
        return status
    }
}

/// The end of a pipe that a program reads.
package final class ProgramInput: Sendable {
    private let descriptor: Mutex<Descriptor?>

    init(_ descriptor: Descriptor) { self.descriptor = Mutex(descriptor) }

    /// Writes all of it, as fast as the program reads.
    package func write(_ bytes: [UInt8]) throws {
        let descriptor = self.descriptor.withLock { $0 }
        guard let descriptor else { throw ProgramFailure("cannot write", EBADF) }
        var rest = bytes[...]
        while !rest.isEmpty { rest = rest.dropFirst(try descriptor.write(rest)) }
    }

    /// Lets the program see the end of what it reads, once nothing is being written.
    package func close() { self.descriptor.withLock { $0 = nil } }
}

/// The end of a pipe that a program writes to.
package final class ProgramOutput: Sendable {
    private let descriptor: Descriptor

    init(_ descriptor: Descriptor) { self.descriptor = descriptor }

    /// What it writes next; empty at the end. Waits for either.
    package func next() throws -> [UInt8] { try self.descriptor.read() }

    /// All it writes from here to the end.
    package func rest() throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let bytes = try self.next()
            if bytes.isEmpty { return all }
            all += bytes
        }
    }
}
