import Foundation
import Testing

extension Scenarios {
    /// Servers that stand in a file of their own.
    @Suite(.serialized) struct ServerFileTests {
        @Test(arguments: [false, true])
        func `a file that is written anew is read again, in place or by a rename`(
            byRename: Bool
        ) throws {
            try Scenario.run { scenario in
                let site = try FiledSite(scenario)
                try site.list(["a 127.0.0.1:$a", "b 127.0.0.1:$b 3 # the large one"])
                let belay = try site.start()
                try belay.wait(forStates: ["a": "ready", "b": "ready"])
                #expect(try belay.servers().map(\.weight) == [2, 3])
                let clients = try site.found.bind(10)
                #expect(Set(clients.map(\.server)) == ["a", "b"])

                try site.list(["# a new list", "", "a 127.0.0.1:$a 5", "c 127.0.0.1:$c"], byRename)
                try belay.wait(forStates: ["a": "ready", "b": "leaving", "c": "ready"])
                try belay.wait(forServers: "weights") { $0.first { $0.name == "a" }?.weight == 5 }
                for client in clients { #expect(try site.found.ask(client).text == client.server) }
                for client in try site.found.bind(4) { #expect(client.server != "b") }
            }
        }

        @Test func `a wrong line is told with its number, and changes nothing`() throws {
            try Scenario.run { scenario in
                let site = try FiledSite(scenario)
                try site.list(["a 127.0.0.1:$a", "b 127.0.0.1:$b"])
                let belay = try site.start()
                try belay.wait(forStates: ["a": "ready", "b": "ready"])
                let start = "pool shop: file servers.txt: "
                try site.list(["a 127.0.0.1:$a", "# of the new ones", "c 127.0.0.1"])
                let wrong = "line 3 is not `name address [weight]`; nothing was changed"
                try belay.program.line(with: start + wrong)
                try site.list(["a 127.0.0.1:$a", "a 127.0.0.1:$b"])
                try belay.program.line(with: start + "line 2 names a again; nothing was changed")
                try site.remove()
                try belay.program.line(with: start + "the file can't be read")
                #expect(try belay.servers().map(\.state) == ["ready", "ready"])
                try site.list(["c 127.0.0.1:$c"])
                // Nobody is bound to the others, so they are gone at once.
                try belay.wait(forStates: ["c": "ready"])
                #expect(belay.program.errors.now.count { $0.contains("servers.txt: ") } == 3)
            }
        }

        @Test func `a file that comes later is read then`() throws {
            try Scenario.run { scenario in
                let site = try FiledSite(scenario)
                let belay = try site.start()
                try belay.program.line(with: "servers.txt: the file can't be read")
                #expect(try belay.ask().status == 503)
                try site.list(["a 127.0.0.1:$a"])
                try belay.wait(forStates: ["a": "ready"])
                #expect(try belay.ask().text == "a")
            }
        }

        @Test func `a reload keeps what was found, and what an entry gave goes with it`() throws {
            try Scenario.run { scenario in
                let site = try FiledSite(scenario)
                try site.list(["a 127.0.0.1:$a", "b 127.0.0.1:$b"])
                let fixed = try scenario.server("fixed")
                let own = "{ name: fixed, address: \"127.0.0.1:\(fixed.port)\" }"
                site.found.entries.append(own)
                let belay = try site.start()
                try belay.wait(forStates: ["a": "ready", "b": "ready", "fixed": "ready"])
                let clients = try site.found.bind(10)
                #expect(Set(clients.map(\.server)) == ["a", "b", "fixed"])
                func stay() throws {
                    for client in clients {
                        #expect(try site.found.ask(client).text == client.server)
                    }
                }
                try site.found.reload()
                try stay()
                #expect(try belay.servers().allSatisfy { $0.state == "ready" })
                // The same entry with another weight is still the same entry.
                site.found.entries[0] = "{ file: servers.txt, weight: 9 }"
                try site.found.reload()
                try belay.wait(forServers: "weights") { rows in
                    rows.filter { $0.name != "fixed" }.allSatisfy { $0.weight == 9 }
                }
                try stay()
                #expect(!belay.program.errors.now.contains { $0.contains("shop/a is leaving") })
                site.found.entries = [own]
                try site.found.reload()
                try belay.wait(forStates: ["a": "leaving", "b": "leaving", "fixed": "ready"])
                try stay()
                for client in try site.found.bind(4) { #expect(client.server == "fixed") }
                site.found.entries = ["{ file: servers.txt }", own]
                try site.found.reload()
                try belay.wait(forStates: ["a": "ready", "b": "ready", "fixed": "ready"])
            }
        }
    }
}

/// A Belay whose servers stand in `servers.txt`.
private final class FiledSite {
    let found: FoundSite
    private let ports: [(name: String, port: UInt16)]

    init(_ scenario: Scenario) throws {
        self.found = try FoundSite(scenario)
        self.ports = try ["a", "b", "c"].map { ($0, try scenario.server($0).port) }
        self.found.entries = ["{ file: servers.txt, weight: 2 }"]
    }

    func start() throws -> Belay { try self.found.start() }

    /// Writes the file; `$a` stands for the port of the server a.
    func list(_ lines: [String], _ byRename: Bool = false) throws {
        var text = lines.joined(separator: "\n") + "\n"
        for (name, port) in self.ports { text = text.replacing("$\(name)", with: "\(port)") }
        let scenario = self.found.scenario
        let path = scenario.path("servers.txt")
        guard byRename else {
            if let file = FileHandle(forWritingAtPath: path) {
                try file.truncate(atOffset: 0)
                try file.write(contentsOf: Data(text.utf8))
                try file.close()
            } else {
                try scenario.file("servers.txt", text)
            }
            return
        }
        try scenario.file("servers.new", text)
        let moved = try scenario.run(["mv", "servers.new", "servers.txt"])
        #expect(try moved.waitForEnd() == 0)
    }

    func remove() throws {
        try FileManager.default.removeItem(atPath: self.found.scenario.path("servers.txt"))
    }
}
