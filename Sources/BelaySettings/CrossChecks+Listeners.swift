import BelayCore

// What a listener's settings ask of each other, and of the rest of the file.

/// The listeners among each other and the admin address.
func checkListeners(_ settings: Settings, _ reader: inout Reader) {
    var lines: [SocketAddress: Int] = [:]
    var names: [String: Int] = [:]
    for (index, listener) in settings.listeners.enumerated() {
        let path = "listeners/\(index)"
        checkTrust(in: listener, at: path, settings, &reader)
        guard reader.isSound(path) else { continue }
        let place = reader.place(path + "/address", path)
        let line = place?.line ?? 1
        // Port 0 is another port each time.
        if listener.address.port != 0 {
            if let first = lines[listener.address] {
                let text = "the address \(listener.address.spelled) is listened on twice"
                reader.report("\(text)\(reader.first(on: first))", at: place)
                continue
            }
            lines[listener.address] = line
        }
        guard let place = reader.place(path + "/name") else { continue }
        if let first = names[listener.name] {
            let text = "two listeners are named \(quoted(listener.name))\(reader.first(on: first))"
            reader.report(text, at: place)
        }
        names[listener.name] = place.line
    }
    if let admin = settings.admin?.address, let line = lines[admin] {
        let text = "the admin address \(admin.spelled) is also the listener's of line \(line)"
        reader.report(text, at: reader.place("admin/address", "admin", "listeners"))
    }
}

/// A header of the PROXY protocol can come from somebody.
private func checkTrust(
    in listener: Settings.Listener,
    at path: String,
    _ settings: Settings,
    _ reader: inout Reader
) {
    guard listener.proxyProtocol != .off, settings.trustedProxies.isEmpty,
        reader.isFree("trusted-proxies")
    else { return }
    let text = "the PROXY protocol is believed from trusted-proxies only, and there are none"
    reader.report(text, at: reader.place(path + "/proxy-protocol"))
}

/// One listener: nothing of another kind, and nothing that its TLS forbids.
func checkListener(_ listener: inout Settings.Listener, _ tree: Tree, _ reader: inout Reader) {
    if listener.name.isEmpty { listener.name = listener.address.spelled }
    let path = reader.path
    reportRepeated(listener.protocols.map(\.spelled), "protocols", tree, &reader)
    guard reader.isFree(path + "/kind") else { return }
    let foreign =
        switch listener.kind {
        case .http: Declaration.listenerOfTCP.map(\.name)
        case .tcp: Declaration.listenerOfHTTP.map(\.name)
        }
    for key in foreign {
        guard let place = reader.place("\(path)/\(key)") else { continue }
        let other: Settings.ListenerKind = listener.kind == .http ? .tcp : .http
        let text =
            "\(quoted(key)) is for listeners of kind \(other), and this one is \(listener.kind)"
        reader.report(text, at: place)
    }
    switch listener.kind {
    case .http: checkEncryption(of: listener, &reader)
    case .tcp:
        guard reader.place(path + "/pool", path + "/sni") == nil else { return }
        let text = "a listener of kind tcp needs \"pool\" or \"sni\", which say where it sends"
        reader.report(text, at: reader.place(path + "/kind") ?? tree.position)
    }
}

/// What goes with TLS, and what without.
private func checkEncryption(of listener: Settings.Listener, _ reader: inout Reader) {
    let path = reader.path
    guard reader.isFree(path + "/tls") else { return }
    if listener.tls != nil, listener.redirectToHTTPS != nil {
        let text = "redirect-to-https is for clear text, and this listener has tls"
        reader.report(text, at: reader.place(path + "/redirect-to-https"))
    }
    if listener.tls == nil, listener.hsts != nil {
        let text = "hsts is sent over TLS only, and this listener has no tls"
        reader.report(text, at: reader.place(path + "/hsts"))
    }
}

/// What the lists of browsers ask for (hstspreload.org).
func checkStrictTransport(
    _ hsts: inout Settings.StrictTransport,
    _ tree: Tree,
    _ reader: inout Reader
) {
    let path = reader.path
    if hsts.maxAge.nanoseconds % TimeSpan.seconds(1).nanoseconds != 0 {
        let times = "whole seconds, not \(hsts.maxAge.spelled)"
        let text = "\(reader.subject(of: "max-age")) must be \(times)"
        reader.report(text, at: reader.place(path + "/max-age"))
    }
    guard hsts.preload, reader.isFree(path + "/max-age"),
        reader.isFree(path + "/include-subdomains")
    else { return }
    if !hsts.includeSubdomains {
        let text = "\"preload: true\" needs \"include-subdomains: true\""
        reader.report(text, at: reader.place(path + "/preload"))
    }
    if hsts.maxAge < .hours(24 * 365) {
        let text = "\"preload: true\" needs a max-age of at least 365d, not \(hsts.maxAge.spelled)"
        reader.report(text, at: reader.place(path + "/max-age"))
    }
}

/// A listener's certificates: none twice.
func checkCertificates(_ tls: inout Settings.ListenerTLS, _ tree: Tree, _ reader: inout Reader) {
    var lines: [String: Int] = [:]
    for (index, certificate) in tls.certificates.enumerated() {
        let path = "\(reader.path)/certificates/\(index)"
        guard reader.isSound(path), let place = reader.place(path + "/certificate") else {
            continue
        }
        if let line = lines[certificate.certificate] {
            let name = quoted(certificate.certificate)
            reader.report("\(name) is listed twice\(reader.first(on: line))", at: place)
        } else {
            lines[certificate.certificate] = place.line
        }
    }
}

extension Settings {
    /// The pools that no listener of TCP sends to.
    var poolsBesideTCP: [ServerPool] {
        let names = Set(
            self.listeners.flatMap { [$0.pool].compactMap(\.self) + $0.sni.map(\.pool) }
        )
        return self.pools.filter { !names.contains($0.name) }
    }
}

/// Where listeners of TCP send to.
func checkTCP(_ settings: Settings, _ reader: inout Reader) {
    for (index, listener) in settings.listeners.enumerated() where listener.kind == .tcp {
        let path = "listeners/\(index)"
        checkTarget(listener.pool, at: path + "/pool", settings, &reader)
        for (place, rule) in listener.sni.enumerated() {
            let entry = "\(path)/sni/\(place)"
            checkTarget(rule.pool, at: entry + "/pool", settings, &reader)
            guard reader.isSound(entry) else { continue }
            let above = listener.sni[..<place].indices.first {
                reader.isSound("\(path)/sni/\($0)") && listener.sni[$0].host.covers(rule.host)
            }
            guard let above, let line = reader.place("\(path)/sni/\(above)")?.line else { continue }
            let text = "this entry is never reached: the one on line \(line) takes all of it"
            reader.report(text, at: reader.place(entry))
        }
    }
    guard reader.isFree("listeners"), reader.isFree("routes") else { return }
    let routed = Set(settings.routes.map(\.pool) + settings.poolsBesideTCP.map(\.name))
    for pool in settings.pools where !routed.contains(pool.name) {
        checkWaysOfTCP(pool, &reader)
    }
}

/// A pool that gets whole connections: it exists and looks at nothing of HTTP.
private func checkTarget(
    _ name: PoolName?,
    at path: String,
    _ settings: Settings,
    _ reader: inout Reader
) {
    checkReference(to: name, at: path, settings, &reader)
    guard let pool = settings.pools.first(where: { $0.name == name }), let name,
        let place = reader.place(path)
    else { return }
    let called = "the pool \(quoted(name.rawValue))"
    if pool.serverProtocol != .http1 {
        let words = "\"protocol: \(pool.serverProtocol.spelled)\""
        reader.report("\(called) has \(words), which is for HTTP; TCP goes as it comes", at: place)
    }
    if pool.balance == .urlHash {
        reader.report("\(called) has \"balance: url-hash\", and TCP has no URLs", at: place)
    }
}
