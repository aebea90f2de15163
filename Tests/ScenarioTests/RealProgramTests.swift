import Foundation
import Testing

extension Scenarios {
    /// Servers and clients that others wrote.
    @Suite(.serialized) struct RealProgramTests {
        @Test func `curl reaches nginx`() throws {
            try Scenario.run { scenario in
                let (port, _) = try scenario.nginx("one")
                var file = BelayFile()
                file.servers = [("one", port)]
                let belay = try scenario.belay(file)
                let answer = try scenario.curl([belay.url + "/a?b=c", "--output", "-"])
                #expect(answer.text == "one")
                let twice = try scenario.curl([belay.url + "/1", belay.url + "/2"])
                #expect(twice.output.now == ["one", "one"])
                #expect(try belay.metrics()["belay_connections_accepted_total"] == 2)
            }
        }

        @Test func `curl reaches a Python server and gets its file whole`() throws {
            try Scenario.run { scenario in
                let content = String(repeating: "0123456789abcdef\n", count: 20_000)
                try scenario.file("page.txt", content)
                let program = try scenario.start([
                    "python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1",
                ])
                let line = try program.line(with: "port ", on: program.output)
                var file = BelayFile()
                file.servers = [("python", try #require(UInt16(line.prefix(while: \.isNumber))))]
                let belay = try scenario.belay(file)
                let answer = try scenario.curl([belay.url + "/page.txt"])
                #expect(answer.text + "\n" == content)
                let missing = try scenario.curl([
                    "--output", "none", "--write-out", "%{http_code}", belay.url + "/missing",
                ])
                #expect(missing.text == "404")
            }
        }

        @Test func `curl uploads to a Node server, with and without a length`() throws {
            try Scenario.run { scenario in
                let node = try scenario.node()
                var file = BelayFile()
                file.servers = [("node", node)]
                let belay = try scenario.belay(file)
                let body = String(repeating: "abcdefghij", count: 100_000)
                let path = try scenario.file("upload", body)
                for extra in [[], ["--header", "Transfer-Encoding: chunked"]] {
                    let arguments = ["--data-binary", "@\(path)", belay.url + "/upload"]
                    let answer = try scenario.curl(extra + arguments)
                    #expect(answer.text == "POST /upload 1000000 x-forwarded-for=127.0.0.1")
                }
            }
        }

        @Test func `wrk gets an answer to every request`() throws {
            try Scenario.run { scenario in
                let (one, _) = try scenario.nginx("one")
                let (two, _) = try scenario.nginx("two")
                var file = BelayFile(top: ["workers: 2", "log: { access: off }"])
                file.servers = [("one", one), ("two", two)]
                let belay = try scenario.belay(file)
                let load = try Load(scenario, belay, connections: 32, seconds: 2)
                let result = try load.result()
                #expect(result.failures.isEmpty)
                #expect(result.requests > 0)
                for server in ["one", "two"] {
                    let labels = "{pool=\"shop\",server=\"\(server)\",class=\"2xx\"}"
                    try belay.wait(for: "belay_server_exchanges_total\(labels)")
                }
            }
        }

        @Test func `a server killed under load fails no idempotent request`() throws {
            try Scenario.run { scenario in
                let (one, _) = try scenario.nginx("one")
                let (two, victim) = try scenario.nginx("two")
                var file = BelayFile(top: ["workers: 2", "log: { access: off }"])
                file.servers = [("one", one), ("two", two)]
                let belay = try scenario.belay(file)
                let load = try Load(scenario, belay, connections: 32, seconds: 4)
                let labels = "{pool=\"shop\",server=\"two\",class=\"2xx\"}"
                try belay.wait(for: "belay_server_exchanges_total\(labels)", atLeast: 500)
                victim.signal(SIGKILL)
                try victim.waitForEnd()
                let result = try load.result()
                #expect(result.failures.isEmpty)
                #expect(try belay.ask("/").text == "one\n")
            }
        }
    }
}

/// wrk against a Belay.
struct Load {
    struct Result {
        let requests: Int
        /// The lines in which wrk tells of answers that were none.
        let failures: [String]
    }

    let program: Program

    init(_ scenario: Scenario, _ belay: Belay, connections: Int, seconds: Int) throws {
        self.program = try scenario.start([
            "wrk", "--threads", "1", "--connections", "\(connections)", "--duration",
            "\(seconds)s", "--timeout", "\(patienceSeconds)s", belay.url + "/",
        ])
    }

    func result() throws -> Result {
        try self.program.waitForEnd()
        var requests = 0
        for line in self.program.output.now where line.contains(" requests in ") {
            requests = Int(line.split(separator: " ").first ?? "") ?? 0
        }
        let failures = self.program.output.now.filter {
            $0.contains("Non-2xx") || $0.contains("Socket errors")
        }
        return Result(requests: requests, failures: failures)
    }
}

extension Scenario {
    /// A Node server that says what it was asked; its port.
    func node() throws -> UInt16 {
        let program = """
            const server = require("node:http").createServer((request, response) => {
              let length = 0;
              request.on("data", (chunk) => { length += chunk.length; });
              request.on("end", () => {
                const from = request.headers["x-forwarded-for"];
                const text = `${request.method} ${request.url} ${length} x-forwarded-for=${from}`;
                response.end(text + "\\n");
              });
            });
            server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));

            """
        let path = try self.file("server.js", program)
        let node = try self.start(["node", path])
        let port = try node.line(with: "port ", on: node.output)
        return try #require(UInt16(port))
    }
}
