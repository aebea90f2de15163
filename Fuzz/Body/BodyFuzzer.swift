import BelayBytes
import BelayHTTP
import FuzzSupport

/// What must hold of every body, however its bytes arrive.
enum BodyFuzzer {
    private static let trailerMax = 256

    /// What reading a body came to.
    private struct Outcome: Equatable {
        var data: [UInt8] = []
        var trailers: [String] = []
        var consumed = 0
        var fault: MessageError?
        var isAtEnd = false
    }

    static func check(_ input: FuzzInput) {
        let framing: BodyFraming =
            switch input.choice % 8 {
            case 0: .length(UInt64(input.choice))
            case 1: .untilClose
            default: .chunked
            }
        let whole = Self.read(input.bytes, framing, cuts: [])
        require(Self.read(input.bytes, framing, cuts: [input.cut]) == whole, "cut is as whole")
        let bytewise = Array(0..<input.bytes.count)
        require(Self.read(input.bytes, framing, cuts: bytewise) == whole, "bytewise is as whole")
        if isCanary { require(whole.trailers.isEmpty, "the canary: there are no trailers") }
        if framing == .chunked, whole.isAtEnd {
            Self.checkPlain(input.bytes, whole)
            Self.checkWritten(whole)
        }
    }

    /// Reads as a connection does: what is not consumed stays, and more comes behind it.
    private static func read(
        _ bytes: [UInt8],
        _ framing: BodyFraming,
        cuts: [Int]
    ) -> Outcome {
        var outcome = Outcome()
        var reader = BodyReader(framing, trailerMax: Self.trailerMax)
        for end in cuts + [bytes.count] {
            let here = Array(bytes[..<end])
            do throws(MessageError) {
                while try Self.step(&reader, here, &outcome) {}
            } catch {
                outcome.fault = error
                return outcome
            }
            outcome.isAtEnd = reader.isAtEnd
            if outcome.isAtEnd { return outcome }
            require(
                here.count - outcome.consumed <= Self.trailerMax + 1024,
                "what waits in the buffer is limited"
            )
        }
        return outcome
    }

    /// One piece; false when there is none.
    private static func step(
        _ reader: inout BodyReader,
        _ bytes: [UInt8],
        _ outcome: inout Outcome
    ) throws(MessageError) -> Bool {
        let start = outcome.consumed
        let plain = reader.plainBytes
        switch try reader.next(bytes.span, from: start) {
        case .data(let range):
            require(range.lowerBound == start && !range.isEmpty, "data begins at the front")
            require(range.upperBound <= bytes.count, "data lies in the bytes")
            if let plain { require(range.count <= plain, "no more than was due") }
            outcome.data += bytes[range]
            outcome.consumed = range.upperBound
        case .framing(let size):
            require(size > 0 && start + size <= bytes.count, "framing lies in the bytes")
            outcome.consumed += size
        case .trailer(let range):
            require(range.lowerBound == start, "a trailer begins at the front")
            require(range.upperBound + 2 <= bytes.count, "a trailer lies in the bytes")
            outcome.trailers.append(text(bytes[range]))
            outcome.consumed = range.upperBound + 2
        case .needsMore:
            return false
        case .end(let size):
            require(start + size <= bytes.count, "the end lies in the bytes")
            require(reader.isAtEnd, "the end is the end")
            outcome.consumed += size
            return false
        }
        return true
    }

    private static func checkPlain(_ bytes: [UInt8], _ outcome: Outcome) {
        let plain = PlainChunks(bytes)
        require(plain.end == outcome.consumed, "a lenient reader finds the same end")
        require(plain.data == outcome.data, "a lenient reader finds the same data")
        require(plain.trailers.count >= outcome.trailers.count, "trailers are none of ours")
        require(Set(plain.trailers).isSuperset(of: outcome.trailers), "trailers are as they came")
        for trailer in outcome.trailers {
            let head = PlainReader(
                Array("x\r\n".utf8) + trailer.unicodeScalars.map { UInt8($0.value) }
                    + Array("\r\n\r\n".utf8)
            )
            require(head.faults.isEmpty, "\(head.faults) in \(trailer)")
            require(head.values(ofLetters: "contentlength").isEmpty, "no length in trailers")
            require(head.values(ofLetters: "transferencoding").isEmpty, "no coding in trailers")
        }
    }

    /// What is written in chunks of our own reads the same.
    private static func checkWritten(_ outcome: Outcome) {
        var out = ByteWriter(capacity: 16_384)
        if !outcome.data.isEmpty { out.appendChunk(outcome.data.span) }
        if outcome.trailers.isEmpty {
            out.appendLastChunk()
        } else {
            out.appendTrailersStart()
            for trailer in outcome.trailers {
                let line = trailer.unicodeScalars.map { UInt8($0.value) }
                out.appendTrailer(line.span, 0..<line.count)
            }
            out.appendTrailersEnd()
        }
        guard !out.hasOverflowed else { return }
        let written = (0..<out.count).map { out.bytes[$0] }
        let again = Self.read(written, .chunked, cuts: [])
        require(again.isAtEnd && again.fault == nil, "what is written can be read")
        require(again.data == outcome.data, "the data stays")
        require(again.trailers == outcome.trailers, "the trailers stay")
    }
}
