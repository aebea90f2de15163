package import BelayBytes
import BelayCore
import Synchronization

/// How a line of the access log is written.
package enum LogFormat: UInt8, Sendable, CaseIterable {
    /// One JSON object.
    case json
    /// For eyes: still one line, still one meaning.
    case text

    /// The spelling in configuration.
    package var name: StaticString {
        switch self {
        case .json: "json"
        case .text: "text"
        }
    }
}

/// Names for the log of one worker, written out by another thread, because that takes its time.
package final class LogWords: Sendable {
    private let pieces: Mutex<LinePieces?>
    let format: LogFormat

    package init(_ format: LogFormat, _ names: TelemetryNames) {
        self.format = format
        self.pieces = Mutex(LinePieces(format, names))
    }

    /// What was written; nil the second time.
    func take() -> LinePieces? {
        self.pieces.withLock { pieces in
            let taken = pieces.take()
            return taken
        }
    }
}

/// Writes the line of one exchange. Neither allocates nor reads a clock; a client can put any byte
/// into method, host and path, and none of them ends the line or a field.
package struct AccessLog: ~Copyable, Sendable {
    // Limit: a path beyond 4 KiB is cut: a line must fit into a log buffer whatever is asked for.
    package static var pathMax: Int { 4_096 }
    package static var hostMax: Int { 256 }
    package static var methodMax: Int { 32 }
    /// The longest line: each byte of the client's may become six, and the rest of a line has less
    /// than 2 KiB (three names of at most 128 bytes, numbers, words).
    package static var lineMax: Int {
        Self.lineMax(method: Self.methodMax, host: Self.hostMax, path: Self.pathMax)
    }

    /// The longest line with a method, host and path of so many bytes.
    static func lineMax(method: Int, host: Int, path: Int) -> Int {
        let fromClient =
            min(method, Self.methodMax) + min(host, Self.hostMax) + min(path, Self.pathMax)
        return 6 * fromClient + 2_048
    }

    package private(set) var format: LogFormat
    private var pieces: LinePieces
    private var clock: WallClock
    private var timestamp = TimestampText()

    package init(format: LogFormat, names: TelemetryNames, clock: WallClock) {
        self.format = format
        self.pieces = LinePieces(format, names)
        self.clock = clock
    }

    /// The same with words that were written out before; nil if they are taken.
    package init?(words: LogWords, clock: WallClock) {
        guard let pieces = words.take() else { return nil }
        self.format = words.format
        self.pieces = pieces
        self.clock = clock
    }

    /// More names are known, or lines are written in another format from here on.
    package mutating func learn(_ words: LogWords) {
        guard let pieces = words.take() else { return }
        self.format = words.format
        self.pieces = pieces
    }

    /// To be called about once a second, so that the times follow the system's clock.
    package mutating func set(_ clock: WallClock) { self.clock = clock }

    /// Writes the line of `record`, which has ended, and its line feed.
    package mutating func write(
        _ record: borrowing ExchangeRecord,
        method: borrowing Span<UInt8>,
        host: borrowing Span<UInt8>,
        path: borrowing Span<UInt8>,
        to out: inout ByteWriter
    ) {
        self.writeTime(record.ended, to: &out)
        out.append(self.pieces.client.bytes)
        self.writeRequest(record, method: method, host: host, path: path, to: &out)
        out.append(self.pieces.received.bytes)
        out.append(decimal: record.bytesFromClient)
        out.append(self.pieces.sent.bytes)
        out.append(decimal: record.bytesToClient)
        self.writeDecision(record, to: &out)
        self.writeEnding(record, to: &out)
        out.append(self.pieces.end.bytes)
    }

    /// Writes the line of a tunnel that has just opened: what led to it, and no totals. Its time is
    /// that of the first byte of the server's answer, or of the connection where there was none.
    package mutating func writeOpened(
        _ record: borrowing ExchangeRecord,
        method: borrowing Span<UInt8>,
        host: borrowing Span<UInt8>,
        path: borrowing Span<UInt8>,
        to out: inout ByteWriter
    ) {
        self.writeTime(record.opened, to: &out)
        out.append(self.pieces.openedClient.bytes)
        self.writeRequest(record, method: method, host: host, path: path, to: &out)
        self.writeDecision(record, to: &out)
        out.append(self.pieces.end.bytes)
    }

    private mutating func writeTime(_ instant: Instant, to out: inout ByteWriter) {
        self.timestamp.set(unixNanoseconds: self.clock.unixNanoseconds(at: instant))
        out.append(self.pieces.open.bytes)
        out.append(self.timestamp.bytes)
    }

    /// The client and what it asked for, and the status that it got.
    private func writeRequest(
        _ record: borrowing ExchangeRecord,
        method: borrowing Span<UInt8>,
        host: borrowing Span<UInt8>,
        path: borrowing Span<UInt8>,
        to out: inout ByteWriter
    ) {
        let client = AddressText(record.client)
        out.append(client.bytes)
        out.append(self.pieces.method.bytes)
        self.write(method, max: Self.methodMax, to: &out)
        out.append(self.pieces.host.bytes)
        self.write(host, max: Self.hostMax, to: &out)
        out.append(self.pieces.path.bytes)
        self.write(path, max: Self.pathMax, to: &out)
        let transport = self.pieces.transport(of: record)
        out.append(transport.bytes)
        out.append(decimal: UInt64(record.status))
    }

    private func writeDecision(_ record: borrowing ExchangeRecord, to out: inout ByteWriter) {
        let route = self.pieces.route(of: record)
        out.append(route.bytes)
        let server = self.pieces.server(of: record)
        out.append(server.bytes)
        let decision = self.pieces.decision(of: record)
        out.append(decision.bytes)
        out.append(decimal: UInt64(record.retries))
        out.append(record.isReused ? self.pieces.reused.bytes : self.pieces.fresh.bytes)
        out.append(self.pieces.connectTime.bytes)
        self.write(record.connectTime, to: &out)
        out.append(self.pieces.firstByteTime.bytes)
        self.write(record.firstByteTime, to: &out)
        if let reason = record.moveReason {
            out.append(self.pieces.moves[Int(reason.rawValue)].bytes)
            out.append(self.pieces.movedFrom(of: record).bytes)
        }
    }

    private func writeEnding(_ record: borrowing ExchangeRecord, to out: inout ByteWriter) {
        out.append(self.pieces.totalTime.bytes)
        self.write(record.totalTime, to: &out)
        let ending = self.pieces.ending(of: record)
        out.append(ending.bytes)
        if record.isTunnel {
            out.append(self.pieces.closeCode.bytes)
            if record.closeCode == 0 {
                out.append(self.pieces.absent.bytes)
            } else {
                out.append(decimal: UInt64(record.closeCode))
            }
        }
        if let refusal = self.pieces.refusal(of: record) { out.append(refusal.bytes) }
    }

    /// Bytes that a client chose; what is beyond `max` of them becomes three points.
    private func write(_ bytes: borrowing Span<UInt8>, max: Int, to out: inout ByteWriter) {
        switch self.format {
        case .json: out.append(json: bytes.extracting(first: max))
        case .text: out.append(quoted: bytes.extracting(first: max))
        }
        if bytes.count > max { out.append("...") }
    }

    /// Milliseconds with three decimals, cut below a microsecond; a span below zero is none.
    private func write(_ span: TimeSpan?, to out: inout ByteWriter) {
        guard let span, span.nanoseconds >= 0 else {
            out.append(self.pieces.absent.bytes)
            return
        }
        let microseconds = UInt64(span.nanoseconds) / 1_000
        let whole = microseconds / 1_000
        let rest = microseconds &- whole &* 1_000
        out.append(decimal: whole)
        // The point and three digits, lowest byte first.
        let digits: InlineArray<4, UInt8> = [
            UInt8(ascii: "."),
            0x30 | UInt8(truncatingIfNeeded: rest / 100),
            0x30 | UInt8(truncatingIfNeeded: rest / 10 % 10),
            0x30 | UInt8(truncatingIfNeeded: rest % 10),
        ]
        out.append(digits.span)
    }
}
