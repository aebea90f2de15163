import BelayBytes
import Testing

@Suite struct ByteWriterTests {
    private func text(_ writer: borrowing ByteWriter) -> String {
        var bytes: [UInt8] = []
        for index in 0..<writer.count { bytes.append(writer.bytes[index]) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `pieces follow each other`() {
        var writer = ByteWriter(capacity: 64)
        writer.append("static ")
        writer.append(text: "täxt ")
        writer.append(UInt8(ascii: "x"))
        writer.append(Array(" span".utf8).span)
        writer.append(Array("12345".utf8).span, 1..<3)
        writer.append([UInt8]().span)
        #expect(self.text(writer) == "static täxt x span23")
        writer.replace(at: 0, with: UInt8(ascii: "S"))
        writer.truncate(to: 6)
        #expect(self.text(writer) == "Static")
    }

    @Test(
        arguments: [
            (0, "0", "0"), (9, "9", "9"), (10, "10", "a"), (99, "99", "63"),
            (100, "100", "64"), (255, "255", "ff"), (256, "256", "100"),
            (65_535, "65535", "ffff"), (1 << 63, "9223372036854775808", "8000000000000000"),
            (.max, "18446744073709551615", "ffffffffffffffff"),
        ] as [(UInt64, String, String)]
    )
    func `numbers have no leading zeros`(value: UInt64, decimal: String, hexadecimal: String) {
        var writer = ByteWriter(capacity: 64)
        writer.append(decimal: value)
        #expect(self.text(writer) == decimal)
        writer.removeAll()
        writer.append(hexadecimal: value)
        #expect(self.text(writer) == hexadecimal)
    }

    @Test(arguments: [(-1, "-1"), (.min, "-9223372036854775808"), (.max, "9223372036854775807")])
    func `a number may be negative`(value: Int, want: String) {
        var writer = ByteWriter(capacity: 32)
        writer.append(decimal: value)
        #expect(self.text(writer) == want)
    }

    @Test func `a piece that does not fit is refused whole, and remembered`() {
        var writer = ByteWriter(capacity: 8)
        writer.append("12345678")
        #expect(writer.hasOverflowed == false)
        writer.append(UInt8(ascii: "9"))
        #expect(writer.hasOverflowed == true)
        #expect(self.text(writer) == "12345678")
        writer.removeAll()
        #expect(writer.hasOverflowed == false)
        writer.append("1234567")
        writer.append("89")
        writer.append(Array("89".utf8).span)
        writer.append(text: "89")
        #expect(self.text(writer) == "1234567")
        #expect(writer.hasOverflowed == true)
        writer.append("8")
        #expect(self.text(writer) == "12345678", "a shorter one may still fit")
        #expect(writer.hasOverflowed == true)
    }

    @Test func `base64url goes through the writer in pieces`() {
        for count in 0..<200 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
            var writer = ByteWriter(capacity: 300)
            writer.append(base64URL: bytes.span)
            #expect(writer.count == Base64URL.textCount(ofBytes: count))
            var back = [UInt8](repeating: 0, count: count)
            var span = back.mutableSpan
            let isText = Base64URL.decode(writer.bytes, into: &span)
            #expect(isText)
            #expect(back == bytes)
        }
    }
}
