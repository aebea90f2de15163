import BelayBytes
package import BelayCore

/// A worker's end of the access log: lines go into a buffer of its own, full or old buffers to the
/// sink. Never waits: when the sink is behind, lines are dropped and counted.
package struct WorkerLog: ~Copyable {
    private var log: AccessLog
    private var buffer = ByteWriter(capacity: LogLane.bufferCapacity)
    private let sink: LogSink
    private let worker: Int
    /// When the buffer's first line was written.
    private var since = Instant(nanoseconds: 0)

    init(sink: LogSink, worker: Int, log: consuming AccessLog) {
        self.sink = sink
        self.worker = worker
        self.log = log
    }

    /// More names are known.
    package mutating func learn(_ words: LogWords) { self.log.learn(words) }

    /// Writes the line of an exchange that has ended.
    package mutating func write(
        _ record: borrowing ExchangeRecord,
        method: borrowing Span<UInt8>,
        host: borrowing Span<UInt8>,
        path: borrowing Span<UInt8>
    ) {
        guard self.makeRoom(method.count, host.count, path.count) else { return }
        if self.buffer.count == 0 { self.since = record.ended }
        self.log.write(record, method: method, host: host, path: path, to: &self.buffer)
    }

    /// Writes the line of a tunnel that has just opened. Its end gets a line by `write`.
    package mutating func writeOpened(
        _ record: borrowing ExchangeRecord,
        method: borrowing Span<UInt8>,
        host: borrowing Span<UInt8>,
        path: borrowing Span<UInt8>
    ) {
        guard self.makeRoom(method.count, host.count, path.count) else { return }
        if self.buffer.count == 0 { self.since = record.opened }
        self.log.writeOpened(record, method: method, host: host, path: path, to: &self.buffer)
    }

    /// Makes room for a line with a method, host and path of so many bytes. False when there is
    /// none: then the line is counted as dropped.
    private mutating func makeRoom(_ method: Int, _ host: Int, _ path: Int) -> Bool {
        if self.buffer.capacity &- self.buffer.count >= AccessLog.lineMax { return true }
        // The exact need is known only after writing; most lines are far below the longest.
        let need = AccessLog.lineMax(method: method, host: host, path: path)
        if self.buffer.capacity &- self.buffer.count >= need || self.handOver() { return true }
        self.sink.count(dropped: 1, worker: self.worker)
        return false
    }

    /// To be called about once a second: hands over what has waited for a second or more, and sets
    /// the clock of the lines.
    package mutating func tick(now: Instant, clock: WallClock) {
        self.log.set(clock)
        guard self.buffer.count > 0, now - self.since >= .milliseconds(900) else { return }
        _ = self.handOver()
    }

    /// Hands over what is there. To be called when the worker stops, before the sink does.
    package mutating func flush() {
        guard self.buffer.count > 0, !self.handOver() else { return }
        self.sink.count(dropped: self.buffer.bytes.lineCount, worker: self.worker)
        self.buffer.removeAll()
    }

    private mutating func handOver() -> Bool {
        guard self.sink.put(&self.buffer, worker: self.worker) else { return false }
        self.buffer.removeAll()
        return true
    }
}

extension Span<UInt8> {
    /// How many line feeds it holds.
    var lineCount: Int {
        var count = 0
        var index = 0
        while let next = self.firstIndex(of: UInt8(ascii: "\n"), from: index) {
            count &+= 1
            index = next &+ 1
        }
        return count
    }
}
