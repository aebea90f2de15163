package import BelayBytes

/// Why a table cannot be kept in its file, or at all.
package enum BindingTableError: Error, Equatable, Sendable {
    case file(FileError)
    /// Another program has the file open.
    case inUse(String)
    /// The running Belay's file is of another ring, pool or version.
    case otherTable(String)
    /// OpenSSL derives no keys, or has no random numbers.
    case noKey
}

extension BindingTableError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .file(let error): error.description
        case .inUse(let path):
            "another Belay uses \(path); give each its own state-directory"
        case .otherTable(let path):
            "the running Belay's \(path) is of another key ring, pool or version, so it cannot be "
                + "shared"
        case .noKey:
            "OpenSSL gives no keys for the table of bindings"
        }
    }
}
