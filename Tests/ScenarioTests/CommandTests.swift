import Foundation
import Testing

extension Scenarios {
    @Suite(.serialized) struct CommandTests {
        @Test func `servers on the command line need no file`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b"].map { try scenario.server($0) }
                let belay = try scenario.belay(starting: [
                    try belayPath(), "run", "--to", "127.0.0.1:\(servers[0].port)",
                    "--to", "127.0.0.1:\(servers[1].port)", "--listen", "127.0.0.1:0",
                    "--admin", "127.0.0.1:0", "--workers", "1", "--log-format", "json",
                ])
                #expect(["a", "b"].contains(try belay.ask().text))
                #expect(try belay.log(1)[0]["status"] == .number(200))
                #expect(try belay.stop() == 0)
            }
        }

        @Test func `check prints every error with its place, and run refuses the file`() throws {
            try Scenario.run { scenario in
                try scenario.file(
                    "wrong.yaml",
                    """
                    listeners: ["127.0.0.1:0"]
                    pools:
                      shop:
                        servres: ["127.0.0.1:1"]
                        balance: round-robbin
                    limits: { head-size: 3MiB }

                    """
                )
                let check = try scenario.command(["check", "wrong.yaml"])
                #expect(try check.waitForEnd() == 1)
                let lines = check.output.now
                #expect(lines.contains { $0.hasPrefix("wrong.yaml:4:5: unknown key \"servres\"") })
                #expect(lines.contains { $0.contains("did you mean \"servers\"?") })
                #expect(lines.contains { $0.hasPrefix("wrong.yaml:5:14: ") })
                #expect(lines.contains { $0.hasPrefix("wrong.yaml:6:22: limits.head-size") })
                let run = try scenario.command(["run", "wrong.yaml"])
                #expect(try run.waitForEnd() == 1)
                #expect(run.errors.now.contains { $0.contains("wrong.yaml:6:22:") })
            }
        }

        @Test func `a file that is fine is called so`() throws {
            try Scenario.run { scenario in
                try scenario.file("fine.yaml", "pools: { shop: { servers: [\"127.0.0.1:1\"] } }\n")
                let check = try scenario.command(["check", "fine.yaml"])
                #expect(try check.waitForEnd() == 0)
                #expect(check.text == "fine.yaml: fine, 1 listener, 1 route, 1 pool, 1 server")
            }
        }

        @Test func `a file that is warned of is fine`() throws {
            try Scenario.run { scenario in
                try scenario.file(
                    "warned.yaml",
                    """
                    listeners: ["127.0.0.1:0"]
                    admin: off
                    pools:
                      shop:
                        servers: ["127.0.0.1:1"]
                        persistence: { cookie: { http-only: false } }

                    """
                )
                let warning = "warned.yaml:6:41: warning: with \"http-only: false\""
                let check = try scenario.command(["check", "warned.yaml"])
                #expect(try check.waitForEnd() == 0)
                #expect(check.output.now.first?.hasPrefix(warning) == true)
                #expect(check.output.now.last?.hasPrefix("warned.yaml: fine") == true)
                let run = try scenario.start([try belayPath(), "run", "warned.yaml"])
                try run.line(with: warning)
                try run.line(with: "ready after")
                run.signal(SIGTERM)
                #expect(try run.waitForEnd() == 0)
            }
        }

        @Test func `an expanded preset is a file that is fine`() throws {
            try Scenario.run { scenario in
                try scenario.file(
                    "preset.yaml",
                    """
                    pools:
                      shop:
                        servers: ["127.0.0.1:1"]
                        persistence: { preset: { name: gcp-http-cookie, cookie: shop, ttl: 1h } }

                    """
                )
                let expand = try scenario.command(["check", "--expand", "preset.yaml"])
                #expect(try expand.waitForEnd() == 0)
                #expect(!expand.text.contains("preset"))
                try scenario.file("expanded.yaml", expand.text)
                let again = try scenario.command(["check", "--expand", "expanded.yaml"])
                #expect(try again.waitForEnd() == 0)
                #expect(again.text == expand.text)
            }
        }

        @Test func `a missing file and a port that is taken are told`() throws {
            try Scenario.run { scenario in
                let missing = try scenario.command(["run", "missing.yaml"])
                #expect(try missing.waitForEnd() == 1)
                #expect(missing.errors.now.joined().contains("missing.yaml"))
                let taken = try Socket.listen()
                defer { taken.close() }
                let run = try scenario.command([
                    "run", "--to", "127.0.0.1:1", "--listen", "127.0.0.1:\(taken.port)",
                    "--admin", "off",
                ])
                #expect(try run.waitForEnd() == 1)
                let told = "cannot listen on 127.0.0.1:\(taken.port): another program has this"
                #expect(run.errors.now.contains { $0.contains(told) })
                let admin = try scenario.command([
                    "run", "--to", "127.0.0.1:1", "--listen", "127.0.0.1:0",
                    "--admin", "127.0.0.1:\(taken.port)",
                ])
                #expect(try admin.waitForEnd() == 1)
                #expect(admin.errors.now.joined().contains("\(taken.port)"))
            }
        }

        @Test func `explain without a Belay says so`() throws {
            try Scenario.run { scenario in
                let port = try scenario.freePort()
                let explain = try scenario.command([
                    "explain", "--host", "a", "--admin", "127.0.0.1:\(port)",
                ])
                #expect(try explain.waitForEnd() == 1)
                #expect(explain.errors.now.joined().contains("127.0.0.1:\(port)"))
            }
        }

        @Test func `requests take the first route that matches`() throws {
            try Scenario.run { scenario in
                let servers = try ["web", "api", "other"].map { try scenario.server($0) }
                let pools = servers.map {
                    "  \($0.name): { servers: [\"127.0.0.1:\($0.port)\"] }"
                }
                let file = """
                    listeners: ["127.0.0.1:0"]
                    admin: "127.0.0.1:0"
                    state-directory: state
                    routes:
                      - { match: { host: api.test, path: /v1 }, pool: api }
                      - { match: { host: "*.web.test" }, pool: web }
                      - { match: { path: /other, methods: [PUT] }, pool: other }
                    pools:
                    \(pools.joined(separator: "\n"))

                    """
                let path = try scenario.file("routes.yaml", file)
                let belay = try scenario.belay(starting: [try belayPath(), "run", path])
                for (host, target, method, want) in [
                    ("api.test", "/v1/users", "GET", "api"), ("API.test:80", "/v1", "GET", "api"),
                    ("a.web.test", "/", "GET", "web"), ("x", "/other", "PUT", "other"),
                    ("api.test", "/v10", "GET", "no-route"), ("web.test", "/", "GET", "no-route"),
                    ("x", "/other", "GET", "no-route"),
                ] {
                    let wire = try belay.connect()
                    try wire.write("\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                    let answer = try wire.answer(to: method)
                    #expect(answer.text == want || answer.text.contains(want), "\(host)\(target)")
                    #expect((answer.status == 404) == (want == "no-route"))
                }
            }
        }
    }
}
