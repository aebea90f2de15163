import Foundation

/// What can become of a bound client's server, each as Documentation/persistence.md has it.
enum ServerState: String, CaseIterable, CustomStringConvertible {
    case up
    case starting
    case weightZero = "weight 0"
    case draining = "draining, as the file says"
    case drained = "draining, by command"
    case drainedAtRate = "draining at a rate"
    case drainedToItsEnd = "drained until its deadline"
    case leaving
    case full
    case fullRejected = "full, on-full: reject"
    case stalled
    case refusing
    case ejected
    case ejectedRejected = "ejected, on-failure: reject"
    case down
    case downRejected = "down, on-failure: reject"
    case maintenance
    case maintenanceRejected = "in maintenance, on-failure: reject"
    case removed
    case removedRejected = "removed, on-failure: reject"
    case addressChanged = "address changed"
    case generationChanged = "generation changed"
    case backAgain = "back again, return: stay"
    case backAgainAtHome = "back again, return: home"

    var description: String { self.rawValue }

    /// The ways in which a client can meet it: a connection of TCP waits for no answer, so that
    /// there is no silence.
    var ways: [Way] { self == .stalled ? Way.allCases.filter { !$0.isTCP } : Way.allCases }
}

/// What a client meets that is bound to a server.
enum Treatment: Equatable {
    /// Its server has it, now and again.
    case stays
    /// Another server has it, is told so once, and keeps it.
    case moves(MoveWord)
    /// It has moved before, and stays there although its own is back.
    case staysAway
    /// It has moved before, and comes back to its own, which is told so once.
    case comesHome
    case isRefused
    /// Nothing is kept of it: each request goes to the same next server, which is told each time.
    case isPassedOn(MoveWord)
    /// Nothing is kept of it, and nobody is told: a hash, among those who take newcomers.
    case isHashedAnew
    /// A hash, where its server may take it or not.
    case mayBeHashedAnew
    /// It was passed on, and its server has it again, which nobody is told.
    case isBack
}

/// What a server is told of the reason, and the log says.
enum MoveWord: String {
    case drain, maintenance, down, ejected, full, removed
}

/// Whether newcomers get there.
enum Newcomers {
    case all
    /// A growing share.
    case few
    case none
}

/// A row of the documentation's table.
struct StateRow {
    /// Its first column.
    let name: String
    let client: Treatment
    let verdict: String
    let newcomers: Newcomers

    init(_ name: String, _ client: Treatment, _ verdict: String, _ newcomers: Newcomers) {
        self.name = name
        self.client = client
        self.verdict = verdict
        self.newcomers = newcomers
    }
}

extension ServerState {
    /// The table of the documentation, as the ways have it that differ in nothing.
    var row: StateRow {
        switch self {
        case .up: StateRow("up", .stays, "valid", .all)
        case .starting: StateRow("starting", .stays, "server-starting", .few)
        case .weightZero: StateRow("weight 0", .stays, "server-weight-zero", .none)
        case .draining, .drained: StateRow("draining", .stays, "server-draining", .none)
        case .drainedAtRate: StateRow("draining at a rate", .moves(.drain), "moved", .none)
        case .drainedToItsEnd:
            StateRow("maintenance", .moves(.drain), "server-maintenance", .none)
        case .leaving: StateRow("leaving", .stays, "server-leaving", .none)
        case .full: StateRow("full", .moves(.full), "server-full", .none)
        case .fullRejected: StateRow("full", .isRefused, "server-full", .none)
        case .stalled: StateRow("stalled", .stays, "valid", .none)
        case .refusing: StateRow("refusing", .moves(.down), "valid", .none)
        case .ejected: StateRow("ejected", .moves(.ejected), "server-ejected", .none)
        case .ejectedRejected: StateRow("ejected", .isRefused, "server-ejected", .none)
        case .down: StateRow("down", .moves(.down), "server-down", .none)
        case .downRejected: StateRow("down", .isRefused, "server-down", .none)
        case .maintenance:
            StateRow("maintenance", .moves(.maintenance), "server-maintenance", .none)
        case .maintenanceRejected:
            StateRow("maintenance", .isRefused, "server-maintenance", .none)
        case .removed: StateRow("removed", .moves(.removed), "unknown-server", .none)
        case .removedRejected: StateRow("removed", .isRefused, "unknown-server", .none)
        case .addressChanged: StateRow("address changed", .stays, "valid", .all)
        case .generationChanged:
            StateRow("generation changed", .moves(.removed), "unknown-server", .all)
        case .backAgain: StateRow("back again", .staysAway, "valid", .all)
        case .backAgainAtHome: StateRow("back again", .comesHome, "valid", .all)
        }
    }

    /// What a client of that way meets, and the verdict: the row, with the documented differences.
    func expectation(_ way: Way) -> (client: Treatment, verdict: String) {
        let row = self.row
        if way.isHash {
            let client: Treatment =
                switch row.newcomers {
                case .all: .stays
                case .few: .mayBeHashedAnew
                case .none: .isHashedAnew
                }
            return (client, "none")
        }
        guard way.isNamedByApplication else { return (row.client, row.verdict) }
        // The cookie names no generation.
        if self == .generationChanged { return (.stays, "valid") }
        switch row.client {
        case .moves(let reason): return (.isPassedOn(reason), row.verdict)
        case .staysAway: return (.isBack, row.verdict)
        case .stays, .comesHome, .isRefused, .isPassedOn, .isHashedAnew, .mayBeHashedAnew, .isBack:
            return (row.client, row.verdict)
        }
    }

    /// What the pools need for it.
    func prepare(_ file: inout SiteFile) {
        switch self {
        case .starting:
            file.set("slow-start", "1h")
        case .drainedAtRate: file.set("sessions", "shared")
        case .full, .fullRejected:
            file.set("queue", "{ timeout: 50ms }")
            file.extra.append("max-connections: 1")
        case .stalled:
            file.set("stall", "500ms")
        case .ejected, .ejectedRejected:
            file.set("failures", "{ count: 1, eject: 5m }")
        case .down, .downRejected, .backAgain, .backAgainAtHome:
            // Who listens is found down on no slow machine.
            let times = "interval: 100ms, fast-interval: 10ms, timeout: 30s"
            file.set("health", "{ \(times), fall: 1, rise: 1 }")
        case .removed, .removedRejected: file.set("removal", "now")
        case .up, .weightZero, .draining, .drained, .drainedToItsEnd, .leaving, .refusing,
            .maintenance, .maintenanceRejected, .addressChanged, .generationChanged:
            break
        }
        switch self {
        case .ejectedRejected, .downRejected, .maintenanceRejected, .removedRejected:
            file.persistence.append("on-failure: reject")
        case .fullRejected: file.persistence.append("on-full: reject")
        case .backAgainAtHome: file.persistence.append("return: home")
        case .up, .starting, .weightZero, .draining, .drained, .drainedAtRate, .drainedToItsEnd,
            .leaving, .full, .stalled, .refusing, .ejected, .down, .maintenance, .removed,
            .addressChanged, .generationChanged, .backAgain:
            break
        }
    }
}

/// A table of Documentation/persistence.md.
enum DocumentedTable {
    /// The first table behind a line: the cells of each row, by the first of them.
    static func read(after mark: String) throws -> [String: [String]] {
        let path = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Documentation/persistence.md")
        let lines = try String(contentsOf: path, encoding: .utf8).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        let rows = lines.drop { $0 != mark }.drop { !$0.hasPrefix("|") }
            .prefix { $0.hasPrefix("|") }.dropFirst(2)
        var found: [String: [String]] = [:]
        for row in rows {
            let cells = row.dropFirst().dropLast().split(
                separator: "|",
                omittingEmptySubsequences: false
            ).map { $0.trimmingCharacters(in: .whitespaces) }
            found[cells[0]] = cells
        }
        return found
    }
}
