package import BelayBytes
package import BelayCore

/// What a listener adds to requests and takes from them, by the settings.
package struct ForwardingRules: Sendable {
    /// Write X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host.
    package var xForwarded = true
    /// Write Forwarded (RFC 7239).
    package var forwarded = false
    /// The name to write into Via, such as `belay`.
    package var via: InternedText?
    /// The cookie that is cut out: a server has no use for a binding.
    package var bindingCookie: InternedText?
    /// The application's cookie in whose values a server's word stands, up to this byte: it is cut
    /// out.
    package var prefixedCookie: InternedText?
    package var prefixSeparator: UInt8 = 0
    /// The Host of requests that name none, which only HTTP/1.0 may do. An empty one is what
    /// RFC 9112 §3.2 wants where the authority is unknown, but some servers refuse it.
    package var defaultHost = InternedText.empty

    package init() {}
}

/// What is known about where a request came from.
package struct ForwardingFacts: Sendable {
    /// Who opened the connection: the client, or the last proxy before Belay.
    package var client: IPAddress
    package var isTLS: Bool
    /// `client` is in `trusted-proxies`: what its requests say about who asked is believed.
    package var peerIsTrusted: Bool
    /// The client was bound to another server: its name, and why it moved; nil: it was not.
    package var moved: (from: InternedText, reason: StaticString)?
    /// Belay asks the client for its certificate, and says itself what it found.
    package var checksCertificates = false

    package init(client: IPAddress, isTLS: Bool, peerIsTrusted: Bool) {
        self.client = client
        self.isTLS = isTLS
        self.peerIsTrusted = peerIsTrusted
    }
}

/// Writes the head of a request as the server gets it: HTTP/1.1, origin form, Host first, then
/// the fields as they came without those that end here, then what Belay adds.
///
/// `head` and `fields` hold offsets from `start` in `bytes`. `framing` is that of the body as it
/// will be sent. With `keepsUpgrade`, for a head that `wantsUpgrade`, the wish goes on.
///
/// What a client could forge about who asked is dropped unless the peer is trusted: Forwarded,
/// X-Forwarded-*, and the addresses that content networks pass on (`isForgeable`).
package func writeRequest(
    _ head: RequestHead,
    _ fields: borrowing FieldList,
    in bytes: borrowing Span<UInt8>,
    from start: Int,
    rules: ForwardingRules,
    facts: ForwardingFacts,
    framing: BodyFraming,
    keepsUpgrade: Bool,
    into out: inout ByteWriter
) {
    out.append(requestLine: head, in: bytes, from: start)
    out.append(" HTTP/1.1\r\nHost: ")
    if head.authority.isEmpty, head.minorVersion == 0 {
        out.append(rules.defaultHost.bytes)
    } else {
        out.append(bytes, head.authority.moved(by: start))
    }
    out.append("\r\n")

    var seen = SeenFields(keepsUpgrade: keepsUpgrade, keepsExpect: head.expectsContinue)
    var run = FieldRun()
    for index in 0..<fields.count {
        let line = fields[index]
        guard seen.note(line, rules, facts, in: bytes, from: start) else { continue }
        if line.id == .cookie, let cookie = rules.bindingCookie {
            let name = cookie.bytes
            let text = bytes.extracting(line.value.moved(by: start))
            if let first = firstCookie(named: name, in: text) {
                run.flush(in: bytes, from: start, into: &out)
                out.append(cookieLine: line, without: name, first: first, in: bytes, from: start)
                continue
            }
        }
        if line.id == .cookie, let cookie = rules.prefixedCookie {
            run.flush(in: bytes, from: start, into: &out)
            guard
                !out.append(
                    cookieLine: line,
                    named: cookie,
                    withoutPrefixBefore: rules.prefixSeparator,
                    in: bytes,
                    from: start
                )
            else { continue }
        }
        run.add(line, in: bytes, from: start, into: &out)
    }
    run.flush(in: bytes, from: start, into: &out)

    if let moved = facts.moved {
        out.append("Belay-Session-Moved: from=")
        out.append(moved.from.bytes)
        out.append("; reason=")
        out.append(moved.reason)
        out.append("\r\n")
    }
    out.append(whoAsked: head, fields, seen, rules, facts, in: bytes, from: start)
    if let via = rules.via {
        // The version is that of the message as it was received (RFC 9110 §7.6.3).
        out.append(head.minorVersion == 0 ? "Via: 1.0 " : "Via: 1.1 ")
        out.append(via.bytes)
        out.append("\r\n")
    }
    out.append(framing: framing, of: head, seen)
    out.append(connectionOf: head, fields, seen, in: bytes, from: start)
    out.append("\r\n")
}

/// Which of the fields that are written again stood in the head.
struct SeenFields {
    private let keepsUpgrade: Bool
    private let keepsExpect: Bool
    var te = false
    /// An Upgrade field went on.
    var upgrades = false
    var contentLength = false
    var forwarded = false
    var xForwardedFor = false
    var xForwardedProto = false
    var xForwardedHost = false

    init(keepsUpgrade: Bool, keepsExpect: Bool) {
        self.keepsUpgrade = keepsUpgrade
        self.keepsExpect = keepsExpect
    }

    /// Whether the line goes on as it is.
    @inline(__always)
    mutating func note(
        _ line: FieldLine,
        _ rules: ForwardingRules,
        _ facts: ForwardingFacts,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) -> Bool {
        switch line.id {
        case .host, .transferEncoding, .connection, .keepAlive, .proxyConnection:
            return false
        case .contentLength:
            self.contentLength = true
            return false
        case .te:
            self.te = true
            return false
        case .upgrade:
            self.upgrades = self.keepsUpgrade
            return self.keepsUpgrade
        case .expect:
            // HTTP/1.0 has no interim responses, and nothing is awaited where no body follows.
            return self.keepsExpect
        case .forwarded:
            self.forwarded = facts.peerIsTrusted
            return facts.peerIsTrusted && !rules.forwarded
        case .xForwardedFor:
            self.xForwardedFor = facts.peerIsTrusted
            return facts.peerIsTrusted && !rules.xForwarded
        case .xForwardedProto:
            self.xForwardedProto = facts.peerIsTrusted
            return facts.peerIsTrusted
        case .xForwardedHost:
            self.xForwardedHost = facts.peerIsTrusted
            return facts.peerIsTrusted
        case .trailer, .via, .cookie, .setCookie, .cacheControl, .date, .accept, .expires,
            .authorization:
            return !line.isNominated
        case .other:
            if line.isNominated { return false }
            switch claim(ofName: line.name.moved(by: start), in: bytes) {
            case .none: return true
            case .whoAsked: return facts.peerIsTrusted
            case .certificate: return facts.peerIsTrusted && !facts.checksCertificates
            case .never: return false
            }
        }
    }
}

extension ByteWriter {
    /// Writes method and target.
    fileprivate mutating func append(
        requestLine head: RequestHead,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) {
        let method = head.methodBytes.moved(by: start)
        switch head.form {
        case .origin, .authority, .asterisk:
            // Exactly one space stands between the two.
            self.append(bytes, method.lowerBound..<start &+ head.target.upperBound)
        case .absolute:
            self.append(bytes, method)
            self.append(UInt8(ascii: " "))
            if head.path.isEmpty {
                // RFC 9112 §3.2.4: OPTIONS of an authority alone asks about the whole server.
                self.append(UInt8(ascii: head.method == .options ? "*" : "/"))
            } else {
                if bytes[start &+ head.path.lowerBound] != UInt8(ascii: "/") {
                    self.append(UInt8(ascii: "/"))
                }
                self.append(bytes, head.path.moved(by: start))
            }
        }
    }

    fileprivate mutating func append(
        framing: BodyFraming,
        of head: RequestHead,
        _ seen: SeenFields
    ) {
        switch framing {
        case .length(let length):
            self.append("Content-Length: ")
            self.append(decimal: length)
            self.append("\r\n")
        case .chunked:
            self.append("Transfer-Encoding: chunked\r\n")
        case .none, .untilClose:
            // RFC 9110 §8.6: methods that usually have content say that there is none.
            switch head.method {
            case .post, .put, .patch:
                self.append("Content-Length: 0\r\n")
            case .get, .head, .delete, .connect, .options, .trace, .other:
                if seen.contentLength { self.append("Content-Length: 0\r\n") }
            }
        }
    }

    fileprivate mutating func append(
        connectionOf head: RequestHead,
        _ fields: borrowing FieldList,
        _ seen: SeenFields,
        in bytes: borrowing Span<UInt8>,
        from start: Int
    ) {
        let upgrades = seen.upgrades
        let takesTrailers =
            seen.te && head.minorVersion == 1
            && fields.acceptTrailers(in: bytes, from: start)
        if takesTrailers { self.append("TE: trailers\r\n") }
        switch (upgrades, takesTrailers) {
        case (true, true): self.append("Connection: upgrade, TE\r\n")
        case (true, false): self.append("Connection: upgrade\r\n")
        case (false, true): self.append("Connection: TE\r\n")
        case (false, false): break
        }
    }
}

extension FieldList {
    /// A TE field holds `trailers` (RFC 9110 §10.1.4).
    fileprivate func acceptTrailers(in bytes: borrowing Span<UInt8>, from start: Int) -> Bool {
        for index in 0..<self.count where self[index].id == .te {
            var elements = TokenList(self[index].value.moved(by: start))
            while let element = elements.next(bytes) {
                if bytes.isEqual(element, toLowercase: "trailers") { return true }
            }
        }
        return false
    }
}
