private import COpenSSL
private import Glibc

/// Files that keep secrets: read with what is known about who else can, written so that a reader
/// never sees a part of one, and kept across a power cut. For start and reload: every call waits
/// for the disk.
package enum SecretFile {
    /// What was read, and who may read and write it.
    package struct Contents: Sendable {
        package let bytes: [UInt8]
        /// The permission bits, such as 0o600.
        package let mode: UInt32
        /// The user Belay runs as, or root, owns it.
        package let isOwned: Bool
    }

    /// Reads a whole file. Nil if there is none.
    package static func read(
        _ path: String,
        countMax: Int
    ) throws(SecretFileError) -> Contents? {
        // Not blocking, so that a pipe put in its place cannot hold the start.
        // Safe: the path lives for the call; the descriptor is closed on every way out.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw SecretFileError(.read, path)
        }
        defer { close(file) }
        var status = stat()
        // Safe: `status` is ours and lives for the call.
        guard unsafe fstat(file, &status) == 0 else { throw SecretFileError(.read, path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SecretFileError(.read, path, code: EINVAL)
        }
        guard status.st_size <= countMax else { throw SecretFileError(.read, path, code: EFBIG) }
        var bytes = [UInt8](repeating: 0, count: countMax)
        var count = 0
        while count < countMax {
            let room = countMax - count
            let size = unsafe bytes.withUnsafeMutableBytes { bytes in
                // Safe: `room` bytes lie from `count` to the end.
                unsafe Glibc.read(file, bytes.baseAddress.map { unsafe $0 + count }, room)
            }
            if size < 0, errno == EINTR { continue }
            guard size >= 0 else { throw SecretFileError(.read, path) }
            if size == 0 { break }
            count += size
        }
        let contents = Contents(
            bytes: Array(bytes[..<count]),
            mode: status.st_mode & 0o7777,
            isOwned: status.st_uid == geteuid() || status.st_uid == 0
        )
        wipe(&bytes)
        return contents
    }

    /// Makes a file that only its owner may read, whole or not at all. False if there is one of
    /// that name already, which stays as it is: of several programs that do this at once, one wins
    /// and the others read what it wrote. No lock is needed for that, and none can be left behind.
    package static func create(
        _ path: String,
        in directory: String,
        _ bytes: borrowing Span<UInt8>
    ) throws(SecretFileError) -> Bool {
        var random = [8 of UInt8](repeating: 0)
        var randomBytes = random.mutableSpan
        do throws(CryptoError) { try drawRandomBytes(into: &randomBytes) } catch {
            throw SecretFileError(.write, path, code: EAGAIN)
        }
        var suffix = ""
        for index in 0..<8 { suffix += String(random[index], radix: 16) }
        let draft = "\(path).\(suffix)"
        // Safe, here and below: paths live for their call, descriptors are closed on every way out.
        let file = unsafe open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SecretFileError(.write, path) }
        defer { unsafe unlink(draft) }
        try self.write(bytes, to: file, path)
        // A link, not a rename: a rename would replace what another program has just written.
        guard unsafe link(draft, path) == 0 else {
            if errno == EEXIST { return false }
            throw SecretFileError(.write, path)
        }
        let folder = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw SecretFileError(.write, path) }
        defer { close(folder) }
        // The name is kept across a power cut only once the directory is written. Some file
        // systems cannot be asked to, and say so with EINVAL.
        guard fsync(folder) == 0 || errno == EINVAL else { throw SecretFileError(.write, path) }
        return true
    }

    /// Writes all of the bytes, to the disk too, and closes the file.
    private static func write(
        _ bytes: borrowing Span<UInt8>,
        to file: Int32,
        _ path: String
    ) throws(SecretFileError) {
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            let size = unsafe bytes.extracting(written...).withUnsafeBytes { bytes in
                // Safe: writes from exactly the span's bytes.
                unsafe Glibc.write(file, bytes.baseAddress, bytes.count)
            }
            if size < 0, errno == EINTR { continue }
            guard size > 0 else { throw SecretFileError(.write, path) }
            written += size
        }
        guard fsync(file) == 0 else { throw SecretFileError(.write, path) }
    }

    /// Makes a directory that only its owner may enter, and those above it, where they are missing.
    /// Throws if it is there and every user may write to it: then any of them could put a secret
    /// of their own in place of ours.
    package static func makeDirectory(_ path: String) throws(SecretFileError) {
        // Safe: the path lives for the call.
        if unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
            guard errno == ENOENT, let parent = Self.parent(of: path) else {
                throw SecretFileError(.makeDirectory, path)
            }
            try self.makeDirectory(parent)
            guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else {
                throw SecretFileError(.makeDirectory, path)
            }
        }
        var status = stat()
        // Safe: `status` is ours and lives for the call.
        guard unsafe stat(path, &status) == 0 else { throw SecretFileError(.makeDirectory, path) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw SecretFileError(.makeDirectory, path, code: ENOTDIR)
        }
        // In a sticky directory nobody can replace another user's file.
        guard status.st_mode & 0o002 == 0 || status.st_mode & S_ISVTX != 0 else {
            throw SecretFileError(.openToAll, path, code: EPERM)
        }
    }

    private static func parent(of path: String) -> String? {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return nil }
        return String(path[..<slash])
    }

    private static func wipe(_ bytes: inout [UInt8]) {
        var span = bytes.mutableSpan
        span.wipe()
    }
}

/// What the system refused to do with a secret's file, and its word for why.
package struct SecretFileError: Error, Equatable, Sendable {
    package enum Step: UInt8, Sendable, CaseIterable {
        case read
        case write
        case makeDirectory
        /// The directory is there, and every user may write to it.
        case openToAll
    }

    package let step: Step
    package let path: String
    /// The system's error number.
    package let code: Int32

    package init(_ step: Step, _ path: String, code: Int32) {
        self.step = step
        self.path = path
        self.code = code
    }

    /// With the error number of the call that just failed.
    fileprivate init(_ step: Step, _ path: String) {
        self.init(step, path, code: errno)
    }
}

extension SecretFileError: CustomStringConvertible {
    package var description: String {
        switch self.step {
        case .read: "cannot read \(self.path): \(self.reason)"
        case .write: "cannot write \(self.path): \(self.reason)"
        case .makeDirectory: "cannot make the directory \(self.path): \(self.reason)"
        case .openToAll:
            "every user may write to the directory \(self.path), so its secrets are not safe; "
                + "chmod it to 700"
        }
    }

    private var reason: String {
        switch self.code {
        case EACCES, EPERM: "the user that Belay runs as may not"
        case ENOSPC, EDQUOT: "the disk is full"
        case EROFS: "the file system is read-only; set another state directory"
        case EFBIG: "the file is too large"
        case EINVAL: "it is not a regular file"
        case ENOTDIR: "a part of the path is not a directory"
        default: Self.text(of: self.code)
        }
    }

    private static func text(of code: Int32) -> String {
        var text = [CChar](repeating: 0, count: 128)
        // Safe: the system writes 128 bytes at most, the last of them a zero.
        guard unsafe strerror_r(code, &text, text.count) == 0 else { return "error \(code)" }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
