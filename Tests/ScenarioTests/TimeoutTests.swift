import Foundation
import Testing

extension Scenarios {
    @Suite(.serialized) struct TimeoutTests {
        @Test func `a client that sends a byte at a time is cut while others are served`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server], top: ["limits: { head-timeout: 1s }"])
                let slow = try belay.connect()
                var head = Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8)[...]
                // A byte whenever others were served, and never the last one, until it is cut.
                try look(for: "the cut") {
                    if slow.isReadable { return true }
                    if head.count > 1, let byte = head.popFirst() { try slow.write([byte]) }
                    #expect(try belay.ask().text == "a")
                    return nil
                }
                let answer = try slow.answer()
                #expect(answer.status == 408)
                #expect(answer.closes)
                try belay.wait(for: ["belay_timeouts_total{kind=\"head\"}": 1])
            }
        }

        @Test func `a client that says nothing is closed without an answer`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server], top: ["limits: { head-timeout: 100ms }"])
                #expect(try belay.connect().readToEnd() == "")
                try belay.wait(for: ["belay_timeouts_total{kind=\"head\"}": 1])
            }
        }

        @Test func `an idle connection is closed between requests`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server], top: ["limits: { keep-alive: 100ms }"])
                let client = try belay.connect()
                #expect(try client.ask().text == "a")
                #expect(try client.readToEnd() == "")
                try belay.wait(for: ["belay_timeouts_total{kind=\"keep-alive\"}": 1])
            }
        }

        @Test func `a body that stops arriving is answered 408`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, _ in _ = try wire.readToEnd() }
                let belay = try scenario.belay([server], top: ["limits: { idle: 200ms }"])
                let client = try belay.connect()
                try client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
                #expect(try client.answer(to: "POST").status == 408)
                #expect(try client.readToEnd() == "")
                try belay.wait(for: ["belay_timeouts_total{kind=\"client\"}": 1])
            }
        }

        @Test func `a server that says nothing is answered for with 504`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, _ in _ = try wire.readToEnd() }
                let belay = try scenario.belay([server], top: ["limits: { idle: 200ms }"])
                let answer = try belay.ask()
                #expect(answer.status == 504)
                #expect(answer.text.contains("server-timed-out"))
                try belay.wait(for: ["belay_timeouts_total{kind=\"server\"}": 1])
                try server.ended.wait(for: "the end of the server's connection", atLeast: 1)
            }
        }

        @Test func `a server that stops in its answer is cut`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a") { wire, _ in
                    _ = try wire.message()
                    try wire.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                    _ = try wire.readToEnd()
                }
                let belay = try scenario.belay([server], top: ["limits: { idle: 200ms }"])
                let answer = try belay.ask()
                #expect(answer.isCut && answer.text == "abc")
                #expect(try belay.log(1)[0]["ending"] == .text("server-timed-out"))
            }
        }

        @Test func `a server that does not accept is passed over in time`() throws {
            try Scenario.run { scenario in
                let full = try FullListener()
                defer { full.close() }
                let server = try scenario.server("a")
                var file = BelayFile(
                    [server],
                    pool: ["balance: round-robin", "connect-timeout: 100ms"]
                )
                file.servers.insert(("full", full.port), at: 0)
                let belay = try scenario.belay(file)
                for _ in 0..<2 { #expect(try belay.ask().text == "a") }
                try belay.wait(for: "belay_timeouts_total{kind=\"connect\"}")
                file.servers = [("full", full.port)]
                let alone = try scenario.belay(file)
                let answer = try alone.ask()
                #expect(answer.status == 504)
                #expect(answer.text.contains("connect-timed-out"))
            }
        }

        @Test func `an idle server connection is closed in its time`() throws {
            try Scenario.run { scenario in
                let server = try scenario.server("a")
                let belay = try scenario.belay([server], pool: ["keep: { idle: 100ms }"])
                #expect(try belay.ask().text == "a")
                try server.ended.wait(for: "the end of the server's connection", atLeast: 1)
            }
        }
    }
}
