import Foundation
import Synchronization
import Testing

extension Scenarios {
    /// Another process takes over, or the sockets are somebody else's.
    @Suite(.serialized) struct UpgradeTests {
        @Test func `an upgrade under traffic fails nothing, and tunnels stay`() throws {
            try Scenario.run { scenario in
                let site = try UpgradedSite(scenario)
                let belay = try site.start(["workers: 2"])
                let tunnel = try belay.connect()
                try tunnel.write(
                    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
                )
                #expect(try tunnel.head()?.status == 101)
                let clients = (0..<8).map { KeptClient($0, port: belay.port) }
                for client in clients { onThread { client.run() } }
                for client in clients { try client.answered.wait(for: "answers", atLeast: 20) }
                let successor = try site.upgrade(belay)
                let before = clients.map(\.answered.now)
                for (client, count) in zip(clients, before) {
                    try client.answered.wait(for: "answers of the new one", atLeast: count + 20)
                }
                for client in clients { client.mayEnd.withLock { $0 = true } }
                for client in clients { try client.ended.wait(for: "the end", atLeast: 1) }
                #expect(clients.flatMap { $0.broken.withLock { $0 } } == [])
                try tunnel.write("still there")
                #expect(try tunnel.read(11) == Array("still there".utf8))
                #expect(belay.program.isRunning)
                tunnel.close()
                try look(for: "the end of the old one") { belay.program.isRunning ? nil : true }
                #expect(kill(successor, 0) == 0)
                let wire = Wire(try Socket.connect(to: belay.port))
                #expect(try wire.ask("/").text == "a")
                wire.close()
            }
        }

        @Test func `other numbers of workers take the same sockets`() throws {
            try Scenario.run { scenario in
                let site = try UpgradedSite(scenario)
                let belay = try site.start(["workers: 1"])
                let port = belay.port
                for workers in [3, 2, 1] {
                    try site.write(["workers: \(workers)"])
                    _ = try site.upgrade(belay)
                    for _ in 0..<10 {
                        let wire = Wire(try Socket.connect(to: port))
                        #expect(try wire.ask("/").text == "a")
                        wire.close()
                    }
                }
            }
        }

        @Test func `a new process that can't serve leaves the old one serving`() throws {
            try Scenario.run { scenario in
                let site = try UpgradedSite(scenario)
                let belay = try site.start([])
                try site.write(["error-pages: /nowhere/at/all"])
                let command = try site.command(belay)
                #expect(try command.waitForEnd() != 0)
                let said = command.errors.now + command.output.now
                #expect(said.contains { $0.contains("/nowhere/at/all") })
                #expect(try belay.ask().text == "a")
                try belay.program.line(with: "this process goes on")
                // And the next attempt is one.
                try site.write([])
                _ = try site.upgrade(belay)
            }
        }

        @Test func `a restart refuses nobody where the service manager holds the socket`() throws {
            try Scenario.run { scenario in
                let site = try UpgradedSite(scenario)
                let port = try scenario.freePort()
                try site.write(["listeners: [\"127.0.0.1:\(port)\"]", "workers: 2"])
                let supervisor = try scenario.peer(
                    "service_manager.py",
                    ["\(port)", try belayPath(), "run", "belay.yaml"],
                    reads: true
                )
                try supervisor.line(with: "heard READY=1", on: supervisor.output)
                let clients = (0..<4).map { KeptClient($0, port: port) }
                for client in clients { onThread { client.run() } }
                for count in 1...3 {
                    for client in clients {
                        try client.answered.wait(for: "answers", atLeast: client.answered.now + 20)
                    }
                    try supervisor.type("again")
                    try supervisor.lines(count + 1, beginning: "heard READY=1")
                }
                for client in clients { client.mayEnd.withLock { $0 = true } }
                for client in clients { try client.ended.wait(for: "the end", atLeast: 1) }
                #expect(clients.flatMap { $0.broken.withLock { $0 } } == [])
                try supervisor.lines(3, beginning: "heard STOPPING=1")
                try supervisor.endInput()
                try supervisor.waitForEnd()
            }
        }
    }
}

/// A Belay that others take over from.
private final class UpgradedSite {
    let scenario: Scenario
    private let server: RawServer
    private var admin: UInt16 = 0

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        self.server = try scenario.server("a") { wire, server in
            while let request = try server.next(wire) {
                guard request["upgrade"] == "echo" else {
                    try wire.write(whole("a"))
                    continue
                }
                try wire.write(
                    "HTTP/1.1 101 Switching Protocols\r\n"
                        + "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n"
                )
                while true {
                    let bytes = try wire.read(1)
                    if bytes.isEmpty { return }
                    try wire.write(bytes)
                }
            }
        }
        self.admin = try scenario.freePort()
    }

    func write(_ top: [String]) throws {
        let file = BelayFile([self.server], top: top + ["admin: \"127.0.0.1:\(self.admin)\""])
        try self.scenario.file("belay.yaml", file.text(state: self.scenario.path("state")))
    }

    func start(_ top: [String]) throws -> Belay {
        try self.write(top)
        return try self.scenario.belay(starting: [try belayPath(), "run", "belay.yaml"])
    }

    func command(_ belay: Belay) throws -> Program {
        try self.scenario.command(["upgrade", "--admin", "127.0.0.1:\(self.admin)"])
    }

    /// Has another process take over; its number. It has the admin address then.
    func upgrade(_ belay: Belay) throws -> Int32 {
        let seen = belay.program.errors.now.count { $0.contains("admin on http") }
        let command = try self.command(belay)
        #expect(try command.waitForEnd() == 0)
        let words = command.output.now.joined(separator: " ").split(separator: " ")
        let pid = try #require(words.compactMap { Int32($0) }.first)
        self.scenario.adopt(pid)
        _ = try belay.program.errors.wait(for: "the admin address of the new one") { lines in
            lines.count { $0.contains("admin on http") } > seen ? true : nil
        }
        return pid
    }
}
