import Foundation
import Testing

extension Scenarios {
    @Suite(.serialized) struct ErrorAnswerTests {
        @Test func `people get a page, programs a problem`() throws {
            try Scenario.run { scenario in
                var file = BelayFile()
                file.servers = [("gone", try scenario.freePort())]
                let belay = try scenario.belay(file)
                let page = try belay.ask(fields: ["Accept: text/html,*/*;q=0.8"])
                #expect(page.status == 502)
                #expect(page["content-type"]?.hasPrefix("text/html") == true)
                #expect(page.text.hasPrefix("<!doctype html>"))
                for accept in ["Accept: application/json", "Accept: */*"] {
                    let problem = try belay.ask(fields: [accept])
                    #expect(problem["content-type"] == "application/problem+json")
                    let parts = try JSONDecoder().decode(
                        [String: LogValue].self,
                        from: Data(problem.body)
                    )
                    #expect(parts["status"] == .number(502))
                    #expect(parts["reason"] == .text("connect-failed"))
                    #expect(problem["cache-control"] == "no-store")
                }
                let head = try belay.connect().ask(method: "HEAD")
                #expect(head.status == 502 && head.body.isEmpty)
            }
        }

        @Test func `an answer of Belay's own leaves the connection open`() throws {
            try Scenario.run { scenario in
                var file = BelayFile()
                file.servers = [("gone", try scenario.freePort())]
                let client = try scenario.belay(file).connect()
                for _ in 0..<3 {
                    #expect(try client.ask(method: "POST", body: "hello").status == 502)
                    #expect(try client.ask().status == 502)
                }
            }
        }

        @Test func `pages of one's own take the place of Belay's`() throws {
            try Scenario.run { scenario in
                let pages = scenario.path("pages")
                try FileManager.default.createDirectory(
                    atPath: pages,
                    withIntermediateDirectories: true
                )
                try scenario.file("pages/502.html", "<p>We are on our break.</p>\n")
                try scenario.file("pages/5xx.json", #"{"sorry":true}"#)
                var file = BelayFile(top: ["error-pages: \"\(pages)\""])
                file.servers = [("gone", try scenario.freePort())]
                let belay = try scenario.belay(file)
                let page = try belay.ask(fields: ["Accept: text/html"])
                #expect(page.text == "<p>We are on our break.</p>\n")
                #expect(page.status == 502)
                #expect(try belay.ask().text == #"{"sorry":true}"#)
            }
        }
    }
}
