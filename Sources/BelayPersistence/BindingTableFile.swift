import BelayBytes
package import BelayCore
import BelayCrypto

/// A table that was opened, and what its operator should know about it.
package struct OpenedBindingTable: Sendable {
    package let table: BindingTable
    /// Each a sentence for the log, without a full stop.
    package let warnings: [String]
}

/// The table's file: opened, checked, made anew, shared and let go.
///
/// The file is the table: what a worker writes is in it at once, for the kernel keeps its pages
/// whatever becomes of the process. So nothing is written on stop and nothing read on start; after
/// a kill the entries are counted again, since a count may have been ahead of its entry. Only a
/// power cut can lose what `flush` has not brought to the disk, and every entry has a check value
/// that tells whether all of it was.
extension BindingTable {
    /// Opens the table in a file, or makes one. An error says why that cannot be, and then a table
    /// in memory is the way out. What it waits for is the disk.
    ///
    /// `ring` is the one whose `KeyHasher`s make the keys. A file of another size keeps its newest
    /// entries; one of another ring, pool or version, or one that is damaged, is set aside under
    /// another name. `sharing` is for the Belay that takes over from a running one: it uses that
    /// one's file together with it. Otherwise a file that is in use is an error.
    package static func open(
        _ path: String,
        ring: KeyRing,
        pool: PoolName,
        entriesMax: Int,
        times: BindingTimes,
        cookieTimes: BindingTimes? = nil,
        sharing: Bool = false
    ) throws(BindingTableError) -> OpenedBindingTable {
        let identity: TableIdentity
        let seeds: (UInt64, UInt64)
        do throws(CryptoError) {
            identity = try TableIdentity(ring: ring, pool: pool)
            seeds = try tableSeeds()
        } catch {
            throw .noKey
        }
        var opening = TableOpening(
            path: path,
            identity: identity,
            layout: TableLayout(entriesMax: entriesMax),
            times: TableTimes(times, cookie: cookieTimes ?? times),
            seeds: seeds
        )
        // Limit: one attempt for the file that is there, one for each that is set aside or that
        // others put in its place meanwhile.
        for _ in 0..<8 {
            let attempt: TableOpening.Attempt
            do throws(FileError) { attempt = try opening.attempt(sharing: sharing) } catch {
                throw .file(error)
            }
            switch attempt {
            case .opened(let table):
                return OpenedBindingTable(table: table, warnings: opening.warnings)
            case .again: continue
            case .inUse: throw .inUse(path)
            case .otherTable: throw .otherTable(path)
            }
        }
        throw .inUse(path)
    }

    /// Brings all that was written to the disk and waits for it: for a thread that may wait. Only a
    /// power cut makes that necessary.
    package func flush() throws(BindingTableError) {
        do throws(FileError) { try self.cells.flush() } catch { throw .file(error) }
    }

    /// Lets go of the file. No calls should follow: they would find an empty table.
    package func close() {
        self.cells.add(.max, TableHeader.users)
        self.cells.close()
    }
}
