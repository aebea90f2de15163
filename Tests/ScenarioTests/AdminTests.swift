import Foundation
import Testing

extension Scenarios {
    @Suite(.serialized) struct AdminTests {
        @Test func `metrics are a page that Prometheus reads`() throws {
            try Scenario.run { scenario in
                let belay = try scenario.belay([try scenario.server("a")])
                #expect(try belay.ask("/").status == 200)
                try belay.wait(for: ["belay_exchanges_total{ending=\"done\"}": 1])
                let page = try belay.adminPage("/metrics")
                #expect(page["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
                let metrics = Metrics(page.text)
                #expect(metrics.strange.isEmpty)
                for (sample, _) in metrics.samples {
                    let name = String(sample.prefix { $0 != "{" })
                    let family = ["_bucket", "_sum", "_count"].reduce(name) { name, suffix in
                        name.hasSuffix(suffix) && metrics.types[name] == nil
                            ? String(name.dropLast(suffix.count)) : name
                    }
                    #expect(metrics.types[family] != nil, "no type for \(sample)")
                    #expect(metrics.helps.contains(family), "no help for \(sample)")
                }
            }
        }

        @Test func `health, readiness and pools are told`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b"].map { try scenario.server($0) }
                var file = BelayFile(servers, pool: ["balance: round-robin"])
                file.serverExtras = ["b": "state: maintenance, weight: 3"]
                let belay = try scenario.belay(file)
                #expect(try belay.ask().text == "a")
                #expect(try belay.adminPage("/healthz").text == "ok\n")
                let ready = try belay.adminPage("/readyz")
                #expect(ready.status == 200)
                try belay.wait(for: ["belay_exchanges_total{ending=\"done\"}": 1])
                let page = try belay.adminPage("/api/pools")
                let pools = try JSONDecoder().decode(Pools.self, from: Data(page.body)).pools
                let pool = try #require(pools.first)
                #expect(pool.name == "shop" && pool.algorithm == "round-robin")
                #expect(pool.servers.map(\.name) == ["a", "b"])
                #expect(pool.servers.map(\.state) == ["ready", "maintenance"])
                #expect(pool.servers.map(\.weight) == [1, 3])
                #expect(pool.servers.map(\.exchanges) == [1, 0])
                #expect(pool.servers[0].address == "127.0.0.1:\(servers[0].port)")
            }
        }

        @Test func `a pool without servers is not ready, and says so`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b"].map { try scenario.server($0) }
                var file = BelayFile(servers)
                file.serverExtras = ["a": "state: maintenance", "b": "state: maintenance"]
                let belay = try scenario.belay(file)
                let page = try belay.adminPage("/readyz")
                #expect(page.status == 503)
                #expect(page.text.contains("No server of pool shop may take a client."))
                let answer = try belay.ask()
                #expect(answer.status == 503)
                #expect(answer.text.contains("no-server"))
                #expect(try belay.adminPage("/healthz").status == 200)
            }
        }

        @Test func `explain tells what then happens`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b", "c", "d"].map { try scenario.server($0) }
                let belay = try scenario.belay(
                    servers,
                    pool: ["balance: url-hash", "persistence: { cookie: {} }"]
                )
                let first = try belay.ask("/first")
                let binding = try #require(first.setCookie)
                for path in ["/a", "/b?c=d", "/e/f"] {
                    let plain = try Self.explain(scenario, belay, path, [])
                    #expect(plain["rule"] == "url-hash")
                    #expect(plain["persistence"] == "none: no binding was presented")
                    #expect(plain["server"] == (try belay.ask(path).text))
                    let bound = try Self.explain(scenario, belay, path, ["--cookie", binding])
                    #expect(bound["rule"] == "binding")
                    #expect(bound["persistence"] == "valid: bound, and the server takes it")
                    #expect(bound["server"] == first.text)
                }
                let server = try #require(servers.first { $0.name == first.text })
                // Explaining is no request.
                #expect(!server.requests.now.isEmpty)
                #expect(servers.reduce(0) { $0 + $1.requests.now.count } == 4)
            }
        }

        /// What `belay explain` says, by the word before it.
        private static func explain(
            _ scenario: Scenario,
            _ belay: Belay,
            _ path: String,
            _ more: [String]
        ) throws -> [String: String] {
            let program = try scenario.command(
                [
                    "explain", "--admin", "127.0.0.1:\(belay.admin)", "--host", "shop.test",
                    "--path", path,
                ] + more
            )
            #expect(try program.waitForEnd() == 0)
            var facts: [String: String] = [:]
            for line in program.output.now.prefix(6) {
                let words = line.split(separator: " ", maxSplits: 1).map { String($0) }
                guard words.count == 2 else { continue }
                facts[words[0]] = words[1].trimmingCharacters(in: .whitespaces)
            }
            #expect(program.output.now.filter { $0.contains("127.0.0.1:") }.count == 4)
            return facts
        }
    }
}

private struct Pools: Decodable {
    struct Pool: Decodable {
        let name: String
        let algorithm: String
        let servers: [Server]
    }
    struct Server: Decodable {
        let name: String
        let address: String
        let weight: Int
        let state: String
        let exchanges: Int
    }

    let pools: [Pool]
}
