import Glibc

/// A UDP socket over the loopback, of IPv4 or IPv6, closed by hand.
struct DatagramSocket: Sendable {
    /// Who sent a datagram.
    struct Peer: Sendable {
        fileprivate var address = sockaddr_in6()
        fileprivate var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
    }

    let descriptor: Int32
    let port: UInt16

    /// On a port that the system chooses, or on `port`.
    init(port: UInt16 = 0, isV6: Bool = false) throws {
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = Glibc.socket(isV6 ? AF_INET6 : AF_INET, type, 0)
        guard descriptor >= 0 else { throw Socket.Failure.system("socket", errno) }
        var peer = Peer()
        if isV6 {
            peer.address.sin6_family = sa_family_t(AF_INET6)
            peer.address.sin6_addr = in6addr_loopback
        } else {
            peer.setV4()
        }
        // IPv4 and IPv6 have the port in the same place.
        peer.address.sin6_port = port.bigEndian
        let bound = unsafe peer.withAddress { address, size in
            unsafe Glibc.bind(descriptor, address, size.pointee)
        }
        let named = unsafe peer.withAddress { address, size in
            unsafe getsockname(descriptor, address, size)
        }
        guard bound == 0, named == 0 else {
            Glibc.close(descriptor)
            throw Socket.Failure.system("bind", errno)
        }
        self.descriptor = descriptor
        self.port = UInt16(bigEndian: peer.address.sin6_port)
    }

    /// Waits for the next datagram; nil when the socket fails.
    func receive() -> (bytes: [UInt8], from: Peer)? {
        var peer = Peer()
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe peer.withAddress { address, size in
            // Safe: the kernel writes at most as many bytes as the buffer has.
            unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe recvfrom(self.descriptor, buffer.baseAddress, 4096, 0, address, size)
            }
        }
        return count < 0 ? nil : (Array(bytes.prefix(count)), peer)
    }

    func send(_ bytes: [UInt8], to peer: Peer) {
        var peer = peer
        unsafe peer.withAddress { address, size in
            // Safe: the buffer lives as long as the call.
            _ = unsafe bytes.withUnsafeBytes { buffer in
                unsafe sendto(
                    self.descriptor,
                    buffer.baseAddress,
                    buffer.count,
                    0,
                    address,
                    size.pointee
                )
            }
        }
    }

    /// Sends itself an empty datagram, for whoever waits in `receive`.
    func wake() {
        var peer = Peer()
        let named = unsafe peer.withAddress { address, size in
            unsafe getsockname(self.descriptor, address, size)
        }
        if named == 0 { self.send([], to: peer) }
    }

    func close() { _ = Glibc.close(self.descriptor) }
}

extension DatagramSocket.Peer {
    /// The loopback of IPv4, in the larger address's place.
    fileprivate mutating func setV4() {
        self.size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // Safe: an address of IPv4 is smaller, and both are plain bytes.
        unsafe withUnsafeMutableBytes(of: &self.address) { bytes in
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            unsafe bytes.storeBytes(of: address, as: sockaddr_in.self)
        }
    }

    @discardableResult
    fileprivate mutating func withAddress<Result>(
        _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
    ) -> Result {
        // Safe: both pointers are used during the call only, and the size is that of the memory.
        unsafe withUnsafeMutablePointer(to: &self.address) { address in
            unsafe withUnsafeMutablePointer(to: &self.size) { size in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe body($0, size)
                }
            }
        }
    }
}
