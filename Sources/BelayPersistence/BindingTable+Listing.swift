import BelayBytes
package import BelayCore

/// Looking at all entries: for the control thread. Entries that come and go meanwhile may or may
/// not be among them; those that stay are, once each.
extension BindingTable {
    // Limit: a page of a listing for one server of many looks at so many places, about four
    // milliseconds.
    private static let placesLookedAt = 262_144

    /// A page of the bindings, at most `limit` of them and maybe fewer, and the cursor of the next
    /// page: nil after the last. A listing begins with the cursor 0.
    package func entries(
        after cursor: Int = 0,
        limit: Int,
        boundTo serverID: ServerID? = nil,
        now: UnixTime
    ) -> (entries: [TableEntry], next: Int?) {
        var entries: [TableEntry] = []
        let end = self.layout.placeCount
        var place = Swift.max(0, cursor)
        let stop = Swift.min(end, place.addingReportingOverflow(Self.placesLookedAt).partialValue)
        while place < stop, entries.count < limit {
            if let entry = self.entry(ofPlace: place, now: now),
                serverID == nil || entry.serverID == serverID
            {
                entries.append(entry)
            }
            place += 1
        }
        return (entries, place < end ? place : nil)
    }

    /// The bindings of a server that were not renewed for longest, the longest first; without those
    /// that are marked already, unless these are wanted too. Looks at the whole table: some 20
    /// milliseconds for 1,000,000 bindings.
    package func idlest(
        boundTo serverID: ServerID,
        limit: Int,
        includingMarked: Bool = false,
        now: UnixTime
    ) -> [TableEntry] {
        guard limit > 0 else { return [] }
        var idlest: [TableEntry] = []
        for place in 0..<self.layout.placeCount {
            let state = PlaceState(word: self.cells.loadRelaxed(self.layout.state(ofPlace: place)))
            guard state.kind != nil, includingMarked || !state.isMarked else { continue }
            if idlest.count == limit, let last = idlest.last,
                Int64(state.renewed) >= last.renewed.seconds
            {
                continue
            }
            guard let entry = self.entry(ofPlace: place, now: now), entry.serverID == serverID
            else { continue }
            var (low, high) = (0, idlest.count)
            while low < high {
                let middle = (low + high) / 2
                if idlest[middle].renewed <= entry.renewed {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            idlest.insert(entry, at: low)
            if idlest.count > limit { idlest.removeLast() }
        }
        return idlest
    }

    /// Looks at some places, going on where the last sweep stopped, and takes out what has expired,
    /// what was damaged, and what the dead have claimed. How many have expired.
    @discardableResult
    package func sweep(now: UnixTime, budget: Int) -> Int {
        let bucketCount = self.layout.bucketCount
        let buckets = Swift.min(bucketCount, Swift.max(0, budget) / TableLayout.places + 1)
        let end = self.cells.add(UInt64(buckets), TableHeader.sweep)
        let first = Int(truncatingIfNeeded: (end &- UInt64(buckets)) % UInt64(bucketCount))
        var expired = 0
        for offset in 0..<buckets {
            let bucket = self.word(ofBucket: (first + offset) % bucketCount)
            for place in bucket..<bucket + TableLayout.places {
                expired += self.sweep(place, now: now) ? 1 : 0
            }
        }
        return expired
    }

    /// Whether there was an entry that had expired.
    private func sweep(_ place: Int, now: UnixTime) -> Bool {
        let state = PlaceState(word: self.cells.load(place))
        guard state.kind != nil else {
            self.takeBack(place, state, now: now.tableSeconds)
            return false
        }
        guard let (found, _) = self.read(place) else {
            // Not whole: if it is still the same, nobody is about to make it so.
            self.remove(place, state)
            return false
        }
        guard self.expiry(of: found, now: now) != nil else { return false }
        return self.remove(place, found.state, TableHeader.expirations)
    }

    private func entry(ofPlace place: Int, now: UnixTime) -> TableEntry? {
        guard let (found, key) = self.read(self.layout.state(ofPlace: place)),
            self.expiry(of: found, now: now) == nil
        else { return nil }
        return found.entry(key)
    }

    /// The entry there, whatever its key is.
    func read(_ state: Int) -> (FoundEntry, BindingKey)? {
        guard PlaceState(word: self.cells.load(state)).kind != nil else { return nil }
        let word = self.entryWord(ofState: state)
        let key = BindingKey(
            high: self.cells.loadRelaxed(word),
            low: self.cells.loadRelaxed(word + 1)
        )
        guard let found = self.read(state, key) else { return nil }
        return (found, key)
    }
}
