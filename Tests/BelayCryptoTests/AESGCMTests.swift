import BelayCrypto
import Testing

/// One of the AES-256 test cases in McGrew and Viega, "The Galois/Counter Mode of Operation",
/// appendix B, which NIST took over.
struct GCMCase: Sendable, CustomTestStringConvertible {
    let number: Int
    var key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
    var nonce = "cafebabefacedbaddecaf888"
    var header = ""
    let plaintext: String
    let ciphertext: String
    let tag: String

    var testDescription: String { "test case \(self.number)" }

    static let all = [
        GCMCase(
            number: 13,
            key: String(repeating: "00", count: 32),
            nonce: String(repeating: "00", count: 12),
            plaintext: "",
            ciphertext: "",
            tag: "530f8afbc74536b9a963b4f1c4cb738b"
        ),
        GCMCase(
            number: 14,
            key: String(repeating: "00", count: 32),
            nonce: String(repeating: "00", count: 12),
            plaintext: String(repeating: "00", count: 16),
            ciphertext: "cea7403d4d606b6e074ec5d3baf39d18",
            tag: "d0d1c8a799996bf0265b98b5d48ab919"
        ),
        GCMCase(
            number: 15,
            plaintext: """
                d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
                1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255
                """,
            ciphertext: """
                522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
                8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad
                """,
            tag: "b094dac5d93471bdec1a502270e3cc6c"
        ),
        GCMCase(
            number: 16,
            header: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            plaintext: """
                d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
                1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39
                """,
            ciphertext: """
                522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
                8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662
                """,
            tag: "76fc6ece0f4e1768cddf8853bb2d551b"
        ),
    ]
}

struct AESGCMTests {
    private func seal(
        _ plaintext: [UInt8],
        _ nonce: [UInt8],
        _ header: [UInt8],
        with cipher: inout AESGCM
    ) throws -> [UInt8] {
        var sealed = [UInt8](repeating: 0xEE, count: plaintext.count + AESGCM.tagCount)
        var span = sealed.mutableSpan
        try cipher.seal(
            plaintext.span,
            nonce: nonce.span,
            authenticating: header.span,
            into: &span
        )
        return sealed
    }

    /// Nil if it is not authentic; then the room must hold zeros.
    private func open(
        _ sealed: [UInt8],
        _ nonce: [UInt8],
        _ header: [UInt8],
        with cipher: inout AESGCM
    ) -> [UInt8]? {
        var plaintext = [UInt8](repeating: 0xEE, count: sealed.count - AESGCM.tagCount)
        var span = plaintext.mutableSpan
        do throws(CryptoError) {
            try cipher.open(
                sealed.span,
                nonce: nonce.span,
                authenticating: header.span,
                into: &span
            )
            return plaintext
        } catch {
            #expect(error == .notAuthentic)
            #expect(plaintext.allSatisfy { $0 == 0 })
            return nil
        }
    }

    @Test(arguments: GCMCase.all)
    func `seals and opens as published`(vector: GCMCase) throws {
        var cipher = try AESGCM(key: bytes(vector.key).span)
        let nonce = bytes(vector.nonce)
        let header = bytes(vector.header)
        let plaintext = bytes(vector.plaintext)
        let sealed = bytes(vector.ciphertext + vector.tag)
        #expect(try self.seal(plaintext, nonce, header, with: &cipher) == sealed)
        #expect(self.open(sealed, nonce, header, with: &cipher) == plaintext)
    }

    @Test func `one context seals and opens in any order, also after a forgery`() throws {
        var cipher = try AESGCM(key: repeated(7, 32).span)
        for round in UInt8(0)..<20 {
            let nonce = repeated(round, 12)
            let text = repeated(round, Int(round))
            var sealed = try self.seal(text, nonce, [1], with: &cipher)
            #expect(self.open(sealed, nonce, [1], with: &cipher) == text)
            sealed[0] ^= 1
            #expect(self.open(sealed, nonce, [1], with: &cipher) == nil)
            sealed[0] ^= 1
            #expect(self.open(sealed, nonce, [1], with: &cipher) == text)
        }
    }

    @Test func `a changed bit anywhere is found`() throws {
        var cipher = try AESGCM(key: repeated(7, 32).span)
        let nonce = repeated(9, 12)
        let sealed = try self.seal(
            Array("twenty-six bytes of secret".utf8),
            nonce,
            [1, 2],
            with: &cipher
        )
        for bit in 0..<(sealed.count * 8) {
            var changed = sealed
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(self.open(changed, nonce, [1, 2], with: &cipher) == nil)
        }
        #expect(self.open(sealed, repeated(8, 12), [1, 2], with: &cipher) == nil)
        #expect(self.open(sealed, nonce, [1, 3], with: &cipher) == nil)
        #expect(self.open(sealed, nonce, [], with: &cipher) == nil)
    }

    @Test func `another key takes the place of the first`() throws {
        let nonce = repeated(9, 12)
        var first = try AESGCM(key: repeated(1, 32).span)
        var second = try AESGCM(key: repeated(2, 32).span)
        let sealed = try self.seal([1, 2, 3], nonce, [], with: &second)
        #expect(self.open(sealed, nonce, [], with: &first) == nil)
        try first.setKey(repeated(2, 32).span)
        #expect(self.open(sealed, nonce, [], with: &first) == [1, 2, 3])
        #expect(try self.seal([1, 2, 3], nonce, [], with: &first) == sealed)
    }
}
