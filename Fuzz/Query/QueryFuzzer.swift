import BelayCore
import BelayCrypto
import BelayPersistence
import FuzzSupport

/// What must hold of every query, path and body: the value that is found is the one that a plain
/// reader finds.
enum QueryFuzzer {
    private static let name = Array("sid".utf8)
    private static let hasher: KeyHasher = {
        do {
            let ring = try KeyRing(keys: [
                SecretBytes(copying: [UInt8](repeating: 1, count: 32).span)
            ])
            guard let pool = PoolName("shop") else { fatalError("a name") }
            return try KeyHasher(ring: ring, pool: pool, kind: .query, name: "sid")
        } catch {
            fatalError("no hasher: \(error)")
        }
    }()
    private static let query = QueryBinding(name: "sid", learning: .body, hasher: hasher)
    private static let cookie = ApplicationCookie(name: "SID", mode: .learn(hasher))

    static func check(_ input: FuzzInput) {
        let bytes = input.bytes
        let found = Self.query.value(in: bytes.span).map { Array(bytes[$0]) }
        require(found == Self.parameter(bytes), "a parameter is found")
        if isCanary { require(found == nil, "the canary: nobody has a session") }
        let inPath = Self.cookie.value(inPath: bytes.span).map { Array(bytes[$0]) }
        require(inPath == Self.pathParameter(bytes), "a parameter of the path is found")
        let inBody = Self.query.valueInBody(bytes.span).map { Array(bytes[$0]) }
        require(inBody == Self.member(bytes), "a member of the body is found")
    }

    private static func parameter(_ bytes: [UInt8]) -> [UInt8]? {
        bytes.split(separator: 0x26).first { $0.starts(with: Self.name + [0x3D]) && $0.count > 4 }
            .map { Array($0.dropFirst(4)) }
    }

    private static func pathParameter(_ bytes: [UInt8]) -> [UInt8]? {
        for part in bytes.split(separator: 0x3B, omittingEmptySubsequences: false).dropFirst() {
            let name = part.prefix(4).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
            let value = part.dropFirst(4).prefix { $0 != 0x2F }
            if name == Self.name + [0x3D], !value.isEmpty { return Array(value) }
        }
        return nil
    }

    /// `"sid"`, a colon, and a text that is not empty.
    private static func member(_ bytes: [UInt8]) -> [UInt8]? {
        let key = [0x22] + Self.name + [0x22]
        let bytes = bytes.prefix(4096)
        for index in bytes.indices where bytes[index...].starts(with: key) {
            let isSpace: (UInt8) -> Bool = { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
            let colon = bytes[(index + key.count)...].drop(while: isSpace)
            guard colon.first == 0x3A else { continue }
            let quote = colon.dropFirst().drop(while: isSpace)
            guard quote.first == 0x22 else { continue }
            let text = quote.dropFirst()
            guard let end = text.firstIndex(of: 0x22), end > text.startIndex else { continue }
            return Array(text[..<end])
        }
        return nil
    }
}
