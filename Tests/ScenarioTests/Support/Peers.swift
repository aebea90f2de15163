import Foundation
import Testing

/// Where the programs lie that stand for clients and servers.
private let peersFolder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Peers").path

/// A server that runs as a program of its own.
struct ServerPeer {
    let name: String
    let port: UInt16
    let program: Program
}

extension Scenario {
    /// The Python that has the packages of the tests.
    func python() throws -> String {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["BELAY_PYTHON"] { return path }
        var folder = URL(fileURLWithPath: peersFolder)
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            let path = folder.path + "/.build/python/bin/python"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw Watched<Int>.TimedOut(description: "no .build/python: run Tools/setup test")
    }

    /// Starts one of Tests/Peers.
    func peer(_ name: String, _ arguments: [String], reads: Bool = false) throws -> Program {
        let interpreter = name.hasSuffix(".js") ? "node" : try self.python()
        return try self.start([interpreter, "\(peersFolder)/\(name)"] + arguments, reads: reads)
    }

    /// Runs a client of Tests/Peers to its end, which must be that all was as it should be.
    @discardableResult
    func client(
        _ name: String,
        _ arguments: [String],
        _ place: SourceLocation = #_sourceLocation
    ) throws -> [String] {
        let program = try self.peer(name, arguments)
        let status = try program.waitForEnd()
        let said = program.errors.now.suffix(3).joined(separator: "\n")
        #expect(status == 0, "\(name) \(arguments): \(said)", sourceLocation: place)
        #expect(program.output.now.last == "ok", "\(arguments)", sourceLocation: place)
        return program.output.now.dropLast()
    }

    /// Starts a server of Tests/Peers and waits for its port.
    func serverPeer(
        _ file: String,
        name: String = "peer",
        _ arguments: [String] = []
    ) throws -> ServerPeer {
        let program = try self.peer(file, arguments)
        return ServerPeer(name: name, port: try program.port(), program: program)
    }
}

extension Program {
    /// The port that a server says on its output.
    func port() throws -> UInt16 {
        let text = try self.line(with: "port ", on: self.output)
        return try #require(UInt16(text.prefix { $0.isNumber }))
    }

    /// The last line that a peer printed with this word first.
    func said(_ word: String) -> String? {
        let line = self.output.now.last { $0.hasPrefix(word + " ") }
        return line.map { String($0.dropFirst(word.count + 1)) }
    }
}
