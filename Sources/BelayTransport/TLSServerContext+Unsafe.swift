package import BelayCore
internal import COpenSSL

/// What a listener's TLS connections share: certificates, and the rules of the handshake.
///
/// Made off the workers, since it reads files; used by all of them at once. A new one is made when
/// the files have changed; connections go on with what they began with.
package final class TLSServerContext: Sendable {
    private let reference: TLSContextReference
    private let stamps: [TLSFileStamp]
    /// What is not as it should be, and yet no reason not to start.
    package let warnings: [String]
    /// What the certificates say, in the order of the settings.
    package let summary: [TLSCertificateSummary]

    /// Reads the files. Throws what is wrong with them or with the settings. `now` is what tickets
    /// and validity go by.
    package init(
        _ settings: TLSServerSettings,
        now: (@Sendable () -> UnixTime)? = nil
    ) throws(TLSSettingsError) {
        let now = now ?? unixNow
        var reader = TLSFileReader()
        var identities: [TLSIdentity] = []
        for files in settings.identities {
            identities.append(try TLSIdentity(files, now: now(), &reader))
        }
        guard !identities.isEmpty else { throw TLSSettingsError(nil, "there is no certificate") }
        let trust: TLSTrust?
        if let authorities = settings.clientCertificates.authorities {
            trust = try TLSTrust(authorities.path, &reader)
        } else {
            trust = nil
        }
        let naming = TLSNaming(identities)
        let core = TLSServerCore(settings, identities, now: now)
        let maker = TLSServerMaker(settings: settings, core: core, trust: trust)
        let contexts = try maker.contexts(naming)
        core.setNames(naming, contexts)
        self.reference = contexts[0]
        // Safe: the context lives as long as its reference; the core is given back when OpenSSL
        // frees the context.
        unsafe SSL_CTX_set_ex_data(
            self.reference.context,
            ownerIndex,
            Unmanaged.passRetained(core).toOpaque()
        )
        self.stamps = reader.finish()
        self.warnings = identities.flatMap(\.warnings) + naming.warnings
        self.summary = identities.map(\.summary)
    }

    /// Whether a file is no more as it was when it was read: a look at each, for now and then.
    package func filesChanged() -> Bool { self.stamps.contains(where: \.hasChanged) }

    func makeStream() -> OpaquePointer? { unsafe SSL_new(self.reference.context) }
}

/// Makes the contexts of a listener.
private struct TLSServerMaker {
    let settings: TLSServerSettings
    let core: TLSServerCore
    let trust: TLSTrust?

    /// One for each set of certificates that stand side by side; the first is the default.
    func contexts(_ naming: TLSNaming) throws(TLSSettingsError) -> [TLSContextReference] {
        let group = self.sessionGroup()
        var contexts: [TLSContextReference] = []
        for members in naming.sets {
            let context = unsafe try makeTLSContext(
                isServer: true,
                minimum: self.settings.minimum
            )
            unsafe contexts.append(TLSContextReference(owning: context))
            unsafe try self.prepare(context, group)
            for member in members {
                unsafe try self.core.identities[member].install(in: context)
            }
        }
        return contexts
    }

    // Safe: in all of these, the context is being made and nobody else has it; OpenSSL copies texts
    // and bytes. The core outlives the callbacks: a stream keeps the context that it began with,
    // and that one keeps the core.
    private func prepare(
        _ context: OpaquePointer,
        _ group: [UInt8]
    ) throws(TLSSettingsError) {
        unsafe try self.setCiphers(context)
        if let suites = self.settings.cipherSuites,
            unsafe SSL_CTX_set_ciphersuites(context, suites) != 1
        {
            ERR_clear_error()
            throw TLSSettingsError(nil, "cipher-suites: OpenSSL does not know all of `\(suites)`")
        }
        unsafe try setTLSGroups(self.settings.groups, of: context)
        let core = unsafe Unmanaged.passUnretained(self.core).toOpaque()
        unsafe SSL_CTX_set_ex_data(context, coreIndex, core)
        unsafe belay_ssl_ctx_set_name_callback(context, chooseName, core)
        unsafe belay_ssl_ctx_set_status_callback(context, addStaple, core)
        if !self.settings.protocols.isEmpty {
            unsafe SSL_CTX_set_alpn_select_cb(context, chooseProtocol, core)
        }
        // Tickets carry the sessions, so nothing is kept of them here.
        _ = unsafe SSL_CTX_ctrl(
            context,
            SSL_CTRL_SET_SESS_CACHE_MODE,
            Int(SSL_SESS_CACHE_OFF),
            nil
        )
        unsafe SSL_CTX_set_session_id_context(context, group, UInt32(group.count))
        if let tickets = self.core.tickets {
            unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(context, prepareTicket)
            unsafe SSL_CTX_set_session_ticket_cb(context, nameSession, nil, nil)
            unsafe SSL_CTX_set_timeout(context, Int(tickets.lifetime))
            // OpenSSL's default of two is for browsers that open connections in parallel; each
            // costs CPU and bytes.
            unsafe SSL_CTX_set_num_tickets(context, 1)
        } else {
            unsafe SSL_CTX_set_options(context, BELAY_SSL_NO_TICKET)
            unsafe SSL_CTX_set_num_tickets(context, 0)
        }
        unsafe SSL_CTX_set_max_early_data(context, 0)
        unsafe self.verifyClients(context)
    }

    private func setCiphers(_ context: OpaquePointer) throws(TLSSettingsError) {
        let list = self.settings.ciphers
        // OpenSSL passes over what it does not know as long as one is left, so each is tried alone,
        // but for what only takes away or sorts.
        for item in list.split(separator: ":") where !"!-+@".contains(item.first ?? "!") {
            guard unsafe SSL_CTX_set_cipher_list(context, String(item)) != 1 else { continue }
            ERR_clear_error()
            throw TLSSettingsError(nil, "ciphers: OpenSSL does not know `\(item)` for TLS 1.2")
        }
        if unsafe SSL_CTX_set_cipher_list(context, list) == 1 { return }
        ERR_clear_error()
        throw TLSSettingsError(nil, "ciphers: none is left in `\(list)`")
    }

    private func verifyClients(_ context: OpaquePointer) {
        let mode: Int32
        switch self.settings.clientCertificates {
        case .off: return
        case .optional: mode = SSL_VERIFY_PEER
        case .required: mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        }
        let depth = self.settings.clientCertificates.authorities?.depth ?? 1
        unsafe SSL_CTX_set_verify(context, mode, nil)
        unsafe SSL_CTX_set_verify_depth(context, Int32(clamping: depth))
        guard let certificates = self.trust?.certificates else { return }
        unsafe self.trust?.install(in: context)
        // Tells clients which of their certificates to show.
        for certificate in certificates {
            unsafe SSL_CTX_add_client_CA(context, certificate.x509)
        }
    }

    /// A session counts only where the same clients are believed and the same names are served:
    /// else a ticket of another listener would pass for a verified client, or one name for another.
    /// ("Virtual host confusion", Delignat-Lavaud and Bhargavan, 2015.)
    private func sessionGroup() -> [UInt8] {
        var text: [UInt8] = Array("\(self.settings.clientCertificates)".utf8)
        // The path is where the authorities are here; what they are is what counts.
        if let authorities = self.settings.clientCertificates.authorities {
            let isRequired = self.settings.clientCertificates == .required(authorities)
            text = Array("\(isRequired) \(authorities.depth) ".utf8)
        }
        for name in Set(self.core.identities.flatMap(\.names)).sorted() {
            text += Array(name.utf8) + [10]
        }
        if let bytes = self.trust?.bytes { text += bytes }
        var digest = [UInt8](repeating: 0, count: 32)
        // Safe: SHA-256 writes the 32 bytes of `digest`.
        unsafe EVP_Q_digest(nil, "SHA2-256", nil, text, text.count, &digest, nil)
        return digest
    }
}

/// A reference to a context of OpenSSL's.
@safe
final class TLSContextReference: @unchecked Sendable {
    // Safe to share: OpenSSL counts references atomically and never changes a context after it was
    // made.
    let context: OpaquePointer

    init(owning context: OpaquePointer) { unsafe self.context = context }

    deinit { unsafe SSL_CTX_free(self.context) }
}

// MARK: What OpenSSL calls back

/// The place in a context where its core is, and the one that keeps it alive.
///
/// The default context owns the core, the core owns the other contexts; a stream holds on to the
/// default context even after it was given another.
private let coreIndex = CRYPTO_get_ex_new_index(
    // Without functions nothing is done with the pointer but keep it.
    CRYPTO_EX_INDEX_SSL_CTX,
    0,
    nil,
    nil,
    nil,
    nil
)

private let ownerIndex = unsafe CRYPTO_get_ex_new_index(
    // Safe: the function has the type that OpenSSL asks for and lives for ever.
    CRYPTO_EX_INDEX_SSL_CTX,
    0,
    nil,
    nil,
    nil,
    releaseCore
)

private func releaseCore(
    _ parent: UnsafeMutableRawPointer?,
    _ pointer: UnsafeMutableRawPointer?,
    _ data: UnsafeMutablePointer<CRYPTO_EX_DATA>?,
    _ index: Int32,
    _ number: Int,
    _ argument: UnsafeMutableRawPointer?
) {
    guard let pointer = unsafe pointer else { return }
    // Safe: the one reference that `TLSServerContext.init` put there.
    unsafe Unmanaged<TLSServerCore>.fromOpaque(pointer).release()
}

/// What the callbacks know.
final class TLSServerCore: @unchecked Sendable {
    // Safe to share: `setNames` is called before the first stream is made, and nothing changes
    // afterwards.
    let identities: [TLSIdentity]
    let tickets: TLSTicketKeys?
    let now: @Sendable () -> UnixTime
    /// Preferred first: names as they are on the wire, with their lengths.
    let protocols: [[UInt8]]
    let refusesUnknownNames: Bool
    private var exact: [String: Int] = [:]
    private var wildcard: [String: Int] = [:]
    /// Beside the default.
    private var others: [TLSContextReference] = []

    init(
        _ settings: TLSServerSettings,
        _ identities: [TLSIdentity],
        now: @escaping @Sendable () -> UnixTime
    ) {
        self.identities = identities
        self.tickets = settings.tickets.flatMap { TLSTicketKeys($0, now: now) }
        self.now = now
        self.protocols = settings.protocols.map { known in
            let name = Array("\(known.name)".utf8)
            return [UInt8(name.count)] + name
        }
        self.refusesUnknownNames = settings.refusesUnknownNames
    }

    fileprivate func setNames(_ naming: TLSNaming, _ contexts: [TLSContextReference]) {
        self.exact = naming.exact
        self.wildcard = naming.wildcard
        self.others = Array(contexts.dropFirst())
    }

    /// The core of the context that the stream has.
    static func of(_ ssl: OpaquePointer?) -> TLSServerCore? {
        guard let ssl = unsafe ssl,
            let pointer = unsafe SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), coreIndex)
        else { return nil }
        return unsafe Self.at(pointer)
    }

    fileprivate static func at(_ pointer: UnsafeMutableRawPointer) -> TLSServerCore {
        // Safe: a stream lives, so its first context does, and that one owns the core.
        unsafe Unmanaged<TLSServerCore>.fromOpaque(pointer).takeUnretainedValue()
    }

    /// Which set of certificates has the name; 0 is the default, nil: none has it.
    func set(forName name: String) -> Int? {
        if let found = self.exact[name] { return found }
        // A wildcard stands for one label (RFC 6125, section 6.4.3).
        guard let dot = name.utf8.firstIndex(of: UInt8(ascii: ".")), dot > name.startIndex else {
            return nil
        }
        return self.wildcard[String(name[name.index(after: dot)...])]
    }

    fileprivate func context(_ set: Int) -> OpaquePointer? {
        set == 0 ? nil : unsafe self.others[set - 1].context
    }
}

/// Gives the stream the certificates for the name that the client asks for.
private func chooseName(
    _ ssl: OpaquePointer?,
    _ alert: UnsafeMutablePointer<Int32>?,
    _ argument: UnsafeMutableRawPointer?
) -> Int32 {
    // Safe: OpenSSL hands back what was given to it, with the stream that it works on; the name
    // belongs to the stream and ends with a zero.
    guard let argument = unsafe argument,
        let asked = unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)
    else { return SSL_TLSEXT_ERR_OK }
    let core = unsafe TLSServerCore.at(argument)
    var name: [UInt8] = []
    // Limit: a DNS name has 253 characters.
    for index in 0..<256 {
        let byte = unsafe UInt8(bitPattern: asked[index])
        if byte == 0 { break }
        name.append(asciiLowercased(byte))
    }
    // The root's dot belongs to no certificate.
    if name.last == UInt8(ascii: ".") { name.removeLast() }
    guard let set = core.set(forName: String(decoding: name, as: UTF8.self)) else {
        guard core.refusesUnknownNames else { return SSL_TLSEXT_ERR_OK }
        unsafe alert?.pointee = SSL_AD_UNRECOGNIZED_NAME
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    if let context = unsafe core.context(set) { unsafe SSL_set_SSL_CTX(ssl, context) }
    return SSL_TLSEXT_ERR_OK
}

/// Chooses among the application protocols that the client offers the one that we like best.
private func chooseProtocol(
    _ ssl: OpaquePointer?,
    _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ chosenCount: UnsafeMutablePointer<UInt8>?,
    _ offered: UnsafePointer<UInt8>?,
    _ count: UInt32,
    _ argument: UnsafeMutableRawPointer?
) -> Int32 {
    guard let argument = unsafe argument, let offered = unsafe offered else {
        return SSL_TLSEXT_ERR_NOACK
    }
    let core = unsafe TLSServerCore.at(argument)
    // Safe: OpenSSL has checked that the list of `count` bytes is made of whole entries, and copies
    // the chosen one at once.
    let list = unsafe Span(_unsafeStart: offered, count: Int(count))
    for wanted in core.protocols {
        var start = 0
        while start < list.count {
            let end = start + 1 + Int(list[start])
            guard end <= list.count else { break }
            if end - start == wanted.count,
                wanted.indices.allSatisfy({ list[start + $0] == wanted[$0] })
            {
                unsafe chosen?.pointee = offered + start + 1
                unsafe chosenCount?.pointee = list[start]
                return SSL_TLSEXT_ERR_OK
            }
            start = end
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}

/// Sends along what the authority says of the certificate.
private func addStaple(_ ssl: OpaquePointer?, _ argument: UnsafeMutableRawPointer?) -> Int32 {
    guard let argument = unsafe argument, let used = unsafe SSL_get_certificate(ssl) else {
        return SSL_TLSEXT_ERR_NOACK
    }
    let core = unsafe TLSServerCore.at(argument)
    // Safe: OpenSSL took a reference to the very object that the identity has.
    guard let identity = core.identities.first(where: { unsafe $0.certificate.x509 == used }),
        let staple = identity.ocsp
    else { return SSL_TLSEXT_ERR_NOACK }
    if let end = staple.nextUpdate, end < core.now() { return SSL_TLSEXT_ERR_NOACK }
    return unsafe staple.bytes.withUnsafeBytes { bytes in
        // Safe: the copy is made by OpenSSL's allocator, and the stream frees it.
        guard let copy = unsafe belay_openssl_copy(bytes.baseAddress, bytes.count) else {
            return SSL_TLSEXT_ERR_NOACK
        }
        unsafe belay_ssl_set_status_response(
            ssl,
            copy.assumingMemoryBound(to: UInt8.self),
            bytes.count
        )
        return SSL_TLSEXT_ERR_OK
    }
}
