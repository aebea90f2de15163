// What the fuzz targets share. A target is one executable for one parser: libFuzzer feeds it
// bytes, and it checks what must hold whatever the bytes are. `Fuzz/run` builds and runs them.

/// Stops the run, with the input kept by libFuzzer, when something that must hold does not.
package func require(_ condition: Bool, _ promise: @autoclosure () -> String) {
    if !condition { fatalError("broken promise: " + promise()) }
}

/// With `--canary` each target checks one promise that is false on purpose, to prove that a broken
/// one is caught.
package let isCanary = CommandLine.arguments.contains("--canary")

/// An input: its first byte says where to cut the rest and which variant to try.
package struct FuzzInput: Sendable {
    package let choice: Int
    package let bytes: [UInt8]
    package let cut: Int

    /// Nil for an input that is too short to say anything.
    package init?(_ input: [UInt8]) {
        guard let first = input.first else { return nil }
        self.choice = Int(first)
        self.bytes = Array(input.dropFirst())
        // Any place can be cut: the choice, spread over the bytes.
        self.cut = self.bytes.isEmpty ? 0 : Int(first) &* 37 % (self.bytes.count + 1)
    }
}

/// The text of bytes, one scalar each.
package func text(_ bytes: some Collection<UInt8>) -> String {
    var text = ""
    for byte in bytes { text.unicodeScalars.append(Unicode.Scalar(byte)) }
    return text
}
