internal import BelayCore
internal import BelayCrypto
internal import COpenSSL
private import Glibc

/// Reads the files that TLS is made from, and remembers how they were. For start and reload.
struct TLSFileReader: ~Copyable {
    private(set) var stamps: [TLSFileStamp] = []

    // Limit: a bundle of authorities has some 200 KiB.
    private static var countMax: Int { 4 * 1024 * 1024 }

    mutating func read(_ path: String) throws(TLSSettingsError) -> SecretFile.Contents {
        // Before the reading, so that a change in between is seen later.
        let stamp = TLSFileStamp(path)
        if !self.stamps.contains(where: { $0.path == path }) { self.stamps.append(stamp) }
        // A room as large as the file: there may be a thousand of them.
        let room = Swift.max(1, Swift.min(stamp.size, Self.countMax))
        let contents: SecretFile.Contents?
        do throws(SecretFileError) {
            contents = try SecretFile.read(path, countMax: room)
        } catch {
            // Its text names the file.
            throw TLSSettingsError(nil, error.description)
        }
        guard let contents else { throw TLSSettingsError(path, "there is no such file") }
        return contents
    }

    consuming func finish() -> [TLSFileStamp] { self.stamps }
}

/// How a file was when it was read.
struct TLSFileStamp: Equatable, Sendable {
    let path: String
    private var seconds = 0
    private var nanoseconds = 0
    private(set) var size = 0
    private var number: UInt = 0

    init(_ path: String) {
        self.path = path
        var status = stat()
        // Safe: the path and `status` live for the call.
        guard unsafe stat(path, &status) == 0 else { return }
        self.seconds = status.st_mtim.tv_sec
        self.nanoseconds = status.st_mtim.tv_nsec
        self.size = Int(status.st_size)
        self.number = UInt(status.st_ino)
    }

    var hasChanged: Bool { TLSFileStamp(self.path) != self }
}

/// What PEM files hold.
enum TLSPEM {
    /// All certificates in the file; the caller owns a reference to each.
    static func certificates(
        _ bytes: [UInt8],
        _ path: String
    ) throws(TLSSettingsError) -> [TLSCertificate] {
        ERR_clear_error()
        var found: [TLSCertificate] = []
        let isWhole = unsafe bytes.withUnsafeBytes { bytes -> Bool in
            // Safe: the BIO reads the buffer's bytes and is freed before the buffer goes.
            guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else {
                return false
            }
            defer { unsafe BIO_free(bio) }
            while let certificate = unsafe PEM_read_bio_X509(bio, nil, noPassphrase, nil) {
                unsafe found.append(TLSCertificate(owning: certificate))
            }
            // Safe: at the file's end OpenSSL finds no further beginning; anything else is wrong.
            return ERR_peek_last_error() & 0x7F_FFFF == UInt(PEM_R_NO_START_LINE)
        }
        ERR_clear_error()
        if !isWhole { throw TLSSettingsError(path, "a certificate in it is damaged") }
        if found.isEmpty {
            throw TLSSettingsError(path, "there is no certificate in PEM format in it")
        }
        return found
    }

    /// The private key in the file.
    static func key(_ bytes: [UInt8], _ path: String) throws(TLSSettingsError) -> TLSKey {
        ERR_clear_error()
        let key = unsafe bytes.withUnsafeBytes { bytes -> OpaquePointer? in
            // Safe: as above.
            guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else {
                return nil
            }
            defer { unsafe BIO_free(bio) }
            return unsafe PEM_read_bio_PrivateKey(bio, nil, noPassphrase, nil)
        }
        ERR_clear_error()
        guard let key = unsafe key else {
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("ENCRYPTED") {
                throw TLSSettingsError(
                    path,
                    "the key is encrypted; Belay needs it without a passphrase"
                )
            }
            throw TLSSettingsError(path, "there is no private key in PEM format in it")
        }
        return unsafe TLSKey(owning: key)
    }
}

/// A key with a passphrase is refused: without this OpenSSL would ask for it on the terminal.
private func noPassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?,
    _ size: Int32,
    _ isWriting: Int32,
    _ argument: UnsafeMutableRawPointer?
) -> Int32 { -1 }

/// A reference to a certificate of OpenSSL's.
@safe
final class TLSCertificate: @unchecked Sendable {
    // Safe to share: nobody changes a certificate after it was read.
    let x509: OpaquePointer

    init(owning x509: OpaquePointer) { unsafe self.x509 = x509 }

    deinit { unsafe X509_free(self.x509) }

    var notAfter: UnixTime { unsafe unixTime(X509_get0_notAfter(self.x509)) ?? .init(seconds: 0) }
    var notBefore: UnixTime { unsafe unixTime(X509_get0_notBefore(self.x509)) ?? .init(seconds: 0) }

    /// The DNS names that it is for, in lower case: the subject's alternative names, or, as before
    /// those were invented, its common name.
    var names: [String] {
        // Safe: OpenSSL makes the list for us; its members live until it is freed.
        guard let list = unsafe X509_get_ext_d2i(self.x509, NID_subject_alt_name, nil, nil) else {
            return self.commonName.map { [$0] } ?? []
        }
        let stack = OpaquePointer(list)
        defer { unsafe GENERAL_NAMES_free(stack) }
        var names: [String] = []
        let count = unsafe OPENSSL_sk_num(stack)
        for index in 0..<count {
            guard
                let name = unsafe OPENSSL_sk_value(stack, index)?
                    .assumingMemoryBound(to: GENERAL_NAME.self),
                unsafe name.pointee.type == GEN_DNS,
                let text = unsafe tlsText(name.pointee.d.dNSName)
            else { continue }
            if !names.contains(text) { names.append(text) }
        }
        return names
    }

    private var commonName: String? {
        // Safe: the name and its entries belong to the certificate, which lives.
        guard let subject = unsafe X509_get_subject_name(self.x509) else { return nil }
        let index = unsafe X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
        guard index >= 0, let entry = unsafe X509_NAME_get_entry(subject, index) else {
            return nil
        }
        return unsafe tlsText(X509_NAME_ENTRY_get_data(entry))
    }
}

/// A reference to a private key of OpenSSL's, which wipes it at the end.
@safe
final class TLSKey: @unchecked Sendable {
    // Safe to share: nobody changes a key after it was read.
    let pkey: OpaquePointer

    init(owning pkey: OpaquePointer) { unsafe self.pkey = pkey }

    deinit { unsafe EVP_PKEY_free(self.pkey) }

    var kind: TLSKeyKind {
        switch unsafe EVP_PKEY_get_base_id(self.pkey) {
        case EVP_PKEY_RSA: .rsa
        case EVP_PKEY_EC: .ecdsa
        case EVP_PKEY_ED25519: .ed25519
        default: .other
        }
    }
}

/// A DNS name of a certificate, in lower case; nil for what is none.
private func tlsText(_ string: UnsafePointer<ASN1_STRING>?) -> String? {
    // Safe: the string belongs to a certificate that lives, and has `length` bytes.
    guard let string = unsafe string, let bytes = unsafe ASN1_STRING_get0_data(string) else {
        return nil
    }
    let count = unsafe ASN1_STRING_length(string)
    // Limit: a DNS name has 253 characters.
    guard count > 0, count <= 255 else { return nil }
    var text: [UInt8] = []
    for index in 0..<Int(count) {
        let byte = unsafe bytes[index]
        // A blank, a zero or a letter beyond ASCII is in no name that a client can ask for.
        guard byte > 0x20, byte < 0x7F else { return nil }
        text.append(asciiLowercased(byte))
    }
    return String(decoding: text, as: UTF8.self)
}

func asciiLowercased(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
}

/// Nil for no time, or one that cannot be read.
func unixTime(_ time: UnsafePointer<ASN1_TIME>?) -> UnixTime? {
    var parts = unsafe tm()
    // Safe: the time belongs to an object that lives for the call; `parts` is ours.
    guard let time = unsafe time, unsafe ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
    return UnixTime(seconds: Int64(unsafe timegm(&parts)))
}

/// The first reason that OpenSSL noted, in its words; forgets them all.
func takeTLSReason() -> String {
    let code = ERR_get_error()
    ERR_clear_error()
    // Safe: OpenSSL's texts are static and end with a zero.
    guard code != 0, let reason = unsafe ERR_reason_error_string(code) else {
        return "OpenSSL gives no reason"
    }
    return unsafe String(cString: reason)
}
