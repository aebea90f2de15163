import Foundation
import Testing

extension Scenarios {
    @Suite(.serialized) struct RetryTests {
        @Test(arguments: ["GET", "POST"])
        func `a refused connection is tried elsewhere, for every method`(method: String) throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                var file = BelayFile([server], pool: ["balance: round-robin"])
                file.servers.insert(("gone", try scenario.freePort()), at: 0)
                let belay = try scenario.belay(file)
                for _ in 0..<4 {
                    let body = method == "POST" ? "body" : nil
                    #expect(try belay.ask(method: method, body: body).text == "a")
                }
                let labels = "{pool=\"shop\",server=\"gone\"}"
                try belay.wait(for: "belay_server_retries_total\(labels)")
                try belay.wait(for: "belay_server_connect_failures_total\(labels)")
                let retried = try belay.log(4).filter { $0["retries"] == .number(1) }
                #expect(!retried.isEmpty)
                #expect(retried.allSatisfy { $0["rule"] == .text("retry") })
            }
        }

        @Test func `when all refuse the answer is 502`() throws {
            try Scenario.run { scenario in
                var file = BelayFile()
                file.servers = [("a", try scenario.freePort()), ("b", try scenario.freePort())]
                let belay = try scenario.belay(file)
                let answer = try belay.ask()
                #expect(answer.status == 502)
                #expect(answer.text.contains("connect-failed"))
                #expect(try belay.log(1)[0]["retries"] == .number(1))
            }
        }

        @Test func `a connection closed before a byte is tried elsewhere if that is safe`() throws {
            try Scenario.run { scenario in
                let closing = try scenario.server("closing") { wire, server in
                    _ = try server.next(wire)
                }
                let other = try scenario.server("other")
                let belay = try scenario.belay(
                    [closing, other],
                    pool: ["balance: round-robin", "failures: { count: 1000 }"]
                )
                for _ in 0..<4 { #expect(try belay.ask().text == "other") }
                #expect(!closing.requests.now.isEmpty)
                var statuses: [Int] = []
                for _ in 0..<4 { statuses.append(try belay.ask(method: "POST", body: "x").status) }
                #expect(statuses.sorted() == [200, 200, 502, 502])
                let posts = (closing.requests.now + other.requests.now).filter {
                    $0.method == "POST"
                }
                #expect(posts.count == 4, "no POST is sent twice")
            }
        }

        @Test(arguments: [(1000, "other"), (1_000_000, "server-closed-early")])
        func `a body is sent again if it is still held`(size: Int, want: String) throws {
            try Scenario.run { scenario in
                let closing = try scenario.server("closing") { wire, server in
                    _ = try wire.head()
                    _ = try wire.discard(size)
                }
                let other = try scenario.server("other")
                var file = BelayFile([closing, other], pool: ["balance: source-hash"])
                file.serverExtras["other"] = "weight: 0"
                let alone = try scenario.belay(file)
                let body = String(repeating: "x", count: size)
                #expect(try alone.ask(method: "PUT", body: body).status == 502)
                file.serverExtras = [:]
                file.pool = ["balance: round-robin", "failures: { count: 1000 }"]
                let belay = try scenario.belay(file)
                let answers = try (0..<2).map { _ in try belay.ask(method: "PUT", body: body).text }
                #expect(answers.contains { $0.contains(want) })
                #expect(answers.contains("other"))
                #expect(other.requests.now.allSatisfy { $0.text == body })
            }
        }

        @Test(arguments: [10, 1000, 60_000, 200_000, 1_000_000])
        func `a connection goes on when the server took the body and gave no answer`(
            size: Int
        ) throws {
            try Scenario.run { scenario in
                let closing = try scenario.server("closing") { wire, server in
                    _ = try wire.head()
                    _ = try wire.discard(size)
                }
                let belay = try scenario.belay([closing], pool: ["retries: 0"])
                let client = try belay.connect()
                let body = String(repeating: "x", count: size)
                for _ in 0..<3 {
                    let answer = try client.ask(method: "POST", body: body)
                    #expect(answer.status == 502)
                    #expect(answer.text.contains("server-closed-early"))
                    #expect(!answer.closes)
                }
            }
        }

        @Test func `an idle connection that the server closes costs no request`() throws {
            try Scenario.run { scenario in
                // Each connection answers one request and is closed when the next arrives.
                let server = try scenario.server("a") { wire, server in
                    _ = try server.next(wire)
                    try wire.write(whole("a"))
                    _ = try server.next(wire)
                }
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                for _ in 0..<20 { #expect(try client.ask().text == "a") }
                try belay.wait(for: ["belay_server_ejections_total": 0])
            }
        }

        @Test func `a POST on an idle connection that the server closes is not sent twice`() throws
        {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    _ = try server.next(wire)
                    try wire.write(whole("a"))
                    _ = try server.next(wire)
                }
                let other = try scenario.server("other")
                var file = BelayFile([server, other], pool: ["balance: round-robin"])
                file.serverExtras["other"] = "weight: 0"
                let belay = try scenario.belay(file)
                let client = try belay.connect()
                #expect(try client.ask().text == "a")
                let answer = try client.ask(method: "POST", body: "x")
                #expect(answer.status == 502)
                #expect(answer.text.contains("server-closed-early"))
                #expect(server.requests.now.map(\.method) == ["GET", "POST"])
                #expect(other.requests.now.isEmpty)
            }
        }

        @Test func `the fifth failure ejects a server`() throws {
            try Scenario.run { scenario in
                var file = BelayFile(
                    [try scenario.server("good")],
                    pool: ["balance: round-robin", "failures: { eject: 1h, eject-max: 1h }"]
                )
                file.servers.insert(("bad", try scenario.freePort()), at: 0)
                let belay = try scenario.belay(file)
                for _ in 0..<20 { #expect(try belay.ask().text == "good") }
                let labels = "{pool=\"shop\",server=\"bad\"}"
                try belay.wait(for: [
                    "belay_server_ejections_total\(labels)": 1,
                    "belay_server_connect_failures_total\(labels)": 5,
                    "belay_server_health{pool=\"shop\",server=\"bad\",health=\"ejected\"}": 1,
                ])
                try belay.program.line(with: "shop/bad ")
            }
        }

        @Test func `an ejected server comes back when it answers again`() throws {
            try Scenario.run { scenario in
                let port = try scenario.freePort()
                var file = BelayFile(
                    [try scenario.server("good")],
                    pool: [
                        "balance: round-robin", "failures: { eject: 100ms, eject-max: 100ms }",
                    ]
                )
                file.servers.insert(("bad", port), at: 0)
                let belay = try scenario.belay(file)
                let labels = "{pool=\"shop\",server=\"bad\"}"
                try look(for: "an ejection") {
                    #expect(try belay.ask().text == "good")
                    return try belay.metrics()["belay_server_ejections_total\(labels)"] > 0
                        ? true : nil
                }
                let bad = try scenario.server("bad", port: port)
                try look(for: "its return") { try belay.ask().text == "bad" ? true : nil }
                try belay.wait(for: "belay_server_returns_total\(labels)")
                #expect(!bad.requests.now.isEmpty)
                // The operator is told of both.
                try belay.program.errors.wait(for: "two lines about the server") { lines in
                    lines.filter { $0.contains("shop/bad ") }.count >= 2 ? true : nil
                }
            }
        }

        @Test func `a server's answer that is no HTTP is answered for with 502`() throws {
            try Scenario.run { scenario in
                for garbage in [
                    "hello\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab",
                    "HTTP/1.1 99 X\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n",
                ] {
                    let server = try scenario.server("a", RawServer.answering(garbage))
                    let belay = try scenario.belay([server])
                    let answer = try belay.ask()
                    #expect(answer.status == 502, "\(garbage)")
                    #expect(answer.text.contains("response-refused"))
                    try server.ended.wait(for: "the end of the connection", atLeast: 1)
                }
            }
        }

        @Test func `two answers to one request are not taken for two requests'`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        let answer = whole(request.target)
                        try wire.write(request.target == "/two" ? answer + whole("evil") : answer)
                    }
                }
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                for target in ["/one", "/two", "/three", "/four"] {
                    #expect(try client.ask(target).text == target)
                }
                try server.connections.wait(for: "a second connection", atLeast: 2)
            }
        }
    }
}
