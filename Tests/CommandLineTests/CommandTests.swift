import ArgumentParser
import BelaySettings
import Foundation
import Testing
import belay

@Suite struct CommandTests {
    /// The exit status and message of a command line that is not run.
    private func refusal(_ arguments: [String]) -> (status: Int32, message: String)? {
        do {
            _ = try BelayCommand.parseAsRoot(arguments)
            return nil
        } catch {
            return (BelayCommand.exitCode(for: error).rawValue, BelayCommand.message(for: error))
        }
    }

    @Test(
        arguments: [
            (["run"], "Give a settings file, or a server with --to host:port."),
            (
                ["run", "a.yaml", "--to", "b:1"],
                "Give a settings file or --to, not both: the file has servers."
            ),
            (["run", "a.yaml", "b.yaml"], "Unexpected argument 'b.yaml'"),
            (["check"], "Missing expected argument '<file> ...'"),
            (["check", "--show", "--expand", "a.yaml"], "Give --show or --expand, not both."),
            (["explain"], "Missing expected argument '--host <host>'"),
            (["explain", "--host", ""], "--host must not be empty."),
            (["explain", "--host", "a", "--path", "b"], "--path must begin with /, such as /b."),
            (
                ["explain", "--host", "a", "--from", "1.2.3"],
                "--from must be an IP address, not \"1.2.3\"."
            ),
            (
                ["explain", "--host", "a", "--cookie", "belay"],
                "--cookie must be name=value, not \"belay\"."
            ),
            (
                ["explain", "--host", "a", "--header", "Accept"],
                "--header must be \"Name: value\", not \"Accept\"."
            ),
            (
                ["explain", "--host", "a", "--admin", "here"],
                "--admin must be an address such as 127.0.0.1:9900, not \"here\"."
            ),
            (["rnu"], "Unexpected argument 'rnu'"),
        ]
    )
    func `what cannot be meant is a usage error`(arguments: [String], want: String) throws {
        let refusal = try #require(self.refusal(arguments))
        #expect(refusal.status == 64)
        #expect(refusal.message == want)
    }

    @Test(
        arguments: [
            ["run", "belay.yaml", "--listen", ":1", "--listen", ":2", "--workers", "2"],
            ["run", "--to", "a:1", "--to", "b:2", "--admin", "off", "--log-format", "json"],
            ["check", "a.yaml", "b.yaml"], ["check", "--show", "a.yaml"],
            ["check", "--expand", "a.yaml"],
            ["explain", "--host", "a", "--path", "/b?c", "--method", "PUT", "--json"],
            ["reference"], ["reference", "--json-schema"],
        ]
    )
    func `these are command lines`(arguments: [String]) {
        #expect(self.refusal(arguments) == nil)
    }

    @Test func `every command has a help text that names itself`() {
        #expect(BelayCommand.helpMessage().contains("USAGE: belay <subcommand>"))
        for name in ["run", "check", "explain", "reference"] {
            #expect(BelayCommand.helpMessage().contains("\n  \(name) "))
        }
        #expect(RunCommand.helpMessage().contains("Examples:"))
        #expect(CheckCommand.helpMessage().contains("Examples:"))
        #expect(ExplainCommand.helpMessage().contains("Examples:"))
    }

    @Test func `options and servers make settings`() throws {
        let arguments = ["--to", "a:1", "--to", "b:2", "--listen", ":80", "--admin", "off"]
        let settings = try #require(try RunCommand.parse(arguments).settings().0)
        #expect(settings.pools.map(\.servers.count) == [2])
        #expect(settings.listeners.map(\.name) == [":80"])
        #expect(settings.admin == nil)
        #expect(settings.summary == "1 listener, 1 route, 1 pool, 2 servers")
    }

    @Test func `problems of the file and of the options come together`() throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("belay-\(UUID().uuidString).yaml").path
        try "workers: x\n".write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let command = try RunCommand.parse([path, "--admin", "here"])
        #expect(
            command.settings().1.map(\.description) == [
                "\(path):1:1: \"pools\" is missing",
                "\(path):1:10: workers must be auto or a whole number within 1...256, not \"x\"",
                "belay: --admin: \"here\" has no port",
            ]
        )
    }
}
