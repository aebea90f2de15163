package import BelayBytes

/// The application's own session cookie, such as JSESSIONID or PHPSESSID.
package struct ApplicationCookie: Sendable {
    package enum Mode: Sendable {
        /// What the server sets is learned into the table.
        case learn(KeyHasher)
        /// Belay puts the server's name and this byte in front of the value on its way to the
        /// client, and takes them off on the way back. Nothing is kept.
        case prefix(UInt8)
        /// The server itself puts this byte and its route behind the value, as Tomcat's jvmRoute
        /// does: `JSESSIONID=abc.node1`. Nothing is kept or changed.
        case route(UInt8)
    }

    /// Exactly these bytes, case included.
    package let name: InternedText
    package let mode: Mode

    package init(name: String, mode: Mode) {
        self.name = InternedText(name)
        self.mode = mode
    }

    package var hasher: KeyHasher? {
        switch self.mode {
        case .learn(let hasher): hasher
        case .prefix, .route: nil
        }
    }

    /// Where the value stands in a path, as applications write it for clients without cookies:
    /// `/cart;jsessionid=abc.node1`, the name in whichever case. Nil: nowhere, or it is empty.
    /// Never in prefix mode, since nobody takes the server's name off there.
    package func value(inPath path: borrowing Span<UInt8>) -> Range<Int>? {
        switch self.mode {
        case .prefix: return nil
        case .learn, .route: break
        }
        let name = self.name.bytes
        var start = 0
        while let semicolon = path.firstIndex(of: UInt8(ascii: ";"), from: start) {
            start = semicolon &+ 1
            let equals = start &+ name.count
            guard equals < path.count, path[equals] == UInt8(ascii: "="),
                Self.isSame(path.extracting(start..<equals), name)
            else { continue }
            var end = equals &+ 1
            while end < path.count, path[end] != UInt8(ascii: ";"), path[end] != UInt8(ascii: "/") {
                end &+= 1
            }
            if end > equals &+ 1 { return equals &+ 1..<end }
        }
        return nil
    }

    private static func isSame(
        _ text: borrowing Span<UInt8>,
        _ name: borrowing Span<UInt8>
    ) -> Bool {
        for index in 0..<name.count where lowercased(text[index]) != lowercased(name[index]) {
            return false
        }
        return true
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// Where the server's name stands in a value; nil: in the table, or nowhere.
    package func server(in value: borrowing Span<UInt8>) -> Range<Int>? {
        switch self.mode {
        case .learn: return nil
        case .prefix(let separator):
            guard let end = value.firstIndex(of: separator, from: 0), end > 0 else { return nil }
            return 0..<end
        case .route(let separator):
            var index = value.count
            while index > 0 {
                index &-= 1
                if value[index] == separator {
                    let start = index &+ 1
                    return start < value.count ? start..<value.count : nil
                }
            }
            return nil
        }
    }
}

/// A server as a cookie names it: by its name, or by its route.
extension ServerID {
    /// The id of the server whose name these bytes are, in its first generation.
    package init(ofName bytes: borrowing Span<UInt8>) {
        self.init(rawValue: StableHash.of(bytes, seed: 0x6265_6C61_795F_7331))
    }
}
