import BelayBytes
package import BelayCore
import BelayPersistence
package import BelayTransport
import Synchronization

/// What the workers share beside the pools' tables: how many client connections are open, in all
/// and for each address.
package struct SharedState: Sendable {
    /// What an operator should read in the program's log.
    package enum Notice: Sendable {
        case ejected(pool: Int, server: Int, TimeSpan)
        case returned(pool: Int, server: Int)
        /// Active checks found it down, or up again.
        case checkedDown(pool: Int, server: Int, String)
        case checkedUp(pool: Int, server: Int)
        /// What its agent says, or why that can't be asked.
        case agent(pool: Int, server: Int, String)
        /// Live traffic shows it to be worse than the pool's others: why, and ejected for how long.
        case outlier(pool: Int, server: Int, String, TimeSpan)
        /// Requests wait there, and nothing is heard of it.
        case stalled(pool: Int, server: Int)
        /// So few servers are up that health is ignored; or enough are again.
        case panic(pool: Int, Bool)
        /// The connection to it could not be encrypted.
        case handshakeFailed(pool: Int, server: Int, TLSFailure)
    }

    private let table = CounterTable(rows: 1, columns: 8)
    private let clients = ClientCounts()
    private let tunnels = ClientCounts()
    private let handshakes = HandshakeRates()
    /// Where first requests of new clients went a moment ago.
    let claims = ClaimTable()
    /// Called on a worker's thread; must not wait.
    package let notices: @Sendable (Notice) -> Void
    /// Of all workers, in order.
    let mailboxes: [Mailbox]

    package init(
        mailboxes: [Mailbox] = [],
        notices: @escaping @Sendable (Notice) -> Void
    ) {
        self.mailboxes = mailboxes
        self.notices = notices
    }

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

    /// Counts a tunnel of `address`; false, and not counted, when it has `limit` already.
    func tunnelOpened(of address: IPAddress, limit: Int) -> Bool {
        self.tunnels.opened(address, limit)
    }

    func tunnelClosed(of address: IPAddress) { self.tunnels.closed(address) }

    /// Counts a handshake of `address`; false when it has begun `limit` within this second.
    func mayHandshake(_ address: IPAddress, limit: Int, now: Instant) -> Bool {
        self.handshakes.begin(address, limit, now)
    }
}

/// Handshakes that each address has begun within the second, in shards as `ClientCounts`.
private final class HandshakeRates: Sendable {
    private struct Second {
        var number: Int64 = -1
        var counts: [IPAddress: Int] = [:]
    }

    private final class Shard: Sendable {
        let second = Mutex(Second())
    }

    private let shards = (0..<64).map { _ in Shard() }
    // Limit: addresses that one shard remembers of a second; of more nobody is refused.
    private static let addressesMax = 4096

    func begin(_ address: IPAddress, _ limit: Int, _ now: Instant) -> Bool {
        let number = now.nanoseconds / 1_000_000_000
        let shard = self.shards[Int(StableHash.combine(address.high, address.low) & 63)]
        return shard.second.withLock { second in
            if second.number != number {
                second.number = number
                second.counts.removeAll(keepingCapacity: true)
            }
            let count = second.counts[address, default: 0]
            guard count < limit else { return false }
            if count > 0 || second.counts.count < Self.addressesMax {
                second.counts[address] = count + 1
            }
            return true
        }
    }
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
