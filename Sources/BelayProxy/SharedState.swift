import BelayBytes
package import BelayCore
import Synchronization

/// What the workers share beside the pools' tables: how many client connections are open, in all
/// and for each address.
package struct SharedState: Sendable {
    /// What an operator should read in the program's log.
    package enum Notice: Sendable {
        case ejected(pool: Int, server: Int, TimeSpan)
        case returned(pool: Int, server: Int)
    }

    private let table = CounterTable(rows: 1, columns: 8)
    private let clients = ClientCounts()
    /// Called on a worker's thread; must not wait.
    let notices: @Sendable (Notice) -> Void

    package init(notices: @escaping @Sendable (Notice) -> Void) { self.notices = notices }

    /// Client connections open over all workers.
    package var openConnections: Int { Int(self.table.load(0, 0)) }

    /// Counts a new client connection; false, and not counted, when there are `limit` already.
    func connectionOpened(limit: Int) -> Bool {
        if self.table.add(1, 0, 0) <= Int64(limit) { return true }
        self.table.add(-1, 0, 0)
        return false
    }

    func connectionClosed() { self.table.add(-1, 0, 0) }

    /// Counts a connection from `address`; false, and not counted, when it has `limit` already.
    func opened(from address: IPAddress, limit: Int) -> Bool {
        self.clients.opened(address, limit)
    }

    func closed(from address: IPAddress) { self.clients.closed(address) }
}

/// Connections by client address, in shards so that workers seldom meet. Asked once for each
/// connection, and only when the limit is on.
private final class ClientCounts: Sendable {
    private let shards: [Shard]

    private final class Shard: Sendable {
        let counts = Mutex<[IPAddress: Int]>([:])
    }

    init() { self.shards = (0..<64).map { _ in Shard() } }

    private func shard(_ address: IPAddress) -> Shard {
        self.shards[Int(StableHash.combine(address.high, address.low) & 63)]
    }

    func opened(_ address: IPAddress, _ limit: Int) -> Bool {
        self.shard(address).counts.withLock { counts in
            let count = counts[address, default: 0]
            guard count < limit else { return false }
            counts[address] = count + 1
            return true
        }
    }

    func closed(_ address: IPAddress) {
        self.shard(address).counts.withLock { counts in
            guard let count = counts[address] else { return }
            counts[address] = count > 1 ? count - 1 : nil
        }
    }
}
