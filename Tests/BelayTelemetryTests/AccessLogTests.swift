import BelayBytes
import BelayCore
import BelayTelemetry
import Foundation
import Testing

struct AccessLogTests {
    @Test func `a line of JSON tells the whole decision`() {
        #expect(
            line(Samples.exchange()) == """
                {"time":"2026-11-21T02:03:04.501Z","client":"10.0.1.5:52344","method":"GET",\
                "host":"shop.example","path":"/cart?add=1","protocol":"http/1","tls":"1.3",\
                "status":200,"received_bytes":210,"sent_bytes":4310,"route":"all",\
                "pool":"shop","server":"shop1","rule":"binding","persistence":"valid",\
                "binding":"renewed","retries":0,"reused":false,\
                "connect_ms":0.250,"first_byte_ms":1.500,"total_ms":1.750,"ending":"done"}

                """
        )
    }

    @Test func `a line of text tells the whole decision`() {
        #expect(
            line(Samples.exchange(), .text) == """
                2026-11-21T02:03:04.501Z 10.0.1.5:52344 "GET" "shop.example" "/cart?add=1" \
                http/1 tls=1.3 200 received=210 sent=4310 route=all pool=shop server=shop1 \
                rule=binding persistence=valid binding=renewed retries=0 reused=no connect=0.250 \
                first-byte=1.500 total=1.750 ending=done

                """
        )
    }

    @Test func `what did not happen is null, and a refusal is named`() {
        #expect(
            line(Samples.refused(), method: [], host: [], path: []) == """
                {"time":"2026-11-21T02:03:04.500Z","client":"10.0.1.5:52344","method":"",\
                "host":"","path":"","protocol":"http/1","tls":null,"status":400,\
                "received_bytes":40,"sent_bytes":180,"route":null,"pool":null,"server":null,\
                "rule":"none","persistence":"off","binding":"none","retries":0,"reused":false,\
                "connect_ms":null,"first_byte_ms":null,"total_ms":0.090,\
                "ending":"request-refused","refusal":"bad-host"}

                """
        )
        #expect(
            line(Samples.refused(), .text, method: [], host: [], path: []) == """
                2026-11-21T02:03:04.500Z 10.0.1.5:52344 "" "" "" http/1 tls=- 400 \
                received=40 sent=180 route=- pool=- server=- rule=none persistence=off \
                binding=none retries=0 reused=no connect=- first-byte=- total=0.090 \
                ending=request-refused refusal=bad-host

                """
        )
    }

    @Test func `a reused connection has no connect time`() {
        var record = Samples.exchange()
        record.connectStarted = nil
        record.connectDone = nil
        record.isReused = true
        record.retries = 2
        let text = line(record)
        #expect(text.contains(#""retries":2,"reused":true,"connect_ms":null,"first_byte_ms""#))
    }

    @Test(arguments: [
        ("2001:db8::1", "[2001:db8::1]:443"), ("::1", "[::1]:443"), ("10.1.2.3", "10.1.2.3:443"),
    ])
    func `the client's address is spelled as everywhere`(address: String, want: String) throws {
        let ip = try #require(IPAddress(address))
        var record = Samples.exchange()
        record.client = SocketAddress(ip: ip, port: 443)
        #expect(line(record).contains("\"client\":\"\(want)\""))
    }

    @Test func `every protocol and version of TLS has its own words`() {
        for transport in ExchangeProtocol.allCases {
            for tls in TLSVersionWord.allCases {
                var record = Samples.exchange()
                record.transport = transport
                record.tls = tls
                let version = tls == .none ? "null" : "\"\(tls.name)\""
                let json = #","protocol":"\#(transport.name)","tls":\#(version),"status":200"#
                #expect(line(record).contains(json))
                #expect(line(record, .text).contains("\" \(transport.name) tls=\(tls.name) 200 "))
            }
        }
    }

    // MARK: Tunnels

    @Test func `a tunnel has a line when it opens, with what led to it and no totals`() {
        let (get, path) = (Array("GET".utf8), Array("/chat".utf8))
        #expect(
            openedLine(Samples.webSocket(), method: get, path: path) == """
                {"time":"2026-11-21T02:03:04.501Z","event":"opened","client":"10.0.1.5:52344",\
                "method":"GET","host":"shop.example","path":"/chat","protocol":"http/2",\
                "tls":"1.3","status":200,"route":"all","pool":"shop","server":"shop1",\
                "rule":"binding","persistence":"valid","binding":"renewed","retries":0,\
                "reused":false,"connect_ms":0.250,"first_byte_ms":1.500}

                """
        )
        #expect(
            openedLine(Samples.tcp(), .text) == """
                2026-11-21T02:03:04.500Z opened 10.0.1.5:52344 "" "shop.example" "" tcp tls=- 0 \
                route=- pool=api server=10.0.0.21:9000 rule=round-robin persistence=off \
                binding=none retries=0 reused=no connect=0.250 first-byte=-

                """
        )
    }

    @Test func `the last line of a tunnel tells its close code`() {
        let text = line(Samples.webSocket())
        #expect(text.hasSuffix(#","ending":"tunnel-closed","close":1001}"# + "\n"))
        #expect(!text.contains("\"event\""))
        #expect(line(Samples.webSocket(), .text).hasSuffix(" ending=tunnel-closed close=1001\n"))
        let tcp = line(Samples.tcp())
        #expect(tcp.contains(#","protocol":"tcp","tls":null,"status":0,"received_bytes":1024,"#))
        #expect(tcp.hasSuffix(#","ending":"tunnel-drained","close":null}"# + "\n"))
        #expect(line(Samples.tcp(), .text).hasSuffix(" ending=tunnel-drained close=-\n"))
        #expect(!line(Samples.exchange()).contains("close"))
    }

    @Test(arguments: [(1_520, 350, "04.501"), (nil, 700_000, "05.200"), (nil, nil, "04.520")])
    func `a tunnel opened when the answer came, or else the server's connection was there`(
        firstByte: Int64?,
        connectDone: Int64?,
        want: String
    ) {
        var record = Samples.webSocket()
        record.headReceived = Samples.instant(microseconds: 20_000)
        record.connectDone = connectDone.map { Samples.instant(microseconds: $0) }
        record.firstByte = firstByte.map { Samples.instant(microseconds: $0) }
        #expect(openedLine(record).hasPrefix("{\"time\":\"2026-11-21T02:03:\(want)Z\""))
    }

    @Test func `both lines of a tunnel fit and are valid JSON, whatever the client sends`() throws {
        let long = [UInt8](repeating: 0, count: 100_000)
        let lines = [
            line(Samples.webSocket(), method: long, host: long, path: long),
            openedLine(Samples.webSocket(), method: long, host: long, path: long),
        ]
        for text in lines {
            #expect(text.utf8.count <= AccessLog.lineMax && text.hasSuffix("}\n"))
            _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
        }
    }

    // MARK: Times

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_800_001, "2000-03-01T00:00:00.001Z"),
        (1_709_251_199_000, "2024-02-29T23:59:59.000Z"),
        (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
        (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (-1, "1970-01-01T00:00:00.000Z"),
    ])
    func `the time of day is right on every kind of day`(milliseconds: Int64, want: String) {
        var record = Samples.exchange()
        record.ended = Instant(nanoseconds: 5_000)
        let clock = WallClock(unixNanoseconds: milliseconds * 1_000_000, at: record.ended)
        #expect(line(record, clock: clock).hasPrefix("{\"time\":\"\(want)\""))
    }

    @Test func `times follow the clock from second to second, and the system's corrections`() {
        var log = AccessLog(format: .text, names: Samples.names, clock: Samples.clock)
        var out = ByteWriter(capacity: 4 * AccessLog.lineMax)
        let empty: [UInt8] = []
        for (microseconds, correction) in [(499_000, 0), (499_999, 0), (500_000, 0), (500_000, 7)] {
            var record = Samples.exchange()
            record.ended = Samples.instant(microseconds: Int64(microseconds))
            log.set(
                WallClock(
                    unixNanoseconds: 1_795_226_584_500_000_000 + Int64(correction) * 1_000_000_000,
                    at: Samples.instant(microseconds: 0)
                )
            )
            log.write(record, method: empty.span, host: empty.span, path: empty.span, to: &out)
        }
        let lines = String(decoding: array(out.bytes), as: UTF8.self).split(separator: "\n")
        #expect(
            lines.map { String($0.prefix(24)) } == [
                "2026-11-21T02:03:04.999Z", "2026-11-21T02:03:04.999Z",
                "2026-11-21T02:03:05.000Z", "2026-11-21T02:03:12.000Z",
            ]
        )
    }

    @Test(arguments: [
        (0, "0.000"), (999, "0.000"), (1_000, "0.001"), (999_999, "0.999"),
        (1_000_000, "1.000"), (60_000_123_456, "60000.123"), (-1, "null"),
    ])
    func `times are milliseconds with three decimals`(nanoseconds: Int64, want: String) {
        var record = Samples.exchange()
        record.ended = Instant(nanoseconds: record.started.nanoseconds + nanoseconds)
        #expect(line(record).contains("\"total_ms\":\(want),"))
    }

    // MARK: Bytes that clients choose

    @Test(
        arguments: [
            (Array("/a\"b\\c".utf8), #"/a\"b\\c"#),
            (Array("/\u{8}\t\r\n\u{0}\u{1f}\u{7f}".utf8), #"/\u0008\t\r\n\u0000\u001f\u007f"#),
            (Array("/grüße/東京/🧗".utf8), "/grüße/東京/🧗"),
            (Array("\u{80}\u{9f}\u{a0}".utf8), "\\u0080\\u009f\u{a0}"),
            // Not UTF-8: a lone continuation, a cut character, overlong, a surrogate, too large.
            ([0x2F, 0x80, 0x2F], #"/\ufffd/"#),
            ([0xE6, 0x9D], #"\ufffd\ufffd"#),
            ([0xC0, 0xAF], #"\ufffd\ufffd"#),
            ([0xE0, 0x80, 0xAF], #"\ufffd\ufffd\ufffd"#),
            ([0xED, 0xA0, 0x80], #"\ufffd\ufffd\ufffd"#),
            ([0xF4, 0x90, 0x80, 0x80], #"\ufffd\ufffd\ufffd\ufffd"#),
            ([0xC2], #"\ufffd"#), ([0xFF, 0xFE], #"\ufffd\ufffd"#),
        ] as [([UInt8], String)]
    )
    func `JSON escapes what JSON or a terminal would obey`(path: [UInt8], want: String) {
        #expect(line(Samples.exchange(), path: path).contains("\"path\":\"\(want)\","))
    }

    @Test func `any bytes give one line of valid JSON that says the same`() throws {
        var log = AccessLog(format: .json, names: Samples.names, clock: Samples.clock)
        var random = RandomSource(seed: 7)
        let text = "aZ09/\"\\\n\r\t\u{0}\u{7f}\u{85}äß東🧗 "
        let characters = text.map { Array(String($0).utf8) }
        for round in 0..<2_000 {
            var path: [UInt8] = []
            for _ in 0..<random.below(40) {
                if round % 2 == 0 {
                    path += characters[random.below(characters.count)]
                } else {
                    path.append(UInt8(random.below(256)))
                }
            }
            let text = line(Samples.exchange(), &log, method: path, host: path, path: path)
            #expect(text.filter { $0 == "\n" }.count == 1 && text.hasSuffix("\n"))
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
            let fields = try #require(object as? [String: Any])
            let told = try #require(fields["path"] as? String)
            if round % 2 == 0 { #expect(Array(told.utf8) == path) }
            #expect(fields["ending"] as? String == "done")
        }
    }

    @Test(arguments: [
        ("/a b", #""/a b""#), (#"/a"b\c"#, #""/a\"b\\c""#), ("/a\nb", #""/a\x0ab""#),
        ("/ä", #""/\xc3\xa4""#), ("/\u{7f}", #""/\x7f""#),
    ])
    func `text quotes what could be taken for another field`(path: String, want: String) {
        let text = line(Samples.exchange(), .text, path: Array(path.utf8))
        #expect(text.contains(" \(want) http/1 tls=1.3 200 "))
    }

    @Test func `no client can forge a line or a field of text`() {
        let forged = Array("/\" 200 route=admin\n2026-11-21T02:03:04.501Z 1.2.3.4:5".utf8)
        let text = line(Samples.exchange(), .text, method: forged, host: forged, path: forged)
        #expect(text.filter { $0 == "\n" }.count == 1)
        // Every quotation mark that isn't escaped is one of the six that enclose the fields.
        let bare = text.replacingOccurrences(of: "\\\\", with: "")
            .replacingOccurrences(of: "\\\"", with: "")
        #expect(bare.filter { $0 == "\"" }.count == 6)
    }

    @Test func `a name from the settings is escaped like anything else`() {
        let names = TelemetryNames(
            routes: [InternedText("a \"route\"\n")],
            pools: [ServerPoolNames(name: InternedText("p"), servers: [InternedText("s")])],
            refusals: []
        )
        var log = AccessLog(format: .json, names: names, clock: Samples.clock)
        var out = ByteWriter(capacity: AccessLog.lineMax)
        var record = Samples.exchange()
        record.route = 0
        record.pool = 0
        let empty: [UInt8] = []
        log.write(record, method: empty.span, host: empty.span, path: empty.span, to: &out)
        let text = String(decoding: array(out.bytes), as: UTF8.self)
        #expect(text.contains(#""route":"a \"route\"\n","pool":"p""#))
    }

    @Test func `every rule, verdict, change, ending and server has its own words`() {
        var log = AccessLog(format: .json, names: Samples.names, clock: Samples.clock)
        for rule in PickRule.allCases {
            for verdict in PersistenceVerdict.allCases {
                for change in BindingChange.allCases {
                    var record = Samples.exchange()
                    record.rule = rule
                    record.persistence = verdict
                    record.binding = change
                    let want = """
                        "rule":"\(rule.name)","persistence":"\(verdict.name)",\
                        "binding":"\(change.name)","retries":0
                        """
                    #expect(line(record, &log).contains(want))
                }
            }
        }
        for ending in Ending.allCases {
            var record = Samples.exchange()
            record.ending = ending
            #expect(line(record).hasSuffix(",\"ending\":\"\(ending.name)\"}\n"))
        }
        let places: [(Int?, Int?, String)] = [
            (0, 0, #""pool":"api","server":"10.0.0.21:9000""#),
            (1, 0, #""pool":"shop","server":"shop1""#), (1, 1, #""pool":"shop","server":"shop2""#),
            (1, nil, #""pool":"shop","server":null"#), (nil, nil, #""pool":null,"server":null"#),
        ]
        for (pool, server, want) in places {
            var record = Samples.exchange()
            record.pool = pool
            record.server = server
            #expect(line(record).contains(want))
        }
    }

    @Test func `what is too long is cut, and the longest line fits`() {
        let long = [UInt8](repeating: 0, count: 100_000)
        for format in LogFormat.allCases {
            let text = line(Samples.refused(), format, method: long, host: long, path: long)
            #expect(text.hasSuffix(format == .json ? "\"bad-host\"}\n" : "refusal=bad-host\n"))
            #expect(text.utf8.count <= AccessLog.lineMax)
        }
        let path = Array("/".utf8) + [UInt8](repeating: 0x61, count: AccessLog.pathMax)
        #expect(line(Samples.exchange(), path: path).contains("aaa...\",\"protocol\""))
        let whole = line(Samples.exchange(), path: Array(path.dropLast()))
        #expect(whole.contains("aaa\",\"protocol\""))
    }
}
