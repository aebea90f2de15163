import Logging
import Synchronization

/// The level of the program's log, which a reload may change while loggers are in use everywhere.
final class LogLevel: Sendable {
    static let shared = LogLevel()

    private let current = Mutex(Logger.Level.info)

    var level: Logger.Level { self.current.withLock { $0 } }

    func set(_ level: Logger.Level) { self.current.withLock { $0 = level } }
}

/// Writes to standard error what is of the shared level, or of its own where it has one.
struct LevelledHandler: LogHandler {
    private var inner: StreamLogHandler
    private var own: Logger.Level?

    init(label: String) { self.inner = StreamLogHandler.standardError(label: label) }

    var logLevel: Logger.Level {
        get { self.own ?? LogLevel.shared.level }
        set { self.own = newValue }
    }

    var metadata: Logger.Metadata {
        get { self.inner.metadata }
        set { self.inner.metadata = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.inner[metadataKey: key] }
        set { self.inner[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) { self.inner.log(event: event) }
}
