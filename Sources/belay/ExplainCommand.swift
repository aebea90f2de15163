package import ArgumentParser
package import BelayAdmin
import BelayCore

/// `belay explain`: which server would answer, asked of the Belay that runs.
package struct ExplainCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say which server a request would go to, and why.",
        discussion: """
            Asks the running Belay, which sends nothing to any server and counts nothing.

            Examples:
              belay explain --host shop.example.com --path /cart
              belay explain --host shop.example.com --cookie belay=AQx… --from 203.0.113.7
            """
    )

    @Option(help: "The host that is asked for, with a port or without.")
    var host: String

    @Option(help: "The path, with its query.")
    var path = "/"

    @Option(help: "The method.")
    var method = "GET"

    @Option(
        help: ArgumentHelp(
            "A cookie that the client sends. May be repeated.",
            valueName: "name=value"
        )
    )
    var cookie: [String] = []

    @Option(
        help: ArgumentHelp(
            "A header that the client sends. May be repeated.",
            valueName: "name: value"
        )
    )
    var header: [String] = []

    @Option(help: ArgumentHelp("The client's IP address.", valueName: "address"))
    var from: String?

    @OptionGroup package var admin: AdminOptions

    package init() {}

    package mutating func validate() throws {
        _ = try self.question()
        _ = try self.admin.address()
    }

    package func run() throws {
        let path = "/api/explain?" + (try self.question()).query
        try self.admin.ask("explain", path: path) { (answer: ExplainAnswer) in
            print(DecisionTable(answer).text, terminator: "")
        }
    }

    /// The options as a question, or a usage error.
    package func question() throws -> ExplainQuestion {
        guard !self.host.isEmpty else { throw ValidationError("--host must not be empty.") }
        guard self.path.hasPrefix("/") || self.path == "*" else {
            throw ValidationError("--path must begin with /, such as /\(self.path).")
        }
        var question = ExplainQuestion(method: self.method, host: self.host, path: self.path)
        if let from = self.from {
            guard let address = IPAddress(from) else {
                throw ValidationError("--from must be an IP address, not \"\(from)\".")
            }
            question.from = address
        }
        for cookie in self.cookie where !cookie.contains("=") {
            throw ValidationError("--cookie must be name=value, not \"\(cookie)\".")
        }
        if !self.cookie.isEmpty { question.cookie = self.cookie.joined(separator: "; ") }
        for line in self.header {
            guard let header = ExplainQuestion.Header(line) else {
                throw ValidationError("--header must be \"Name: value\", not \"\(line)\".")
            }
            question.headers.append(header)
        }
        return question
    }
}
