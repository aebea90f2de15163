import BelayBytes
import Testing

struct Base64URLTests {
    private func encode(_ bytes: [UInt8]) -> String {
        var writer = ByteWriter(capacity: 1024)
        writer.append(base64URL: bytes.span)
        return String(decoding: (0..<writer.count).map { writer.bytes[$0] }, as: UTF8.self)
    }

    private func decode(_ text: [UInt8]) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: text.count)
        var span = bytes.mutableSpan
        guard Base64URL.decode(text.span, into: &span),
            let count = Base64URL.byteCount(ofText: text.count)
        else { return nil }
        return Array(bytes.prefix(count))
    }

    /// RFC 4648, section 10, without its padding, and the two characters of its section 5.
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
        ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"), ("\u{3FF}~", "z79-"), ("~~\u{7F}", "fn5_"),
    ])
    func `bytes are written and read as the RFC says`(plain: String, text: String) {
        #expect(self.encode(Array(plain.utf8)) == text)
        #expect(self.decode(Array(text.utf8)) == Array(plain.utf8))
    }

    @Test func `bytes of every length come back, and take the room that was foretold`() {
        for count in 0...200 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ count) }
            let text = self.encode(bytes)
            #expect(text.utf8.count == Base64URL.textCount(ofBytes: count))
            #expect(Base64URL.byteCount(ofText: text.utf8.count) == count)
            #expect(self.decode(Array(text.utf8)) == bytes)
        }
    }

    @Test func `a character outside the alphabet is refused wherever it stands`() {
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        for length in [2, 3, 4, 7, 8] {
            for place in 0..<length {
                for byte in UInt8.min...UInt8.max {
                    var text = [UInt8](repeating: UInt8(ascii: "A"), count: length)
                    text[place] = byte
                    if !alphabet.contains(byte) { #expect(self.decode(text) == nil) }
                }
            }
        }
    }

    @Test(arguments: [
        "A", "AAAAA", "Zh", "Zn", "Zm9", "Zm-", "Zg==", "Zg=", "Zm9v=", " Zm9v", "Zm 9v",
    ])
    func `odd lengths, padding, blanks and bits left over are refused`(text: String) {
        #expect(self.decode(Array(text.utf8)) == nil)
    }

    @Test func `every text that is read is the one that would be written`() {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8
        )
        for first in alphabet {
            for second in alphabet {
                let text = [first, second]
                guard let bytes = self.decode(text) else { continue }
                #expect(Array(self.encode(bytes).utf8) == text)
            }
        }
    }
}
