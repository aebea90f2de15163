import BelayBytes
import BelayCore
import BelayHTTP
import Testing

/// Builds headers of version 2, right and wrong ones.
struct BinaryHeader {
    static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]
    /// 192.0.2.1:56324 to 198.51.100.2:443.
    static let inet: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0xDC, 0x04, 0x01, 0xBB]
    /// [2001:db8::1]:56324 to [2001:db8::2]:443.
    static let inet6: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [1, 0x20, 0x01, 0x0D, 0xB8]
        + Array(repeating: 0, count: 11) + [2, 0xDC, 0x04, 0x01, 0xBB]

    static func bytes(
        _ command: UInt8 = 0x21,
        _ family: UInt8 = 0x11,
        _ rest: [UInt8] = Self.inet,
        length: Int? = nil
    ) -> [UInt8] {
        let length = length ?? rest.count
        return Self.signature + [command, family, UInt8(length >> 8), UInt8(length & 255)] + rest
    }

    static func tlv(_ type: UInt8, _ value: [UInt8]) -> [UInt8] {
        [type, UInt8(value.count >> 8), UInt8(value.count & 255)] + value
    }

    static func tlv(_ type: UInt8, _ value: String) -> [UInt8] {
        Self.tlv(type, Array(value.utf8))
    }

    /// A header with these values and with a checksum of its own between them.
    static func withChecksum(_ before: [UInt8], _ after: [UInt8]) -> [UInt8] {
        var bytes = Self.bytes(
            0x21,
            0x11,
            Self.inet + before + Self.tlv(3, [0, 0, 0, 0]) + after
        )
        var checksum = CRC32C()
        checksum.add(bytes.span, 0..<bytes.count)
        let place = 28 + before.count + 3
        for byte in 0..<4 {
            bytes[place + byte] = UInt8(checksum.value >> UInt32(24 - 8 * byte) & 255)
        }
        return bytes
    }
}

/// Bytes from hexadecimal digits, in lines of any length.
func octets(hexadecimal text: String) -> [UInt8] {
    let digits = text.compactMap { $0.hexDigitValue }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// What the front of some bytes is, as text, with the values that a header has.
func proxyReading(_ bytes: [UInt8], from start: Int = 0) -> String {
    do throws(ProxyHeaderError) {
        switch try ProxyHeader.parse(bytes.span, from: start) {
        case .needsMore: return "needs more"
        case .absent: return "absent"
        case .header(let header, let length):
            return describe(header, length, in: bytes)
        }
    } catch {
        return "\(error.name)"
    }
}

private func describe(_ header: ProxyHeader, _ length: Int, in bytes: [UInt8]) -> String {
    func value(_ name: String, _ range: Range<Int>?) -> String {
        guard let range else { return "" }
        return " \(name)=\(String(decoding: bytes[range], as: UTF8.self))"
    }
    var text = "\(header.version) \(header.command)"
    if let source = header.source { text += " \(source)" }
    if let destination = header.destination { text += " \(destination)" }
    let tlvs = header.tlvs
    text += value("alpn", tlvs.alpn) + value("authority", tlvs.authority)
    text += value("id", tlvs.uniqueID)
    if let tls = tlvs.tls {
        text += " tls=\(tls.flags.rawValue)/\(tls.verify)" + value("version", tls.version)
        text += value("cipher", tls.cipher) + value("cn", tls.commonName)
    }
    if tlvs.hasChecksum { text += " checksum" }
    return text + " +\(length)"
}
