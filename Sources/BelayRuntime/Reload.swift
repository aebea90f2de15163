import BelayBalancing
import BelayBytes
import BelayCore
import BelayProxy
import BelaySettings
import BelayTelemetry
import BelayTransport
import Logging
import Synchronization

/// How an attempt to take new settings went.
package struct ReloadReport: Sendable {
    /// What is wrong with the settings, a line each; then nothing was changed.
    package var problems: [String] = []
    /// What is different now, a line each.
    package var news: [String] = []
    /// What can't be changed while Belay runs, and what an operator should see to.
    package var warnings: [String] = []

    package var succeeded: Bool { self.problems.isEmpty }
}

/// The names that notices speak of, as of the last reload.
final class NoticeNames: Sendable {
    private let pools: Mutex<[(pool: String, servers: [String])]>

    init(_ plan: ProxyPlan) { self.pools = Mutex(Self.names(plan)) }

    func replace(_ plan: ProxyPlan) {
        let names = Self.names(plan)
        self.pools.withLock { $0 = names }
    }

    /// The server as `pool/server`.
    func name(_ pool: Int, _ server: Int) -> String {
        self.pools.withLock { "\($0[pool].pool)/\($0[pool].servers[server])" }
    }

    func name(_ pool: Int) -> String { self.pools.withLock { $0[pool].pool } }

    private static func names(_ plan: ProxyPlan) -> [(pool: String, servers: [String])] {
        plan.pools.map { ($0.name.rawValue, $0.servers.map(\.name.rawValue)) }
    }
}

/// What is wanted: the file's last word, and what was changed beside it.
struct Wishes: Sendable {
    var file: Settings
    var overlay: ServerOverlay

    var settings: Settings { self.overlay.applied(to: self.file) }
}

extension RunningProcess {
    /// Reads the settings again and puts them in the place of those that are served. A mistake in
    /// them changes nothing.
    func reload() -> ReloadReport {
        self.supervisor.sayReloading()
        defer { self.supervisor.say("READY=1") }
        guard let reread = self.reread else {
            return self.refused(["Belay was started without a settings file."])
        }
        let (settings, problems) = reread()
        guard let settings else { return self.refused(problems.map { "\($0)" }) }
        for problem in problems { self.logger.warning("\(problem)") }
        var report = self.changing.withLock { _ in
            var wishes = self.wishes.withLock { $0 }
            wishes.overlay.follow(from: wishes.file, to: settings)
            wishes.file = settings
            return self.change(to: wishes, isEdit: false)
        }
        report.warnings += problems.map { "\($0)" }
        if report.succeeded {
            self.discovery.follow(settings)
            self.noteServers()
        }
        self.reloads.withLock { counts in
            guard report.succeeded else { return }
            counts.succeeded += 1
            counts.lastSuccess = self.unixNow
        }
        self.showReloads()
        return report
    }

    /// Changes servers beside the file, for good: reloads and restarts keep it.
    func change(
        _ pool: PoolName,
        _ changes: [ServerChange],
        by origin: ChangeOrigin
    ) -> ReloadReport {
        let report = self.changing.withLock { _ in
            var wishes = self.wishes.withLock { $0 }
            wishes.overlay.note(changes, in: pool, by: origin)
            return self.change(to: wishes, isEdit: true)
        }
        if report.succeeded { self.noteServers() }
        return report
    }

    /// Makes the plan anew from what is wanted: tables were written to that it depends on.
    @discardableResult
    func changeAgain() -> ReloadReport {
        self.changing.withLock { _ in
            self.change(to: self.wishes.withLock { $0 }, isEdit: true)
        }
    }

    /// Serves what is wanted from now on. Only one thread does so at a time.
    private func change(to wanted: Wishes, isEdit: Bool) -> ReloadReport {
        guard self.phase.withLock({ $0 }) == .serving else {
            return self.refused(["another process is taking over"], isEdit: isEdit)
        }
        var report = ReloadReport()
        let began = SystemClock.monotonicNanoseconds()
        let settings = self.changeable(wanted.settings, &report)
        var before = self.serving.withLock { $0 }
        self.certificates.refresh(&before.planned.plan)
        var builder = PlanBuilder(settings: settings, logger: self.logger)
        builder.isEdit = isEdit
        builder.free = self.freePlaces(before.planned.plan)
        let next: Serving
        let sockets: [[WorkerSocket]]
        do {
            let planned = try builder.planned(
                connectionsMax: self.connectionsMax,
                after: before.planned
            )
            let names = planned.names(after: before.names)
            guard let store = before.store.with(names) else {
                throw StartError("so many names have come and gone that Belay must be restarted")
            }
            sockets = try self.sockets.open(planned.newListeners)
            next = Serving(planned: planned, names: names, store: store)
            try self.retarget(settings.log)
        } catch {
            return self.refused(["\(error)"], isEdit: isEdit)
        }
        self.serve(next, sockets, builder)
        self.wishes.withLock { $0 = wanted }
        report.news += next.planned.news
        report.warnings += next.planned.warnings
        let time = (SystemClock.monotonicNanoseconds() - began) / 1_000_000
        if isEdit {
            self.logger.info("servers were changed, after \(time) ms")
        } else {
            self.logger.notice("settings were read again and are served, after \(time) ms")
        }
        for line in report.news { self.logger.notice("\(line)") }
        for line in report.warnings { self.logger.warning("\(line)") }
        return report
    }

    /// Puts a plan in the place of the one before. Nothing can fail from here on. Returns when all
    /// workers follow it.
    private func serve(_ next: Serving, _ sockets: [[WorkerSocket]], _ builder: PlanBuilder) {
        let planned = next.planned
        let now = Instant(nanoseconds: SystemClock.monotonicNanoseconds())
        self.noticeNames.replace(planned.plan)
        for place in planned.recycled {
            next.store.forget(pool: place.pool, server: place.server)
            self.removals.withLock { $0[place] = nil }
        }
        for change in planned.changes { change(now) }
        self.removals.withLock { removals in
            for place in planned.removing { removals[place] = now }
        }
        self.serving.withLock { $0 = next }
        self.view.replace(planned, next.store)
        self.certificates.replace(planned, builder)
        self.sockets.close(planned.closedListeners)
        LogLevel.shared.set(planned.settings.log.level.level)
        self.post(next, sockets)
        self.health.post(.replace(planned.plan.pools))
        for change in planned.lateChanges { change(now) }
        self.leave(planned)
    }

    private func refused(_ problems: [String], isEdit: Bool = false) -> ReloadReport {
        if !isEdit {
            self.reloads.withLock { $0.failed += 1 }
            self.showReloads()
            self.logger.error("the settings are not served, and the old ones go on:")
        }
        for problem in problems { self.logger.error("\(problem)") }
        return ReloadReport(problems: problems)
    }

    func showReloads() { self.view.show(self.reloads.withLock { $0 }) }

    // Limit: how long a worker may take until it follows a new plan, before it is not waited for.
    private static let takenWithin: Int64 = 5_000_000_000

    /// Gives each worker the plan, and its sockets of new listeners; waits until all follow it.
    private func post(_ next: Serving, _ sockets: [[WorkerSocket]]) {
        let taken = Semaphore()
        let sink = self.sink.withLock { $0 }
        for (worker, mailbox) in self.mailboxes.enumerated() {
            var change = PlanChange(plan: next.planned.plan)
            change.sockets = sockets[worker]
            change.closing = next.planned.closedListeners
            if let sink, let format = next.planned.settings.log.format {
                change.log = (sink: sink, words: LogWords(format, next.names))
            }
            change.whenTaken = { taken.post() }
            mailbox.post(.replacePlan(change))
        }
        let end = SystemClock.monotonicNanoseconds() + Self.takenWithin
        for _ in self.mailboxes {
            let left = end - SystemClock.monotonicNanoseconds()
            guard left > 0, taken.wait(nanoseconds: left) else { return }
        }
    }

    /// Opens the access log where it is now.
    private func retarget(_ log: Settings.Log) throws {
        let before = self.serving.withLock { $0.planned.settings.log }
        guard log.format != nil, log.accessTo != before.accessTo || before.format == nil else {
            return
        }
        try self.sink.withLock { sink in
            do {
                if let sink {
                    try sink.retarget(LogTarget(log.accessTo))
                } else {
                    sink = try LogSink(
                        target: LogTarget(log.accessTo),
                        workers: self.workerCount
                    )
                }
            } catch {
                throw StartError("the access log: \(error)")
            }
        }
        self.view.show(self.sink.withLock { $0 })
    }

    /// The settings without what can't be changed while Belay runs; that is told.
    private func changeable(_ wanted: Settings, _ report: inout ReloadReport) -> Settings {
        var settings = wanted
        func keep<Value: Equatable>(_ name: String, _ place: WritableKeyPath<Settings, Value>) {
            guard settings[keyPath: place] != self.settings[keyPath: place] else { return }
            settings[keyPath: place] = self.settings[keyPath: place]
            report.warnings.append(
                "\(name) can't change while Belay runs: restart or upgrade it for that"
            )
        }
        keep("workers", \.workers)
        keep("pin-workers", \.pinWorkers)
        keep("state-directory", \.stateDirectory)
        keep("admin", \.admin)
        let room = self.settings.limits.connections
        if settings.limits.connections > room {
            settings.limits.connections = room
            report.warnings.append(
                "limits.connections can't rise above \(room) while Belay runs: "
                    + "restart or upgrade it for that"
            )
        }
        return settings
    }

    // MARK: Changes that a restart keeps

    private func noteServers() {
        self.servers.withLock { $0.isUnsaved = true }
        self.keepServers()
    }

    /// Writes the changes of servers where that is needed. What stands in the way is told once.
    func keepServers() {
        // Without a file there is nothing that a later start could belong to. And of two processes
        // the one that serves writes.
        guard self.reread != nil, self.phase.withLock({ $0 }) == .serving else { return }
        let wishes = self.wishes.withLock { $0 }
        self.servers.withLock { book in
            guard book.isUnsaved else { return }
            let before = book.failure
            book.save(wishes.overlay, beside: wishes.file)
            self.view.show(.servers, failure: book.failure)
            if let failure = book.failure, failure != before { self.logger.error("\(failure)") }
            if before != nil, book.failure == nil {
                self.logger.notice("changes of servers are written again")
            }
        }
    }

    // MARK: Removed servers

    // Limit: for how long a removed server's place is kept for it, in case it comes back.
    private static let removedFor = TimeSpan.minutes(10)

    /// Notes which servers were removed, by whomever, and lets the workers close what they keep to
    /// them.
    func followRemovals() {
        let plan = self.serving.withLock { $0.planned.plan }
        let now = Instant(nanoseconds: SystemClock.monotonicNanoseconds())
        var hasNew = false
        self.removals.withLock { removals in
            for (pool, entry) in plan.pools.enumerated() {
                for server in entry.servers.indices {
                    let place = ServerPlace(pool: pool, server: server)
                    let isRemoved = entry.table.membership(server) == .removed
                    if !isRemoved {
                        removals[place] = nil
                    } else if removals[place] == nil {
                        removals[place] = now
                        hasNew = true
                    }
                }
            }
        }
        if hasNew, self.phase.withLock({ $0 }) == .serving { self.changeAgain() }
    }

    /// Places that other servers may have.
    private func freePlaces(_ plan: ProxyPlan) -> [Int: [Int]] {
        let now = Instant(nanoseconds: SystemClock.monotonicNanoseconds())
        var free: [Int: [Int]] = [:]
        for (place, since) in self.removals.withLock({ $0 }) where now - since >= Self.removedFor {
            let table = plan.pools[place.pool].table
            guard table.membership(place.server) == .removed,
                table.openRequests(place.server) == 0, table.connections(place.server) == 0
            else { continue }
            free[place.pool, default: []].append(place.server)
        }
        return free
    }
}

extension Settings.Log {
    /// The format of the access log; nil: there is none.
    var format: LogFormat? {
        switch self.access {
        case .off: nil
        case .json: .json
        case .text: .text
        }
    }
}

extension LogTarget {
    init(_ target: Settings.LogTarget) {
        switch target {
        case .stdout: self = .standardOutput
        case .file(let path): self = .file(path)
        }
    }
}
