import BelayBytes

/// Bytes that are written behind each other, with more room when it is needed: most connections
/// carry small heads, and a few large ones.
struct GrowingText: ~Copyable {
    private(set) var writer: ByteWriter
    private let initial: Int

    init(initial: Int) {
        self.writer = ByteWriter(capacity: initial)
        self.initial = initial
    }

    var count: Int { self.writer.count }

    mutating func removeAll() { self.writer.removeAll() }

    mutating func truncate(to count: Int) { self.writer.truncate(to: count) }

    /// Gives back what a large head took.
    mutating func shrink() {
        guard self.writer.count == 0, self.writer.capacity > self.initial else { return }
        self.writer = ByteWriter(capacity: self.initial)
    }

    mutating func append(_ bytes: borrowing Span<UInt8>) {
        self.makeRoom(bytes.count)
        self.writer.append(bytes)
    }

    mutating func append(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
        self.append(bytes.extracting(range))
    }

    mutating func append(_ other: borrowing GrowingText, _ range: Range<Int>) {
        self.append(other.writer.bytes.extracting(range))
    }

    mutating func append(_ text: StaticString) {
        self.makeRoom(text.utf8CodeUnitCount)
        self.writer.append(text)
    }

    private mutating func makeRoom(_ size: Int) {
        let needed = self.writer.count &+ size
        guard needed > self.writer.capacity else { return }
        var capacity = self.writer.capacity
        while capacity < needed { capacity *= 2 }
        var larger = ByteWriter(capacity: capacity)
        larger.append(self.writer.bytes)
        self.writer = larger
    }
}
