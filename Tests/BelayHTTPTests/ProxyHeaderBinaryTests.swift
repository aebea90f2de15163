import BelayBytes
import BelayCore
import BelayHTTP
import Testing

/// Version 2 of the PROXY protocol.
struct ProxyHeaderBinaryTests {
    typealias Header = BinaryHeader

    private static let ends = "192.0.2.1:56324 198.51.100.2:443"
    private static let inet6 = "[2001:db8::1]:56324 [2001:db8::2]:443"
    private static let tls: [UInt8] =
        [0x03, 0, 0, 0, 0] + Header.tlv(0x21, "TLSv1.3") + Header.tlv(0x23, "AES")
        + Header.tlv(0x24, "RSA-SHA256") + Header.tlv(0x22, "me")

    private static func values(_ values: [UInt8]...) -> [UInt8] {
        Header.bytes(0x21, 0x11, Header.inet + values.flatMap { $0 })
    }

    /// As HAProxy 2.6 wrote it for a client with a certificate, with all of its options.
    private static let captured = octets(
        hexadecimal: """
            0d0a0d0a000d0a515549540a2111006a7f0000017f0000018e3cbe31030004d8cbf7ce01000268320200
            1073686f702e6578616d706c652e636f6d05000469642d302000350700000000210007544c5376312e33
            22000a6d652e6578616d706c65230016544c535f4145535f3235365f47434d5f534841333834
            """
    )

    private static let headers: [([UInt8], String)] = [
        (
            captured,
            "v2 proxy 127.0.0.1:36412 127.0.0.1:48689 alpn=h2 authority=shop.example.com id=id-0"
                + " tls=7/0 version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 cn=me.example"
                + " checksum +122"
        ),
        (Header.bytes(), "v2 proxy \(ends) +28"),
        (Header.bytes(0x21, 0x21, Header.inet6), "v2 proxy \(inet6) +52"),
        (Header.bytes(0x21, 0x31, Array(repeating: 0x2F, count: 216)), "v2 proxy +232"),
        (Header.bytes(0x21, 0x00, []), "v2 proxy +16"),
        (Header.bytes(0x21, 0x00, Header.tlv(2, "a.b")), "v2 proxy authority=a.b +22"),
        // All that a LOCAL header carries is skipped.
        (Header.bytes(0x20, 0x00, []), "v2 local +16"),
        (Header.bytes(0x20, 0x11), "v2 local +28"),
        (Header.bytes(0x20, 0x12), "v2 local +28"),
        (Header.bytes(0x20, 0xFF, [1, 2, 3]), "v2 local +19"),
        (values(Header.tlv(1, "h2")), "v2 proxy \(ends) alpn=h2 +33"),
        (values(Header.tlv(2, "example.com")), "v2 proxy \(ends) authority=example.com +42"),
        (values(Header.tlv(5, "id-7")), "v2 proxy \(ends) id=id-7 +35"),
        (values(Header.tlv(2, ""), Header.tlv(5, "")), "v2 proxy \(ends) authority= id= +34"),
        (
            values(Header.tlv(0x20, tls)),
            "v2 proxy \(ends) tls=3/0 version=TLSv1.3 cipher=AES cn=me +70"
        ),
        (values(Header.tlv(0x20, [1, 0, 0, 1, 2])), "v2 proxy \(ends) tls=1/258 +36"),
        // Unknown types, also twice, and padding.
        (
            values(Header.tlv(4, [0, 0]), Header.tlv(0xE0, "x"), Header.tlv(4, []), [0xE0, 0, 0]),
            "v2 proxy \(ends) +43"
        ),
        (
            Header.withChecksum(Header.tlv(1, "h2"), Header.tlv(5, "7")),
            "v2 proxy \(ends) alpn=h2 id=7 checksum +44"
        ),
        (
            values(Header.tlv(0xEE, Array(repeating: 0, count: 4_065))),
            "v2 proxy \(ends) +4096"
        ),
    ]

    @Test(arguments: Self.headers)
    func `a header of version 2 is read, wherever it is cut`(bytes: [UInt8], want: String) {
        for end in 0..<bytes.count {
            #expect(proxyReading(Array(bytes[..<end])) == "needs more", "\(end)")
        }
        #expect(proxyReading(bytes) == want)
        #expect(proxyReading(bytes + [0x0D, 0x0A]) == want)
        #expect(proxyReading([0x0D, 0x50] + bytes, from: 2) == want)
    }

    private static let wrongChecksum: [UInt8] = {
        var bytes = Header.withChecksum([], Header.tlv(2, "example.com"))
        bytes[bytes.count - 1] ^= 1
        return bytes
    }()

    /// Each with how many bytes it takes to tell.
    private static let wrongHeaders: [([UInt8], String, Int)] = [
        (Header.bytes(0x11), "bad-version", 13),
        (Header.bytes(0x31), "bad-version", 13),
        (Header.bytes(0x22), "bad-command", 13),
        (Header.bytes(0x2F), "bad-command", 13),
        (Header.bytes(0x21, 0x41), "bad-family", 14),
        (Header.bytes(0x21, 0x13), "bad-family", 14),
        (Header.bytes(0x21, 0x10), "bad-family", 14),
        (Header.bytes(0x21, 0x01), "bad-family", 14),
        (Header.bytes(0x21, 0x12), "datagrams", 14),
        (Header.bytes(0x21, 0x22, Header.inet6), "datagrams", 14),
        (Header.bytes(0x21, 0x32), "datagrams", 14),
        (Header.bytes(0x21, 0x11, length: 11), "too-short", 16),
        (Header.bytes(0x21, 0x21, Header.inet, length: 35), "too-short", 16),
        (Header.bytes(0x21, 0x31, Header.inet, length: 215), "too-short", 16),
        (Header.bytes(0x21, 0x11, length: 4_081), "too-long", 16),
        (Header.bytes(0x20, 0x00, [], length: 65_535), "too-long", 16),
        (values([4]), "bad-value", 16),
        (values([4, 0]), "bad-value", 16),
        (values([4, 0, 1]), "bad-value", 31),
        (values([4, 0, 2, 9]), "bad-value", 31),
        (values([4, 255, 255, 9]), "bad-value", 31),
        (values(Header.tlv(4, "abc"), [4]), "bad-value", 31),
        (values(Header.tlv(2, Array(repeating: 0x61, count: 256))), "bad-value", 31),
        (values(Header.tlv(5, Array(repeating: 0x61, count: 129))), "bad-value", 31),
        (values(Header.tlv(3, [0, 0, 0])), "bad-value", 31),
        (values(Header.tlv(3, [0, 0, 0, 0, 0])), "bad-value", 31),
        (values(Header.tlv(0x20, [1, 0, 0, 0])), "bad-value", 31),
        (values(Header.tlv(0x20, [1, 0, 0, 0, 0, 0x21])), "bad-value", 36),
        (values(Header.tlv(0x20, [1, 0, 0, 0, 0, 0x21, 0, 1])), "bad-value", 39),
        (values(Header.tlv(1, "a"), Header.tlv(1, "b")), "repeated-value", 35),
        (values(Header.tlv(2, "a"), Header.tlv(2, "a")), "repeated-value", 35),
        (values(Header.tlv(5, "a"), Header.tlv(5, "b")), "repeated-value", 35),
        (values(Header.tlv(0x20, tls), Header.tlv(0x20, tls)), "repeated-value", 73),
        (
            values(Header.tlv(0x20, [0, 0, 0, 0, 0, 0x22, 0, 0, 0x22, 0, 0])), "repeated-value",
            42
        ),
        (Header.withChecksum([], Header.tlv(3, "abcd")), "repeated-value", 38),
        (wrongChecksum, "bad-checksum", 49),
        (values(Header.tlv(3, [0, 0, 0, 0])), "bad-checksum", 35),
    ]

    @Test(arguments: Self.wrongHeaders)
    func `a header that is wrong is refused as soon as that is certain`(
        bytes: [UInt8],
        want: String,
        after: Int
    ) {
        for end in 0...bytes.count {
            let reading = proxyReading(Array(bytes[..<end]))
            #expect(reading == (end < after ? "needs more" : want), "\(end)")
        }
    }

    @Test func `no bit of a header with a checksum can change unseen`() {
        let bytes = Header.withChecksum(Header.tlv(2, "a.example"), Header.tlv(4, "x"))
        let want = proxyReading(bytes)
        // A changed length needs more bytes, a changed command or family is not looked into.
        for index in bytes.indices.dropFirst(16) {
            for bit in 0..<8 {
                var changed = bytes
                changed[index] ^= 1 << bit
                let reading = proxyReading(changed)
                #expect(!reading.hasPrefix("v2") || !reading.contains("checksum"))
                #expect(reading != want)
            }
        }
    }
}
