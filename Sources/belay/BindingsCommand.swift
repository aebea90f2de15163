package import ArgumentParser
package import BelayAdmin
import Foundation

/// `belay bindings`: who is bound to which server.
package struct BindingsCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bindings",
        abstract: "List, find, move or forget who is bound to which server.",
        discussion: """
            What clients present is kept as a keyed hash only, the key; of cookies those are known \
            that this Belay has sealed.
            """,
        subcommands: [
            BindingsListCommand.self, BindingsFindCommand.self, BindingsMoveCommand.self,
            BindingsForgetCommand.self,
        ]
    )

    package init() {}
}

/// `belay bindings list`.
package struct BindingsListCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Print bindings, a page at a time."
    )

    @Option(help: "The server pool.")
    var pool: String

    @Option(help: "Only those bound to this server.")
    var server: String?

    @Option(help: "So many at most, up to 1,000.")
    var limit = 100

    @Option(help: "Where to go on, as the page before said.")
    var cursor = 0

    @OptionGroup var admin: AdminOptions

    package init() {}

    package func run() throws {
        var path = "/api/pools/\(pathPart(self.pool))/bindings"
        path += "?limit=\(self.limit)&cursor=\(self.cursor)"
        if let server = self.server { path += "&server=\(pathPart(server))" }
        try self.admin.ask("bindings list", path: path) { (page: BindingsReport) in
            guard !self.admin.json else { return }
            for binding in page.bindings { print(line(binding)) }
            print("\(counted(page.count, "binding")) in all")
            if let next = page.next { print("more: --cursor \(next)") }
        }
    }
}

/// `belay bindings find`.
package struct BindingsFindCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "find",
        abstract: "Print where a client is bound, by what it presents."
    )

    @Option(help: "The server pool.")
    var pool: String

    @Option(help: "The way to bind: cookie, application-cookie, header, query, source-address, …")
    var way: String

    @Option(help: "What the client presents.")
    var value: String

    @OptionGroup var admin: AdminOptions

    package init() {}

    package func run() throws {
        let path =
            "/api/pools/\(pathPart(self.pool))/bindings/find"
            + "?way=\(pathPart(self.way))&value=\(pathPart(self.value))"
        try self.admin.ask("bindings find", path: path) { (binding: BindingReport) in
            if !self.admin.json { print(line(binding)) }
        }
    }
}

/// `belay bindings move`.
package struct BindingsMoveCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "move",
        abstract: "Move one client to another server, with its next request."
    )

    @Option(help: "The server pool.")
    var pool: String

    @Argument(help: "The binding's key, as the list shows it.")
    var key: String

    @Option(name: .customLong("to"), help: "The server.")
    var server: String

    @OptionGroup var admin: AdminOptions

    package init() {}

    package func run() throws {
        let path =
            "/api/pools/\(pathPart(self.pool))/bindings/\(pathPart(self.key))"
            + "?server=\(pathPart(self.server))"
        try self.admin.tell("bindings move", "PUT", path: path)
    }
}

/// `belay bindings forget`.
package struct BindingsForgetCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Forget one binding: its client is balanced as a new one."
    )

    @Option(help: "The server pool.")
    var pool: String

    @Argument(help: "The binding's key, as the list shows it.")
    var key: String

    @OptionGroup var admin: AdminOptions

    package init() {}

    package func run() throws {
        let path = "/api/pools/\(pathPart(self.pool))/bindings/\(pathPart(self.key))"
        try self.admin.tell("bindings forget", "DELETE", path: path)
    }
}

private func line(_ binding: BindingReport) -> String {
    bindingText(binding, now: Int64(Date().timeIntervalSince1970))
}

/// A binding as people read it. `now`: seconds since 1970.
package func bindingText(_ binding: BindingReport, now: Int64) -> String {
    let server = binding.server ?? "(a server that is gone)"
    let (age, idle) = (max(0, now - binding.issued), max(0, now - binding.renewed))
    let address = binding.address.map { "  \($0)" } ?? ""
    return printable(
        "\(binding.key)  \(binding.way)  \(server)  bound for \(age) s, seen \(idle) s ago"
            + address
    )
}
