import BelayBytes
import BelayCore
import BelayHTTP

/// One head or trailer section on its way in: fields of HPACK become lines of HTTP/1.1.
///
/// nghttp2 enforces most of RFC 9113 §8; what it leaves out, and what would let one text be read in
/// two ways, is checked here again. A head that breaks a rule is malformed (§8.1.1) and never
/// becomes text; one beyond the limits is read to its end, for HPACK's sake, and refused.
struct HeadReader: ~Copyable {
    enum Section {
        case request, response, trailers
    }

    /// What is in `text` belongs to a head that is not complete.
    private(set) var isReading = false
    private(set) var place = 0
    private(set) var section = Section.request
    private(set) var isMalformed = false
    private(set) var refusal: HeadRefusal?
    /// Response: its status.
    private(set) var status = 0
    /// Request: an extended CONNECT. Response: the answer to one.
    private(set) var isWebSocket = false

    /// The text, from 0.
    private(set) var text = GrowingText(initial: 4096)
    /// The values of pseudo-header fields, and the pieces of a cookie.
    private var side = GrowingText(initial: 1024)
    private let sizeMax: Int
    private let countMax: Int
    private var size = 0
    private var count = 0
    private var pseudo = PseudoFields()
    private var lineIsWritten = false
    private var hasHost = false
    private var cookieStart: Int?
    private var random: RandomSource

    init(_ limits: HTTP2Limits, seed: UInt64) {
        self.sizeMax = limits.headSizeMax
        self.countMax = limits.headerCountMax
        self.random = RandomSource(seed: seed)
    }

    mutating func begin(_ section: Section, place: Int, isWebSocket: Bool) {
        self.isReading = true
        self.section = section
        self.place = place
        self.isMalformed = false
        self.refusal = nil
        self.status = 0
        self.isWebSocket = isWebSocket
        self.text.removeAll()
        self.side.removeAll()
        self.size = 0
        self.count = 0
        self.pseudo = PseudoFields()
        self.lineIsWritten = section == .trailers
        self.hasHost = false
        self.cookieStart = nil
    }

    /// Forgets a text that was dealt with.
    mutating func clear(shrinking: Bool) {
        guard !self.isReading else { return }
        self.text.removeAll()
        self.side.removeAll()
        guard shrinking else { return }
        self.text.shrink()
        self.side.shrink()
    }

    /// nghttp2 gave the head up.
    mutating func abandon() {
        self.isReading = false
        self.text.removeAll()
    }

    /// Takes one field. False when the head has become so large that decoding it must stop.
    mutating func add(_ name: borrowing Span<UInt8>, _ value: borrowing Span<UInt8>) -> Bool {
        self.size &+= name.count &+ value.count &+ 32
        // Limit: sixteen times the size of a head is no mistake but an attempt to make a few bytes
        // on the wire cost much (CVE-2016-6581).
        guard self.size <= self.sizeMax &* 16 else { return false }
        if self.isMalformed || self.refusal != nil { return true }
        guard self.size <= self.sizeMax else {
            self.refusal = .tooLarge
            return true
        }
        if name.count > 0, name[0] == 0x3A {
            self.addPseudo(name, value)
        } else {
            self.count &+= 1
            guard self.count <= self.countMax else {
                self.refusal = .tooManyFields
                return true
            }
            self.addField(name, value)
        }
        return true
    }

    /// The head is complete.
    mutating func finish() {
        self.isReading = false
        if self.refusal == nil, !self.isMalformed {
            self.writeFirstLine()
            self.writeCookie()
            if self.section != .trailers { self.text.append("\r\n") }
        }
        if self.isMalformed || self.refusal != nil { self.text.removeAll() }
    }

    private mutating func addPseudo(
        _ name: borrowing Span<UInt8>,
        _ value: borrowing Span<UInt8>
    ) {
        guard !self.lineIsWritten, value.isFieldValue, value.count > 0,
            let field = PseudoFields.Name(name), self.pseudo[field] == nil,
            (field == .status) == (self.section == .response)
        else {
            self.isMalformed = true
            return
        }
        let start = self.side.count
        self.side.append(value)
        self.pseudo[field] = start..<self.side.count
    }

    private mutating func addField(
        _ name: borrowing Span<UInt8>,
        _ value: borrowing Span<UInt8>
    ) {
        self.writeFirstLine()
        guard !self.isMalformed, self.refusal == nil else { return }
        guard name.isFieldName, value.isFieldValue else {
            self.isMalformed = true
            return
        }
        switch (self.section, KnownName(name, 0..<name.count)) {
        case (_, .hopByHop), (_, .upgrade): self.isMalformed = true
        case (.request, .te): self.addTE(name, value)
        case (.request, .host): self.addHost(value)
        case (.request, .cookie): self.addCookie(value)
        // RFC 8441 §5: HTTP/2 does without these.
        case (.request, .webSocketKey) where self.isWebSocket: break
        // A tunnel has no length, and with one the text would not be an upgrade.
        case (.request, .contentLength) where self.isWebSocket: break
        case (.response, .webSocketAccept) where self.isWebSocket && self.status / 100 == 2: break
        // The answer to a CONNECT has none (RFC 9110 §9.3.6); one is passed over.
        case (.response, .contentLength) where self.isWebSocket && self.status / 100 == 2: break
        case (.trailers, _): self.addTrailer(name, value)
        default: self.addLine(name, value)
        }
    }

    private mutating func addLine(
        _ name: borrowing Span<UInt8>,
        _ value: borrowing Span<UInt8>
    ) {
        self.text.append(name)
        self.text.append(": ")
        self.text.append(value)
        self.text.append("\r\n")
    }

    private mutating func addTE(
        _ name: borrowing Span<UInt8>,
        _ value: borrowing Span<UInt8>
    ) {
        guard value.isEqual(0..<value.count, toLowercase: "trailers") else {
            self.isMalformed = true
            return
        }
        self.addLine(name, value)
    }

    /// `:authority` and Host must say the same (RFC 9113 §8.3.1).
    private mutating func addHost(_ value: borrowing Span<UInt8>) {
        guard !self.hasHost, value.isPlainAuthority else {
            self.isMalformed = true
            return
        }
        self.hasHost = true
        guard let authority = self.pseudo[.authority] else {
            self.text.append("Host: ")
            self.text.append(value)
            self.text.append("\r\n")
            return
        }
        if !isEqualIgnoringCase(self.side.writer.bytes.extracting(authority), value) {
            self.isMalformed = true
        }
    }

    /// Pieces become one line again (RFC 9113 §8.2.3).
    private mutating func addCookie(_ value: borrowing Span<UInt8>) {
        if self.cookieStart == nil {
            self.cookieStart = self.side.count
        } else {
            self.side.append("; ")
        }
        self.side.append(value)
    }

    private mutating func writeCookie() {
        guard let start = self.cookieStart else { return }
        self.text.append("cookie: ")
        self.write(start..<self.side.count)
        self.text.append("\r\n")
    }

    /// Writes what was set aside.
    private mutating func write(_ range: Range<Int>) {
        self.text.append(self.side, range)
    }

    private mutating func addTrailer(
        _ name: borrowing Span<UInt8>,
        _ value: borrowing Span<UInt8>
    ) {
        let start = self.text.count
        self.addLine(name, value)
        switch self.trailerUse(from: start) {
        case .pass: break
        case .drop: self.text.truncate(to: start)
        case nil: self.isMalformed = true
        }
    }

    /// What becomes of the line at the end of the text; nil where it must not be there.
    private func trailerUse(from start: Int) -> TrailerUse? {
        let bytes = self.text.writer.bytes
        do throws(MessageError) {
            return try bytes.trailerUse(start..<bytes.count)
        } catch {
            return nil
        }
    }
}

// The first line.
extension HeadReader {
    /// Once, behind the last pseudo-header field.
    private mutating func writeFirstLine() {
        guard !self.lineIsWritten else { return }
        self.lineIsWritten = true
        switch self.section {
        case .request: self.writeRequestLine()
        case .response: self.writeStatusLine()
        case .trailers: break
        }
    }

    private mutating func writeRequestLine() {
        guard let method = self.pseudo[.method], self.side.writer.bytes.extracting(method).isToken,
            self.authorityIsPlain
        else {
            self.isMalformed = true
            return
        }
        let isConnect = self.side.writer.bytes.isEqual(method, to: "CONNECT")
        if let name = self.pseudo[.protocol] {
            guard isConnect, self.pseudo[.authority] != nil, let path = self.plainPath(method)
            else {
                self.isMalformed = true
                return
            }
            guard self.side.writer.bytes.isEqual(name, toLowercase: "websocket") else {
                self.refusal = .unknownProtocol
                return
            }
            self.isWebSocket = true
            self.text.append("GET ")
            self.write(path)
        } else if isConnect {
            guard let authority = self.pseudo[.authority], self.pseudo[.scheme] == nil,
                self.pseudo[.path] == nil
            else {
                self.isMalformed = true
                return
            }
            self.text.append("CONNECT ")
            self.write(authority)
        } else {
            guard let path = self.plainPath(method) else {
                self.isMalformed = true
                return
            }
            self.write(method)
            self.text.append(" ")
            self.write(path)
        }
        self.text.append(" HTTP/1.1\r\n")
        self.writeHost()
    }

    private mutating func writeHost() {
        if let authority = self.pseudo[.authority] {
            self.text.append("Host: ")
            self.write(authority)
            self.text.append("\r\n")
        }
        guard self.isWebSocket else { return }
        self.text.append("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ")
        let key = WebSocketHandshake.key(&self.random)
        self.text.append(key.span)
        self.text.append("\r\n")
    }

    private var authorityIsPlain: Bool {
        guard let authority = self.pseudo[.authority] else { return true }
        return self.side.writer.bytes.extracting(authority).isPlainAuthority
    }

    /// The path, where the scheme and the path are as they must be.
    private func plainPath(_ method: Range<Int>) -> Range<Int>? {
        let bytes = self.side.writer.bytes
        guard let scheme = self.pseudo[.scheme], let path = self.pseudo[.path],
            bytes.isEqual(scheme, toLowercase: "http")
                || bytes.isEqual(scheme, toLowercase: "https")
        else { return nil }
        if bytes.isEqual(path, to: "*") {
            return bytes.isEqual(method, to: "OPTIONS") ? path : nil
        }
        return bytes.extracting(path).isPlainPath ? path : nil
    }

    private mutating func writeStatusLine() {
        guard let range = self.pseudo[.status], let status = self.statusNumber(range) else {
            self.isMalformed = true
            return
        }
        self.status = status
        if self.isWebSocket, status / 100 == 2 {
            self.text.append("HTTP/1.1 101 Switching Protocols\r\n")
            self.text.append("Upgrade: websocket\r\nConnection: Upgrade\r\n")
        } else {
            self.text.append("HTTP/1.1 ")
            self.write(range)
            self.text.append(" \r\n")
        }
    }

    /// The status; nil where it is none of HTTP/2, which has no 101 (RFC 9113 §8.6).
    private func statusNumber(_ range: Range<Int>) -> Int? {
        let bytes = self.side.writer.bytes
        guard range.count == 3 else { return nil }
        var status = 0
        for index in range {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { return nil }
            status = status * 10 + Int(digit)
        }
        return (100...599).contains(status) && status != 101 ? status : nil
    }

    /// Writes the line that only HTTP/1.1 has in the answer to a WebSocket; before `finish`.
    mutating func addAccept(_ accept: borrowing Span<UInt8>) {
        guard self.isWebSocket, self.status / 100 == 2, self.lineIsWritten else { return }
        self.text.append("Sec-WebSocket-Accept: ")
        self.text.append(accept)
        self.text.append("\r\n")
    }

    /// For `addAccept`: the status line stands even where no field follows it.
    mutating func closePseudoFields() {
        guard !self.isMalformed, self.refusal == nil else { return }
        self.writeFirstLine()
    }
}

/// Where the values of the pseudo-header fields lie.
private struct PseudoFields {
    enum Name: Int {
        case method, scheme, authority, path, `protocol`, status

        init?(_ name: borrowing Span<UInt8>) {
            let all = 0..<name.count
            if name.isEqual(all, to: ":method") {
                self = .method
            } else if name.isEqual(all, to: ":path") {
                self = .path
            } else if name.isEqual(all, to: ":scheme") {
                self = .scheme
            } else if name.isEqual(all, to: ":authority") {
                self = .authority
            } else if name.isEqual(all, to: ":status") {
                self = .status
            } else if name.isEqual(all, to: ":protocol") {
                self = .protocol
            } else {
                return nil
            }
        }
    }

    private var ranges = [6 of Range<Int>?](repeating: nil)

    subscript(_ name: Name) -> Range<Int>? {
        get { self.ranges[name.rawValue] }
        set { self.ranges[name.rawValue] = newValue }
    }
}
