import BelayCore
import Foundation

// The names that clients bring along as settings: the origin of a page, the host of a TLS client.

extension Scalar where Value == Settings.HostPattern {
    /// A host that clients of TLS can ask for.
    static let sniHost = Scalar(
        hostPattern.outline.words,
        schema: ["type": "string", "pattern": "^(\\*\\.)?[A-Za-z0-9._-]+$"],
        parse: { text, isPlain throws(Complaint) in
            if text == "*" {
                throw Complaint("is every host; the listener's \"pool\" is for that")
            }
            let pattern = try hostPattern.parse(text, isPlain)
            let isAddress = text.hasPrefix("[") || IPAddress(text) != nil
            guard !isAddress else { throw Complaint("is an IP address, and SNI has names only") }
            return pattern
        },
        encode: hostPattern.encode
    )
}

extension Scalar where Value == Settings.Origin {
    /// The origin of pages.
    static let origin = Scalar(
        "an origin such as `https://shop.example.com` or `https://*.example.com`",
        schema: [
            "type": "string",
            "pattern": .string(
                "^[A-Za-z][A-Za-z0-9+.-]*://"
                    + "((\\*\\.)?[A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?$"
            ),
        ],
        parse: { text, isPlain throws(Complaint) in
            let (scheme, rest) = try splitOrigin(text)
            let (hostText, portText) = splitPort(rest)
            if hostText == "*" {
                throw Complaint("names no host; leave the key out for every page")
            }
            var port: UInt16?
            if let portText {
                guard portText.utf8.allSatisfy(isDigit), let number = UInt16(portText),
                    number > 0, portText == String(number)
                else { throw Complaint("must have a port within 1...65535") }
                port = number
            }
            let host: Settings.HostPattern
            do throws(Complaint) {
                host = try Scalar<Settings.HostPattern>.hostPattern.parse(hostText, isPlain)
            } catch {
                let end = portText.map { ":" + $0 } ?? ""
                let meant = error.suggestion.map { "\(scheme)://\($0)\(end)" }
                throw Complaint(error.reason, suggestion: meant)
            }
            // Browsers leave the usual port out.
            if port == usualPorts[scheme] { port = nil }
            return Settings.Origin(scheme: scheme, host: host, port: port)
        },
        encode: { .string($0.spelled) }
    )
}

private let usualPorts: [String: UInt16] = ["http": 80, "https": 443]

/// The scheme in lower case, and the host with its port.
private func splitOrigin(_ text: String) throws(Complaint) -> (scheme: String, rest: String) {
    if text == "*" { throw Complaint("is every page; leave the key out for that") }
    if text == "null" { throw Complaint("is sent by pages of any origin") }
    guard let separator = text.range(of: "://") else {
        let host = splitPort(text).host
        let isHost = isHostName(host.hasPrefix("*.") ? String(host.dropFirst(2)) : host)
        throw isHost ? Complaint("has no scheme", suggestion: "https://" + text) : .otherKind
    }
    let scheme = text[..<separator.lowerBound].lowercased()
    let rest = text[separator.upperBound...]
    if let end = rest.firstIndex(where: { "/?#".contains($0) }) {
        throw Complaint("is more than scheme, host and port", suggestion: String(text[..<end]))
    }
    // The origin is the page's, not that of the WebSocket.
    if let page = ["ws": "http", "wss": "https"][scheme] {
        throw Complaint("is no origin of a page", suggestion: "\(page)://\(rest)")
    }
    if usualPorts[scheme] == nil, let meant = nearest(scheme, among: ["https", "http"]) {
        throw Complaint(suggestion: "\(meant)://\(rest)")
    }
    // Applications that are not browsers have schemes of their own.
    guard let first = scheme.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first),
        scheme.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+.-".contains($0)) })
    else { throw .otherKind }
    return (scheme, String(rest))
}

/// The host, and the text after the colon if there is one. Brackets stay.
private func splitPort(_ text: String) -> (host: String, port: String?) {
    guard let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") else {
        return (text, nil)
    }
    return (String(text[..<colon]), String(text[text.index(after: colon)...]))
}
