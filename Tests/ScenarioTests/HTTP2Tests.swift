import Foundation
import Testing

extension Scenarios {
    /// What is HTTP/2's own.
    @Suite(.serialized) struct HTTP2Tests {
        @Test func `an upgrade to HTTP 2 in clear text is not taken up`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server])
                // curl offers it with every first request in clear text.
                for arguments in [["--http2"], ["--http2", "--data", "body"]] {
                    let answer = try scenario.ask(belay.url, arguments)
                    #expect(answer.version == "HTTP/1.1")
                    #expect(answer.text == "a")
                    let request = try #require(server.requests.now.last)
                    #expect(request["upgrade"] == nil)
                    #expect(request["http2-settings"] == nil)
                }
            }
        }

        @Test(arguments: [("[http/1.1]", false), ("[h2]", true), ("[h2, http/1.1]", true)])
        func `clear text speaks the versions that it may`(
            protocols: String,
            isServed: Bool
        ) throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    listeners: [listener("protocols: \(protocols)")],
                    pools: [PoolText(servers: [server])]
                )
                let answer = try scenario.ask(belay.url, ["--http2-prior-knowledge"])
                #expect((answer.text == "a") == isServed)
                let old = try scenario.ask(belay.url, ["--http1.1"])
                #expect((old.text == "a") == (protocols != "[h2]"))
            }
        }

        @Test func `cookies in many fields reach a server of HTTP 1 in one`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server])
                let fields = ["a=1", "b=2", "c=3"].flatMap { ["--header", "cookie: \($0)"] }
                let program = try scenario.run(["nghttp"] + fields + [belay.url + "/"])
                #expect(program.text == "a")
                #expect(server.requests.now.last?["cookie"] == "a=1; b=2; c=3")
                #expect(
                    server.requests.now.last?.fields.filter { $0.name == "cookie" }.count ?? 0 <= 1
                )
            }
        }

        @Test(arguments: [ClientVersion.http2, .http2TLS])
        func `a client is bound over HTTP 2 as over HTTP 1`(version: ClientVersion) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let servers = try ["a", "b", "c"].map { try scenario.server($0) }
                let lines = ["persistence: { cookie: {} }", "balance: round-robin"]
                let belay = try scenario.belay(
                    listeners: [listener(), listener(tls(crossing.certificate))],
                    pools: [PoolText(servers: servers, lines)]
                )
                let first = try crossing.ask(belay, version)
                let binding = try #require(first.setCookie)
                for _ in 0..<6 {
                    let next = try crossing.ask(belay, version, "/", ["--cookie", binding])
                    #expect(next.text == first.text)
                    #expect(next["set-cookie"] == nil)
                }
                // The binding is the client's, whatever version it speaks next.
                let old = try crossing.ask(belay, .http1, "/", ["--cookie", binding])
                #expect(old.text == first.text)
            }
        }

        @Test(arguments: [
            ("no server", 502), ("maintenance", 503), ("no route", 404), ("garbage", 502),
        ])
        func `Belay's own answers reach clients of HTTP 2`(fault: String, status: Int) throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a", RawServer.answering("nonsense\r\n\r\n"))
                var file = BelayFile([server])
                if fault == "no server" { file.servers = [("a", try scenario.freePort())] }
                if fault == "maintenance" { file.serverExtras = ["a": "state: maintenance"] }
                if fault == "no route" {
                    file.top = ["routes: [{ match: { path: /other }, pool: shop }]"]
                }
                let belay = try scenario.belay(file)
                let answer = try scenario.ask(belay.url, ["--http2-prior-knowledge"])
                #expect(answer.version == "HTTP/2")
                #expect(answer.status == status)
                #expect(answer["connection"] == nil)
                #expect(!answer.body.isEmpty)
                #expect(try belay.log(1)[0]["protocol"] == .text("http/2"))
            }
        }

        @Test func `a server that dies is passed over for requests that may be sent again`() throws
        {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let servers = try (0..<2).map { _ in try crossing.echo(.h2c) }
                let pools = servers.enumerated().map { ("s\($0.offset)", $0.element.port) }
                let belay = try crossing.belay(pools, .h2c, top: ["log: { access: off }"])
                let url = crossing.url(belay, .http2)
                let load = try scenario.start([
                    "h2load", "-D", "4", "-c", "8", "-m", "10", url,
                ])
                let labels = "{pool=\"shop\",server=\"s1\",class=\"2xx\"}"
                try belay.wait(for: "belay_server_exchanges_total\(labels)", atLeast: 200)
                servers[1].program.signal(SIGKILL)
                try load.waitForEnd()
                let line = load.output.now.first { $0.hasPrefix("status codes:") } ?? ""
                #expect(line.contains(" 0 4xx, 0 5xx"), "\(line)")
                #expect(try crossing.ask(belay, .http2).text == "hello")
            }
        }

        @Test(arguments: ClientVersion.allCases, ServerVersion.allCases)
        func `a stop finishes what runs and then closes`(
            client: ClientVersion,
            server: ServerVersion
        ) throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let echo = try crossing.echo(server)
                let belay = try crossing.belay([("echo", echo.port)], server)
                let slow = try scenario.start(
                    ["curl", "--silent", "--show-error"] + crossing.options(client)
                        + [crossing.url(belay, client) + "/slow"]
                )
                let output = echo.program.output
                try echo.program.line(with: "GET /slow", on: output)
                belay.program.signal(SIGTERM)
                try belay.program.line(with: "stopping: no new connections")
                // The server answers now, past Belay's stop.
                try echo.release(scenario, crossing.certificate, server)
                #expect(try slow.waitForEnd() == 0)
                #expect(slow.text == "late")
                #expect(try belay.program.waitForEnd() == 0)
                #expect(try belay.log(1)[0]["ending"] == .text("done"))
            }
        }

        @Test func `a stop tells idle connections to go away, and loses no stream`() throws {
            try Scenario.run { scenario in
                let crossing = try Crossing(scenario)
                let belay = try crossing.belay([("echo", try crossing.echo(.h2c).port)], .h2c)
                let url = crossing.url(belay, .http2TLS)
                let load = try scenario.start([
                    "h2load", "-n", "1000000", "-c", "4", "-m", "10", url,
                ])
                try belay.wait(for: "belay_http2_streams_total", atLeast: 100)
                #expect(try belay.stop() == 0)
                load.signal(SIGKILL)
                // Each stream that Belay took was answered.
                let endings = belay.program.output.now.filter {
                    !$0.contains("\"ending\":\"done\"")
                }
                #expect(endings == [])
            }
        }
    }
}

extension ServerPeer {
    /// Lets a Node server answer what waits for it.
    fileprivate func release(
        _ scenario: Scenario,
        _ certificate: Certificate,
        _ version: ServerVersion
    ) throws {
        let scheme = version == .h2 ? "https" : "http"
        let option = version == .http1 ? "--http1.1" : "--http2-prior-knowledge"
        let program = try scenario.curl([
            option, "--insecure", "\(scheme)://127.0.0.1:\(self.port)/go",
        ])
        #expect(program.text == "hello")
    }
}
