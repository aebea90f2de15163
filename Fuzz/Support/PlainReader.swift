/// A reader of heads that shares nothing with Belay's: slow, and as suspicious as a server could
/// be. What it finds in a head that Belay lets through is a way to smuggle.
package struct PlainReader {
    package private(set) var faults: [String] = []
    package private(set) var firstLine = ""
    package private(set) var fields: [(name: String, value: String)] = []

    package init(_ head: some Collection<UInt8>) {
        let bytes = Array(head)
        guard bytes.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A] else {
            self.faults.append("no empty line at the end")
            return
        }
        for (index, byte) in bytes.enumerated() {
            let next = index + 1 < bytes.count ? bytes[index + 1] : 0
            let last = index > 0 ? bytes[index - 1] : 0
            if byte == 0x0D, next != 0x0A { self.faults.append("bare CR") }
            if byte == 0x0A, last != 0x0D { self.faults.append("bare LF") }
            if byte < 0x20 && byte != 0x0D && byte != 0x0A && byte != 0x09 || byte == 0x7F {
                self.faults.append("control character")
            }
        }
        var lines = text(bytes.dropLast(4)).split(
            separator: "\r\n",
            omittingEmptySubsequences: false
        )
        self.firstLine = lines.isEmpty ? "" : String(lines.removeFirst())
        for line in lines { self.read(String(line)) }
        self.checkFraming()
    }

    private mutating func read(_ line: String) {
        guard let colon = line.firstIndex(of: ":") else {
            self.faults.append("no colon, or an empty line too early")
            return
        }
        let name = String(line[..<colon])
        if name.isEmpty || !name.unicodeScalars.allSatisfy(Self.isToken) {
            self.faults.append("a name that is no token")
        }
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        let end = value.lastIndex { $0 != " " && $0 != "\t" }
        self.fields.append((name, end.map { String(value[...$0]) } ?? ""))
    }

    private static func isToken(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9": true
        case "!", "#", "$", "%", "&", "'", "*", "+", "-", ".", "^", "_", "`", "|", "~": true
        default: false
        }
    }

    /// The values of fields whose name has those letters, whatever else stands in it.
    package func values(ofLetters letters: String) -> [String] {
        self.fields.filter { field in
            String(field.name.lowercased().filter(\.isLetter)) == letters
        }.map(\.value)
    }

    private mutating func checkFraming() {
        let lengths = self.values(ofLetters: "contentlength")
        let codings = self.values(ofLetters: "transferencoding")
        for field in self.fields {
            let name = field.name.lowercased()
            let letters = name.filter(\.isLetter)
            if letters == "contentlength" && name != "content-length"
                || letters == "transferencoding" && name != "transfer-encoding"
            {
                self.faults.append("a look-alike of a framing field")
            }
        }
        if lengths.count + codings.count > 1 { self.faults.append("several framing fields") }
        for length in lengths {
            let isPlain = length.unicodeScalars.allSatisfy { ("0"..."9").contains($0) }
            if UInt64(length) == nil || !isPlain || length.count > 1 && length.hasPrefix("0") {
                self.faults.append("an odd Content-Length")
            }
        }
        for coding in codings where coding.lowercased() != "chunked" {
            self.faults.append("an odd Transfer-Encoding")
        }
    }
}
