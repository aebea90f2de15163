package import BelayCore

// TLS on both sides. Paths are kept as they stand in the file; no file is read in this room.

extension Settings {
    /// TLS with clients.
    package struct ListenerTLS: Sendable, Equatable {
        /// At least one. The first is served where no name matches.
        package var certificates: [Certificate] = []
        package var minimum = TLSVersion.tls12
        /// For TLS 1.2, in OpenSSL's form. Starts as Mozilla's "intermediate" without finite-field
        /// Diffie-Hellman, with which clients can make a server work hard for little.
        package var ciphers = [
            "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
        ].joined(separator: ":")
        /// For TLS 1.3. Starts as OpenSSL's own.
        package var cipherSuites =
            "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
        /// For the exchange of keys, the preferred first.
        package var groups = "X25519:P-256:P-384"
        /// Nil: clients are not asked for certificates.
        package var clientCertificates: ClientCertificates?
        package var tickets = true
        /// How long one key seals tickets.
        package var ticketRotation = TimeSpan.hours(12)
        package var unknownNames = UnknownNames.serve

        package init() {}
    }

    /// A certificate that Belay shows, with its key. All are paths.
    package struct Certificate: Sendable, Equatable {
        /// PEM: the certificate and the chain to its authority.
        package var certificate: String
        /// PEM.
        package var key: String
        /// DER: an answer of the authority's that the certificate is not revoked.
        package var ocsp: String?

        package init(certificate: String, key: String, ocsp: String? = nil) {
            self.certificate = certificate
            self.key = key
            self.ocsp = ocsp
        }
    }

    /// A version of TLS, the least that is spoken.
    package enum TLSVersion: UInt8, Sendable, CaseIterable {
        case tls12, tls13
    }

    /// What clients have to show.
    package struct ClientCertificates: Sendable, Equatable {
        package var mode = ClientCertificateMode.required
        /// PEM: the certificates of the authorities that are believed.
        package var authorities: String
        /// So many certificates may stand between a client's and an authority's.
        package var depth = 3

        package init(authorities: String) { self.authorities = authorities }
    }

    /// What becomes of a client without a certificate. One that is not valid is always refused.
    package enum ClientCertificateMode: String, Sendable, CaseIterable {
        case optional, required
    }

    /// What becomes of a client that asks for a name that no certificate has.
    package enum UnknownNames: String, Sendable, CaseIterable {
        /// It gets the first certificate.
        case serve
        case refuse
    }

    /// TLS with the servers of a pool.
    package struct PoolTLS: Sendable, Equatable {
        /// PEM, a path; nil: the authorities that the system believes.
        package var authorities: String?
        /// In lower case, never an IP address; nil: the host of each server's address, which may
        /// be one.
        package var serverName: String?
        package var verify = true
        /// PEM, a path: what Belay shows the servers. There with `key` or not at all.
        package var certificate: String?
        /// PEM, a path.
        package var key: String?
        package var minimum = TLSVersion.tls12

        package init() {}
    }
}
