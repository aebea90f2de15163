private import Glibc

/// A small file that is read and written as a whole, such as what has to outlive the process. For
/// threads that may wait: writing waits for the disk.
package enum StateFile {
    // Limit: what is kept so is a list for people, of a few lines for each server.
    private static let bytesMax = 16 << 20

    /// The file's bytes; nil if there is none.
    package static func read(_ path: String) throws(FileError) -> [UInt8]? {
        // Safe: the path is passed as a terminated text that lives during the call.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw FileError(code: errno, action: "open", path: path)
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            // Safe: the call writes at most the block's bytes, during the call.
            let count = unsafe block.withUnsafeMutableBytes { block in
                unsafe Glibc.read(file, block.baseAddress, block.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(code: errno, action: "read", path: path) }
            if count == 0 { return bytes }
            bytes += block[..<count]
            guard bytes.count <= Self.bytesMax else {
                throw FileError(code: EFBIG, action: "read", path: path)
            }
        }
    }

    /// Puts `bytes` in the place of what the file had: whole, and on the disk, or not at all. Makes
    /// it, for its owner alone, where there is none.
    package static func replace(
        _ path: String,
        with bytes: borrowing Span<UInt8>
    ) throws(FileError) {
        let draft = path + ".new"
        // Safe, here and below: paths live for their calls, descriptors are closed on every way
        // out.
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW
        let file = unsafe open(draft, flags, 0o600)
        guard file >= 0 else { throw FileError(code: errno, action: "open", path: draft) }
        do throws(FileError) {
            try Self.write(bytes, to: file, draft)
            // Safe: both paths live for the call.
            guard unsafe rename(draft, path) == 0 else {
                throw FileError(code: errno, action: "rename", path: draft)
            }
        } catch {
            // What is left of it takes room that may be lacking.
            _ = unsafe unlink(draft)
            throw error
        }
        try Self.keepName(path)
    }

    /// Writes all of the bytes, to the disk too, and closes the file.
    private static func write(
        _ bytes: borrowing Span<UInt8>,
        to file: Int32,
        _ path: String
    ) throws(FileError) {
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.extracting(written...).withUnsafeBytes { bytes in
                // Safe: writes from exactly the span's bytes.
                unsafe Glibc.write(file, bytes.baseAddress, bytes.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileError(code: errno, action: "write", path: path) }
            written += count
        }
        guard fsync(file) == 0 else { throw FileError(code: errno, action: "write", path: path) }
    }

    /// A new name outlives a power cut only once its directory is written.
    private static func keepName(_ path: String) throws(FileError) {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { String(path[...$0]) } ?? "."
        // Safe: the path lives for the call.
        let folder = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw FileError(code: errno, action: "open", path: directory) }
        defer { close(folder) }
        // Some file systems can't be asked to, and say so with EINVAL.
        guard fsync(folder) == 0 || errno == EINVAL else {
            throw FileError(code: errno, action: "write", path: directory)
        }
    }

    /// Gives an unreadable file another name, so that the next write doesn't destroy it. False if
    /// that can't be done.
    package static func setAside(_ path: String, as other: String) -> Bool {
        // Safe: both paths live for the call.
        unsafe rename(path, other) == 0
    }
}
