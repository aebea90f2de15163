package import BelayBytes
import BelayCore

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

/// Writes the line of one exchange. Neither allocates nor reads a clock; a client can put any byte
/// into method, host and path, and none of them ends the line or a field.
package struct AccessLog: Sendable {
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

    package let format: LogFormat
    private let names: TelemetryNames
    private var clock: WallClock
    private var timestamp = TimestampText()

    package init(format: LogFormat, names: TelemetryNames, clock: WallClock) {
        self.format = format
        self.names = names
        self.clock = clock
    }

    /// To be called about once a second, so that the times follow the system's clock.
    package mutating func set(_ clock: WallClock) { self.clock = clock }

    /// Writes the line of `record` and its line feed.
    package mutating func write(
        _ record: borrowing ExchangeRecord,
        method: borrowing Span<UInt8>,
        host: borrowing Span<UInt8>,
        path: borrowing Span<UInt8>,
        to out: inout ByteWriter
    ) {
        self.timestamp.set(unixNanoseconds: self.clock.unixNanoseconds(at: record.ended))
        switch self.format {
        case .json: self.writeJSON(record, method, host, path, &out)
        case .text: self.writeText(record, method, host, path, &out)
        }
    }

    // MARK: JSON

    private func writeJSON(
        _ record: borrowing ExchangeRecord,
        _ method: borrowing Span<UInt8>,
        _ host: borrowing Span<UInt8>,
        _ path: borrowing Span<UInt8>,
        _ out: inout ByteWriter
    ) {
        out.append("{\"time\":\"")
        out.append(self.timestamp.bytes)
        out.append("\",\"client\":\"")
        let client = AddressText(record.client)
        out.append(client.bytes)
        out.append("\",\"method\":\"")
        out.append(json: method, max: Self.methodMax)
        out.append("\",\"host\":\"")
        out.append(json: host, max: Self.hostMax)
        out.append("\",\"path\":\"")
        out.append(json: path, max: Self.pathMax)
        out.append("\",\"status\":")
        out.append(decimal: UInt64(record.status))
        out.append(",\"received_bytes\":")
        out.append(decimal: record.bytesFromClient)
        out.append(",\"sent_bytes\":")
        out.append(decimal: record.bytesToClient)
        out.append(",\"route\":")
        out.append(jsonName: self.route(of: record))
        out.append(",\"pool\":")
        out.append(jsonName: self.pool(of: record))
        out.append(",\"server\":")
        out.append(jsonName: self.server(of: record))
        out.append(",\"rule\":\"")
        out.append(record.rule.name)
        out.append("\",\"persistence\":\"")
        out.append(record.persistence.name)
        out.append("\",\"binding\":\"")
        out.append(record.binding.name)
        out.append("\",\"retries\":")
        out.append(decimal: UInt64(record.retries))
        out.append(",\"reused\":")
        out.append(record.isReused ? "true" : "false")
        out.append(",\"connect_ms\":")
        out.append(milliseconds: record.connectTime, orNone: "null")
        out.append(",\"first_byte_ms\":")
        out.append(milliseconds: record.firstByteTime, orNone: "null")
        out.append(",\"total_ms\":")
        out.append(milliseconds: record.totalTime, orNone: "null")
        out.append(",\"ending\":\"")
        out.append(record.ending.name)
        if let refusal = record.refusal {
            out.append("\",\"refusal\":\"")
            out.append(json: self.names.refusals[Int(refusal)].bytes)
        }
        out.append("\"}\n")
    }

    // MARK: Text

    private func writeText(
        _ record: borrowing ExchangeRecord,
        _ method: borrowing Span<UInt8>,
        _ host: borrowing Span<UInt8>,
        _ path: borrowing Span<UInt8>,
        _ out: inout ByteWriter
    ) {
        out.append(self.timestamp.bytes)
        out.append(UInt8(ascii: " "))
        let client = AddressText(record.client)
        out.append(client.bytes)
        out.append(" \"")
        out.append(quoted: method, max: Self.methodMax)
        out.append("\" \"")
        out.append(quoted: host, max: Self.hostMax)
        out.append("\" \"")
        out.append(quoted: path, max: Self.pathMax)
        out.append("\" ")
        out.append(decimal: UInt64(record.status))
        out.append(" received=")
        out.append(decimal: record.bytesFromClient)
        out.append(" sent=")
        out.append(decimal: record.bytesToClient)
        out.append(" route=")
        out.append(textName: self.route(of: record))
        out.append(" pool=")
        out.append(textName: self.pool(of: record))
        out.append(" server=")
        out.append(textName: self.server(of: record))
        out.append(" rule=")
        out.append(record.rule.name)
        out.append(" persistence=")
        out.append(record.persistence.name)
        out.append(" binding=")
        out.append(record.binding.name)
        out.append(" retries=")
        out.append(decimal: UInt64(record.retries))
        out.append(record.isReused ? " reused=yes" : " reused=no")
        out.append(" connect=")
        out.append(milliseconds: record.connectTime, orNone: "-")
        out.append(" first-byte=")
        out.append(milliseconds: record.firstByteTime, orNone: "-")
        out.append(" total=")
        out.append(milliseconds: record.totalTime, orNone: "-")
        out.append(" ending=")
        out.append(record.ending.name)
        if let refusal = record.refusal {
            out.append(" refusal=")
            out.append(textName: self.names.refusals[Int(refusal)])
        }
        out.append(UInt8(ascii: "\n"))
    }

    // MARK: Names

    private func route(of record: borrowing ExchangeRecord) -> InternedText? {
        record.route.map { self.names.routes[$0] }
    }

    private func pool(of record: borrowing ExchangeRecord) -> InternedText? {
        record.pool.map { self.names.pools[$0].name }
    }

    private func server(of record: borrowing ExchangeRecord) -> InternedText? {
        guard let pool = record.pool, let server = record.server else { return nil }
        return self.names.pools[pool].servers[server]
    }
}

extension ByteWriter {
    /// `"name"`, or `null`.
    fileprivate mutating func append(jsonName name: InternedText?) {
        guard let name else {
            self.append("null")
            return
        }
        self.append(UInt8(ascii: "\""))
        self.append(json: name.bytes)
        self.append(UInt8(ascii: "\""))
    }

    /// The name, or `-`.
    fileprivate mutating func append(textName name: InternedText?) {
        guard let name else {
            self.append(UInt8(ascii: "-"))
            return
        }
        self.append(quoted: name.bytes)
    }

    /// What is beyond `max` bytes becomes three points.
    fileprivate mutating func append(json bytes: borrowing Span<UInt8>, max: Int) {
        self.append(json: bytes.extracting(first: max))
        if bytes.count > max { self.append("...") }
    }

    fileprivate mutating func append(quoted bytes: borrowing Span<UInt8>, max: Int) {
        self.append(quoted: bytes.extracting(first: max))
        if bytes.count > max { self.append("...") }
    }

    /// Milliseconds with three decimals, cut below a microsecond; a span below zero is none.
    fileprivate mutating func append(milliseconds span: TimeSpan?, orNone none: StaticString) {
        guard let span, span.nanoseconds >= 0 else {
            self.append(none)
            return
        }
        let microseconds = UInt64(span.nanoseconds) / 1_000
        let whole = microseconds / 1_000
        let rest = microseconds &- whole &* 1_000
        self.append(decimal: whole)
        self.append(UInt8(ascii: "."))
        self.append(0x30 | UInt8(truncatingIfNeeded: rest / 100))
        self.append(0x30 | UInt8(truncatingIfNeeded: rest / 10 % 10))
        self.append(0x30 | UInt8(truncatingIfNeeded: rest % 10))
    }
}
