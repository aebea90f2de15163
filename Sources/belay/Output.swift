import Foundation

/// Lines for people who read stderr: what went wrong.
func complain(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}

/// Text that came from elsewhere, safe to print on a terminal: control characters are replaced.
func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: \.isControl) else { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { result.append(scalar.isControl ? "\u{FFFD}" : scalar) }
    return String(result)
}

extension Unicode.Scalar {
    fileprivate var isControl: Bool {
        self.properties.generalCategory == .control || self.properties.generalCategory == .format
    }
}

/// `1 server`, `2 servers`.
func counted(_ count: Int, _ noun: String) -> String {
    count == 1 ? "1 \(noun)" : "\(count) \(noun)s"
}
