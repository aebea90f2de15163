package import BelayCore
import Foundation

// One request to the admin server of the running Belay and its answer, as bytes. The socket is in
// `AdminSocket+Unsafe`.

/// Why the running Belay could not be asked.
package enum AdminCallError: Error, Equatable {
    /// Nobody listens there; what the system said.
    case noConnection(String)
    case timedOut
    /// The connection ended before the answer did.
    case cutShort
    case tooLarge
    /// What answered is not a Belay.
    case notBelay
    /// Belay answered with an error; its sentence.
    case refused(status: Int, String)

    /// What to tell the operator.
    package func sentence(for address: SocketAddress) -> String {
        switch self {
        case .noConnection(let reason):
            "no Belay answers on \(address) (\(reason)); is it running, with admin on this address?"
        case .timedOut: "the Belay on \(address) did not answer in time"
        case .cutShort: "the answer of \(address) ended too early"
        case .tooLarge: "the answer of \(address) is too large to be Belay's"
        case .notBelay: "what listens on \(address) is not a Belay's admin address"
        case .refused(_, let sentence): printable(sentence)
        }
    }
}

/// A request to the admin server.
package struct AdminRequest {
    package let method: String
    package let path: String
    package let to: SocketAddress
    package let body: [UInt8]

    package init(
        _ method: String = "GET",
        path: String,
        to address: SocketAddress,
        body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.to = address
        self.body = body
    }

    package var bytes: [UInt8] {
        var lines = [
            "\(self.method) \(self.path) HTTP/1.1", "Host: \(self.to)",
            "Accept: application/json", "User-Agent: belay", "Connection: close",
        ]
        if self.method != "GET" {
            lines += ["Belay-Admin: 1", "Content-Length: \(self.body.count)"]
        }
        if !self.body.isEmpty { lines.append("Content-Type: application/json") }
        return Array((lines + ["", ""]).joined(separator: "\r\n").utf8) + self.body
    }
}

/// An answer, taken apart (RFC 9112): status and body, whichever way the body's end is told.
package struct AdminAnswer: Equatable {
    package let status: Int
    package let body: [UInt8]

    /// Takes everything that came until the connection was closed. Throws what an operator has to
    /// know: it is not Belay that answers, or the answer is not whole.
    package init(parsing bytes: [UInt8]) throws(AdminCallError) {
        guard let headEnd = firstRange(of: "\r\n\r\n", in: bytes[...]) else {
            throw bytes.starts(with: Array("HTTP/1.".utf8)) ? .cutShort : .notBelay
        }
        let head = String(decoding: bytes[..<headEnd.lowerBound], as: UTF8.self)
        let lines = head.split(separator: "\r\n")
        let words = (lines.first ?? "").split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw .notBelay
        }
        self.status = status
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw .notBelay }
            let value = line[line.index(after: colon)...].filter { $0 != " " && $0 != "\t" }
            fields[line[..<colon].lowercased()] = value.lowercased()
        }
        let rest = bytes[headEnd.upperBound...]
        if fields["transfer-encoding"] == "chunked" {
            self.body = try unchunked(rest)
        } else if let text = fields["content-length"] {
            guard let length = Int(text), length >= 0 else { throw .notBelay }
            guard rest.count >= length else { throw .cutShort }
            self.body = Array(rest.prefix(length))
        } else {
            self.body = Array(rest)
        }
    }

    /// The body of a 200, or of a 422: settings that are not served are told of in it. Belay's
    /// errors are an object with a sentence.
    package func successfulBody() throws(AdminCallError) -> [UInt8] {
        if self.status == 200 || self.status == 422 { return self.body }
        struct Failure: Decodable { let error: String }
        let failure = try? JSONDecoder().decode(Failure.self, from: Data(self.body))
        guard let failure else { throw .notBelay }
        throw .refused(status: self.status, failure.error)
    }
}

private func unchunked(_ bytes: ArraySlice<UInt8>) throws(AdminCallError) -> [UInt8] {
    var body: [UInt8] = []
    var rest = bytes
    while true {
        guard let lineEnd = firstRange(of: "\r\n", in: rest) else { throw .cutShort }
        let line = String(decoding: rest[..<lineEnd.lowerBound], as: UTF8.self)
        let digits = line.prefix { $0 != ";" && $0 != " " }
        guard let size = Int(digits, radix: 16), size >= 0 else { throw .notBelay }
        rest = rest[lineEnd.upperBound...]
        if size == 0 { return body }
        // The chunk, and the line end after it.
        guard rest.count >= 2, size <= rest.count - 2 else { throw .cutShort }
        body += rest.prefix(size)
        rest = rest.dropFirst(size + 2)
    }
}

private func firstRange(of text: String, in bytes: ArraySlice<UInt8>) -> Range<Int>? {
    let pattern = Array(text.utf8)
    guard bytes.count >= pattern.count else { return nil }
    for start in bytes.startIndex...(bytes.endIndex - pattern.count)
    where bytes[start] == pattern[0] && bytes[start...].starts(with: pattern) {
        return start..<start + pattern.count
    }
    return nil
}
