import BelayBytes
import BelayCrypto
import Foundation

/// A file of the state directory in JSON: read once at the start, and written as a whole.
enum StateDocument {
    /// What is in the file; nil where there is none. A file that isn't what Belay writes is set
    /// aside, and `warnings` tell what is lost, in the words of `loss`.
    static func read<Content: Decodable>(
        _ type: Content.Type,
        at path: String,
        loss: String,
        warnings: inout [String]
    ) -> Content? {
        do {
            guard let bytes = try StateFile.read(path) else { return nil }
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            let aside = path + ".unreadable"
            let reason = error is DecodingError ? "it is not what Belay writes" : "\(error)"
            let isAside = StateFile.setAside(path, as: aside)
            warnings.append("\(loss): \(reason)" + (isAside ? "; the file is \(aside) now" : ""))
            return nil
        }
    }

    /// Puts `content` in the place of what is in the file: whole, or not at all.
    static func write(_ content: some Encodable, to path: String, in directory: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let bytes = Array(try encoder.encode(content)) + [UInt8(ascii: "\n")]
        try SecretFile.makeDirectory(directory)
        try StateFile.replace(path, with: bytes.span)
    }
}
