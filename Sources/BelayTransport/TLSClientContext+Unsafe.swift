internal import BelayCore
internal import COpenSSL
internal import Synchronization

/// How Belay speaks TLS to servers.
package struct TLSClientSettings: Hashable, Sendable {
    /// PEM: whose certificates are believed; nil: those that the system believes.
    package var authorities: String?
    /// Whether servers' certificates are checked. Without it anybody can be the server.
    package var verifies = true
    /// The certificate that Belay shows when it is asked for one.
    package var identity: TLSIdentityFiles?
    package var minimum = TLSVersion.tls12
    /// For servers that do not get on with the newest.
    package var maximum = TLSVersion.tls13
    /// Offered to servers, preferred first; empty: none.
    package var protocols: [TLSApplicationProtocol] = []

    package init() {}
}

/// What the TLS connections to the servers of a pool share. As `TLSServerContext`.
package final class TLSClientContext: Sendable {
    private let reference: TLSContextReference
    private let verifies: Bool
    private let stamps: [TLSFileStamp]
    private let sessions: TLSSessionMemory
    package let warnings: [String]
    /// Of the certificate that Belay shows.
    package let summary: [TLSCertificateSummary]

    /// Reads the files. Throws what is wrong with them or with the settings.
    package init(_ settings: TLSClientSettings) throws(TLSSettingsError) {
        let reference = unsafe TLSContextReference(
            owning: try makeTLSContext(isServer: false, minimum: settings.minimum)
        )
        self.reference = reference
        let context = unsafe reference.context
        var reader = TLSFileReader()
        var identity: TLSIdentity?
        // Safe: in all of this, the context is being made and nobody else has it.
        if let path = settings.authorities {
            unsafe try TLSTrust(path, &reader).install(in: context)
        } else if settings.verifies, unsafe SSL_CTX_set_default_verify_paths(context) != 1 {
            throw TLSSettingsError(nil, "the system's authorities cannot be read")
        }
        if settings.maximum == .tls12 {
            let version = Int(TLS1_2_VERSION)
            _ = unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, version, nil)
        }
        unsafe SSL_CTX_set_verify(
            context,
            settings.verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
            nil
        )
        if let files = settings.identity {
            let read = try TLSIdentity(files, now: unixNow(), &reader)
            unsafe try read.install(in: context)
            identity = read
        }
        let offered = settings.protocols.wireFormat
        if !offered.isEmpty {
            unsafe SSL_CTX_set_alpn_protos(context, offered, UInt32(offered.count))
        }
        let mode = SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
        _ = unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, Int(mode), nil)
        unsafe SSL_CTX_sess_set_new_cb(context, keepSession)
        let sessions = TLSSessionMemory()
        // Safe: given back when OpenSSL frees the context.
        unsafe SSL_CTX_set_ex_data(
            context,
            memoryIndex,
            Unmanaged.passRetained(sessions).toOpaque()
        )
        self.verifies = settings.verifies
        self.stamps = reader.finish()
        self.sessions = sessions
        // Which names a client's certificate is for is of no importance.
        self.warnings = identity?.warnings.filter { !$0.hasSuffix("no host name") } ?? []
        self.summary = identity.map { [$0.summary] } ?? []
    }

    /// Whether a file is no more as it was when it was read.
    package func filesChanged() -> Bool { self.stamps.contains(where: \.hasChanged) }

    func makeStream(serverName: String?, session: UInt32?) -> OpaquePointer? {
        if self.verifies && serverName == nil { return nil }
        guard let ssl = unsafe SSL_new(self.reference.context) else { return nil }
        // Safe: in all of this, the object is new and ours; OpenSSL copies the name.
        if let serverName, unsafe !Self.setName(serverName, of: ssl) {
            unsafe SSL_free(ssl)
            ERR_clear_error()
            return nil
        }
        if let session {
            // One more, so that an unset place, which reads as null, is none.
            unsafe SSL_set_ex_data(
                ssl,
                sessionIndex,
                UnsafeMutableRawPointer(bitPattern: UInt(session) + 1)
            )
            if let known = unsafe self.sessions.copy(session) {
                unsafe SSL_set_session(ssl, known)
                unsafe SSL_SESSION_free(known)
            }
        }
        return unsafe ssl
    }

    private static func setName(_ name: String, of ssl: OpaquePointer) -> Bool {
        // An address is checked as one, and is not sent (RFC 6066, section 3).
        if unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 { return true }
        ERR_clear_error()
        unsafe SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard unsafe SSL_set1_host(ssl, name) == 1 else { return false }
        var text = Array(name.utf8CString)
        // Safe: the text ends with a zero, and OpenSSL copies it.
        return unsafe text.withUnsafeMutableBytes { text in
            unsafe SSL_ctrl(
                ssl,
                SSL_CTRL_SET_TLSEXT_HOSTNAME,
                Int(TLSEXT_NAMETYPE_host_name),
                text.baseAddress
            ) == 1
        }
    }
}

/// The newest session of each server, for the next connection to it.
private final class TLSSessionMemory: Sendable {
    /// A session of OpenSSL's.
    @safe
    private final class Session: @unchecked Sendable {
        // Safe to share: only copies are used, and they are made under the lock.
        let session: OpaquePointer
        init(owning session: OpaquePointer) { unsafe self.session = session }
        deinit { unsafe SSL_SESSION_free(self.session) }
    }

    private let sessions = Mutex<[UInt32: Session]>([:])

    // Limit: 4096 servers; sessions of more are not remembered.
    private static let countMax = 4096

    func keep(_ server: UInt32, owning session: OpaquePointer) {
        let kept = unsafe Session(owning: session)
        self.sessions.withLock { sessions in
            guard sessions[server] != nil || sessions.count < Self.countMax else { return }
            sessions[server] = kept
        }
    }

    /// A copy that belongs to the caller: a connection changes its session.
    func copy(_ server: UInt32) -> OpaquePointer? {
        let address = self.sessions.withLock { sessions -> UInt in
            guard let kept = sessions[server], let copy = unsafe SSL_SESSION_dup(kept.session)
            else { return 0 }
            return UInt(bitPattern: copy)
        }
        // Safe: an address that OpenSSL has just given.
        return unsafe OpaquePointer(bitPattern: address)
    }
}

/// Where a stream has the number of its server, and a context its memory of sessions.
private let sessionIndex = CRYPTO_get_ex_new_index(
    // Without functions nothing is done with the pointer but keep it.
    CRYPTO_EX_INDEX_SSL,
    0,
    nil,
    nil,
    nil,
    nil
)

private let memoryIndex = unsafe CRYPTO_get_ex_new_index(
    // Safe: the function has the type that OpenSSL asks for and lives for ever.
    CRYPTO_EX_INDEX_SSL_CTX,
    0,
    nil,
    nil,
    nil,
    releaseMemory
)

private func releaseMemory(
    _ parent: UnsafeMutableRawPointer?,
    _ pointer: UnsafeMutableRawPointer?,
    _ data: UnsafeMutablePointer<CRYPTO_EX_DATA>?,
    _ index: Int32,
    _ number: Int,
    _ argument: UnsafeMutableRawPointer?
) {
    guard let pointer = unsafe pointer else { return }
    // Safe: the one reference that `TLSClientContext.init` put there.
    unsafe Unmanaged<TLSSessionMemory>.fromOpaque(pointer).release()
}

/// A server has sent a session: with TLS 1.3 at any time after the handshake.
private func keepSession(_ ssl: OpaquePointer?, _ session: OpaquePointer?) -> Int32 {
    guard let ssl = unsafe ssl, let session = unsafe session,
        let number = unsafe SSL_get_ex_data(ssl, sessionIndex),
        let memory = unsafe SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), memoryIndex)
    else { return 0 }
    // Safe: the stream lives, so its context does, and that one owns the memory. Returning 1 keeps
    // the reference to the session.
    let kept = unsafe Unmanaged<TLSSessionMemory>.fromOpaque(memory).takeUnretainedValue()
    unsafe kept.keep(UInt32(truncatingIfNeeded: UInt(bitPattern: number) - 1), owning: session)
    return 1
}

/// After a client's handshake: with TLS 1.2 a session that was resumed may have got a new ticket,
/// which OpenSSL does not call back for.
func keepRenewedSession(_ ssl: OpaquePointer) {
    // Safe: the stream lives; the reference to its session goes to the memory or is given back.
    guard unsafe SSL_session_reused(ssl) == 1, unsafe SSL_version(ssl) == TLS1_2_VERSION,
        let session = unsafe SSL_get1_session(ssl)
    else { return }
    if unsafe keepSession(ssl, session) == 0 { unsafe SSL_SESSION_free(session) }
}

extension [TLSApplicationProtocol] {
    /// The list as ALPN has it (RFC 7301, section 3.1).
    var wireFormat: [UInt8] {
        self.flatMap { known in
            let name = [UInt8]("\(known.name)".utf8)
            return [UInt8(name.count)] + name
        }
    }
}
