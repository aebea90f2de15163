import Foundation
import Testing

extension Scenarios {
    /// HTTP/1.1 through the whole of Belay: what is passed on, and how.
    @Suite(.serialized) struct MessageTests {
        @Test func `heads without bodies do not disturb what follows`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        switch request.target {
                        case "/head": try wire.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
                        case "/204": try wire.write("HTTP/1.1 204 No Content\r\n\r\n")
                        case "/304":
                            try wire.write("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n")
                        default: try wire.write(whole("body"))
                        }
                    }
                }
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                for (method, target, status) in [
                    ("HEAD", "/head", 200), ("GET", "/204", 204), ("GET", "/304", 304),
                ] {
                    #expect(try client.ask(target, method: method).status == status)
                    #expect(try client.ask("/next").text == "body")
                }
                #expect(server.connections.now == 1)
            }
        }

        @Test func `interim answers are passed on before the final one`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    _ = try server.next(wire)
                    try wire.write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
                    try wire.write("HTTP/1.1 102 Processing\r\n\r\n")
                    try wire.write(whole("done"))
                }
                let client = try scenario.belay([server]).connect()
                let first = try client.ask()
                #expect(first.status == 103)
                #expect(first["link"] == "</a.css>")
                #expect(try client.answer().status == 102)
                #expect(try client.answer().text == "done")
            }
        }

        @Test func `a body waits for 100 Continue`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    while let head = try wire.head() {
                        #expect(head["expect"] == "100-continue")
                        if head.target == "/no" {
                            try wire.write("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
                            return
                        }
                        try wire.write("HTTP/1.1 100 Continue\r\n\r\n")
                        let body = String(decoding: try wire.read(5), as: UTF8.self)
                        try wire.write(whole(body))
                    }
                }
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                let fields = ["Expect: 100-continue", "Content-Length: 5"]
                #expect(try client.ask("/yes", method: "POST", fields: fields).status == 100)
                try client.write("hello")
                #expect(try client.answer(to: "POST").text == "hello")
                let refused = try client.ask("/no", method: "POST", fields: fields)
                #expect(refused.status == 417)
                #expect(refused.closes)
            }
        }

        @Test func `chunks and trailers go both ways`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        try wire.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")
                        try wire.write("Trailer: X-Sum\r\n\r\n")
                        try wire.write("\(String(request.body.count, radix: 16))\r\n")
                        try wire.write(request.body + Array("\r\n0\r\nX-Sum: 42\r\n\r\n".utf8))
                    }
                }
                let client = try scenario.belay([server]).connect()
                for part in ["hello", String(repeating: "x", count: 100_000)] {
                    try client.write(
                        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n"
                            + "Transfer-Encoding: chunked\r\n\r\n"
                    )
                    for _ in 0..<2 {
                        try client.write("\(String(part.count, radix: 16))\r\n\(part)\r\n")
                    }
                    try client.write("0\r\nX-Check: 7\r\n\r\n")
                    let answer = try client.answer(to: "POST")
                    #expect(answer.text == part + part)
                    #expect(answer.trailers.map(\.name) == ["X-Sum"])
                    let request = try #require(server.requests.now.last)
                    #expect(request.text == part + part)
                    #expect(request.trailers.map(\.value) == ["7"])
                }
            }
        }

        @Test func `an HTTP 1.0 client gets no chunks and its connection's end`() throws {
            try Scenario.run { scenario in
                let answer =
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
                let server = try scenario.server("a", RawServer.answering(answer))
                let belay = try scenario.belay([server])
                let text = try belay.exchange("GET / HTTP/1.0\r\n\r\n")
                #expect(text.lowercased().contains("transfer-encoding") == false)
                #expect(text.hasSuffix("\r\n\r\nabcde"))
                let known = try scenario.belay([try scenario.server("b")])
                let client = try known.connect()
                try client.write("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
                let kept = try client.answer()
                #expect(kept.text == "b")
                #expect(kept["connection"]?.lowercased() == "keep-alive")
                try client.write("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
                #expect(try client.answer().text == "b")
                #expect(try client.readToEnd() == "")
            }
        }

        @Test func `requests with bodies may come all at once`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        try wire.write(whole("\(request.target) \(request.text)"))
                    }
                }
                let client = try scenario.belay([server]).connect()
                var bytes = ""
                for number in 0..<20 {
                    bytes += "POST /\(number) HTTP/1.1\r\nHost: a\r\n"
                    let body = String(repeating: "x", count: number * 300)
                    if number % 2 == 0 {
                        bytes += "Content-Length: \(body.count)\r\n\r\n\(body)"
                    } else {
                        let size = String(body.count, radix: 16)
                        bytes += "Transfer-Encoding: chunked\r\n\r\n\(size)\r\n\(body)\r\n0\r\n\r\n"
                    }
                }
                try client.write(bytes)
                for number in 0..<20 {
                    let body = String(repeating: "x", count: number * 300)
                    #expect(try client.answer(to: "POST").text == "/\(number) \(body)")
                }
            }
        }

        @Test func `a server that closes after its answer is not asked on that connection`() throws
        {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    while try server.next(wire) != nil {
                        try wire.write(whole("a", fields: ["Connection: close"]))
                    }
                }
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                for _ in 0..<5 {
                    let answer = try client.ask()
                    #expect(answer.text == "a" && !answer.closes)
                }
                #expect(server.connections.now == 5)
                try belay.wait(for: ["belay_server_retries_total": 0])
            }
        }

        @Test func `absolute targets and the asterisk are understood`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                try client.write("GET http://real.test/path?q HTTP/1.1\r\nHost: real.test\r\n\r\n")
                #expect(try client.answer().text == "a")
                try client.write("OPTIONS * HTTP/1.1\r\nHost: real.test\r\n\r\n")
                #expect(try client.answer(to: "OPTIONS").text == "a")
                try client.write("CONNECT real.test:443 HTTP/1.1\r\nHost: real.test:443\r\n\r\n")
                #expect(try client.answer(to: "CONNECT").status == 405)
                let seen = server.requests.now
                #expect(seen.map(\.target) == ["/path?q", "*"])
                #expect(seen.map { $0["host"] } == ["real.test", "real.test"])
            }
        }

        @Test func `five requests at once get their answers in order`() throws {
            try Scenario.run { scenario in
                let size = 64 * 1024
                let server = try scenario.server("a") { wire, server in
                    while let request = try server.next(wire) {
                        let digit = request.target.last ?? "0"
                        try wire.write(whole(String(repeating: digit, count: size)))
                    }
                }
                let client = try scenario.belay([server]).connect()
                let requests = (1...5).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }
                try client.write(requests.joined())
                for digit in 1...5 {
                    let answer = try client.answer()
                    #expect(answer.body.count == size)
                    #expect(answer.text == String(repeating: "\(digit)", count: size))
                }
            }
        }

        @Test func `an upgrade is a tunnel, with half-close, and no byte is lost`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    guard let request = try server.next(wire) else { return }
                    guard request["upgrade"] == "echo" else { return try wire.write(whole("no")) }
                    try wire.write(
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                            + "Upgrade: echo\r\n\r\nwelcome\n"
                    )
                    let heard = try wire.readToEnd()
                    try wire.write("heard \(heard.utf8.count)")
                }
                let belay = try scenario.belay([server])
                let client = try belay.connect()
                let fields = ["Connection: Upgrade", "Upgrade: echo"]
                let answer = try client.ask("/chat", fields: fields)
                #expect(answer.status == 101)
                #expect(answer["upgrade"] == "echo")
                #expect(try client.read(until: "\n") == "welcome\n")
                try belay.wait(for: ["belay_tunnels_open": 1])
                let bytes = String(repeating: "0123456789", count: 100_000)
                try client.write(bytes)
                client.closeWrite()
                #expect(try client.readToEnd() == "heard 1000000")
                try belay.wait(for: ["belay_tunnels_open": 0, "belay_tunnels_opened_total": 1])
                let lines = try belay.log(2)
                #expect(lines[0]["event"] == .text("opened"))
                #expect(lines[1]["ending"] == .text("tunnel-closed"))
            }
        }

        @Test func `bytes right behind an upgrade request reach the tunnel`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, server in
                    _ = try server.next(wire)
                    try wire.write(
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                            + "Upgrade: echo\r\n\r\n"
                    )
                    let line = try wire.read(until: "\n")
                    try wire.write(line)
                }
                let client = try scenario.belay([server]).connect()
                try client.write(
                    "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
                        + "early bytes\n"
                )
                #expect(try client.answer().status == 101)
                #expect(try client.readToEnd() == "early bytes\n")
            }
        }

        @Test func `servers learn who asked, and cannot be lied to`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay(
                    [server],
                    top: ["headers: { forwarded: on, via: pseudonym }"]
                )
                let trusting = try scenario.belay(
                    [server],
                    top: ["trusted-proxies: [127.0.0.0/8]"]
                )
                let lies = [
                    "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https",
                    "Forwarded: for=203.0.113.7", "Connection: x-secret", "X-Secret: 1",
                ]
                #expect(try belay.ask(fields: lies).text == "a")
                #expect(try trusting.ask(fields: lies).text == "a")
                let (plain, trusted) = (server.requests.now[0], server.requests.now[1])
                #expect(plain["x-forwarded-for"] == "127.0.0.1")
                #expect(plain["x-forwarded-proto"] == "http")
                #expect(plain["x-forwarded-host"] == "shop.test")
                #expect(plain["forwarded"]?.contains("203.0.113.7") == false)
                #expect(plain["via"] == "1.1 belay")
                #expect(plain["x-secret"] == nil)
                #expect(trusted["x-forwarded-for"] == "203.0.113.7, 127.0.0.1")
                #expect(trusted["x-forwarded-proto"] == "https")
                let client = try trusting.log(1)[0]["client"]?.description
                #expect(client?.hasPrefix("203.0.113.7") == true)
            }
        }

        @Test(
            arguments: [
                "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "G\u{0}T / HTTP/1.1\r\nHost: a\r\n\r\n",
            ]
        )
        func `what could be read in two ways is refused and never passed on`(bytes: String) throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server])
                let answer = try belay.exchange(bytes + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 400 "))
                #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
                try belay.wait(for: ["belay_exchanges_total{ending=\"request-refused\"}": 1])
                #expect(server.requests.now.isEmpty)
            }
        }
    }
}
