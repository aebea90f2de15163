import BelayCore
import Foundation

// Names, paths, hosts, cookies and keys as settings.

/// What stands for a name until one is read. No name of an operator's looks like it by accident,
/// and where it is left there is a problem too.
private let unset = "-"

extension PoolName {
    static let unset = PoolName(BelaySettings.unset) ?? { preconditionFailure("not a name") }()
}

extension ServerName {
    static let unset = ServerName(BelaySettings.unset) ?? { preconditionFailure("not a name") }()
}

private let nameWords = "a name of 1 to 128 letters, digits and `._-:[]`"
private let nameSchema: JSON = ["type": "string", "pattern": "^[A-Za-z0-9._:\\[\\]-]{1,128}$"]

extension Scalar where Value == PoolName {
    /// The name of a server pool.
    static let poolName = Scalar(
        nameWords,
        schema: nameSchema,
        parse: { text, _ throws(Complaint) in
            guard let name = PoolName(text) else { throw Complaint(suggestion: meantName(text)) }
            return name
        },
        encode: { $0 == .unset ? nil : .string($0.rawValue) }
    )
}

extension Scalar where Value == ServerName {
    /// The name of a server.
    static let serverName = Scalar(
        nameWords,
        schema: nameSchema,
        parse: { text, _ throws(Complaint) in
            guard let name = ServerName(text) else { throw Complaint(suggestion: meantName(text)) }
            return name
        },
        encode: { $0 == .unset ? nil : .string($0.rawValue) }
    )
}

/// Spaces and the like as hyphens, if that makes a name.
private func meantName(_ text: String) -> String? {
    let name = String(text.map { " /,+@".contains($0) ? "-" : $0 })
    return name == text ? nil : PoolName(name)?.rawValue
}

extension Scalar where Value == String {
    /// The name of a listener or a route; empty where there is none.
    static let name = Scalar(
        nameWords,
        schema: nameSchema,
        parse: { text, _ throws(Complaint) in
            guard PoolName(text) != nil else { throw Complaint(suggestion: meantName(text)) }
            return text
        },
        // A name that Belay made up need not be one that an operator may choose.
        encode: { PoolName($0) == nil ? nil : .string($0) }
    )

    /// The path of a file or a directory.
    static let filePath = Scalar(
        "a path",
        schema: ["type": "string", "minLength": 1],
        parse: { text, _ throws(Complaint) in
            guard !text.isEmpty, text.utf8.count <= 4096 else { throw .otherKind }
            guard !text.hasPrefix("~") else {
                throw Complaint("must be written out; Belay does not know what ~ stands for")
            }
            guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
            else { throw Complaint("has control characters") }
            return text
        },
        encode: { .string($0) }
    )

    /// A method of HTTP (RFC 9110 §9.3, RFC 5789) that routes tell apart. CONNECT is not proxied.
    static let method = Scalar.choice(
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"].map { ($0, $0) }
    )

    /// The name of a cookie (RFC 6265 §4.1.1).
    static let cookieName = Scalar(
        "a name of 1 to 64 characters that cookies allow",
        schema: ["type": "string", "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"],
        parse: { text, _ throws(Complaint) in
            guard isToken(text), text.utf8.count <= 64 else { throw .otherKind }
            for prefix in ["__Host-", "__Secure-"]
            where text.lowercased().hasPrefix(prefix.lowercased()) && !text.hasPrefix(prefix) {
                let meant = prefix + text.dropFirst(prefix.count)
                throw Complaint("has a prefix that browsers read otherwise", suggestion: meant)
            }
            return text
        },
        encode: { .string($0) }
    )

    /// The domain of a cookie.
    static let cookieDomain = Scalar(
        "a domain such as `example.com`",
        schema: ["type": "string", "pattern": "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)+$"],
        parse: { text, _ throws(Complaint) in
            let bare = text.hasPrefix("*.") ? String(text.dropFirst(2)) : text
            let trimmed = bare.hasPrefix(".") ? String(bare.dropFirst()) : bare
            guard isHostName(trimmed), trimmed.contains("."), IPAddress(trimmed) == nil else {
                throw .otherKind
            }
            guard trimmed == text else { throw Complaint(suggestion: trimmed) }
            return text.lowercased()
        },
        encode: { .string($0) }
    )

    /// The path of a cookie.
    static let cookiePath = Scalar(
        "a path that begins with `/`",
        schema: ["type": "string", "pattern": "^/[!-:<-~]*$"],
        parse: { text, _ throws(Complaint) in
            let isPlain = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x3B }
            guard isPlain, text.utf8.count <= 256 else { throw .otherKind }
            guard text.hasPrefix("/") else { throw Complaint(suggestion: "/" + text) }
            return text
        },
        encode: { .string($0) }
    )
}

/// A token of HTTP (RFC 9110 §5.6.2).
func isToken(_ text: String) -> Bool {
    !text.isEmpty
        && text.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || isDigit(UInt8(scalar.value)))
                || "!#$%&'*+-.^_`|~".unicodeScalars.contains(scalar)
        }
}

extension Scalar where Value == Settings.HostPattern {
    /// A host, or all hosts under a domain.
    static let hostPattern = Scalar(
        "a host such as `example.com` or `*.example.com`",
        schema: ["type": "string", "pattern": "^(\\*\\.)?[A-Za-z0-9._-]+$|^\\[[0-9A-Fa-f:.]+\\]$"],
        parse: { text, _ throws(Complaint) in
            if text == "*" { throw Complaint("is every host; leave the key out for that") }
            if let range = text.range(of: "://") {
                let host = text[range.upperBound...].prefix { $0 != "/" && $0 != ":" }
                throw Complaint("is a URL", suggestion: String(host))
            }
            if text.hasPrefix("["), text.hasSuffix("]"), let ip = IPAddress(String(text.inner)) {
                return .exact("[\(ip)]")
            }
            if let colon = text.lastIndex(of: ":"),
                text[colon...].dropFirst().allSatisfy(\.isNumber)
            {
                throw Complaint(
                    "has a port, which is not looked at",
                    suggestion: String(text[..<colon])
                )
            }
            if text.contains(where: { !$0.isASCII }) {
                throw Complaint("must be in its ASCII form, xn--…")
            }
            let isSuffix = text.hasPrefix("*.")
            let host = isSuffix ? String(text.dropFirst(2)) : text
            if text.hasPrefix("."), isHostName(String(text.dropFirst())) {
                throw Complaint(suggestion: "*" + text)
            }
            guard isHostName(host) else {
                if host.contains("*") { throw Complaint("may have a * only as its first label") }
                throw .otherKind
            }
            return isSuffix ? .suffix("." + host.lowercased()) : .exact(host.lowercased())
        },
        encode: { $0 == .any ? nil : .string($0.spelled) }
    )
}

extension Settings.HostPattern {
    /// As in a settings file; `*` for every host.
    package var spelled: String {
        switch self {
        case .any: "*"
        case .exact(let host): host
        case .suffix(let suffix): "*" + suffix
        }
    }
}

extension String {
    /// Without its first and last character.
    fileprivate var inner: Substring { self.dropFirst().dropLast() }
}

extension Scalar where Value == Settings.PathPrefix {
    /// The start of a path.
    static let pathPrefix = Scalar(
        "a path that begins with `/`, such as `/v1`",
        schema: ["type": "string", "pattern": "^/[!-\"$->@-~]*$"],
        parse: { text, _ throws(Complaint) in
            guard text.utf8.count <= 1024 else { throw Complaint("is longer than 1024 bytes") }
            if text.hasSuffix("*"), text.hasPrefix("/") {
                let meant = String(text.dropLast())
                throw Complaint("needs no *; a path stands for all below it", suggestion: meant)
            }
            if text.contains("?") || text.contains("#") {
                throw Complaint("must be a path without ? and #")
            }
            guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw Complaint("must be in its percent-encoded form")
            }
            guard text.hasPrefix("/") else {
                throw text.isEmpty || text.contains(":") || text.hasPrefix("^")
                    ? Complaint.otherKind : Complaint(suggestion: "/" + text)
            }
            let segments = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            guard !segments.dropLast().contains("") else { throw Complaint("has an empty segment") }
            guard !segments.contains("."), !segments.contains("..") else {
                throw Complaint("has a segment . or ..")
            }
            return Settings.PathPrefix(text: text.hasSuffix("/") ? String(text.dropLast()) : text)
        },
        encode: { $0 == .all ? nil : .string($0.text) }
    )
}

extension Scalar where Value == Settings.LogTarget {
    /// Where a log goes.
    static let logTarget = Scalar(
        "`stdout` or a path with a `/`",
        schema: ["type": "string", "pattern": "^stdout$|/"],
        parse: { text, isPlain throws(Complaint) in
            if text == "stdout" { return .stdout }
            let path = try Scalar<String>.filePath.parse(text, isPlain)
            // Without the slash `stdotu` would be a file.
            guard path.contains("/") else {
                throw Complaint(suggestion: nearest(text, among: ["stdout"]) ?? "./" + text)
            }
            return .file(path)
        },
        encode: { target in
            switch target {
            case .stdout: "stdout"
            case .file(let path): .string(path)
            }
        }
    )
}

extension Scalar where Value == SecretKey {
    /// A key of 32 bytes.
    static let key = Scalar(
        "base64 of 32 bytes (`openssl rand -base64 32` makes one)",
        schema: ["type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"],
        isSecret: true,
        parse: { text, _ throws(Complaint) in
            guard let data = Data(base64Encoded: text) else { throw .otherKind }
            guard data.count == 32 else {
                throw Complaint("is base64 of \(data.count) bytes, not of 32")
            }
            return SecretKey(bytes: Array(data))
        },
        // Nowhere are keys written back.
        encode: { _ in nil }
    )
}
