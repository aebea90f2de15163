import BelayCore
import Glibc

// tidy: allow UNSAFE because one question over a blocking socket has no place among the workers

/// One question over a socket that blocks: for a command that has nothing else to do.
enum AdminSocket {
    // Limit: 10,000 candidates take about 2 MiB.
    private static let answerMax = 16 << 20
    // Limit: an operator does not wait longer; Belay answers within a millisecond, unless what is
    // asked takes its time.
    static let patience = 5

    /// Sends the bytes and returns everything that comes back until the other side closes.
    /// `patience`: seconds to wait.
    static func ask(
        _ request: [UInt8],
        at address: SocketAddress,
        patience: Int = AdminSocket.patience
    ) throws(AdminCallError) -> [UInt8] {
        let deadline = ContinuousClock.now + .seconds(patience)
        let family = address.ip.isV4 ? AF_INET : AF_INET6
        let socket = Glibc.socket(family, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw .noConnection(systemError()) }
        defer { close(socket) }
        let second = timeval(tv_sec: patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            // Safe: the pointer is used during the call only, with the size of what it points to.
            unsafe withUnsafePointer(to: second) { time in
                let size = socklen_t(MemoryLayout<timeval>.size)
                _ = unsafe setsockopt(socket, SOL_SOCKET, option, time, size)
            }
        }
        guard connect(socket, to: address) else { throw connectionError() }
        try self.send(request, over: socket)
        return try self.receive(from: socket, until: deadline)
    }

    private static func send(_ bytes: [UInt8], over socket: Int32) throws(AdminCallError) {
        var sent = 0
        while sent < bytes.count {
            // Safe: the buffer outlives the call, which reads at most the bytes after `sent`.
            let count = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[sent...])
                let flags = Int32(MSG_NOSIGNAL)
                return unsafe Glibc.send(socket, rest.baseAddress, rest.count, flags)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw connectionError() }
            sent += count
        }
    }

    private static func receive(
        from socket: Int32,
        until deadline: ContinuousClock.Instant
    ) throws(AdminCallError) -> [UInt8] {
        var answer: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            // Safe: the call writes at most the buffer's bytes, during the call.
            let count = unsafe block.withUnsafeMutableBytes { buffer in
                unsafe recv(socket, buffer.baseAddress, buffer.count, 0)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw connectionError() }
            if count == 0 { return answer }
            answer += block[..<count]
            guard answer.count <= self.answerMax else { throw .tooLarge }
            guard ContinuousClock.now < deadline else { throw .timedOut }
        }
    }
}

private func connect(_ socket: Int32, to address: SocketAddress) -> Bool {
    func connect<Address>(_ value: Address) -> Bool {
        // Safe: both kinds of address begin with the fields of `sockaddr`; the size is theirs.
        unsafe withUnsafePointer(to: value) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe Glibc.connect(socket, generic, socklen_t(MemoryLayout<Address>.size)) == 0
            }
        }
    }
    if address.ip.isV4 {
        var v4 = sockaddr_in()
        v4.sin_family = sa_family_t(AF_INET)
        v4.sin_port = address.port.bigEndian
        v4.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.ip.low).bigEndian
        return connect(v4)
    }
    var v6 = sockaddr_in6()
    v6.sin6_family = sa_family_t(AF_INET6)
    v6.sin6_port = address.port.bigEndian
    // Safe: the address has 16 bytes, and both stores lie within them.
    unsafe withUnsafeMutableBytes(of: &v6.sin6_addr) { bytes in
        unsafe bytes.storeBytes(of: address.ip.high.bigEndian, as: UInt64.self)
        unsafe bytes.storeBytes(of: address.ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    return connect(v6)
}

/// What the last call's failure means.
private func connectionError() -> AdminCallError {
    // A socket with a time limit says EAGAIN at its end; connect says EINPROGRESS.
    errno == EAGAIN || errno == EINPROGRESS || errno == ETIMEDOUT
        ? .timedOut : .noConnection(systemError())
}

private func systemError() -> String {
    // Safe: strerror returns a text that ends, and it is copied before anything else is called.
    guard let text = unsafe strerror(errno) else { return "error \(errno)" }
    return unsafe String(cString: text).lowercased()
}
