package import BelayBytes

/// What a response's head says about the connection to the client.
package enum ConnectionOption: UInt8, Sendable {
    /// Nothing: in HTTP/1.1 the connection stays.
    case none
    case close
    /// What an HTTP/1.0 client that asked for it wants to read.
    case keepAlive
}

/// How a response's head is written.
package struct ResponseOptions: Sendable {
    /// The framing of the body as it will be sent. `none` keeps the Content-Length that a
    /// response to HEAD or a 304 stated.
    package var framing: BodyFraming
    package var connection = ConnectionOption.none
    /// The name to write into Via, such as `belay`.
    package var via: InternedText?
    /// The response came over HTTP/2, which has no reasons; some clients of HTTP/1.1 want one.
    package var fillsReason = false

    /// The application's cookie whose values get a server's word in front, and that word.
    package var prefixedCookie: (name: InternedText, prefix: InternedText)?
    /// Belay's own cookie, whose lines of the server's are dropped; nil: they pass.
    package var ownCookie: InternedText?

    package init(framing: BodyFraming) { self.framing = framing }
}

/// Writes the head of a response, interim ones (1xx) too, as the client gets it: HTTP/1.1, status
/// and reason as received, the fields as they came without those that end here, then what Belay
/// adds. Of an interim response only what the server said goes on.
///
/// `head` and `fields` hold offsets from `start` in `bytes`. `setCookie` is the value of one more
/// Set-Cookie field, `date` that of the Date field if the server sent none; empty for neither.
package func writeResponse(
    _ head: ResponseHead,
    _ fields: borrowing FieldList,
    in bytes: borrowing Span<UInt8>,
    from start: Int,
    options: ResponseOptions,
    setCookie: borrowing Span<UInt8>,
    date: borrowing Span<UInt8>,
    into out: inout ByteWriter
) {
    out.append("HTTP/1.1 ")
    out.append(decimal: UInt64(head.status))
    out.append(UInt8(ascii: " "))
    if options.fillsReason, head.reason.isEmpty {
        out.append(usualReason(of: head.status))
    } else {
        out.append(bytes, head.reason.moved(by: start))
    }
    out.append("\r\n")

    // A 426 must say to what (RFC 9110 §15.5.22); elsewhere Upgrade is an offer that ends here.
    let keepsUpgrade = head.isUpgrade || head.status == 426
    var hasDate = false
    var hasUpgrade = false
    var run = FieldRun()
    for index in 0..<fields.count {
        let line = fields[index]
        switch line.id {
        case .connection, .keepAlive, .proxyConnection, .te, .transferEncoding, .contentLength:
            continue
        case .upgrade:
            guard keepsUpgrade else { continue }
            hasUpgrade = true
        case .date:
            hasDate = true
        case .other, .host, .trailer, .expect, .forwarded, .xForwardedFor, .xForwardedProto,
            .xForwardedHost, .via, .cookie, .setCookie, .cacheControl, .accept, .expires,
            .authorization:
            if line.isNominated { continue }
        }
        if line.id == .setCookie, out.edit(line, options, &run, in: bytes, from: start) { continue }
        run.add(line, in: bytes, from: start, into: &out)
    }
    run.flush(in: bytes, from: start, into: &out)

    if let via = options.via {
        out.append(head.minorVersion == 0 ? "Via: 1.0 " : "Via: 1.1 ")
        out.append(via.bytes)
        out.append("\r\n")
    }
    if head.status >= 200 {
        if !hasDate, date.count > 0 { out.append(name: "Date: ", value: date) }
        if setCookie.count > 0 { out.append(name: "Set-Cookie: ", value: setCookie) }
        out.append(framing: options.framing, of: head)
    }
    if head.status >= 200 || head.isUpgrade {
        out.append(connection: options.connection, upgrades: hasUpgrade)
    }
    out.append("\r\n")
}

/// The reason that RFC 9110 §15 gives a status; empty for one that it does not have.
private func usualReason(of status: UInt16) -> StaticString {
    switch status {
    case 100: "Continue"
    case 101: "Switching Protocols"
    case 103: "Early Hints"
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 203: "Non-Authoritative Information"
    case 204: "No Content"
    case 205: "Reset Content"
    case 206: "Partial Content"
    case 300: "Multiple Choices"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 415: "Unsupported Media Type"
    case 416: "Range Not Satisfiable"
    case 422: "Unprocessable Content"
    case 429: "Too Many Requests"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    default: ""
    }
}

extension ByteWriter {
    /// Drops a Set-Cookie line, or writes it otherwise than it came, behind what `run` has
    /// gathered. False, and nothing written of it, where it goes on as it is.
    fileprivate mutating func edit(
        _ line: FieldLine,
        _ options: ResponseOptions,
        _ run: inout FieldRun,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) -> Bool {
        if let own = options.ownCookie {
            let text = bytes.extracting(line.value.moved(by: start))
            if let cookie = SetCookieText(text), cookie.isNamed(own.bytes, in: text) { return true }
        }
        guard let cookie = options.prefixedCookie else { return false }
        run.flush(in: bytes, from: start, into: &self)
        return self.append(
            setCookie: line,
            named: cookie.name,
            prefix: cookie.prefix,
            in: bytes,
            from: start
        )
    }

    fileprivate mutating func append(name: StaticString, value: borrowing Span<UInt8>) {
        self.append(name)
        self.append(value)
        self.append("\r\n")
    }

    fileprivate mutating func append(framing: BodyFraming, of head: ResponseHead) {
        switch framing {
        case .length(let length):
            self.append(contentLength: length)
        case .chunked:
            self.append("Transfer-Encoding: chunked\r\n")
        case .untilClose:
            break
        case .none:
            // RFC 9110 §8.6: never with 204.
            if head.status != 204, let length = head.statedLength {
                self.append(contentLength: length)
            }
        }
    }

    private mutating func append(contentLength: UInt64) {
        self.append("Content-Length: ")
        self.append(decimal: contentLength)
        self.append("\r\n")
    }

    fileprivate mutating func append(connection: ConnectionOption, upgrades: Bool) {
        switch (connection, upgrades) {
        case (.none, false): break
        case (.none, true): self.append("Connection: upgrade\r\n")
        case (.close, false): self.append("Connection: close\r\n")
        case (.close, true): self.append("Connection: close, upgrade\r\n")
        case (.keepAlive, false): self.append("Connection: keep-alive\r\n")
        case (.keepAlive, true): self.append("Connection: keep-alive, upgrade\r\n")
        }
    }
}
