import Glibc

/// A TCP socket over the loopback, closed by hand. Every wait has a deadline.
struct Socket: Sendable {
    enum Failure: Error {
        case system(String, Int32)
        /// The other side reset the connection.
        case reset
        case timedOut(String)
    }

    let descriptor: Int32

    /// Connects to a port of this machine, from another of its addresses if one is given.
    static func connect(to port: UInt16, from source: UInt32 = 0x7F00_0001) throws -> Socket {
        let socket = try Socket()
        do {
            if source != 0x7F00_0001 { try socket.bind(port: 0, address: source) }
            var address = loopback(port)
            // Safe: both pointers are used during the call only, with the size of what they
            // point to.
            let result = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe Glibc.connect(socket.descriptor, $0, addressSize)
                }
            }
            guard result == 0 else { throw Failure.system("connect", errno) }
        } catch {
            socket.close()
            throw error
        }
        return socket
    }

    /// Listens on a port that the system chooses, or on `port`, at an address of this machine.
    static func listen(
        port: UInt16 = 0,
        at address: UInt32 = 0x7F00_0001,
        backlog: Int32 = 128
    ) throws -> Socket {
        let socket = try Socket()
        do {
            socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
            try socket.bind(port: port, address: address)
            guard Glibc.listen(socket.descriptor, backlog) == 0 else {
                throw Failure.system("listen", errno)
            }
        } catch {
            socket.close()
            throw error
        }
        return socket
    }

    private init() throws {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        self.descriptor = Glibc.socket(AF_INET, type, 0)
        guard self.descriptor >= 0 else { throw Failure.system("socket", errno) }
    }

    private init(descriptor: Int32) { self.descriptor = descriptor }

    private func bind(port: UInt16, address: UInt32) throws {
        var name = loopback(port)
        name.sin_addr.s_addr = address.bigEndian
        // Safe: as in `connect`.
        let result = unsafe withUnsafePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.bind(self.descriptor, $0, addressSize)
            }
        }
        guard result == 0 else { throw Failure.system("bind", errno) }
    }

    /// The port of this end.
    var port: UInt16 {
        var name = sockaddr_in()
        var size = addressSize
        // Safe: as in `connect`; the kernel writes at most `size` bytes.
        let result = unsafe withUnsafeMutablePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(self.descriptor, $0, &size)
            }
        }
        return result == 0 ? UInt16(bigEndian: name.sin_port) : 0
    }

    /// The next connection; nil when the socket was closed for good.
    func accept() -> Socket? {
        let accepted = Glibc.accept(self.descriptor, nil, nil)
        guard accepted >= 0 else { return nil }
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return Socket(descriptor: accepted)
    }

    /// What arrives next; empty at the end of the stream.
    func read(max: Int = 64 * 1024) throws -> [UInt8] {
        try self.wait(for: POLLIN, "for bytes")
        // Safe: the kernel writes at most as many bytes as the buffer has.
        return try unsafe Array(unsafeUninitializedCapacity: max) { buffer, count in
            let result = unsafe recv(self.descriptor, buffer.baseAddress, max, 0)
            count = Swift.max(0, result)
            guard result < 0 else { return }
            throw errno == ECONNRESET ? Failure.reset : Failure.system("recv", errno)
        }
    }

    /// Whether something could be read at once: bytes, the end, or a reset.
    var isReadable: Bool {
        var entry = pollfd(descriptor: self.descriptor, POLLIN)
        // Safe: one entry, and the count says so.
        return unsafe poll(&entry, 1, 0) > 0
    }

    /// Sends all of it, as fast as the other side takes it.
    func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            sent += try self.writeSome(bytes[sent...])
        }
    }

    /// Sends what the kernel takes at once; 0: it is full.
    func writeAtOnce(_ bytes: ArraySlice<UInt8>) throws -> Int {
        // Safe: the buffer lives as long as the call.
        let count = unsafe bytes.withUnsafeBytes { buffer in
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            return unsafe send(self.descriptor, buffer.baseAddress, buffer.count, flags)
        }
        if count >= 0 { return count }
        switch errno {
        case EAGAIN: return 0
        case ECONNRESET, EPIPE: throw Failure.reset
        default: throw Failure.system("send", errno)
        }
    }

    private func writeSome(_ bytes: ArraySlice<UInt8>) throws -> Int {
        let count = try self.writeAtOnce(bytes)
        if count == 0 { try self.wait(for: POLLOUT, "for room") }
        return count
    }

    private func wait(for events: Int32, _ what: String) throws {
        var entry = pollfd(descriptor: self.descriptor, events)
        // Safe: one entry, and the count says so.
        let count = unsafe poll(&entry, 1, Int32(patienceSeconds * 1000))
        guard count > 0 else { throw Failure.timedOut("waited \(patienceSeconds) s \(what)") }
    }

    /// Sends each write at once instead of waiting for the acknowledgement of the one before.
    func sendAtOnce() { self.set(Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

    func closeWrite() { shutdown(self.descriptor, Int32(SHUT_WR)) }

    /// Ends both directions, and wakes whoever waits in `accept` or `read`.
    func shutDown() { shutdown(self.descriptor, Int32(SHUT_RDWR)) }

    func close() { _ = Glibc.close(self.descriptor) }

    /// Closes so that the other side gets a reset.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        // Safe: the size is that of what is pointed to.
        unsafe setsockopt(
            self.descriptor,
            SOL_SOCKET,
            SO_LINGER,
            &option,
            socklen_t(MemoryLayout<linger>.size)
        )
        self.close()
    }

    /// A small window, so that whoever sends notices early that nobody reads.
    func narrow(to bytes: Int32) { self.set(SOL_SOCKET, SO_RCVBUF, bytes) }

    private func set(_ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        // Safe: the size is that of what is pointed to.
        unsafe setsockopt(self.descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}

/// How long a test waits for anything before it fails: far more than a slow machine needs.
let patienceSeconds = 60

private let addressSize = socklen_t(MemoryLayout<sockaddr_in>.size)

private func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

extension pollfd {
    fileprivate init(descriptor: Int32, _ events: Int32) {
        self.init(fd: descriptor, events: Int16(events), revents: 0)
    }
}
