import BelayBalancing
import BelayBytes
package import BelayCore
import BelayHTTP
import BelayPersistence
import BelayTransport

/// A request that somebody wants explained: the bytes of its head, and whose it would be.
package struct Question: Sendable {
    /// A whole request head.
    package var head: [UInt8]
    package var client: IPAddress

    package init(head: [UInt8], client: IPAddress) {
        self.head = head
        self.client = client
    }
}

/// Where a request would go, and why.
package struct Explanation: Sendable {
    package struct Candidate: Sendable {
        package var server: Int
        package var passOver: PassOver
        package var openRequests: Int
    }

    /// The route's number, and indices into the plan; nil where the decision did not come so far.
    package var route: Int?
    package var pool: Int?
    package var server: Int?
    package var persistence: PersistenceVerdict = .off
    package var rule: PickRule = .none
    /// In words.
    package var reason = ""
    package var candidates: [Candidate] = []
}

extension Worker {
    /// The decision that this worker would make now. It asks the same functions as a request does,
    /// and takes no turn of the balancer's.
    mutating func explain(_ question: Question) -> Explanation {
        var answer = Explanation()
        self.fieldsOf = -1
        let head: RequestHead
        do throws(MessageError) {
            head = try RequestHead.parse(
                question.head.span,
                from: 0,
                length: question.head.count,
                into: &self.fields
            )
        } catch {
            answer.reason = "the request is refused: \(error.sentence)"
            return answer
        }
        guard
            let route = self.routeIndex.first(
                self.routes,
                method: head.method,
                authority: head.authority,
                path: head.path,
                in: question.head.span
            )
        else {
            answer.reason = "no route takes this host and path"
            return answer
        }
        let pool = self.routes[route].pool
        answer.route = self.routes[route].number
        answer.pool = pool
        self.explainServer(&answer, question, head, pool)
        self.fields.removeAll()
        let table = self.pools[pool].plan.table
        for server in 0..<self.pools[pool].plan.servers.count {
            answer.candidates.append(
                Explanation.Candidate(
                    server: server,
                    passOver: table.passOver(
                        server,
                        at: self.engine.now,
                        tried: TriedServers()
                    ),
                    openRequests: table.openRequests(server)
                )
            )
        }
        return answer
    }

    private mutating func explainServer(
        _ answer: inout Explanation,
        _ question: Question,
        _ head: RequestHead,
        _ pool: Int
    ) {
        let now = self.engine.now
        self.pools[pool].isOnlyAsked = true
        defer { self.pools[pool].isOnlyAsked = false }
        let presented = self.pools[pool].present(
            head,
            self.fields,
            in: question.head.span,
            from: 0,
            Origin(client: SocketAddress(ip: question.client, port: 0), local: nil),
            now: now,
            unixNow: self.unixNow
        )
        if self.pools[pool].hasPersistence { answer.persistence = presented.verdict }
        if let bound = presented.binding, answer.persistence.step == .keep {
            answer.server = self.pools[pool].plan.lookup.index(of: bound.serverID)
            answer.rule = .binding
            answer.reason = "the client's binding names this server"
            return
        }
        if let bound = presented.binding {
            self.explainMove(&answer, bound, pool)
            return
        }
        if let affinity = presented.affinity {
            self.explainAffinity(&answer, affinity, pool)
            return
        }
        let target = question.head.span
        let key = PickKey(
            sourceHash: PickKey.hash(of: question.client),
            urlHash: Self.urlHash(head, in: target, from: 0)
        )
        var random = self.random
        let emptiest =
            self.levels(answer.persistence, pool)
            ? self.pools[pool].level(
                now: now,
                tried: TriedServers(),
                ignoresStart: false,
                random: &random
            ) : nil
        if let emptiest {
            answer.server = emptiest
            answer.rule = .level
            answer.reason = "it has the fewest bound clients for its weight"
            return
        }
        answer.server = self.pools[pool].peek(key, now: now, random: &random)
        answer.rule = answer.server == nil ? .none : self.pools[pool].plan.algorithm.rule
        answer.reason =
            answer.server == nil
            ? "no server may take a new client" : "the balancer's choice of this moment"
    }

    /// A bound client whose server can't take the request, or that has been moved.
    private func explainMove(_ answer: inout Explanation, _ bound: Binding, _ pool: Int) {
        if self.rejects(answer.persistence, pool) {
            answer.reason =
                "the bound server can't take the request, and this pool refuses its clients"
            return
        }
        let table = self.pools[pool].plan.table
        let now = self.engine.now
        if bound.isToMove, let server = self.pools[pool].plan.lookup.index(of: bound.serverID),
            table.passOverBound(server, at: now, tried: TriedServers()) == .no
        {
            answer.server = server
            answer.rule = .redispatch
            answer.reason = "the client has been moved to this server"
            return
        }
        answer.server = self.pools[pool].next(for: bound, now: now, tried: TriedServers())
        answer.rule = answer.server == nil ? .none : .redispatch
        answer.reason =
            answer.server == nil
            ? "the bound server can't take the request, and no other can"
            : "the bound server can't take the request; this is the next by rendezvous"
    }

    /// A client whose server is computed. Of a question only the client's address is known.
    private func explainAffinity(_ answer: inout Explanation, _ affinity: UInt64, _ pool: Int) {
        answer.rule = .affinity
        for way in self.pools[pool].plan.ways {
            guard case .tuple = way else { continue }
            answer.reason =
                "a hash of the connection's own addresses and ports, which a question has not"
            return
        }
        let now = self.engine.now
        answer.server = self.pools[pool].pick(
            affinity: affinity,
            now: now,
            tried: TriedServers()
        )
        answer.rule = answer.server == nil ? .none : .affinity
        answer.reason =
            answer.server == nil
            ? "no server may take a new client" : "the hash of the client's address names it"
    }
}
