import BelayBytes
import BelayCore

/// The parts of a line that are the same for many exchanges, written out once: with them a line is
/// a dozen copies of memory and a few numbers.
struct LinePieces: ~Copyable, Sendable {
    let open: InternedText
    let client: InternedText
    /// Like `client`, with the word that a tunnel was opened before it.
    let openedClient: InternedText
    let method: InternedText
    let host: InternedText
    let path: InternedText
    let received: InternedText
    let sent: InternedText
    let connectTime: InternedText
    let firstByteTime: InternedText
    let totalTime: InternedText
    let closeCode: InternedText
    /// What stands for a time that was not taken, or a code that did not come.
    let absent: InternedText
    let end: InternedText
    /// By `isReused`.
    let fresh: InternedText
    let reused: InternedText
    /// What ends the path, with the protocol and the version of TLS, in all combinations.
    private let transports: [InternedText]
    private let routes: [InternedText]
    private let noRoute: InternedText
    /// The pool and its server, by the indices of both.
    private let servers: [[InternedText]]
    /// The pool without a server, by the pool's index.
    private let pools: [InternedText]
    private let noPool: InternedText
    /// Rule, verdict and change of the binding, in all combinations.
    private let decisions: [InternedText]
    /// Why a client moved, by the reason, up to the name of the server that it came from.
    let moves: [InternedText]
    /// That server, by the indices of both, and what stands for one that nobody knows any more.
    private let movedFrom: [[InternedText]]
    private let movedFromNobody: InternedText
    private let endings: [InternedText]
    private let refusals: [InternedText]

    init(_ format: LogFormat, _ names: TelemetryNames) {
        let words = LineWords(format)
        self.open = words.interned(json: "{\"time\":\"", text: "")
        self.client = words.interned(json: "\",\"client\":\"", text: " ")
        self.openedClient = words.interned(
            json: "\",\"event\":\"opened\",\"client\":\"",
            text: " opened "
        )
        self.method = words.interned(json: "\",\"method\":\"", text: " \"")
        self.host = words.interned(json: "\",\"host\":\"", text: "\" \"")
        self.path = words.interned(json: "\",\"path\":\"", text: "\" \"")
        self.transports = ExchangeProtocol.allCases.flatMap { transport in
            TLSVersionWord.allCases.map { words.transport(transport, $0) }
        }
        self.received = InternedText(words.key("received_bytes", "received"))
        self.sent = InternedText(words.key("sent_bytes", "sent"))
        self.connectTime = InternedText(words.key("connect_ms", "connect"))
        self.firstByteTime = InternedText(words.key("first_byte_ms", "first-byte"))
        self.totalTime = InternedText(words.key("total_ms", "total"))
        self.closeCode = InternedText(words.key("close", "close"))
        self.absent = words.interned(json: "null", text: "-")
        self.end = words.interned(json: "}\n", text: "\n")
        self.fresh = words.interned(json: ",\"reused\":false", text: " reused=no")
        self.reused = words.interned(json: ",\"reused\":true", text: " reused=yes")
        self.routes = names.routes.map { InternedText(bytes: words.field("route", $0)) }
        self.noRoute = InternedText(bytes: words.field("route", nil))
        self.pools = names.pools.map { pool in
            InternedText(bytes: words.field("pool", pool.name) + words.field("server", nil))
        }
        self.servers = names.pools.map { pool in
            let name = words.field("pool", pool.name)
            return pool.servers.map { InternedText(bytes: name + words.field("server", $0)) }
        }
        self.noPool = InternedText(bytes: words.field("pool", nil) + words.field("server", nil))
        self.decisions = PickRule.allCases.flatMap { rule in
            PersistenceVerdict.allCases.flatMap { verdict in
                BindingChange.allCases.map { change in
                    InternedText(
                        bytes: words.field("rule", rule.name)
                            + words.field("persistence", verdict.name)
                            + words.field("binding", change.name)
                            + Array(words.key("retries", "retries").utf8)
                    )
                }
            }
        }
        self.moves = MoveReason.allCases.map { InternedText(bytes: words.field("moved", $0.name)) }
        self.movedFrom = names.pools.map { pool in
            pool.servers.map { InternedText(bytes: words.field("from", $0)) }
        }
        self.movedFromNobody = InternedText(bytes: words.field("from", nil))
        self.endings = Ending.allCases.map { InternedText(bytes: words.field("ending", $0.name)) }
        self.refusals = names.refusals.map { InternedText(bytes: words.field("refusal", $0)) }
    }

    func transport(of record: borrowing ExchangeRecord) -> InternedText {
        // 3 versions of TLS, in the order that `init` made them; a test walks them all.
        let row = Int(record.transport.rawValue) &* 3
        return self.transports[row &+ Int(record.tls.rawValue)]
    }

    func route(of record: borrowing ExchangeRecord) -> InternedText {
        guard let route = record.route else { return self.noRoute }
        return self.routes[route]
    }

    func server(of record: borrowing ExchangeRecord) -> InternedText {
        guard let pool = record.pool else { return self.noPool }
        guard let server = record.server else { return self.pools[pool] }
        return self.servers[pool][server]
    }

    func movedFrom(of record: borrowing ExchangeRecord) -> InternedText {
        guard let pool = record.pool, let server = record.movedFrom else {
            return self.movedFromNobody
        }
        return self.movedFrom[pool][server]
    }

    func decision(of record: borrowing ExchangeRecord) -> InternedText {
        let rule = Int(record.rule.rawValue)
        // 19 verdicts, 3 changes, in the order that `init` made them; a test walks them all.
        let verdict = rule &* 19 &+ Int(record.persistence.rawValue)
        return self.decisions[verdict &* 3 &+ Int(record.binding.rawValue)]
    }

    func ending(of record: borrowing ExchangeRecord) -> InternedText {
        self.endings[Int(record.ending.rawValue)]
    }

    func refusal(of record: borrowing ExchangeRecord) -> InternedText? {
        guard let refusal = record.refusal else { return nil }
        return self.refusals[Int(refusal)]
    }
}

/// How a format spells keys and values.
private struct LineWords {
    private let format: LogFormat

    init(_ format: LogFormat) { self.format = format }

    func interned(json: String, text: String) -> InternedText {
        switch self.format {
        case .json: InternedText(json)
        case .text: InternedText(text)
        }
    }

    /// What stands between a path and the status.
    func transport(_ transport: ExchangeProtocol, _ tls: TLSVersionWord) -> InternedText {
        let version = tls == .none ? "null" : "\"\(tls.name)\""
        return self.interned(
            json: "\",\"protocol\":\"\(transport.name)\",\"tls\":\(version),\"status\":",
            text: "\" \(transport.name) tls=\(tls.name) "
        )
    }

    /// What stands before the value of a field.
    func key(_ json: String, _ text: String) -> String {
        switch self.format {
        case .json: ",\"\(json)\":"
        case .text: " \(text)="
        }
    }

    func field(_ key: String, _ value: StaticString) -> [UInt8] {
        self.field(key, InternedText("\(value)"))
    }

    /// A field whose key is spelled the same in both formats.
    func field(_ key: String, _ value: InternedText?) -> [UInt8] {
        // Limit: a name has 128 bytes, each of which may become six.
        var out = ByteWriter(capacity: 1_024)
        out.append(text: self.key(key, key))
        switch (self.format, value) {
        case (.json, nil): out.append("null")
        case (.text, nil): out.append("-" as StaticString)
        case (.json, let value?):
            out.append(UInt8(ascii: "\""))
            out.append(json: value.bytes)
            out.append(UInt8(ascii: "\""))
        case (.text, let value?): out.append(quoted: value.bytes)
        }
        precondition(!out.hasOverflowed, "a name in the settings is too long")
        var bytes: [UInt8] = []
        for index in out.bytes.indices { bytes.append(out.bytes[index]) }
        return bytes
    }
}
