import BelayCore

// Addresses as settings: what they are, and what people write in their place.

extension Scalar where Value == SocketAddress {
    /// An address to listen on: `:80`, `127.0.0.1:80`, `[::1]:80`.
    static let listenAddress = Scalar(
        "an address such as `:8080`, `127.0.0.1:8080` or `[::1]:8080`",
        schema: ["type": "string", "pattern": "^([0-9.]+|\\[[0-9A-Fa-f:.]+\\])?:[0-9]{1,5}$"],
        parse: { text, _ throws(Complaint) in
            let (host, portText) = try splitAddress(text, isPortAlone: true)
            let port = try parsePort(portText, least: 0)
            if host.isEmpty { return SocketAddress(ip: .anyV6, port: port) }
            if let ip = IPAddress(host) { return SocketAddress(ip: ip, port: port) }
            switch host.lowercased() {
            case "*":
                throw Complaint("must be an IP address and a port", suggestion: ":\(port)")
            case "localhost":
                let meant = SocketAddress(ip: .loopbackV4, port: port).spelled
                throw Complaint("must be an IP address, not a name", suggestion: meant)
            default: throw Complaint("must be an IP address and a port")
            }
        },
        encode: { .string($0.spelled) }
    )
}

extension Scalar where Value == SocketAddress {
    /// A DNS server: `10.0.0.2`, `127.0.0.1:8600`, `::1`, `[::1]:8600`.
    static let dnsServer = Scalar(
        "an IP address such as `10.0.0.2`, `127.0.0.1:8600` or `[::1]:8600`",
        schema: [
            "type": "string",
            "pattern": "^([0-9A-Fa-f:.]+|[0-9.]+:[0-9]{1,5}|\\[[0-9A-Fa-f:.]+\\]:[0-9]{1,5})$",
        ],
        parse: { text, _ throws(Complaint) in
            if let ip = IPAddress(text) { return SocketAddress(ip: ip, port: 53) }
            let (host, portText) =
                text.contains(":") ? try splitAddress(text, isPortAlone: false) : (text, "53")
            let port = try parsePort(portText, least: 1)
            guard let ip = IPAddress(host) else { throw .otherKind }
            return SocketAddress(ip: ip, port: port)
        },
        encode: { .string($0.port == 53 ? $0.ip.description : $0.description) }
    )
}

extension Scalar where Value == Network {
    /// An address or a network in CIDR notation.
    static let network = Scalar(
        "an IP address or a network such as `10.0.0.0/8`",
        schema: ["type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"],
        parse: { text, _ throws(Complaint) in
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = parts.first, let address = IPAddress(String(first)) else {
                throw .otherKind
            }
            guard parts.count == 2 else { return Network(address) }
            let lengthMax = address.isV4 ? 32 : 128
            guard parts[1].utf8.allSatisfy(isDigit), let length = Int(parts[1]),
                let network = Network(address, prefixLength: length)
            else { throw Complaint("must have a length within 0...\(lengthMax) after the slash") }
            guard network.address == address else {
                throw Complaint("has bits after its length", suggestion: network.spelled)
            }
            return network
        },
        encode: { .string($0.spelled) }
    )
}

extension Scalar where Value == Settings.ServerAddress {
    /// Where a server is reached: a host name or an IP address, and a port.
    static let serverAddress = Scalar(
        "a host and a port such as `10.0.0.1:3000` or `web1:3000`",
        schema: [
            "type": "string", "pattern": "^([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$",
        ],
        parse: { text, _ throws(Complaint) in
            let (host, portText) = try splitAddress(text, isPortAlone: false)
            let port = try parsePort(portText, least: 1)
            guard IPAddress(host) != nil || isHostName(host) else {
                throw Complaint("has no host name or IP address before the port")
            }
            if IPAddress(host) == nil, host.split(separator: ".").last.map(isNumber) == true {
                throw Complaint("has no valid IP address")
            }
            return Settings.ServerAddress(host: host.lowercased(), port: port)
        },
        encode: { .string($0.spelled) }
    )
}

private func isNumber(_ text: Substring) -> Bool { text.utf8.allSatisfy(isDigit) }

/// Labels of letters, digits, hyphens and underscores (the names of containers have them), with
/// dots between them.
func isHostName(_ text: String) -> Bool {
    guard (1...253).contains(text.utf8.count) else { return false }
    return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
            && label.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}

/// The text before the last colon, without brackets, and the text after it.
private func splitAddress(
    _ text: String,
    isPortAlone: Bool
) throws(Complaint) -> (host: String, port: String) {
    if let scheme = ["http://", "https://", "tcp://"].first(where: { text.hasPrefix($0) }) {
        let host = String(text.dropFirst(scheme.count).prefix { $0 != "/" })
        let port = host.contains(":") ? "" : scheme == "https://" ? ":443" : ":80"
        throw Complaint("is a URL", suggestion: host + port)
    }
    if text.utf8.allSatisfy(isDigit), isPortAlone, UInt16(text) != nil {
        throw Complaint("is a port without its colon", suggestion: ":\(text)")
    }
    if text.hasPrefix("[") {
        guard let end = text.firstIndex(of: "]") else { throw Complaint("has no closing bracket") }
        let host = String(text[text.index(after: text.startIndex)..<end])
        guard IPAddress(host)?.isV4 == false || host.lowercased().hasPrefix("::ffff:") else {
            throw Complaint("has no IPv6 address in its brackets")
        }
        let rest = text[text.index(after: end)...]
        guard rest.hasPrefix(":") else { throw Complaint("has no port") }
        return (host, String(rest.dropFirst()))
    }
    if IPAddress(text)?.isV4 == false || text.split(separator: ":").count > 2 {
        // `::1:80` could be an address alone.
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix(":") else { throw .otherKind }
        let meant = "[\(text[..<colon])]\(text[colon...])"
        let isMeant = IPAddress(String(text[..<colon])) != nil
        throw Complaint("must have its IPv6 address in brackets", suggestion: isMeant ? meant : nil)
    }
    guard let colon = text.lastIndex(of: ":") else {
        throw text.isEmpty ? Complaint.otherKind : Complaint("has no port")
    }
    return (String(text[..<colon]), String(text[text.index(after: colon)...]))
}

private func parsePort(_ text: String, least: UInt16) throws(Complaint) -> UInt16 {
    guard text.utf8.allSatisfy(isDigit), let port = UInt16(text), port >= least,
        text == String(port)
    else { throw Complaint("must have a port within \(least)...65535") }
    return port
}
