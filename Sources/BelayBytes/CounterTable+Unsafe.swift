private import Glibc
public import Synchronization

/// A table of counters that threads share: rows of eight or more 64-bit atomics, each row on cache
/// lines of its own, so that workers that write different rows don't slow each other.
///
/// A copy is another name for the same table. The memory is never given back: rows are read by
/// whoever holds a copy, for as long as the process lives, and tables are made at start and at
/// reloads only. Rows that nobody has touched take no memory of the machine's, so a table may be
/// made larger than it has to be today.
@safe
@usableFromInline
package struct CounterTable: @unchecked Sendable {
    // Safe to share: every access goes through an atomic.
    @usableFromInline let base: UnsafeMutablePointer<Atomic<Int64>>
    @usableFromInline package let rows: Int
    /// Counters in a row.
    @usableFromInline package let columns: Int
    @usableFromInline let stride: Int

    package init(rows: Int, columns: Int) {
        precondition(rows >= 0 && columns > 0, "a table without columns")
        self.rows = rows
        self.columns = columns
        // Limit: 16 counters of 8 bytes are two cache lines, because processors fetch lines in
        // pairs.
        self.stride = (columns + 15) / 16 * 16
        let size = Swift.max(rows, 1) * self.stride
        let bytes = size * MemoryLayout<Atomic<Int64>>.stride
        if bytes >= Self.mappedFrom, let memory = unsafe Self.map(bytes) {
            // Safe: an atomic of 0 is a word of zeros, and the kernel gives zeros.
            unsafe self.base = memory.bindMemory(to: Atomic<Int64>.self, capacity: size)
            return
        }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 128)
        unsafe self.base = memory.bindMemory(to: Atomic<Int64>.self, capacity: size)
        for index in 0..<size {
            // Safe: within the allocation of `size` atomics.
            unsafe (self.base + index).initialize(to: Atomic(0))
        }
    }

    // Limit: below 64 KiB a table is not worth pages of its own.
    private static let mappedFrom = 64 * 1024

    /// Zeros that take memory page by page, as they are written; nil if the system gives none.
    private static func map(_ bytes: Int) -> UnsafeMutableRawPointer? {
        let memory = unsafe mmap(
            nil,
            bytes,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
            -1,
            0
        )
        return unsafe memory == MAP_FAILED ? nil : memory
    }

    @inlinable @inline(__always)
    func cell(_ row: Int, _ column: Int) -> UnsafeMutablePointer<Atomic<Int64>> {
        precondition(
            row >= 0 && row < self.rows && column >= 0 && column < self.columns,
            "no such counter"
        )
        return unsafe self.base + (row &* self.stride &+ column)
    }

    @inlinable @inline(__always)
    package func load(_ row: Int, _ column: Int) -> Int64 {
        // Safe: `cell` checked the place; the table is never freed.
        unsafe self.cell(row, column).pointee.load(ordering: .relaxed)
    }

    @inlinable @inline(__always)
    package func store(_ value: Int64, _ row: Int, _ column: Int) {
        unsafe self.cell(row, column).pointee.store(value, ordering: .relaxed)
    }

    /// Adds, seen by every thread. Returns the new value.
    @inlinable @inline(__always)
    @discardableResult
    package func add(_ amount: Int64, _ row: Int, _ column: Int) -> Int64 {
        unsafe self.cell(row, column).pointee.wrappingAdd(amount, ordering: .relaxed).newValue
    }

    /// Adds to a counter that only the calling thread writes: others may read it meanwhile. Without
    /// the locked instruction of `add`, about a tenth of its cost.
    @inlinable @inline(__always)
    package func addAlone(_ amount: Int64, _ row: Int, _ column: Int) {
        let cell = unsafe self.cell(row, column)
        let sum = unsafe cell.pointee.load(ordering: .relaxed) &+ amount
        unsafe cell.pointee.store(sum, ordering: .relaxed)
    }

    /// Writes `desired` if the counter still holds `expected`; whether it did.
    package func compareExchange(
        expected: Int64,
        desired: Int64,
        _ row: Int,
        _ column: Int
    ) -> Bool {
        unsafe self.cell(row, column).pointee.compareExchange(
            expected: expected,
            desired: desired,
            ordering: .relaxed
        ).exchanged
    }
}
