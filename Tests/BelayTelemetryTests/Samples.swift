import BelayBytes
import BelayCore
import BelayTelemetry

/// Names, records and clocks that the tests of this room share.
enum Samples {
    static let names = TelemetryNames(
        routes: [InternedText("api"), InternedText("all")],
        pools: [
            ServerPoolNames(
                name: InternedText("api"),
                servers: [InternedText("10.0.0.21:9000")]
            ),
            ServerPoolNames(
                name: InternedText("shop"),
                servers: [InternedText("shop1"), InternedText("shop2")]
            ),
        ],
        refusals: [InternedText("bare-line-feed"), InternedText("bad-host")]
    )

    /// 21 November 2026, 02:03:04.5 UTC, at the instant 1,000 s.
    static let clock = WallClock(
        unixNanoseconds: 1_795_226_584_500_000_000,
        at: instant(microseconds: 0)
    )

    /// Counted from the moment when the samples' exchanges start.
    static func instant(microseconds: Int64) -> Instant {
        Instant(nanoseconds: 1_000_000_000_000 + microseconds * 1_000)
    }

    static let client = SocketAddress(ip: IPAddress(v4: 0x0A00_0105), port: 52_344)

    /// An exchange that went well: a new connection in 0.25 ms, the first byte after 1.5 ms, all
    /// after 1.75 ms.
    static func exchange() -> ExchangeRecord {
        var record = ExchangeRecord(client: Self.client, started: Self.instant(microseconds: 0))
        record.headReceived = Self.instant(microseconds: 20)
        record.connectStarted = Self.instant(microseconds: 100)
        record.connectDone = Self.instant(microseconds: 350)
        record.firstByte = Self.instant(microseconds: 1_520)
        record.ended = Self.instant(microseconds: 1_750)
        record.bytesFromClient = 210
        record.bytesToClient = 4_310
        record.bytesFromServer = 4_200
        record.bytesToServer = 280
        record.route = 1
        record.pool = 1
        record.server = 0
        record.status = 200
        record.rule = .binding
        record.persistence = .valid
        record.binding = .renewed
        record.tls = .v13
        return record
    }

    /// A WebSocket that was open for nine seconds and that one side closed.
    static func webSocket() -> ExchangeRecord {
        var record = Self.exchange()
        record.transport = .http2
        record.status = 200
        record.isTunnel = true
        record.isWebSocket = true
        record.closeCode = 1_001
        record.ending = .tunnelClosed
        record.ended = Self.instant(microseconds: 9_001_750)
        return record
    }

    /// A tunnel of TCP that Belay closed when it stopped.
    static func tcp() -> ExchangeRecord {
        var record = ExchangeRecord(client: Self.client, started: Self.instant(microseconds: 0))
        record.connectStarted = Self.instant(microseconds: 100)
        record.connectDone = Self.instant(microseconds: 350)
        record.ended = Self.instant(microseconds: 5_000_000)
        record.bytesFromClient = 1_024
        record.bytesToClient = 2_048
        record.bytesFromServer = 2_048
        record.bytesToServer = 1_024
        record.pool = 0
        record.server = 0
        record.rule = .roundRobin
        record.transport = .tcp
        record.isTunnel = true
        record.ending = .tunnelDrained
        return record
    }

    /// A request that was refused before it had a route.
    static func refused() -> ExchangeRecord {
        var record = ExchangeRecord(client: Self.client, started: Self.instant(microseconds: 0))
        record.ended = Self.instant(microseconds: 90)
        record.bytesFromClient = 40
        record.bytesToClient = 180
        record.status = 400
        record.isOwnAnswer = true
        record.ending = .requestRefused
        record.refusal = 1
        return record
    }
}

/// The text of a line.
func line(
    _ record: ExchangeRecord,
    _ format: LogFormat = .json,
    method: [UInt8] = Array("GET".utf8),
    host: [UInt8] = Array("shop.example".utf8),
    path: [UInt8] = Array("/cart?add=1".utf8),
    clock: WallClock = Samples.clock
) -> String {
    var log = AccessLog(format: format, names: Samples.names, clock: clock)
    return line(record, &log, method: method, host: host, path: path)
}

/// The text of the line that a tunnel gets when it opens.
func openedLine(
    _ record: ExchangeRecord,
    _ format: LogFormat = .json,
    method: [UInt8] = [],
    host: [UInt8] = Array("shop.example".utf8),
    path: [UInt8] = []
) -> String {
    var log = AccessLog(format: format, names: Samples.names, clock: Samples.clock)
    var out = ByteWriter(capacity: AccessLog.lineMax)
    log.writeOpened(record, method: method.span, host: host.span, path: path.span, to: &out)
    return String(decoding: array(out.bytes), as: UTF8.self)
}

/// The text of a line, by a log that is used for more than one.
func line(
    _ record: ExchangeRecord,
    _ log: inout AccessLog,
    method: [UInt8] = [],
    host: [UInt8] = [],
    path: [UInt8] = []
) -> String {
    var out = ByteWriter(capacity: AccessLog.lineMax)
    log.write(record, method: method.span, host: host.span, path: path.span, to: &out)
    return String(decoding: array(out.bytes), as: UTF8.self)
}

func array(_ bytes: borrowing Span<UInt8>) -> [UInt8] {
    var array: [UInt8] = []
    for index in bytes.indices { array.append(bytes[index]) }
    return array
}
