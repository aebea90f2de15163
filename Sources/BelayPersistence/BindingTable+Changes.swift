import BelayBytes
package import BelayCore

/// Binding, moving and forgetting.
///
/// A new entry is made in three steps: a free place is claimed, which is one exchange; the places
/// where the same key might be are looked at for an entry or another claim; then key and times are
/// written, and one exchange more turns the claim into the entry. Two that bind one key at once
/// have both claimed before either looks, so at least one of them sees the other, and the one whose
/// claim is further back gives way. Who loses the processor in between is not waited for: it looks
/// once more when its entry is there, and takes it out if somebody else's is too.
extension BindingTable {
    /// Binds a client to a server. One that is bound already is renewed, or moved, or, with
    /// `ifAbsent`, left where it is: of several that arrive side by side the first decides, and the
    /// others learn where. A mark stays until the client is moved.
    package func bind(
        _ key: BindingKey,
        _ kind: BindingKind,
        to serverID: ServerID,
        issued: UnixTime,
        now: UnixTime,
        ifAbsent: Bool = false
    ) -> BindOutcome {
        let placing = self.placing(of: key)
        var race = Race(evicted: false, patience: 16)
        // Limit: every round that fails was won by another thread. So many in a row are no race any
        // more, and the client stays unbound until its next request.
        for _ in 0..<64 {
            if let found = self.locate(key, placing) {
                if self.expiry(of: found, now: now) != nil {
                    self.remove(found.place, found.state, TableHeader.expirations)
                } else if found.serverID == serverID {
                    self.renew(found, now: now)
                    return .renewed
                } else if ifAbsent {
                    return .kept(at: found.serverID)
                } else {
                    guard let server = self.enter(serverID) else { return .refused }
                    if self.rebind(found, to: server, renewed: now.tableSeconds) {
                        return .moved(from: found.serverID)
                    }
                }
                continue
            }
            guard let server = self.enter(serverID) else { return .refused }
            guard self.reserve(placing, now: now, evicted: &race.evicted) else {
                self.leave(server)
                return .refused
            }
            let times = (issued: issued.tableSeconds, renewed: now.tableSeconds)
            if self.insert(key, kind, placing, server: server, times, &race) {
                return .created(evicted: race.evicted)
            }
        }
        return .refused
    }

    /// Moves a client to another server; its times stay. Whether it is bound at all.
    @discardableResult
    package func move(_ key: BindingKey, to serverID: ServerID, now: UnixTime) -> Bool {
        let placing = self.placing(of: key)
        while let found = self.locate(key, placing), self.expiry(of: found, now: now) == nil {
            if found.serverID == serverID {
                if self.set(found.state.marked(false), from: found) { return true }
            } else {
                guard let server = self.enter(serverID) else { return false }
                if self.rebind(found, to: server, renewed: found.state.renewed) { return true }
            }
        }
        return false
    }

    /// Asks that the client be moved when its next request arrives, or takes that back. Whether
    /// it is bound at all.
    @discardableResult
    package func mark(_ key: BindingKey, _ isMarked: Bool = true) -> Bool {
        let placing = self.placing(of: key)
        while let found = self.locate(key, placing) {
            if self.set(found.state.marked(isMarked), from: found) { return true }
        }
        return false
    }

    /// Takes a binding out. Whether there was one.
    @discardableResult
    package func forget(_ key: BindingKey) -> Bool {
        let placing = self.placing(of: key)
        while let found = self.locate(key, placing) {
            if self.remove(found.place, found.state) { return true }
        }
        return false
    }

    /// False if somebody changed the entry meanwhile.
    private func set(_ state: PlaceState, from found: FoundEntry) -> Bool {
        state == found.state
            || self.cells.exchange(found.state.word, for: state.word, found.place)
    }

    /// Binds the entry to the server of that row, which counts it already. False, with the count
    /// taken back, if somebody changed the entry meanwhile.
    private func rebind(_ found: FoundEntry, to server: Int, renewed: UInt32) -> Bool {
        let moved = found.state.moved(to: server).renewed(renewed)
        guard self.cells.exchange(found.state.word, for: moved.word, found.place) else {
            self.leave(server)
            return false
        }
        self.leave(found.state.server)
        return true
    }

    /// Empties a place that is in that state; whether it still was. `counter` counts it.
    @discardableResult
    func remove(_ place: Int, _ state: PlaceState, _ counter: Int? = nil) -> Bool {
        guard self.cells.exchange(state.word, for: PlaceState.free.word, place) else {
            return false
        }
        self.leave(state.server)
        self.cells.add(.max, TableHeader.entries)
        if let counter { self.cells.add(1, counter) }
        return true
    }

    /// Makes the entry, for which the server and the table have counted already. False, with the
    /// counts taken back, if another thread was faster.
    private func insert(
        _ key: BindingKey,
        _ kind: BindingKind,
        _ placing: KeyPlacing,
        server: Int,
        _ times: (issued: UInt32, renewed: UInt32),
        _ race: inout Race
    ) -> Bool {
        let claim = PlaceState.claim(server: server, at: times.renewed, tag: placing.tag)
        guard let place = self.freePlace(placing, now: times.renewed, &race.evicted),
            self.cells.exchange(PlaceState.free.word, for: claim.word, place)
        else {
            self.leave(server)
            self.cells.add(.max, TableHeader.entries)
            return false
        }
        guard self.isOnlyClaim(place, key, placing, now: times.renewed, &race.patience) else {
            self.remove(place, claim)
            SystemThread.yield()
            return false
        }
        MappedCells.fence()
        let word = self.entryWord(ofState: place)
        self.cells.storeRelaxed(key.high, word)
        self.cells.storeRelaxed(key.low, word &+ 1)
        let check = key.check(kind, issued: times.issued, tag: placing.tag)
        self.cells.storeRelaxed(UInt64(times.issued) << 32 | UInt64(check), word &+ 2)
        let state = PlaceState(kind, server: server, renewed: times.renewed, tag: placing.tag)
        // If the claim is gone, this thread was stopped for so long that it was thought dead, and
        // whoever took the claim took its counts back too.
        guard self.cells.exchange(claim.word, for: state.word, place) else { return false }
        for index in 0..<2 * TableLayout.places {
            let other = Self.state(index, placing)
            let found = PlaceState(word: self.cells.loadInOrder(other))
            guard found.tag == placing.tag, other != place, self.read(other, key) != nil else {
                continue
            }
            self.remove(place, state)
            return false
        }
        return true
    }

    /// Whether nobody else has bound the key or is about to. Waits some moments for one who claimed
    /// a place further back: they may have looked before this claim was there.
    private func isOnlyClaim(
        _ place: Int,
        _ key: BindingKey,
        _ placing: KeyPlacing,
        now: UInt32,
        _ patience: inout Int
    ) -> Bool {
        // Limit: who is waited for for so long was killed or lost its processor.
        for round in 0..<64 {
            var isAlone = true
            for index in 0..<2 * TableLayout.places {
                let other = Self.state(index, placing)
                let state = PlaceState(word: self.cells.loadInOrder(other))
                guard state.tag == placing.tag, other != place else { continue }
                if !state.isClaim {
                    if self.read(other, key) != nil { return false }
                } else if !state.isStaleClaim(now: now) {
                    if other > place {
                        isAlone = false
                    } else if patience > 0 {
                        patience -= 1
                        return false
                    }
                }
            }
            if isAlone { return true }
            if round >= 32 { SystemThread.yield() }
        }
        return true
    }

    /// What one call of `bind` has been through.
    private struct Race {
        /// Another entry gave way to the new one.
        var evicted: Bool
        /// How often it still gives way to another thread's claim.
        var patience: Int
    }

    /// The words of the 16 states where a key may be.
    @inline(__always)
    static func state(_ index: Int, _ placing: KeyPlacing) -> Int {
        index < TableLayout.places
            ? placing.first &+ index : placing.second &+ index &- TableLayout.places
    }
}
