import BelayBytes
import BelayTransport
import Testing

@Suite struct BufferPoolTests {
    private func pool(of blocks: Int) throws -> BufferPool {
        guard let pool = BufferPool(blockCount: blocks) else { throw SystemError(code: 12) }
        return pool
    }

    @Test func `the block given back last goes out first`() throws {
        var pool = try self.pool(of: 4)
        #expect([pool.take(), pool.take(), pool.take()] == [0, 1, 2])
        #expect(pool.used == 3)
        pool.give(1)
        pool.give(0)
        #expect([pool.take(), pool.take(), pool.take()] == [0, 1, 3])
        #expect(pool.used == 4)
    }

    @Test func `an exhausted pool gives nothing until a block comes back`() throws {
        var pool = try self.pool(of: 2)
        _ = pool.take()
        _ = pool.take()
        #expect(pool.take() == nil)
        pool.give(1)
        #expect(pool.take() == 1)
        #expect(pool.take() == nil)
    }

    @Test func `a block keeps its bytes, and its neighbours theirs`() throws {
        let pool = try self.pool(of: 3)
        let memory = pool.memory
        let last = BlockMemory.blockSize - 2
        memory.copy([1, 2].span, to: 1, at: last)
        memory.copy([3, 4].span, to: 2, at: 0)
        let first = memory.bytes(1, last..<(last + 2))
        let second = memory.bytes(2, 0..<2)
        #expect([first[0], first[1], second[0], second[1]] == [1, 2, 3, 4])
        #expect(memory.bytes(0, 0..<0).count == 0)
    }

    @Test func `trimming gives back pages that nobody used, and keeps 64 blocks`() throws {
        var pool = try self.pool(of: 70)
        let memory = pool.memory
        func fill() {
            var blocks: [BlockIndex] = []
            while let block = pool.take() {
                memory.copy([7].span, to: block, at: 0)
                blocks.append(block)
            }
            for block in blocks.reversed() { pool.give(block) }
        }
        func filled() -> Int { (0..<70).count { memory.bytes(BlockIndex($0), 0..<1)[0] == 7 } }
        fill()
        #expect(filled() == 70)
        pool.trim()
        #expect(filled() == 70, "all were in use since the last trim")
        pool.trim()
        #expect(filled() == 64)
        pool.trim()
        #expect(filled() == 64, "and no more than that")
        fill()
        #expect(filled() == 70, "a block without pages is as good as another")
    }
}
