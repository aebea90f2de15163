import Foundation
import TestPrograms

/// A program that runs, and what it has printed so far.
final class Program: Sendable {
    let output = Watched<[String]>([])
    let errors = Watched<[String]>([])
    private let arguments: [String]
    private let process: RunningProgram
    private let outputEnded = Watched(0)
    private let status = Watched<Int32?>(nil)

    var identifier: Int32 { self.process.identifier }
    var isRunning: Bool { self.status.now == nil }

    /// Starts `arguments[0]`, looked up in the path. What it reads is what `type` says, or nothing.
    init(
        _ arguments: [String],
        environment: [String: String] = [:],
        directory: String,
        reads: Bool = false
    ) throws {
        self.arguments = arguments
        self.process = try RunningProgram(
            arguments,
            environment: environment,
            directory: directory,
            reads: reads
        ) { [status] code in status.change { $0 = code } }
        self.collect(self.process.output, self.output)
        self.collect(self.process.errors, self.errors)
    }

    private func collect(_ output: ProgramOutput, _ lines: Watched<[String]>) {
        let ended = self.outputEnded
        onThread {
            var rest: [UInt8] = []
            while let bytes = try? output.next(), !bytes.isEmpty {
                rest += bytes
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

    /// Writes a line that the program reads.
    func type(_ line: String) throws {
        guard self.isRunning else { throw Watched<Int>.TimedOut(description: "it has ended") }
        try self.process.input?.write(Array((line + "\n").utf8))
    }

    /// Ends what the program reads.
    func endInput() throws { self.process.input?.close() }

    func signal(_ signal: Int32) { self.process.signal(signal) }

    /// Waits for the end and for all output. A negative status is the signal that ended it.
    @discardableResult
    func waitForEnd(patience: Int = patienceSeconds) throws -> Int32 {
        let what = "the end of \(self.arguments)"
        let status = try self.status.wait(for: what, patience: patience) { $0 }
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

    /// Waits until so many lines of its output begin with `text`; what follows the text in each.
    @discardableResult
    func lines(_ count: Int = 1, beginning text: String) throws -> [String] {
        try self.output.wait(for: "\(count) lines that begin with “\(text)”") { lines in
            let found = lines.filter { $0.hasPrefix(text) }.map { String($0.dropFirst(text.count)) }
            return found.count >= count ? found : nil
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
