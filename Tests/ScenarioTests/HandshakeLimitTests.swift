import Foundation
import Testing

extension Scenarios {
    /// What handshakes may cost, and that others are served meanwhile.
    @Suite(.serialized) struct HandshakeLimitTests {
        @Test(
            arguments: [
                [], [0x16], [0x16, 0x03, 0x01, 0x02, 0x00],
                [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03],
            ] as [[UInt8]]
        )
        func `handshakes that stall are cut, and others are served meanwhile`(
            start: [UInt8]
        ) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay(top: ["limits: { handshake-timeout: 2s }"])
                let stalled = try (0..<50).map { _ in try belay.connect() }
                for client in stalled { try client.write(start) }
                #expect(try site.ask(belay).text == "shop")
                for client in stalled { #expect(try client.readToEnd().utf8.count < 100) }
                try belay.wait(for: ["belay_timeouts_total{kind=\"handshake\"}": 50])
                try belay.wait(for: ["belay_connections_open": 0])
                #expect(try site.ask(belay).text == "shop")
            }
        }

        @Test func `a handshake byte by byte is cut too`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay(top: ["limits: { handshake-timeout: 2s }"])
                let slow = try belay.connect()
                // A record of which every byte comes, only too slowly.
                try slow.write([0x16, 0x03, 0x01, 0x3F, 0xFF, 0x01, 0x00, 0x3F, 0xFB, 0x03, 0x03])
                try look(for: "the end") {
                    if slow.isReadable { return true }
                    do { try slow.write([0]) } catch { return true }
                    return nil
                }
                try belay.wait(for: ["belay_timeouts_total{kind=\"handshake\"}": 1])
                #expect(try site.ask(belay).text == "shop")
            }
        }

        @Test func `one address has its rate of handshakes, others are served`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay(top: [
                    "limits: { handshakes-per-client: 5 }", "log: { access: off }",
                ])
                let flood = try scenario.peer(
                    "tls_load.py",
                    ["\(belay.port)", "until-told", "--bare", "--from", "127.0.0.2"],
                    reads: true
                )
                try flood.line(with: "error", on: flood.output)
                for number in 3..<23 {
                    let answer = try site.ask(belay, ["--interface", "127.0.0.\(number)"])
                    #expect(answer.text == "shop")
                }
                try flood.endInput()
                try flood.waitForEnd()
                try belay.wait(for: "belay_connections_refused_total{reason=\"handshake-rate\"}")
                // Its allowance comes back.
                try look(for: "an answer") {
                    let answer = try site.ask(belay, ["--interface", "127.0.0.2"])
                    return answer.text == "shop" ? true : nil
                }
            }
        }

        @Test func `clients that leave within their handshake leave nothing behind`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay()
                #expect(try site.ask(belay).text == "shop")
                try belay.wait(for: ["belay_connections_open": 0])
                let before = belay.program.descriptors
                for number in 0..<200 {
                    let client = Wire(try Socket.connect(to: belay.port))
                    try client.write([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
                    if number % 2 == 0 { client.reset() } else { client.close() }
                }
                try belay.wait(for: "belay_connections_accepted_total", atLeast: 201)
                try belay.wait(for: ["belay_connections_open": 0])
                try look(for: "closed descriptors") {
                    belay.program.descriptors <= before ? true : nil
                }
                #expect(try site.ask(belay).text == "shop")
            }
        }
    }
}
