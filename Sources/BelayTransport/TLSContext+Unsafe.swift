internal import BelayCore
internal import BelayCrypto
internal import COpenSSL

// What both sides' contexts have in common.

// Limit: what OpenSSL reads with one call: two whole records and a little. Less makes more system
// calls, more makes a connection larger while it reads.
let tlsReadBufferCount = 32 * 1024 + 512

/// A new context for one side, with what is the same for all of Belay's.
func makeTLSContext(
    isServer: Bool,
    minimum: TLSVersion
) throws(TLSSettingsError) -> OpaquePointer {
    ERR_clear_error()
    guard let context = unsafe SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method())
    else { throw TLSSettingsError(nil, "OpenSSL makes no context: \(takeTLSReason())") }
    // Safe: in this whole function, the context is new and ours.
    unsafe SSL_CTX_set_options(context, BELAY_SSL_NO_COMPRESSION | BELAY_SSL_NO_RENEGOTIATION)
    // Every cipher of the default list is strong, so the order matters little; but scanners take
    // a server that leaves it to its clients for one that has none. Who puts ChaCha20 first has no
    // AES in hardware, and gets it.
    if isServer { unsafe SSL_CTX_set_options(context, BELAY_SSL_SERVER_PREFERENCE) }
    // An idle connection keeps no buffers, and a call that got a record without data comes back.
    _ = unsafe SSL_CTX_ctrl(context, SSL_CTRL_MODE, Int(SSL_MODE_RELEASE_BUFFERS), nil)
    _ = unsafe SSL_CTX_ctrl(context, SSL_CTRL_CLEAR_MODE, Int(SSL_MODE_AUTO_RETRY), nil)
    _ = unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, 1, nil)
    unsafe SSL_CTX_set_default_read_buffer_len(context, tlsReadBufferCount)
    let version = minimum == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION
    _ = unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(version), nil)
    return unsafe context
}

/// Sets the groups, or says why not.
func setTLSGroups(_ groups: String, of context: OpaquePointer) throws(TLSSettingsError) {
    var text = Array(groups.utf8CString)
    // Safe: the text ends with a zero and lives for the call, which only reads it.
    let isDone = unsafe text.withUnsafeMutableBytes { text in
        unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_GROUPS_LIST, 0, text.baseAddress) == 1
    }
    ERR_clear_error()
    if isDone { return }
    throw TLSSettingsError(
        nil,
        "groups: OpenSSL does not know all of `\(groups)`, such as X25519:P-256:P-384"
    )
}

/// The certificates of authorities.
struct TLSTrust {
    let certificates: [TLSCertificate]
    /// The file's bytes, which tell it from another.
    let bytes: [UInt8]

    init(_ path: String, _ reader: inout TLSFileReader) throws(TLSSettingsError) {
        self.bytes = try reader.read(path).bytes
        self.certificates = try TLSPEM.certificates(self.bytes, path)
    }

    /// Makes the context believe them, and no others.
    func install(in context: OpaquePointer) {
        // Safe: the context is being made and nobody else has it; the store takes references of its
        // own, and the context takes over the store.
        guard let store = unsafe X509_STORE_new() else { return }
        for certificate in self.certificates {
            unsafe X509_STORE_add_cert(store, certificate.x509)
        }
        unsafe SSL_CTX_set_cert_store(context, store)
        ERR_clear_error()
    }
}

/// The time, from the wall clock.
@Sendable
func unixNow() -> UnixTime {
    UnixTime(seconds: SystemClock.unixNanoseconds() / 1_000_000_000)
}
