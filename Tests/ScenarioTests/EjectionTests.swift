import Foundation
import Testing

extension Scenarios {
    /// Servers that are judged by the requests of clients.
    @Suite(.serialized) struct EjectionTests {
        @Test func `answers that are failures eject, and the first good one lets it return`() throws
        {
            try Scenario.run { scenario in
                let site = try JudgedSite(scenario, ["bad", "good"])
                site.states["bad"]?.change { $0 = .failing }
                let belay = try site.start([
                    "failures: { count: 3, statuses: [500-599], eject: 300ms, eject-max: 300ms }"
                ])
                try look(for: "an ejection") { () -> Bool? in
                    _ = try belay.ask()
                    return try site.ejections(belay, "bad") > 0 ? true : nil
                }
                try belay.program.line(with: "shop/bad failed too often: ejected for 300 ms")
                // What went there until then: three, each of which was answered as it was.
                #expect(site.server("bad").requests.now.count == 3)
                site.states["bad"]?.change { $0 = .good }
                try look(for: "its return") { try belay.ask().text == "bad" ? true : nil }
                try belay.program.line(with: "shop/bad has returned: it answers again")
                try belay.wait(for: ["belay_server_returns_total\(site.labels("bad"))": 1])
            }
        }

        @Test func `a server that fails more than the pool's others is ejected and counted`() throws
        {
            try Scenario.run { scenario in
                let site = try JudgedSite(scenario, ["a", "b", "c", "bad"])
                site.states["bad"]?.change { $0 = .failingOften }
                let belay = try site.start([
                    "failures: { count: 1000, error-rate: 40%, interval: 1s, requests-min: 5, "
                        + "eject: 1h, eject-max: 1h }"
                ])
                try site.ask(belay, untilEjected: "bad")
                try belay.program.line(with: "% of its answers failed, and 0% of the others': ")
                #expect(try belay.servers().map(\.health) == ["up", "up", "up", "ejected"])
                let ejections = try ["a", "b", "c", "bad"].map { try site.ejections(belay, $0) }
                #expect(ejections == [0, 0, 0, 1])
                for _ in 0..<8 { #expect(try belay.ask().status == 200) }
            }
        }

        @Test func `a server that takes longer than the pool's others is ejected and counted`()
            throws
        {
            try Scenario.run { scenario in
                let site = try JudgedSite(scenario, ["a", "b", "c", "slow"])
                // What the others take is a hundredth of that.
                site.states["slow"]?.change { $0 = .slow }
                let belay = try site.start([
                    "failures: { latency: 4, interval: 1s, requests-min: 5, eject: 1h, "
                        + "eject-max: 1h }",
                    "stall: off",
                ])
                try site.ask(belay, untilEjected: "slow")
                try belay.program.line(with: "shop/slow: it takes ")
                #expect(try belay.servers().map(\.health) == ["up", "up", "up", "ejected"])
            }
        }

        @Test func `no more than the share of a pool is ejected`() throws {
            try Scenario.run { scenario in
                let names = ["a", "b", "c", "d"]
                let site = try JudgedSite(scenario, names)
                for name in names { site.states[name]?.change { $0 = .failing } }
                let belay = try site.start([
                    "failures: { count: 2, statuses: [500], eject: 1h, eject-max: 1h, "
                        + "eject-share: 50% }"
                ])
                try belay.wait(forServers: "two to be ejected") { rows in
                    _ = try? belay.ask()
                    return rows.count { $0.health == "ejected" } == 2
                }
                for _ in 0..<20 { #expect(try belay.ask().status == 500) }
                #expect(try belay.servers().count { $0.health == "ejected" } == 2)
            }
        }

        @Test func `where too few are usable health is ignored, until enough are up again`() throws
        {
            try Scenario.run { scenario in
                let site = try JudgedSite(scenario, ["a", "b", "c"])
                let belay = try site.start([
                    "health: { path: /healthz, \(often), fall: 1, rise: 1 }", "panic: 50%",
                    "slow-start: off",
                ])
                try belay.wait(forServers: "checks") { $0.allSatisfy { $0.check != nil } }
                site.states["a"]?.change { $0 = .failing }
                try belay.wait(for: "a", toBe: "down")
                for _ in 0..<6 { #expect(try belay.ask().status == 200) }
                site.states["b"]?.change { $0 = .failing }
                try belay.program.line(
                    with: "pool shop: so few servers are up that health is ignored"
                )
                var names: Set<String> = []
                for _ in 0..<9 { names.insert(try belay.ask().text) }
                #expect(names == ["a", "b", "c"])
                site.states["b"]?.change { $0 = .good }
                try belay.program.line(with: "pool shop: enough servers are up again")
                for _ in 0..<6 { #expect(try belay.ask().text != "a") }
            }
        }

        @Test func `a server that is up again gets a growing share, and is whole at the end`()
            throws
        {
            try Scenario.run { scenario in
                let site = try JudgedSite(scenario, ["a", "b"])
                let belay = try site.start([
                    "health: { path: /healthz, \(often), fall: 1, rise: 1 }", "slow-start: 20s",
                ])
                try belay.wait(forServers: "checks") { $0.allSatisfy { $0.check != nil } }
                site.states["b"]?.change { $0 = .failing }
                try belay.wait(for: "b", toBe: "down")
                site.states["b"]?.change { $0 = .good }
                try belay.wait(for: "b", toBe: "starting")
                func share() throws -> Int {
                    try (0..<60).count { _ in try belay.ask().text == "b" }
                }
                // A tenth of its weight at first: of 60 about 5, and some more while they are sent.
                #expect((1...12).contains(try share()))
                try belay.wait(for: "b", toBe: "up")
                #expect((28...32).contains(try share()))
            }
        }

        @Test func `retries have a budget`() throws {
            try Scenario.run { scenario in
                let gate = Watched(false)
                let closing = try scenario.server("closing") { wire, server in
                    _ = try server.next(wire)
                    try gate.wait(for: "the word") { $0 ? true : nil }
                }
                let held = Watched(false)
                let other = try scenario.server("other") { wire, server in
                    while try server.next(wire) != nil {
                        try held.wait(for: "the word") { $0 ? true : nil }
                        try wire.write(whole(server.name))
                    }
                }
                let belay = try scenario.belay(
                    [closing, other],
                    pool: [
                        "balance: round-robin", "failures: { count: 1000 }", "stall: off",
                        "circuit: { retry-budget: 0%, retries-min: 1 }",
                    ]
                )
                let wires = try (0..<8).map { _ in try belay.connect() }
                for wire in wires { try wire.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
                for server in [closing, other] {
                    try server.requests.wait(for: "four requests") { $0.count == 4 ? true : nil }
                }
                gate.change { $0 = true }
                // One is sent again, and while it is under way no other.
                try other.requests.wait(for: "a retry") { $0.count == 5 ? true : nil }
                try belay.wait(for: "belay_server_exchanges_total", atLeast: 3)
                held.change { $0 = true }
                let statuses = try wires.map { try $0.answer().status }.sorted()
                #expect(statuses == [200, 200, 200, 200, 200, 502, 502, 502])
            }
        }

        @Test func `a pool takes so many requests at once, and refuses the next`() throws {
            try Scenario.run { scenario in
                let held = Watched(false)
                let server = try scenario.server("a") { wire, server in
                    while try server.next(wire) != nil {
                        try held.wait(for: "the word") { $0 ? true : nil }
                        try wire.write(whole(server.name))
                    }
                }
                let belay = try scenario.belay([server], pool: ["circuit: { requests: 2 }"])
                let wires = try (0..<2).map { _ in try belay.connect() }
                for wire in wires { try wire.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
                try server.requests.wait(for: "two requests") { $0.count == 2 ? true : nil }
                #expect(try belay.ask().status == 503)
                held.change { $0 = true }
                for wire in wires { #expect(try wire.answer().status == 200) }
                #expect(try belay.ask().status == 200)
            }
        }
    }
}

/// A Belay that takes turns among servers which are as the test says.
private final class JudgedSite {
    enum State {
        case good
        case failing
        /// Every second answer is an error.
        case failingOften
        case slow
    }

    let scenario: Scenario
    private(set) var states: [String: Watched<State>] = [:]
    private var servers: [RawServer] = []

    init(_ scenario: Scenario, _ names: [String]) throws {
        self.scenario = scenario
        for name in names {
            let state = Watched(State.good)
            self.states[name] = state
            self.servers.append(
                try scenario.server(name) { wire, server in
                    let patience = NSCondition()
                    while let request = try wire.message() {
                        if request.target != "/healthz" {
                            server.requests.change { $0.append(request) }
                        }
                        let count = server.requests.now.count
                        switch state.now {
                        case .good: break
                        case .failingOften where count % 2 == 0: break
                        case .failing, .failingOften:
                            try wire.write(whole(name, status: "500 Sick"))
                            continue
                        case .slow:
                            // Time itself is what is tested here.
                            patience.lock()
                            _ = patience.wait(until: Date(timeIntervalSinceNow: 0.05))
                            patience.unlock()
                        }
                        try wire.write(whole(name))
                    }
                }
            )
        }
    }

    func start(_ pool: [String]) throws -> Belay {
        try self.scenario.belay(self.servers, pool: ["balance: round-robin"] + pool)
    }

    func server(_ name: String) -> RawServer {
        guard let server = self.servers.first(where: { $0.name == name }) else {
            preconditionFailure("a server of that name")
        }
        return server
    }

    func labels(_ server: String) -> String { "{pool=\"shop\",server=\"\(server)\"}" }

    func ejections(_ belay: Belay, _ server: String) throws -> Double {
        try belay.metrics()["belay_server_ejections_total\(self.labels(server))"]
    }

    /// Asks until the server is ejected and counted.
    func ask(_ belay: Belay, untilEjected server: String) throws {
        try look(for: "an ejection of \(server)") { () -> Bool? in
            for _ in 0..<20 { _ = try belay.ask() }
            return try self.ejections(belay, server) == 1 ? true : nil
        }
    }
}
