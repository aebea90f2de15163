package import ArgumentParser
import BelayAdmin

/// `belay reload`: the running Belay takes its settings file anew.
package struct ReloadCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Let the running Belay read its settings file again.",
        discussion: """
            The new file is checked as a whole. A mistake in it changes nothing and is printed \
            with its line; the exit status is then 1. Otherwise it holds from the next request \
            on: no connection is closed, and no binding, counter or health is lost.

            Example:
              belay check belay.yaml && belay reload
            """
    )

    @OptionGroup var admin: AdminOptions

    package init() {}

    package func run() throws {
        // Limit: names of servers are looked up, and workers follow within five seconds.
        let (path, patience) = ("/api/reload", 60)
        try self.admin.ask("reload", "POST", path: path, patience: patience) {
            (answer: ReloadAnswer) in
            if !self.admin.json {
                for line in answer.problems { complain(printable(line)) }
                for line in answer.news { print(printable(line)) }
                for line in answer.warnings { complain("warning: " + printable(line)) }
                print(answer.served ? "the new settings are served" : "nothing was changed")
            }
            if !answer.served { throw ExitCode(1) }
        }
    }
}

/// `belay upgrade`: another binary takes over.
package struct UpgradeCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Let the binary on disk take over from the running one.",
        discussion: """
            The running Belay starts the binary that is installed now and gives it its listening \
            sockets. When the new one is ready, the old one accepts nobody any more, finishes its \
            requests and tunnels, and leaves. If the new one can't start, the old one goes on.
            """
    )

    @OptionGroup var admin: AdminOptions

    package init() {}

    package func run() throws {
        // Limit: the new process has a minute to serve, after which the old one says so.
        let (path, patience) = ("/api/upgrade", 90)
        try self.admin.ask("upgrade", "POST", path: path, patience: patience) {
            (answer: DoneSentence) in
            if !self.admin.json { print(printable(answer.done)) }
        }
    }
}
