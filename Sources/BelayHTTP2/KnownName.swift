import BelayBytes

/// Fields that are not passed on as they are.
enum KnownName {
    case other
    case host, cookie, te, contentLength
    /// RFC 9113 §8.2.2: these are not in HTTP/2.
    case hopByHop, upgrade
    case webSocketKey, webSocketAccept

    /// Whatever the case of its letters.
    init(_ text: borrowing Span<UInt8>, _ name: Range<Int>) {
        self =
            switch name.count {
            case 2 where text.isEqual(name, toLowercase: "te"): .te
            case 4 where text.isEqual(name, toLowercase: "host"): .host
            case 6 where text.isEqual(name, toLowercase: "cookie"): .cookie
            case 7 where text.isEqual(name, toLowercase: "upgrade"): .upgrade
            case 10 where text.isEqual(name, toLowercase: "connection"): .hopByHop
            case 10 where text.isEqual(name, toLowercase: "keep-alive"): .hopByHop
            case 14 where text.isEqual(name, toLowercase: "content-length"): .contentLength
            case 16 where text.isEqual(name, toLowercase: "proxy-connection"): .hopByHop
            case 17 where text.isEqual(name, toLowercase: "transfer-encoding"): .hopByHop
            case 17 where text.isEqual(name, toLowercase: "sec-websocket-key"): .webSocketKey
            case 20 where text.isEqual(name, toLowercase: "sec-websocket-accept"):
                .webSocketAccept
            default: .other
            }
    }
}
