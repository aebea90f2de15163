private import BelayBytes
package import BelayCore

/// Whether a response may be kept by a cache that several clients share: such a one must carry no
/// cookie of ours, because everybody whom the cache answers would be bound by it (RFC 9111, section
/// 7.3: `Set-Cookie` alone keeps no cache from storing).
///
/// "May keep" means: may answer another client with it without asking first. That takes an explicit
/// lifetime or `public`; a response without either is at most kept on a guess, and every cache in
/// use leaves one with `Set-Cookie` alone then. `no-cache` and a lifetime of 0 make the cache ask.
///
/// Give it each field line as it is found, then ask. Whatever is malformed counts against the
/// cookie where it names a lifetime, as `s-maxage=x` does.
package struct SharedCaching: Sendable {
    private var isNotStored = false
    private var isPrivate = false
    private var mustAsk = false
    private var isPublic = false
    private var lifetime = Lifetime.unnamed
    /// What `s-maxage` says: for shared caches it comes before `max-age`.
    private var sharedLifetime = Lifetime.unnamed
    private var expiresLater = false

    private enum Lifetime {
        case unnamed
        case zero
        case positive
    }

    package init() {}

    /// One `Cache-Control` field line.
    package mutating func note(cacheControl value: borrowing Span<UInt8>) {
        var start = 0
        while start < value.count {
            var end = start
            var isQuoted = false
            while end < value.count, isQuoted || value[end] != UInt8(ascii: ",") {
                if value[end] == UInt8(ascii: "\"") { isQuoted.toggle() }
                // A quoted pair: what follows the backslash ends no quote.
                if isQuoted, value[end] == UInt8(ascii: "\\") { end &+= 1 }
                end &+= 1
            }
            self.note(directive: value, start..<Swift.min(end, value.count))
            start = end &+ 1
        }
    }

    /// One `Expires` field line. A date that cannot be read is in the past (RFC 9111, section 5.3).
    package mutating func note(expires value: borrowing Span<UInt8>, now: UnixTime) {
        if let time = httpDate(value), time > now { self.expiresLater = true }
    }

    /// Judges the response by the lines that were noted, and its request.
    ///
    /// - Parameters:
    ///   - isGetOrHead: caches keep what answers other methods for nobody else.
    ///   - hasAuthorization: the request had an `Authorization` field, so only `public` or
    ///     `s-maxage` lets a shared cache keep the answer (RFC 9111, section 3.5).
    ///   - hasSetCookie: the server itself sets a cookie. Then it treats the response as one
    ///     client's own, and very likely begins the session that the binding is for: withholding
    ///     the binding would lose that session.
    /// - Returns: whether it may carry a binding cookie, a first one or a renewal.
    package func mayCarryCookie(
        isGetOrHead: Bool,
        hasAuthorization: Bool,
        hasSetCookie: Bool
    ) -> Bool {
        if !isGetOrHead || hasSetCookie { return true }
        if self.isNotStored || self.isPrivate || self.mustAsk { return true }
        switch self.sharedLifetime {
        case .positive: return false
        case .zero: return true
        case .unnamed: break
        }
        if hasAuthorization, !self.isPublic { return true }
        switch self.lifetime {
        case .positive: return false
        case .zero: return true
        case .unnamed: return !self.isPublic && !self.expiresLater
        }
    }

    private mutating func note(directive value: borrowing Span<UInt8>, _ range: Range<Int>) {
        let range = trimmed(value, range)
        var nameEnd = range.lowerBound
        while nameEnd < range.upperBound, value[nameEnd] != UInt8(ascii: "=") { nameEnd &+= 1 }
        let name = trimmed(value, range.lowerBound..<nameEnd)
        let isBare = nameEnd == range.upperBound
        let argument = isBare ? nameEnd..<nameEnd : nameEnd &+ 1..<range.upperBound
        if value.isEqual(name, toLowercase: "no-store") {
            self.isNotStored = true
        } else if value.isEqual(name, toLowercase: "private") {
            // With field names it speaks of those fields alone: if ours is not among them, the
            // response is kept with it.
            if isBare { self.isPrivate = true }
        } else if value.isEqual(name, toLowercase: "no-cache") {
            if isBare { self.mustAsk = true }
        } else if value.isEqual(name, toLowercase: "public") {
            self.isPublic = true
        } else if value.isEqual(name, toLowercase: "s-maxage") {
            self.sharedLifetime = isZero(value, argument) ? .zero : .positive
        } else if value.isEqual(name, toLowercase: "max-age") {
            self.lifetime = isZero(value, argument) ? .zero : .positive
        }
    }
}

private func trimmed(_ value: borrowing Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper, isBlank(value[lower]) { lower &+= 1 }
    while lower < upper, isBlank(value[upper &- 1]) { upper &-= 1 }
    return lower..<upper
}

private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

/// Whether a lifetime is surely none: zeros, in quotes or not.
private func isZero(_ value: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
    var zeros = 0
    for index in trimmed(value, range) {
        switch value[index] {
        case UInt8(ascii: "0"): zeros &+= 1
        case UInt8(ascii: "\""): break
        default: return false
        }
    }
    return zeros > 0
}
