package import BelayBytes
package import BelayHTTP

/// Which hosts a route takes.
package enum HostMatch: Hashable, Sendable {
    case any
    /// Exactly this host, in lower case.
    case exact(InternedText)
    /// Hosts that end in this text, which begins with a dot: `*.example.com`.
    case suffix(InternedText)
}

/// One route: what it matches, and the server pool its requests go to.
package struct RoutePlan: Sendable {
    /// Its index in logs and counters, which never changes while the process lives.
    package var number = 0
    package var name: InternedText
    package var host: HostMatch
    /// Matches on whole segments: `/v1` takes `/v1`, `/v1/` and `/v1/x`, not `/v10`. Empty: all.
    package var path: InternedText
    /// A bit for each `Method.rawValue`; 0: all.
    package var methods: UInt16
    package var pool: Int
    /// The pages that may open WebSockets here; empty: all.
    package var origins: [OriginRule] = []

    package init(
        name: InternedText,
        host: HostMatch,
        path: InternedText,
        methods: UInt16,
        pool: Int
    ) {
        self.name = name
        self.host = host
        // `/v1/` and `/v1` say the same.
        var text = path.text
        while text.hasSuffix("/") { text.removeLast() }
        self.path = InternedText(text)
        self.methods = methods
        self.pool = pool
    }
}

/// The first of `routes` that takes the request, or nil. `authority` and `path` are ranges of
/// `bytes`. The host is compared without its port, its case and a dot at its end; the path byte by
/// byte as it came, without the query.
package func firstRoute(
    _ routes: [RoutePlan],
    method: Method,
    authority: Range<Int>,
    path: Range<Int>,
    in bytes: borrowing Span<UInt8>
) -> Int? {
    let host = hostRange(authority, in: bytes)
    for index in 0..<routes.count where takes(routes[index], method, host, path, in: bytes) {
        return index
    }
    return nil
}

/// Whether the route takes the request. `host` is without a port.
@inline(__always)
func takes(
    _ route: borrowing RoutePlan,
    _ method: Method,
    _ host: Range<Int>,
    _ path: Range<Int>,
    in bytes: borrowing Span<UInt8>
) -> Bool {
    if route.methods != 0, route.methods & (1 << UInt16(method.rawValue)) == 0 { return false }
    return matches(route.host, host, in: bytes)
        && startsSegments(path, with: route.path, in: bytes)
}

/// An authority without its port and without a dot at the end.
func hostRange(_ authority: Range<Int>, in bytes: borrowing Span<UInt8>) -> Range<Int> {
    var end = authority.upperBound
    var index = end
    while index > authority.lowerBound {
        index &-= 1
        let byte = bytes[index]
        if byte == UInt8(ascii: ":") {
            end = index
            break
        }
        // The port has digits only; anything else belongs to the host (`]` ends an IPv6 address).
        if byte &- 0x30 > 9 { break }
    }
    if end > authority.lowerBound, bytes[end &- 1] == UInt8(ascii: ".") { end &-= 1 }
    return authority.lowerBound..<end
}

func matches(
    _ match: HostMatch,
    _ host: Range<Int>,
    in bytes: borrowing Span<UInt8>
) -> Bool {
    switch match {
    case .any: return true
    case .exact(let text): return host.count == text.count && ends(host, with: text, in: bytes)
    case .suffix(let text): return host.count > text.count && ends(host, with: text, in: bytes)
    }
}

/// Whether `host` ends in `text`, which is in lower case.
private func ends(
    _ host: Range<Int>,
    with text: InternedText,
    in bytes: borrowing Span<UInt8>
) -> Bool {
    let wanted = text.bytes
    let offset = host.upperBound &- wanted.count
    for index in 0..<wanted.count where lowercased(bytes[offset &+ index]) != wanted[index] {
        return false
    }
    return true
}

private func startsSegments(
    _ path: Range<Int>,
    with prefix: InternedText,
    in bytes: borrowing Span<UInt8>
) -> Bool {
    let wanted = prefix.bytes
    if wanted.isEmpty { return true }
    guard path.count >= wanted.count else { return false }
    let end = path.lowerBound &+ wanted.count
    guard bytes.isEqual(path.lowerBound..<end, to: wanted, 0..<wanted.count) else { return false }
    if end == path.upperBound { return true }
    let next = bytes[end]
    return next == UInt8(ascii: "/") || next == UInt8(ascii: "?")
}
