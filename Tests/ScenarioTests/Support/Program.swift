import Foundation
import Synchronization

/// A program that runs, and what it has printed so far.
final class Program: Sendable {
    let output = Watched<[String]>([])
    let errors = Watched<[String]>([])
    private let process: Process
    private let outputEnded = Watched(0)
    private let status = Watched<Int32?>(nil)

    var identifier: Int32 { self.process.processIdentifier }
    var isRunning: Bool { self.status.now == nil }

    /// Starts `arguments[0]`, looked up in the path.
    init(
        _ arguments: [String],
        environment: [String: String] = [:],
        directory: String
    ) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        self.process = process
        let errorPipe = Pipe()
        process.standardError = errorPipe
        let outputPipe = Pipe()
        process.standardOutput = outputPipe
        process.terminationHandler = { [status] process in
            let signal = process.terminationReason == .uncaughtSignal
            let code = process.terminationStatus
            status.change { $0 = signal ? -code : code }
        }
        try process.run()
        self.collect(outputPipe.fileHandleForReading, self.output)
        self.collect(errorPipe.fileHandleForReading, self.errors)
    }

    private func collect(_ handle: FileHandle, _ lines: Watched<[String]>) {
        let ended = self.outputEnded
        onThread {
            var rest: [UInt8] = []
            while true {
                let data = handle.availableData
                if data.isEmpty { break }
                rest += data
                var found: [String] = []
                while let end = rest.firstIndex(of: 10) {
                    found.append(String(decoding: rest[..<end], as: UTF8.self))
                    rest.removeSubrange(...end)
                }
                if !found.isEmpty { lines.change { $0 += found } }
            }
            if !rest.isEmpty {
                let last = String(decoding: rest, as: UTF8.self)
                lines.change { $0.append(last) }
            }
            ended.add()
        }
    }

    func signal(_ signal: Int32) {
        if self.isRunning { kill(self.identifier, signal) }
    }

    /// Waits for the end and for all output. A negative status is the signal that ended it.
    @discardableResult
    func waitForEnd() throws -> Int32 {
        let status = try self.status.wait(for: "the end of \(self.process.arguments ?? [])") { $0 }
        try self.outputEnded.wait(for: "the end of the output", atLeast: 2)
        return status
    }

    /// Kills it if it still runs.
    func end() {
        self.signal(SIGKILL)
        _ = try? self.status.wait(for: "the end") { $0 }
    }

    /// Waits for a line that contains `text`, on either output; the part behind the text.
    @discardableResult
    func line(with text: String, on lines: Watched<[String]>? = nil) throws -> String {
        try (lines ?? self.errors).wait(for: "a line with “\(text)”") { lines in
            for line in lines {
                if let range = line.range(of: text) { return String(line[range.upperBound...]) }
            }
            return nil
        }
    }

    /// What it printed, as one text.
    var text: String { self.output.now.joined(separator: "\n") }

    /// How many descriptors it has open.
    var descriptors: Int {
        let folder = "/proc/\(self.identifier)/fd"
        return (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? 0
    }

    /// The most memory that it held so far.
    var peakKibibytes: Int {
        let path = "/proc/\(self.identifier)/status"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        for line in text.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return Int(line.filter(\.isNumber)) ?? 0
        }
        return 0
    }
}
