import Foundation
import Testing

private let server = "persistence: { cookie: {} }"
private let shared = ["sessions: shared", "persistence: { cookie: {} }"]

extension Scenarios {
    /// Servers are emptied on purpose: with the commands, as an operator does it.
    @Suite(.serialized) struct DrainTests {
        @Test func `bound clients stay, newcomers go elsewhere, and undo takes it back`() throws {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b"], pool: [server])
                let clients = try site.bind(8)
                #expect(clients.filter { $0.server == "a" }.count == 4)
                let begun = try site.command(["drain", "a", "--deadline", "30m"])
                #expect(begun.contains("shop/a: draining"))
                #expect(begun.contains("  bound clients         4 of 4"))
                #expect(begun.contains("  would lose a session  4"))
                for client in try site.bind(4) { #expect(client.server == "b") }
                for client in clients { #expect(try site.ask(client).text == client.server) }
                #expect(try site.command(["servers"]).contains { $0.contains("4 of 4 left") })
                let again = try site.command(["drain", "a"])
                #expect(again.contains("  bound clients         4 of 4"))
                let undone = try site.command(["drain", "a", "--undo"])
                #expect(undone == ["shop/a is drained no more: it takes newcomers"])
                for client in try site.bind(4) { #expect(client.server == "a") }
                let nobody = try site.refused(["drain", "a", "--undo"])
                #expect(nobody == ["belay drain: no drain of shop/a is under way"])
            }
        }

        @Test func `at the deadline those who are left move once, are told, and tunnels end`()
            throws
        {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b"], pool: [server])
                let clients = try site.bind(8).filter { $0.server == "a" }
                let tunnel = try site.belay.connect()
                try tunnel.write(
                    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"
                        + "Cookie: \(clients[0].cookie)\r\n\r\n"
                )
                #expect(try tunnel.head()?.status == 101)
                let waiting = try scenario.start(
                    [try belayPath(), "drain", "a", "--deadline", "2s", "--wait"] + site.admin
                )
                for client in clients { #expect(try site.ask(client).text == "a") }
                #expect(try waiting.waitForEnd() == 0)
                #expect(waiting.text.contains("the deadline has come"))
                for client in clients {
                    let answer = try site.ask(client)
                    #expect(answer.text == "b")
                    let moved = try #require(site.server("b").requests.now.last)
                    #expect(moved["belay-session-moved"] == "from=a; reason=drain")
                    let next = try #require(answer.setCookie)
                    #expect(try site.belay.ask(fields: ["Cookie: \(next)"]).text == "b")
                    let stayed = try #require(site.server("b").requests.now.last)
                    #expect(stayed["belay-session-moved"] == nil)
                }
                #expect(try tunnel.readToEnd() == "")
                let servers = try site.command(["servers"])
                #expect(servers.contains { $0.contains(" a ") && $0.contains("maintenance") })
                // A later deadline lets its clients come back.
                _ = try site.command(["drain", "a", "--deadline", "30m"])
                #expect(try site.ask(clients[0]).text == "a")
            }
        }

        @Test func `with shared sessions clients move at the rate, each with its next request`()
            throws
        {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b", "c"], pool: shared)
                let clients = try site.bind(30).filter { $0.server == "a" }
                #expect(clients.count == 10)
                let begun = try site.command(["drain", "a", "--rate", "100/s"])
                #expect(begun.contains("  would lose a session  0"))
                #expect(begun.contains("  moving                100 a second"))
                let waiting = try scenario.start(
                    [try belayPath(), "drain", "a", "--wait", "--json"] + site.admin
                )
                var homes: [String: Int] = [:]
                for client in clients {
                    // Until its turn has come it is served where it was.
                    let answer = try look(for: "a client's turn") {
                        let answer = try site.ask(client)
                        return answer.text == "a" ? nil : answer
                    }
                    homes[answer.text, default: 0] += 1
                    let cookie = try #require(answer.setCookie)
                    #expect(try site.belay.ask(fields: ["Cookie: \(cookie)"]).text == answer.text)
                }
                // Level, as newcomers are.
                #expect(homes == ["b": 5, "c": 5])
                #expect(try waiting.waitForEnd() == 0)
                #expect(waiting.text.contains("\"phase\":\"empty\""))
                let told = site.servers.flatMap { $0.requests.now }
                    .filter { $0["belay-session-moved"] == "from=a; reason=drain" }
                #expect(told.count == 10)
            }
        }

        @Test func `requests of one client beside each other move to one server`() throws {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b", "c", "d"], pool: shared)
                let clients = try site.bind(40).filter { $0.server == "a" }
                _ = try site.command(["drain", "a", "--rate", "1000/s"])
                for client in clients {
                    let wires = try (0..<6).map { _ in try site.belay.connect() }
                    let request = "GET / HTTP/1.1\r\nHost: a\r\nCookie: \(client.cookie)\r\n\r\n"
                    for wire in wires { try wire.write(request) }
                    // Some may have been judged before the client's turn came; nobody is sent to
                    // two.
                    let names = Set(try wires.map { try $0.answer().text }).subtracting(["a"])
                    #expect(names.count <= 1)
                    for wire in wires { wire.close() }
                }
            }
        }

        @Test func `nobody is moved at a rate whose session would be lost`() throws {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b"], pool: [server])
                let said = try site.refused(["drain", "a", "--rate", "50/s"])
                #expect(
                    said == [
                        "belay drain: pool shop has \"sessions: server\": a client that moves "
                            + "loses "
                            + "its session, so none is moved at a rate"
                    ]
                )
                #expect(
                    try site.refused(["drain", "x"]).first?.contains("no server \"x\"") == true
                )
                #expect(try site.command(["servers"]).allSatisfy { !$0.contains("draining") })
            }
        }

        @Test func `nobody is turned away when no other server can have him`() throws {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b"], pool: shared)
                let clients = try site.bind(4).filter { $0.server == "a" }
                _ = try site.command(["server", "set", "b", "--state", "maintenance"])
                _ = try site.command(["drain", "a", "--rate", "1000/s"])
                for _ in 0..<3 {
                    for client in clients {
                        let answer = try site.ask(client)
                        #expect(answer.status == 200 && answer.text == "a")
                        // A tenth of a second lets everybody have a turn.
                        _ = try site.command(["servers"])
                    }
                }
            }
        }

        @Test(arguments: [SIGTERM, SIGKILL])
        func `a drain goes on after a restart, paused if it was`(signal: Int32) throws {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b"], pool: [server])
                let clients = try site.bind(4)
                _ = try site.command(["drain", "a", "--deadline", "1h"])
                let paused = try site.command(["drain", "a", "--pause"])
                #expect(
                    paused.first
                        == "shop/a: the drain is paused; it takes no newcomers all the same"
                )
                try site.restart(signal)
                for client in try site.bind(4) { #expect(client.server == "b") }
                for client in clients { #expect(try site.ask(client).text == client.server) }
                let resumed = try site.command(["drain", "a", "--resume"])
                #expect(resumed.first == "shop/a: draining")
                #expect(resumed.contains("  bound clients         2 of 2"))
                _ = try site.command(["drain", "a", "--undo"])
                try site.restart(signal)
                for client in try site.bind(2) { #expect(client.server == "a") }
            }
        }

        @Test func `a server that was taken from the file keeps its clients over a restart`() throws
        {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b"], pool: [server])
                let clients = try site.bind(4)
                try site.write(["b"])
                _ = try site.command(["reload"])
                #expect(try site.command(["servers"]).contains { $0.contains("leaving") })
                try site.restart(SIGTERM)
                for client in clients { #expect(try site.ask(client).text == client.server) }
                for client in try site.bind(4) { #expect(client.server == "b") }
                let said = try site.refused(["drain", "a", "--undo"])
                #expect(said.first?.contains("put it back there") == true)
                // It is back: its drain is none any more.
                try site.write(["a", "b"])
                _ = try site.command(["reload"])
                #expect(
                    try site.refused(["drain", "a", "--undo"]).first?.contains("no drain") == true
                )
                for client in clients { #expect(try site.ask(client).text == client.server) }
                // At once: each moves, once.
                _ = try site.command(["server", "remove", "a", "--now"])
                for client in clients {
                    let answer = try site.ask(client)
                    #expect(answer.text == "b")
                }
                #expect(try site.command(["servers"]).allSatisfy { !$0.contains(" a ") })
            }
        }

        @Test func `a state directory that can't be written is told, and the drain goes on`() throws
        {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b"], pool: [server])
                try FileManager.default.createDirectory(
                    atPath: scenario.path("state/drains.json.new"),
                    withIntermediateDirectories: true
                )
                let begun = try site.command(["drain", "a"])
                #expect(
                    begun.first == "shop/a: draining"
                        || begun.first?.hasPrefix("shop/a: empty") == true
                )
                try site.belay.program.line(with: "drains can't be written")
                let page = try site.belay.adminPage("/readyz")
                #expect(page.status == 200)
                #expect(page.text.contains("drains can't be written"))
                try FileManager.default.removeItem(atPath: scenario.path("state/drains.json.new"))
                try site.belay.program.line(with: "drains are written again")
                #expect(scenario.text(of: "state/drains.json").contains("\"server\" : \"a\""))
            }
        }
    }

    /// Pools are levelled, and clients moved, one by one.
    @Suite(.serialized) struct RebalanceTests {
        @Test func `after scaling out a shared pool moves no more clients than it must`() throws {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b", "c"], pool: shared)
                try site.write(["a", "b"])
                _ = try site.command(["reload"])
                let clients = try site.bind(60)
                try site.write(["a", "b", "c"])
                _ = try site.command(["reload"])
                let said = try site.command([
                    "rebalance", "shop", "--goal", "1", "--rate", "1000/s",
                ])
                #expect(
                    said[0] == "shop: the fullest server has 1.5 times its share of bound clients"
                )
                #expect(
                    said[1].hasPrefix("20 clients move with their next requests, 1000 a second")
                )
                var moved = 0
                try look(for: "the goal") {
                    for client in clients {
                        let answer = try site.ask(client)
                        if answer.text != client.server { moved += 1 }
                        if let cookie = answer.setCookie { client.cookie = cookie }
                        client.server = answer.text
                    }
                    let lines = site.belay.program.errors.now
                    return lines.contains { $0.contains("pool shop is level") } ? true : nil
                }
                #expect(moved == 20)
                #expect(
                    Dictionary(grouping: clients, by: \.server).mapValues(\.count) == [
                        "a": 20, "b": 20, "c": 20,
                    ]
                )
                let told = site.server("c").requests.now.compactMap { $0["belay-session-moved"] }
                #expect(told.count == 20 && told.allSatisfy { $0.hasSuffix("reason=rebalance") })
                let again = try site.command(["rebalance", "shop"])
                #expect(again[1] == "The servers are level already.")
                #expect(
                    try site.command(["rebalance", "shop", "--stop"]) == ["Nobody was being moved."]
                )
            }
        }

        @Test func `where sessions live in their servers nobody moves, and it says so`() throws {
            try Scenario.run { scenario in
                let site = try DrainedSite(
                    scenario,
                    ["a", "b"],
                    pool: [server, "slow-start: off"]
                )
                try site.write(["a"])
                _ = try site.command(["reload"])
                let clients = try site.bind(4)
                try site.write(["a", "b"])
                _ = try site.command(["reload"])
                let said = try site.command(["rebalance", "shop"])
                #expect(said[1].hasPrefix("Nobody is moved: this pool has \"sessions: server\""))
                #expect(
                    said[1].hasSuffix("Newcomers go to the emptiest servers until they are level.")
                )
                for client in clients { #expect(try site.ask(client).text == "a") }
                for client in try site.bind(4) { #expect(client.server == "b") }
            }
        }

        @Test func `one client is found, moved and forgotten`() throws {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b"], pool: [server])
                let client = try site.bind(1)[0]
                let other = client.server == "a" ? "b" : "a"
                let list = try site.command(["bindings", "list", "--pool", "shop"])
                #expect(list.count == 2 && list[1] == "1 binding in all")
                let found = try site.command([
                    "bindings", "find", "--pool", "shop", "--way", "cookie", "--value",
                    client.cookie,
                ])
                #expect(found.count == 1)
                let key = try #require(found[0].split(separator: " ").first.map { String($0) })
                #expect(list[0].hasPrefix(key + "  cookie  \(client.server)  "))
                _ = try site.command(["bindings", "move", "--pool", "shop", key, "--to", other])
                let answer = try site.ask(client)
                #expect(answer.text == other)
                let seen = try #require(site.server(other).requests.now.last)
                #expect(seen["belay-session-moved"] == "from=\(client.server); reason=request")
                client.cookie = try #require(answer.setCookie)
                #expect(try site.ask(client).text == other)
                _ = try site.command(["bindings", "forget", "--pool", "shop", key])
                #expect(
                    try site.refused(["bindings", "forget", "--pool", "shop", key])
                        == ["belay bindings forget: no such binding"]
                )
                let none = try site.refused([
                    "bindings", "find", "--pool", "shop", "--way", "cookie", "--value", "belay=x",
                ])
                #expect(none == ["belay bindings find: nobody with that value is bound"])
            }
        }

        @Test func `servers come, change and go by command, and reloads and restarts keep that`()
            throws
        {
            try Scenario.run { scenario in
                let site = try DrainedSite(scenario, ["a", "b", "c"], pool: [server])
                try site.write(["a", "b"])
                _ = try site.command(["reload"])
                let address = "127.0.0.1:\(site.server("c").port)"
                #expect(
                    try site.command(["server", "add", "shop", address, "--name", "x"]) == [
                        "shop/x is added."
                    ]
                )
                let twice = try site.refused(["server", "add", "shop", address, "--name", "x"])
                #expect(twice == ["belay server add: there is a server shop/x already"])
                _ = try site.command(["server", "set", "a", "--weight", "0"])
                #expect(
                    try site.command(["server", "set", "shop/b", "--state", "draining"])
                        == ["shop/b is draining."]
                )
                _ = try site.command(["reload"])
                for client in try site.bind(4) { #expect(client.server == "c") }
                for signal in [SIGTERM, SIGKILL] {
                    try site.restart(signal)
                    try site.belay.program.line(with: "servers differ from the file")
                    for client in try site.bind(2) { #expect(client.server == "c") }
                }
                let wrong = try site.refused([
                    "server", "set", "a", "--weight", "1", "--state", "off",
                ])
                #expect(
                    wrong.first?.contains("state must be ready, draining or maintenance") == true
                )
                let table = try site.command(["servers", "shop"])
                #expect(table.contains { $0.contains(" a ") && $0.contains("      0  ") })
                #expect(try site.command(["server", "remove", "x", "--now"]).count == 1)
                _ = try site.command(["server", "remove", "b", "--now"])
                let last = try site.refused(["server", "remove", "a"])
                #expect(last == ["belay server remove: it is the pool's last server"])
            }
        }
    }
}

/// A client with the cookie that binds it.
private final class BoundClient {
    var cookie: String
    var server: String

    init(cookie: String, server: String) {
        self.cookie = cookie
        self.server = server
    }
}

/// A pool whose servers come and go, and the commands that an operator has.
private final class DrainedSite {
    let scenario: Scenario
    let servers: [RawServer]
    private let pool: [String]
    private(set) var belay: Belay

    init(_ scenario: Scenario, _ names: [String], pool: [String]) throws {
        self.scenario = scenario
        self.pool = pool
        self.servers = try names.map { name in
            try scenario.server(name) { wire, server in
                while let request = try server.next(wire) {
                    if request["upgrade"] != nil {
                        try wire.write(
                            "HTTP/1.1 101 Switching Protocols\r\n"
                                + "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n"
                        )
                        while try !wire.read(1).isEmpty {}
                        return
                    }
                    try wire.write(whole(server.name))
                }
            }
        }
        try Self.write(names, servers, pool, scenario)
        self.belay = try scenario.belay(starting: [try belayPath(), "run", "belay.yaml"])
    }

    var admin: [String] { ["--admin", "127.0.0.1:\(self.belay.admin)"] }

    func server(_ name: String) -> RawServer {
        guard let server = self.servers.first(where: { $0.name == name }) else {
            preconditionFailure("a server of that name")
        }
        return server
    }

    func write(_ names: [String]) throws {
        try Self.write(names, self.servers, self.pool, self.scenario)
    }

    private static func write(
        _ names: [String],
        _ servers: [RawServer],
        _ pool: [String],
        _ scenario: Scenario
    ) throws {
        let file = BelayFile(servers.filter { names.contains($0.name) }, pool: pool)
        try scenario.file("belay.yaml", file.text(state: scenario.path("state")))
    }

    func restart(_ signal: Int32) throws {
        self.belay.program.signal(signal)
        _ = try self.belay.program.waitForEnd()
        self.belay = try self.scenario.belay(starting: [try belayPath(), "run", "belay.yaml"])
    }

    /// So many new clients.
    func bind(_ count: Int) throws -> [BoundClient] {
        try (0..<count).map { _ in
            let answer = try self.belay.ask()
            return BoundClient(cookie: try #require(answer.setCookie), server: answer.text)
        }
    }

    func ask(_ client: BoundClient) throws -> Message {
        try self.belay.ask(fields: ["Cookie: \(client.cookie)"])
    }

    /// What a command prints, which must succeed.
    func command(_ arguments: [String]) throws -> [String] {
        let program = try self.scenario.command(arguments + self.admin)
        #expect(try program.waitForEnd() == 0, "\(arguments): \(program.errors.now)")
        return program.output.now
    }

    /// What a command complains of, which must fail.
    func refused(_ arguments: [String]) throws -> [String] {
        let program = try self.scenario.command(arguments + self.admin)
        #expect(try program.waitForEnd() == 1, "\(arguments): \(program.output.now)")
        #expect(program.output.now.isEmpty)
        return program.errors.now
    }
}
