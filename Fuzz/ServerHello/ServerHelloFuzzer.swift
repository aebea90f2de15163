import BelayHTTP
import FuzzSupport

/// What must hold of every beginning of a server's bytes that may be a ServerHello.
enum ServerHelloFuzzer {
    private enum Outcome: Equatable {
        case needsMore, other
        case hello(version: UInt16, session: [UInt8], namesSession: Bool)
    }

    static func check(_ input: FuzzInput) {
        let bytes = input.bytes
        let whole = Self.read(bytes)
        for end in Array(0..<min(bytes.count, 128)) + [input.cut] {
            let outcome = Self.read(Array(bytes[..<end]))
            require(outcome == .needsMore || outcome == whole, "cut at \(end) is as whole")
        }
        let moved = Array(repeating: 22, count: input.choice) + bytes
        require(Self.read(moved, from: input.choice) == whole, "it is the same elsewhere")
        if whole == .needsMore {
            require(bytes.count < 4_200, "what waits in the buffer is limited")
        }
        guard case .hello(let version, let session, let namesSession) = whole else { return }
        require(session.count <= 32, "an id has 32 bytes at most")
        require(namesSession == (!session.isEmpty && version < 0x0304), "an echo names nothing")
        if isCanary { require(session.isEmpty, "the canary: no server names a session") }
        require(Array(bytes[44..<44 + session.count]) == session, "it lies behind the random bytes")
    }

    private static func read(_ bytes: [UInt8], from start: Int = 0) -> Outcome {
        switch ServerHello.parse(bytes.span, from: start) {
        case .needsMore: return .needsMore
        case .other: return .other
        case .hello(let hello):
            return .hello(
                version: hello.version,
                session: Array(bytes[hello.sessionID]),
                namesSession: hello.namesSession
            )
        }
    }
}
