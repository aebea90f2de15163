package import BelayCore
package import BelayCrypto

/// The versions of TLS that Belay speaks.
package enum TLSVersion: UInt8, Sendable, CaseIterable {
    case tls12
    case tls13

    /// As the log writes it.
    package var name: StaticString {
        switch self {
        case .tls12: "TLSv1.2"
        case .tls13: "TLSv1.3"
        }
    }
}

/// What is spoken over TLS (ALPN, RFC 7301).
package enum TLSApplicationProtocol: UInt8, Sendable, CaseIterable {
    case http2
    case http11
    /// One that was agreed on and that Belay does not know.
    case other

    /// The name on the wire.
    package var name: StaticString {
        switch self {
        case .http2: "h2"
        case .http11: "http/1.1"
        case .other: "other"
        }
    }
}

/// What kind of key a certificate has.
package enum TLSKeyKind: UInt8, Sendable, CaseIterable {
    case rsa
    case ecdsa
    case ed25519
    case other

    package var name: StaticString {
        switch self {
        case .rsa: "RSA"
        case .ecdsa: "ECDSA"
        case .ed25519: "Ed25519"
        case .other: "other"
        }
    }
}

/// Where a certificate and what belongs to it are.
package struct TLSIdentityFiles: Hashable, Sendable {
    /// PEM: the certificate, then those that lead from it to an authority.
    package var certificate: String
    /// PEM, without a passphrase.
    package var key: String
    /// DER: what the authority last said of the certificate's validity (RFC 6960).
    package var ocsp: String?

    package init(certificate: String, key: String, ocsp: String? = nil) {
        self.certificate = certificate
        self.key = key
        self.ocsp = ocsp
    }
}

/// Whether clients show certificates.
package enum TLSClientCertificates: Hashable, Sendable {
    case off
    /// A client may show one; one that does not hold ends the handshake.
    case optional(TLSAuthorities)
    case required(TLSAuthorities)

    var authorities: TLSAuthorities? {
        switch self {
        case .off: nil
        case .optional(let authorities), .required(let authorities): authorities
        }
    }
}

/// Whose certificates are believed.
package struct TLSAuthorities: Hashable, Sendable {
    /// PEM, one or more certificates.
    package var path: String
    /// How many certificates may stand between a client's and an authority's.
    package var depth: Int

    package init(path: String, depth: Int = 3) {
        self.path = path
        self.depth = depth
    }
}

/// Session tickets: what lets a client that comes back save the expensive half of a handshake.
package struct TLSTicketSettings: Sendable {
    /// What the keys are derived from: the first seals, all open. Belays that share them, and the
    /// rotation, take each other's tickets.
    package var secrets: [SecretBytes]
    /// How long one key seals. A ticket lives for two of these, and no longer than a week.
    package var rotation: TimeSpan

    package init(secrets: [SecretBytes], rotation: TimeSpan = .hours(12)) {
        self.secrets = secrets
        self.rotation = rotation
    }
}

/// How a listener speaks TLS. What is not said is Mozilla's "intermediate" profile, version 5.7,
/// which every browser since 2014 can.
package struct TLSServerSettings: Sendable {
    /// At least one. The first is served when no name matches.
    package var identities: [TLSIdentityFiles]
    package var minimum = TLSVersion.tls12
    /// OpenSSL's list for TLS 1.2.
    package var ciphers = TLSServerSettings.defaultCiphers
    /// OpenSSL's list for TLS 1.3; nil: OpenSSL's default, all three.
    package var cipherSuites: String?
    package var groups = TLSServerSettings.defaultGroups
    /// In the order of preference; empty: none is agreed on, as for plain TCP.
    package var protocols: [TLSApplicationProtocol] = [.http2, .http11]
    package var clientCertificates = TLSClientCertificates.off
    /// Nil: no tickets.
    package var tickets: TLSTicketSettings?
    /// A client that asks for a name which no certificate has is refused, not served the first.
    package var refusesUnknownNames = false

    package init(identities: [TLSIdentityFiles]) { self.identities = identities }

    package static let defaultCiphers =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
        + ":ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
        + ":ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    package static let defaultGroups = "X25519:P-256:P-384"
}

/// What is wrong with a file or a setting of TLS, for whoever wrote the settings.
package struct TLSSettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file, or nil when it is a setting.
    package let path: String?
    package let problem: String

    package init(_ path: String? = nil, _ problem: String) {
        self.path = path
        self.problem = problem
    }

    package var description: String {
        if let path = self.path { return "\(path): \(self.problem)" }
        return self.problem
    }
}

/// What a certificate says, for logs, metrics and the admin.
package struct TLSCertificateSummary: Hashable, Sendable {
    package let path: String
    package let names: [String]
    package let key: TLSKeyKind
    /// Seconds since 1970.
    package let notAfter: UnixTime
}
