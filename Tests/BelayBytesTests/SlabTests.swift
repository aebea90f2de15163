import BelayBytes
import BelayCore
import Synchronization
import Testing

@Suite struct SlabTests {
    /// Counts how often it is destroyed.
    private struct Counted: ~Copyable {
        let counter: Counter
        let number: Int
        deinit { self.counter.add(self.number) }
    }

    private final class Counter: Sendable {
        private let destroyed = Mutex<[Int: Int]>([:])
        func add(_ number: Int) { self.destroyed.withLock { $0[number, default: 0] += 1 } }
        var all: [Int: Int] { self.destroyed.withLock { $0 } }
    }

    @Test func `the place given back last is taken first, and is told from before`() {
        var slab = Slab<Int>(capacity: 3)
        #expect([slab.insert(10), slab.insert(11), slab.insert(12)] == [0, 1, 2])
        let old = slab.generation(1)
        let isCurrent = slab.isCurrent(1, old)
        #expect(isCurrent)
        slab.remove(1)
        slab.remove(0)
        let (isUsed, isStill) = (slab.isUsed(1), slab.isCurrent(1, old))
        #expect(!isUsed)
        #expect(!isStill)
        #expect([slab.insert(20), slab.insert(21)] == [0, 1])
        let isOld = slab.isCurrent(1, old)
        #expect(!isOld)
        #expect(slab.generation(1) != old)
        #expect([slab[0], slab[1], slab[2]] == [20, 21, 12])
    }

    @Test func `a full slab takes nothing`() {
        var slab = Slab<Int>(capacity: 2)
        #expect([slab.insert(1), slab.insert(2), slab.insert(3)] == [0, 1, nil])
        #expect(slab.count == 2)
        slab.remove(0)
        #expect([slab.insert(4), slab.insert(5)] == [0, nil])
        #expect([slab[0], slab[1]] == [4, 2])
    }

    @Test(arguments: [-1, 0, 2, 3, 1 << 40])
    func `a place that was never taken is not in use`(index: Int) {
        var slab = Slab<Int>(capacity: 3)
        if index == 0 { slab.remove(slab.insert(1) ?? -1) }
        let isUsed = slab.isUsed(index)
        #expect(!isUsed)
    }

    @Test func `an element is changed in its place`() {
        var slab = Slab<[Int]>(capacity: 2)
        let place = slab.insert([1]) ?? -1
        slab[place].append(2)
        slab[place][0] = 3
        #expect(slab[place] == [3, 2])
    }

    @Test func `every element is destroyed exactly once`() {
        let counter = Counter()
        do {
            var slab = Slab<Counted>(capacity: 3)
            _ = slab.insert(Counted(counter: counter, number: 0))
            _ = slab.insert(Counted(counter: counter, number: 1))
            slab.remove(0)
            #expect(counter.all == [0: 1])
            _ = slab.insert(Counted(counter: counter, number: 2))
            _ = slab.insert(Counted(counter: counter, number: 3))
            _ = slab.insert(Counted(counter: counter, number: 4))
            #expect(counter.all == [0: 1, 4: 1], "one that finds no place is destroyed at once")
            slab[2] = Counted(counter: counter, number: 5)
            #expect(counter.all == [0: 1, 4: 1, 3: 1])
        }
        #expect(counter.all == [0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1])
    }

    @Test(arguments: [1, 2, 3])
    func `a slab agrees with a dictionary`(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var slab = Slab<Int>(capacity: 20)
        var model: [Int: (value: Int, generation: UInt32)] = [:]
        for step in 0..<2000 {
            if random.below(2) == 0 {
                let place = slab.insert(step)
                #expect((place == nil) == (model.count == 20))
                if let place {
                    #expect(model[place] == nil)
                    model[place] = (step, slab.generation(place))
                }
            } else if let place = model.keys.sorted().first(where: { _ in random.below(3) == 0 }) {
                slab.remove(place)
                let isCurrent = slab.isCurrent(place, model[place]?.generation ?? 0)
                #expect(!isCurrent)
                model[place] = nil
            }
            #expect(slab.count == model.count)
        }
        for (place, known) in model {
            #expect(slab[place] == known.value)
            #expect(slab.generation(place) == known.generation)
        }
    }
}
