import BelayBytes
import BelayCore
import BelayTelemetry
import Foundation
import Synchronization
import Testing

/// What the sink told the operator.
private final class Told: Sendable {
    private let sentences = Mutex<[String]>([])
    var all: [String] { self.sentences.withLock { $0 } }
    func tell(_ sentence: String) { self.sentences.withLock { $0.append(sentence) } }
}

private func temporaryPath() -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent("belay-log-\(UUID())").path
}

private func lines(_ path: String) throws -> [Substring] {
    try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
}

/// Writes `count` lines whose path is `/TAG/NUMBER`.
private func write(_ count: Int, tag: String, to log: inout WorkerLog, padding: Int = 0) {
    let get = Array("GET".utf8)
    let host = Array("h".utf8)
    for number in 0..<count {
        let path = Array("/\(tag)/\(number)".utf8) + [UInt8](repeating: 0x78, count: padding)
        log.write(Samples.exchange(), method: get.span, host: host.span, path: path.span)
    }
}

private func accessLog() -> AccessLog {
    AccessLog(format: .text, names: Samples.names, clock: Samples.clock)
}

struct LogSinkTests {
    @Test func `every line of every worker arrives whole and in its worker's order`() throws {
        let path = temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let sink = try LogSink(target: .file(path), workers: 2)
        var first = sink.log(of: 0, accessLog())
        var second = sink.log(of: 1, accessLog())
        for round in 0..<10 {
            write(20, tag: "a\(round)", to: &first)
            write(20, tag: "b\(round)", to: &second)
        }
        first.flush()
        second.flush()
        #expect(sink.stop())
        let lines = try lines(path)
        #expect(lines.count == 400)
        #expect(lines.allSatisfy { $0.hasSuffix("ending=done") })
        for tag in ["a", "b"] {
            let wanted = (0..<10).flatMap { round in (0..<20).map { "/\(tag)\(round)/\($0)" } }
            let paths = lines.compactMap { line in
                line.split(separator: "\"").first { $0.hasPrefix("/\(tag)") }.map(String.init)
            }
            #expect(paths == wanted)
        }
        #expect(sink.lineCounts == (written: 400, dropped: 0))
    }

    @Test func `a tunnel's first line is as old as its opening, and may be lost`() throws {
        let path = temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let sink = try LogSink(target: .file(path), workers: 1)
        var log = sink.log(of: 0, accessLog())
        let bytes = Array("x".utf8)
        let record = Samples.webSocket()
        log.writeOpened(record, method: bytes.span, host: bytes.span, path: bytes.span)
        log.tick(now: record.started + .milliseconds(902), clock: Samples.clock)
        #expect(sink.stop())
        let lines = try lines(path)
        #expect(lines.count == 1 && lines[0].contains(" opened "))
        #expect(sink.lineCounts == (written: 1, dropped: 0))
        // Nobody takes lines any more: more of them come than the buffers hold.
        let long = [UInt8](repeating: 0, count: 100_000)
        for _ in 0..<100 {
            log.writeOpened(record, method: bytes.span, host: bytes.span, path: long.span)
        }
        #expect(sink.lineCounts.dropped > 0)
    }

    @Test func `a full buffer is handed over at once, an old one by the tick`() throws {
        let path = temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let sink = try LogSink(target: .file(path), workers: 1)
        var log = sink.log(of: 0, accessLog())
        write(1, tag: "young", to: &log)
        let ended = Samples.exchange().ended
        log.tick(now: ended + .milliseconds(899), clock: Samples.clock)
        log.tick(now: ended + .milliseconds(900), clock: Samples.clock)
        // Nothing is left to flush: the stop alone must find the line.
        #expect(sink.stop())
        #expect(try lines(path).count == 1)
        log.flush()
    }

    @Test func `a file that logrotate renamed is opened anew`() throws {
        let path = temporaryPath()
        let renamed = path + ".1"
        defer {
            try? FileManager.default.removeItem(atPath: path)
            try? FileManager.default.removeItem(atPath: renamed)
        }
        let sink = try LogSink(target: .file(path), workers: 1)
        try FileManager.default.moveItem(atPath: path, toPath: renamed)
        sink.reopen()
        var log = sink.log(of: 0, accessLog())
        write(3, tag: "after", to: &log)
        log.flush()
        #expect(sink.stop())
        #expect(try lines(path).count == 3)
        #expect(try lines(renamed).isEmpty)
    }

    @Test func `a file that cannot be opened anew goes on as it was`() throws {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        let path = folder + "/log"
        let moved = folder + "-moved"
        defer { try? FileManager.default.removeItem(atPath: moved) }
        let told = Told()
        let sink = try LogSink(target: .file(path), workers: 1, tell: told.tell)
        try FileManager.default.moveItem(atPath: folder, toPath: moved)
        sink.reopen()
        var log = sink.log(of: 0, accessLog())
        write(2, tag: "x", to: &log)
        log.flush()
        #expect(sink.stop())
        #expect(try lines(moved + "/log").count == 2)
        #expect(
            told.all == [
                "access log: cannot open \(path): No such file or directory; the old file goes on"
            ]
        )
    }

    @Test func `a full disk is told once, and its lines are counted`() throws {
        let told = Told()
        let sink = try LogSink(target: .file("/dev/full"), workers: 1, tell: told.tell)
        var log = sink.log(of: 0, accessLog())
        for _ in 0..<3 {
            write(5, tag: "lost", to: &log)
            log.flush()
        }
        #expect(sink.stop())
        #expect(sink.lineCounts == (written: 0, dropped: 15))
        #expect(
            told.all == [
                "access log: cannot write /dev/full: No space left on device; lines are dropped"
            ]
        )
    }

    @Test func `a disk that has room again is written to, and that is told`() throws {
        let link = temporaryPath()
        let path = temporaryPath()
        try FileManager.default.createSymbolicLink(
            atPath: link,
            withDestinationPath: "/dev/full"
        )
        defer {
            try? FileManager.default.removeItem(atPath: link)
            try? FileManager.default.removeItem(atPath: path)
        }
        let told = Told()
        let failed = Semaphore()
        let sink = try LogSink(target: .file(link), workers: 1) { sentence in
            told.tell(sentence)
            failed.post()
        }
        var log = sink.log(of: 0, accessLog())
        write(4, tag: "lost", to: &log)
        log.flush()
        failed.wait()
        try FileManager.default.removeItem(atPath: link)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        sink.reopen()
        write(2, tag: "kept", to: &log)
        log.flush()
        #expect(sink.stop())
        #expect(try lines(path).count == 2)
        #expect(sink.lineCounts == (written: 2, dropped: 4))
        #expect(told.all.last == "access log: writing again; 4 lines were dropped")
    }

    @Test func `a worker never waits: when the writer is behind, lines are dropped and counted`()
        throws
    {
        // The writer hangs in telling about its first error until it is let go.
        let began = Semaphore()
        let mayGoOn = Semaphore()
        let sink = try LogSink(target: .file("/dev/full"), workers: 1) { _ in
            began.post()
            mayGoOn.wait()
        }
        var log = sink.log(of: 0, accessLog())
        write(1, tag: "first", to: &log)
        log.flush()
        began.wait()
        // 3,000 lines of 1.2 KB are far more than eight buffers of 64 KiB.
        write(3_000, tag: "flood", to: &log, padding: 1_000)
        let early = sink.lineCounts.dropped
        #expect(early > 2_000 && early < 3_000)
        mayGoOn.post()
        log.flush()
        #expect(sink.stop())
        #expect(sink.lineCounts == (written: 0, dropped: 3_001))
    }

    @Test func `an unusable path is an error at start`() {
        #expect(throws: FileError(code: 2, action: "open", path: "/nowhere/log")) {
            try LogSink(target: .file("/nowhere/log"), workers: 1)
        }
    }
}
