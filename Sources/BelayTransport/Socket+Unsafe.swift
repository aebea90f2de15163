package import BelayCore
private import CBelay
private import Glibc

/// Why a system call failed, as the kernel said it.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    package let code: Int32

    package init(code: Int32) { self.code = code }

    /// The error of the call that has just failed on this thread.
    static var last: SystemError { SystemError(code: errno) }

    package static let addressInUse = SystemError(code: EADDRINUSE)
    package static let permissionDenied = SystemError(code: EACCES)
    package static let connectionRefused = SystemError(code: ECONNREFUSED)
    package static let connectionReset = SystemError(code: ECONNRESET)

    /// The process or the system has no descriptor left.
    package var isOutOfDescriptors: Bool { self.code == EMFILE || self.code == ENFILE }
    /// The kernel has no memory for another connection.
    package var isOutOfMemory: Bool { self.code == ENOBUFS || self.code == ENOMEM }
    /// No local port is left for this address.
    package var isOutOfPorts: Bool { self.code == EADDRNOTAVAIL }

    package var description: String {
        // Safe: strerror returns a static, terminated text.
        unsafe String(cString: strerror(self.code))
    }
}

/// What became of a call on a socket that must not wait.
package enum Moved: Sendable {
    /// So many bytes, at least one.
    case bytes(Int)
    case wouldBlock
    /// The other side has finished sending.
    case end
    case failed(SystemError)
}

/// A descriptor of the system, as the calls of this room use it. Owned by whoever opened it.
@usableFromInline
package struct Descriptor: Hashable, Sendable {
    package let number: Int32

    package init(number: Int32) { self.number = number }

    package static let none = Descriptor(number: -1)

    package func close() {
        if self.number >= 0 { _ = belay_close(self.number) }
    }

    @inline(__always)
    private static func moved(_ result: Int, zeroIsEnd: Bool) -> Moved {
        if result > 0 { return .bytes(result) }
        if result == 0 { return zeroIsEnd ? .end : .wouldBlock }
        let code = errno
        if code == EAGAIN || code == EINTR { return .wouldBlock }
        return .failed(SystemError(code: code))
    }

    @inline(__always)
    func read(_ memory: BlockMemory, _ block: BlockIndex, _ range: Range<Int>) -> Moved {
        // Safe: `address` checks that the range lies in its block.
        let result = unsafe belay_read(self.number, memory.address(block, range), range.count)
        return Self.moved(result, zeroIsEnd: true)
    }

    /// Reads without taking.
    func peek(_ memory: BlockMemory, _ block: BlockIndex, _ range: Range<Int>) -> Moved {
        // Safe: `address` checks that the range lies in its block.
        let result = unsafe belay_peek_at(
            self.number,
            memory.address(block, range),
            range.count
        )
        return Self.moved(result, zeroIsEnd: true)
    }

    @inline(__always)
    func send(_ bytes: borrowing Span<UInt8>) -> Moved {
        let result = unsafe bytes.withUnsafeBufferPointer { buffer in
            // Safe: the call reads `count` bytes, all of the span.
            unsafe belay_send(self.number, buffer.baseAddress, buffer.count, 0)
        }
        return Self.moved(result, zeroIsEnd: false)
    }

    /// Sends two pieces with one call.
    @inline(__always)
    func send(_ first: borrowing Span<UInt8>, _ second: borrowing Span<UInt8>) -> Moved {
        let result = unsafe first.withUnsafeBufferPointer { one in
            unsafe second.withUnsafeBufferPointer { two in
                // Safe: the call reads each buffer's `count` bytes.
                unsafe belay_send2(
                    self.number,
                    one.baseAddress,
                    one.count,
                    two.baseAddress,
                    two.count
                )
            }
        }
        return Self.moved(result, zeroIsEnd: false)
    }

    func splice(to target: Descriptor, count: Int, more: Bool) -> Moved {
        Self.moved(
            belay_splice(self.number, target.number, count, more ? 1 : 0),
            zeroIsEnd: true
        )
    }

    /// Whether the other side has neither sent anything nor closed.
    func isQuiet() -> Bool {
        let result = belay_peek(self.number)
        return result < 0 && errno == EAGAIN
    }

    /// For a listening socket: the shortest queue there is.
    func narrowBacklog() { _ = belay_listen(self.number, 0) }

    func shutdownWrite() { _ = belay_shutdown_write(self.number) }

    /// Makes `close` cut the connection with a reset, so that the other side sees that the message
    /// is not whole.
    func resetOnClose() { _ = belay_set_reset_on_close(self.number) }

    /// The error that an unfinished connect ended with; nil when it is connected.
    func connectError() -> SystemError? {
        let code = belay_socket_error(self.number)
        return code == 0 ? nil : SystemError(code: code)
    }

    /// The address that the descriptor is bound to.
    package func localAddress() -> SocketAddress? {
        var ip = AddressBytes()
        var port: UInt16 = 0
        let result = unsafe ip.withBytes { unsafe belay_local_address(self.number, $0, &port) }
        return result == 0 ? SocketAddress(ip: ip.address, port: port) : nil
    }

    /// A connection that waited on this listening socket, and where it comes from.
    func accept() -> Result<(Descriptor, SocketAddress), SystemError> {
        var ip = AddressBytes()
        var port: UInt16 = 0
        let result = unsafe ip.withBytes { unsafe belay_accept(self.number, $0, &port) }
        guard result >= 0 else { return .failure(.last) }
        return .success((Descriptor(number: result), SocketAddress(ip: ip.address, port: port)))
    }

    /// A socket on its way to `address`; the connect goes on in the background.
    static func connect(to address: SocketAddress) -> Result<Descriptor, SystemError> {
        let isV4 = address.ip.isV4
        let number = belay_socket(isV4 ? 1 : 0)
        guard number >= 0 else { return .failure(.last) }
        let socket = Descriptor(number: number)
        _ = belay_set_no_delay(number)
        var ip = AddressBytes(address.ip)
        let result = unsafe ip.withBytes {
            unsafe belay_connect(number, isV4 ? 1 : 0, $0, address.port)
        }
        if result != 0 && errno != EINPROGRESS {
            let error = SystemError.last
            socket.close()
            return .failure(error)
        }
        return .success(socket)
    }

    /// Whether a program listens on `address`, be it one that shares its port: then a worker's
    /// socket could be opened beside it, and the two would get each a part of the clients.
    package static func isListenedOn(_ address: SocketAddress) -> Bool {
        let isV4 = address.ip.isV4
        let number = belay_socket(isV4 ? 1 : 0)
        guard number >= 0 else { return false }
        defer { _ = belay_close(number) }
        _ = belay_set_reuse_address(number)
        if !isV4 { _ = belay_set_v6_only(number, 0) }
        var ip = AddressBytes(address.ip)
        let bound = unsafe ip.withBytes {
            unsafe belay_bind(number, isV4 ? 1 : 0, $0, address.port)
        }
        return bound != 0 && SystemError.last == .addressInUse
    }

    /// A listening socket that shares its port with other workers' (SO_REUSEPORT).
    package static func listen(
        on address: SocketAddress,
        backlog: Int
    ) throws(SystemError) -> Descriptor {
        let isV4 = address.ip.isV4
        let number = belay_socket(isV4 ? 1 : 0)
        guard number >= 0 else { throw .last }
        let socket = Descriptor(number: number)
        _ = belay_set_reuse_address(number)
        _ = belay_set_reuse_port(number)
        // Accepted connections inherit this one: a call less for each.
        _ = belay_set_no_delay(number)
        if !isV4 { _ = belay_set_v6_only(number, 0) }
        var ip = AddressBytes(address.ip)
        let bound = unsafe ip.withBytes {
            unsafe belay_bind(number, isV4 ? 1 : 0, $0, address.port)
        }
        if bound != 0 || belay_listen(number, Int32(clamping: backlog)) != 0 {
            let error = SystemError.last
            socket.close()
            throw error
        }
        return socket
    }
}

/// The 16 bytes of an address as the C functions take them.
private struct AddressBytes {
    private var high: UInt64 = 0
    private var low: UInt64 = 0

    init() {}

    init(_ ip: IPAddress) {
        self.high = ip.high.bigEndian
        self.low = ip.low.bigEndian
    }

    var address: IPAddress {
        IPAddress(high: UInt64(bigEndian: self.high), low: UInt64(bigEndian: self.low))
    }

    mutating func withBytes<Result>(
        _ body: (UnsafeMutablePointer<UInt8>) -> Result
    ) -> Result {
        // Safe: two words without padding are 16 bytes; the pointer does not leave `body`.
        unsafe withUnsafeMutableBytes(of: &self) { raw in
            unsafe body(raw.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self))
        }
    }
}
