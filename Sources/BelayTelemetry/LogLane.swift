import BelayBytes
import Synchronization

/// What one worker has ready for the writer: full buffers, in order. The worker puts, the writer
/// takes, and both trade a full buffer for an empty one, so none is ever made or copied.
final class LogLane: Sendable {
    /// Limit: eight buffers of 64 KiB hold about 2,000 lines: what a worker writes while a disk
    /// pauses for some 40 ms at 50,000 exchanges a second.
    static var buffersMax: Int { 8 }
    // Limit: two of the longest lines fit, and a write of this size costs the system call once per
    // 250 lines.
    static var bufferCapacity: Int { 65_536 }

    private let queue = Mutex(Queue())

    /// Trades the worker's `buffer` for an empty one. False when the writer is behind by all
    /// buffers: then nothing happens.
    func put(_ buffer: inout ByteWriter) -> Bool {
        self.queue.withLock { $0.put(&buffer) }
    }

    /// Trades the writer's `buffer`, which must be empty, for the oldest full one. False when there
    /// is none.
    func take(_ buffer: inout ByteWriter) -> Bool {
        precondition(buffer.count == 0, "the writer would lose lines")
        return self.queue.withLock { $0.take(&buffer) }
    }

    private struct Queue: ~Copyable {
        private var buffers: InlineArray<8, ByteWriter>
        private var first = 0
        private var count = 0

        init() {
            self.buffers = InlineArray { _ in ByteWriter(capacity: LogLane.bufferCapacity) }
        }

        mutating func put(_ buffer: inout ByteWriter) -> Bool {
            guard self.count < LogLane.buffersMax else { return false }
            // An empty queue begins at the same buffer again: the one whose memory is warm.
            if self.count == 0 { self.first = 0 }
            swap(&self.buffers[(self.first + self.count) % LogLane.buffersMax], &buffer)
            self.count += 1
            return true
        }

        mutating func take(_ buffer: inout ByteWriter) -> Bool {
            guard self.count > 0 else { return false }
            swap(&self.buffers[self.first], &buffer)
            self.first = (self.first + 1) % LogLane.buffersMax
            self.count -= 1
            return true
        }
    }
}
