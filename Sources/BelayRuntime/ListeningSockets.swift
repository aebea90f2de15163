import BelayCore
import BelayProxy
import BelaySettings
import BelayTransport
import Synchronization

/// The sockets of all listeners: opened here, or taken from who started this process; each given to
/// a worker, which closes it; and handed on to the process that takes over from this one.
final class ListeningSockets: Sendable {
    // Limit: connections that the kernel keeps for a listener until a worker takes them.
    private static let backlog = 4096

    private struct State {
        var inheritance: Inheritance
        /// By the listener's index, those that a successor gets.
        var open: [Int: [(descriptor: Descriptor, outlives: Bool)]] = [:]
    }

    private let state: Mutex<State>
    private let workers: Int

    init(inheritance: Inheritance, workers: Int) {
        self.state = Mutex(State(inheritance: inheritance))
        self.workers = workers
    }

    /// For each worker its sockets of these listeners, which begin at the index `first`.
    func open(
        _ listeners: [(index: Int, listener: Settings.Listener)]
    ) throws -> [[WorkerSocket]] {
        try self.state.withLock { state in
            var all: [[WorkerSocket]] = Array(repeating: [], count: self.workers)
            var opened: [Int] = []
            do {
                for (index, listener) in listeners {
                    try self.open(listener, index, &state, &all)
                    opened.append(index)
                }
            } catch {
                for socket in all.joined() { socket.socket.descriptor.close() }
                for index in opened { state.open[index] = nil }
                throw error
            }
            return all
        }
    }

    private func open(
        _ listener: Settings.Listener,
        _ index: Int,
        _ state: inout State,
        _ all: inout [[WorkerSocket]]
    ) throws {
        let inherited = state.inheritance.claim(listener.address, name: listener.name)
        do throws(SystemError) {
            let isOwn = inherited.allSatisfy { $0.sharesPort && !$0.outlives }
            if isOwn {
                try self.divide(inherited, listener.address, index, &state, &all)
            } else {
                try self.share(inherited, index, &state, &all)
            }
        } catch {
            throw StartError(Self.sentence(error, listener.address))
        }
    }

    /// Each worker has sockets of its own, all on one port: those that were inherited, and new ones
    /// where these are not enough.
    private func divide(
        _ inherited: [InheritedSocket],
        _ wanted: SocketAddress,
        _ index: Int,
        _ state: inout State,
        _ all: inout [[WorkerSocket]]
    ) throws(SystemError) {
        var address = inherited.first?.address ?? wanted
        if inherited.isEmpty, address.port != 0, Descriptor.isListenedOn(address) {
            throw .addressInUse
        }
        var open = inherited.map(\.descriptor)
        while open.count < self.workers {
            let socket: Descriptor
            do {
                socket = try Descriptor.listen(on: address, backlog: Self.backlog)
            } catch {
                for socket in open { socket.close() }
                throw error
            }
            open.append(socket)
            // Port 0: the system chose one for the first, the others share it.
            if address.port == 0, let bound = socket.localAddress() { address.port = bound.port }
        }
        for (number, socket) in open.enumerated() {
            all[number % self.workers].append(
                WorkerSocket(listener: index, socket: ListeningSocket(socket))
            )
        }
        state.open[index] = open.map { (descriptor: $0, outlives: false) }
    }

    /// All workers accept from the same sockets: others can't be opened beside them, or would not
    /// live as long.
    private func share(
        _ inherited: [InheritedSocket],
        _ index: Int,
        _ state: inout State,
        _ all: inout [[WorkerSocket]]
    ) throws(SystemError) {
        for socket in inherited {
            for worker in 0..<self.workers {
                let own = worker == 0 ? socket.descriptor : try socket.descriptor.duplicate()
                let listening = ListeningSocket(
                    own,
                    isShared: self.workers > 1,
                    outlives: socket.outlives
                )
                all[worker].append(WorkerSocket(listener: index, socket: listening))
            }
        }
        state.open[index] = inherited.map {
            (descriptor: $0.descriptor, outlives: $0.outlives)
        }
    }

    /// Workers close the sockets of these listeners: nobody else gets them.
    func close(_ listeners: [Int]) {
        self.state.withLock { state in for index in listeners { state.open[index] = nil } }
    }

    /// What a successor gets.
    var all: [(descriptor: Descriptor, outlives: Bool)] {
        self.state.withLock { state in state.open.sorted { $0.key < $1.key }.flatMap(\.value) }
    }

    /// The address at which a listener is reached.
    func address(_ listener: Int) -> SocketAddress? {
        self.state.withLock { $0.open[listener]?.first?.descriptor.localAddress() }
    }

    /// Closes what was inherited and no listener wants.
    func closeUnclaimed() -> [SocketAddress] {
        self.state.withLock { $0.inheritance.closeRest() }
    }

    private static func sentence(_ error: SystemError, _ address: SocketAddress) -> String {
        switch error {
        case .addressInUse:
            "cannot listen on \(address): another program has this address"
        case .permissionDenied:
            "cannot listen on \(address): ports below 1024 need root or CAP_NET_BIND_SERVICE"
        default: "cannot listen on \(address): \(error)"
        }
    }
}
