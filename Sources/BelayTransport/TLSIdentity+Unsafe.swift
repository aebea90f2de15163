internal import BelayCore
internal import BelayCrypto
internal import COpenSSL

/// A certificate, its chain, its key and what its authority says of it: read, and found to belong
/// together.
final class TLSIdentity: Sendable {
    let files: TLSIdentityFiles
    let certificate: TLSCertificate
    let chain: [TLSCertificate]
    let key: TLSKey
    let names: [String]
    let ocsp: TLSStaple?
    let warnings: [String]

    init(
        _ files: TLSIdentityFiles,
        now: UnixTime,
        _ reader: inout TLSFileReader
    ) throws(TLSSettingsError) {
        var warnings: [String] = []
        var chain = try TLSPEM.certificates(
            reader.read(files.certificate).bytes,
            files.certificate
        )
        let certificate = chain.removeFirst()
        let key = try Self.readKey(files.key, &reader, &warnings)
        // Safe: both objects live.
        let belong = unsafe X509_check_private_key(certificate.x509, key.pkey) == 1
        ERR_clear_error()
        guard belong else {
            throw TLSSettingsError(
                files.key,
                "the key does not belong to the certificate in \(files.certificate)"
            )
        }
        let names = certificate.names
        if names.isEmpty {
            warnings.append("\(files.certificate): the certificate is for no host name")
        }
        if certificate.notAfter < now {
            warnings.append("\(files.certificate): the certificate has expired")
        } else if now < certificate.notBefore {
            warnings.append("\(files.certificate): the certificate is not valid yet")
        }
        self.ocsp = try Self.readStaple(files, certificate, now: now, &reader, &warnings)
        self.files = files
        self.certificate = certificate
        self.chain = chain
        self.key = key
        self.names = names
        self.warnings = warnings
    }

    static func readKey(
        _ path: String,
        _ reader: inout TLSFileReader,
        _ warnings: inout [String]
    ) throws(TLSSettingsError) -> TLSKey {
        let contents = try reader.read(path)
        if contents.mode & 0o007 != 0 {
            warnings.append("\(path): every user may read the key; chmod it to 600")
        }
        var bytes = contents.bytes
        defer {
            var span = bytes.mutableSpan
            span.wipe()
        }
        return try TLSPEM.key(bytes, path)
    }

    private static func readStaple(
        _ files: TLSIdentityFiles,
        _ certificate: TLSCertificate,
        now: UnixTime,
        _ reader: inout TLSFileReader,
        _ warnings: inout [String]
    ) throws(TLSSettingsError) -> TLSStaple? {
        guard let path = files.ocsp else { return nil }
        let bytes = try reader.read(path).bytes
        guard let staple = TLSStaple(bytes, of: certificate) else {
            throw TLSSettingsError(
                path,
                "it is no OCSP response in DER format for the certificate in "
                    + files.certificate
            )
        }
        if staple.isRevoked {
            warnings.append("\(path): the authority says that the certificate is revoked")
        }
        if let end = staple.nextUpdate, end < now {
            warnings.append("\(path): the OCSP response has expired and is not sent")
        }
        return staple
    }

    var summary: TLSCertificateSummary {
        TLSCertificateSummary(
            path: self.files.certificate,
            names: self.names,
            key: self.key.kind,
            notAfter: self.certificate.notAfter
        )
    }

    /// Gives a context this certificate, beside those of other kinds that it has.
    func install(in context: OpaquePointer) throws(TLSSettingsError) {
        ERR_clear_error()
        // Safe: the context is being made and nobody else has it; OpenSSL takes references of its
        // own to certificates and key.
        var isDone =
            unsafe SSL_CTX_use_certificate(context, self.certificate.x509) == 1
            && SSL_CTX_use_PrivateKey(context, self.key.pkey) == 1
            && SSL_CTX_ctrl(context, SSL_CTRL_CHAIN, 0, nil) == 1
        for member in self.chain where isDone {
            isDone =
                unsafe SSL_CTX_ctrl(
                    context,
                    SSL_CTRL_CHAIN_CERT,
                    1,
                    UnsafeMutableRawPointer(member.x509)
                ) == 1
        }
        guard isDone else {
            throw TLSSettingsError(
                self.files.certificate,
                "OpenSSL refuses it: \(takeTLSReason())"
            )
        }
    }
}

/// An authority's word on a certificate, sent along with it (RFC 6066, section 8).
struct TLSStaple: Sendable {
    let bytes: [UInt8]
    let isRevoked: Bool
    /// Until when it counts.
    let nextUpdate: UnixTime?

    /// Nil when the bytes are no successful response for this certificate.
    init?(_ bytes: [UInt8], of certificate: TLSCertificate) {
        defer { ERR_clear_error() }
        let response = unsafe bytes.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            // Safe: OpenSSL reads `count` bytes and copies what it keeps.
            return unsafe d2i_OCSP_RESPONSE(nil, &start, buffer.count)
        }
        guard let response = unsafe response else { return nil }
        defer { unsafe OCSP_RESPONSE_free(response) }
        guard unsafe OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL,
            let basic = unsafe OCSP_response_get1_basic(response)
        else { return nil }
        defer { unsafe OCSP_BASICRESP_free(basic) }
        let count = unsafe OCSP_resp_count(basic)
        for index in 0..<count {
            // Safe: the members belong to `basic`, which lives until the end of `init`; OpenSSL
            // only reads the id although the parameter is not const.
            var serial: UnsafeMutablePointer<ASN1_INTEGER>?
            guard let single = unsafe OCSP_resp_get0(basic, index),
                let id = unsafe OCSP_SINGLERESP_get0_id(single),
                unsafe OCSP_id_get0_info(nil, nil, nil, &serial, id) == 1,
                unsafe ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate.x509)) == 0
            else { continue }
            var next: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
            let status = unsafe OCSP_single_get0_status(single, nil, nil, nil, &next)
            self.bytes = bytes
            self.isRevoked = status == V_OCSP_CERTSTATUS_REVOKED
            self.nextUpdate = unsafe unixTime(next)
            return
        }
        return nil
    }
}
