package import BelayCore

/// How a server pool keeps its clients, checked.
package struct PersistenceSettings: Hashable, Sendable {
    /// The `SameSite` attribute of the cookie.
    package enum SameSite: UInt8, Sendable, CaseIterable {
        case lax
        case strict
        /// The cookie comes along when another site embeds the application. Needs `Secure`.
        case none

        /// The spelling in configuration.
        package var name: StaticString {
            switch self {
            case .lax: "lax"
            case .strict: "strict"
            case .none: "none"
            }
        }
    }

    /// When the cookie has the `Secure` attribute, which keeps it off unencrypted connections.
    package enum Secure: UInt8, Sendable, CaseIterable {
        /// When the client came over TLS.
        case auto
        /// Whatever Belay sees: for a Belay behind something that ends TLS.
        case always
        case never

        /// The spelling in configuration.
        package var name: StaticString {
            switch self {
            case .auto: "auto"
            case .always: "always"
            case .never: "never"
            }
        }
    }

    /// How long the browser keeps the cookie. What a binding is worth is for Belay to say, by
    /// `idle` and `lifetime`, whatever the browser keeps.
    package enum Keep: UInt8, Sendable, CaseIterable {
        /// Until it is closed: no `Max-Age`. The default, because that is how long nearly every
        /// framework's session cookie lives, which is what the binding is for. A binding that
        /// outlived it would bring a user who has to log in anyway back to an old server, and the
        /// next user of a shared computer too; and no clock of a browser is believed.
        case session
        /// For as long as the binding may be used: `Max-Age` is what is left of `idle` and
        /// `lifetime`. For applications whose own session outlives the browser.
        case binding

        /// The spelling in configuration.
        package var name: StaticString {
            switch self {
            case .session: "session"
            case .binding: "binding"
            }
        }
    }

    package let name: String
    package let domain: String?
    package let path: String
    package let sameSite: SameSite
    package let secure: Secure
    /// Browsers keep one for each site that embeds the application (CHIPS).
    package let partitioned: Bool
    /// No script of the page can read it.
    package let httpOnly: Bool
    package let keep: Keep
    /// A client that stays away for longer is bound anew. The window counts from the cookie's last
    /// renewal, and it is renewed after a quarter of the window only: so a binding holds for at
    /// least three quarters of it after the last request, and never for more than all of it.
    /// Nil: however long it stays away.
    package let idle: TimeSpan?
    /// Longer after it was first bound, a client is bound anew. Nil: never. This and `idle` are
    /// counted in whole seconds, rounded up.
    package let lifetime: TimeSpan?

    // Limit: browsers keep no cookie for longer than 400 days.
    package static let spanMax = TimeSpan.hours(400 * 24)

    package init(
        name: String = "belay",
        domain: String? = nil,
        path: String = "/",
        sameSite: SameSite = .lax,
        secure: Secure = .auto,
        partitioned: Bool = false,
        httpOnly: Bool = true,
        keep: Keep = .session,
        idle: TimeSpan? = .minutes(30),
        lifetime: TimeSpan? = .hours(8)
    ) throws(PersistenceSettingsError) {
        guard isToken(name) else { throw .name(name) }
        if let domain { guard isDomain(domain) else { throw .domain(domain) } }
        guard isPath(path) else { throw .path(path) }
        if let idle { guard isSpan(idle) else { throw .span("idle") } }
        if let lifetime { guard isSpan(lifetime) else { throw .span("lifetime") } }
        if let idle, let lifetime { guard idle <= lifetime else { throw .idleBeyondLifetime } }
        if keep == .binding, idle == nil, lifetime == nil { throw .nothingToKeepFor }
        if sameSite == .none, secure == .never { throw .sameSiteNoneNotSecure }
        if name.lowercased().hasPrefix("__host-"),
            secure == .never || path != "/" || domain != nil
        {
            throw .hostPrefix
        }
        if name.lowercased().hasPrefix("__secure-"), secure == .never { throw .securePrefix }
        self.name = name
        self.domain = domain
        self.path = path
        self.sameSite = sameSite
        self.secure = secure
        self.partitioned = partitioned
        self.httpOnly = httpOnly
        self.keep = keep
        self.idle = idle
        self.lifetime = lifetime
    }
}

/// Why settings cannot be obeyed, and what would be.
package enum PersistenceSettingsError: Error, Equatable, Sendable {
    case name(String)
    case domain(String)
    case path(String)
    /// The setting of that name.
    case span(String)
    case idleBeyondLifetime
    case nothingToKeepFor
    case sameSiteNoneNotSecure
    case hostPrefix
    case securePrefix
}

extension PersistenceSettingsError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .name(let name):
            "\"\(name)\" cannot be a cookie's name: 1 to 64 letters, digits or any of "
                + "!#$%&'*+-.^_`|~ can"
        case .domain(let domain):
            "\"\(domain)\" cannot be a cookie's domain: write a host name such as example.com"
        case .path(let path):
            "\"\(path)\" cannot be a cookie's path: it begins with / and has up to 256 printable "
                + "characters without ; or space"
        case .span(let name):
            "\(name) must be within 1s and 400 days; write off for no limit"
        case .idleBeyondLifetime:
            "idle is longer than lifetime, so it could never end a binding; make it shorter"
        case .nothingToKeepFor:
            "the browser cannot keep the cookie as long as the binding when idle and lifetime are "
                + "both off; set one of them"
        case .sameSiteNoneNotSecure:
            "browsers drop a cookie with SameSite=None that is not Secure; set secure to always"
        case .hostPrefix:
            "browsers keep a cookie named __Host-… only if it is secure, has the path / and no "
                + "domain"
        case .securePrefix:
            "browsers keep a cookie named __Secure-… only if it is secure; set secure to always"
        }
    }
}

/// A token of RFC 9110, section 5.6.2, which is what RFC 6265 lets a cookie's name be.
private func isToken(_ text: String) -> Bool {
    // Limit: 64 bytes; the name travels with every request.
    (1...64).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            isLetterOrDigit(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
}

/// A host name (RFC 1123, section 2.1). An address is no domain that a cookie may have.
private func isDomain(_ text: String) -> Bool {
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    return text.utf8.count <= 253
        && !labels.allSatisfy { label in label.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        && labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
        }
}

private func isPath(_ text: String) -> Bool {
    // Limit: 256 bytes, so that a whole Set-Cookie stays below one kilobyte.
    text.hasPrefix("/") && text.utf8.count <= 256
        && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ";") }
}

private func isSpan(_ span: TimeSpan) -> Bool {
    span >= .seconds(1) && span <= PersistenceSettings.spanMax
}

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
}
