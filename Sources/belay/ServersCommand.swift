package import ArgumentParser
package import BelayAdmin
import Foundation

/// `belay servers`: how the servers are.
package struct ServersCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "servers",
        abstract: "Print the servers, how they are, and who is bound to them."
    )

    @Argument(help: "Only this pool.")
    var pool: String?

    @OptionGroup var admin: AdminOptions

    package init() {}

    package func run() throws {
        struct Pools: Decodable { let pools: [PoolReport] }
        try self.admin.ask("servers", path: "/api/pools") { (answer: Pools) in
            guard !self.admin.json else { return }
            let pools = answer.pools.filter { self.pool == nil || $0.name == self.pool }
            if let pool = self.pool, pools.isEmpty {
                complain("belay servers: there is no pool \"\(pool)\"")
                throw ExitCode(1)
            }
            print(serversText(pools), terminator: "")
        }
    }
}

/// The servers as a table. Columns in which nobody has anything are left out.
package func serversText(_ pools: [PoolReport]) -> String {
    let fixed = ["POOL", "SERVER", "ADDRESS", "STATE", "HEALTH", "WEIGHT", "BOUND", "OPEN"]
    let optional = ["CHECK", "AGENT", "DRAIN"]
    var rows = [fixed + optional]
    for pool in pools {
        for server in pool.servers {
            rows.append(
                [
                    pool.name, server.name, server.address, server.state, server.health,
                    "\(server.weight)", "\(server.bound)", "\(server.openRequests)",
                    server.check.map(checkNote) ?? "", server.agent.map(checkNote) ?? "",
                    server.drain.map(drainNote) ?? "",
                ].map(printable)
            )
        }
    }
    let shown = rows[0].indices.filter { column in
        column < fixed.count || rows.dropFirst().contains { !$0[column].isEmpty }
    }
    rows = rows.map { row in shown.map { row[$0] } }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
        let cells = zip(row, widths).enumerated().map { column, cell in
            let space = String(repeating: " ", count: cell.1 - cell.0.count)
            // Numbers end below each other.
            return (5...7).contains(column) ? space + cell.0 : cell.0 + space
        }
        let line = cells.joined(separator: "  ")
        return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
    }.joined()
}

/// How a check went, in a few words: `good, 75%, 2 s ago`, `it answered 503, 1 s ago`.
private func checkNote(_ check: CheckReport) -> String {
    let result = check.good ? "good" : check.reason ?? "bad"
    let words = [result, check.said, "\(Int(check.secondsAgo)) s ago"]
    return words.compactMap(\.self).joined(separator: ", ")
}

/// How far a drain is, in a few words.
private func drainNote(_ drain: DrainReport) -> String {
    switch DrainPhase(rawValue: drain.phase) {
    case .paused: "paused, \(drain.left)"
    case .empty: "empty"
    case .over: "over"
    case .running, nil: drain.left
    }
}

/// `belay server`: changes one.
package struct ServerCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Change, add or remove a server of the running Belay.",
        discussion: """
            What is changed here outlives a reload, unless the settings file says something new of \
            the same thing; and it ends with a restart.

            Examples:
              belay server set shop1 --weight 50
              belay server set shop1 --state maintenance
              belay server add shop 10.0.0.13:3000 --name shop3
              belay server remove shop1
            """,
        subcommands: [ServerSetCommand.self, ServerAddCommand.self, ServerRemoveCommand.self]
    )

    package init() {}
}

/// `belay server set`.
package struct ServerSetCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Give a server another weight, state or address."
    )

    @Argument(help: "The server, or pool/server.")
    var server: String

    @Option(help: "Its share of newcomers; 0: none, and its clients stay.")
    var weight: Int?

    @Option(help: "ready, draining or maintenance. It ends a drain that is under way.")
    var state: String?

    @Option(help: ArgumentHelp("Where it is now: it keeps its clients.", valueName: "host:port"))
    var address: String?

    @OptionGroup var admin: AdminOptions

    package init() {}

    package mutating func validate() throws {
        guard self.weight != nil || self.state != nil || self.address != nil else {
            throw ValidationError("Give --weight, --state or --address.")
        }
        _ = try self.admin.address()
    }

    package func run() throws {
        var changes = ServerChanges()
        changes.weight = self.weight
        changes.state = self.state
        changes.address = self.address
        let path = serverPath(self.server, pool: nil)
        try self.admin.tell("server set", "PUT", path: path, changes)
    }
}

/// `belay server add`.
package struct ServerAddCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a server to a pool."
    )

    @Argument(help: "The server pool.")
    var pool: String

    @Argument(help: ArgumentHelp("Where the server is.", valueName: "host:port"))
    var address: String

    @Option(help: "Its name; left out: the address.")
    var name: String?

    @Option(help: "Its share of newcomers.")
    var weight: Int?

    @Option(help: "ready, draining or maintenance.")
    var state: String?

    @Option(help: "Requests that it may have at once.")
    var maxConnections: Int?

    @Option(help: "A server of the same name and another generation is another server.")
    var generation: Int?

    @OptionGroup var admin: AdminOptions

    package init() {}

    package func run() throws {
        var changes = ServerChanges()
        changes.name = self.name
        changes.address = self.address
        changes.weight = self.weight
        changes.state = self.state
        changes.maxConnections = self.maxConnections
        changes.generation = self.generation
        let path = "/api/pools/\(pathPart(self.pool))/servers"
        try self.admin.tell("server add", "POST", path: path, changes)
    }
}

/// `belay server remove`.
package struct ServerRemoveCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Take a server out of its pool: as the pool's `removal` says, or at once."
    )

    @Argument(help: "The server, or pool/server.")
    var server: String

    @Flag(help: "At once: its clients move with their next request.")
    var now = false

    @OptionGroup var admin: AdminOptions

    package init() {}

    package func run() throws {
        let path = serverPath(self.server, pool: nil) + (self.now ? "?now=true" : "")
        try self.admin.tell("server remove", "DELETE", path: path)
    }
}

extension AdminOptions {
    fileprivate func tell(
        _ command: String,
        _ method: String,
        path: String,
        _ changes: ServerChanges
    ) throws {
        try self.tell(command, method, path: path, body: Array(JSONEncoder().encode(changes)))
    }
}
