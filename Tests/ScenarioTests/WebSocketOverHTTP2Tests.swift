import Foundation
import Testing

extension Scenarios {
    /// WebSockets on the streams of an HTTP/2 connection (RFC 8441), to servers of HTTP/1.1.
    @Suite(.serialized) struct WebSocketOverHTTP2Tests {
        @Test(arguments: ["echo", "many", "server-closes"], [false, true])
        func `a stream is a WebSocket`(act: String, isSecure: Bool) throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay()
                try sockets.streams(belay, act, isSecure: isSecure)
                try belay.wait(for: ["belay_tunnels_open": 0])
            }
        }

        @Test func `the server sees a handshake of HTTP 1, with a key`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay()
                let fields = try sockets.streams(belay, "fields", isSecure: true)
                #expect(fields.contains { $0.lowercased() == "field upgrade websocket" })
                #expect(fields.filter { $0.hasPrefix("field sec-websocket-key ") }.count == 1)
                #expect(fields.contains("field x-forwarded-proto https"))
                #expect(!fields.contains { $0.contains(":protocol") })
            }
        }

        @Test func `a stop ends a stream's WebSocket with 1012`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay(top: ["limits: { shutdown: 2s }"])
                let client = try scenario.peer("websocket_h2.py", ["\(belay.port)", "hold"])
                try client.line(with: "holding", on: client.output)
                #expect(try belay.stop() == 0)
                #expect(try client.waitForEnd() == 0)
                #expect(client.said("end") == "1012")
            }
        }

        @Test func `foreign origins are refused on their stream, the connection goes on`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay(
                    top: ["routes: [{ pool: shop, origins: [\"https://shop.test\"] }]"]
                )
                #expect(try sockets.streams(belay, "refused") == ["status 403"])
            }
        }

        @Test func `the log tells the code of a stream's WebSocket`() throws {
            try Scenario.run { scenario in
                let sockets = try Sockets(scenario)
                let belay = try sockets.belay()
                try sockets.streams(belay, "server-closes")
                let lines = try belay.log(2)
                #expect(lines[0]["event"] == .text("opened"))
                #expect(lines[1]["ending"] == .text("tunnel-closed"))
                #expect(lines[1]["close"] == .number(4001))
            }
        }
    }
}

extension Sockets {
    /// Runs the client that opens WebSockets as streams; what it said.
    @discardableResult
    func streams(_ belay: Belay, _ act: String, isSecure: Bool = false) throws -> [String] {
        let authorities = isSecure ? [self.crossing.authority.path] : []
        let port = "\(belay.ports[isSecure ? 1 : 0])"
        return try self.scenario.client("websocket_h2.py", [port, act] + authorities)
    }
}
