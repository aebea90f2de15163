package import BelayBytes
internal import COpenSSL
private import Glibc

// What is known of a connection after its handshake.

extension TLSStream {
    // Safe: in all of these, the object lives until `free`; OpenSSL's texts belong to it or are
    // static, and end with a zero.

    /// What was agreed to be spoken (ALPN); nil: nothing was.
    package var applicationProtocol: TLSApplicationProtocol? {
        var bytes: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(self.ssl, &bytes, &count)
        guard let start = unsafe bytes, count > 0 else { return nil }
        let name = unsafe Span(_unsafeStart: start, count: Int(count))
        if name.isEqual(0..<name.count, to: "h2") { return .http2 }
        return name.isEqual(0..<name.count, to: "http/1.1") ? .http11 : .other
    }

    package var version: TLSVersion {
        unsafe SSL_version(self.ssl) == TLS1_3_VERSION ? .tls13 : .tls12
    }

    /// Whether it goes on with an earlier session.
    package var isResumed: Bool { unsafe SSL_session_reused(self.ssl) == 1 }

    /// What names the client's session, and stays the same when the client resumes it: random
    /// bytes that travel in its ticket. Nil for a client that got no ticket. Only of a client's
    /// connection, and only after its handshake.
    package var sessionName: [16 of UInt8]? {
        var data: UnsafeMutableRawPointer?
        var count = 0
        guard let session = unsafe SSL_get_session(self.ssl),
            unsafe SSL_SESSION_get0_ticket_appdata(session, &data, &count) == 1,
            count == sessionNameCount, let data = unsafe data
        else { return nil }
        // Safe: the session has `count` bytes there, and lives as long as the stream.
        return unsafe data.loadUnaligned(as: [16 of UInt8].self)
    }

    /// Writes the cipher's name as OpenSSL writes it.
    package func writeCipher(into writer: inout ByteWriter) {
        unsafe writer.append(cText: SSL_CIPHER_get_name(SSL_get_current_cipher(self.ssl)))
    }

    /// Writes the name that the client asked for, as it wrote it; nothing if it asked for none.
    package func writeServerName(into writer: inout ByteWriter) {
        unsafe writer.append(cText: SSL_get_servername(self.ssl, TLSEXT_NAMETYPE_host_name))
    }

    /// Writes the SHA-256 of the other side's certificate in hexadecimal digits; nothing if it
    /// showed none.
    package func writePeerFingerprint(into writer: inout ByteWriter) {
        guard let certificate = unsafe SSL_get0_peer_certificate(self.ssl) else { return }
        unsafe writer.append(fingerprintOf: certificate)
    }

    /// Whether the client showed a certificate that was found to hold.
    package var hasVerifiedClient: Bool {
        unsafe SSL_get0_peer_certificate(self.ssl) != nil
            && SSL_get_verify_result(self.ssl) == X509_V_OK
    }

    /// Writes header lines that tell servers which certificate the client has shown: for listeners
    /// that ask for one. Allocates, as long as the certificate is.
    package func writeClientCertificate(into writer: inout ByteWriter) {
        guard self.hasVerifiedClient,
            let certificate = unsafe SSL_get0_peer_certificate(self.ssl)
        else { return writer.append("X-Client-Verify: NONE\r\n") }
        writer.append("X-Client-Verify: SUCCESS\r\n")
        // RFC 9440, section 2.1: a byte sequence of RFC 8941, so in base64 between colons.
        var der: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_X509(certificate, &der)
        if let start = unsafe der, count > 0 {
            writer.append("Client-Cert: :")
            let bytes = unsafe Span(_unsafeStart: UnsafePointer(start), count: Int(count))
            writer.append(base64: bytes)
            writer.append(":\r\n")
            // Safe: OpenSSL allocated it for us.
            unsafe belay_openssl_free(start)
        }
        unsafe writer.append("X-Client-Subject: ", name: X509_get_subject_name(certificate))
        unsafe writer.append("X-Client-Issuer: ", name: X509_get_issuer_name(certificate))
        unsafe writer.append(serialOf: certificate)
        writer.append("X-Client-Fingerprint: ")
        unsafe writer.append(fingerprintOf: certificate)
        writer.append("\r\n")
        ERR_clear_error()
    }
}

extension ByteWriter {
    fileprivate mutating func append(cText text: UnsafePointer<CChar>?) {
        guard let text = unsafe text else { return }
        let count = unsafe strlen(text)
        // Safe: the text has `count` bytes before its zero.
        unsafe text.withMemoryRebound(to: UInt8.self, capacity: count) { bytes in
            unsafe self.append(Span(_unsafeStart: bytes, count: count))
        }
    }

    /// Writes a line with a name in the form of RFC 2253. What is not visible ASCII is written as
    /// `\` and two digits, so that no name can end the line.
    fileprivate mutating func append(_ field: StaticString, name: OpaquePointer?) {
        // Safe: the BIO is ours and freed here; the name belongs to a certificate that lives.
        guard let name = unsafe name, let bio = unsafe BIO_new(BIO_s_mem()) else { return }
        defer { unsafe BIO_free(bio) }
        unsafe X509_NAME_print_ex(bio, name, 0, BELAY_X509_NAME_FLAGS)
        self.append(field)
        while true {
            var byte: UInt8 = 0
            guard unsafe BIO_read(bio, &byte, 1) == 1 else { break }
            if byte >= 0x20 && byte < 0x7F {
                self.append(byte)
            } else {
                self.append(UInt8(ascii: "\\"))
                self.append(hexadecimalByte: byte)
            }
        }
        self.append("\r\n")
    }

    fileprivate mutating func append(serialOf certificate: OpaquePointer) {
        // Safe: the serial belongs to the certificate, which lives; the number and its text are
        // ours and freed here.
        guard let serial = unsafe X509_get0_serialNumber(certificate),
            let number = unsafe ASN1_INTEGER_to_BN(serial, nil)
        else { return }
        defer { unsafe BN_free(number) }
        guard let text = unsafe BN_bn2hex(number) else { return }
        defer { unsafe belay_openssl_free(text) }
        self.append("X-Client-Serial: ")
        unsafe self.append(cText: text)
        self.append("\r\n")
    }

    fileprivate mutating func append(fingerprintOf certificate: OpaquePointer) {
        var digest = [32 of UInt8](repeating: 0)
        var count: UInt32 = 0
        var span = digest.mutableSpan
        let isDone = unsafe span.withUnsafeMutableBufferPointer { digest in
            // Safe: SHA-256 writes 32 bytes.
            unsafe X509_digest(certificate, EVP_sha256(), digest.baseAddress, &count) == 1
        }
        guard isDone, count == 32 else { return }
        for index in 0..<32 { self.append(hexadecimalByte: digest[index]) }
    }

    private mutating func append(hexadecimalByte byte: UInt8) {
        for digit in [byte >> 4, byte & 15] {
            self.append(digit < 10 ? 0x30 | digit : 0x57 + digit)
        }
    }

    /// Writes the bytes in base64 with padding (RFC 4648, section 4).
    fileprivate mutating func append(base64 bytes: borrowing Span<UInt8>) {
        var read = 0
        while read < bytes.count {
            let count = Swift.min(3, bytes.count - read)
            var word: UInt32 = 0
            for index in 0..<3 {
                word = word << 8 | (index < count ? UInt32(bytes[read + index]) : 0)
            }
            for index in 0..<4 {
                let value = UInt8(truncatingIfNeeded: word >> UInt32(18 - 6 * index) & 0x3F)
                self.append(index <= count ? base64Character(value) : UInt8(ascii: "="))
            }
            read += 3
        }
    }
}

private func base64Character(_ value: UInt8) -> UInt8 {
    switch value {
    case 0..<26: UInt8(ascii: "A") + value
    case 26..<52: UInt8(ascii: "a") + value - 26
    case 52..<62: UInt8(ascii: "0") + value - 52
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
}
