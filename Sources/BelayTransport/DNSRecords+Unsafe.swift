package import BelayCore
private import CBelay
private import Glibc

/// Records of the domain name system with the time that they may be kept, by the system's resolver
/// (resolv.conf, search domains and all). Waits: not for a worker's thread.
package enum DNSRecords {
    package struct Service: Equatable, Sendable {
        package let priority: UInt16
        package let weight: UInt16
        package let port: UInt16
        package let target: String
    }

    /// The addresses of a host, of both families; nil when there are none. A name that only the
    /// system's own files know (`/etc/hosts`) has a time of 30 seconds.
    package static func addresses(of host: String) -> (records: [IPAddress], ttl: Int64)? {
        if let address = IPAddress(host) { return ([address], 300) }
        var found: [IPAddress] = []
        var ttl = Int64.max
        for line in self.ask(host, BELAY_DNS_A) + self.ask(host, BELAY_DNS_AAAA) {
            guard line.count == 2, let time = Int64(line[0]), let address = IPAddress(line[1])
            else { continue }
            found.append(address)
            ttl = Swift.min(ttl, time)
        }
        if !found.isEmpty { return (found, ttl) }
        return Resolver.address(of: host).map { ([$0], 30) }
    }

    /// The records of a service such as `_http._tcp.shop.internal` (RFC 2782); nil when there are
    /// none.
    package static func services(of name: String) -> (records: [Service], ttl: Int64)? {
        var found: [Service] = []
        var ttl = Int64.max
        for line in self.ask(name, BELAY_DNS_SRV) {
            guard line.count == 5, let time = Int64(line[0]), let priority = UInt16(line[1]),
                let weight = UInt16(line[2]), let port = UInt16(line[3])
            else { continue }
            found.append(
                Service(priority: priority, weight: weight, port: port, target: line[4])
            )
            ttl = Swift.min(ttl, time)
        }
        return found.isEmpty ? nil : (found, ttl)
    }

    /// The answer's records, a line of words for each.
    private static func ask(_ name: String, _ kind: Int32) -> [[String]] {
        // Limit: an answer over TCP has up to 64 KiB; in words it is at most twice as long.
        var text = [CChar](repeating: 0, count: 128 * 1024)
        // Safe: the call writes at most the buffer's bytes, ends them with a zero, and keeps
        // neither pointer.
        let count = unsafe text.withUnsafeMutableBufferPointer { buffer in
            unsafe belay_dns(name, kind, buffer.baseAddress, buffer.count)
        }
        guard count > 0 else { return [] }
        let bytes = text.prefix(Int(count)).map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: " ").map(String.init)
        }
    }
}
