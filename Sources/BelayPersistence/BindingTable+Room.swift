import BelayBytes
import BelayCore

/// Making room: the bound on the whole, and free places.
///
/// The bound is a count that every entry is counted in before it is written. When it is reached,
/// the longest unseen of some 36 entries gives way: not the very oldest, but on average older than
/// 97 % of all (measured: `BindingTableFillTests`), for the price of eight cache lines.
extension BindingTable {
    // Limit: the two buckets of the new key and six others.
    private static let bucketsLookedAt = 8

    /// Counts one entry more. False if nothing can give way for it.
    func reserve(_ placing: KeyPlacing, now: UnixTime, evicted: inout Bool) -> Bool {
        let entriesMax = UInt64(self.layout.entriesMax)
        // Limit: as in `bind`, a failure is another thread's success.
        for _ in 0..<10_000 {
            let count = self.cells.load(TableHeader.entries)
            if count < entriesMax {
                if self.cells.exchange(count, for: count + 1, TableHeader.entries) { return true }
                continue
            }
            guard let oldest = self.oldest(placing) else { return false }
            self.giveWay(oldest.place, oldest.state, now: now, evicted: &evicted)
        }
        return false
    }

    /// Whether the place is free now. An entry that had expired anyway was not evicted.
    @discardableResult
    private func giveWay(
        _ place: Int,
        _ state: PlaceState,
        now: UnixTime,
        evicted: inout Bool
    ) -> Bool {
        if self.isIdle(state, now: now) {
            return self.remove(place, state, TableHeader.expirations)
        }
        guard self.remove(place, state, TableHeader.evictions) else { return false }
        evicted = true
        return true
    }

    /// The entry that was not seen for longest, of those in some buckets.
    private func oldest(_ placing: KeyPlacing) -> (place: Int, state: PlaceState)? {
        var oldest = self.oldest(inBucketAt: placing.first, nil)
        oldest = self.oldest(inBucketAt: placing.second, oldest)
        var hash = placing.hash
        for _ in 2..<Self.bucketsLookedAt {
            hash = StableHash.mix(hash &+ 0x9E37_79B9_7F4A_7C15)
            let bucket = KeyPlacing.bucket(hash, of: self.layout.bucketCount)
            oldest = self.oldest(inBucketAt: self.word(ofBucket: bucket), oldest)
        }
        if let oldest { return oldest }
        // A small table may have its entries in other buckets.
        for bucket in 0..<self.layout.bucketCount {
            if let any = self.oldest(inBucketAt: self.word(ofBucket: bucket), nil) { return any }
        }
        return nil
    }

    func word(ofBucket bucket: Int) -> Int {
        self.layout.bucketStart &+ bucket &* TableLayout.bucketWords
    }

    @inline(__always)
    private func oldest(
        inBucketAt bucket: Int,
        _ other: (place: Int, state: PlaceState)?
    ) -> (place: Int, state: PlaceState)? {
        var oldest = other
        for place in bucket..<bucket &+ TableLayout.places {
            let state = PlaceState(word: self.cells.loadRelaxed(place))
            guard state.kind != nil else { continue }
            if let oldest, oldest.state.renewed <= state.renewed { continue }
            oldest = (place, state)
        }
        return oldest
    }

    /// A free place in the first or the emptier of the key's buckets. Claims of the dead are taken
    /// back first. If both are full, the oldest entry of the sixteen gives way. Nil if another
    /// thread was faster.
    func freePlace(_ placing: KeyPlacing, now: UInt32, _ evicted: inout Bool) -> Int? {
        let first = self.free(inBucketAt: placing.first, now: now)
        let second = self.free(inBucketAt: placing.second, now: now)
        // Limit: looks are faster for entries in the first bucket; so long as it has four free
        // places, buckets fill nearly as evenly as if the emptier one were always taken.
        let isFirst = first.count >= 4 || first.count >= second.count
        if let place = isFirst ? first.place : second.place { return place }
        let oldest = self.oldest(
            inBucketAt: placing.second,
            self.oldest(inBucketAt: placing.first, nil)
        )
        let time = UnixTime(seconds: Int64(now))
        guard let oldest, self.giveWay(oldest.place, oldest.state, now: time, evicted: &evicted)
        else { return nil }
        return oldest.place
    }

    private func free(inBucketAt bucket: Int, now: UInt32) -> (place: Int?, count: Int) {
        var found: Int?
        var count = 0
        for place in bucket..<bucket &+ TableLayout.places {
            let state = PlaceState(word: self.cells.load(place))
            guard state == .free || self.takeBack(place, state, now: now) else { continue }
            count += 1
            if found == nil { found = place }
        }
        return (found, count)
    }

    /// Takes back the claim of one who was killed before the entry was written, with its counts.
    @discardableResult
    func takeBack(_ place: Int, _ state: PlaceState, now: UInt32) -> Bool {
        state.isStaleClaim(now: now) && self.remove(place, state)
    }
}
