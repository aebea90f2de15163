package import BelayBytes
package import BelayCore
package import BelayCrypto

/// Opens, renews and seals the binding cookies of one server pool, for one worker.
///
/// Allocates nothing per cookie once the day's sub-key is at hand. All Belays with the same key
/// ring and the same names of pool and cookie agree on every cookie.
///
/// How many cookies may be sealed: the nonces are random, so NIST SP 800-38D, section 8.3, allows
/// 2^32 seals under one key. Each day has a sub-key of its own, in each pool, and all workers and
/// all Belays with the ring share it: the bound is 2^32 new or renewed cookies a pool and day,
/// which is 49,700 a second, all day.
///
/// Clocks. Belays whose clocks are up to 60 seconds apart notice nothing. A cookie from further in
/// the future that opens was sealed by a Belay whose clock was wrong: the binding is good, counts
/// as new, and is due for renewal at once, so that it gets the right time. So a clock that was set
/// back loses no binding. Of days later than tomorrow nothing is opened: they count as tampered.
package struct BindingPolicy: ~Copyable {
    private var keys: BindingKeys
    private var random = RandomBytes()
    private var opened = OpenedCookies(seed: .random(in: .min ... .max))
    private let idle: Int64?
    private let lifetime: Int64?
    private let secure: PersistenceSettings.Secure
    private let keep: PersistenceSettings.Keep
    /// `name=`, and what follows the value.
    private var prefix: ByteWriter
    private var suffix: ByteWriter

    /// How far apart clocks may be without anybody noticing, in seconds.
    private static let skew: Int64 = 60
    private static let secondsPerDay: Int64 = 86_400

    /// Throws if OpenSSL has no memory or is forbidden to do it.
    package init(
        settings: PersistenceSettings,
        pool: PoolName,
        ring: KeyRing
    ) throws(CryptoError) {
        self.keys = try BindingKeys(ring: ring, pool: pool, cookie: settings.name)
        self.idle = settings.idle.map(Self.seconds)
        self.lifetime = settings.lifetime.map(Self.seconds)
        self.secure = settings.secure
        self.keep = settings.keep
        self.prefix = ByteWriter(capacity: settings.name.utf8.count + 1)
        self.prefix.append(text: settings.name)
        self.prefix.append(UInt8(ascii: "="))
        // Limit: the path has 256 bytes at most, the domain 253, the rest 64.
        self.suffix = ByteWriter(capacity: 640)
        self.suffix.append("; Path=")
        self.suffix.append(text: settings.path)
        if let domain = settings.domain {
            self.suffix.append("; Domain=")
            self.suffix.append(text: domain)
        }
        if settings.httpOnly { self.suffix.append("; HttpOnly") }
        if settings.partitioned { self.suffix.append("; Partitioned") }
        self.suffix.append("; SameSite=")
        switch settings.sameSite {
        case .lax: self.suffix.append("Lax")
        case .strict: self.suffix.append("Strict")
        case .none: self.suffix.append("None")
        }
    }

    /// Whether `value`, a cookie's value as the client sent it, is a binding of this pool's that
    /// still holds.
    ///
    /// Idle is judged before lifetime: a client that stayed away would have had to start anew
    /// whatever the lifetime. A cookie whose day is so long ago that it cannot hold is called
    /// expired without being opened, so what it says of its age is not checked: it is worth nothing
    /// either way, and forged days cost no derivation.
    package mutating func open(_ value: borrowing Span<UInt8>, now: UnixTime) -> BindingOpening {
        let place = self.opened.place(value)
        if let place, let binding = self.opened.binding(value, at: place) {
            return self.judge(binding, now: now)
        }
        let opening = self.unseal(value, now: now)
        guard case .binding(let binding) = opening else { return opening }
        if let place { self.opened.keep(value, binding, at: place) }
        return self.judge(binding, now: now)
    }

    private func judge(_ binding: Binding, now: UnixTime) -> BindingOpening {
        if let idle = self.idle, now.seconds &- binding.renewed.seconds > idle {
            return .expiredIdle
        }
        if let lifetime = self.lifetime, now.seconds &- binding.issued.seconds > lifetime {
            return .expiredLifetime
        }
        return .binding(binding)
    }

    /// Opens the cookie, whatever its binding's age.
    private mutating func unseal(
        _ value: borrowing Span<UInt8>,
        now: UnixTime
    ) -> BindingOpening {
        var cookie = [61 of UInt8](repeating: 0)
        guard BindingCookie.decode(value, into: &cookie) else { return .foreign }
        let id = BindingCookie.keyID(cookie)
        guard var key = self.keys.keyIndex(of: id) else { return .foreign }
        let day = BindingCookie.day(cookie)
        let dayEnd = (Int64(day) &+ 1) &* Self.secondsPerDay &- 1
        if let idle = self.idle, now.seconds &- dayEnd > idle { return .expiredIdle }
        if let lifetime = self.lifetime, now.seconds &- dayEnd > lifetime {
            return .expiredLifetime
        }
        guard Int64(day) <= Int64(Self.day(of: now)) &+ 1 else { return .tampered }
        var plain = [26 of UInt8](repeating: 0)
        while !self.keys.open(cookie, key: key, day: day, into: &plain) {
            // Two keys of a ring share an id once in 2^32 rings.
            guard let next = self.keys.keyIndex(of: id, from: key &+ 1) else { return .tampered }
            key = next
        }
        return .binding(BindingCookie.binding(plain, hasOldKey: key != 0))
    }

    /// Whether the client should get its cookie anew: a quarter of the idle window has passed, or
    /// an old key or a wrong clock sealed it. Never for another reason, so without an idle window
    /// nothing is renewed.
    package func renewalIsDue(_ binding: Binding, now: UnixTime) -> Bool {
        if binding.hasOldKey { return true }
        let age = now.seconds &- binding.renewed.seconds
        if age < -Self.skew { return true }
        guard let idle = self.idle else { return false }
        return age > 0 && age &* 4 >= idle
    }

    /// A new binding to `serverID`, of this moment. Nil if OpenSSL gives no random bytes: the
    /// client then stays unbound.
    package mutating func makeBinding(to serverID: ServerID, now: UnixTime) -> Binding? {
        var bytes = [8 of UInt8](repeating: 0)
        var span = bytes.mutableSpan
        do throws(CryptoError) { try self.random.fill(&span) } catch { return nil }
        let id = BindingID(rawValue: span.span.word(at: 0))
        return Binding(serverID: serverID, id: id, issued: now, renewed: now)
    }

    /// Writes the cookie's value, 82 characters, renewed at `now`. False, and nothing written, if
    /// there is no room or OpenSSL gives no random bytes.
    package mutating func seal(
        _ binding: Binding,
        now: UnixTime,
        into writer: inout ByteWriter
    ) -> Bool {
        guard writer.capacity &- writer.count >= BindingCookie.textCount else { return false }
        // A wrong clock's time in the future must not outlive the renewal.
        let issued = Swift.min(binding.issued, now)
        let day = Self.day(of: now)
        let plain = BindingCookie.plain(binding, issued: issued, renewed: now)
        var nonce = [12 of UInt8](repeating: 0)
        var cookie = [61 of UInt8](repeating: 0)
        BindingCookie.writeHeader(keyID: self.keys.currentID, day: day, into: &cookie)
        do throws(CryptoError) {
            var nonceBytes = nonce.mutableSpan
            try self.random.fill(&nonceBytes)
            for index in 0..<12 { cookie[BindingCookie.nonce.lowerBound &+ index] = nonce[index] }
            let sealed = try self.keys.seal(plain, day: day, cookie: cookie)
            for index in 0..<42 {
                cookie[BindingCookie.sealed.lowerBound &+ index] = sealed[index]
            }
        } catch {
            return false
        }
        writer.append(base64URL: cookie.span)
        return true
    }

    /// Writes the value of a `Set-Cookie` field that gives the client its binding, renewed at
    /// `now`. False, and nothing written, as with `seal`.
    package mutating func writeSetCookie(
        _ binding: Binding,
        now: UnixTime,
        isOverTLS: Bool,
        into writer: inout ByteWriter
    ) -> Bool {
        let start = writer.count
        // Limit: "; Max-Age=", a number and "; Secure" are 38 bytes at most.
        let size = self.prefix.count &+ BindingCookie.textCount &+ self.suffix.count &+ 38
        guard writer.capacity &- writer.count >= size else { return false }
        writer.append(self.prefix.bytes)
        guard self.seal(binding, now: now, into: &writer) else {
            writer.truncate(to: start)
            return false
        }
        if let seconds = self.maxAge(of: binding, now: now) {
            writer.append("; Max-Age=")
            writer.append(decimal: seconds)
        }
        writer.append(self.suffix.bytes)
        switch self.secure {
        case .always: writer.append("; Secure")
        case .auto: if isOverTLS { writer.append("; Secure") }
        case .never: break
        }
        return true
    }

    /// The room that `writeSetCookie` asks for at most.
    package static let setCookieMax = 1024

    /// The seconds that are left to the binding when it is renewed now; nil if the browser is not
    /// told. A lifetime that ends this second leaves 0, which removes the cookie.
    private func maxAge(of binding: Binding, now: UnixTime) -> Int? {
        switch self.keep {
        case .session: return nil
        case .binding: break
        }
        var left = Int64.max
        if let idle = self.idle { left = idle }
        if let lifetime = self.lifetime {
            let age = Swift.max(0, now.seconds &- binding.issued.seconds)
            left = Swift.min(left, Swift.max(0, lifetime &- age))
        }
        return Int(left)
    }

    private static func seconds(_ span: TimeSpan) -> Int64 {
        (span.nanoseconds + 999_999_999) / 1_000_000_000
    }

    /// The day since 1970; the year 2149 and all later ones are its last.
    @inline(__always)
    private static func day(of time: UnixTime) -> UInt16 {
        UInt16(clamping: time.seconds / Self.secondsPerDay)
    }
}
