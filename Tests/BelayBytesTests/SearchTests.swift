import BelayBytes
import Testing

@Suite struct SearchTests {
    @Test(
        arguments: [
            ("", 0, nil), ("x", 0, 0), ("a", 0, nil), ("aax", 0, 2), ("xax", 1, 2), ("xax", 3, nil),
            ("xax", 9, nil), ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaax", 0, 33),
        ] as [(String, Int, Int?)]
    )
    func `the first place of a byte`(text: String, start: Int, want: Int?) {
        let bytes = Array(text.utf8)
        #expect(bytes.span.firstIndex(of: UInt8(ascii: "x"), from: start) == want)
    }

    @Test func `a word is eight bytes, the lowest first`() {
        let bytes: [UInt8] = [9, 1, 2, 3, 4, 5, 6, 7, 8]
        #expect(bytes.span.word(at: 1) == 0x0807_0605_0403_0201)
        #expect(bytes.span.word(at: 0) == 0x0706_0504_0302_0109)
    }

    @Test(
        arguments: [
            (0..<5, "Hello", true, true), (0..<5, "hello", false, true),
            (0..<4, "Hell", true, true),
            (0..<4, "Hello", false, false), (5..<5, "", true, true), (4..<5, "o", true, true),
        ] as [(Range<Int>, StaticString, Bool, Bool)]
    )
    func `a range is compared with a text`(
        range: Range<Int>,
        text: StaticString,
        isEqual: Bool,
        ignoringCase: Bool
    ) {
        let bytes = Array("Hello".utf8)
        let is1 = bytes.span.isEqual(range, to: text)
        #expect(is1 == isEqual)
        guard text.description == text.description.lowercased() else { return }
        let is2 = bytes.span.isEqual(range, toLowercase: text)
        #expect(is2 == ignoringCase)
    }

    @Test func `ranges of two spans are compared`() {
        let (one, other) = (Array("abcabc".utf8), Array("xabc".utf8))
        for (left, right, want) in [
            (0..<3, 1..<4, true), (3..<6, 1..<4, true), (0..<3, 0..<3, false),
            (0..<2, 1..<4, false),
            (6..<6, 4..<4, true),
        ] {
            let isEqual = one.span.isEqual(left, to: other.span, right)
            #expect(isEqual == want)
        }
    }

    @Test func `only capital letters have a lower case`() {
        for byte in UInt8.min...UInt8.max {
            let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            #expect(lowercased(byte) == (isCapital ? byte + 32 : byte))
        }
    }
}

@Suite struct StableHashTests {
    // These numbers are for ever: other Belays compute them too.
    @Test func `hashes are the same on every machine and for ever`() {
        #expect(StableHash.mix(0) == 0)
        #expect(StableHash.mix(1) == 0xB456_BCFC_34C2_CB2C)
        #expect(StableHash.of("") == StableHash.of("", seed: 0))
        #expect(StableHash.of("a") != StableHash.of("a", seed: 1))
        #expect(StableHash.combine(1, 2) != StableHash.combine(2, 1))
    }

    @Test func `every byte, its place and the length count`() {
        var seen: Set<UInt64> = []
        var texts = 0
        for count in 0..<40 {
            for place in 0..<Swift.max(1, count) {
                var bytes = [UInt8](repeating: 0, count: count)
                if count > 0 { bytes[place] = 1 }
                seen.insert(StableHash.of(bytes.span))
                texts += 1
            }
            seen.insert(StableHash.of([UInt8](repeating: 0, count: count).span, seed: 9))
            texts += 1
        }
        #expect(seen.count == texts)
    }
}
