import Foundation
import Testing

/// All scenarios, one after the other: each has the machine to itself.
@Suite(.serialized, .ownThread) enum Scenarios {}

/// What one test starts, in a directory of its own. All of it ends with the test.
final class Scenario {
    let directory: String
    private var programs: [Program] = []
    private var servers: [RawServer] = []
    private var nameServers: [NameServer] = []
    /// Processes that programs have started, and that outlive them.
    private var adopted: [Int32] = []
    let kept = KeptWires()

    private init() throws {
        let base = FileManager.default.temporaryDirectory
        let url = base.appendingPathComponent("belay-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        self.directory = url.path
    }

    static func run(_ body: (Scenario) throws -> Void) throws {
        let scenario = try Scenario()
        defer { scenario.end() }
        do { try body(scenario) } catch {
            scenario.tell()
            throw error
        }
    }

    private func end() {
        for wire in self.kept.wires { wire.close() }
        for pid in self.adopted { kill(pid, SIGKILL) }
        for program in self.programs.reversed() { program.end() }
        for server in self.servers { server.stop() }
        for server in self.nameServers { server.stop() }
        try? FileManager.default.removeItem(atPath: self.directory)
    }

    /// What the programs said, for whoever looks for the cause.
    private func tell() {
        for program in self.programs {
            for line in program.errors.now.suffix(20) { print("  stderr:", line) }
            for line in program.output.now.suffix(10) { print("  stdout:", line) }
        }
    }

    // MARK: Files

    /// Writes a file into the scenario's directory; its path.
    @discardableResult
    func file(_ name: String, _ text: String) throws -> String {
        let path = self.path(name)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    func path(_ name: String) -> String { "\(self.directory)/\(name)" }

    func text(of name: String) -> String {
        (try? String(contentsOfFile: self.path(name), encoding: .utf8)) ?? ""
    }

    // MARK: Programs

    func start(
        _ arguments: [String],
        environment: [String: String] = [:],
        reads: Bool = false
    ) throws -> Program {
        let program = try Program(
            arguments,
            environment: environment,
            directory: self.directory,
            reads: reads
        )
        self.programs.append(program)
        return program
    }

    /// Runs a program to its end.
    func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Program {
        let program = try self.start(arguments, environment: environment)
        try program.waitForEnd()
        return program
    }

    /// `belay` itself, with these arguments, to its end.
    func command(_ arguments: [String]) throws -> Program {
        try self.run([try belayPath()] + arguments)
    }

    /// A process that a program has started ends with the test too.
    func adopt(_ pid: Int32) { self.adopted.append(pid) }

    func curl(_ arguments: [String]) throws -> Program {
        try self.run(["curl", "--silent", "--show-error", "--max-time", "60"] + arguments)
    }

    // MARK: Servers

    func server(
        _ name: String,
        port: UInt16 = 0,
        at address: UInt32 = 0x7F00_0001,
        _ script: @escaping RawServer.Script = RawServer.plain
    ) throws -> RawServer {
        let server = try RawServer(name, port: port, at: address, script)
        self.servers.append(server)
        return server
    }

    /// A DNS server that knows nothing yet.
    func nameServer(isV6: Bool = false) throws -> NameServer {
        let server = try NameServer(isV6: isV6)
        self.nameServers.append(server)
        return server
    }

    /// A port that nobody listens on.
    func freePort() throws -> UInt16 {
        let socket = try Socket.listen()
        defer { socket.close() }
        return socket.port
    }

    /// nginx, which answers every path with `name`; its workers are killed with it.
    func nginx(_ name: String, port wanted: UInt16? = nil) throws -> (port: UInt16, Program) {
        for _ in 0..<20 {
            let port = try wanted ?? self.freePort()
            let settings = try self.file("nginx-\(name).conf", nginxSettings(name, port))
            let program = try self.start([
                "nginx", "-e", "stderr", "-p", self.directory, "-c", settings,
            ])
            let isUp: Bool? = try look(for: "nginx") {
                if !program.isRunning { return false }
                guard let socket = try? Socket.connect(to: port) else { return nil }
                socket.close()
                return true
            }
            if isUp == true { return (port, program) }
        }
        throw Watched<Int>.TimedOut(description: "nginx finds no port")
    }

    private func nginxSettings(_ name: String, _ port: UInt16) -> String {
        """
        daemon off;
        master_process off;
        pid nginx-\(name).pid;
        error_log stderr;
        events { worker_connections 4096; }
        http {
            access_log off;
            keepalive_requests 1000000;
            client_body_temp_path body-\(name);
            proxy_temp_path proxy-\(name);
            fastcgi_temp_path fastcgi-\(name);
            uwsgi_temp_path uwsgi-\(name);
            scgi_temp_path scgi-\(name);
            server {
                listen 127.0.0.1:\(port) backlog=4096;
                location / { return 200 "\(name)\\n"; }
            }
        }

        """
    }
}

/// The binary under test: `BELAY_BINARY`, or what this package's build has made.
func belayPath() throws -> String {
    if let path = ProcessInfo.processInfo.environment["BELAY_BINARY"] { return path }
    var candidates: [String] = []
    for start in [CommandLine.arguments[0], FileManager.default.currentDirectoryPath + "/."] {
        var folder = URL(fileURLWithPath: start).standardizedFileURL
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            candidates.append(folder.path + "/belay")
            candidates.append(folder.path + "/.build/release/belay")
            candidates.append(folder.path + "/.build/debug/belay")
        }
    }
    for path in candidates where isProgram(path) { return path }
    throw Watched<Int>.TimedOut(description: "no belay beside the tests; set BELAY_BINARY")
}

private func isProgram(_ path: String) -> Bool {
    let files = FileManager.default
    let type = try? files.attributesOfItem(atPath: path)[.type] as? FileAttributeType
    return type == .typeRegular && files.isExecutableFile(atPath: path)
}
