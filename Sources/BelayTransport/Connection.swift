package import BelayCore

/// What carries a connection's bytes.
@usableFromInline
package enum Carrier: UInt8, Sendable {
    /// A socket, in clear text.
    case socket
    /// A socket, encrypted.
    case tls
    /// No socket of its own: a stream of an HTTP/2 connection. Whoever drives that connection
    /// delivers what arrives and takes what leaves.
    case stream
}

/// One connection of a worker: its socket, what epoll said of it, and the bytes that have arrived
/// or wait to leave. What the connection is for, the proxy keeps beside it under the same slot
/// number.
@usableFromInline
package struct Connection {
    /// A set of the facts below. Its members are computed: stored ones of another module would be
    /// looked up for each use, and a literal of several would make an array.
    @usableFromInline
    package struct State: Sendable {
        @usableFromInline package let rawValue: UInt8
        @inlinable
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The kernel may hold bytes that have not been read.
        @inlinable package static var readable: State { State(rawValue: 1) }
        /// The kernel may take bytes.
        @inlinable package static var writable: State { State(rawValue: 2) }
        /// The other side said that it sends no more; bytes from before may still wait.
        @inlinable package static var peerClosed: State { State(rawValue: 4) }
        /// All that the other side sent has been read.
        @inlinable package static var atEnd: State { State(rawValue: 8) }
        /// The connection is broken.
        @inlinable package static var failed: State { State(rawValue: 16) }
        /// Still connecting.
        @inlinable package static var connecting: State { State(rawValue: 32) }
        /// Waits in the list of those to look at again before the next `wait`.
        @inlinable package static var queued: State { State(rawValue: 64) }
        /// Our side of the connection has been shut.
        @inlinable package static var shut: State { State(rawValue: 128) }

        /// Something that an idle connection of a server must not show.
        @inlinable package static var disturbed: State { State(rawValue: 1 | 4 | 16) }
        /// Reading found the end.
        @inlinable package static var ended: State { State(rawValue: 4 | 8) }
        /// Reading found the connection broken.
        @inlinable package static var broken: State { State(rawValue: 4 | 8 | 16) }
        /// What a new client's connection begins with.
        @inlinable package static var fresh: State { State(rawValue: 1 | 2) }

        @inlinable
        package func contains(_ other: State) -> Bool {
            self.rawValue & other.rawValue == other.rawValue
        }

        /// Whether any of `others` holds.
        @inlinable
        package func hasAny(of others: State) -> Bool { self.rawValue & others.rawValue != 0 }

        @inlinable
        package mutating func insert(_ other: State) {
            self = State(rawValue: self.rawValue | other.rawValue)
        }

        @inlinable
        package mutating func remove(_ other: State) {
            self = State(rawValue: self.rawValue & ~other.rawValue)
        }
    }

    var socket: Descriptor
    @usableFromInline package internal(set) var state: State
    @usableFromInline package internal(set) var carrier = Carrier.socket
    /// Streams only: `endInput` was called; `atEnd` follows when all that came before was read.
    @usableFromInline package internal(set) var inputEnds = false
    /// The kernel has not said yet whether the connection came about.
    var isTCPConnecting = false
    /// The encryption of a `tls` connection.
    var tls: TLSStream?
    /// Received bytes: the block they lie in (-1: none) and where.
    @usableFromInline package internal(set) var inputBlock: BlockIndex = -1
    @usableFromInline package internal(set) var inputStart = 0
    @usableFromInline package internal(set) var inputEnd = 0
    /// Bytes that the kernel did not take yet.
    @usableFromInline var outputBlock: BlockIndex = -1
    var outputStart: Int32 = 0
    var outputEnd: Int32 = 0
    /// Streams only: what was delivered and found no room in the input.
    var reserveBlock: BlockIndex = -1
    var reserveStart: Int32 = 0
    var reserveEnd: Int32 = 0
    /// The other side's address: its own, or what a PROXY header says.
    package internal(set) var address: SocketAddress

    init(socket: Descriptor, address: SocketAddress, state: State) {
        self.socket = socket
        self.address = address
        self.state = state
    }

    @inlinable package var hasInput: Bool { self.inputEnd > self.inputStart }
    @inlinable package var hasOutput: Bool { self.outputBlock >= 0 }
}

/// Why a connection to a server did not come about.
package enum ConnectFailure: Error, Sendable {
    /// The other side refused, or is not to be reached.
    case refused(SystemError)
    /// It accepted, but no encryption could be agreed on.
    case tls(TLSFailure)
}

/// How far a connection to a server is.
package enum ConnectStep: Sendable {
    case waiting
    /// The server has accepted, and nothing has been sent yet: go on with another step.
    case accepted
    /// It can carry messages.
    case ready
    case failed(ConnectFailure)
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
