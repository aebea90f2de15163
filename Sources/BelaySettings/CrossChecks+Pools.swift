import BelayCore

// What a server pool's settings ask of each other.

/// One pool.
func checkPool(_ pool: inout Settings.ServerPool, _ tree: Tree, _ reader: inout Reader) {
    let places = serverPlaces(in: tree, reader)
    checkServerNames(pool, places, &reader)
    checkServerRoutes(pool, places, &reader)
    checkServerProtocol(&pool, &reader)
    checkProxyProtocol(pool, tree, &reader)
}

/// The version of HTTP goes with TLS or without; `h2` turns it on.
private func checkServerProtocol(_ pool: inout Settings.ServerPool, _ reader: inout Reader) {
    let (key, tls) = (reader.path + "/protocol", reader.path + "/tls")
    guard reader.isFree(key), reader.isFree(tls) else { return }
    switch pool.serverProtocol {
    case .http1: break
    case .http2 where pool.tls == nil:
        pool.tls = Settings.PoolTLS()
        guard let place = reader.place(tls) else { return }
        let text = "\"protocol: h2\" is over TLS, and \"tls: off\" has none; h2c is in clear text"
        reader.report(text, at: place)
    case .http2: break
    case .http2ClearText:
        guard pool.tls != nil else { return }
        let text = "\"protocol: h2c\" is in clear text, and this pool has tls"
        reader.report(text, at: reader.place(key), suggestion: "h2")
    }
}

/// What a header of the PROXY protocol adds: in version 2 only, and nothing twice.
private func checkProxyProtocol(
    _ pool: Settings.ServerPool,
    _ tree: Tree,
    _ reader: inout Reader
) {
    let (key, extra) = ("proxy-protocol", "proxy-protocol-tlvs")
    reportRepeated(pool.proxyProtocolTLVs.map(\.spelled), extra, tree, &reader)
    guard !pool.proxyProtocolTLVs.isEmpty, pool.proxyProtocol != .v2,
        reader.isFree("\(reader.path)/\(key)"), reader.isFree("\(reader.path)/\(extra)")
    else { return }
    let text = "\(extra) need \"\(key): v2\", and it is \(pool.proxyProtocol)"
    reader.report(text, at: reader.place("\(reader.path)/\(extra)"))
}

/// Belay's own certificate has its key, and nothing is left out that looks verified.
func checkPoolTLS(_ tls: inout Settings.PoolTLS, _ tree: Tree, _ reader: inout Reader) {
    let path = reader.path
    for (has, misses) in [("certificate", "key"), ("key", "certificate")] {
        guard let place = reader.place("\(path)/\(has)"),
            reader.place("\(path)/\(misses)") == nil
        else { continue }
        let text = "\(reader.subject): \(quoted(has)) needs \(quoted(misses)) beside it"
        reader.report(text, at: place)
    }
    if !tls.verify, let place = reader.place(path + "/authorities") {
        let text = "\"verify: off\" looks at no authorities; remove one of the two"
        reader.report(text, at: place)
    }
}
