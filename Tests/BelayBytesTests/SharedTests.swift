import BelayBytes
import Testing

/// What threads share: counters, texts, semaphores.
@Suite struct SharedTests {
    @Test func `a counter's cells are apart`() {
        let table = CounterTable(rows: 3, columns: 17)
        for row in 0..<3 {
            for column in 0..<17 { table.store(Int64(row * 100 + column), row, column) }
        }
        for row in 0..<3 {
            for column in 0..<17 { #expect(table.load(row, column) == Int64(row * 100 + column)) }
        }
        #expect(table.add(5, 1, 2) == 107)
        table.addAlone(-7, 1, 2)
        #expect(table.load(1, 2) == 100)
        #expect(table.compareExchange(expected: 100, desired: 1, 1, 2))
        #expect(!table.compareExchange(expected: 100, desired: 2, 1, 2))
        #expect(table.load(1, 2) == 1)
    }

    @Test func `a table far larger than it has to be today takes no time and no memory`() {
        // 2 GB, if they were all touched; each of these rows is one page or two.
        let table = CounterTable(rows: 16 << 20, columns: 16)
        for row in stride(from: 0, to: table.rows, by: 1 << 20) {
            #expect(table.load(row, 15) == 0)
            table.store(Int64(row), row, 15)
        }
        for row in stride(from: 0, to: table.rows, by: 1 << 20) {
            #expect(table.load(row, 15) == Int64(row))
            #expect(table.load(row + 1, 0) == 0)
        }
    }

    @Test func `additions of several threads are all counted`() throws {
        let table = CounterTable(rows: 1, columns: 2)
        let threads = try (0..<4).map { _ in
            try #require(
                SystemThread.start {
                    for _ in 0..<10_000 { table.add(1, 0, 0) }
                }
            )
        }
        for thread in threads { thread.join() }
        #expect(table.load(0, 0) == 40_000)
    }

    @Test func `equal texts have one place`() {
        let (one, other) = (InternedText("shop"), InternedText(bytes: Array("shop".utf8)))
        #expect(one == other)
        #expect(one.hashValue == other.hashValue)
        #expect(one != InternedText("shops"))
        #expect(one.text == "shop")
        #expect(InternedText.empty.count == 0)
        #expect(InternedText("").bytes.isEmpty == true)
    }

    @Test func `a semaphore lets through what was posted, and no more`() throws {
        let (ready, answered) = (Semaphore(), Semaphore())
        let thread = try #require(
            SystemThread.start {
                ready.wait()
                answered.post()
                answered.post()
            }
        )
        #expect(!answered.wait(nanoseconds: 0))
        ready.post()
        answered.wait()
        answered.wait()
        thread.join()
        #expect(!answered.wait(nanoseconds: 1_000_000))
        answered.post()
        #expect(answered.wait(nanoseconds: 0))
    }
}
