import Foundation

/// A server as `/api/pools` shows it.
struct ServerRow: Decodable, Equatable {
    let name: String
    let address: String
    let weight: Int
    let state: String
    let health: String
    let bound: Int
    let exchanges: Int
    let check: Check?
    let agent: Check?

    /// The last check, of the server or of its agent.
    struct Check: Decodable, Equatable {
        let good: Bool
        let reason: String?
        let said: String?
        let secondsAgo: Double
    }
}

extension Belay {
    /// The servers of all pools, in the order of the page.
    func servers() throws -> [ServerRow] {
        struct Answer: Decodable {
            struct Pool: Decodable { let servers: [ServerRow] }
            let pools: [Pool]
        }
        let page = try self.adminPage("/api/pools")
        return try JSONDecoder().decode(Answer.self, from: Data(page.body)).pools.flatMap(\.servers)
    }

    /// Waits until the servers are as the test says; those rows.
    @discardableResult
    func wait(
        forServers what: String,
        _ isWanted: ([ServerRow]) -> Bool
    ) throws -> [ServerRow] {
        var rows: [ServerRow] = []
        do {
            return try look(for: what) {
                rows = try self.servers()
                return isWanted(rows) ? rows : nil
            }
        } catch let error as Watched<Int>.TimedOut {
            throw Watched<Int>.TimedOut(description: "\(error.description); have \(rows)")
        }
    }

    /// Waits until there are these servers and no others, and each is in this state.
    func wait(forStates states: [String: String]) throws {
        try self.wait(forServers: "\(states)") { rows in
            rows.count == states.count && rows.allSatisfy { states[$0.name] == $0.state }
        }
    }

    /// Waits until a server's health is that.
    func wait(for server: String, toBe health: String) throws {
        try self.wait(forServers: "\(server) to be \(health)") { rows in
            rows.contains { $0.name == server && $0.health == health }
        }
    }
}
