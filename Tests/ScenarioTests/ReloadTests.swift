import Foundation
import Synchronization
import Testing

private let reloads = "belay_reloads_total"

extension Scenarios {
    /// New settings while Belay runs.
    @Suite(.serialized) struct ReloadTests {
        @Test func `ten reloads under traffic lose no connection, and each is followed at once`()
            throws
        {
            try Scenario.run { scenario in
                let site = try ReloadedSite(scenario)
                let belay = try site.start(["a"])
                let clients = (0..<8).map { KeptClient($0, port: belay.port) }
                for client in clients { onThread { client.run() } }
                for client in clients { try client.answered.wait(for: "answers", atLeast: 20) }
                let kept = try (0..<20).map { _ in try belay.connect() }
                for number in 0..<10 {
                    let name = number % 2 == 0 ? "b" : "a"
                    try site.write([name])
                    #expect(try site.reload(belay).waitForEnd() == 0)
                    for wire in kept { #expect(try wire.ask("/").text == name) }
                }
                for client in clients { client.mayEnd.withLock { $0 = true } }
                for client in clients { try client.ended.wait(for: "the end", atLeast: 1) }
                #expect(clients.flatMap { $0.broken.withLock { $0 } } == [])
                let metrics = try belay.metrics()
                #expect(metrics[reloads + "{result=\"success\"}"] == 10)
                #expect(metrics["belay_connections_accepted_total"] == 28)
            }
        }

        @Test func `a wrong file changes nothing, and is told with its line`() throws {
            try Scenario.run { scenario in
                let site = try ReloadedSite(scenario)
                let belay = try site.start(["a"])
                let kept = try belay.connect()
                #expect(try kept.ask("/").text == "a")
                try scenario.file("belay.yaml", "workers: 1\npools: { shop: { balanze: x } }\n")
                let command = try site.reload(belay)
                #expect(try command.waitForEnd() != 0)
                let said = command.errors.now + command.output.now
                #expect(said.contains { $0.contains("belay.yaml:2:18: unknown key \"balanze\"") })
                try belay.program.line(with: "belay.yaml:2:18: unknown key")
                #expect(try kept.ask("/").text == "a")
                #expect(try belay.metrics()[reloads + "{result=\"failure\"}"] == 1)
                #expect(try belay.metrics()[reloads + "{result=\"success\"}"] == 0)
            }
        }

        @Test func `SIGHUP takes the file as it is now`() throws {
            try Scenario.run { scenario in
                let site = try ReloadedSite(scenario)
                let belay = try site.start(["a"])
                let kept = try belay.connect()
                #expect(try kept.ask("/").text == "a")
                try site.write(["b"])
                belay.program.signal(SIGHUP)
                try belay.program.line(with: "settings were read again and are served")
                #expect(try kept.ask("/").text == "b")
            }
        }

        @Test func `listeners come and go, and connections of one that goes stay`() throws {
            try Scenario.run { scenario in
                let site = try ReloadedSite(scenario)
                let (first, second) = (try scenario.freePort(), try scenario.freePort())
                site.top = ["listeners: [\"127.0.0.1:\(first)\"]"]
                let belay = try site.start(["a"])
                let kept = try belay.connect()
                #expect(try kept.ask("/").text == "a")
                site.top = ["listeners: [\"127.0.0.1:\(second)\"]"]
                try site.write(["a"])
                #expect(try site.reload(belay).waitForEnd() == 0)
                #expect(throws: (any Error).self) { try Socket.connect(to: first).close() }
                #expect(try kept.ask("/").text == "a")
                let wire = Wire(try Socket.connect(to: second))
                #expect(try wire.ask("/").text == "a")
                wire.close()
                site.top = ["listeners: [\"127.0.0.1:\(first)\", \"127.0.0.1:\(second)\"]"]
                try site.write(["a"])
                #expect(try site.reload(belay).waitForEnd() == 0)
                #expect(try belay.ask().text == "a")
            }
        }

        @Test func `the access log follows: its format, its place, whether there is one`() throws {
            try Scenario.run { scenario in
                let site = try ReloadedSite(scenario)
                site.top = ["log: { access: off }"]
                let belay = try site.start(["a"])
                _ = try belay.ask("/unseen")
                site.top = ["log: { access: json, access-to: \(scenario.path("first.log")) }"]
                try site.write(["a"])
                #expect(try site.reload(belay).waitForEnd() == 0)
                _ = try belay.ask("/first")
                try look(for: "a line in JSON") {
                    scenario.text(of: "first.log").contains("\"path\":\"/first\"") ? true : nil
                }
                site.top = ["log: { access: text, access-to: \(scenario.path("second.log")) }"]
                try site.write(["a"])
                #expect(try site.reload(belay).waitForEnd() == 0)
                _ = try belay.ask("/second")
                try look(for: "a line of text") {
                    scenario.text(of: "second.log").contains("\"/second\"") ? true : nil
                }
                let all = scenario.text(of: "first.log") + scenario.text(of: "second.log")
                #expect(!all.contains("/unseen"))
                #expect(!scenario.text(of: "first.log").contains("/second"))
            }
        }

        @Test func `what can't change is told, and the rest changes`() throws {
            try Scenario.run { scenario in
                let site = try ReloadedSite(scenario)
                let belay = try site.start(["a"])
                site.top = ["workers: 2"]
                try site.write(["b"])
                let command = try site.reload(belay)
                #expect(try command.waitForEnd() == 0)
                try belay.program.line(with: "workers can't change while Belay runs")
                #expect(try belay.ask().text == "b")
                #expect(try belay.metrics()["belay_workers"] == 1)
            }
        }

        @Test func `without a file there is nothing to reload`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(starting: [
                    try belayPath(), "run", "--to", "127.0.0.1:\(server.port)",
                    "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                ])
                let command = try scenario.command([
                    "reload", "--admin", "127.0.0.1:\(belay.admin)",
                ])
                #expect(try command.waitForEnd() != 0)
                let said = command.errors.now + command.output.now
                #expect(said.contains { $0.contains("without a settings file") })
            }
        }
    }
}

/// A Belay whose file is written again and again.
final class ReloadedSite {
    let scenario: Scenario
    let servers: [RawServer]
    /// Lines at the top of the file.
    var top: [String] = []
    var pool = ["removal: now"]

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        self.servers = try ["a", "b"].map { try scenario.server($0) }
    }

    /// Writes the file with these servers.
    func write(_ names: [String]) throws {
        let file = BelayFile(
            self.servers.filter { names.contains($0.name) },
            pool: self.pool,
            top: self.top
        )
        try self.scenario.file("belay.yaml", file.text(state: self.scenario.path("state")))
    }

    func start(_ names: [String]) throws -> Belay {
        try self.write(names)
        return try self.scenario.belay(starting: [try belayPath(), "run", "belay.yaml"])
    }

    func reload(_ belay: Belay) throws -> Program {
        try self.scenario.command(["reload", "--admin", "127.0.0.1:\(belay.admin)"])
    }
}

/// Asks as fast as it is answered, on one connection as long as that is open.
final class KeptClient: Sendable {
    let answered = Watched(0)
    let ended = Watched(0)
    let mayEnd = Mutex(false)
    /// What went wrong; that Belay ends a connection with an answer does not.
    let broken = Mutex<[String]>([])
    private let number: Int
    private let port: UInt16

    init(_ number: Int, port: UInt16) {
        self.number = number
        self.port = port
    }

    func run() {
        while !self.mayEnd.withLock({ $0 }) {
            guard let socket = try? Socket.connect(to: self.port) else {
                self.broken.withLock { $0.append("\(self.number): no connection") }
                break
            }
            let wire = Wire(socket)
            self.ask(wire)
            wire.close()
        }
        self.ended.add()
    }

    private func ask(_ wire: Wire) {
        while !self.mayEnd.withLock({ $0 }) {
            let answer = try? wire.ask("/\(self.number)")
            guard let answer, !answer.isCut, answer.status == 200 else {
                self.broken.withLock { $0.append("\(self.number): no answer") }
                return
            }
            self.answered.add()
            if answer.closes { return }
        }
    }
}
