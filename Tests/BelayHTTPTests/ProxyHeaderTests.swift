import BelayBytes
import BelayCore
import BelayHTTP
import Testing

/// Version 1 of the PROXY protocol, and what both versions share.
struct ProxyHeaderTests {
    static let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

    private static let lines: [(String, String)] = [
        (
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
            "v1 proxy 192.168.0.1:56324 192.168.0.11:443 +47"
        ),
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            "v1 proxy 255.255.255.255:65535 255.255.255.255:65535 +56"
        ),
        ("PROXY TCP4 0.0.0.0 10.0.0.100 0 0\r\n", "v1 proxy 0.0.0.0:0 10.0.0.100:0 +35"),
        ("PROXY TCP6 ::1 2001:db8::2 1 65535\r\n", "v1 proxy [::1]:1 [2001:db8::2]:65535 +36"),
        ("PROXY TCP6 :: 1:: 1 2\r\n", "v1 proxy [::]:1 [1::]:2 +23"),
        (
            "PROXY TCP6 \(longest) \(longest) 65535 65535\r\n",
            "v1 proxy [\(longest)]:65535 [\(longest)]:65535 +104"
        ),
        (
            "PROXY TCP6 1:2:3:4:5:6:7:8 1:2:3:4:5:6:1.2.3.4 1 2\r\n",
            "v1 proxy [1:2:3:4:5:6:7:8]:1 [1:2:3:4:5:6:102:304]:2 +52"
        ),
        ("PROXY TCP6 ::ffff:1.2.3.4 ::FfFf:0:1 1 2\r\n", "v1 proxy 1.2.3.4:1 0.0.0.1:2 +42"),
        (
            "PROXY TCP6 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1 2\r\n",
            "v1 proxy [1:2:3:4:5:6:7:0]:1 [0:2:3:4:5:6:7:8]:2 +48"
        ),
        ("PROXY UNKNOWN\r\n", "v1 proxy +15"),
        ("PROXY UNKNOWN \r\n", "v1 proxy +16"),
        ("PROXY UNKNOWN any thing: 1  2\t\u{0}\r\n", "v1 proxy +33"),
        ("PROXY UNKNOWN \(longest) \(longest) 65535 65535\r\n", "v1 proxy +107"),
    ]

    @Test(arguments: Self.lines)
    func `a line of version 1 is read, wherever it is cut`(line: String, want: String) {
        let bytes = Array(line.utf8)
        for end in 0..<bytes.count {
            #expect(proxyReading(Array(bytes[..<end])) == "needs more", "\(end)")
        }
        #expect(proxyReading(bytes) == want)
        #expect(proxyReading(bytes + Array("GET".utf8)) == want)
        #expect(proxyReading([0x0D, 0x50] + bytes, from: 2) == want)
    }

    /// Each with how many bytes it takes to tell.
    private static let wrongLines: [(String, String, Int)] = [
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r", "bad-line-end", 32),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "bad-port", 31),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "bad-port", 31),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1  2\r\n", "bad-port", 30),
        ("PROXY TCP4 1.2.3.4 1.2.3.4  1 2\r\n", "bad-port", 28),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "bad-port", 29),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "bad-port", 29),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 00\r\n", "bad-port", 31),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", "bad-port", 28),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "bad-port", 28),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", "bad-port", 32),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 655350\r\n", "bad-port", 35),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1a 2\r\n", "bad-port", 29),
        ("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "bad-address", 12),
        ("PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n", "bad-protocol", 11),
        ("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", "bad-address", 20),
        ("PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n", "bad-address", 19),
        ("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "bad-address", 17),
        ("PROXY TCP4 1.2.3.4.5 1.2.3.4 1 2\r\n", "bad-address", 19),
        ("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", "bad-address", 20),
        ("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", "bad-address", 13),
        ("PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", "bad-address", 19),
        ("PROXY TCP4 1..2.3 1.2.3.4 1 2\r\n", "bad-address", 14),
        ("PROXY TCP4 0x1.2.3.4 1.2.3.4 1 2\r\n", "bad-address", 13),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", "bad-address", 12),
        ("PROXY TCP4 1.2.3.4 ::1 1 2\r\n", "bad-address", 20),
        ("PROXY TCP6 1.2.3.4 ::1 1 2\r\n", "bad-address", 13),
        ("PROXY TCP6 ::1%lo ::1 1 2\r\n", "bad-address", 15),
        ("PROXY TCP6 [::1] ::1 1 2\r\n", "bad-address", 12),
        ("PROXY TCP6 : ::1 1 2\r\n", "bad-address", 13),
        ("PROXY TCP6 ::: ::1 1 2\r\n", "bad-address", 14),
        ("PROXY TCP6 :1::2 ::1 1 2\r\n", "bad-address", 13),
        ("PROXY TCP6 1::2::3 ::1 1 2\r\n", "bad-address", 17),
        ("PROXY TCP6 1: ::1 1 2\r\n", "bad-address", 14),
        ("PROXY TCP6 12345:: ::1 1 2\r\n", "bad-address", 16),
        ("PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", "bad-address", 25),
        ("PROXY TCP6 1:2:3:4:5:6:7:8: ::1 1 2\r\n", "bad-address", 27),
        ("PROXY TCP6 1:2:3:4:5:6:7::8 ::1 1 2\r\n", "bad-address", 27),
        ("PROXY TCP6 1:2:3:4:5:6::8: ::1 1 2\r\n", "bad-address", 26),
        ("PROXY TCP6 1:2:3:4:5:6:7:1.2.3.4 ::1 1 2\r\n", "bad-address", 27),
        ("PROXY TCP6 1:2:3:4:5::1.2.3.4:: ::1 1 2\r\n", "bad-address", 30),
        ("PROXY TCP6 ::1.2.3.400 ::1 1 2\r\n", "bad-address", 22),
        ("PROXY TCP6 ::a.2.3.4 ::1 1 2\r\n", "bad-address", 15),
        ("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", "bad-protocol", 10),
        ("PROXY TCP 1.2.3.4 1.2.3.4 1 2\r\n", "bad-protocol", 10),
        ("PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", "bad-protocol", 7),
        ("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "bad-protocol", 8),
        ("PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "bad-protocol", 7),
        ("PROXY \r\n", "bad-protocol", 7),
        ("PROXY / HTTP/1.1\r\n", "bad-protocol", 7),
        ("PROXY UNKNOWNS\r\n", "bad-protocol", 14),
        ("PROXY UNKNOWN\n", "bad-protocol", 14),
        ("PROXY UNKNOWN a\nb\r\n", "bad-line-end", 16),
        ("PROXY UNKNOWN a\rb\r\n", "bad-line-end", 17),
        ("PROXY UNKNOWN \(longest) \(longest) 65535 65535 \r\n", "line-too-long", 106),
        ("PROXY TCP6 \(longest) \(longest) 65535 655350\r\n", "bad-port", 103),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255 \(longest) 12345 1234\r\n",
            "line-too-long", 106
        ),
    ]

    @Test(arguments: Self.wrongLines)
    func `a line that is not exactly as it must be is refused as soon as that is certain`(
        line: String,
        want: String,
        after: Int
    ) {
        let bytes = Array(line.utf8)
        for end in 0...bytes.count {
            let reading = proxyReading(Array(bytes[..<end]))
            #expect(reading == (end < after ? "needs more" : want), "\(end)")
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n", 1), ("POST / HTTP/1.1\r\n", 2), ("PROXYX", 6), ("PROPFIND", 4),
        ("proxy TCP4", 1), (" PROXY", 1), ("\r\nGET", 3), ("\r\n\r\n\r\n", 5), ("\nPROXY", 1),
        ("\r\n\r\n\u{0}\r\nQUIT\r", 12), ("\u{16}\u{3}\u{1}", 1),
    ])
    func `other bytes are no header as soon as that is certain`(text: String, after: Int) {
        let bytes = Array(text.utf8)
        for end in 0...bytes.count {
            let reading = proxyReading(Array(bytes[..<end]))
            #expect(reading == (end < after ? "needs more" : "absent"), "\(end)")
        }
    }

    /// A line is walked by its own rules, so that it can be refused early: these must be the rules
    /// of addresses everywhere else.
    @Test func `the addresses of a line are those that are addresses elsewhere`() {
        var random = RandomSource(seed: 17)
        let pieces = ["::", ":", "1", "0", "ffff", "1.2.3.4", ".", "255", "2:3:4", "g", "00"]
        var valid = 0
        for _ in 0..<20_000 {
            var text = ""
            for _ in 0...random.below(7) { text += pieces[random.below(pieces.count)] }
            let isV6 = text.contains(":")
            let family = isV6 ? "TCP6" : "TCP4"
            let other = isV6 ? "::1" : "1.1.1.1"
            let reading = proxyReading(Array("PROXY \(family) \(text) \(other) 1 2\r\n".utf8))
            if let ip = IPAddress(text) {
                valid += 1
                #expect(reading.contains("proxy \(SocketAddress(ip: ip, port: 1)) "), "\(text)")
            } else {
                #expect(reading == "bad-address", "\(text)")
            }
        }
        #expect(valid > 300)
    }

    @Test func `each error has a name of its own`() {
        let names = ProxyHeaderError.allCases.map { "\($0.name)" }
        #expect(Set(names).count == names.count)
    }
}
