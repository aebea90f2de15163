package import ArgumentParser
package import BelaySettings

/// `belay check`: what is wrong with settings files.
package struct CheckCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Print everything that is wrong with settings files.",
        discussion: """
            One line for each problem, as file:line:column: what is wrong. The exit status is 0 \
            if every file is fine, else 1; a warning is no reason for that. Nothing is started \
            and no host name is looked up.

            Examples:
              belay check belay.yaml
              belay check --show belay.yaml     prints every setting, with its default
              belay check --expand belay.yaml   prints the file with presets as plain settings
            """
    )

    @Flag(help: "Print every setting of the files that are fine, with defaults, without keys.")
    var show = false

    @Flag(help: "Print the files that are fine, with presets as plain settings, without keys.")
    var expand = false

    @Argument(help: ArgumentHelp("The settings files.", valueName: "file"))
    var files: [String]

    package init() {}

    package func validate() throws {
        if self.show, self.expand {
            throw ValidationError("Give --show or --expand, not both.")
        }
    }

    package func run() throws {
        var isFine = true
        for file in self.files {
            let (settings, problems) = SettingsFile.load(path: file)
            // What is printed of the settings may go into a file.
            let isPrinting = self.show || self.expand
            for problem in problems {
                if isPrinting, problem.isWarning { complain("\(problem)") } else { print(problem) }
            }
            guard let settings else {
                isFine = false
                continue
            }
            if self.expand {
                print(Reference.expandedFile(of: settings), terminator: "")
            } else if self.show {
                print(Reference.file(of: settings))
            } else {
                print("\(file): fine, \(settings.summary)")
            }
        }
        if !isFine { throw ExitCode(1) }
    }
}

extension Settings {
    /// `1 listener, 3 routes, 2 pools, 4 servers`.
    package var summary: String {
        let servers = self.pools.reduce(0) { $0 + $1.servers.count }
        let sources = self.pools.reduce(0) { $0 + $1.sources.count }
        var parts = [
            counted(self.listeners.count, "listener"), counted(self.routes.count, "route"),
            counted(self.pools.count, "pool"), counted(servers, "server"),
        ]
        if sources > 0 { parts.append(counted(sources, "source") + " of servers") }
        return parts.joined(separator: ", ")
    }
}
