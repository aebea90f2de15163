import Foundation
import Testing

extension Scenario {
    /// Makes a handshake with `openssl s_client`; what it shows, errors included.
    func handshake(_ port: UInt16, _ arguments: [String] = []) throws -> String {
        let program = try self.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:\(port)"] + arguments
        )
        return (program.output.now + program.errors.now).joined(separator: "\n")
    }

    /// A handshake and one request, so that the server has time to send its tickets.
    func handshakeAndRequest(_ port: UInt16, _ arguments: [String]) throws -> String {
        let options = ["-connect", "127.0.0.1:\(port)", "-ign_eof"]
        let program = try self.start(["openssl", "s_client"] + options + arguments, reads: true)
        try program.type("GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r")
        try program.waitForEnd()
        return (program.output.now + program.errors.now).joined(separator: "\n")
    }

    /// The serial number of the certificate that a listener shows, in hexadecimal digits.
    func serial(at port: UInt16, _ authority: Authority) throws -> String? {
        let client = try self.keptClient(port, authority)
        defer { client.end() }
        return try client.greeting().serial
    }

    /// A TLS client that keeps its connection and asks for each line that it is given.
    func keptClient(
        _ port: UInt16,
        _ authority: Authority,
        _ arguments: [String] = []
    ) throws -> Program {
        let fixed = ["\(port)", "--authorities", authority.path]
        return try self.peer("tls_client.py", fixed + arguments, reads: true)
    }
}

/// What a client tells of its handshake.
struct Greeting {
    let version: String
    let alpn: String
    let serial: String
}

extension Program {
    /// Waits until a `keptClient` is through its handshake.
    func greeting() throws -> Greeting {
        let words = try self.lines(beginning: "open ")[0].split(separator: " ").map { String($0) }
        return Greeting(version: words[0], alpn: words[1], serial: words[2])
    }

    /// Lets a `keptClient` ask for a path; the answer's status and body.
    func ask(_ path: String) throws -> String {
        let before = self.output.now.filter { !$0.hasPrefix("open ") }.count
        try self.type(path)
        return try self.output.wait(for: "an answer to \(path)") { lines in
            let answers = lines.filter { !$0.hasPrefix("open ") }
            return answers.count > before ? answers[before] : nil
        }
    }
}
