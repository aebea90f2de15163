import BelayBytes
package import BelayCore

/// Which field says who asked, when a trusted proxy opened the connection.
package enum ClientAddressField: UInt8, Sendable, CaseIterable {
    /// X-Forwarded-For where there is one, else Forwarded. Right for proxies that write the
    /// former, or both; one that writes Forwarded alone must drop the other, or clients choose.
    case either
    case xForwardedFor
    case forwarded
}

/// The address of the client: `peer`, which opened the connection, unless that is a trusted proxy
/// and says for whom it asks.
///
/// Each proxy adds the address that it saw at the right, so the list is read from there, while
/// the addresses are trusted ones: the first that is not is the client's, since whatever stands
/// further left may be the client's own invention. An element that cannot be read ends the walk
/// too; then the last good address counts. Linear in the length of the fields times the number of
/// networks.
package func clientAddress(
    peer: IPAddress,
    _ fields: borrowing FieldList,
    in bytes: borrowing Span<UInt8>,
    from start: Int,
    trusted networks: [Network],
    field: ClientAddressField = .either
) -> IPAddress {
    guard isTrusted(peer, networks) else { return peer }
    let id: FieldName =
        switch field {
        case .xForwardedFor: .xForwardedFor
        case .forwarded: .forwarded
        case .either: fields.first(.xForwardedFor) != nil ? .xForwardedFor : .forwarded
        }
    var client = peer
    var index = fields.count
    while index > 0 {
        index &-= 1
        let line = fields[index]
        guard line.id == id else { continue }
        var elements = ListElementsBackwards(
            line.value.moved(by: start),
            hasQuotes: id == .forwarded
        )
        while let element = elements.next(in: bytes) {
            let address =
                id == .forwarded
                ? forwardedAddress(element, in: bytes)
                : listedAddress(element, in: bytes)
            guard let address else { return client }
            client = address
            if !isTrusted(address, networks) { return client }
        }
    }
    return client
}

/// Whether the client speaks TLS, as the trusted proxy before Belay says it: the last word of
/// X-Forwarded-Proto, else that of Forwarded. Nil if neither says. Ask it only for trusted peers.
package func forwardedIsTLS(
    _ fields: borrowing FieldList,
    in bytes: borrowing Span<UInt8>,
    from start: Int
) -> Bool? {
    var proto: Range<Int>?
    for index in 0..<fields.count where fields[index].id == .xForwardedProto {
        var elements = ListElementsBackwards(
            fields[index].value.moved(by: start),
            hasQuotes: false
        )
        proto = elements.next(in: bytes) ?? proto
    }
    if proto == nil {
        for index in 0..<fields.count where fields[index].id == .forwarded {
            var elements = ListElementsBackwards(
                fields[index].value.moved(by: start),
                hasQuotes: true
            )
            guard let element = elements.next(in: bytes) else { continue }
            proto = ForwardedElement(element, in: bytes)?.proto
        }
    }
    guard let proto else { return nil }
    if bytes.isEqual(proto, toLowercase: "https") || bytes.isEqual(proto, toLowercase: "wss") {
        return true
    }
    if bytes.isEqual(proto, toLowercase: "http") || bytes.isEqual(proto, toLowercase: "ws") {
        return false
    }
    return nil
}

@inline(__always)
private func isTrusted(_ address: IPAddress, _ networks: [Network]) -> Bool {
    for index in networks.indices where networks[index].contains(address) { return true }
    return false
}

/// An element of X-Forwarded-For, which no standard describes: an address, in brackets or with a
/// port or both.
private func listedAddress(
    _ element: Range<Int>,
    in bytes: borrowing Span<UInt8>
) -> IPAddress? {
    let text = bytes.extracting(element)
    return IPAddress(parsing: text) ?? nodeAddress(element, in: bytes)
}

/// The `for` of an element of Forwarded. `unknown` and names that begin with `_` are no address.
private func forwardedAddress(
    _ element: Range<Int>,
    in bytes: borrowing Span<UInt8>
) -> IPAddress? {
    guard let parsed = ForwardedElement(element, in: bytes), let node = parsed.node else {
        return nil
    }
    return nodeAddress(node, in: bytes)
}

/// A node of RFC 7239 §6: `192.0.2.43`, `[2001:db8::1]`, either with `:` and a port, which may be
/// a made-up name that begins with `_`.
private func nodeAddress(_ node: Range<Int>, in bytes: borrowing Span<UInt8>) -> IPAddress? {
    guard !node.isEmpty else { return nil }
    var end = node.lowerBound
    let isBracketed = bytes[end] == UInt8(ascii: "[")
    while end < node.upperBound {
        let byte = bytes[end]
        if isBracketed ? byte == UInt8(ascii: "]") : byte == UInt8(ascii: ":") { break }
        end &+= 1
    }
    let address: IPAddress?
    if isBracketed {
        guard end < node.upperBound else { return nil }
        let text = bytes.extracting(node.lowerBound &+ 1..<end)
        guard text.firstIndex(of: UInt8(ascii: ":")) != nil else { return nil }
        address = IPAddress(parsing: text)
        end &+= 1
    } else {
        address = IPAddress(parsing: bytes.extracting(node.lowerBound..<end))
    }
    guard end < node.upperBound else { return address }
    guard bytes[end] == UInt8(ascii: ":"), isPort(end &+ 1..<node.upperBound, in: bytes) else {
        return nil
    }
    return address
}

/// One to five digits, or `_` and letters, digits, `.`, `_` or `-`.
private func isPort(_ range: Range<Int>, in bytes: borrowing Span<UInt8>) -> Bool {
    guard !range.isEmpty else { return false }
    if bytes[range.lowerBound] != UInt8(ascii: "_") {
        for index in range where bytes[index] &- 0x30 >= 10 { return false }
        return range.count <= 5
    }
    for index in range {
        switch lowercased(bytes[index]) {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            continue
        default: return false
        }
    }
    return range.count > 1
}
