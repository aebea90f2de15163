/// A reader of chunked bodies that shares nothing with Belay's, and is as lenient as any: what
/// both read to the end, they must read alike.
package struct PlainChunks {
    package private(set) var data: [UInt8] = []
    package private(set) var trailers: [String] = []
    /// Where the body ends; nil when this reader finds no end.
    package private(set) var end: Int?

    package init(_ bytes: [UInt8]) {
        var index = 0
        while let line = Self.line(bytes, at: &index) {
            let digits = line.prefix { $0.isHexDigit }
            guard let size = Int(digits, radix: 16) else { return }
            if size == 0 { break }
            guard size <= bytes.count - index else { return }
            self.data += bytes[index..<(index + size)]
            index += size
            guard let rest = Self.line(bytes, at: &index), rest.isEmpty else { return }
        }
        while let line = Self.line(bytes, at: &index) {
            if line.isEmpty {
                self.end = index
                return
            }
            self.trailers.append(line)
        }
    }

    /// The text up to the next line end, be it LF or CR LF.
    private static func line(_ bytes: [UInt8], at index: inout Int) -> String? {
        guard let feed = bytes[index...].firstIndex(of: 0x0A) else { return nil }
        var line = bytes[index..<feed]
        if line.last == 0x0D { line.removeLast() }
        index = feed + 1
        return text(line)
    }
}
