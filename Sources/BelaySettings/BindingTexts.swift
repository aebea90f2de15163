import BelayCore
import Foundation

// Names and values that ways to bind, exempt rules and health checks have.

extension Scalar where Value == String {
    /// The same where a missing value is empty, which is not written.
    var orMissing: Scalar {
        Scalar(
            self.outline.words,
            schema: self.outline.schema,
            parse: self.parse,
            encode: { $0.isEmpty ? nil : self.encode($0) }
        )
    }

    /// The name of a field of a head (RFC 9110 §5.1), in lower case.
    static let headerName = Scalar(
        "the name of a field, of 1 to 64 letters, digits and hyphens",
        schema: ["type": "string", "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"],
        parse: { text, _ throws(Complaint) in
            if text.hasSuffix(":"), isToken(String(text.dropLast())) {
                throw Complaint("has a colon", suggestion: String(text.dropLast()))
            }
            guard isToken(text), text.utf8.count <= 64 else { throw .otherKind }
            if ["cookie", "set-cookie"].contains(text.lowercased()) {
                throw Complaint("is for cookies; bind by \"cookie\" or \"application-cookie\"")
            }
            return text.lowercased()
        },
        encode: { .string($0) }
    )

    /// The name of a parameter in a query, as it is spelled there.
    static let queryName = Scalar(
        "a name of 1 to 64 letters, digits and `._~%-`",
        schema: ["type": "string", "pattern": "^[A-Za-z0-9._~%-]{1,64}$"],
        parse: { text, _ throws(Complaint) in
            if text.hasSuffix("=") || text.hasPrefix("?") {
                let bare = text.filter { $0 != "=" && $0 != "?" }
                throw Complaint("is more than a name", suggestion: bare)
            }
            guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(isQueryByte) else {
                throw .otherKind
            }
            return text
        },
        encode: { .string($0) }
    )

    /// A claim of a token.
    static let claim = Scalar(
        "a name of 1 to 128 characters",
        schema: ["type": "string", "minLength": 1, "maxLength": 128],
        parse: { text, _ throws(Complaint) in
            guard (1...128).contains(text.utf8.count), text.unicodeScalars.allSatisfy(\.isVisible)
            else { throw .otherKind }
            return text
        },
        encode: { .string($0) }
    )

    /// What stands between the value of a cookie and a server's word.
    static let separator = Scalar(
        "one of the characters `!#$&*+-./:^_~`",
        schema: ["type": "string", "pattern": "^[!#$&*+./:^_~-]$"],
        parse: { text, _ throws(Complaint) in
            guard text.count == 1, "!#$&*+-./:^_~".contains(text) else { throw .otherKind }
            return text
        },
        encode: { $0.isEmpty ? nil : .string($0) }
    )

    /// What an application calls itself in its cookie.
    static let routeWord = Scalar(
        "a word of 1 to 128 letters, digits and `._-:[]`",
        schema: ["type": "string", "pattern": "^[A-Za-z0-9._:\\[\\]-]{1,128}$"],
        parse: { text, _ throws(Complaint) in
            guard ServerName(text) != nil else { throw .otherKind }
            return text
        },
        encode: { .string($0) }
    )

    /// The end of a path.
    static let pathSuffix = Scalar(
        "the end of a path, such as `.css`",
        schema: ["type": "string", "pattern": "^[!-\"$-)+->@-~]{1,128}$"],
        parse: { text, _ throws(Complaint) in
            if text.hasPrefix("*"), text.count > 1 {
                throw Complaint("needs no *", suggestion: String(text.dropFirst()))
            }
            let isPath = text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            guard isPath, (1...128).contains(text.utf8.count),
                !text.contains(where: { "?#*".contains($0) })
            else { throw .otherKind }
            return text
        },
        encode: { .string($0) }
    )

    /// A part of the field User-Agent, in lower case.
    static let agentText = Scalar(
        "a text of 1 to 128 ASCII characters",
        schema: ["type": "string", "pattern": "^[ -~]{1,128}$"],
        parse: { text, _ throws(Complaint) in
            guard (1...128).contains(text.utf8.count),
                text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }),
                text.contains(where: { $0 != " " })
            else { throw .otherKind }
            return text.lowercased()
        },
        encode: { .string($0) }
    )

    /// A name that DNS is asked for, in lower case.
    static let dnsName = Scalar(
        "a name in DNS such as `shop.internal`",
        schema: ["type": "string", "pattern": "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$"],
        parse: { text, _ throws(Complaint) in
            if text.hasSuffix("."), isHostName(String(text.dropLast())) {
                throw Complaint("needs no dot at its end", suggestion: String(text.dropLast()))
            }
            if let colon = text.lastIndex(of: ":"), isHostName(String(text[..<colon])) {
                let name = String(text[..<colon])
                throw Complaint("has a port, which is a setting of its own", suggestion: name)
            }
            if IPAddress(text) != nil { throw Complaint("is an IP address; use \"address\"") }
            guard isHostName(text) else { throw .otherKind }
            return text.lowercased()
        },
        encode: { .string($0) }
    )

    /// The host that a check asks for, perhaps with a port.
    static let checkedHost = Scalar(
        "a host such as `shop.example.com`",
        schema: [
            "type": "string", "pattern": "^([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?$",
        ],
        parse: { text, _ throws(Complaint) in
            if let range = text.range(of: "://") {
                let host = text[range.upperBound...].prefix { $0 != "/" }
                throw Complaint("is a URL", suggestion: String(host))
            }
            var host = text[...]
            if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
                guard UInt16(text[text.index(after: colon)...]) != nil else { throw .otherKind }
                host = text[..<colon]
            }
            if host.hasPrefix("["), host.hasSuffix("]") {
                guard IPAddress(String(host.dropFirst().dropLast())) != nil else {
                    throw .otherKind
                }
            } else if !isHostName(String(host)) {
                throw .otherKind
            }
            return text.lowercased()
        },
        encode: { .string($0) }
    )

    /// What a check asks for.
    static let checkedPath = Scalar(
        "a path that begins with `/`, such as `/healthz`",
        schema: ["type": "string", "pattern": "^/[!-\"$-~]*$"],
        parse: { text, _ throws(Complaint) in
            guard (1...1024).contains(text.utf8.count),
                text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") })
            else { throw .otherKind }
            guard text.hasPrefix("/") else {
                throw text.contains("://")
                    ? Complaint("is a URL") : Complaint(suggestion: "/" + text)
            }
            return text
        },
        encode: { .string($0) }
    )

    /// A method that changes nothing.
    static let checkMethod = Scalar.choice(["GET", "HEAD", "OPTIONS"].map { ($0, $0) })

    /// What must be in a body.
    static let bodyText = Scalar(
        "a text of 1 to 256 bytes",
        schema: ["type": "string", "minLength": 1, "maxLength": 256],
        parse: { text, _ throws(Complaint) in
            guard (1...256).contains(text.utf8.count) else { throw .otherKind }
            return text
        },
        encode: { .string($0) }
    )

    /// A service of gRPC; empty where there is none.
    static let grpcService = Scalar(
        "the name of a gRPC service, such as `shop.Cart`",
        schema: ["type": "string", "pattern": "^[A-Za-z0-9._/-]{1,256}$"],
        parse: { text, _ throws(Complaint) in
            guard (1...256).contains(text.utf8.count),
                text.utf8.allSatisfy({ isQueryByte($0) && $0 != 0x7E && $0 != 0x25 || $0 == 0x2F })
            else { throw .otherKind }
            return text
        },
        encode: { $0.isEmpty ? nil : .string($0) }
    )
}

/// Letters, digits and `._~%-`.
private func isQueryByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: "._~%-".utf8.contains(byte)
    }
}

extension Scalar where Value == Settings.QueryLearning {
    /// Where the value of a query's parameter is learned from.
    static let queryLearning = Scalar(
        "`off`, `body` or `header NAME`",
        schema: [
            "type": "string", "pattern": "^(off|body|header [A-Za-z0-9!#$%&'*+.^_`|~-]{1,64})$",
        ],
        parse: { text, isPlain throws(Complaint) in
            if text == "off" { return .off }
            if text == "body" { return .body }
            let words = text.split(separator: " ")
            guard words.count == 2, words[0] == "header" else {
                if words == ["header"] { throw Complaint("needs the name of the field behind it") }
                throw Complaint(suggestion: nearestWord(text, among: ["off", "body"]))
            }
            let name = try Scalar<String>.headerName.parse(String(words[1]), isPlain)
            return .header(name)
        },
        encode: { learning in
            switch learning {
            case .off: "off"
            case .body: "body"
            case .header(let name): .string("header " + name)
            }
        }
    )
}

extension Scalar where Value == Settings.TupleFields {
    /// How much of a connection is hashed.
    static let tupleFields = Scalar(
        "2, 3 or 5",
        schema: ["enum": [2, 3, 5]],
        parse: { text, isPlain throws(Complaint) in
            guard let number = UInt8(text), let fields = Settings.TupleFields(rawValue: number)
            else { throw .otherKind }
            guard isPlain else { throw Complaint("must stand without quotes") }
            return fields
        },
        encode: { .integer(Int($0.rawValue)) }
    )
}

extension Settings.TokenAlgorithm {
    /// As in a token's head: `HS256`.
    package var spelled: String { self == .edDSA ? "EdDSA" : "\(self)".uppercased() }

    /// Whether who checks could also sign.
    package var isSymmetric: Bool {
        switch self {
        case .hs256, .hs384, .hs512: true
        case .rs256, .rs384, .rs512, .ps256, .es256, .es384, .edDSA: false
        }
    }
}

extension Scalar where Value == Settings.TokenAlgorithm {
    /// How tokens are signed.
    static let tokenAlgorithm = Scalar.choice(
        Settings.TokenAlgorithm.allCases.map { ($0.spelled, $0) }
    )
}

extension Scalar where Value == SecretKey {
    /// A secret as text.
    static let secretText = Scalar(
        "a text of 1 to 1024 bytes",
        schema: ["type": "string", "minLength": 1, "maxLength": 1024],
        isSecret: true,
        parse: { text, _ throws(Complaint) in
            guard (1...1024).contains(text.utf8.count) else { throw .otherKind }
            return SecretKey(bytes: Array(text.utf8))
        },
        // Nowhere are keys written back.
        encode: { _ in nil }
    )
}

extension Scalar where Value == Settings.StatusRange {
    /// A status, or all from one to another.
    static func status(_ range: ClosedRange<UInt16>) -> Scalar {
        Scalar(
            "a status or a range of them within \(range.lowerBound)-\(range.upperBound)",
            schema: [
                "anyOf": [
                    [
                        "type": "integer", "minimum": .integer(Int(range.lowerBound)),
                        "maximum": .integer(Int(range.upperBound)),
                    ], ["type": "string", "pattern": "^[1-5][0-9]{2}-[1-5][0-9]{2}$"],
                ]
            ],
            parse: { text, _ throws(Complaint) in
                if let digit = text.first, "12345".contains(digit), text.count == 3,
                    text.dropFirst().lowercased() == "xx"
                {
                    throw Complaint(suggestion: "\(digit)00-\(digit)99")
                }
                let parts = text.split(separator: "-", omittingEmptySubsequences: false)
                let numbers = parts.compactMap { part in
                    part.utf8.count == 3 && part.utf8.allSatisfy(isDigit) ? UInt16(part) : nil
                }
                guard numbers.count == parts.count, (1...2).contains(numbers.count),
                    numbers.allSatisfy(range.contains)
                else { throw .otherKind }
                guard numbers[0] <= numbers[numbers.count - 1] else {
                    throw Complaint("ends before it begins", suggestion: "\(parts[1])-\(parts[0])")
                }
                return Settings.StatusRange(numbers[0]...numbers[numbers.count - 1])
            },
            encode: {
                $0.first == $0.last
                    ? .integer(Int($0.first)) : .string("\($0.first)-\($0.last)")
            }
        )
    }
}
