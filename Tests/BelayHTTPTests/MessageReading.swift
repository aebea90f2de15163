import BelayBytes
import BelayHTTP
import Testing

/// One case of the parsers' tables: bytes, and what reading them must say.
struct MessageCase: Sendable, CustomTestStringConvertible {
    /// The rule that it is about, with its section.
    var rule: String
    /// Each scalar is one byte, so "\u{E9}" is the byte 0xE9.
    var text: String
    /// What `MessageReading` logs.
    var want: String
    /// The other side closes after the bytes.
    var closes = false

    var testDescription: String { self.rule }

    var bytes: [UInt8] { octets(self.text) }

    /// A request line, with a Host field behind it.
    static func requestLine(_ rule: String, _ line: String, _ want: String) -> MessageCase {
        MessageCase(rule: rule, text: line + "\r\nHost: a.example\r\n\r\n", want: want)
    }

    /// Field lines of a request that has a Host.
    static func fields(_ rule: String, _ lines: String, _ want: String) -> MessageCase {
        MessageCase(
            rule: rule,
            text: "POST / HTTP/1.1\r\nHost: a.example\r\n\(lines)\r\n\r\n",
            want: want
        )
    }

    /// A chunked body behind a request head.
    static func chunked(_ rule: String, _ body: String, _ want: String) -> MessageCase {
        MessageCase(
            rule: rule,
            text: "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n" + body,
            want: "POST / chunked keep; " + want
        )
    }
}

/// One byte for each scalar.
func octets(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8($0.value) }
}

/// Reads messages out of pieces as a connection delivers them, and logs what it finds: heads,
/// bodies and faults. However the bytes are cut, the log must be the same.
struct MessageReading: ~Copyable {
    private var buffer: [UInt8] = []
    private var scanner = HeadScanner()
    private var fields = FieldList(capacity: 16)
    private var body: BodyReader?
    private var data: [UInt8] = []
    private var keepsAlive = true
    private var isOver = false
    private var entries: [String] = []
    /// Nil reads requests; else responses to requests with this method.
    private let answering: BelayHTTP.Method?
    private let headMax: Int
    private let trailerMax: Int

    init(answering: BelayHTTP.Method? = nil, headMax: Int = 512, trailerMax: Int = 64) {
        self.answering = answering
        self.headMax = headMax
        self.trailerMax = trailerMax
    }

    /// What was found, and what is still awaited.
    var log: String {
        guard !self.isOver else { return self.entries.joined(separator: "; ") }
        if self.body != nil {
            return (self.entries + self.dataEntry + ["in body"]).joined(separator: "; ")
        }
        let rest = self.buffer.isEmpty ? [] : ["in head"]
        return (self.entries + rest).joined(separator: "; ")
    }

    private var dataEntry: [String] {
        self.data.isEmpty ? [] : ["body " + Self.text(self.data[...])]
    }

    static func text(_ bytes: ArraySlice<UInt8>) -> String {
        var text = ""
        for byte in bytes { text.unicodeScalars.append(Unicode.Scalar(byte)) }
        return text
    }

    mutating func feed(_ bytes: ArraySlice<UInt8>) {
        self.buffer += bytes
        do throws(MessageError) {
            while !self.isOver, try self.step() {}
        } catch {
            self.entries += self.dataEntry
            self.entries.append("\(error.status) \(error.name)")
            self.isOver = true
        }
    }

    mutating func close() {
        guard !self.isOver, self.body != nil else { return }
        do throws(MessageError) {
            try self.body?.connectionClosed()
            self.endBody()
        } catch {
            self.entries += self.dataEntry
            self.entries.append("\(error.status) \(error.name)")
            self.isOver = true
        }
    }

    /// One head or one piece of a body; false when more bytes are needed.
    private mutating func step() throws(MessageError) -> Bool {
        guard self.body != nil else { return try self.readHead() }
        let buffer = self.buffer
        let piece = try self.body?.next(buffer.span, from: 0) ?? .needsMore
        switch piece {
        case .data(let range):
            self.data += self.buffer[range]
            self.buffer.removeFirst(range.upperBound)
        case .framing(let size):
            self.buffer.removeFirst(size)
        case .trailer(let range):
            self.entries += self.dataEntry
            self.data = []
            self.entries.append("trailer " + Self.text(self.buffer[range]))
            self.buffer.removeFirst(range.upperBound + 2)
        case .needsMore:
            return false
        case .end(let size):
            self.buffer.removeFirst(size)
            self.endBody()
        }
        return true
    }

    private mutating func endBody() {
        self.entries += self.dataEntry
        self.data = []
        self.body = nil
        self.scanner = HeadScanner()
        if !self.keepsAlive { self.isOver = true }
    }

    private mutating func readHead() throws(MessageError) -> Bool {
        guard !self.buffer.isEmpty else { return false }
        let buffer = self.buffer
        let headMax = self.headMax
        guard let length = try self.scanner.scan(buffer.span, from: 0, headMax: headMax) else {
            return false
        }
        let framing: BodyFraming
        if let method = self.answering {
            framing = try self.readResponse(length: length, answering: method)
        } else {
            framing = try self.readRequest(length: length)
        }
        self.buffer.removeFirst(length)
        self.body = BodyReader(framing, trailerMax: self.trailerMax)
        return true
    }

    private mutating func readRequest(length: Int) throws(MessageError) -> BodyFraming {
        let buffer = self.buffer
        let head = try RequestHead.parse(
            buffer.span,
            from: 0,
            length: length,
            into: &self.fields
        )
        self.keepsAlive = head.keepsAlive
        var words = [
            Self.text(self.buffer[head.methodBytes]), Self.text(self.buffer[head.target]),
        ]
        if head.form != .origin { words.append("\(head.form)") }
        if head.minorVersion == 0 { words.append("1.0") }
        words.append(Self.text(head.framing))
        words.append(head.keepsAlive ? "keep" : "close")
        if head.expectsContinue { words.append("expects") }
        if head.wantsUpgrade { words.append("upgrades") }
        self.entries.append(words.joined(separator: " ") + self.nominated)
        return head.framing
    }

    private mutating func readResponse(
        length: Int,
        answering method: BelayHTTP.Method
    ) throws(MessageError) -> BodyFraming {
        let buffer = self.buffer
        let head = try ResponseHead.parse(
            buffer.span,
            from: 0,
            length: length,
            answering: method,
            into: &self.fields
        )
        self.keepsAlive = head.keepsAlive
        var words = ["\(head.status)", Self.text(self.buffer[head.reason])]
        if head.minorVersion == 0 { words.append("1.0") }
        words.append(Self.text(head.framing))
        if let length = head.statedLength, head.framing == .none { words.append("(\(length))") }
        words.append(head.keepsAlive ? "keep" : "close")
        if head.isUpgrade { words.append("upgrades") }
        self.entries.append(words.joined(separator: " ") + self.nominated)
        return head.framing
    }

    private var nominated: String {
        var names = ""
        for index in 0..<self.fields.count where self.fields[index].isNominated {
            names += " -" + Self.text(self.buffer[self.fields[index].name])
        }
        return names
    }

    private static func text(_ framing: BodyFraming) -> String {
        switch framing {
        case .none: "none"
        case .length(let length): "length \(length)"
        case .chunked: "chunked"
        case .untilClose: "until close"
        }
    }
}

extension MessageCase {
    /// The log of reading the bytes, cut at those places.
    func log(answering method: BelayHTTP.Method? = nil, cutAt cuts: [Int] = []) -> String {
        var reading = MessageReading(answering: method)
        let bytes = self.bytes
        var start = 0
        for cut in cuts + [bytes.count] {
            reading.feed(bytes[start..<cut])
            start = cut
        }
        if self.closes { reading.close() }
        return reading.log
    }
}
