package import BelayCore
private import Glibc

/// Addresses of host names, as the system resolves them. Waits: not for a worker's thread.
package enum Resolver {
    /// The first address of `host`, IPv4 before IPv6; nil when it has none.
    package static func address(of host: String) -> IPAddress? {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &list) == 0 else { return nil }
        defer { unsafe freeaddrinfo(list) }
        var found: IPAddress?
        var entry = unsafe list
        while let current = unsafe entry {
            // Safe: the list is valid until it is freed below.
            if let raw = unsafe current.pointee.ai_addr {
                let family = unsafe Int32(raw.pointee.sa_family)
                if family == AF_INET {
                    let bits = unsafe raw.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                        unsafe $0.pointee.sin_addr.s_addr
                    }
                    return IPAddress(v4: UInt32(bigEndian: bits))
                }
                if family == AF_INET6, found == nil {
                    let words = unsafe raw.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                        unsafe withUnsafeBytes(of: &$0.pointee.sin6_addr) {
                            unsafe (
                                $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                                $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                            )
                        }
                    }
                    found = IPAddress(
                        high: UInt64(bigEndian: words.0),
                        low: UInt64(bigEndian: words.1)
                    )
                }
            }
            unsafe entry = current.pointee.ai_next
        }
        return found
    }
}
