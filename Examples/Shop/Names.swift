/// How a server of the shop calls itself. Nothing else may stand in the cookie that remembers who
/// answered, so a forged cookie cannot bring anything else onto the page.
package struct ShopName: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    /// Nil unless it is 1 to 24 letters, digits or dashes.
    package init?(_ rawValue: some StringProtocol) {
        let isName =
            (1...24).contains(rawValue.utf8.count)
            && rawValue.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        guard isName else { return nil }
        self.rawValue = String(rawValue)
    }

    package var description: String { self.rawValue }

    /// The number of the style class that gives the name its colour, 0 to 7. The page's script
    /// computes the same.
    package var tone: Int {
        let digits = self.rawValue.utf8.reversed().prefix { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        // A number at the end counts up through the colours, so that neighbours differ.
        if let last = digits.first {
            return (Int(last - UInt8(ascii: "0")) + 7) % 8
        }
        return self.rawValue.utf8.reduce(0) { ($0 * 31 + Int($1)) % 4096 } % 8
    }

    /// A number at the name's end, or its first two characters: what fits a small chip.
    package var short: String {
        let digits = self.rawValue.reversed().prefix(while: \.isNumber).prefix(2)
        return digits.isEmpty ? String(self.rawValue.prefix(2)) : String(digits.reversed())
    }
}

/// Who gave the last answers, oldest first. The visitor's browser keeps it in a cookie, because no
/// server that dies could.
package struct Trail: Sendable {
    // Limit: twenty fit one row on a phone.
    package static let namesMax = 20

    package private(set) var names: [ShopName]

    /// Reads the cookie's value; what is not a name is left out.
    package init(cookie: String?) {
        let names = (cookie ?? "").split(separator: ".").compactMap { ShopName($0) }
        self.names = names.suffix(Trail.namesMax)
    }

    package mutating func append(_ name: ShopName) {
        self.names = (self.names + [name]).suffix(Trail.namesMax)
    }

    package var cookie: String { self.names.map(\.rawValue).joined(separator: ".") }
}
