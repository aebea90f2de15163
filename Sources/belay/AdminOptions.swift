import ArgumentParser
package import BelayCore
import Foundation

/// Where the running Belay is asked, and how its answer is printed: the same for all commands that
/// ask it.
package struct AdminOptions: ParsableArguments {
    @Option(
        name: .customLong("admin"),
        help: ArgumentHelp("The admin address of the running Belay.", valueName: "address")
    )
    var at = "127.0.0.1:9900"

    @Flag(help: "Print the answer as JSON.")
    var json = false

    package init() {}

    /// Where the running Belay's admin server is.
    package func address() throws -> SocketAddress {
        var text = self.at
        if text.hasPrefix(":") { text = "127.0.0.1" + text }
        if text.hasPrefix("localhost:") { text = "127.0.0.1" + text.dropFirst("localhost".count) }
        guard let address = SocketAddress(text), address.port > 0 else {
            throw ValidationError(
                "--admin must be an address such as 127.0.0.1:9900, not \"\(self.at)\"."
            )
        }
        return address
    }

    /// Asks and prints: the answer as it came with `--json`, unless `isQuiet`; else as `show` has
    /// it. What goes wrong is told, and ends the command with 1. `patience`: seconds to wait.
    @discardableResult
    func ask<Answer: Decodable>(
        _ command: String,
        _ method: String = "GET",
        path: String,
        body: [UInt8] = [],
        patience: Int = 5,
        isQuiet: Bool = false,
        show: (Answer) throws -> Void
    ) throws -> Answer {
        let address = try self.address()
        let request = AdminRequest(method, path: path, to: address, body: body)
        let bytes: [UInt8]
        do throws(AdminCallError) {
            let answer = try AdminSocket.ask(request.bytes, at: address, patience: patience)
            bytes = try AdminAnswer(parsing: answer).successfulBody()
        } catch {
            complain("belay \(command): \(error.sentence(for: address))")
            throw ExitCode(1)
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(bytes)) else {
            complain("belay \(command): \(AdminCallError.notBelay.sentence(for: address))")
            throw ExitCode(1)
        }
        if self.json, !isQuiet { print(String(decoding: bytes, as: UTF8.self), terminator: "") }
        try show(answer)
        return answer
    }

    /// Has something done, and prints what the running Belay says of it.
    func tell(
        _ command: String,
        _ method: String,
        path: String,
        body: [UInt8] = []
    ) throws {
        try self.ask(command, method, path: path, body: body) { (answer: DoneSentence) in
            if !self.json { print(printable(answer.done)) }
        }
    }
}

/// Prints a report as the running Belay does.
func printJSON(_ report: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(report), as: UTF8.self))
}

/// `50`, `0.5`.
func numberText(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e15 ? "\(Int(number))" : "\(number)"
}

/// What Belay says when something was done.
struct DoneSentence: Decodable {
    let done: String
}

/// A part of a path or a query, whatever characters a name has (RFC 3986 §2.3).
func pathPart(_ text: String) -> String {
    text.utf8.map { byte in
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            return String(UnicodeScalar(byte))
        default:
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }
    }.joined()
}
