import BelayBytes
import BelayCore
import BelayCrypto
import BelayPersistence
import Testing

func hasher(_ kind: BindingKind = .header) throws -> KeyHasher {
    try KeyHasher(ring: ring(1), pool: pool("shop"), kind: kind, name: "name")
}

/// One byte for each scalar, so "\u{E9}" is the byte 0xE9.
func octets(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
}

func text(_ bytes: [UInt8], _ range: Range<Int>?) -> String? {
    range.map { String(String.UnicodeScalarView(bytes[$0].map { Unicode.Scalar($0) })) }
}
