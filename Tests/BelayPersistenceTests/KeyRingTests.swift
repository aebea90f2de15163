import BelayPersistence
import Testing

struct KeyRingTests {
    private static let ones = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
    private static let high = "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s="

    @Test(arguments: [
        (Self.ones, Self.ones), (Self.ones + "=", Self.ones),
        (Self.high, "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s"),
        (
            "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s",
            "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s"
        ),
    ])
    func `a key is read in base64 of either kind`(text: String, want: String) throws {
        #expect(try KeyRing(base64: [text]).base64 == [want])
    }

    @Test(
        arguments: [
            ([], KeyRingError.noKeys),
            ([""], .wrongSize(position: 1, bytes: 0)),
            (["AQEB"], .wrongSize(position: 1, bytes: 3)),
            ([Self.ones, "AQEBA"], .wrongSize(position: 2, bytes: nil)),
            ([Self.ones + "=="], .wrongSize(position: 1, bytes: nil)),
            ([String(Self.ones.dropLast()) + "F"], .notBase64(position: 1)),
            ([String(Self.ones.dropLast()) + "!"], .notBase64(position: 1)),
            ([Self.ones, Self.high, Self.ones], .keyTwice(1, 3)),
        ] as [([String], KeyRingError)]
    )
    func `a ring that cannot be used is refused`(texts: [String], want: KeyRingError) {
        #expect(throws: want) { try KeyRing(base64: texts) }
    }

    @Test func `a ninth key is refused`() {
        #expect(throws: KeyRingError.tooManyKeys(9)) {
            try KeyRing(keys: (UInt8(1)...9).map(key))
        }
    }

    @Test func `lines, comments and blanks are a text of keys`() throws {
        let text = "# keys\r\n\r\n  \(Self.ones) # the old one\n\t\(Self.high)\n#\n"
        #expect(try KeyRing(text: text).base64.count == 2)
        #expect(throws: KeyRingError.noKeys) { try KeyRing(text: "# nothing\n") }
    }

    @Test func `new keys differ, and no description shows one`() throws {
        let first = try KeyRing.generate()
        let second = try KeyRing.generate()
        #expect(first.keys.count == 1 && first.base64 != second.base64)
        #expect("\(first)" == "a ring of 1 keys")
        #expect(try KeyRing(base64: first.base64).base64 == first.base64)
    }

    @Test func `every refusal says what to do`() {
        let errors: [KeyRingError] = [
            .noKeys, .tooManyKeys(9), .wrongSize(position: 1, bytes: 31), .notBase64(position: 2),
            .keyTwice(1, 2),
        ]
        #expect(
            errors.map(\.description) == [
                "the key ring has no key; make one with: openssl rand -base64 32",
                "the key ring has 9 keys, at most 8 are read; take out the oldest",
                "key 1 of the ring has 31 bytes, and a key has 32; make one with: "
                    + "openssl rand -base64 32",
                "key 2 of the ring is not base64; make one with: openssl rand -base64 32",
                "keys 1 and 2 of the ring are the same; take one out",
            ]
        )
    }
}
