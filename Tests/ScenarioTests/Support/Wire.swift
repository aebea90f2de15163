import Foundation

/// A message as it was read: of a client or of a server.
struct Message: Sendable {
    /// The request line or the status line.
    var start = ""
    var fields: [(name: String, value: String)] = []
    var body: [UInt8] = []
    var trailers: [(name: String, value: String)] = []
    /// The connection ended before the message did.
    var isCut = false

    var status: Int { Int(self.start.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var method: String { String(self.start.split(separator: " ").first ?? "") }
    var target: String { String(self.start.split(separator: " ").dropFirst().first ?? "") }
    var text: String { String(decoding: self.body, as: UTF8.self) }

    /// The values of a field, joined; nil when there is none.
    subscript(_ name: String) -> String? {
        let values = self.fields.filter { $0.name.lowercased() == name.lowercased() }
        return values.isEmpty ? nil : values.map(\.value).joined(separator: ", ")
    }

    /// `name=value` of the first cookie that the answer sets.
    var setCookie: String? {
        self["set-cookie"].map { String($0.prefix { $0 != ";" }) }
    }

    var closes: Bool { self["connection"]?.lowercased().contains("close") ?? false }
}

/// One end of a connection, that reads and writes plain bytes. For one thread.
final class Wire {
    let socket: Socket
    private var buffer: [UInt8] = []
    private var start = 0
    private(set) var isAtEnd = false
    private(set) var wasReset = false
    private var isClosed = false

    init(_ socket: Socket) { self.socket = socket }

    deinit { self.close() }

    // MARK: Writing

    func write(_ text: String) throws { try self.socket.write(Array(text.utf8)) }
    func write(_ bytes: [UInt8]) throws { try self.socket.write(bytes) }
    func closeWrite() { self.socket.closeWrite() }

    func close() {
        if !self.isClosed { self.socket.close() }
        self.isClosed = true
    }

    func reset() {
        if !self.isClosed { self.socket.reset() }
        self.isClosed = true
    }

    // MARK: Reading

    private var waiting: Int { self.buffer.count - self.start }

    /// Whether bytes are here or could be read without waiting.
    var isReadable: Bool { self.waiting > 0 || self.socket.isReadable }

    /// Reads what comes next; false at the end.
    private func fill() throws -> Bool {
        if self.isAtEnd { return false }
        do {
            let bytes = try self.socket.read()
            if bytes.isEmpty { self.isAtEnd = true }
            if self.start > 0 && self.start == self.buffer.count {
                self.buffer = bytes
                self.start = 0
            } else {
                self.buffer += bytes
            }
            return !bytes.isEmpty
        } catch Socket.Failure.reset {
            self.isAtEnd = true
            self.wasReset = true
            return false
        }
    }

    private func take(_ count: Int) -> [UInt8] {
        let bytes = Array(self.buffer[self.start..<(self.start + count)])
        self.start += count
        if self.start > 256 * 1024 {
            self.buffer.removeFirst(self.start)
            self.start = 0
        }
        return bytes
    }

    /// So many bytes, or fewer at the end.
    func read(_ count: Int) throws -> [UInt8] {
        while self.waiting < count, try self.fill() {}
        return self.take(Swift.min(count, self.waiting))
    }

    /// Reads and forgets so many bytes; how many there were.
    func discard(_ count: Int) throws -> Int {
        var left = count
        while left > 0 {
            if self.waiting == 0, try !self.fill() { break }
            let step = Swift.min(left, self.waiting)
            self.start += step
            left -= step
            if self.start == self.buffer.count {
                self.buffer.removeAll(keepingCapacity: true)
                self.start = 0
            }
        }
        return count - left
    }

    /// Up to and including `text`; at the end of the stream, what there is.
    func read(until text: String) throws -> String {
        let mark = Array(text.utf8)
        var from = self.start
        while true {
            if let found = self.index(of: mark, from: from) {
                return String(
                    decoding: self.take(found + mark.count - self.start),
                    as: UTF8.self
                )
            }
            let before = Swift.max(0, self.waiting - mark.count)
            guard try self.fill() else {
                return String(decoding: self.take(self.waiting), as: UTF8.self)
            }
            from = self.start + before
        }
    }

    private func index(of mark: [UInt8], from: Int) -> Int? {
        guard self.buffer.count - from >= mark.count else { return nil }
        for index in from...(self.buffer.count - mark.count)
        where self.buffer[index] == mark[0]
            && self.buffer[index..<(index + mark.count)].elementsEqual(mark)
        {
            return index
        }
        return nil
    }

    /// Everything until the other side closes.
    func readToEnd() throws -> String {
        while try self.fill() {}
        return String(decoding: self.take(self.waiting), as: UTF8.self)
    }

    // MARK: Messages

    /// The next message; nil when the connection ends before it begins. A response needs to know
    /// the method it answers.
    func message(answering method: String? = nil) throws -> Message? {
        guard var message = try self.head() else { return nil }
        if message.isCut { return message }
        let isBare =
            method == "HEAD" || (method != nil && (message.status < 200))
            || message.status == 204 || message.status == 304
        if isBare && method != nil { return message }
        if message["transfer-encoding"]?.lowercased() == "chunked" {
            try self.readChunks(into: &message)
        } else if let length = message["content-length"].flatMap({ Int($0) }) {
            message.body = try self.read(length)
            message.isCut = message.body.count < length
        } else if method != nil {
            message.body = Array(try self.readToEnd().utf8)
            message.isCut = self.wasReset
        }
        return message
    }

    /// The head of the next message alone; nil when the connection ends before it begins.
    func head() throws -> Message? {
        let text = try self.read(until: "\r\n\r\n")
        if text.isEmpty { return nil }
        var message = Message()
        message.isCut = !text.hasSuffix("\r\n\r\n")
        // "\r\n" is one Character.
        var lines = text.split(separator: "\r\n").map { String($0) }
        if !lines.isEmpty { message.start = lines.removeFirst() }
        message.fields = lines.map(Self.field)
        return message
    }

    private static func field(_ line: String) -> (name: String, value: String) {
        guard let colon = line.firstIndex(of: ":") else { return (line, "") }
        let value = line[line.index(after: colon)...]
        return (String(line[..<colon]), value.trimmingCharacters(in: .whitespaces))
    }

    private func readChunks(into message: inout Message) throws {
        while true {
            let line = try self.read(until: "\r\n")
            let digits = line.prefix { $0.isHexDigit }
            guard line.hasSuffix("\r\n"), let size = Int(digits, radix: 16) else {
                message.isCut = true
                return
            }
            if size == 0 { break }
            let chunk = try self.read(size)
            message.body += chunk
            guard chunk.count == size, try self.read(2) == [13, 10] else {
                message.isCut = true
                return
            }
        }
        while true {
            let line = try self.read(until: "\r\n")
            if line == "\r\n" { return }
            guard line.hasSuffix("\r\n") else {
                message.isCut = true
                return
            }
            message.trailers.append(Self.field(String(line.dropLast())))
        }
    }

    /// Sends a request and reads its answer.
    func ask(
        _ target: String = "/",
        method: String = "GET",
        fields: [String] = [],
        body: String? = nil
    ) throws -> Message {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: shop.test\r\n"
        for field in fields { text += field + "\r\n" }
        if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
        try self.write(text + "\r\n" + (body ?? ""))
        return try self.answer(to: method)
    }

    /// The next answer; a cut one when the connection ends without.
    func answer(to method: String = "GET") throws -> Message {
        try self.message(answering: method) ?? Message(isCut: true)
    }
}
