import Foundation
import Testing

private let cookie = "persistence: { cookie: {} }"

extension Scenarios {
    @Suite(.serialized) struct BindingTests {
        @Test func `a client is bound once and stays`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b", "c"].map { try scenario.server($0) }
                let belay = try scenario.belay(servers, pool: [cookie, "balance: round-robin"])
                let first = try belay.ask()
                let set = try #require(first["set-cookie"])
                #expect(set.hasPrefix("belay="))
                for attribute in ["Path=/", "HttpOnly", "SameSite=Lax"] {
                    #expect(set.contains(attribute))
                }
                #expect(!set.contains("Secure"))
                let binding = try #require(first.setCookie)
                #expect(!binding.contains("127.0.0.1") && !binding.contains(first.text + "@"))
                for _ in 0..<10 {
                    let next = try belay.ask(fields: ["Cookie: x=1; \(binding); y=2"])
                    #expect(next.text == first.text)
                    #expect(next["set-cookie"] == nil)
                }
                let server = try #require(servers.first { $0.name == first.text })
                let seen = server.requests.now.dropFirst().map { $0["cookie"] }
                #expect(seen.allSatisfy { $0 == "x=1; y=2" })
                #expect(server.requests.now[0]["cookie"] == nil)
                try belay.wait(for: [
                    "belay_bindings_created_total{pool=\"shop\"}": 1, verdict("valid"): 10,
                ])
            }
        }

        @Test func `a cookie that is all there is leaves no Cookie field`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server], pool: [cookie])
                let binding = try #require(try belay.ask().setCookie)
                #expect(try belay.ask(fields: ["Cookie: \(binding)"]).text == "a")
                #expect(server.requests.now[1]["cookie"] == nil)
            }
        }

        @Test func `tampered and foreign cookies are none, and counted apart`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server], pool: [cookie])
                let binding = try #require(try belay.ask().setCookie)
                let last = try #require(binding.last)
                // The last character holds bits that don't count, so one in the middle goes.
                let middle = binding.index(binding.startIndex, offsetBy: binding.count / 2)
                let other: Character = binding[middle] == "A" ? "B" : "A"
                let tampered =
                    binding[..<middle] + String(other) + binding[binding.index(after: middle)...]
                #expect(tampered.last == last)
                let answer = try belay.ask(fields: ["Cookie: \(tampered)"])
                #expect(answer.text == "a")
                #expect(answer.setCookie != nil)
                for foreign in ["belay=hello", "belay=", "belay=AAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
                    #expect(try belay.ask(fields: ["Cookie: \(foreign)"]).setCookie != nil)
                }
                try belay.wait(for: [
                    verdict("tampered"): 1, verdict("foreign"): 3, verdict("none"): 1,
                    verdict("valid"): 0,
                ])
            }
        }

        @Test func `a binding ends with its idle window and its lifetime`() throws {
            for (setting, word) in [("idle", "expired-idle"), ("lifetime", "expired-lifetime")] {
                try Scenario.run { scenario in
                    let server = try scenario.server("a")
                    let belay = try scenario.belay(
                        [server],
                        pool: ["persistence: { cookie: { idle: off, \(setting): 1s } }"]
                            .map { setting == "idle" ? $0.replacing("idle: off, ", with: "") : $0 }
                    )
                    let binding = try #require(try belay.ask().setCookie)
                    // The second passes while we look.
                    let answer = try look(for: "the end of the binding") {
                        let answer = try belay.ask(fields: ["Cookie: \(binding)"])
                        return try belay.metrics()[verdict(word)] > 0 ? answer : nil
                    }
                    #expect(answer.text == "a")
                    #expect(answer.setCookie != nil && answer.setCookie != binding)
                }
            }
        }

        @Test func `a binding in use is renewed`() throws {
            try Scenario.run { scenario in
                let belay = try scenario.belay(
                    try ["a", "b"].map { try scenario.server($0) },
                    pool: ["persistence: { cookie: { idle: 12s } }"]
                )
                let first = try belay.ask()
                let binding = try #require(first.setCookie)
                let renewed = try look(for: "a renewal") {
                    let answer = try belay.ask(fields: ["Cookie: \(binding)"])
                    #expect(answer.text == first.text)
                    return answer.setCookie
                }
                #expect(renewed != binding)
                #expect(try belay.ask(fields: ["Cookie: \(renewed)"]).text == first.text)
                try belay.wait(for: "belay_bindings_renewed_total")
            }
        }

        @Test func `the key outlives a restart`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b", "c", "d"].map { try scenario.server($0) }
                let before = try scenario.belay(servers, pool: [cookie])
                let first = try before.ask()
                let binding = try #require(first.setCookie)
                #expect(try before.stop() == 0)
                let after = try scenario.belay(servers, pool: [cookie])
                #expect(try after.ask(fields: ["Cookie: \(binding)"]).text == first.text)
                try after.wait(for: [verdict("valid"): 1])
                let kept = try FileManager.default.contentsOfDirectory(
                    atPath: scenario.path("state")
                )
                for name in kept {
                    let attributes = try FileManager.default.attributesOfItem(
                        atPath: scenario.path("state/\(name)")
                    )
                    let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0o777
                    #expect(mode & 0o077 == 0, "others may read \(name)")
                }
            }
        }

        @Test func `Belays with one ring agree, also about the server that comes next`() throws {
            try Scenario.run { scenario in
                let ports = try (0..<4).map { _ in try scenario.freePort() }
                var servers = try zip(["a", "b", "c", "d"], ports).map {
                    try scenario.server($0, port: $1)
                }
                let old = Data(repeating: 7, count: 32).base64EncodedString()
                let new = Data(repeating: 9, count: 32).base64EncodedString()
                func start(_ ring: [String]) throws -> Belay {
                    let keys = ring.map { "\"\($0)\"" }.joined(separator: ", ")
                    return try scenario.belay(
                        servers,
                        pool: [cookie],
                        top: ["keys: { ring: [\(keys)] }"]
                    )
                }
                let one = try start([old])
                let two = try start([new, old])
                let first = try one.ask()
                let binding = ["Cookie: \(try #require(first.setCookie))"]
                #expect(try two.ask(fields: binding).text == first.text)
                let gone = try #require(servers.firstIndex { $0.name == first.text })
                servers.remove(at: gone).stop()
                let next = try one.ask(fields: binding)
                #expect(next.text != first.text)
                #expect(next.setCookie != nil)
                #expect(try two.ask(fields: binding).text == next.text)
                // A ring without the key takes the cookie for another's.
                let stranger = try start([new])
                _ = try stranger.ask(fields: binding)
                try stranger.wait(for: [verdict("foreign"): 1])
            }
        }

        @Test func `a client whose server is gone moves once`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b", "c", "d"].map { try scenario.server($0) }
                let belay = try scenario.belay(servers, pool: [cookie])
                let first = try belay.ask()
                let binding = "Cookie: \(try #require(first.setCookie))"
                try #require(servers.first { $0.name == first.text }).stop()
                let moved = try belay.ask(fields: [binding])
                #expect(moved.status == 200)
                #expect(moved.text != first.text)
                let rebound = "Cookie: \(try #require(moved.setCookie))"
                for _ in 0..<10 {
                    let answer = try belay.ask(fields: [rebound])
                    #expect(answer.text == moved.text)
                    #expect(answer["set-cookie"] == nil)
                    // Also who kept the old cookie goes to the same server.
                    #expect(try belay.ask(fields: [binding]).text == moved.text)
                }
            }
        }

        @Test func `answers that shared caches keep carry no binding`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        let caching = request["x-caching"] ?? ""
                        try wire.write(whole("a", fields: ["Cache-Control: \(caching)"]))
                    }
                }
                let belay = try scenario.belay([server], pool: [cookie])
                for (caching, isSet) in [
                    ("public, max-age=60", false), ("s-maxage=60", false), ("private", true),
                    ("no-store", true),
                ] {
                    let answer = try belay.ask(fields: ["X-Caching: \(caching)"])
                    #expect((answer.setCookie != nil) == isSet, "Cache-Control: \(caching)")
                }
            }
        }

        @Test func `draining keeps who is bound, maintenance keeps nobody`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b"].map { try scenario.server($0) }
                var file = BelayFile(servers, pool: [cookie])
                file.serverExtras["b"] = "state: maintenance"
                let before = try scenario.belay(file)
                let binding = "Cookie: \(try #require(try before.ask().setCookie))"
                file.serverExtras = ["a": "state: draining"]
                let draining = try scenario.belay(file)
                #expect(try draining.ask().text == "b")
                #expect(try draining.ask(fields: [binding]).text == "a")
                try draining.wait(for: [verdict("server-draining"): 1])
                file.serverExtras = ["a": "state: maintenance"]
                let maintenance = try scenario.belay(file)
                #expect(try maintenance.ask(fields: [binding]).text == "b")
                try maintenance.wait(for: [verdict("server-maintenance"): 1])
            }
        }
    }
}

private func verdict(_ word: String) -> String {
    "belay_persistence_verdicts_total{pool=\"shop\",verdict=\"\(word)\"}"
}
