import Foundation
import Testing

extension Scenarios {
    /// A new client's first requests side by side.
    @Suite(.serialized) struct PersistenceClaimTests {
        @Test func `first requests of one user side by side go to one server, by their token`()
            throws
        {
            try Scenario.run { scenario in
                let site = try PersistenceSite(scenario, [.jwt])
                let clients = (0..<5).map { _ in site.client(.jwt) }
                for client in clients {
                    let names = try site.askAtOnce(client, (0..<10).map { "User-Agent: \($0)" })
                    #expect(Set(names).count == 1 && names.count == 10, "\(names)")
                    #expect(try client.ask().server == names[0])
                }
                let log = try site.log(of: site.answers)
                for client in clients {
                    let verdicts = log[client.address]?.map { $0["persistence"]?.description } ?? []
                    #expect(verdicts.filter { $0 == "none" }.count == 1)
                    #expect(verdicts.filter { $0 == "valid" }.count == 10)
                }
            }
        }

        @Test func `first requests of one browser side by side follow the first, sixteen of them`()
            throws
        {
            try Scenario.run { scenario in
                let site = try PersistenceSite(scenario, [.cookie]) {
                    $0.persistence.append("claim: 1m")
                }
                let browser = site.client(.cookie)
                let ten = Array(repeating: "User-Agent: browser", count: 10)
                let names = try site.askAtOnce(browser, ten)
                #expect(Set(names).count == 1 && names.count == 10, "\(names)")
                let office = site.client(.cookie)
                let many = Array(repeating: "User-Agent: office", count: 30)
                let others = try site.askAtOnce(office, many)
                #expect(others.count == 30)
                let log = try site.log(of: site.answers)
                func count(_ client: WayClient, _ verdict: String) -> Int {
                    let lines = log[client.address] ?? []
                    return lines.filter { $0["persistence"]?.description == verdict }.count
                }
                #expect(count(browser, "none") == 1 && count(browser, "claimed") == 9)
                // The eighteenth is the first of others again.
                #expect(count(office, "none") == 2 && count(office, "claimed") == 28)
            }
        }

        @Test func `requests on one connection follow its first, also one after the other`() throws
        {
            try Scenario.run { scenario in
                let site = try PersistenceSite(scenario, [.cookie]) {
                    $0.persistence.append("claim: 1m")
                }
                let wire = Wire(try Socket.connect(to: site.port(.cookie)))
                let first = try wire.ask(fields: ["X-Client: 0"], host: "cookie.test")
                #expect(first.status == 200)
                for _ in 0..<8 {
                    let next = try wire.ask(fields: ["X-Client: 0"], host: "cookie.test")
                    #expect(next.text == first.text)
                }
                wire.close()
            }
        }
    }
}

extension PersistenceSite {
    /// Sends requests of one client, each with one of these fields and on a connection of its own,
    /// none of which is answered before all have come. Who answered them.
    func askAtOnce(_ client: WayClient, _ fields: [String]) throws -> [String] {
        self.gate.isOpen.change { $0 = false }
        let before = self.held
        let waiting = try fields.map { try client.begin("/hold", [$0]) }
        try look(for: "all to come") { self.held == before + fields.count ? true : nil }
        self.gate.isOpen.change { $0 = true }
        return try waiting.compactMap { try client.finish($0).server }
    }

    /// How many requests have come for which servers wait.
    private var held: Int {
        self.file.http.reduce(0) { sum, server in
            sum + server.requests.now.filter { $0.target.hasPrefix("/hold") }.count
        }
    }
}

extension Wire {
    fileprivate func ask(fields: [String], host: String) throws -> Message {
        let lines = ["GET / HTTP/1.1", "Host: \(host)"] + fields
        try self.write(lines.joined(separator: "\r\n") + "\r\n\r\n")
        return try self.answer()
    }
}
