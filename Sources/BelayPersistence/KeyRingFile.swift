package import BelayCrypto

/// The key ring that Belay makes and keeps by itself where the settings give none: the file
/// `binding-keys` in the state directory. The one place of this room that reads and writes files,
/// at start and at reload only.
///
/// One key in base64 a line, the first seals; `#` begins a comment. Copied to other machines, or
/// its lines put into the settings, it makes several Belays agree.
package struct KeyRingFile: Sendable {
    package let ring: KeyRing
    package let path: String
    /// The file was not there and was made.
    package let isNew: Bool
    /// Something that a person should see to although the ring can be used.
    package let warning: Warning?

    package enum Warning: Hashable, Sendable {
        /// The file's group may read it.
        case readableByGroup
    }

    package static let name = "binding-keys"
    // Limit: eight keys and some comments have a few hundred bytes.
    private static let countMax = 16_384

    /// Reads the ring, or makes one. Programs that start at once end up with the same ring.
    package init(directory: String) throws(KeyRingFileError) {
        let path = directory.hasSuffix("/") ? directory + Self.name : directory + "/" + Self.name
        var contents = try Self.files { () throws(SecretFileError) in
            try SecretFile.read(path, countMax: Self.countMax)
        }
        var isNew = false
        if contents == nil {
            let text = try Self.newText()
            contents = try Self.files { () throws(SecretFileError) in
                try SecretFile.makeDirectory(directory)
                // If another program was faster, its ring is the one to read.
                isNew = try SecretFile.create(path, in: directory, Array(text.utf8).span)
                return try SecretFile.read(path, countMax: Self.countMax)
            }
        }
        try self.init(contents, path, isNew: isNew)
    }

    /// Reads the ring in a file that a person keeps, with the same format and the same checks.
    package init(path: String) throws(KeyRingFileError) {
        let contents = try Self.files { () throws(SecretFileError) in
            try SecretFile.read(path, countMax: Self.countMax)
        }
        try self.init(contents, path, isNew: false)
    }

    private init(
        _ contents: SecretFile.Contents?,
        _ path: String,
        isNew: Bool
    ) throws(KeyRingFileError) {
        guard let contents else { throw .missing(path) }
        guard contents.isOwned else { throw .ownedByAnother(path) }
        // Others may read or write it, or its group may write it.
        guard contents.mode & 0o026 == 0 else { throw .openToOthers(path, mode: contents.mode) }
        self.warning = contents.mode & 0o040 == 0 ? nil : .readableByGroup
        self.ring = try Self.ring(contents.bytes, path)
        self.path = path
        self.isNew = isNew
    }

    private static func files<Result>(
        _ body: () throws(SecretFileError) -> Result
    ) throws(KeyRingFileError) -> Result {
        do throws(SecretFileError) { return try body() } catch { throw .file(error) }
    }

    private static func newText() throws(KeyRingFileError) -> String {
        do throws(CryptoError) {
            return """
                # Belay's keys for binding cookies, one in base64 a line. The first seals, all open.
                # To rotate: put a new line second, later first, and in the end drop the oldest.
                # A new key: openssl rand -base64 32
                \(try KeyRing.generate().base64.joined(separator: "\n"))

                """
        } catch {
            throw .noNewKey(error)
        }
    }

    private static func ring(_ bytes: [UInt8], _ path: String) throws(KeyRingFileError) -> KeyRing {
        do throws(KeyRingError) {
            return try KeyRing(text: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw .ring(error, path)
        }
    }
}

/// Why there is no ring, and what to do about it.
package enum KeyRingFileError: Error, Equatable, Sendable {
    case file(SecretFileError)
    case ring(KeyRingError, String)
    /// Others than its owner may read or change the file: its keys are no secret.
    case openToOthers(String, mode: UInt32)
    case ownedByAnother(String)
    case missing(String)
    case noNewKey(CryptoError)
}

extension KeyRingFileError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .file(let error):
            "\(error)"
        case .ring(let error, let path):
            "\(path): \(error)"
        case .openToOthers(let path, let mode):
            "\(path) has mode \(String(mode, radix: 8)), so others may know or change its keys; "
                + "remove it for a new key (clients are bound anew), or chmod it to 600"
        case .ownedByAnother(let path):
            "\(path) belongs to another user, who may know or change its keys; chown it to the "
                + "user that Belay runs as"
        case .missing(let path):
            "there is no file \(path)"
        case .noNewKey(let error):
            "cannot make a key: \(error)"
        }
    }
}
