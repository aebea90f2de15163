// The sockets that an engine accepts connections from. A listener of the settings may have several
// of them here, and a socket may be accepted from by several engines, or by another process.

/// A socket that connections are accepted from.
package struct ListeningSocket: Sendable {
    package let descriptor: Descriptor
    /// Other engines wait for connections on it too: one of them is woken for each.
    package var isShared = false
    /// Somebody else goes on to accept from it when this engine has closed it, so that what waits
    /// there is not lost.
    package var outlives = false
    /// What the caller calls it: the index of its listener.
    var listener = 0
    /// Not reported for a while.
    var isPaused = false

    package init(_ descriptor: Descriptor, isShared: Bool = false, outlives: Bool = false) {
        self.descriptor = descriptor
        self.isShared = isShared
        self.outlives = outlives
    }

    var isOpen: Bool { self.descriptor != .none }
}

extension Engine {
    /// Adds a socket of this engine's own; its index is what `EngineEvent.listener` names.
    package mutating func addListener(_ socket: Descriptor) throws(SystemError) -> Int {
        try self.addListener(ListeningSocket(socket), for: self.sockets.count)
    }

    /// Adds a socket of the listener that the caller knows by the index `listener`. Returns the
    /// socket's own index, which is what `EngineEvent.listener` names.
    @discardableResult
    package mutating func addListener(
        _ socket: ListeningSocket,
        for listener: Int
    ) throws(SystemError) -> Int {
        let free = self.sockets.firstIndex { !$0.isOpen }
        let index = free ?? self.sockets.count
        let isAdded = self.poller.add(
            listener: socket.descriptor,
            index: index,
            isShared: socket.isShared
        )
        guard isAdded else { throw .last }
        var socket = socket
        socket.listener = listener
        if index < self.sockets.count {
            self.sockets[index] = socket
        } else {
            self.sockets.append(socket)
        }
        return index
    }

    /// How many sockets there have been at once: their indices are below.
    package var listenerCount: Int { self.sockets.count }

    /// The listener of a socket, as it was called when the socket was added.
    package func listener(of socket: Int) -> Int { self.sockets[socket].listener }

    /// Stops reporting a socket; connections wait in the kernel's queue meanwhile.
    package mutating func pauseListener(_ index: Int) {
        guard self.sockets[index].isOpen, !self.sockets[index].isPaused else { return }
        self.sockets[index].isPaused = true
        self.poller.remove(self.sockets[index].descriptor)
    }

    package mutating func resumeListener(_ index: Int) {
        guard self.sockets[index].isOpen, self.sockets[index].isPaused else { return }
        self.sockets[index].isPaused = false
        _ = self.poller.add(
            listener: self.sockets[index].descriptor,
            index: index,
            isShared: self.sockets[index].isShared
        )
    }

    package mutating func resumeListeners() {
        for index in self.sockets.indices { self.resumeListener(index) }
    }

    /// Lets hardly any further connection into a socket's queue, before it is closed. Returns
    /// whether what waits there is to be taken before that: not where somebody else will.
    package func narrowListener(_ index: Int) -> Bool {
        guard self.sockets[index].isOpen, !self.sockets[index].outlives else { return false }
        self.sockets[index].descriptor.narrowBacklog()
        return true
    }

    /// From here on somebody else accepts from all sockets too, and goes on with it.
    package mutating func giveListenersAway() {
        for index in self.sockets.indices { self.sockets[index].outlives = true }
    }

    /// Closes one socket. Its index may become another one's.
    package mutating func closeListener(_ index: Int) {
        guard self.sockets[index].isOpen else { return }
        // Its description may be open elsewhere, and would be reported on.
        if !self.sockets[index].isPaused { self.poller.remove(self.sockets[index].descriptor) }
        self.sockets[index].descriptor.close()
        self.sockets[index] = ListeningSocket(.none)
    }

    /// Closes all of them: no new connection from here on.
    package mutating func closeListeners() {
        for index in self.sockets.indices { self.closeListener(index) }
    }

    /// Takes one waiting connection from a socket.
    package mutating func accept(from socket: Int) -> Accepted {
        guard self.sockets[socket].isOpen else { return .none }
        switch self.sockets[socket].descriptor.accept() {
        case .success((let descriptor, let address)):
            let connection = Connection(
                socket: descriptor,
                address: address,
                // It usually brings its first bytes along: reading at once saves a wait.
                state: .fresh
            )
            guard let slot = self.register(connection) else { return .refused(.memory) }
            return .connection(slot)
        case .failure(let error):
            if error.isOutOfDescriptors {
                return self.refuseOne(socket) ? .refused(.descriptors) : .none
            }
            return error.isOutOfMemory ? .refused(.memory) : .none
        }
    }

    /// With no descriptor left a waiting connection can't even be closed: a kept one makes room.
    private mutating func refuseOne(_ socket: Int) -> Bool {
        guard self.spare != .none else { return false }
        self.spare.close()
        var refused = false
        if case .success((let descriptor, _)) = self.sockets[socket].descriptor.accept() {
            descriptor.close()
            refused = true
        }
        self.spare = (try? Wakeup().descriptor) ?? .none
        return refused
    }
}
