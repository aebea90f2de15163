private import CBelay
private import Glibc

/// The process that takes over from this one.
package struct Successor: Sendable {
    package enum Outcome: Equatable, Sendable {
        case ready
        /// It has ended, or was ended, and says why if it could.
        case failed(String)
    }

    package let pid: Int32
    private let pipe: Descriptor

    /// Starts a program that inherits the listening sockets. Those that `outlive` are the service
    /// manager's.
    package init(
        path: String,
        arguments: [String],
        environment: [String: String],
        sockets: [(descriptor: Descriptor, outlives: Bool)]
    ) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        // Safe: the call writes two numbers, and there is room for two.
        guard unsafe belay_pipe(&ends) == 0 else { throw .last }
        let (reading, writing) = (Descriptor(number: ends[0]), Descriptor(number: ends[1]))
        defer { writing.close() }
        var variables = environment
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { variables[name] = nil }
        // They are 3, 4 and so on there.
        variables["BELAY_SOCKETS"] = sockets.enumerated().map { index, socket in
            "\(3 + index)\(socket.outlives ? "!" : "")"
        }.joined(separator: ",")
        variables["BELAY_READY"] = "\(3 + sockets.count)"
        let numbers = sockets.map(\.descriptor.number) + [writing.number]
        var pid: Int32 = 0
        // Safe: the copies live until the call has returned, each list ends with nil, and `numbers`
        // has as many numbers as are told.
        let error = unsafe withCopies(of: arguments) { arguments in
            unsafe withCopies(of: variables.map { "\($0)=\($1)" }) { environment in
                unsafe belay_spawn(
                    path,
                    arguments,
                    environment,
                    numbers,
                    Int32(numbers.count),
                    &pid
                )
            }
        }
        guard error == 0 else {
            reading.close()
            throw SystemError(code: error)
        }
        self.pid = pid
        self.pipe = reading
    }

    /// Waits until it says that it serves, or for so long; then it is ended if it does not. To be
    /// called once.
    package func wait(milliseconds: Int64) -> Outcome {
        let end = SystemClock.monotonicNanoseconds() + milliseconds * 1_000_000
        var text: [UInt8] = []
        defer { self.pipe.close() }
        while !text.contains(UInt8(ascii: "\n")) {
            let left = (end - SystemClock.monotonicNanoseconds()) / 1_000_000
            guard left > 0, belay_wait_readable(self.pipe.number, Int32(clamping: left)) != 0 else {
                self.end()
                return .failed("it was not ready after \(milliseconds / 1000) s")
            }
            let bytes = self.read()
            if bytes.isEmpty { break }
            text += bytes
        }
        let said = String(decoding: text, as: UTF8.self)
        if said.hasPrefix("ready") { return .ready }
        self.end()
        let reason = said.hasPrefix("failed ") ? String(said.dropFirst(7)) : ""
        let line = reason.prefix { $0 != "\n" }
        return .failed(line.isEmpty ? "it ended before it was ready" : String(line))
    }

    private func read() -> [UInt8] {
        // Safe: the kernel writes at most as many bytes as the buffer has, and `count` says how
        // many it wrote.
        unsafe Array(unsafeUninitializedCapacity: 4096) { buffer, count in
            let found = unsafe belay_read_pipe(self.pipe.number, buffer.baseAddress, buffer.count)
            count = Swift.max(0, found)
        }
    }

    /// Ends it, if it has not ended by itself.
    private func end() {
        _ = kill(self.pid, SIGKILL)
        _ = belay_reap(self.pid, 1)
    }
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
