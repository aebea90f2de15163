package import BelayBytes
import Synchronization

/// Where the lines go.
package enum LogTarget: Sendable, Equatable {
    case standardOutput
    /// Opened for appending, and made where there is none.
    case file(String)

    func open() throws(FileError) -> OutputFile {
        switch self {
        case .standardOutput: .standardOutput()
        case .file(let path): try OutputFile(appendingTo: path)
        }
    }
}

/// Writes the workers' lines from a thread of its own.
///
/// A target that cannot be written to is told once to the operator; lines that come meanwhile are
/// dropped and counted, and each new buffer is tried again. One `LogSink` for the process, one
/// `WorkerLog` for each worker.
package final class LogSink: Sendable {
    private let lanes: [LogLane]
    private let work = Semaphore()
    private let finished = Semaphore()
    private let wantsReopen = Atomic(false)
    /// Where lines go from the next opening on.
    private let target: Mutex<LogTarget>
    private let wantsStop = Atomic(false)
    /// Row `worker` for what a worker drops, the last row for the writer's thread.
    private let counters: CounterTable

    /// Opens the target and starts the thread. `tell` takes sentences for the operator, on the
    /// writer's thread; the default writes them to standard error.
    package init(
        target: LogTarget,
        workers: Int,
        tell: @escaping @Sendable (String) -> Void = LogSink.tellStandardError
    ) throws(FileError) {
        self.lanes = (0..<workers).map { _ in LogLane() }
        self.target = Mutex(target)
        self.counters = CounterTable(rows: workers + 1, columns: LogColumn.count)
        let opened = Handover(try target.open())
        let thread = SystemThread.start { [self] in
            guard let file = opened.take() else { return }
            self.run(LineWriter(file: file, tell: tell))
        }
        guard let thread else {
            throw FileError(code: 0, action: "start a thread for", path: "the access log")
        }
        thread.detach()
    }

    /// The end of `worker`, to be made once, and then used by that worker's thread only.
    package func log(of worker: Int, _ log: consuming AccessLog) -> WorkerLog {
        precondition(worker >= 0 && worker < self.lanes.count, "no such worker")
        return WorkerLog(sink: self, worker: worker, log: log)
    }

    /// Opens the file anew before the next line: after logrotate has renamed it. Returns at once.
    package func reopen() {
        self.wantsReopen.store(true, ordering: .releasing)
        self.work.post()
    }

    /// Sends the next lines elsewhere. Throws, and changes nothing, if that can't be opened.
    package func retarget(_ target: LogTarget) throws(FileError) {
        // Opened once to see that it can be; the writer's thread opens it for itself.
        _ = try target.open()
        self.target.withLock { $0 = target }
        self.reopen()
    }

    /// Writes everything that workers have handed over, then ends the thread. Waits at most
    /// `nanoseconds` for that, because the reader of a pipe may have gone to sleep; whether all was
    /// written. To be called once, after the workers' `flush`.
    package func stop(within nanoseconds: Int64 = 5_000_000_000) -> Bool {
        self.wantsStop.store(true, ordering: .releasing)
        self.work.post()
        return self.finished.wait(nanoseconds: nanoseconds)
    }

    /// Lines that were written, and lines that were lost, so far.
    package var lineCounts: (written: Int, dropped: Int) {
        var dropped: Int64 = 0
        for row in 0..<self.counters.rows { dropped += self.counters.load(row, LogColumn.dropped) }
        let written = self.counters.load(self.lanes.count, LogColumn.written)
        return (Int(written), Int(dropped))
    }

    /// One line on standard error.
    package static func tellStandardError(_ sentence: String) {
        let bytes = Array("belay: \(sentence)\n".utf8)
        // There is nobody left to tell that telling failed.
        try? OutputFile.standardError().writeAll(bytes.span)
    }

    // MARK: The workers' side

    func put(_ buffer: inout ByteWriter, worker: Int) -> Bool {
        guard self.lanes[worker].put(&buffer) else { return false }
        self.work.post()
        return true
    }

    func count(dropped: Int, worker: Int) {
        self.counters.addAlone(Int64(dropped), worker, LogColumn.dropped)
    }

    // MARK: The writer's side

    private func run(_ writer: consuming LineWriter) {
        var writer = writer
        var buffer = ByteWriter(capacity: LogLane.bufferCapacity)
        var isLast = false
        while !isLast {
            self.work.wait()
            self.reopenIfWanted(&writer)
            isLast = self.wantsStop.load(ordering: .acquiring)
            for lane in self.lanes {
                while lane.take(&buffer) {
                    // Lines that were handed over after `reopen` belong into the new file.
                    self.reopenIfWanted(&writer)
                    let lost = writer.write(buffer.bytes)
                    self.count(written: buffer.bytes.lineCount - lost, lost: lost)
                    buffer.removeAll()
                }
            }
        }
        self.finished.post()
    }

    private func reopenIfWanted(_ writer: inout LineWriter) {
        if self.wantsReopen.exchange(false, ordering: .acquiring) {
            writer.reopen(self.target.withLock { $0 })
        }
    }

    private func count(written: Int, lost: Int) {
        self.counters.addAlone(Int64(written), self.lanes.count, LogColumn.written)
        self.counters.addAlone(Int64(lost), self.lanes.count, LogColumn.dropped)
    }
}

private enum LogColumn {
    static var written: Int { 0 }
    static var dropped: Int { 1 }
    static var count: Int { 2 }
}

/// Carries the open file to the thread that will own it.
private final class Handover: Sendable {
    private let file: Mutex<OutputFile?>

    init(_ file: consuming OutputFile) { self.file = Mutex(file) }

    func take() -> OutputFile? {
        self.file.withLock { file in
            let taken = file.take()
            return taken
        }
    }
}
