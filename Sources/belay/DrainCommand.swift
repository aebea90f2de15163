package import ArgumentParser
package import BelayAdmin
import BelayCore
import Foundation

/// `belay drain`: empties a server without losing anybody's session.
package struct DrainCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Empty a server: no newcomers, and its clients go when they are done.",
        discussion: """
            Bound clients stay until they end, expire or the deadline comes; then those who are \
            left move. Without an option it begins a drain, or says how far the one is that is \
            under way. A drain survives a reload and a restart of Belay.

            Examples:
              belay drain shop1 --deadline 30m
              belay drain shop1                   says how far it is
              belay drain shop1 --rate 50/s       moves clients, where sessions are shared
              belay drain shop1 --pause           then --resume; or --undo, at any time
              belay drain shop1 --wait            waits until nobody is left
            """
    )

    @Argument(help: "The server, or pool/server.")
    var server: String

    @Option(help: "The server's pool, where several have a server of that name.")
    var pool: String?

    @Option(
        help: ArgumentHelp(
            "How long the drain lasts at most, from now on; left out: the pool's drain-deadline.",
            valueName: "time"
        )
    )
    var deadline: String?

    @Option(
        help: ArgumentHelp(
            """
            Bound clients that move, such as 50/s; 0: none any more. Only where sessions are shared.
            """,
            valueName: "number/s"
        )
    )
    var rate: String?

    @Flag(help: "Stop the drain's time: nobody moves, and the deadline does not come.")
    var pause = false

    @Flag(help: "Go on with a drain that was paused.")
    var resume = false

    @Flag(help: "Take the drain back: the server takes newcomers again.")
    var undo = false

    @Flag(help: "Wait until nobody is left, or the deadline has come.")
    var wait = false

    @OptionGroup var admin: AdminOptions

    package init() {}

    package mutating func validate() throws {
        let flags = [self.pause, self.resume, self.undo].filter { $0 }.count
        if flags > 1 { throw ValidationError("Give one of --pause, --resume and --undo.") }
        if flags == 1, self.deadline != nil || self.rate != nil {
            throw ValidationError("--deadline and --rate begin or change a drain; give them alone.")
        }
        if self.wait, self.pause || self.undo {
            throw ValidationError("There is nothing to wait for after --pause or --undo.")
        }
        _ = try self.query()
        _ = try self.admin.address()
    }

    /// What is asked of the running Belay.
    package func question() throws -> (method: String, path: String) {
        let place = serverPath(self.server, pool: self.pool) + "/drain"
        if self.undo { return ("DELETE", place) }
        if self.pause { return ("POST", place + "/pause") }
        if self.resume { return ("POST", place + "/resume") }
        return ("POST", place + (try self.query()))
    }

    package func run() throws {
        let (method, path) = try self.question()
        if self.undo {
            try self.admin.tell("drain", method, path: path)
            return
        }
        let show = self.wait ? { _ in } : self.show
        let report: DrainReport = try self.admin.ask(
            "drain",
            method,
            path: path,
            isQuiet: self.wait,
            show: show
        )
        if self.wait { try self.waitForEnd(report) }
    }

    /// Asks every second; tells what has changed now and then.
    private func waitForEnd(_ first: DrainReport) throws {
        let path = serverPath(self.server, pool: self.pool) + "/drain"
        var report = first
        var told: Int?
        while true {
            switch DrainPhase(rawValue: report.phase) {
            case .empty, .over:
                if self.admin.json { try printJSON(report) } else { self.show(report) }
                return
            case .paused, .running, nil: break
            }
            if told != report.bound, !self.admin.json {
                complain("\(report.bound) still bound, \(report.openRequests) open")
            }
            told = report.bound
            Thread.sleep(forTimeInterval: 1)
            report = try self.admin.ask("drain", path: path, isQuiet: true) { _ in }
        }
    }

    private func query() throws -> String {
        var parts: [String] = []
        if let text = self.deadline {
            guard let span = CommandText.span(text), span >= .seconds(1) else {
                throw ValidationError("--deadline must be a time such as 30m, not \"\(text)\".")
            }
            parts.append("deadline=\(text)")
        }
        if let text = self.rate {
            guard CommandText.rate(text) != nil else {
                throw ValidationError("--rate must be a rate such as 50/s, not \"\(text)\".")
            }
            parts.append("rate=\(pathPart(text))")
        }
        return parts.isEmpty ? "" : "?" + parts.joined(separator: "&")
    }

    private func show(_ report: DrainReport) {
        guard !self.admin.json else { return }
        print(drainText(report, now: Int64(Date().timeIntervalSince1970)), terminator: "")
    }
}

/// A drain as people read it. `now`: seconds since 1970.
package func drainText(_ report: DrainReport, now: Int64) -> String {
    let name = "\(printable(report.pool))/\(printable(report.server))"
    let isLeaving = report.cause == "removal"
    let state =
        switch DrainPhase(rawValue: report.phase) {
        case .paused: "the drain is paused; it takes no newcomers all the same"
        case .empty: "empty: it can be taken away"
        case .over: "the deadline has come: who is still bound moves"
        case .running, nil: isLeaving ? "leaving: it is in no settings any more" : "draining"
        }
    var lines = ["\(name): \(state)"]
    func line(_ title: String, _ text: String) {
        lines.append("  \(title)" + String(repeating: " ", count: 22 - title.count) + text)
    }
    if report.countsAll {
        line("bound clients", "\(report.bound) of \(report.boundAtStart)")
        line("would lose a session", "\(report.losing)")
    } else {
        line("bound clients", "\(report.bound) known here; not all are counted")
        line("would lose a session", "\(report.losing) known here")
    }
    line("open requests", "\(report.openRequests)")
    if let rate = report.rate { line("moving", "\(numberText(rate)) a second") }
    let isDone =
        report.phase == DrainPhase.empty.rawValue || report.phase == DrainPhase.over.rawValue
    if let end = report.expectedEnd, !isDone {
        line("expected end", "\(timeText(end)) (in \(spanText(end - now)))")
        line("deadline", "\(timeText(report.deadline)) (in \(spanText(report.deadline - now)))")
    }
    return lines.joined(separator: "\n") + "\n"
}

/// `2026-11-26 23:00:00 UTC`.
private func timeText(_ seconds: Int64) -> String {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(secondsFromGMT: 0)
    format.dateFormat = "yyyy-MM-dd HH:mm:ss 'UTC'"
    return format.string(from: Date(timeIntervalSince1970: TimeInterval(seconds)))
}

private func spanText(_ seconds: Int64) -> String {
    let seconds = max(0, seconds)
    if seconds < 120 { return "\(seconds) s" }
    return seconds < 7200 ? "\(seconds / 60) min" : "\(seconds / 3600) h"
}

/// The admin path of a server, which may be given as pool/server.
package func serverPath(_ server: String, pool: String?) -> String {
    let parts = server.split(separator: "/", maxSplits: 1).map(String.init)
    let (pool, server) =
        parts.count == 2 && pool == nil ? (parts[0], parts[1]) : (pool ?? "-", server)
    return "/api/pools/\(pathPart(pool))/servers/\(pathPart(server))"
}
