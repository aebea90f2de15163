import Foundation
import Testing

/// What makes servers keep a client waiting.
final class Gate: Sendable {
    /// Requests for `/hold` are answered once it is open.
    let isOpen = Watched(false)
    /// Nothing is answered while it is frozen.
    let isFrozen = Watched(false)
}

/// The settings of a Belay with a pool for each way to bind; the servers are a, b and c in all.
struct SiteFile {
    let ways: [Way]
    let http: [RawServer]
    let tcp: [RawServer]
    let certificate: Certificate
    /// Lines of every pool.
    var pool: [String] = []
    /// Beside `ways`, such as `return: home`.
    var persistence: [String] = []
    /// Lines after server a.
    var extra: [String] = []
    /// Whether server a is there.
    var hasFirst = true
    /// Where server a is, if not where it was: of HTTP and of TCP.
    var moved: (http: UInt16, tcp: UInt16)?

    static let listeners = ["http", "https"]

    /// A setting of every pool.
    mutating func set(_ key: String, _ value: String) {
        self.pool.removeAll { $0.hasPrefix(key + ":") }
        self.pool.append("\(key): \(value)")
    }

    func text(state: String) -> String {
        var lines = [
            "admin: \"127.0.0.1:0\"", "state-directory: \(state)", "workers: 1",
            "log: { access: json }", "listeners:",
            "  - { name: http, address: \"127.0.0.1:0\" }",
            "  - { name: https, address: \"127.0.0.1:0\", \(tls(self.certificate)) }",
        ]
        for way in self.ways where way.isTCP {
            let end = way.isTLS ? ", " + tls(self.certificate) : ""
            let place = "address: \"127.0.0.1:0\", kind: tcp, pool: \(way)"
            lines.append("  - { name: \(way), \(place)\(end) }")
        }
        lines.append("routes:")
        for way in self.ways where !way.isTCP {
            lines.append("  - { match: { host: \(way).test }, pool: \(way) }")
        }
        lines.append("pools:")
        for way in self.ways { lines += self.pool(way) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func pool(_ way: Way) -> [String] {
        // They are for bindings, of which a hash has none.
        let more = way.isHash ? [] : self.persistence
        let rules = (["ways: [{ \(way.setting) }]"] + more).joined(separator: ", ")
        var lines = ["  \(way):", "    persistence: { \(rules) }"]
        lines += self.pool.map { "    " + $0 }
        lines.append("    servers:")
        for server in way.isTCP ? self.tcp : self.http {
            var port = server.port
            var extra = ""
            if server.name == "a" {
                if !self.hasFirst { continue }
                if let moved { port = way.isTCP ? moved.tcp : moved.http }
                extra = self.extra.map { ", " + $0 }.joined()
            }
            let address = "\"127.0.0.1:\(port)\""
            lines.append("      - { name: \(server.name), address: \(address)\(extra) }")
        }
        return lines
    }
}

/// A Belay with a pool for each way to bind, the servers behind it, and clients.
final class PersistenceSite {
    let scenario: Scenario
    let belay: Belay
    let gate: Gate
    /// The servers called a, of HTTP and of TCP, that are listening.
    private(set) var firsts: [RawServer]
    var file: SiteFile
    private var clients = 0
    /// How many answers clients have had.
    var answers = 0

    var ways: [Way] { self.file.ways }

    init(_ scenario: Scenario, _ ways: [Way], _ change: (inout SiteFile) -> Void = { _ in }) throws
    {
        let gate = Gate()
        let certificate = try Authority(scenario).certificate()
        var file = SiteFile(
            ways: ways,
            http: try ["a", "b", "c"].map { try scenario.server($0, Self.http(gate)) },
            tcp: try ["a", "b", "c"].map { try scenario.server($0, Self.tcp) },
            certificate: certificate
        )
        // A test says it where it wants something to happen by itself.
        file.set("refused-patience", "50ms")
        file.set("slow-start", "off")
        file.set("stall", "off")
        file.set("failures", "{ count: 1000 }")
        change(&file)
        self.file = file
        self.scenario = scenario
        self.gate = gate
        self.firsts = [file.http[0], file.tcp[0]]
        try scenario.file("belay.yaml", file.text(state: scenario.path("state")))
        self.belay = try scenario.belay(starting: [try belayPath(), "run", "belay.yaml"])
    }

    // MARK: Servers

    /// Answers with its name and with what it is told; gives clients what their way binds by.
    private static func http(_ gate: Gate) -> RawServer.Script {
        { wire, server in
            while let request = try server.next(wire) {
                if request.target.hasPrefix("/hold") {
                    try gate.isOpen.wait(for: "the gate to open") { $0 ? true : nil }
                }
                if server.name == "a" {
                    try gate.isFrozen.wait(for: "a to thaw") { $0 ? nil : true }
                }
                var fields = ["X-Server: \(server.name)"]
                if let told = request["belay-session-moved"] { fields.append("X-Told: \(told)") }
                if let caching = request["x-caching"] {
                    fields.append("Cache-Control: \(caching)")
                }
                fields += Self.given(request, server)
                try wire.write(whole(server.name, fields: fields))
            }
        }
    }

    private static func given(_ request: Message, _ server: RawServer) -> [String] {
        let host = request["host"] ?? ""
        guard let way = Way.allCases.first(where: { host == "\($0).test" }),
            let field = way.handsOut, let client = request["x-client"]
        else { return [] }
        let hasOne =
            request["cookie"]?.contains("SID=") ?? false || request["x-session"] != nil
            || request.target.contains("sid=")
        guard !hasOne || request["x-renew"] != nil else { return [] }
        let value = hasOne ? "new\(client)" : "value\(client)"
        return [field + value + (way == .route ? ".\(server.name)" : "")]
    }

    /// Says its name, and says it once more when it is told to end.
    private static let tcp: RawServer.Script = { wire, server in
        try wire.write(server.name + "\n")
        guard try wire.read(until: "\n") == "end\n" else { return }
        try wire.write(server.name + "\n")
    }

    /// Server a listens no more, in no pool.
    func stopFirsts() { for server in self.firsts { server.stop() } }

    /// It listens again where it was.
    func restartFirsts() throws {
        let scripts = [Self.http(self.gate), Self.tcp]
        self.firsts = try zip(self.firsts, scripts).map { server, script in
            try look(for: "its port to be free") {
                try? self.scenario.server("a", port: server.port, script)
            }
        }
    }

    /// Server a at other ports.
    func moveFirsts() throws {
        let scripts = [Self.http(self.gate), Self.tcp]
        self.firsts = try scripts.map { try self.scenario.server("a", $0) }
        self.file.moved = (http: self.firsts[0].port, tcp: self.firsts[1].port)
    }

    // MARK: Commands

    /// Writes the file as it is now, and has it read again.
    func reload(_ change: (inout SiteFile) throws -> Void) throws {
        try change(&self.file)
        try self.scenario.file(
            "belay.yaml",
            self.file.text(state: self.scenario.path("state"))
        )
        _ = try self.command("POST", "reload")
    }

    /// Asks something of server a in every pool.
    func commandFirsts(_ method: String, _ end: String = "", body: String? = nil) throws {
        for way in self.ways {
            _ = try self.command(method, "pools/\(way)/servers/a\(end)", body: body)
        }
    }

    func command(_ method: String, _ path: String, body: String? = nil) throws -> Message {
        let wire = Wire(try Socket.connect(to: self.belay.admin))
        defer { wire.close() }
        let host = "Host: 127.0.0.1:\(self.belay.admin)"
        let length = body?.utf8.count ?? 0
        try wire.write(
            "\(method) /api/\(path) HTTP/1.1\r\n\(host)\r\nBelay-Admin: 1\r\nConnection: close\r\n"
                + "Content-Length: \(length)\r\n\r\n\(body ?? "")"
        )
        let answer = try wire.answer(to: method)
        try #require(answer.status == 200, "\(method) \(path): \(answer.text)")
        return answer
    }

    /// Waits until server a is so in the pools of these ways.
    func waitForFirsts(
        _ what: String,
        in ways: [Way]? = nil,
        _ isSo: (PoolPage.Server) -> Bool
    ) throws {
        let names = (ways ?? self.ways).map(\.rawValue)
        try look(for: "a to be \(what) in every pool") {
            let page = try self.belay.adminPage("/api/pools")
            let pools = try JSONDecoder().decode(PoolPage.self, from: Data(page.body)).pools
            let firsts = pools.filter { names.contains($0.name) }
                .flatMap(\.servers).filter { $0.name == "a" }
            return firsts.count == names.count && firsts.allSatisfy(isSo) ? true : nil
        }
    }

    // MARK: Clients

    func port(_ way: Way) -> UInt16 {
        let names = SiteFile.listeners + self.ways.filter(\.isTCP).map(\.rawValue)
        let name = way.isTCP ? way.rawValue : way.isTLS ? "https" : "http"
        return names.firstIndex(of: name).map { self.belay.ports[$0] } ?? 0
    }

    func client(_ way: Way) -> WayClient {
        self.clients += 1
        return WayClient(way, self.clients, self)
    }

    /// A new client that has come to server a.
    func bind(_ way: Way) throws -> WayClient {
        for _ in 0..<200 {
            let client = self.client(way)
            if try client.ask().server == "a" { return client }
        }
        throw Watched<Int>.TimedOut(description: "of 200 newcomers in \(way) none came to a")
    }

    /// What `belay explain` says of a client; nil of one that it can't be asked about.
    func explain(_ client: WayClient) throws -> Explained? {
        guard !client.way.isTCP, !client.way.isTLS else { return nil }
        var query = [("host", client.host), ("path", client.target()), ("from", client.address)]
        for field in client.fields {
            let parts = field.split(separator: ":", maxSplits: 1).map { String($0) }
            let value = parts[1].trimmingCharacters(in: .whitespaces)
            query.append(parts[0] == "Cookie" ? ("cookie", value) : ("header", field))
        }
        let text = query.map { name, value in
            name + "=" + (value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
        }
        let page = try self.belay.adminPage("/api/explain?" + text.joined(separator: "&"))
        try #require(page.status == 200, "\(text): \(page.text)")
        return try JSONDecoder().decode(Explained.self, from: Data(page.body))
    }

    /// Waits for the log, which is written now and then, and compares it with the metrics, which
    /// must have counted the same verdicts. The lines by who asked, the first first.
    func log(of count: Int) throws -> [String: [[String: LogValue]]] {
        let lines = try self.belay.program.output.wait(for: "\(count) lines of the log") { lines in
            let ended = lines.filter { !$0.contains("\"event\":\"opened\"") }
            return ended.count >= count ? ended : nil
        }
        var found: [String: [[String: LogValue]]] = [:]
        var counts: [String: Double] = [:]
        for text in lines {
            let line = try JSONDecoder().decode([String: LogValue].self, from: Data(text.utf8))
            let client = line["client"]?.description ?? ""
            found[String(client.prefix { $0 != ":" }), default: []].append(line)
            let pool = line["pool"]?.description ?? ""
            let verdict = line["persistence"]?.description ?? ""
            let labels = "{pool=\"\(pool)\",verdict=\"\(verdict)\"}"
            counts["belay_persistence_verdicts_total\(labels)", default: 0] += 1
        }
        try self.belay.wait(for: counts)
        return found
    }
}

/// As much of `/api/pools` as is looked at here.
struct PoolPage: Decodable {
    struct Pool: Decodable {
        let name: String
        let servers: [Server]
    }
    struct Server: Decodable {
        let name: String
        let state: String
        let health: String
        let openRequests: Int
    }

    let pools: [Pool]
}

/// As much of `/api/explain` as is looked at here.
struct Explained: Decodable {
    let persistence: String
    let rule: String
    let server: String?
}
