import BelayCrypto
import Testing

struct SecretsTests {
    @Test(arguments: [
        ([], [], true),
        ([1], [1], true),
        ([1], [], false),
        ([1, 2, 3], [1, 2, 3], true),
        ([1, 2, 3], [1, 2, 4], false),
        ([0, 2, 3], [1, 2, 3], false),
    ])
    func `bytes are compared whole`(left: [UInt8], right: [UInt8], want: Bool) {
        let isEqual = left.span.isEqualInConstantTime(to: right.span)
        let isEqualBackwards = right.span.isEqualInConstantTime(to: left.span)
        #expect(isEqual == want && isEqualBackwards == want)
    }

    @Test func `a secret keeps its bytes`() {
        let secret = SecretBytes(copying: [1, 2, 3].span)
        #expect(secret.count == 3)
        let isKept = secret.bytes.isEqualInConstantTime(to: [1, 2, 3].span)
        #expect(isKept)
    }

    @Test func `wiping leaves zeros`() {
        var bytes: [UInt8] = [1, 2, 3, 4]
        var span = bytes.mutableSpan
        span.wipe()
        #expect(bytes == [0, 0, 0, 0])
    }

    @Test func `random bytes do not come twice, whatever sizes are asked for`() throws {
        var random = RandomBytes()
        var seen: Set<[UInt8]> = []
        for round in 0..<500 {
            var piece = [UInt8](repeating: 0, count: 8 + round % 25)
            var span = piece.mutableSpan
            try random.fill(&span)
            // Two pieces of eight random bytes are the same once in 10^14 runs of this test.
            #expect(seen.insert(Array(piece.prefix(8))).inserted)
        }
    }

    @Test func `every bit of random bytes is set at times, and not always`() throws {
        var ones: [UInt8] = [UInt8](repeating: 0, count: 512)
        var zeros = ones
        var random = RandomBytes()
        for _ in 0..<64 {
            var piece = [UInt8](repeating: 0, count: 512)
            var span = piece.mutableSpan
            try random.fill(&span)
            for index in piece.indices {
                ones[index] |= piece[index]
                zeros[index] |= ~piece[index]
            }
        }
        // Some bit stays the same in all 64 draws once in 10^15 runs of this test.
        #expect(ones.allSatisfy { $0 == 0xFF } && zeros.allSatisfy { $0 == 0xFF })
    }
}
