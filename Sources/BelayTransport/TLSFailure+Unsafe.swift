private import COpenSSL

/// Why a handshake or a TLS connection failed.
package struct TLSFailure: Error, Hashable, Sendable {
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// A request in clear text came to a port that speaks TLS.
        case plainHTTP
        /// No certificate has the name that was asked for.
        case unknownName
        case noSharedVersion
        case noSharedCipher
        /// None of the application protocols that the client offers (RFC 7301).
        case noSharedProtocol
        /// The other side's certificate was refused by us.
        case badCertificate
        /// A client that must show a certificate showed none.
        case clientCertificateMissing
        /// The other side said that it will not go on.
        case peerAlert
        /// The connection broke.
        case connection
        case protocolError

        /// What counters and logs call it.
        package var name: StaticString {
            switch self {
            case .plainHTTP: "plain-http"
            case .unknownName: "unknown-name"
            case .noSharedVersion: "no-shared-version"
            case .noSharedCipher: "no-shared-cipher"
            case .noSharedProtocol: "no-shared-protocol"
            case .badCertificate: "bad-certificate"
            case .clientCertificateMissing: "client-certificate-missing"
            case .peerAlert: "peer-alert"
            case .connection: "connection"
            case .protocolError: "protocol-error"
            }
        }
    }

    package let kind: Kind
    /// OpenSSL's number for it, or the system's for `connection`.
    private let code: UInt
    /// What is wrong with a certificate, as OpenSSL numbers it.
    private let verification: Int

    package init(_ kind: Kind) { self.init(kind, code: 0) }

    init(_ kind: Kind, code: UInt, verification: Int = 0) {
        self.kind = kind
        self.code = code
        self.verification = verification
    }

    /// From the first error that OpenSSL noted on this thread; nil if it noted none.
    init?(verification: Int, looksLikeHTTP: Bool) {
        let code = ERR_peek_error()
        guard code != 0 else { return nil }
        // The number's lower 23 bits are the reason; those of the system have a sign bit instead.
        let reason = Int32(truncatingIfNeeded: code & 0x7F_FFFF)
        var kind = Self.kind(ofReason: reason)
        if kind == .noSharedVersion, looksLikeHTTP { kind = .plainHTTP }
        self.init(kind, code: code, verification: kind == .badCertificate ? verification : 0)
    }

    private static func kind(ofReason reason: Int32) -> Kind {
        switch reason {
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: .plainHTTP
        // Only the callback that looks up the name refuses.
        case SSL_R_CALLBACK_FAILED: .unknownName
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH,
            SSL_R_WRONG_VERSION_NUMBER, SSL_R_UNSUPPORTED_SSL_VERSION,
            SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_UNKNOWN_PROTOCOL, SSL_R_WRONG_SSL_VERSION:
            .noSharedVersion
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS,
            SSL_R_NO_SUITABLE_GROUPS, SSL_R_NO_SHARED_GROUPS, SSL_R_NO_CIPHERS_SPECIFIED:
            .noSharedCipher
        case SSL_R_NO_APPLICATION_PROTOCOL: .noSharedProtocol
        case SSL_R_CERTIFICATE_VERIFY_FAILED, SSL_R_NO_CERTIFICATES_RETURNED: .badCertificate
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: .clientCertificateMissing
        // Alerts of the other side have numbers of their own, 1000 and the alert's.
        case (SSL_AD_REASON_OFFSET + 1)...(SSL_AD_REASON_OFFSET + 255): .peerAlert
        default: .protocolError
        }
    }

    /// For the log: what OpenSSL says, in its words.
    package var text: String {
        if self.kind == .connection {
            return SystemError(code: Int32(truncatingIfNeeded: self.code)).description
        }
        // Safe: here and below, OpenSSL's texts for its numbers are static and end with a zero.
        if self.verification != 0,
            let reason = unsafe X509_verify_cert_error_string(self.verification)
        {
            return unsafe "certificate refused: " + String(cString: reason)
        }
        guard let reason = unsafe ERR_reason_error_string(self.code) else {
            return "error \(self.code)"
        }
        return unsafe String(cString: reason)
    }
}

/// Forgets what OpenSSL noted on this thread: an old note would be taken for the next call's.
@inline(__always)
func forgetTLSErrors() {
    if ERR_peek_error() != 0 { ERR_clear_error() }
}
