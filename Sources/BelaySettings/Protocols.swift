import BelayCore

// Versions of protocols and the words of TLS as settings.

extension Settings.HTTPVersion {
    /// As in a settings file, and in ALPN (RFC 7301 §6): `h2`, `http/1.1`.
    package var spelled: String {
        switch self {
        case .http2: "h2"
        case .http1: "http/1.1"
        }
    }
}

extension Settings.ServerProtocol {
    /// As in a settings file: `http/1.1`, `h2`, `h2c`.
    package var spelled: String {
        switch self {
        case .http1: "http/1.1"
        case .http2: "h2"
        case .http2ClearText: "h2c"
        }
    }
}

extension Settings.ProxyTLV {
    /// As in a settings file: `alpn`, `unique-id`.
    package var spelled: String { self == .uniqueID ? "unique-id" : "\(self)" }
}

extension Settings.TLSVersion {
    /// As in a settings file: `1.2`.
    package var spelled: String {
        switch self {
        case .tls12: "1.2"
        case .tls13: "1.3"
        }
    }
}

extension Scalar where Value == Settings.TLSVersion {
    /// A version of TLS. YAML reads it as a number where it stands without quotes.
    static let tlsVersion: Scalar = {
        let words = Scalar.choice(Settings.TLSVersion.allCases.map { ($0.spelled, $0) })
        return Scalar(
            words.outline.words,
            schema: ["enum": ["1.2", "1.3", .number(1.2), .number(1.3)]],
            parse: { text, isPlain throws(Complaint) in
                let number = text.drop { !$0.isNumber }
                if Settings.TLSVersion.allCases.contains(where: { $0.spelled == number }),
                    number != text
                {
                    throw Complaint(suggestion: String(number))
                }
                return try words.parse(text, isPlain)
            },
            encode: words.encode
        )
    }()
}

extension Scalar where Value == String {
    /// A list of ciphers or groups, of which only OpenSSL knows what there is.
    static func openSSLList(_ example: String) -> Scalar {
        Scalar(
            "a list with colons, such as `\(example)`",
            schema: ["type": "string", "pattern": "^[A-Za-z0-9_.:+!@=*?/-]{1,4096}$"],
            parse: { text, _ throws(Complaint) in
                let parts = text.split { ", \t\n;".contains($0) }
                if parts.count > 1 {
                    let meant = parts.joined(separator: ":").replacing("::", with: ":")
                    throw Complaint("must have colons between its parts", suggestion: meant)
                }
                let isPlain = text.utf8.allSatisfy { byte in
                    isLetter(byte) || isDigit(byte) || "_.:+!@=*?/-".utf8.contains(byte)
                }
                guard isPlain, (1...4096).contains(text.utf8.count) else { throw .otherKind }
                guard !text.split(separator: ":", omittingEmptySubsequences: false).contains("")
                else { throw Complaint("has an empty part") }
                return text
            },
            encode: { .string($0) }
        )
    }

    /// A host name that a certificate can have.
    static let tlsName = Scalar(
        "a host name such as `web.example.com`",
        schema: ["type": "string", "pattern": "^[A-Za-z0-9._-]{1,253}$"],
        parse: { text, _ throws(Complaint) in
            if IPAddress(text) != nil { throw Complaint("is an IP address, not a name") }
            if text.contains("*") { throw Complaint("must be one host, without *") }
            guard isHostName(text) else { throw .otherKind }
            return text.lowercased()
        },
        encode: { .string($0) }
    )
}

private func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
}

extension Scalar where Value == UInt16? {
    /// The port of HTTPS that clients are sent to, or none.
    static let redirectPort: Scalar = {
        let number = Scalar<Int>.integer(1...65_535)
        let words: [String: UInt16?] = ["off": nil, "on": 443]
        return Scalar(
            "`off`, `on` or a port within 1...65535",
            schema: ["anyOf": [["enum": ["off", "on"]], number.outline.schema]],
            parse: { text, isPlain throws(Complaint) in
                if let value = words[text] { return value }
                do throws(Complaint) { return UInt16(try number.parse(text, isPlain)) } catch {
                    let bare = text.hasPrefix(":") ? String(text.dropFirst()) : text
                    let isPort = bare != text && UInt16(bare) != nil
                    let meant = isPort ? bare : nearestWord(text, among: ["off", "on"])
                    throw Complaint(error.reason, suggestion: meant ?? error.suggestion)
                }
            },
            encode: { port in
                switch port {
                case nil: "off"
                case 443?: "on"
                case .some(let port): .integer(Int(port))
                }
            }
        )
    }()
}
