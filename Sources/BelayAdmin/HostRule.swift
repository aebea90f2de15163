import BelayCore

/// Which Host a request may name. A stranger's web page can make a browser on this machine send
/// requests here under the stranger's host name (DNS rebinding), and read the answers; it can't
/// make the browser send an address of ours.
///
/// The port doesn't matter: through a tunnel of ssh it is another one.
struct HostRule: Sendable {
    private let bound: IPAddress

    init(bound: IPAddress) { self.bound = bound }

    /// Whether `authority` (`host`, `host:port`) is this server's address, or this machine by
    /// another spelling. Where the server listens on every address, any address will do, but no
    /// name.
    func allows(_ authority: String) -> Bool {
        let host = hostPart(of: authority)
        if host.lowercased() == "localhost" { return true }
        guard let ip = IPAddress(host) else { return false }
        let isAny = self.bound == .anyV4 || self.bound == .anyV6
        return isAny || ip == self.bound || ip.isLoopback
    }
}

/// Without the port; an IPv6 host without its brackets.
private func hostPart(of authority: String) -> String {
    if authority.hasPrefix("["), let close = authority.lastIndex(of: "]") {
        return String(authority[authority.index(after: authority.startIndex)..<close])
    }
    return String(authority.prefix { $0 != ":" })
}

extension IPAddress {
    /// 127.0.0.0/8 or ::1.
    fileprivate var isLoopback: Bool {
        self.isV4 ? self.low & 0xFF00_0000 == 0x7F00_0000 : self.high == 0 && self.low == 1
    }
}
