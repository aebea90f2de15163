import Foundation
import Testing

extension Scenarios {
    /// Sessions that are resumed with tickets.
    @Suite(.serialized) struct TLSSessionTests {
        @Test(arguments: ["-tls1_2", "-tls1_3"])
        func `a session is resumed, after a restart too`(version: String) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let before = try site.belay()
                let first = try site.session(before, [version, "-sess_out", "session"])
                #expect(first.contains("New, TLSv1"))
                #expect(try site.session(before, [version, "-sess_in", "session"]).isResumed)
                try before.wait(for: ["belay_tls_resumptions_total": 1])
                #expect(try before.stop() == 0)
                // The keys lie in the state directory.
                let after = try site.belay()
                #expect(try site.session(after, [version, "-sess_in", "session"]).isResumed)
            }
        }

        @Test(arguments: ["-tls1_2", "-tls1_3"])
        func `two Belays with the same keys accept each other's tickets`(version: String) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let keys = [try site.keys(1)]
                let one = try site.belay(top: keys)
                let two = try site.belay(top: keys)
                _ = try site.session(one, [version, "-sess_out", "session"])
                #expect(try site.session(two, [version, "-sess_in", "session"]).isResumed)
            }
        }

        @Test func `other keys make a new session, and no failure`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let one = try site.belay(top: [try site.keys(1)])
                let two = try site.belay(top: [try site.keys(2)])
                _ = try site.session(one, ["-tls1_3", "-sess_out", "session"])
                let text = try site.session(two, ["-tls1_3", "-sess_in", "session"])
                #expect(text.contains("New, TLSv1.3"))
                #expect(text.contains("HTTP/1.1 200"))
            }
        }

        @Test func `keys are changed without losing sessions`() throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let old = try site.belay(top: [try site.keys(1)])
                _ = try site.session(old, ["-tls1_3", "-sess_out", "session"])
                // The new key seals, the old one still opens.
                let new = try site.belay(top: [try site.keys(2, 1)])
                #expect(try site.session(new, ["-tls1_3", "-sess_in", "session"]).isResumed)
            }
        }

        @Test(arguments: ["-tls1_2", "-tls1_3"])
        func `without tickets every handshake is a whole one`(version: String) throws {
            try Scenario.run { scenario in
                let site = try Site(scenario)
                let belay = try site.belay(["tickets: off"])
                _ = try site.session(belay, [version, "-sess_out", "session"])
                guard FileManager.default.fileExists(atPath: scenario.path("session")) else {
                    // There was nothing to keep.
                    return
                }
                let text = try site.session(belay, [version, "-sess_in", "session"])
                #expect(!text.isResumed)
                #expect(text.contains("HTTP/1.1 200"))
            }
        }
    }
}

extension Site {
    /// A handshake and a request; what `openssl s_client` shows.
    fileprivate func session(_ belay: Belay, _ arguments: [String]) throws -> String {
        let options = ["-servername", "shop.test"] + arguments
        return try self.scenario.handshakeAndRequest(belay.port, options)
    }

    /// Keys made of these numbers, the first seals.
    fileprivate func keys(_ numbers: UInt8...) throws -> String {
        let ring = numbers.map { number in
            let key = Data(repeating: number, count: 32).base64EncodedString()
            return "\"\(key)\""
        }
        return "keys: { ring: [\(ring.joined(separator: ", "))] }"
    }
}

extension String {
    fileprivate var isResumed: Bool {
        self.contains("Reused, TLSv1") && self.contains("HTTP/1.1 200")
    }
}
