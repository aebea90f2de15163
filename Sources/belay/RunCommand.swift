package import ArgumentParser
import BelayRuntime
package import BelaySettings

/// `belay run`: the balancer itself.
package struct RunCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the load balancer.",
        discussion: """
            With a settings file, or with --to and no file. Stops gracefully on SIGTERM or \
            Ctrl-C: it accepts nobody new, lets requests finish, and ends. A second signal ends \
            it at once.

            Examples:
              belay run belay.yaml
              belay run belay.yaml --listen 127.0.0.1:8000 --log-format json
              belay run --to 10.0.0.11:3000 --to 10.0.0.12:3000 --listen :80 --admin off
            """
    )

    @Argument(help: ArgumentHelp("The settings file.", valueName: "file"))
    var file: String?

    @Option(
        help: ArgumentHelp(
            "A server to balance to, in place of a file. Repeat it for each server.",
            valueName: "host:port"
        )
    )
    var to: [String] = []

    @Option(
        help: ArgumentHelp(
            "An address to listen on (:8080 without a file). May be repeated.",
            valueName: "address"
        )
    )
    var listen: [String] = []

    @Option(
        help: ArgumentHelp(
            "Where metrics and `belay explain` are served (127.0.0.1:9900), or off.",
            valueName: "address|off"
        )
    )
    var admin: String?

    @Option(
        help: ArgumentHelp(
            "Threads that carry traffic, or auto: one for each core.",
            valueName: "count"
        )
    )
    var workers: String?

    @Option(
        help: ArgumentHelp("How the access log is written.", valueName: "json|text|off")
    )
    var logFormat: String?

    package init() {}

    package mutating func validate() throws {
        if self.file != nil, !self.to.isEmpty {
            throw ValidationError("Give a settings file or --to, not both: the file has servers.")
        }
        if self.file == nil, self.to.isEmpty {
            throw ValidationError("Give a settings file, or a server with --to host:port.")
        }
    }

    package func run() throws {
        let (settings, problems) = self.settings()
        guard let settings else {
            for problem in problems { complain("\(problem)") }
            throw ExitCode(1)
        }
        let status: Int32
        // The arguments as values, because a reload reads the file again on another thread.
        let (file, options) = (self.file, self.options)
        let reread: @Sendable () -> (Settings?, [SettingsProblem]) = {
            Self.settings(file: file, to: [], options)
        }
        do {
            status = try Belay.run(
                settings: settings,
                warnings: problems,
                file: file,
                reread: file == nil ? nil : reread
            )
        } catch {
            complain("belay: \(error)")
            throw ExitCode(1)
        }
        throw ExitCode(status)
    }

    /// What the file and the options say together, or everything that is wrong with either.
    package func settings() -> (Settings?, [SettingsProblem]) {
        Self.settings(file: self.file, to: self.to, self.options)
    }

    private var options: SettingsOptions {
        var options = SettingsOptions()
        options.listen = self.listen
        options.admin = self.admin
        options.workers = self.workers
        options.logFormat = self.logFormat
        return options
    }

    private static func settings(
        file: String?,
        to: [String],
        _ options: SettingsOptions
    ) -> (Settings?, [SettingsProblem]) {
        let (loaded, found) = file.map { SettingsFile.load(path: $0) } ?? Settings.forServers(to)
        // Where the file is wrong, the options are judged all the same.
        var settings = loaded ?? Settings()
        let problems = found + settings.apply(options)
        return (problems.hasErrors ? nil : settings, problems)
    }
}
