import Foundation
import Testing

extension Scenarios {
    /// Every way to bind in every state of the client's server: the table of
    /// Documentation/persistence.md, pair by pair.
    @Suite(.serialized) struct PersistenceTests {
        @Test(arguments: ServerState.allCases)
        func `a bound client meets what the documentation says, whichever way it is bound`(
            state: ServerState
        ) throws {
            try Scenario.run { scenario in
                let site = try PersistenceSite(scenario, state.ways, state.prepare)
                let clients = try state.ways.map { try site.bind($0) }
                let course = StateCourse(state, site)
                try course.bring(about: clients)
                for client in clients { try course.check(client) }
                for way in state.ways { try course.checkNewcomers(way) }
                try course.finish()
                try course.checkLog()
            }
        }

        @Test func `the documentation has a row for every state, and a state for every row`() throws
        {
            let rows = try DocumentedTable.read(after: "## What happens to bound clients")
            #expect(Set(rows.keys) == Set(ServerState.allCases.map(\.row.name)))
            for state in ServerState.allCases {
                let row = try #require(rows[state.row.name], "\(state)")
                let client = row[2]
                #expect(row[3].contains("`\(state.row.verdict)`"), "\(state): \(row[3])")
                let isRight: Bool =
                    switch state.row.client {
                    case .stays: client.hasPrefix("stays")
                    case .moves, .isPassedOn: client.contains("move")
                    case .staysAway: client.contains("stays where it went")
                    case .comesHome: client.contains("goes back")
                    // What `on-failure` says stands below the table.
                    case .isRefused: true
                    case .isHashedAnew, .mayBeHashedAnew, .isBack: false
                    }
                #expect(isRight, "\(state): \(client)")
                let words: [String] =
                    switch state.row.newcomers {
                    case .all: ["yes", "under slow start"]
                    case .few: ["a growing share"]
                    case .none: ["no", "counted as failures"]
                    }
                #expect(words.contains(row[4]), "\(state): \(row[4])")
            }
        }
    }
}

/// One state of server a, brought about in every pool, and what clients meet then.
final class StateCourse {
    private let state: ServerState
    private let site: PersistenceSite
    /// Clients that wait for an answer of server a.
    private var waiting: [(client: WayClient, question: WayClient.Pending)] = []
    /// What the log must say in the end.
    private var expected: [ExpectedLine] = []
    /// Where clients went before their server came back.
    private var away: [Way: String] = [:]

    init(_ state: ServerState, _ site: PersistenceSite) {
        self.state = state
        self.site = site
    }

    // MARK: The state

    func bring(about clients: [WayClient]) throws {
        switch self.state {
        case .up: break
        case .starting:
            try self.site.commandFirsts("PUT", body: "{\"state\":\"maintenance\"}")
            try self.site.commandFirsts("PUT", body: "{\"state\":\"ready\"}")
        case .weightZero: try self.site.reload { $0.extra.append("weight: 0") }
        case .draining: try self.site.reload { $0.extra.append("state: draining") }
        case .drained: try self.site.commandFirsts("POST", "/drain")
        case .drainedAtRate: try self.site.commandFirsts("POST", "/drain?rate=1000/s")
        case .drainedToItsEnd:
            try self.site.commandFirsts("POST", "/drain?deadline=1s")
            try self.site.waitForFirsts("maintenance") { $0.state == "maintenance" }
        case .leaving, .removed, .removedRejected: try self.site.reload { $0.hasFirst = false }
        case .full, .fullRejected: try self.fill()
        case .stalled: try self.freeze(clients)
        case .refusing: self.site.stopFirsts()
        case .ejected, .ejectedRejected: try self.eject()
        case .down, .downRejected:
            self.site.stopFirsts()
            try self.site.waitForFirsts("down") { $0.health == "down" }
        case .maintenance, .maintenanceRejected:
            try self.site.commandFirsts("PUT", body: "{\"state\":\"maintenance\"}")
        case .addressChanged:
            self.site.stopFirsts()
            try self.site.moveFirsts()
            try self.site.reload { _ in }
        case .generationChanged: try self.site.reload { $0.extra.append("generation: 1") }
        case .backAgain, .backAgainAtHome: try self.takeDownAndBack(clients)
        }
    }

    /// Another client of each pool takes the only place at server a.
    private func fill() throws {
        for way in self.site.ways {
            let other = try self.site.bind(way)
            try self.site.waitForFirsts("idle", in: [way]) { $0.openRequests == 0 }
            self.waiting.append((other, try other.begin("/hold")))
        }
        try self.site.waitForFirsts("full") { $0.openRequests == 1 }
    }

    /// Server a answers nobody any more, and the clients wait for it.
    private func freeze(_ clients: [WayClient]) throws {
        self.site.gate.isFrozen.change { $0 = true }
        for client in clients {
            // What another server may answer does not wait where nobody is bound.
            let method = client.way.isHash ? "POST" : "GET"
            self.waiting.append((client, try client.begin(method: method)))
        }
        try self.site.waitForFirsts("stalled") { $0.health == "stalled" }
    }

    /// The failures of another client eject server a.
    private func eject() throws {
        let others = try self.site.ways.map { try self.site.bind($0) }
        self.site.stopFirsts()
        for other in others { _ = try other.ask() }
        try self.site.waitForFirsts("ejected") { $0.health == "ejected" }
    }

    private func takeDownAndBack(_ clients: [WayClient]) throws {
        self.site.stopFirsts()
        try self.site.waitForFirsts("down") { $0.health == "down" }
        for client in clients { try self.sendAway(client) }
        try self.site.restartFirsts()
        try self.site.waitForFirsts("up") { $0.health == "up" }
    }

    /// A client whose server is down comes to another, which is told so once.
    private func sendAway(_ client: WayClient) throws {
        let pair: Comment = "\(client.way), before \(self.state)"
        let (first, next) = (try client.ask(), try client.ask())
        #expect(first.server != nil && first.server != "a", pair)
        #expect(next.server == first.server, pair)
        self.away[client.way] = first.server
        if client.way.isHash {
            for answer in [first, next] { self.expect(answer, "none", nil, pair) }
            return
        }
        self.expect(first, "server-down", "down", pair)
        if self.state == .backAgainAtHome {
            // The binding goes on naming its home.
            self.expect(next, "server-down", nil, pair)
        } else if client.way.isNamedByApplication {
            self.expect(next, "server-down", "down", pair)
        } else {
            self.expect(next, "valid", nil, pair)
        }
    }

    /// Who waits for server a gets its answer.
    func finish() throws {
        self.site.gate.isFrozen.change { $0 = false }
        self.site.gate.isOpen.change { $0 = true }
        for (client, question) in self.waiting {
            let answer = try client.finish(question)
            #expect(answer.server == "a", "\(client.way), \(self.state)")
            let verdict = client.way.isHash ? "none" : "valid"
            self.expect(answer, verdict, nil, "\(client.way), \(self.state)")
        }
    }

    // MARK: The clients

    func check(_ client: WayClient) throws {
        let (expected, verdict) = self.state.expectation(client.way)
        let pair: Comment = "\(client.way), \(self.state)"
        let explained = try self.site.explain(client)
        // Who waits has asked already.
        if self.state == .stalled, expected == .stays {
            #expect(explained?.server ?? "a" == "a", pair)
            return
        }
        let first = try self.firstAnswer(client)
        if let explained { self.compare(explained, first, verdict, client.way, pair) }
        switch expected {
        case .stays, .isBack:
            #expect(self.away[client.way] != "a" || expected == .stays, pair)
            for answer in [first, try client.ask()] {
                #expect(answer.server == "a", pair)
                self.expect(answer, verdict, nil, pair)
            }
        case .staysAway:
            for answer in [first, try client.ask()] {
                #expect(answer.server != "a" && answer.server == self.away[client.way], pair)
                self.expect(answer, verdict, nil, pair)
            }
        case .comesHome:
            let from = try #require(self.away[client.way], pair)
            self.expect(first, verdict, "home", from: from, pair)
            let next = try client.ask()
            self.expect(next, verdict, nil, pair)
            #expect(first.server == "a" && next.server == "a" && from != "a", pair)
        case .moves(let reason): try self.checkMove(client, first, reason, verdict, pair)
        case .isPassedOn(let reason): try self.checkPassing(client, first, reason, verdict, pair)
        case .isRefused:
            for answer in [first, try client.ask()] {
                #expect(answer.server == nil && answer.status == (client.way.isTCP ? 0 : 503), pair)
                self.expect(answer, verdict, nil, pair)
            }
        case .isHashedAnew:
            let next = try client.ask()
            #expect(first.server != nil && first.server != "a", pair)
            #expect(next.server == first.server, pair)
            for answer in [first, next] { self.expect(answer, verdict, nil, pair) }
        case .mayBeHashedAnew:
            #expect(first.server != nil, pair)
            self.expect(first, verdict, nil, pair)
        }
    }

    /// The first answer after the state came about; where clients move one by one, the first after
    /// this one's turn has come.
    private func firstAnswer(_ client: WayClient, _ more: [String] = []) throws -> WayAnswer {
        guard self.state == .drainedAtRate else { return try client.ask("/", more) }
        return try look(for: "the turn of \(client.way)") {
            let answer = try client.ask("/", more)
            if answer.server != "a" { return answer }
            self.expect(answer, "server-draining", nil, "\(client.way), \(self.state)")
            return nil
        }
    }

    /// What was explained is what then happened, where that could be known.
    private func compare(
        _ explained: Explained,
        _ first: WayAnswer,
        _ verdict: String,
        _ way: Way,
        _ pair: Comment
    ) {
        // Nobody's turn comes by asking for an explanation.
        if self.state != .drainedAtRate { #expect(explained.persistence == verdict, pair) }
        switch self.state {
        // Only who tries learns it, or whose turn it is.
        case .refusing, .drainedAtRate, .stalled: break
        case .up, .starting, .weightZero, .draining, .drained, .drainedToItsEnd, .leaving, .full,
            .fullRejected, .ejected, .ejectedRejected, .down, .downRejected, .maintenance,
            .maintenanceRejected, .removed, .removedRejected, .addressChanged,
            .generationChanged, .backAgain, .backAgainAtHome:
            // The hash is of addresses and ports that a question has not.
            let server = way == .tuple ? nil : first.server
            #expect(explained.server == server, pair)
        }
    }

    private func checkMove(
        _ client: WayClient,
        _ first: WayAnswer,
        _ reason: MoveWord,
        _ verdict: String,
        _ pair: Comment
    ) throws {
        if self.state.row.newcomers == .none { #expect(first.server != "a", pair) }
        #expect(first.server != nil, pair)
        let rule = self.state == .refusing ? "retry" : "redispatch"
        // Of another generation nobody knows who it was.
        let from: String? = self.state == .generationChanged ? nil : "a"
        self.expect(first, verdict, reason.rawValue, from: from, rule: rule, pair)
        for _ in 0..<3 {
            let next = try client.ask()
            #expect(next.server == first.server, pair)
            self.expect(next, "valid", nil, pair)
        }
    }

    private func checkPassing(
        _ client: WayClient,
        _ first: WayAnswer,
        _ reason: MoveWord,
        _ verdict: String,
        _ pair: Comment
    ) throws {
        // At a rate each request has a turn of its own.
        for answer in [first] + (try (0..<2).map { _ in try self.firstAnswer(client) }) {
            #expect(answer.server != nil && answer.server != "a", pair)
            #expect(answer.server == first.server, pair)
            self.expect(answer, verdict, reason.rawValue, pair)
        }
        // The application's next cookie names the new server.
        let renewed = try self.firstAnswer(client, ["X-Renew: yes"])
        if self.state != .drainedAtRate { #expect(renewed.server == first.server, pair) }
        let next = try client.ask()
        #expect(next.server == renewed.server, pair)
        self.expect(next, "valid", nil, pair)
    }

    /// The answer's verdict, and whether its server was told of a move.
    private func expect(
        _ answer: WayAnswer,
        _ verdict: String,
        _ reason: String?,
        from: String? = "a",
        rule: String? = nil,
        _ pair: Comment
    ) {
        let moved = reason.map { "\($0) from \(from ?? "null")" }
        self.expected.append(ExpectedLine(answer, verdict, moved: moved, rule: rule, pair))
        guard answer.status != 0 else { return }
        let told = reason.map { "from=\(from ?? "unknown"); reason=\($0)" }
        #expect(answer.told == told, pair)
    }

    func checkLog() throws {
        let log = try self.site.log(of: self.site.answers)
        for line in self.expected { line.check(log) }
    }

    // MARK: Newcomers

    func checkNewcomers(_ way: Way) throws {
        let pair: Comment = "newcomers, \(way), \(self.state)"
        switch self.state.row.newcomers {
        case .all: _ = try self.site.bind(way)
        case .few:
            let names = try (0..<6).map { _ in try self.site.client(way).ask().server }
            #expect(names.allSatisfy { $0 != nil }, pair)
            #expect(names.contains { $0 != "a" }, pair)
        case .none:
            for _ in 0..<3 {
                let answer = try self.site.client(way).ask()
                #expect(answer.server != nil && answer.server != "a", pair)
                self.expect(answer, "none", nil, pair)
            }
        }
    }
}

/// What the log must say of an answer.
private struct ExpectedLine {
    let answer: WayAnswer
    let verdict: String
    /// `REASON from SERVER`.
    let moved: String?
    /// Nil: any.
    let rule: String?
    let pair: Comment

    init(
        _ answer: WayAnswer,
        _ verdict: String,
        moved: String?,
        rule: String?,
        _ pair: Comment
    ) {
        self.answer = answer
        self.verdict = verdict
        self.moved = moved
        self.rule = rule
        self.pair = pair
    }

    func check(_ log: [String: [[String: LogValue]]]) {
        guard let lines = log[self.answer.client], lines.count >= self.answer.number else {
            Issue.record("no line \(self.answer.number) of \(self.answer.client): \(self.pair)")
            return
        }
        let line = lines[self.answer.number - 1]
        let moved = line["moved"].map { "\($0) from \(line["from"] ?? .null)" }
        #expect(line["persistence"]?.description == self.verdict, self.pair)
        #expect(moved == self.moved, self.pair)
        if let rule = self.rule { #expect(line["rule"]?.description == rule, self.pair) }
    }
}
