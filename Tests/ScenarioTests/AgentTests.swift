import Foundation
import Testing

extension Scenarios {
    /// Servers that say themselves how they are.
    @Suite(.serialized) struct AgentTests {
        @Test func `an agent's words hold until it says something else`() throws {
            try Scenario.run { scenario in
                let site = try AgentSite(scenario)
                site.say("100%\n")
                let belay = try site.start()
                try belay.wait(forServers: "an agent") { $0[0].agent?.good == true }
                let clients = try (0..<4).map { _ in try belay.ask() }
                #expect(Set(clients.map(\.text)) == ["one", "two"])
                func stay() throws {
                    for client in clients {
                        let cookie = try #require(client.setCookie)
                        let answer = try belay.ask(fields: ["Cookie: \(cookie)"])
                        #expect(answer.text == client.text)
                    }
                }

                site.say("75%\n")
                try belay.wait(forServers: "three quarters") { $0[0].weight == 6 }
                #expect(try belay.servers()[0].agent?.said == "75%")

                site.say("drain")
                try belay.wait(forServers: "draining") { $0[0].state == "draining" }
                // A word about the state says nothing about the weight.
                #expect(try belay.servers()[0].weight == 6)
                try stay()
                for _ in 0..<4 { #expect(try belay.ask().text == "two") }

                site.say("maint # for the night\n")
                try belay.wait(forServers: "maintenance") { $0[0].state == "maintenance" }
                for _ in 0..<4 { #expect(try belay.ask().text == "two") }

                site.say("ready 100%\n")
                try belay.wait(forServers: "ready") { $0[0].state == "ready" }
                #expect(try belay.servers()[0].weight == 8)
                try stay()

                site.say("down # disk full\n")
                try belay.wait(for: "one", toBe: "down")
                try belay.program.line(with: "shop/one is down: its agent says so")
                for _ in 0..<4 { #expect(try belay.ask().text == "two") }
                // Checks find nothing wrong with it, and that does not bring it up.
                #expect(try belay.servers()[0].check?.good == true)

                site.say("up\n")
                try belay.wait(forServers: "up") { $0[0].health != "down" }
                #expect(try belay.servers()[0].agent?.said == "up")
            }
        }

        @Test func `an agent that can't be asked leaves its last word, and is told once`() throws {
            try Scenario.run { scenario in
                let site = try AgentSite(scenario)
                site.say("drain\n")
                let belay = try site.start()
                try belay.wait(forServers: "draining") { $0[0].state == "draining" }
                site.say("")
                let line = "shop/one: its agent can't be asked, and what it said last holds: "
                try belay.program.line(
                    with: line + "it closed the connection and said nothing"
                )
                site.agent.stop()
                try belay.wait(forServers: "a refusal") { rows in
                    rows[0].agent?.reason?.hasPrefix("cannot connect") == true
                }
                let row = try belay.servers()[0]
                #expect(row.state == "draining" && row.agent?.said == "drain")
                // That of the other server was never there.
                try belay.program.line(with: "shop/two: its agent can't be asked")
                let told = belay.program.errors.now.count {
                    $0.contains("its agent can't be asked")
                }
                #expect(told == 2)
            }
        }

        @Test func `a word that nobody knows is told`() throws {
            try Scenario.run { scenario in
                let site = try AgentSite(scenario)
                site.say("sideways\n")
                let belay = try site.start()
                try belay.program.line(
                    with: "shop/one: it says \"sideways\", which is no word that Belay knows"
                )
                #expect(try belay.servers()[0].state == "ready")
            }
        }

        @Test func `a field of a check's answer has the same words`() throws {
            try Scenario.run { scenario in
                let word = Watched("up 100%")
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        let fields = request.target == "/healthz" ? ["X-State: \(word.now)"] : []
                        try wire.write(whole(server.name, fields: fields))
                    }
                }
                let other = try scenario.server("b")
                let belay = try scenario.belay(
                    [server, other],
                    pool: ["health: { path: /healthz, agent-header: X-State, \(often) }"]
                )
                try belay.wait(forServers: "a word") { $0[0].check?.said == "up 100%" }
                word.change { $0 = "drain" }
                try belay.wait(forServers: "draining") { $0[0].state == "draining" }
                for _ in 0..<4 { #expect(try belay.ask("/x").text == "b") }
                word.change { $0 = "ready, down" }
                try belay.program.line(with: "shop/a is down: it says that it is down")
                word.change { $0 = "up" }
                try belay.program.line(with: "shop/a is up again")
                // One that says nothing is as it was.
                let row = try belay.servers()[1]
                #expect(row.check?.good == true && row.check?.said == nil)
                #expect(try belay.servers().map(\.state) == ["ready", "ready"])
            }
        }
    }
}

/// Two servers, the first of which has an agent beside it.
private final class AgentSite {
    let scenario: Scenario
    let agent: RawServer
    private let word: Watched<String>

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        let word = Watched("")
        self.word = word
        self.agent = try scenario.server("agent") { wire, _ in try wire.write(word.now) }
    }

    func say(_ text: String) { self.word.change { $0 = text } }

    /// An agent's port is that of all servers of a pool, each at its own address.
    func start() throws -> Belay {
        let one = try self.scenario.server("one")
        let two = try self.scenario.server("two", at: 0x7F00_0002)
        var file = BelayFile(
            pool: [
                "persistence: { cookie: {} }", "slow-start: off",
                "health: { \(often), agent: { port: \(self.agent.port), interval: 100ms } }",
            ]
        )
        file.entries = [
            "{ name: one, address: \"127.0.0.1:\(one.port)\", weight: 8 }",
            "{ name: two, address: \"127.0.0.2:\(two.port)\", weight: 8 }",
        ]
        return try self.scenario.belay(file)
    }
}
