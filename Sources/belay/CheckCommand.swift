package import ArgumentParser
package import BelaySettings

/// `belay check`: what is wrong with settings files.
package struct CheckCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Print everything that is wrong with settings files.",
        discussion: """
            One line for each problem, as file:line:column: what is wrong. The exit status is 0 \
            if every file is fine, else 1. Nothing is started and no host name is looked up.

            Examples:
              belay check belay.yaml
              belay check --show belay.yaml     prints every setting, with its default
            """
    )

    @Flag(help: "Print every setting of the files that are fine, with defaults, without keys.")
    var show = false

    @Argument(help: ArgumentHelp("The settings files.", valueName: "file"))
    var files: [String]

    package init() {}

    package func run() throws {
        var isFine = true
        for file in self.files {
            let (settings, problems) = SettingsFile.load(path: file)
            for problem in problems { print(problem) }
            guard let settings else {
                isFine = false
                continue
            }
            print(self.show ? Reference.file(of: settings) : "\(file): fine, \(settings.summary)")
        }
        if !isFine { throw ExitCode(1) }
    }
}

extension Settings {
    /// `1 listener, 3 routes, 2 pools, 4 servers`.
    package var summary: String {
        let servers = self.pools.reduce(0) { $0 + $1.servers.count }
        return [
            counted(self.listeners.count, "listener"), counted(self.routes.count, "route"),
            counted(self.pools.count, "pool"), counted(servers, "server"),
        ].joined(separator: ", ")
    }
}
