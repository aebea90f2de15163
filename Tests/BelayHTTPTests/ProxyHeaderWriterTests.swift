import BelayBytes
import BelayCore
import BelayHTTP
import Testing

struct ProxyHeaderWriterTests {
    private static let v4 = "192.0.2.1:56324"
    private static let v4Server = "198.51.100.2:443"
    private static let v6 = "[2001:db8::1]:56324"
    private static let v6Server = "[2001:db8::2]:443"

    private static func written(
        _ version: ProxyHeaderVersion,
        _ source: String,
        _ destination: String,
        _ tlvs: ProxyHeaderTLVs = ProxyHeaderTLVs(),
        _ values: [UInt8] = [],
        capacity: Int = 4_096
    ) throws -> [UInt8]? {
        var out = ByteWriter(capacity: capacity)
        writeProxyHeader(
            version,
            source: try #require(SocketAddress(source)),
            destination: try #require(SocketAddress(destination)),
            tlvs: tlvs,
            in: values.span,
            into: &out
        )
        return out.hasOverflowed ? nil : (0..<out.count).map { out.bytes[$0] }
    }

    @Test(arguments: [
        (v4, v4Server, "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"),
        (v6, v6Server, "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"),
        (v4, v6Server, "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 56324 443\r\n"),
        (v6, v4Server, "PROXY TCP6 2001:db8::1 ::ffff:198.51.100.2 56324 443\r\n"),
        ("0.0.0.0:0", "[::]:65535", "PROXY TCP6 ::ffff:0.0.0.0 :: 0 65535\r\n"),
    ])
    func `a line has one family`(source: String, destination: String, want: String) throws {
        let line = try #require(try Self.written(.v1, source, destination))
        #expect(String(decoding: line, as: UTF8.self) == want)
        #expect(proxyReading(line) == "v1 proxy \(source) \(destination) +\(line.count)")
    }

    private static let binaries: [(String, String, [UInt8])] = [
        (v4, v4Server, [0x21, 0x11, 0, 12] + BinaryHeader.inet),
        (v6, v6Server, [0x21, 0x21, 0, 36] + BinaryHeader.inet6),
        (
            v4, v6Server,
            [0x21, 0x21, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1]
                + BinaryHeader.inet6[16...]
        ),
    ]

    @Test(arguments: Self.binaries)
    func `a binary header has one family`(
        source: String,
        destination: String,
        want: [UInt8]
    ) throws {
        let bytes = try #require(try Self.written(.v2, source, destination))
        #expect(bytes == BinaryHeader.signature + want)
        #expect(proxyReading(bytes) == "v2 proxy \(source) \(destination) +\(bytes.count)")
    }

    @Test func `a connection of Belay's own says so`() {
        var out = ByteWriter(capacity: 64)
        writeLocalProxyHeader(.v1, into: &out)
        #expect(proxyReading((0..<out.count).map { out.bytes[$0] }) == "v1 proxy +15")
        out.removeAll()
        writeLocalProxyHeader(.v2, into: &out)
        #expect(proxyReading((0..<out.count).map { out.bytes[$0] }) == "v2 local +16")
    }

    private static let values = Array("h2 a.example id-7 TLSv1.3 AES me".utf8)
    private static let tls = ProxyHeaderTLS(
        flags: [.isTLS, .certificateInSession],
        verify: 0x0102_0304,
        version: 18..<25,
        cipher: 26..<29,
        commonName: 30..<32
    )

    private static let lists: [(ProxyHeaderTLVs, String)] = [
        (ProxyHeaderTLVs(), ""),
        (ProxyHeaderTLVs(alpn: 0..<2), " alpn=h2"),
        (ProxyHeaderTLVs(authority: 3..<12), " authority=a.example"),
        (ProxyHeaderTLVs(uniqueID: 13..<17), " id=id-7"),
        (ProxyHeaderTLVs(hasChecksum: true), " checksum"),
        (ProxyHeaderTLVs(tls: ProxyHeaderTLS(flags: [], verify: 1)), " tls=0/1"),
        (
            ProxyHeaderTLVs(
                alpn: 0..<2,
                authority: 3..<12,
                uniqueID: 13..<17,
                tls: tls,
                hasChecksum: true
            ),
            " alpn=h2 authority=a.example id=id-7"
                + " tls=5/16909060 version=TLSv1.3 cipher=AES cn=me checksum"
        ),
    ]

    @Test(arguments: Self.lists)
    func `the values are read back as they were written`(
        tlvs: ProxyHeaderTLVs,
        want: String
    ) throws {
        let bytes = try #require(try Self.written(.v2, Self.v4, Self.v4Server, tlvs, Self.values))
        let start = "v2 proxy \(Self.v4) \(Self.v4Server)"
        #expect(proxyReading(bytes) == start + want + " +\(bytes.count)")
        // A line has no room for them.
        let line = try Self.written(.v1, Self.v4, Self.v4Server, tlvs, Self.values)
        #expect(try line == Self.written(.v1, Self.v4, Self.v4Server))
        // What does not fit is told, and nothing is written over.
        for capacity in 1..<bytes.count {
            let cut = try Self.written(
                .v2,
                Self.v4,
                Self.v4Server,
                tlvs,
                Self.values,
                capacity: capacity
            )
            #expect(cut == nil)
        }
    }

    @Test func `the checksum is the one of the protocol`() throws {
        let bytes = try Self.written(
            .v2,
            Self.v4,
            Self.v4Server,
            ProxyHeaderTLVs(hasChecksum: true)
        )
        #expect(bytes == BinaryHeader.withChecksum([], []))
    }

    @Test func `what is before the header in the writer stays and does not count`() throws {
        var out = ByteWriter(capacity: 256)
        out.append("before")
        writeProxyHeader(
            .v2,
            source: try #require(SocketAddress(Self.v4)),
            destination: try #require(SocketAddress(Self.v4Server)),
            tlvs: ProxyHeaderTLVs(hasChecksum: true),
            into: &out
        )
        let bytes = (0..<out.count).map { out.bytes[$0] }
        #expect(bytes == Array("before".utf8) + BinaryHeader.withChecksum([], []))
    }

    @Test(arguments: [(128, 255, true), (129, 255, false), (128, 256, false)])
    func `a value that is too long is left out`(id: Int, others: Int, all: Bool) throws {
        let values = Array(repeating: UInt8(ascii: "x"), count: 256)
        let tls = ProxyHeaderTLS(
            flags: .isTLS,
            verify: 0,
            version: 0..<others,
            cipher: 0..<others,
            commonName: 0..<others
        )
        let tlvs = ProxyHeaderTLVs(
            alpn: 0..<others,
            authority: 0..<others,
            uniqueID: 0..<id,
            tls: tls,
            hasChecksum: true
        )
        let bytes = try #require(try Self.written(.v2, Self.v6, Self.v6Server, tlvs, values))
        guard case .header(let header, _) = try ProxyHeader.parse(bytes.span, from: 0) else {
            Issue.record("no header")
            return
        }
        let read = header.tlvs
        #expect(read.hasChecksum)
        #expect(read.uniqueID?.count == (id <= 128 ? id : nil))
        let othersRead = [
            read.alpn, read.authority, read.tls?.version, read.tls?.cipher, read.tls?.commonName,
        ]
        #expect(othersRead.allSatisfy { $0?.count == (others <= 255 ? others : nil) })
        #expect(all == (id <= 128 && others <= 255))
    }
}
