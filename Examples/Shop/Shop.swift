/// A small web shop to try Belay with: three of these behind one Belay show what persistence is
/// for. Each keeps its visitors' carts in its own memory and nowhere else, so a visitor who comes
/// back to another server finds an empty cart.
///
/// Here: the command line and the start. `Routes` answers requests, `Visits` is what a server
/// remembers, `Page` is what a visitor sees. Nothing in this program knows Belay.

import ArgumentParser
import FoundationEssentials
import Glibc
import Hummingbird
import Logging

@main
struct ShopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "belay-shop",
        abstract: "A web shop that keeps carts in its own memory, to try Belay with.",
        discussion: "It listens on 127.0.0.1 only. Start it three times, and Belay in front."
    )

    @Option(help: "The port on 127.0.0.1; 0 takes a free one and prints it.")
    var port = 3000

    @Option(help: "How this server calls itself: letters, digits and dashes.")
    var name = "shop1"

    @Option(help: "Visitors remembered at most; those unseen longest are forgotten first.")
    var visitorsMax = 10_000

    func validate() throws {
        guard (0...65_535).contains(self.port) else {
            throw ValidationError("--port must be within 0...65535, not \(self.port).")
        }
        guard ShopName(self.name) != nil else {
            throw ValidationError("--name must be 1 to 24 letters, digits or dashes.")
        }
        guard (4...1_000_000).contains(self.visitorsMax) else {
            throw ValidationError("--visitors-max must be within 4...1000000.")
        }
    }

    func run() async throws {
        guard let name = ShopName(self.name) else { return }
        let routes = Routes(
            shop: name,
            memory: ShopMemory(visitorsMax: self.visitorsMax),
            startedAt: .now
        )
        var logger = Logger(label: self.name)
        logger.logLevel = .warning
        let application = Application(
            responder: routes.router().buildResponder(),
            configuration: .init(address: .hostname("127.0.0.1", port: self.port)),
            onServerRunning: { channel in
                say("\(name) answers on 127.0.0.1:\(channel.localAddress?.port ?? 0)")
            },
            logger: logger
        )
        try await application.runService()
    }
}

/// Prints a line at once, even where the output is a pipe or a file.
func say(_ line: String) {
    print(line)
    fflush(nil)
}
