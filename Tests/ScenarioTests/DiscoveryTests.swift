import Foundation
import Testing

extension Scenarios {
    /// Servers that come from the domain name system.
    @Suite(.serialized) struct DiscoveryTests {
        @Test func `a name's addresses are servers, and come and go with its answers`() throws {
            try Scenario.run { scenario in
                let site = try FoundSite(scenario)
                let pair = try site.pair()
                site.names.host("shop.test", ["127.0.0.1", "127.0.0.2"])
                site.entries = ["{ dns: shop.test, port: \(pair.port), weight: 7 }"]
                let belay = try site.start()
                try belay.wait(forStates: [pair.one: "ready", pair.two: "ready"])
                #expect(try belay.servers().map(\.weight) == [7, 7])
                let clients = try site.bind(8)
                #expect(clients.filter { $0.server == "two" }.count == 4)

                site.names.host("shop.test", ["127.0.0.1"])
                try belay.wait(forStates: [pair.one: "ready", pair.two: "leaving"])
                for client in clients { #expect(try site.ask(client).text == client.server) }
                for client in try site.bind(4) { #expect(client.server == "one") }

                site.names.host("shop.test", ["127.0.0.2", "127.0.0.1"])
                try belay.wait(forStates: [pair.one: "ready", pair.two: "ready"])
                for client in clients { #expect(try site.ask(client).text == client.server) }
                for client in try site.bind(4) { #expect(client.server == "two") }
            }
        }

        @Test func `a record is asked for again when its time is over, an alias's too`() throws {
            try Scenario.run { scenario in
                let site = try FoundSite(scenario)
                let pair = try site.pair()
                // An address that is good for an hour, behind an alias that is for a second.
                let first = NameServer.Record.a("127.0.0.1").owned(by: "web.test")
                site.names.say("kept.test", .a, .records([.a("127.0.0.1")], ttl: 3600))
                site.names.say("shop.test", .a, .records([.alias("web.test"), first], ttl: 1))
                site.entries = ["kept.test", "shop.test"].map {
                    "{ dns: \($0), port: \(pair.port) }"
                }
                let belay = try site.start()
                try belay.wait(forStates: [pair.one: "ready"])
                let second = NameServer.Record.a("127.0.0.2").owned(by: "other.test")
                site.names.say("shop.test", .a, .records([.alias("other.test"), second], ttl: 1))
                // The other entry still gives the first.
                try belay.wait(forStates: [pair.one: "ready", pair.two: "ready"])
                let asked = site.names.questions.now.filter { $0 == .init("kept.test", .a) }
                #expect(asked.count == 1)
            }
        }

        @Test func `a service gives ports and weights, of the first priority alone`() throws {
            try Scenario.run { scenario in
                let site = try FoundSite(scenario)
                let servers = try ["a", "b", "c"].map { try scenario.server($0) }
                let ports = servers.map(\.port)
                let rows = servers.map { "127.0.0.1:\($0.port)" }
                site.names.host("web.test", ["127.0.0.1"], ttl: 60)
                func say(_ records: [(server: Int, priority: UInt16, weight: UInt16)]) {
                    site.names.service(
                        "_http._tcp.shop.test",
                        records.map {
                            .srv(
                                "web.test",
                                ports[$0.server],
                                priority: $0.priority,
                                weight: $0.weight
                            )
                        }
                    )
                }
                func wait(_ weights: [Int: Int], _ belay: Belay) throws {
                    let wanted = Dictionary(
                        uniqueKeysWithValues: weights.map { (rows[$0.key], $0.value) }
                    )
                    try belay.wait(forServers: "weights of \(wanted)") { found in
                        let ready = found.filter { $0.state == "ready" }
                        return Dictionary(uniqueKeysWithValues: ready.map { ($0.name, $0.weight) })
                            == wanted
                    }
                }
                say([(0, 10, 30), (1, 10, 10), (2, 20, 99)])
                site.entries = ["{ srv: _http._tcp.shop.test, max-connections: 40 }"]
                let belay = try site.start()
                try wait([0: 30, 1: 10], belay)
                let clients = try site.bind(8)
                #expect(clients.filter { $0.server == "a" }.count == 6)
                // Weights of 0 alone are even ones.
                say([(0, 10, 0), (1, 10, 0)])
                try wait([0: 1, 1: 1], belay)
                // Those that were first are gone, and the others' time has come.
                say([(2, 20, 99)])
                try wait([2: 99], belay)
                for client in clients { #expect(try site.ask(client).text == client.server) }
                for client in try site.bind(2) { #expect(client.server == "c") }
            }
        }

        @Test func `what can't be resolved changes nothing, and is told once`() throws {
            try Scenario.run { scenario in
                let site = try FoundSite(scenario)
                let pair = try site.pair()
                let failures: [(String, NameServer.Answer)] = [
                    ("none.test", .nameError), ("broken.test", .failure), ("mute.test", .silence),
                    ("empty.test", .records([], ttl: 1)),
                ]
                for (name, _) in failures { site.names.host(name, ["127.0.0.1"]) }
                site.entries = failures.map { "{ dns: \($0.0), port: \(pair.port) }" }
                site.resolver = "timeout: 1s, attempts: 1"
                let belay = try site.start()
                try belay.wait(forStates: [pair.one: "ready"])
                for (name, answer) in failures { site.names.say(name, answer) }
                func told(_ name: String) -> Int {
                    belay.program.errors.now.count {
                        $0.contains("pool shop: dns \(name):\(pair.port): the name can't be")
                    }
                }
                try site.names.wait(for: .init("mute.test", .a), more: 2)
                for (name, _) in failures {
                    try look(for: "a line about \(name)") { told(name) > 0 ? true : nil }
                }
                try site.names.wait(for: .init("mute.test", .a))
                #expect(failures.map { told($0.0) } == [1, 1, 1, 1])
                #expect(try belay.servers().map(\.state) == ["ready"])
                #expect(try belay.ask().text == "one")
                // It goes on as if nothing had been.
                site.names.host("mute.test", ["127.0.0.2"])
                try belay.wait(forStates: [pair.one: "ready", pair.two: "ready"])
            }
        }

        @Test func `addresses of one family stay while nobody can say whether there are any`()
            throws
        {
            try Scenario.run { scenario in
                let site = try FoundSite(scenario)
                let port = try scenario.server("one").port
                let rows = ["127.0.0.1:\(port)", "[::1]:\(port)"]
                site.names.host("shop.test", ["127.0.0.1"])
                site.names.say("shop.test", .aaaa, .records([.loopbackV6], ttl: 1))
                site.entries = ["{ dns: shop.test, port: \(port) }"]
                site.resolver = "timeout: 1s, attempts: 1"
                let belay = try site.start()
                try belay.wait(forStates: [rows[0]: "ready", rows[1]: "ready"])
                site.names.say("shop.test", .aaaa, .failure)
                try belay.program.line(with: "shop.test: its IPv6 addresses can't be resolved")
                #expect(try belay.servers().map(\.state) == ["ready", "ready"])
                site.names.say("shop.test", .aaaa, .records([], ttl: 1))
                // Nobody is bound to it, so it is gone at once.
                try belay.wait(forStates: [rows[0]: "ready"])
            }
        }

        @Test func `an answer that is too long for a datagram comes over TCP`() throws {
            try Scenario.run { scenario in
                let site = try FoundSite(scenario)
                let servers = try ["a", "b"].map { try scenario.server($0) }
                // Some hundred records, most of them for later.
                let later = (1...300).map { NameServer.Record.srv("late.test", $0, priority: 9) }
                let now = servers.map { NameServer.Record.srv("web.test", $0.port) }
                site.names.host("web.test", ["127.0.0.1"])
                site.names.say("_http._tcp.shop.test", .srv, .overTCP(later + now, ttl: 1))
                site.entries = ["{ srv: _http._tcp.shop.test }"]
                let belay = try site.start()
                let names = servers.map { "127.0.0.1:\($0.port)" }
                try belay.wait(forStates: [names[0]: "ready", names[1]: "ready"])
                let asked = site.names.questions.now.filter { $0.name == "_http._tcp.shop.test" }
                #expect(Set(asked.map(\.isTCP)) == [true, false])
            }
        }

        @Test func `the next DNS server is asked where one is silent, over IPv6 too`() throws {
            try Scenario.run { scenario in
                let site = try FoundSite(scenario)
                let second = try scenario.nameServer(isV6: true)
                let server = try scenario.server("one")
                site.names.say("shop.test", .silence)
                second.host("shop.test", ["127.0.0.1"])
                site.entries = ["{ dns: shop.test, port: \(server.port) }"]
                site.servers = "\"127.0.0.1:\(site.names.port)\", \"[::1]:\(second.port)\""
                site.resolver = "timeout: 1s"
                let belay = try site.start()
                try belay.wait(forStates: ["127.0.0.1:\(server.port)": "ready"])
                #expect(site.names.questions.now.contains(.init("shop.test", .a)))
            }
        }

        @Test func `other DNS servers are asked at once after a reload`() throws {
            try Scenario.run { scenario in
                let site = try FoundSite(scenario)
                let pair = try site.pair()
                let second = try scenario.nameServer()
                site.names.host("shop.test", ["127.0.0.1"], ttl: 3600)
                second.host("shop.test", ["127.0.0.2"], ttl: 3600)
                site.entries = ["{ dns: shop.test, port: \(pair.port) }"]
                let belay = try site.start()
                try belay.wait(forStates: [pair.one: "ready"])
                site.servers = "\"127.0.0.1:\(second.port)\""
                try site.reload()
                try belay.wait(forStates: [pair.two: "ready"])
            }
        }

        @Test func `after a restart what was found is there before a name is resolved again`()
            throws
        {
            try Scenario.run { scenario in
                let site = try FoundSite(scenario)
                let pair = try site.pair()
                site.names.host("shop.test", ["127.0.0.1", "127.0.0.2"])
                site.entries = ["{ dns: shop.test, port: \(pair.port) }"]
                let belay = try site.start()
                let ready = [pair.one: "ready", pair.two: "ready"]
                try belay.wait(forStates: ready)
                let clients = try site.bind(4)
                #expect(Set(clients.map(\.server)) == ["one", "two"])
                site.names.say("shop.test", .silence)
                #expect(try belay.stop() == 0)
                let again = try site.start()
                for client in clients { #expect(try site.ask(client).text == client.server) }
                try again.wait(forStates: ready)
            }
        }

        @Test func `the host name of a server is asked for there too, then of the system`() throws {
            try Scenario.run { scenario in
                let site = try FoundSite(scenario)
                let pair = try site.pair()
                site.names.host("web.test", ["127.0.0.2"])
                site.entries = [
                    "{ name: web, address: \"web.test:\(pair.port)\" }",
                    "{ name: own, address: \"localhost:\(pair.port)\" }",
                ]
                let belay = try site.start()
                let rows = try belay.servers()
                #expect(rows.map(\.address) == [pair.two, pair.one])
            }
        }
    }
}

/// A Belay whose servers are found.
final class FoundSite {
    let scenario: Scenario
    let names: NameServer
    /// Entries of the pool's servers.
    var entries: [String] = []
    /// Without slow start, so that newcomers are counted.
    var pool = ["persistence: { cookie: {} }", "slow-start: off"]
    /// Who is asked; nil: the site's own.
    var servers: String?
    /// Settings of `resolver` beside its servers.
    var resolver = ""
    private var running: Belay?

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        self.names = try scenario.nameServer()
    }

    /// Two servers of one port, at two addresses of this machine; what they are called when they
    /// are found.
    func pair() throws -> (port: UInt16, one: String, two: String) {
        for _ in 0..<20 {
            let port = try self.scenario.server("one").port
            if (try? self.scenario.server("two", port: port, at: 0x7F00_0002)) != nil {
                return (port, "127.0.0.1:\(port)", "127.0.0.2:\(port)")
            }
        }
        throw Watched<Int>.TimedOut(description: "no port for two servers")
    }

    func write() throws {
        let servers = self.servers ?? "\"127.0.0.1:\(self.names.port)\""
        let more = self.resolver.isEmpty ? "" : ", " + self.resolver
        var file = BelayFile(pool: self.pool, top: ["resolver: { servers: [\(servers)]\(more) }"])
        file.entries = self.entries
        try self.scenario.file("belay.yaml", file.text(state: self.scenario.path("state")))
    }

    @discardableResult
    func start() throws -> Belay {
        try self.write()
        let belay = try self.scenario.belay(starting: [try belayPath(), "run", "belay.yaml"])
        self.running = belay
        return belay
    }

    var belay: Belay {
        get throws { try #require(self.running) }
    }

    func reload() throws {
        try self.write()
        let command = try self.scenario.command([
            "reload", "--admin", "127.0.0.1:\(self.belay.admin)",
        ])
        #expect(try command.waitForEnd() == 0, "\(command.errors.now)")
    }

    /// So many new clients.
    func bind(_ count: Int) throws -> [FoundClient] {
        try (0..<count).map { _ in
            let answer = try self.belay.ask()
            return FoundClient(cookie: try #require(answer.setCookie), server: answer.text)
        }
    }

    func ask(_ client: FoundClient) throws -> Message {
        try self.belay.ask(fields: ["Cookie: \(client.cookie)"])
    }
}

/// A client and the server that it was bound to first.
struct FoundClient {
    let cookie: String
    let server: String
}
