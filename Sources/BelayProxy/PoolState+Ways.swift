import BelayBalancing
import BelayBytes
import BelayCore
import BelayHTTP
import BelayPersistence

// Each way to bind as it is found in a request, kept when its client is bound, and learned from an
// answer.

extension PoolState {
    // MARK: Presenting

    /// Reads what a request presents: the first way that finds a binding decides. Of ways that find
    /// something that is no good, the first is told of.
    mutating func present(
        _ request: RequestHead,
        _ fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int,
        _ origin: Origin,
        now: Instant,
        unixNow: UnixTime
    ) -> Presented {
        var presented = Presented()
        if !self.plan.exempt.isEmpty, self.isExempt(request, fields, in: bytes, from: start) {
            presented.verdict = .exempt
            return presented
        }
        for index in 0..<self.plan.ways.count {
            let opening: BindingOpening?
            switch self.plan.ways[index] {
            case .cookie:
                opening = self.openCookie(fields, in: bytes, from: start, unixNow)
            case .applicationCookie(let way):
                let value = Self.value(way, request, fields, in: bytes, from: start)
                opening = value.flatMap { self.open(way, bytes.extracting($0), unixNow) }
            case .header(let way):
                let line = fields.first(named: way.name, in: bytes, from: start)
                opening = line.flatMap {
                    self.look(way.hasher, bytes.extracting($0.value.moved(by: start)), unixNow)
                }
            case .query(let way):
                let query = request.query(in: bytes, from: start)
                let value = way.value(in: bytes.extracting(query))
                opening = value.flatMap {
                    self.look(
                        way.hasher,
                        bytes.extracting($0.moved(by: query.lowerBound)),
                        unixNow
                    )
                }
            case .jwtClaim(let way):
                opening = self.claim(way, index, fields, in: bytes, from: start, unixNow)
                    .flatMap { self.look(way.hasher, $0.span, unixNow) }
            case .sourceAddress, .tuple, .tlsSession:
                if self.presentOrigin(index, origin, &presented, now, unixNow) { return presented }
                continue
            }
            if self.take(opening, index, &presented, now, unixNow) { return presented }
        }
        return presented
    }

    /// The same for a connection of TCP.
    mutating func present(
        _ origin: Origin,
        now: Instant,
        unixNow: UnixTime
    ) -> Presented {
        var presented = Presented()
        for index in 0..<self.plan.ways.count
        where self.presentOrigin(index, origin, &presented, now, unixNow) {
            return presented
        }
        return presented
    }

    /// A way that looks at the connection. True when it decides.
    private func presentOrigin(
        _ index: Int,
        _ origin: Origin,
        _ presented: inout Presented,
        _ now: Instant,
        _ unixNow: UnixTime
    ) -> Bool {
        switch self.plan.ways[index] {
        case .sourceAddress(let way):
            if way.isHash {
                presented.affinity = way.hash(of: origin.client.ip)
                return true
            }
            let opening = self.look(way.key(of: origin.client.ip), unixNow)
            return self.take(opening, index, &presented, now, unixNow)
        case .tuple(let way):
            presented.affinity = way.hash(client: origin.client, local: origin.local)
            return true
        case .tlsSession(let way):
            guard let session = origin.tlsSession else { return false }
            let opening = self.look(way.hasher, session.bytes, unixNow)
            return self.take(opening, index, &presented, now, unixNow)
        case .cookie, .applicationCookie, .header, .query, .jwtClaim: return false
        }
    }

    /// Notes what a way found. True when it decides.
    private func take(
        _ opening: BindingOpening?,
        _ index: Int,
        _ presented: inout Presented,
        _ now: Instant,
        _ unixNow: UnixTime
    ) -> Bool {
        guard let opening else { return false }
        guard case .binding(let binding) = opening else {
            if presented.verdict == .none {
                presented.verdict = persistenceVerdict(for: opening, server: nil)
            }
            return false
        }
        presented.binding = binding
        presented.way = Int8(truncatingIfNeeded: index)
        presented.verdict = self.judge(opening, now: now, unixNow: unixNow)
        if binding.isToMove {
            presented.verdict = .moved
            let from = binding.cameFrom.flatMap { self.plan.lookup.index(of: $0) }
            presented.moveReason = from.flatMap { self.givingReason($0) } ?? .request
        } else if presented.verdict == .moved {
            let server = self.plan.lookup.index(of: binding.serverID)
            presented.moveReason = server.flatMap { self.givingReason($0) } ?? .drain
        }
        return true
    }

    private func isExempt(
        _ request: RequestHead,
        _ fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) -> Bool {
        let path = request.pathOnly(in: bytes, from: start)
        let line = fields.first(named: Self.userAgent, in: bytes, from: start)
        let agent = line.map { $0.value.moved(by: start) } ?? 0..<0
        let method: UInt16 = 1 << UInt16(request.method.rawValue)
        for rule in self.plan.exempt
        where rule.holds(
            path: bytes.extracting(path),
            agent: bytes.extracting(agent),
            method: method
        ) {
            return true
        }
        return false
    }

    private static let userAgent = InternedText("user-agent")

    // MARK: Values

    private mutating func openCookie(
        _ fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int,
        _ now: UnixTime
    ) -> BindingOpening? {
        guard let name = self.plan.cookieName else { return nil }
        let match = findCookie(named: name.bytes, fields, in: bytes, from: start)
        guard let value = match.value else { return nil }
        let opening = self.open(bytes.extracting(value.moved(by: start)), now: now)
        guard case .binding(var binding) = opening, let table = self.plan.bindingTable else {
            return opening
        }
        let server = self.plan.lookup.index(of: binding.serverID)
        if self.plan.sharesKeys, let server, self.plan.table.isBeingEmptied(server) {
            self.noteForeign(binding, at: server, now)
        }
        let isGiven = server.map { self.plan.table.givesAway($0) } ?? false
        guard isGiven || self.plan.marks.load(0, 0) > 0 else { return opening }
        // While its server gives clients away the register knows when this one was last seen, which
        // the cookie does not.
        let touches = isGiven && !self.isOnlyAsked
        let finding = table.look(BindingKey(binding.id), touching: touches, now: now)
        guard case .bound(let entry) = finding else { return opening }
        let isElsewhere = entry.serverID != binding.serverID
        // Somebody has moved this one client; or its server gave it away, and the cookie that says
        // so has not come here yet.
        guard entry.isMarked || isGiven && isElsewhere else {
            if isGiven { binding.seen = entry.renewed }
            return .binding(binding)
        }
        var moved = binding
        moved.cameFrom = binding.serverID
        moved.serverID = entry.serverID
        moved.isToMove = true
        return .binding(moved)
    }

    /// A cookie that another Belay may have sealed: who empties the server wants to know of it.
    private func noteForeign(_ binding: Binding, at server: Int, _ now: UnixTime) {
        guard !self.isOnlyAsked, let table = self.plan.bindingTable else { return }
        switch table.look(BindingKey(binding.id), touching: false, now: now) {
        case .bound: return
        case .absent, .expiredIdle, .expiredLifetime:
            self.register(binding, at: server, now: now)
        }
    }

    /// Where the application's session stands in `bytes`: in its cookie, else behind its name in
    /// the path.
    private static func value(
        _ way: ApplicationCookie,
        _ request: RequestHead,
        _ fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) -> Range<Int>? {
        let match = findCookie(named: way.name.bytes, fields, in: bytes, from: start)
        if let value = match.value { return value.moved(by: start) }
        let path = request.pathOnly(in: bytes, from: start)
        return way.value(inPath: bytes.extracting(path))?.moved(by: path.lowerBound)
    }

    /// What an application's cookie says: where its value is in the table, or which server it
    /// names.
    private func open(
        _ way: ApplicationCookie,
        _ value: borrowing Span<UInt8>,
        _ now: UnixTime
    ) -> BindingOpening? {
        if let hasher = way.hasher { return self.look(hasher, value, now) }
        guard let range = way.server(in: value) else { return nil }
        let word = ServerID(ofName: value.extracting(range))
        // A word that nobody has is a server that is gone: the value's hash finds the next one.
        let server = self.plan.routes?.index(of: word)
        return .binding(
            Binding(
                serverID: server.map { self.plan.servers[$0].id } ?? word,
                id: BindingID(rawValue: StableHash.of(value)),
                issued: now,
                renewed: now
            )
        )
    }

    /// What the table has under a value.
    private func look(
        _ hasher: KeyHasher,
        _ value: borrowing Span<UInt8>,
        _ now: UnixTime
    ) -> BindingOpening? {
        guard let table = self.plan.bindingTable, value.count > 0 else { return nil }
        let (key, finding) = table.look(value, by: hasher, touching: true, now: now)
        return Self.opening(key, finding)
    }

    private func look(_ key: BindingKey, _ now: UnixTime) -> BindingOpening? {
        guard let table = self.plan.bindingTable else { return nil }
        return Self.opening(key, table.look(key, touching: true, now: now))
    }

    private static func opening(_ key: BindingKey, _ finding: TableFinding) -> BindingOpening? {
        switch finding {
        case .absent: return nil
        case .expiredIdle: return .expiredIdle
        case .expiredLifetime: return .expiredLifetime
        case .bound(let entry):
            var binding = Binding(
                serverID: entry.serverID,
                id: BindingID(rawValue: StableHash.combine(key.high, key.low)),
                issued: entry.issued,
                renewed: entry.renewed
            )
            binding.isToMove = entry.isMarked
            return .binding(binding)
        }
    }

    private mutating func claim(
        _ way: JWTClaimBinding,
        _ index: Int,
        _ fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int,
        _ now: UnixTime
    ) -> [UInt8]? {
        guard let line = fields.first(named: way.header, in: bytes, from: start) else {
            return nil
        }
        let token = bearerToken(line.value.moved(by: start), in: bytes)
        return self.tokens.claim(way, index, of: bytes.extracting(token), now: now)
    }

    // MARK: Keeping

    /// Binds what a request presents to the server, in all ways that keep it in the table. Whether
    /// there was anything.
    mutating func keepPresented(
        _ request: RequestHead,
        _ fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int,
        _ origin: Origin,
        at server: Int,
        now: UnixTime
    ) -> Bool {
        var isKept = false
        for index in 0..<self.plan.ways.count {
            switch self.plan.ways[index] {
            case .cookie, .tuple: break
            case .applicationCookie(let way):
                guard let hasher = way.hasher else { continue }
                guard let value = Self.value(way, request, fields, in: bytes, from: start),
                    !value.isEmpty
                else { continue }
                let key = hasher.key(of: bytes.extracting(value))
                self.keep(key, .applicationCookie, at: server, now)
                isKept = true
            case .header(let way):
                guard let line = fields.first(named: way.name, in: bytes, from: start),
                    !line.value.isEmpty
                else { continue }
                let text = bytes.extracting(line.value.moved(by: start))
                self.keep(way.hasher.key(of: text), .header, at: server, now)
                isKept = true
            case .query(let way):
                let query = request.query(in: bytes, from: start)
                guard let value = way.value(in: bytes.extracting(query)) else { continue }
                let text = bytes.extracting(value.moved(by: query.lowerBound))
                self.keep(way.hasher.key(of: text), .query, at: server, now)
                isKept = true
            case .jwtClaim(let way):
                guard let value = self.claim(way, index, fields, in: bytes, from: start, now)
                else { continue }
                self.keep(way.hasher.key(of: value.span), .jwtClaim, at: server, now)
                isKept = true
            case .sourceAddress, .tlsSession:
                if self.keepOrigin(index, origin, at: server, now) { isKept = true }
            }
        }
        return isKept
    }

    /// The same for a connection of TCP.
    func keepPresented(_ origin: Origin, at server: Int, now: UnixTime) -> Bool {
        var isKept = false
        for index in 0..<self.plan.ways.count
        where self.keepOrigin(index, origin, at: server, now) {
            isKept = true
        }
        return isKept
    }

    private func keepOrigin(
        _ index: Int,
        _ origin: Origin,
        at server: Int,
        _ now: UnixTime
    ) -> Bool {
        switch self.plan.ways[index] {
        case .sourceAddress(let way):
            guard !way.isHash else { return false }
            self.keep(way.key(of: origin.client.ip), .sourceAddress, at: server, now)
            return true
        case .tlsSession(let way):
            guard origin.keepsTLSSession, let session = origin.tlsSession else { return false }
            self.keep(way.hasher.key(of: session.bytes), .tlsSession, at: server, now)
            return true
        case .cookie, .applicationCookie, .header, .query, .tuple, .jwtClaim: return false
        }
    }

    /// Binds a key to the server.
    func keep(_ key: BindingKey, _ kind: BindingKind, at server: Int, _ now: UnixTime) {
        guard let table = self.plan.bindingTable else { return }
        let outcome = table.bind(
            key,
            kind,
            to: self.plan.servers[server].id,
            issued: now,
            now: now
        )
        if self.plan.marks.load(0, 0) > 0 { _ = table.mark(key, false) }
        if case .moved(let before) = outcome, let left = self.plan.lookup.index(of: before) {
            self.noteBound(left)
        }
        self.noteBound(server)
    }

    // MARK: Learning

    /// Whether answers say anything that is learned.
    var learns: Bool { self.plan.facts.learns }

    /// What an answer's head has taught.
    struct Lesson {
        /// The application has taken its cookie away.
        var endsSession = false
        /// There is more to learn from the first bytes of the body, which are still to come.
        var awaitsBody = false
    }

    /// Learns from an answer's head what its server hands out. `body` is what lies behind the head
    /// already.
    func learn(
        _ fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int,
        body: Range<Int>,
        at server: Int,
        now: UnixTime
    ) -> Lesson {
        var lesson = Lesson()
        for index in 0..<self.plan.ways.count {
            switch self.plan.ways[index] {
            case .applicationCookie(let way):
                guard let hasher = way.hasher else { continue }
                if self.learn(way.name, hasher, fields, in: bytes, from: start, at: server, now) {
                    lesson.endsSession = true
                }
            case .header(let way):
                guard let name = way.learnsFrom,
                    let line = fields.first(named: name, in: bytes, from: start),
                    !line.value.isEmpty
                else { continue }
                let text = bytes.extracting(line.value.moved(by: start))
                self.keep(way.hasher.key(of: text), .header, at: server, now)
            case .query(let way):
                switch way.learning {
                case .off: break
                case .header(let name):
                    guard let line = fields.first(named: name, in: bytes, from: start),
                        !line.value.isEmpty
                    else { continue }
                    let text = bytes.extracting(line.value.moved(by: start))
                    self.keep(way.hasher.key(of: text), .query, at: server, now)
                case .body:
                    if !self.learn(way, bytes.extracting(body), at: server, now) {
                        lesson.awaitsBody = true
                    }
                }
            case .cookie, .sourceAddress, .tuple, .tlsSession, .jwtClaim: break
            }
        }
        return lesson
    }

    /// Learns from the first bytes of an answer's body.
    func learnBody(_ body: borrowing Span<UInt8>, at server: Int, now: UnixTime) {
        for way in self.plan.ways {
            guard case .query(let way) = way, case .body = way.learning else { continue }
            _ = self.learn(way, body, at: server, now)
        }
    }

    private func learn(
        _ way: QueryBinding,
        _ body: borrowing Span<UInt8>,
        at server: Int,
        _ now: UnixTime
    ) -> Bool {
        guard let value = way.valueInBody(body) else { return false }
        self.keep(way.hasher.key(of: body.extracting(value)), .query, at: server, now)
        return true
    }

    /// Learns the TLS session that a server has named, where its bytes pass through.
    func learnTLSSession(_ session: borrowing Span<UInt8>, at server: Int, now: UnixTime) {
        for way in self.plan.ways {
            guard case .tlsSession(let way) = way else { continue }
            self.keep(way.hasher.key(of: session), .tlsSession, at: server, now)
        }
    }

    /// Forgets the application's session that a request presented.
    func forgetPresented(
        _ request: RequestHead,
        _ fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) {
        guard let table = self.plan.bindingTable else { return }
        for way in self.plan.ways {
            guard case .applicationCookie(let way) = way, let hasher = way.hasher,
                let value = Self.value(way, request, fields, in: bytes, from: start)
            else { continue }
            for ringKey in 0..<hasher.keyCount {
                let key = hasher.key(of: bytes.extracting(value), ringKey: ringKey)
                _ = table.forget(key)
            }
        }
        for server in 0..<self.plan.servers.count { self.noteBound(server) }
    }

    /// Learns the sessions that an answer sets. Whether it takes one away.
    private func learn(
        _ name: InternedText,
        _ hasher: KeyHasher,
        _ fields: borrowing FieldList,
        in bytes: borrowing Span<UInt8>,
        from start: Int,
        at server: Int,
        _ now: UnixTime
    ) -> Bool {
        var isRemoved = false
        for index in 0..<fields.count where fields[index].id == .setCookie {
            let line = bytes.extracting(fields[index].value.moved(by: start))
            guard let cookie = SetCookieText(line), cookie.isNamed(name.bytes, in: line) else {
                continue
            }
            if cookie.isRemoved(in: line) {
                isRemoved = true
            } else {
                let key = hasher.key(of: line.extracting(cookie.value))
                self.keep(key, .applicationCookie, at: server, now)
            }
        }
        return isRemoved
    }
}
