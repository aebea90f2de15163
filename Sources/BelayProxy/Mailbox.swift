package import BelayCore
package import BelayTransport
import Synchronization

/// What other threads may ask of a worker.
package enum WorkerMessage: Sendable {
    /// Take no new connections, finish what runs within this time, then end.
    case stop(within: TimeSpan)
    /// Another process accepts from the listening sockets from here on: finish what runs within
    /// this time, and kept connections with their next answer, then end.
    case retire(within: TimeSpan)
    /// End now.
    case stopNow
    /// End the tunnels to this server, one after the other: it takes nobody any more.
    case endTunnels(pool: Int, server: Int)
    /// Go on by this plan.
    case replacePlan(PlanChange)
    /// New connections on this listener are encrypted so from now on.
    case encryptClients(Int, TLSServerContext)
    /// New connections to the servers of this pool are encrypted so from now on.
    case encryptServers(Int, [ServerEncryption])
    /// Agents have changed the weights of this pool's servers.
    case weigh(pool: Int)
    /// Room has come at a server that requests of this worker may wait for. So many workers had
    /// no use for it.
    case roomAt(pool: Int, server: Int, passed: Int)
    /// Say where a request would go.
    case explain(Question, reply: @Sendable (Explanation) -> Void)
}

/// Where other threads leave messages for a worker. Nothing on the path of a request looks here:
/// the worker is woken.
package final class Mailbox: Sendable {
    private let messages = Mutex<[WorkerMessage]>([])
    package let wakeup: Wakeup

    package init() throws(SystemError) { self.wakeup = try Wakeup() }

    /// May be called from any thread.
    package func post(_ message: WorkerMessage) {
        self.messages.withLock { $0.append(message) }
        self.wakeup.post()
    }

    func takeAll() -> [WorkerMessage] {
        self.messages.withLock { messages in
            let all = messages
            messages = []
            return all
        }
    }
}
