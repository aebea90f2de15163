package import BelayCore

/// One TCP connection of a worker: its socket, what epoll said of it, and the bytes that have
/// arrived or wait to leave. What the connection is for, the proxy keeps beside it under the same
/// slot number.
package struct Connection {
    package struct State: OptionSet {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The kernel may hold bytes that have not been read.
        package static let readable = State(rawValue: 1)
        /// The kernel may take bytes.
        package static let writable = State(rawValue: 2)
        /// The other side said that it sends no more; bytes from before may still wait.
        package static let peerClosed = State(rawValue: 4)
        /// All that the other side sent has been read.
        package static let atEnd = State(rawValue: 8)
        /// The connection is broken.
        package static let failed = State(rawValue: 16)
        /// Still connecting.
        package static let connecting = State(rawValue: 32)
        /// Waits in the list of those to look at again before the next `wait`.
        package static let queued = State(rawValue: 64)
        /// Our side of the connection has been shut.
        package static let shut = State(rawValue: 128)
    }

    var socket: Descriptor
    package internal(set) var state: State
    /// Received bytes: the block they lie in (-1: none) and where.
    package internal(set) var inputBlock: BlockIndex = -1
    package internal(set) var inputStart = 0
    package internal(set) var inputEnd = 0
    /// Bytes that the kernel did not take yet.
    var outputBlock: BlockIndex = -1
    var outputStart: Int32 = 0
    var outputEnd: Int32 = 0
    /// The other side's address.
    package let address: SocketAddress

    init(socket: Descriptor, address: SocketAddress, state: State) {
        self.socket = socket
        self.address = address
        self.state = state
    }

    package var hasInput: Bool { self.inputEnd > self.inputStart }
    package var hasOutput: Bool { self.outputBlock >= 0 }
}

/// What the engine reports to its driver.
package enum EngineEvent {
    /// Something changed on this connection: look at its state.
    case connection(Int)
    /// Connections wait on this listener.
    case listener(Int)
    /// Another thread posted the wakeup.
    case wakeup
    /// This connection's deadline has passed.
    case deadline(Int)
}

/// What became of an `accept`.
package enum Accepted {
    /// A new connection, in this slot.
    case connection(Int)
    /// None waits any more.
    case none
    /// One waited and was closed at once, because there was no room for it.
    case refused(Refusal)

    package enum Refusal: UInt8, Sendable, CaseIterable {
        /// The process or the system has no descriptor left.
        case descriptors
        /// The kernel has no memory, or all slots are taken.
        case memory
    }
}
