import Foundation
import Testing

extension Scenario {
    /// Asks with curl and reads what it shows, head and body of the last answer.
    func ask(_ url: String, _ arguments: [String] = []) throws -> Message {
        let program = try self.curl(["--include"] + arguments + [url])
        var lines = program.output.now.map { $0.hasSuffix("\r") ? String($0.dropLast()) : $0 }
        // "\r\n" is one Character, so that a line's own end may still be there.
        lines = lines.map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "\r")) }
        var message = Message()
        // Answers before the last one, such as 100, have a head alone.
        while message.status < 200, lines.first?.hasPrefix("HTTP/") == true {
            let end = lines.firstIndex(of: "") ?? lines.endIndex
            message.start = lines[0]
            message.fields = lines[1..<end].map(field)
            lines = Array(lines.dropFirst(end + 1))
            message.body = Array(lines.joined(separator: "\n").utf8)
        }
        // What curl says of a failure stands where an answer would.
        if message.start.isEmpty { message.start = program.errors.now.joined(separator: " ") }
        return message
    }

    /// Random bytes in a file; its path.
    func randomFile(_ name: String, size: Int) throws -> String {
        let path = self.path(name)
        _ = try self.run(["openssl", "rand", "-out", path, "\(size)"])
        return path
    }

    /// The SHA-256 of a file.
    func digest(of path: String) throws -> String {
        let program = try self.run(["openssl", "dgst", "-sha256", "-r", path])
        return String(program.text.prefix { $0.isHexDigit })
    }
}

private func field(_ line: String) -> (name: String, value: String) {
    let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let value = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
    return (String(parts[0]), value)
}

extension Message {
    /// The version of HTTP that the answer came in.
    var version: String { String(self.start.split(separator: " ").first ?? "") }
}
