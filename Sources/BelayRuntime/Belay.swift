// BelayRuntime: puts the parts together from the settings. `Belay.run` is the whole life of the
// process: plan, listening sockets, workers, admin, signals, stop. `PlanBuilder` turns settings
// into what the workers need; `AdminView` answers the admin server. Decisions are not made here.

import BelayBytes
import BelayCore
import BelayHTTP
import BelayProxy
package import BelaySettings
import BelayTelemetry
import BelayTransport
import Foundation
import Logging

/// Why Belay did not start. The sentence is for the operator.
package struct StartError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

package enum Belay {
    package static let version = "0.1.0"

    /// Runs until a signal ends it, and returns the process's exit status. The first SIGTERM or
    /// SIGINT stops gracefully, a second one at once; SIGUSR1 reopens the log's file.
    ///
    /// - Parameters:
    ///   - settings: checked, with the command line's options applied.
    ///   - warnings: what is to be logged of them.
    ///   - file: the settings' file, named in messages; nil when there is none.
    ///   - reread: reads the settings again, for a reload; nil when there is no file.
    /// - Returns: the process's exit status.
    /// - Throws: `StartError` when it could not start.
    package static func run(
        settings: Settings,
        warnings: [SettingsProblem] = [],
        file: String?,
        reread: (@Sendable () -> (Settings?, [SettingsProblem]))?
    ) throws -> Int32 {
        let started = SystemClock.monotonicNanoseconds()
        let environment = ProcessInfo.processInfo.environment
        let inheritance = Inheritance(environment: environment)
        let signals: SignalSource
        let control: Wakeup
        do {
            signals = try SignalSource()
            control = try Wakeup()
        } catch {
            throw StartError("the system gives no descriptor for signals: \(error)")
        }
        LogLevel.shared.set(settings.log.level.level)
        LoggingSystem.bootstrap { LevelledHandler(label: $0) }
        let logger = Logger(label: "belay")
        for warning in warnings { logger.warning("\(warning)") }
        for warning in inheritance.warnings { logger.warning("\(warning)") }
        let process: RunningProcess
        do {
            process = try RunningProcess(
                settings: settings,
                reread: reread,
                logger: logger,
                control: control,
                inheritance: inheritance,
                supervisor: Supervisor(environment: environment)
            )
        } catch {
            inheritance.sayFailed("\(error)")
            throw error
        }
        let milliseconds = (SystemClock.monotonicNanoseconds() - started) / 1_000_000
        for listener in process.addresses { logger.info("listening on \(listener)") }
        let workers = process.workerCount
        let origin = file ?? "no file"
        logger.info(
            "ready after \(milliseconds) ms: \(workers) workers, \(origin), pid \(getpid())"
        )
        let status = process.serve(signals: signals)
        logger.info("stopped")
        return status
    }
}

extension Settings.LogLevel {
    var level: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}
