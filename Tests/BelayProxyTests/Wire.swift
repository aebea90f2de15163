/// An HTTP/1.1 message as it was seen on a connection, without what may differ between two runs:
/// where its chunks end, and the line of the date.
struct Message: Equatable, CustomStringConvertible {
    var head = ""
    var body = ""
    var trailers = ""

    var status: Int { Int(self.head.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var isInterim: Bool { (100..<200).contains(self.status) && self.status != 101 }
    var description: String { "\(self.head)\(self.body)\(self.trailers)" }

    /// The value of the first line of that name.
    func value(_ name: String) -> String? {
        for line in self.head.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == name.lowercased() {
                return parts[1].trimmed
            }
        }
        return nil
    }
}

/// Reads messages as the tests expect them: simple, trusting, and sharing nothing with BelayHTTP.
enum Wire {
    /// Takes the message at the beginning of `bytes`; nil while it is not whole. `hasBody`: false
    /// for the answer to HEAD. `isOver`: no more bytes will come.
    static func take(
        _ bytes: inout [UInt8],
        hasBody: Bool = true,
        isOver: Bool = false
    ) -> Message? {
        guard let end = self.find("\r\n\r\n", in: bytes, from: 0) else { return nil }
        var message = Message()
        let text = String(decoding: bytes[..<end], as: UTF8.self)
        let lines = text.split(separator: "\r\n").filter { !$0.lowercased().hasPrefix("date:") }
        message.head = lines.joined(separator: "\r\n") + "\r\n\r\n"
        var rest = Array(bytes[end...])
        let isRequest = !text.hasPrefix("HTTP/")
        let status = message.status
        let never = !isRequest && ((100..<200).contains(status) || status == 204 || status == 304)
        if !never && hasBody {
            if message.value("transfer-encoding")?.lowercased() == "chunked" {
                guard let (body, trailers, used) = self.chunks(rest) else { return nil }
                message.body = body
                message.trailers = trailers
                rest.removeFirst(used)
            } else if let length = message.value("content-length").flatMap({ Int($0) }) {
                guard rest.count >= length else { return nil }
                message.body = String(decoding: rest[..<length], as: UTF8.self)
                rest.removeFirst(length)
            } else if !isRequest {
                guard isOver else { return nil }
                message.body = String(decoding: rest, as: UTF8.self)
                rest = []
            }
        }
        bytes = rest
        return message
    }

    /// The data, the trailers and the length of a chunked body; nil while it is not whole.
    private static func chunks(_ bytes: [UInt8]) -> (String, String, Int)? {
        var place = 0
        var data: [UInt8] = []
        while let end = self.find("\r\n", in: bytes, from: place) {
            let line = String(decoding: bytes[place..<(end - 2)], as: UTF8.self)
            guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else { return nil }
            place = end
            if size > 0 {
                guard bytes.count >= place + size + 2 else { return nil }
                data += bytes[place..<(place + size)]
                place += size + 2
                continue
            }
            if bytes.count >= place + 2, bytes[place] == 13 {
                return (String(decoding: data, as: UTF8.self), "", place + 2)
            }
            guard let over = self.find("\r\n\r\n", in: bytes, from: place) else { return nil }
            let trailers = String(decoding: bytes[place..<over], as: UTF8.self)
            return (String(decoding: data, as: UTF8.self), trailers, over)
        }
        return nil
    }

    /// Where the first `text` at `start` or after it ends.
    private static func find(_ text: String, in bytes: [UInt8], from start: Int) -> Int? {
        let wanted = Array(text.utf8)
        guard bytes.count >= start + wanted.count else { return nil }
        for place in start...(bytes.count - wanted.count)
        where bytes[place] == wanted[0]
            && bytes[place..<(place + wanted.count)].elementsEqual(wanted)
        {
            return place + wanted.count
        }
        return nil
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
