import BelayHTTP
import FuzzSupport

/// What must hold of every beginning of a connection that may be a ClientHello.
enum ClientHelloFuzzer {
    /// What reading came to. A hello in what does not depend on its records.
    private enum Outcome: Equatable {
        case needsMore, notTLS
        case fault(ClientHelloError)
        case hello(name: [UInt8], version: UInt16, length: Int)
    }

    static func check(_ input: FuzzInput) {
        let bytes = input.bytes
        let whole = Self.read(bytes)
        // Every prefix is undecided, or decided as the whole is.
        for end in Array(0..<min(bytes.count, 128)) + [input.cut] {
            let outcome = Self.read(Array(bytes[..<end]))
            require(outcome == .needsMore || outcome == whole, "cut at \(end) is as whole")
        }
        guard case .hello(let name, let version, let length) = whole else { return }
        require(length <= bytes.count, "a hello lies in the bytes")
        require(Self.read(Array(bytes[..<(length - 1)])) == .needsMore, "the last byte counts")
        if isCanary { require(name.isEmpty, "the canary: no client asks for a name") }
        for byte in name {
            let isHost = (0x2D...0x7E).contains(byte) && byte != 0x2F && byte != 0x3A
            require(isHost, "a name is a host's")
        }
        let message = Self.message(bytes[..<length])
        require(PlainHello(message)?.name ?? [] == name, "a plain reader finds the same name")
        // The message in other records says the same.
        let size = 1 + input.choice
        let again = Self.records(message, of: size)
        if again.count <= ClientHello.sizeMax {
            let want = Outcome.hello(name: name, version: version, length: again.count)
            require(Self.read(again) == want, "records of \(size) say the same")
        }
    }

    private static func read(_ bytes: [UInt8]) -> Outcome {
        do throws(ClientHelloError) {
            switch try ClientHello.parse(bytes.span, from: 0) {
            case .needsMore:
                require(bytes.count < ClientHello.sizeMax, "what waits in the buffer is limited")
                return .needsMore
            case .notTLS:
                return .notTLS
            case .hello(let hello):
                for case let range? in [hello.protocols, hello.sessionID] {
                    require(range.lowerBound >= 43, "ranges lie behind the random bytes")
                    require(range.upperBound <= hello.length, "ranges lie inside")
                }
                var name: [UInt8] = []
                for index in 0..<hello.serverName.count { name.append(hello.serverName[index]) }
                require(hello.hasServerName == !name.isEmpty, "a name is there or not")
                return .hello(name: name, version: hello.highestVersion, length: hello.length)
            }
        } catch {
            return .fault(error)
        }
    }

    /// What records carry.
    private static func message(_ records: ArraySlice<UInt8>) -> [UInt8] {
        var message: [UInt8] = []
        var rest = records
        while rest.count >= 5 {
            let front = Array(rest.prefix(5))
            let size = Int(front[3]) << 8 | Int(front[4])
            message += rest.dropFirst(5).prefix(size)
            rest = rest.dropFirst(5 + size)
        }
        return message
    }

    private static func records(_ message: [UInt8], of size: Int) -> [UInt8] {
        var records: [UInt8] = []
        var rest = message[...]
        while !rest.isEmpty {
            let part = rest.prefix(size)
            records += [22, 3, 3, UInt8(part.count >> 8), UInt8(part.count & 255)] + part
            rest = rest.dropFirst(size)
        }
        return records
    }
}

/// The plainest reader of a ClientHello's name: takes the message apart into arrays.
private struct PlainHello {
    private(set) var name: [UInt8] = []

    /// Nil if the message is cut short.
    init?(_ message: [UInt8]) {
        var rest = message[...]
        func take(_ count: Int) -> [UInt8]? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        func takeSized(_ sizeOfSize: Int) -> [UInt8]? {
            guard let size = take(sizeOfSize) else { return nil }
            return take(size.reduce(0) { $0 << 8 | Int($1) })
        }
        guard take(38) != nil, takeSized(1) != nil, takeSized(2) != nil, takeSized(1) != nil else {
            return nil
        }
        guard let extensions = takeSized(2) else { return }
        rest = extensions[...]
        while !rest.isEmpty {
            guard let type = take(2), let value = takeSized(2) else { return nil }
            // A list of one: its size, the type of the name, the size of the name.
            if type == [0, 0] { self.name = Array(value.dropFirst(5)) }
        }
    }
}
