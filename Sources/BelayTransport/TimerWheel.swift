package import BelayCore

/// One deadline for each slot, in a wheel of buckets.
///
/// Moving a deadline later, which every exchange does, only stores a number: the slot stays in its
/// bucket and is put into a later one when that bucket comes up. (Varghese and Lauck: "Hashed and
/// hierarchical timing wheels", 1987; lazily, as in Linux.)
package struct TimerWheel: ~Copyable {
    // Limit: a tick is 2^24 ns, about 17 ms; 4,096 of them make 68 s, after which a slot is only
    // looked at again. No time-out of Belay needs to be finer.
    private static let tickShift: Int64 = 24
    private static let bucketCount = 4096
    private static let none: Int32 = -1

    private var deadlines: [Int64]
    private var next: [Int32]
    private var previous: [Int32]
    /// The bucket that a slot is in, or -1.
    private var bucketOf: [Int16]
    private var heads: [Int32]
    /// A bit for each bucket that isn't empty.
    private var occupied: [UInt64]
    private var currentTick: Int64

    package init(slots: Int, now: Instant) {
        self.deadlines = Array(repeating: .max, count: slots)
        self.next = Array(repeating: Self.none, count: slots)
        self.previous = Array(repeating: Self.none, count: slots)
        self.bucketOf = Array(repeating: -1, count: slots)
        self.heads = Array(repeating: Self.none, count: Self.bucketCount)
        self.occupied = Array(repeating: 0, count: Self.bucketCount / 64)
        self.currentTick = now.nanoseconds >> Self.tickShift
    }

    package func deadline(_ slot: Int) -> Instant { Instant(nanoseconds: self.deadlines[slot]) }

    /// Sets the slot's deadline; `distantFuture` takes it out.
    @inline(__always)
    package mutating func set(_ slot: Int, _ deadline: Instant) {
        let earlier = deadline.nanoseconds < self.deadlines[slot]
        self.deadlines[slot] = deadline.nanoseconds
        // Later than before: the bucket comes up too early, and the slot moves on then.
        if !earlier && self.bucketOf[slot] >= 0 { return }
        self.place(slot)
    }

    package mutating func remove(_ slot: Int) {
        self.unlink(slot)
        self.deadlines[slot] = .max
    }

    private mutating func place(_ slot: Int) {
        self.unlink(slot)
        guard self.deadlines[slot] != .max else { return }
        // Rounded up: a timer never fires early.
        let tick = (self.deadlines[slot] >> Self.tickShift) &+ 1
        let nearest = Swift.max(tick, self.currentTick &+ 1)
        let target = Swift.min(nearest, self.currentTick &+ Int64(Self.bucketCount) &- 1)
        let bucket = Int(target & Int64(Self.bucketCount &- 1))
        let head = self.heads[bucket]
        self.next[slot] = head
        self.previous[slot] = Self.none
        if head >= 0 { self.previous[Int(head)] = Int32(truncatingIfNeeded: slot) }
        self.heads[bucket] = Int32(truncatingIfNeeded: slot)
        self.bucketOf[slot] = Int16(truncatingIfNeeded: bucket)
        self.occupied[bucket >> 6] |= 1 << UInt64(bucket & 63)
    }

    private mutating func unlink(_ slot: Int) {
        let bucket = Int(self.bucketOf[slot])
        guard bucket >= 0 else { return }
        let after = self.next[slot]
        let before = self.previous[slot]
        if before >= 0 { self.next[Int(before)] = after } else { self.heads[bucket] = after }
        if after >= 0 { self.previous[Int(after)] = before }
        if self.heads[bucket] < 0 { self.occupied[bucket >> 6] &= ~(1 << UInt64(bucket & 63)) }
        self.bucketOf[slot] = -1
    }

    /// A slot whose deadline has passed, taken out of the wheel; nil when there is none left.
    package mutating func popExpired(now: Instant) -> Int? {
        let nowTick = now.nanoseconds >> Self.tickShift
        while self.currentTick <= nowTick {
            let bucket = Int(self.currentTick & Int64(Self.bucketCount &- 1))
            while self.heads[bucket] >= 0 {
                let slot = Int(self.heads[bucket])
                self.unlink(slot)
                if self.deadlines[slot] <= now.nanoseconds {
                    self.deadlines[slot] = .max
                    return slot
                }
                self.place(slot)
                // `place` never chooses the current bucket, so the loop ends.
            }
            if self.currentTick == nowTick { return nil }
            self.currentTick = self.nextOccupied(from: self.currentTick &+ 1, limit: nowTick)
        }
        return nil
    }

    /// When the wheel must be looked at next; nil when it is empty.
    package func nextWake() -> Instant? {
        let limit = self.currentTick &+ Int64(Self.bucketCount)
        let tick = self.nextOccupied(from: self.currentTick &+ 1, limit: limit)
        guard tick < limit else { return nil }
        return Instant(nanoseconds: tick << Self.tickShift)
    }

    /// The first tick within `from...limit` whose bucket isn't empty, or `limit`.
    private func nextOccupied(from: Int64, limit: Int64) -> Int64 {
        var tick = from
        while tick < limit {
            let bucket = Int(tick & Int64(Self.bucketCount &- 1))
            let word = self.occupied[bucket >> 6] >> UInt64(bucket & 63)
            if word != 0 { return Swift.min(tick &+ Int64(word.trailingZeroBitCount), limit) }
            tick &+= Int64(64 - (bucket & 63))
        }
        return limit
    }
}
