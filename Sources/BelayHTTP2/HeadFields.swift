import BelayBytes

/// A head that goes out: the parts of its HTTP/1.1 text that become fields. The text is made by
/// our own writers, so it is well-formed.
struct HeadFields {
    /// The first line without its end; empty for trailers.
    private(set) var firstLine = 0..<0
    private var index = 0

    init(_ text: borrowing Span<UInt8>, hasFirstLine: Bool) {
        guard hasFirstLine else { return }
        let end = text.firstIndex(of: 0x0A) ?? text.count
        self.firstLine = 0..<Swift.max(0, end &- 1)
        self.index = end &+ 1
    }

    /// The next field line; nil at the empty line or the end.
    mutating func next(_ text: borrowing Span<UInt8>) -> (name: Range<Int>, value: Range<Int>)? {
        guard self.index < text.count, text[self.index] != 0x0D,
            let colon = text.firstIndex(of: 0x3A, from: self.index)
        else { return nil }
        let feed = text.firstIndex(of: 0x0A, from: colon) ?? text.count
        var end = feed < text.count && text[feed &- 1] == 0x0D ? feed &- 1 : feed
        var start = colon &+ 1
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start &+= 1 }
        while end > start, text[end &- 1] == 0x20 || text[end &- 1] == 0x09 { end &-= 1 }
        let name = self.index..<colon
        self.index = feed &+ 1
        return (name, start..<end)
    }
}

/// The pseudo-header fields of a request that goes out, found in its text.
struct RequestParts {
    var method = 0..<0
    var target = 0..<0
    var host: Range<Int>?
    var key: Range<Int>?
    var isWebSocket = false
    var count = 0

    init(_ text: borrowing Span<UInt8>) {
        var fields = HeadFields(text, hasFirstLine: true)
        let line = fields.firstLine
        let space = text.firstIndex(of: 0x20) ?? line.upperBound
        self.method = 0..<Swift.min(space, line.upperBound)
        // The version and the space before it are nine bytes.
        let end = Swift.max(line.upperBound &- 9, self.method.upperBound)
        self.target = Swift.min(self.method.upperBound &+ 1, end)..<end
        while let field = fields.next(text) {
            self.count &+= 1
            switch KnownName(text, field.name) {
            case .host: self.host = field.value
            case .upgrade:
                self.isWebSocket = text.isEqual(field.value, toLowercase: "websocket")
            case .webSocketKey: self.key = field.value
            case .other, .cookie, .te, .contentLength, .hopByHop, .webSocketAccept: break
            }
        }
    }
}
