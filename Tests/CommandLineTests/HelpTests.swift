import ArgumentParser
import Foundation
import Testing
import belay

/// What `--help` says of each command, whole: what operators read first.
@Suite struct HelpTests {
    private static let commands: [(name: String, type: any ParsableCommand.Type)] = [
        ("belay", BelayCommand.self), ("belay run", RunCommand.self),
        ("belay check", CheckCommand.self), ("belay reload", ReloadCommand.self),
        ("belay upgrade", UpgradeCommand.self), ("belay servers", ServersCommand.self),
        ("belay server", ServerCommand.self), ("belay server set", ServerSetCommand.self),
        ("belay server add", ServerAddCommand.self),
        ("belay server remove", ServerRemoveCommand.self), ("belay drain", DrainCommand.self),
        ("belay rebalance", RebalanceCommand.self), ("belay bindings", BindingsCommand.self),
        ("belay bindings list", BindingsListCommand.self),
        ("belay bindings find", BindingsFindCommand.self),
        ("belay bindings move", BindingsMoveCommand.self),
        ("belay bindings forget", BindingsForgetCommand.self),
        ("belay explain", ExplainCommand.self), ("belay reference", ReferenceCommand.self),
    ]

    @Test func `the help of every command`() throws {
        var text = ""
        for (name, type) in Self.commands {
            let help = BelayCommand.helpMessage(for: type, columns: 100)
            text += "$ \(name) --help\n\(help.trimmingCharacters(in: .whitespacesAndNewlines))\n\n"
        }
        let golden = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Golden/help.txt")
        // After a change that is meant: BELAY_GOLDEN=write swift test, and read the difference.
        if ProcessInfo.processInfo.environment["BELAY_GOLDEN"] == "write" {
            try text.write(to: golden, atomically: true, encoding: .utf8)
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let wanted = try String(contentsOf: golden, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
        for (line, want) in zip(lines, wanted) { #expect(line == want) }
        #expect(lines.count == wanted.count)
    }

    @Test func `every command is in that list`() {
        func count(_ type: any ParsableCommand.Type) -> Int {
            1 + type.configuration.subcommands.reduce(0) { $0 + count($1) }
        }
        #expect(count(BelayCommand.self) == Self.commands.count)
    }
}
