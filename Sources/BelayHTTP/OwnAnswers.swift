package import BelayBytes

// Answers of Belay's own that are no error pages: the way to https, and errors in gRPC's words.

/// Writes `308 Permanent Redirect` to the same target over https, which keeps method and body.
/// `port` is left out of the address where it is 443. A request without a host (HTTP/1.0) is told
/// that it must name one. Returns the status.
package func writeRedirect(
    _ head: RequestHead,
    in bytes: borrowing Span<UInt8>,
    from start: Int,
    port: UInt16,
    closes: Bool,
    date: borrowing Span<UInt8>,
    into out: inout ByteWriter
) -> UInt16 {
    if head.authority.isEmpty {
        out.append("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return 400
    }
    out.append("HTTP/1.1 308 Permanent Redirect\r\nDate: ")
    out.append(date)
    out.append("\r\nLocation: https://")
    let authority = head.authority.moved(by: start)
    out.append(bytes, authority.lowerBound..<endOfHost(authority, in: bytes))
    if port != 443 {
        out.append(UInt8(ascii: ":"))
        out.append(decimal: UInt64(port))
    }
    switch head.form {
    case .origin: out.append(bytes, head.target.moved(by: start))
    case .absolute:
        if head.path.isEmpty { out.append(UInt8(ascii: "/")) }
        out.append(bytes, head.path.moved(by: start))
    case .authority, .asterisk: out.append(UInt8(ascii: "/"))
    }
    out.append("\r\nContent-Length: 0\r\n")
    if closes { out.append("Connection: close\r\n") }
    out.append("\r\n")
    return 308
}

/// Where the host of an authority ends and its port, if it has one, begins.
private func endOfHost(_ authority: Range<Int>, in bytes: borrowing Span<UInt8>) -> Int {
    var index = authority.upperBound
    while index > authority.lowerBound {
        index &-= 1
        if bytes[index] == UInt8(ascii: ":") { return index }
        if bytes[index] &- 0x30 > 9 { break }
    }
    return authority.upperBound
}

/// Writes an error as gRPC clients want it: status 200, and what is wrong in the trailers, which
/// here come at once ("trailers-only"). The codes follow gRPC's table for statuses of HTTP.
package func writeGRPCAnswer(
    status: UInt16,
    sentence: StaticString,
    into out: inout ByteWriter
) {
    let code: Int =
        switch status {
        case 400, 431: 13
        case 401: 16
        case 403: 7
        case 404, 405: 12
        case 408: 4
        case 413: 8
        case 429, 502, 503, 504: 14
        default: 2
        }
    out.append("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: ")
    out.append(decimal: code)
    out.append("\r\nGrpc-Message: ")
    out.append(sentence)
    out.append("\r\n\r\n")
}

extension FieldList {
    /// Whether the request is one of gRPC: its Content-Type begins with `application/grpc`.
    package func announceGRPC(in bytes: borrowing Span<UInt8>, from start: Int) -> Bool {
        for index in 0..<self.count where self[index].id == .other {
            let name = self[index].name.moved(by: start)
            guard name.count == 12, bytes.isEqual(name, toLowercase: "content-type") else {
                continue
            }
            let value = self[index].value.moved(by: start)
            let front = value.lowerBound..<Swift.min(value.lowerBound + 16, value.upperBound)
            return bytes.isEqual(front, toLowercase: "application/grpc")
        }
        return false
    }
}

extension Span<UInt8> {
    /// Whether a written head has a field of that name, which is in lower case.
    package func hasField(_ name: StaticString) -> Bool {
        var index = 0
        while let feed = self.firstIndex(of: 0x0A, from: index) {
            index = feed &+ 1
            let end = index &+ name.utf8CodeUnitCount
            if end < self.count, self[end] == UInt8(ascii: ":"),
                self.isEqual(index..<end, toLowercase: name)
            {
                return true
            }
        }
        return false
    }

    /// Where the head at the front ends, its empty line included; all of it if there is none.
    package var endOfHead: Int {
        var index = 0
        while let feed = self.firstIndex(of: 0x0A, from: index) {
            if feed >= 3, self[feed - 2] == 0x0A { return feed + 1 }
            index = feed + 1
        }
        return self.count
    }
}
