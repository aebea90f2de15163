package import ArgumentParser
import BelayRuntime

// belay: the command line. One file a command; each reads its arguments, calls the room that does
// the work and prints. What can be judged without doing (a table, a question) is a value beside
// it. Not here: settings (BelaySettings) and running (BelayRuntime).

@main
package struct BelayCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "belay",
        abstract: "A load balancer that keeps sessions.",
        discussion: """
            Put it in front of two servers, without a file:

              belay run --to 10.0.0.11:3000 --to 10.0.0.12:3000

            It listens on port 8080, and each browser stays with its server. With a file:

              belay check belay.yaml      says everything that is wrong with it
              belay run belay.yaml        runs it until SIGTERM, then lets requests finish

            While it runs:

              belay explain --host shop.example.com --path /cart
                                          says which server would answer, and why
              belay servers               says how they are, and who is bound to them
              belay drain shop1           empties a server; belay reload takes a new file
              curl http://127.0.0.1:9900/metrics

            What a settings file can say stands in `belay reference`.
            """,
        version: Belay.version,
        subcommands: [
            RunCommand.self, CheckCommand.self, ReloadCommand.self, UpgradeCommand.self,
            ServersCommand.self, ServerCommand.self, DrainCommand.self, RebalanceCommand.self,
            BindingsCommand.self, ExplainCommand.self, ReferenceCommand.self,
        ]
    )

    package init() {}
}
