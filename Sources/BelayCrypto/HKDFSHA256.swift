private import BelayBytes

/// HKDF with SHA-256 (RFC 5869): many independent keys from one.
///
/// Extract and expand are `HMACSHA256` values of their own here: who derives often keeps the one
/// that expands, and then allocates nothing.
package enum HKDFSHA256 {
    // Limit: RFC 5869, section 2.3: the block counter is one byte.
    package static let expandedMax = 255 * HMACSHA256.count

    /// The pseudorandom key of `keyMaterial`, ready to expand. Without a salt, 32 zeros, as the RFC
    /// has it: an empty HMAC key is padded with zeros.
    package static func extract(
        _ keyMaterial: borrowing Span<UInt8>,
        salt: borrowing Span<UInt8>
    ) throws(CryptoError) -> HMACSHA256 {
        var extractor = try HMACSHA256(key: salt)
        var code = [32 of UInt8](repeating: 0)
        var codeSpan = code.mutableSpan
        try extractor.begin()
        try extractor.update(keyMaterial)
        try extractor.finish(into: &codeSpan)
        let expander = try HMACSHA256(key: codeSpan.span)
        codeSpan.wipe()
        return expander
    }

    /// Fills all of `output` from the extracted key and `info`.
    package static func expand(
        _ key: inout HMACSHA256,
        info: borrowing Span<UInt8>,
        into output: inout MutableSpan<UInt8>
    ) throws(CryptoError) {
        precondition(output.count <= Self.expandedMax, "HKDF gives 8160 bytes at most")
        var block = [32 of UInt8](repeating: 0)
        var blockSpan = block.mutableSpan
        var counter = [1 of UInt8](repeating: 0)
        var written = 0
        while written < output.count {
            try key.begin()
            if written > 0 { try key.update(blockSpan.span) }
            try key.update(info)
            counter[0] &+= 1
            try key.update(counter.span)
            try key.finish(into: &blockSpan)
            let size = Swift.min(HMACSHA256.count, output.count - written)
            for index in 0..<size { output[written + index] = blockSpan[index] }
            written += size
        }
        blockSpan.wipe()
    }
}
