package import ArgumentParser
package import BelayAdmin

/// `belay rebalance`: relieves servers that have too many clients.
package struct RebalanceCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "rebalance",
        abstract: "Relieve the servers of a pool that have more clients than their share.",
        discussion: """
            Where sessions are shared it moves the fewest clients that reach the goal, each with \
            its next request. Where a session lives in its server alone it moves nobody, and says \
            so: newcomers go to the emptiest servers.

            Examples:
              belay rebalance shop
              belay rebalance shop --goal 1.10 --rate 20/s
              belay rebalance shop --stop
            """
    )

    @Argument(help: "The server pool.")
    var pool: String

    @Option(help: "The fullest server's clients as a multiple of its share.")
    var goal = 1.05

    @Option(help: ArgumentHelp("Clients that move, such as 50/s.", valueName: "number/s"))
    var rate = "50/s"

    @Flag(help: "Stop moving clients.")
    var stop = false

    @OptionGroup var admin: AdminOptions

    package init() {}

    package mutating func validate() throws {
        guard self.goal >= 1, self.goal <= 100 else {
            throw ValidationError("--goal must be a number of at least 1, such as 1.05.")
        }
        guard let rate = CommandText.rate(self.rate), rate > 0 else {
            throw ValidationError("--rate must be a rate such as 50/s, not \"\(self.rate)\".")
        }
        _ = try self.admin.address()
    }

    package func run() throws {
        let path = "/api/pools/\(pathPart(self.pool))/rebalance"
        if self.stop {
            try self.admin.ask("rebalance", "DELETE", path: path) { (answer: DoneSentence) in
                if !self.admin.json { print(printable(answer.done)) }
            }
            return
        }
        let query = "?goal=\(self.goal)&rate=\(pathPart(self.rate))"
        try self.admin.ask("rebalance", "POST", path: path + query) { (report: RebalanceReport) in
            if !self.admin.json { print(rebalanceText(report), terminator: "") }
        }
    }
}

/// What a rebalance does, as people read it.
package func rebalanceText(_ report: RebalanceReport) -> String {
    let spread = numberText((report.spread * 100).rounded() / 100)
    return """
        \(printable(report.pool)): the fullest server has \(spread) times its share of bound clients
        \(printable(report.sentence))

        """
}
