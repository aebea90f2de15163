import Foundation
import Testing

private let queued = "belay_requests_queued_total"

extension Scenarios {
    /// Servers that have as many requests as they may have.
    @Suite(.serialized) struct FullServerTests {
        @Test func `who waits is served in order, and who gives up leaves the queue`() throws {
            try Scenario.run { scenario in
                let site = try FullSite(scenario)
                let belay = try site.start(["queue: { timeout: 1m }"])
                var wires: [Wire] = []
                for number in 0..<6 {
                    let wire = try belay.connect()
                    try wire.write("GET /\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                    wires.append(wire)
                    // The first is served; each of the others waits behind the one before.
                    if number == 0 {
                        try site.server.requests.wait(for: "a request") { $0.first }
                    } else {
                        try belay.wait(for: queued, atLeast: Double(number))
                    }
                }
                wires[2].close()
                wires[4].reset()
                try belay.wait(for: "belay_exchanges_total{ending=\"client-left\"}", atLeast: 2)
                for number in [0, 1, 3, 5] {
                    site.release()
                    #expect(try wires[number].answer().status == 200)
                }
                let asked = site.server.requests.now.map(\.target)
                #expect(asked == ["/0", "/1", "/3", "/5"])
            }
        }

        @Test func `a queue has an end, and waiting has one too`() throws {
            try Scenario.run { scenario in
                let site = try FullSite(scenario)
                let belay = try site.start(["queue: { size: 1, timeout: 500ms }"])
                let first = try belay.connect()
                try first.write("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
                try site.server.requests.wait(for: "a request") { $0.first }
                let second = try belay.connect()
                try second.write("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
                try belay.wait(for: queued)
                #expect(try belay.ask("/third").status == 503)
                #expect(try second.answer().status == 503)
                try belay.wait(for: [
                    "belay_exchanges_total{ending=\"queue-full\"}": 1,
                    "belay_exchanges_total{ending=\"queue-timed-out\"}": 1,
                ])
                site.release()
                #expect(try first.answer().status == 200)
                #expect(site.server.requests.now.map(\.target) == ["/first"])
            }
        }

        @Test func `with another server that has room nobody waits`() throws {
            try Scenario.run { scenario in
                let site = try FullSite(scenario)
                let belay = try site.start(["balance: round-robin"], other: true)
                // Whichever is the first in turn: each gets one.
                let firsts = try (0..<2).map { _ in try belay.connect() }
                for wire in firsts { try wire.write("GET /first HTTP/1.1\r\nHost: a\r\n\r\n") }
                try site.server.requests.wait(for: "the request") { $0.first }
                for _ in 0..<4 { #expect(try belay.ask().text == "other") }
                #expect(try belay.metrics()[queued] == 0)
                site.release(10)
            }
        }

        @Test(arguments: ["move", "reject"])
        func `a bound client whose server stays full moves or is refused`(onFull: String) throws {
            try Scenario.run { scenario in
                let site = try FullSite(scenario)
                let belay = try site.start(
                    [
                        "persistence: { cookie: {}, on-full: \(onFull) }",
                        "queue: { timeout: 500ms }", "newcomers: balance", "balance: round-robin",
                    ],
                    other: true
                )
                site.release()
                let client = try #require(
                    try (0..<2).map { _ in try belay.ask() }.first { $0.text == "full" }?.setCookie
                )
                // The same client's other request fills its server.
                let holder = try belay.connect()
                try holder.write("GET /hold HTTP/1.1\r\nHost: a\r\nCookie: \(client)\r\n\r\n")
                try site.server.requests.wait(for: "the request") { $0.count == 2 ? true : nil }
                let answer = try belay.ask("/next", fields: ["Cookie: \(client)"])
                if onFull == "move" {
                    #expect(answer.status == 200 && answer.text == "other")
                    let seen = try #require(site.other.requests.now.last)
                    #expect(seen["belay-session-moved"] == "from=full; reason=full")
                } else {
                    #expect(answer.status == 503)
                    #expect(!site.other.requests.now.contains { $0.target == "/next" })
                }
                site.release()
                #expect(try holder.answer().text == "full")
                // Whose server has room at the time is served there at once.
                site.release()
                if onFull == "reject" {
                    let after = try belay.ask("/after", fields: ["Cookie: \(client)"])
                    #expect(after.text == "full")
                }
            }
        }

        @Test func `a bound client waits for its server while that is full`() throws {
            try Scenario.run { scenario in
                let site = try FullSite(scenario)
                let belay = try site.start(
                    ["persistence: { cookie: {} }", "queue: { timeout: 1m }"],
                    other: true
                )
                site.release()
                var cookie: String?
                for _ in 0..<4 where cookie == nil {
                    let answer = try belay.ask()
                    if answer.text == "full" { cookie = answer.setCookie }
                }
                let client = try #require(cookie)
                let wires = try (0..<2).map { _ in try belay.connect() }
                let request = "GET / HTTP/1.1\r\nHost: a\r\nCookie: \(client)\r\n\r\n"
                try wires[0].write(request)
                try site.server.requests.wait(for: "the request") { $0.count == 2 ? true : nil }
                try wires[1].write(request)
                try belay.wait(for: queued)
                // Newcomers find the other.
                #expect(try belay.ask().text == "other")
                site.release(2)
                for wire in wires { #expect(try wire.answer().text == "full") }
            }
        }
    }
}

/// A server that takes one request at a time, each of which ends when the test says so.
private final class FullSite {
    let scenario: Scenario
    let server: RawServer
    let other: RawServer
    private let released: Watched<Int>

    init(_ scenario: Scenario) throws {
        self.scenario = scenario
        let released = Watched(0)
        self.released = released
        self.server = try scenario.server("full") { wire, server in
            while try server.next(wire) != nil {
                let number = server.requests.now.count
                try released.wait(for: "request \(number) to be let go", atLeast: number)
                try wire.write(whole(server.name))
            }
        }
        self.other = try scenario.server("other")
    }

    func start(_ pool: [String], other: Bool = false) throws -> Belay {
        var file = BelayFile(
            other ? [self.server, self.other] : [self.server],
            pool: pool + ["stall: off"]
        )
        file.serverExtras = ["full": "max-connections: 1"]
        return try self.scenario.belay(file)
    }

    /// Lets so many more requests end.
    func release(_ count: Int = 1) { self.released.add(count) }
}
