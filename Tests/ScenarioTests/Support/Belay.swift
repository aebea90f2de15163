import Foundation
import Testing

/// Connections that stay open to the end of a test, whenever it last looks at them.
final class KeptWires {
    var wires: [Wire] = []
}

/// A running Belay and its addresses.
struct Belay {
    let program: Program
    let port: UInt16
    let admin: UInt16
    let kept: KeptWires

    var url: String { "http://127.0.0.1:\(self.port)" }
    var secureURL: String { "https://127.0.0.1:\(self.port)" }

    /// The ports of all listeners, in the order of the settings.
    var ports: [UInt16] {
        let mark = "listening on 127.0.0.1:"
        return self.program.errors.now.compactMap { line in
            line.range(of: mark).flatMap { UInt16(line[$0.upperBound...].prefix { $0.isNumber }) }
        }
    }

    /// A connection that stays open until the test ends or closes it.
    func connect(from source: UInt32 = 0x7F00_0001) throws -> Wire {
        let wire = Wire(try Socket.connect(to: self.port, from: source))
        self.kept.wires.append(wire)
        return wire
    }

    /// One request on a connection of its own.
    func ask(
        _ target: String = "/",
        method: String = "GET",
        fields: [String] = [],
        body: String? = nil
    ) throws -> Message {
        let wire = Wire(try Socket.connect(to: self.port))
        defer { wire.close() }
        let fields = fields + ["Connection: close"]
        return try wire.ask(target, method: method, fields: fields, body: body)
    }

    /// Sends bytes on a connection of its own and reads until Belay closes.
    func exchange(_ bytes: String) throws -> String {
        let wire = Wire(try Socket.connect(to: self.port))
        defer { wire.close() }
        try wire.write(bytes)
        return try wire.readToEnd()
    }

    // MARK: What is seen from outside

    func adminPage(_ path: String) throws -> Message {
        let wire = Wire(try Socket.connect(to: self.admin))
        try wire.write(
            "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(self.admin)\r\nConnection: close\r\n\r\n"
        )
        return try wire.answer()
    }

    func metrics() throws -> Metrics { Metrics(try self.adminPage("/metrics").text) }

    /// Waits until these metrics have these values: an exchange is counted when it has ended, which
    /// its client may learn before.
    func wait(for wanted: [String: Double], _ place: SourceLocation = #_sourceLocation) throws {
        var found: [String: Double] = [:]
        do {
            try look(for: "\(wanted)") {
                let metrics = try self.metrics()
                found = Dictionary(uniqueKeysWithValues: wanted.keys.map { ($0, metrics[$0]) })
                return found == wanted ? true : nil
            }
        } catch is Watched<Int>.TimedOut {
            #expect(found == wanted, sourceLocation: place)
        }
    }

    /// Waits until a metric has reached `count`.
    func wait(for metric: String, atLeast count: Double = 1) throws {
        try look(for: "\(metric) of \(count)") {
            try self.metrics()[metric] >= count ? true : nil
        }
    }

    /// The first so many lines of the access log, each as an object.
    func log(_ count: Int) throws -> [[String: LogValue]] {
        let lines = try self.program.output.wait(for: "\(count) lines of the log") { lines in
            lines.count >= count ? lines : nil
        }
        return try lines.map {
            try JSONDecoder().decode([String: LogValue].self, from: Data($0.utf8))
        }
    }

    /// Stops gracefully; the exit status.
    func stop() throws -> Int32 {
        self.program.signal(SIGTERM)
        return try self.program.waitForEnd()
    }
}

/// The value of a field in a line of the JSON log.
enum LogValue: Decodable, Equatable, CustomStringConvertible {
    case text(String)
    case number(Double)
    case flag(Bool)
    case null

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else {
            self = .text(try container.decode(String.self))
        }
    }

    var description: String {
        switch self {
        case .text(let text): text
        case .number(let number): String(number)
        case .flag(let flag): String(flag)
        case .null: "null"
        }
    }
}

/// A page of `/metrics`, read as Prometheus reads it.
struct Metrics {
    private(set) var samples: [String: Double] = [:]
    private(set) var types: [String: String] = [:]
    private(set) var helps: Set<String> = []
    /// Lines that are neither a comment nor a sample.
    private(set) var strange: [String] = []

    init(_ page: String) {
        for line in page.split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            if line.hasPrefix("# HELP "), words.count > 3 {
                self.helps.insert(String(words[2]))
            } else if line.hasPrefix("# TYPE "), words.count == 4 {
                self.types[String(words[2])] = String(words[3])
            } else if let space = line.lastIndex(of: " "),
                let value = Double(line[line.index(after: space)...])
            {
                self.samples[String(line[..<space])] = value
            } else {
                self.strange.append(String(line))
            }
        }
    }

    /// A sample by its name and labels; a name alone means the sum over its labels.
    subscript(_ name: String) -> Double {
        if name.contains("{") { return self.samples[name] ?? 0 }
        return self.samples.reduce(0) { sum, sample in
            sample.key == name || sample.key.hasPrefix(name + "{") ? sum + sample.value : sum
        }
    }
}

/// What a test says of its Belay; the rest is the same for all.
struct BelayFile {
    var servers: [(name: String, port: UInt16)] = []
    /// More entries of the list of servers, such as `{ file: servers.txt }`.
    var entries: [String] = []
    /// Lines of the pool's settings.
    var pool: [String] = []
    /// Lines at the top of the file.
    var top: [String] = []
    /// Lines after each server, by its name, such as `state: draining`.
    var serverExtras: [String: String] = [:]

    init(_ servers: [RawServer] = [], pool: [String] = [], top: [String] = []) {
        self.servers = servers.map { ($0.name, $0.port) }
        self.pool = pool
        self.top = top
    }

    func text(state: String) -> String {
        var lines = self.top
        func add(_ key: String, _ value: String) {
            if !self.top.contains(where: { $0.hasPrefix(key + ":") }) {
                lines.append("\(key): \(value)")
            }
        }
        add("listeners", #"["127.0.0.1:0"]"#)
        add("admin", #""127.0.0.1:0""#)
        add("state-directory", state)
        add("workers", "1")
        add("log", "{ access: json }")
        lines += ["pools:", "  shop:"]
        lines += self.pool.map { "    " + $0 }
        lines.append("    servers:")
        for server in self.servers {
            let extra = self.serverExtras[server.name].map { ", " + $0 } ?? ""
            let address = "\"127.0.0.1:\(server.port)\""
            lines.append("      - { name: \(server.name), address: \(address)\(extra) }")
        }
        lines += self.entries.map { "      - " + $0 }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension Scenario {
    /// Starts Belay in front of these servers and waits until it serves.
    func belay(
        _ servers: [RawServer],
        pool: [String] = [],
        top: [String] = [],
        descriptors: Int? = nil
    ) throws -> Belay {
        try self.belay(BelayFile(servers, pool: pool, top: top), descriptors: descriptors)
    }

    func belay(_ file: BelayFile, descriptors: Int? = nil) throws -> Belay {
        let name = "belay-\(UUID().uuidString).yaml"
        try self.file(name, file.text(state: self.path("state")))
        var arguments = [try belayPath(), "run", name]
        if let descriptors {
            arguments = ["sh", "-c", "ulimit -n \(descriptors); exec \"$0\" \"$@\""] + arguments
        }
        return try self.belay(starting: arguments)
    }

    func belay(starting arguments: [String]) throws -> Belay {
        let program = try self.start(arguments)
        let found: Bool = try look(for: "Belay to be ready") {
            if program.errors.now.contains(where: { $0.contains("ready after") }) { return true }
            return program.isRunning ? nil : false
        }
        guard found else { throw Watched<Int>.TimedOut(description: "Belay ended at its start") }
        let port = try program.line(with: "listening on 127.0.0.1:")
        let admin = try program.line(with: "admin on http://127.0.0.1:")
        return Belay(
            program: program,
            port: UInt16(port) ?? 0,
            admin: UInt16(admin) ?? 0,
            kept: self.kept
        )
    }
}
