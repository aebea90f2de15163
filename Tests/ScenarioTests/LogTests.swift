import Foundation
import Testing

extension Scenarios {
    @Suite(.serialized) struct LogTests {
        @Test func `a line of JSON tells the decision and the times`() throws {
            try Scenario.run { scenario in
                let servers = try ["a", "b"].map { try scenario.server($0) }
                let belay = try scenario.belay(
                    servers,
                    pool: ["balance: round-robin", "persistence: { cookie: {} }"]
                )
                let first = try belay.ask("/a%20b?q=1&r='")
                let binding = try #require(first.setCookie)
                let second = try belay.ask("/two", fields: ["Cookie: \(binding)"])
                _ = try belay.exchange("nonsense\r\n\r\n")
                let lines = try belay.log(3)
                #expect(lines[0]["path"] == .text("/a%20b?q=1&r='"))
                #expect(lines[1]["method"] == .text("GET"))
                #expect(lines[1]["host"] == .text("shop.test"))
                #expect(lines[1]["path"] == .text("/two"))
                #expect(lines[1]["status"] == .number(200))
                #expect(lines[1]["pool"] == .text("shop"))
                #expect(lines[1]["server"] == .text(second.text))
                #expect(lines[1]["rule"] == .text("binding"))
                #expect(lines[1]["persistence"] == .text("valid"))
                #expect(lines[1]["binding"] == LogValue.text("none"))
                #expect(lines[0]["binding"] == .text("created"))
                #expect(lines[1]["retries"] == .number(0))
                #expect(lines[1]["ending"] == .text("done"))
                for key in ["first_byte_ms", "total_ms", "received_bytes", "sent_bytes"] {
                    guard case .number(let value) = lines[1][key] else {
                        Issue.record("\(key) is no number")
                        continue
                    }
                    #expect(value >= 0)
                }
                #expect(lines[2]["status"] == .number(400))
                #expect(lines[2]["ending"] == .text("request-refused"))
                #expect(lines[2]["pool"] == .null)
            }
        }

        @Test func `text has a line for each exchange too`() throws {
            try Scenario.run { scenario in
                let belay = try scenario.belay(
                    [try scenario.server("a")],
                    top: ["log: { access: text }"]
                )
                #expect(try belay.ask("/x").text == "a")
                let line = try belay.program.output.wait(for: "a line") { $0.first }
                #expect(line.contains("\"GET\" \"shop.test\" \"/x\" http/1 tls=- 200"))
                #expect(line.contains(" server=a ") || line.contains(" server=\"a\" "))
                #expect(line.contains("ending="))
            }
        }

        @Test(arguments: [SIGHUP, SIGUSR1])
        func `a log that was moved away is made anew`(signal: Int32) throws {
            try Scenario.run { scenario in
                let log = scenario.path("access.log")
                let belay = try scenario.belay(
                    [try scenario.server("a")],
                    top: ["log: { access: json, access-to: \"\(log)\" }"]
                )
                #expect(try belay.ask("/before").text == "a")
                try look(for: "the line") {
                    scenario.text(of: "access.log").contains("/before") ? true : nil
                }
                try FileManager.default.moveItem(atPath: log, toPath: scenario.path("old.log"))
                belay.program.signal(signal)
                try look(for: "the new file") {
                    FileManager.default.fileExists(atPath: log) ? true : nil
                }
                #expect(try belay.ask("/after").text == "a")
                try look(for: "the line in the new file") {
                    scenario.text(of: "access.log").contains("/after") ? true : nil
                }
                #expect(!scenario.text(of: "old.log").contains("/after"))
                #expect(belay.program.isRunning)
            }
        }

        @Test func `a full disk costs lines, not requests`() throws {
            try Scenario.run { scenario in
                let belay = try scenario.belay(
                    [try scenario.server("a")],
                    top: ["log: { access: json, access-to: /dev/full }"]
                )
                for _ in 0..<20 { #expect(try belay.ask().text == "a") }
                try belay.wait(for: ["belay_log_lines_dropped_total": 20])
                #expect(try belay.metrics()["belay_log_lines_written_total"] == 0)
                try belay.program.line(with: "/dev/full")
                #expect(try belay.stop() == 0)
            }
        }

        @Test func `the last lines are written before the end`() throws {
            try Scenario.run { scenario in
                let log = scenario.path("access.log")
                let belay = try scenario.belay(
                    [try scenario.server("a")],
                    top: ["log: { access: json, access-to: \"\(log)\" }", "workers: 2"]
                )
                for number in 0..<50 { #expect(try belay.ask("/\(number)").text == "a") }
                #expect(try belay.stop() == 0)
                let lines = scenario.text(of: "access.log").split(separator: "\n")
                #expect(lines.count == 50)
            }
        }
    }
}
