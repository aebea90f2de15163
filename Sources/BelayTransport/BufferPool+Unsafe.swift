import BelayBytes
internal import CBelay

/// The name of a block of a `BufferPool`.
@usableFromInline
package typealias BlockIndex = Int32

/// Blocks of 64 KiB for bytes on their way, in one mapping that is touched only as far as it is
/// used. A copy is another name for the same memory; who may use a block is told by the indices
/// that `Engine` hands out, one owner at a time.
@safe
@usableFromInline
package struct BlockMemory: Sendable {
    // Limit: a block holds the largest head (48 KiB) and what Belay adds to it, and a whole answer
    // of 64 KiB with its head.
    @inlinable package static var blockSize: Int { 68 * 1024 }

    // Safe to share within one worker: the mapping lives as long as the process.
    @usableFromInline nonisolated(unsafe) let base: UnsafeMutablePointer<UInt8>
    @usableFromInline package let blockCount: Int

    /// Nil when the system refuses the address space.
    init?(blockCount: Int) {
        guard let memory = unsafe belay_map(blockCount * Self.blockSize) else { return nil }
        unsafe self.base = memory.assumingMemoryBound(to: UInt8.self)
        self.blockCount = blockCount
    }

    @inlinable
    func address(_ block: BlockIndex, _ range: Range<Int>) -> UnsafeMutablePointer<UInt8> {
        precondition(
            block >= 0 && Int(block) < self.blockCount && range.lowerBound >= 0
                && range.upperBound <= Self.blockSize,
            "bytes outside their block"
        )
        // Safe: within the mapping, checked above; a fresh mapping reads as zero.
        return unsafe self.base + (Int(block) &* Self.blockSize &+ range.lowerBound)
    }

    /// The bytes of `range` in a block.
    @inlinable
    @_lifetime(borrow self)
    package func bytes(_ block: BlockIndex, _ range: Range<Int>) -> Span<UInt8> {
        let span = unsafe Span(
            _unsafeStart: UnsafePointer(self.address(block, range)),
            count: range.count
        )
        // Safe: the mapping outlives every span of it.
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// Moves `range` of a block to `target` in the same block.
    func move(_ block: BlockIndex, _ range: Range<Int>, to target: Int) {
        guard !range.isEmpty, target != range.lowerBound else { return }
        let destination = unsafe self.address(block, target..<(target + range.count))
        // Safe: both ranges are checked to lie in the block; memmove allows overlap.
        unsafe destination.update(from: self.address(block, range), count: range.count)
    }

    /// Copies bytes of elsewhere into a block.
    package func copy(_ source: borrowing Span<UInt8>, to block: BlockIndex, at offset: Int) {
        let destination = unsafe self.address(block, offset..<(offset + source.count))
        unsafe source.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            // Safe: the place was checked for `count` bytes.
            unsafe destination.update(from: start, count: bytes.count)
        }
    }

    /// Gives a block's pages back to the system.
    func release(_ block: BlockIndex) {
        let place = unsafe self.address(block, 0..<Self.blockSize)
        // Safe: blocks are multiples of 4 KiB, so no neighbour's page is touched.
        _ = unsafe belay_release_pages(place, Self.blockSize)
    }
}

/// Which blocks are free: the one used last goes out first, while it is still in the cache.
@usableFromInline
package struct BufferPool: ~Copyable {
    @usableFromInline package let memory: BlockMemory
    private var free: [BlockIndex]
    private var freeCount: Int
    /// Blocks at the bottom of the free list whose pages went back to the system.
    private var released = 0
    /// The smallest number of free blocks since the last trim.
    private var leastFree: Int

    package init?(blockCount: Int) {
        guard let memory = BlockMemory(blockCount: blockCount) else { return nil }
        self.memory = memory
        self.free = (0..<blockCount).map { BlockIndex(blockCount - 1 - $0) }
        self.freeCount = blockCount
        self.leastFree = blockCount
        // Nothing was touched yet.
        self.released = blockCount
    }

    package var used: Int { self.memory.blockCount - self.freeCount }

    package mutating func take() -> BlockIndex? {
        guard self.freeCount > 0 else { return nil }
        self.freeCount &-= 1
        if self.freeCount < self.leastFree { self.leastFree = self.freeCount }
        if self.freeCount < self.released { self.released = self.freeCount }
        return self.free[self.freeCount]
    }

    package mutating func give(_ block: BlockIndex) {
        precondition(self.freeCount < self.memory.blockCount, "a block was given back twice")
        self.free[self.freeCount] = block
        self.freeCount &+= 1
    }

    /// Gives pages back that no one has used since the last call; call it about once a second.
    package mutating func trim() {
        // Limit: 64 blocks (4 MiB) stay, so that a usual load never returns pages; at most 256
        // blocks go at once, so that the call stays below a millisecond.
        let surplus = Swift.max(0, self.leastFree - 64)
        let end = Swift.min(surplus, self.released + 256)
        while self.released < end {
            self.memory.release(self.free[self.released])
            self.released += 1
        }
        self.leastFree = self.freeCount
    }
}
