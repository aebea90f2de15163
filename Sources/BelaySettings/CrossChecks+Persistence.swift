import BelayCore

// What the ways to bind ask of each other and of their pool.

/// How clients come back: ways that are given once, that can all be reached, and rules that some
/// way obeys.
func checkPersistence(
    _ persistence: inout Settings.Persistence,
    _ tree: Tree,
    _ reader: inout Reader
) {
    let path = reader.path
    let given = ["preset", "ways", "cookie"]
        .compactMap { key in reader.place("\(path)/\(key)").map { (key: key, place: $0) } }
        .sorted { $0.place < $1.place }
    guard let first = given.first else {
        let text = "\(reader.subject): \"ways\" is missing (or \"cookie\", or \"preset\")"
        return reader.report(text, at: tree.position)
    }
    if given.count > 1 {
        let text = "\(reader.subject) has both \(first.key) and \(given[1].key); give one of them"
        return reader.report(text, at: given[1].place)
    }
    guard reader.isFree("\(path)/\(first.key)"), !persistence.ways.isEmpty else { return }
    if persistence.learns {
        checkTimes(persistence.idle, persistence.lifetime, tree, &reader)
    }
    checkChain(persistence.ways, &reader)
    checkRules(persistence, &reader)
}

/// An idle time that could never end anything.
private func checkTimes(
    _ idle: TimeSpan?,
    _ lifetime: TimeSpan?,
    _ tree: Tree,
    _ reader: inout Reader
) {
    let keys = (reader.path + "/idle", reader.path + "/lifetime")
    guard let idle, let lifetime, idle > lifetime, reader.isFree(keys.0), reader.isFree(keys.1)
    else { return }
    let times = "idle (\(idle.spelled)) is longer than lifetime (\(lifetime.spelled))"
    reader.report("\(reader.subject): \(times)", at: reader.place(keys.0, keys.1) ?? tree.position)
}

/// Several ways in order: none twice, and none behind one that always finds a server.
private func checkChain(_ ways: [Settings.Way], _ reader: inout Reader) {
    var lines: [String: Int] = [:]
    var last: (name: String, line: Int)?
    for (index, way) in ways.enumerated() {
        let path = "\(reader.path)/ways/\(index)"
        guard let place = reader.place("\(path)/\(way.spelled)", path) else { continue }
        if let line = lines[way.identity] {
            let text = "\(way.identity) is a way of this pool already\(reader.first(on: line))"
            reader.report(text, at: place)
        } else if let last {
            let text =
                "\(way.spelled) is never looked at: \(last.name) on line \(last.line) finds a "
            reader.report(text + "server for every request; put it last", at: place)
        }
        lines[way.identity] = lines[way.identity] ?? place.line
        if way.isAffinity, last == nil {
            let isHash = way.spelled == "source-address"
            last = (isHash ? "source-address with \"store: hash\"" : way.spelled, place.line)
        }
    }
    checkCookieNames(ways, &reader)
    checkPrefixes(ways, &reader)
}

/// No more than one cookie has the server before its value.
private func checkPrefixes(_ ways: [Settings.Way], _ reader: inout Reader) {
    let prefixes = ways.indices.filter { index in
        guard case .applicationCookie(let cookie) = ways[index] else { return false }
        return cookie.mode == .prefix
    }
    guard let first = prefixes.first else { return }
    for index in prefixes.dropFirst() {
        let path = "\(reader.path)/ways/\(index)"
        let line = reader.place("\(reader.path)/ways/\(first)")?.line ?? 1
        let text = "one cookie of a pool may have the mode prefix\(reader.first(on: line))"
        reader.report(text, at: reader.place("\(path)/application-cookie/mode", path))
    }
}

/// The application's cookie and Belay's own don't have one name.
private func checkCookieNames(_ ways: [Settings.Way], _ reader: inout Reader) {
    let own = ways.compactMap { way -> String? in
        guard case .cookie(let cookie) = way else { return nil }
        return cookie.name
    }
    for (index, way) in ways.enumerated() {
        guard case .applicationCookie(let cookie) = way, own.contains(cookie.name) else { continue }
        let path = "\(reader.path)/ways/\(index)"
        let text = "the application's cookie and Belay's own are both named \(quoted(cookie.name))"
        reader.report(text, at: reader.place("\(path)/application-cookie/name", path))
    }
}

/// Rules that nothing obeys.
private func checkRules(_ persistence: Settings.Persistence, _ reader: inout Reader) {
    let path = reader.path
    let ways = persistence.ways
    let keys = [
        "idle", "lifetime", "table", "return", "on-full", "on-failure", "reject-status", "claim",
    ]
    if !persistence.binds {
        for key in keys {
            guard let place = reader.place("\(path)/\(key)") else { continue }
            let text = "\(reader.subject): \(quoted(key)) is for bindings, and \(ways[0].spelled) "
            reader.report(text + "remembers nothing", at: place)
        }
        return
    }
    if !persistence.learns {
        for key in ["idle", "lifetime"] {
            guard let place = reader.place("\(path)/\(key)") else { continue }
            let hint =
                persistence.ownCookie == nil
                ? "no way of this pool has any" : "the cookie has its own"
            let text = "\(reader.subject): \(quoted(key)) is for bindings in the table, and \(hint)"
            reader.report(text, at: place)
        }
    }
    guard !persistence.rejects,
        reader.isFree(path + "/on-full"), reader.isFree(path + "/on-failure"),
        let place = reader.place(path + "/reject-status")
    else { return }
    let text = "\(reader.subject): \"reject-status\" is for \"on-full: reject\" and "
    reader.report(text + "\"on-failure: reject\", and neither is set", at: place)
}

extension Settings.Way {
    /// What two ways of a pool must not both be.
    fileprivate var identity: String {
        switch self {
        case .applicationCookie(let cookie): "application-cookie \(quoted(cookie.name))"
        case .header(let header): "header \(quoted(header.name))"
        case .query(let query): "query \(quoted(query.name))"
        case .jwt(let token): "jwt with the claim \(quoted(token.claim))"
        case .cookie, .sourceAddress, .tuple, .tlsSession: self.spelled
        }
    }
}

/// An entry of the list of ways: one key.
func checkWay(_ entry: inout WayEntry, _ tree: Tree, _ reader: inout Reader) {
    guard case .group(let entries) = tree.kind else { return }
    let known = entries.filter { key in Form<WayEntry>.wayKeys.contains(key.key) }
    if entries.isEmpty {
        let names = Form<WayEntry>.wayKeys.prefix(3).joined(separator: ", ")
        reader.report("\(reader.subject) needs a way to bind (\(names), …)", at: tree.position)
    }
    guard known.count > 1 else { return }
    let text =
        "\(reader.subject) has both \(known[0].key) and \(known[1].key); begin each with \"- \""
    reader.report(text, at: known[1].keyPosition)
}

/// What separates, and only where something is separated.
func checkApplicationCookie(
    _ cookie: inout Settings.ApplicationCookie,
    _ tree: Tree,
    _ reader: inout Reader
) {
    guard reader.isFree(reader.path + "/mode") else { return }
    switch cookie.mode {
    case .learn:
        guard let place = reader.place(reader.path + "/separator") else { return }
        let text = "\(reader.subject): \"separator\" is for the modes prefix and route"
        reader.report(text + ", and this one is learn", at: place)
    case .prefix where cookie.separator.isEmpty: cookie.separator = "~"
    case .route where cookie.separator.isEmpty: cookie.separator = "."
    case .prefix, .route: break
    }
}

/// A key of the kind that the algorithm takes.
func checkToken(_ token: inout Settings.BindingToken, _ tree: Tree, _ reader: inout Reader) {
    let path = reader.path
    guard reader.isFree(path + "/algorithm") else { return }
    let secret = reader.place(path + "/secret")
    let file = reader.place(path + "/key-file")
    if secret != nil, let file {
        let text = "\(reader.subject) has both a secret and a key-file; give one of them"
        return reader.report(text, at: file)
    }
    guard let algorithm = token.algorithm else {
        guard let place = secret ?? file else { return }
        let key = secret == nil ? "key-file" : "secret"
        let text =
            "\(reader.subject): \(quoted(key)) needs an \"algorithm\", or no signature is checked"
        return reader.report(text, at: place)
    }
    let place = reader.place(path + "/algorithm") ?? tree.position
    if secret == nil, file == nil {
        let keys = algorithm.isSymmetric ? "a \"secret\" or a \"key-file\"" : "a \"key-file\""
        let text = "\(reader.subject): the algorithm \(algorithm.spelled) needs \(keys)"
        return reader.report(text, at: place)
    }
    if !algorithm.isSymmetric, let secret {
        let text =
            "\(reader.subject): a secret is for HS256 and the like; \(algorithm.spelled) needs a "
        return reader.report(text + "\"key-file\" with the public key", at: secret)
    }
    if let bytes = token.secret?.bytes, bytes.count < 32, reader.isFree(path + "/secret") {
        // RFC 7518 §3.2: as long as the hash at least.
        let text = "\(reader.subject): this secret can be guessed; RFC 7518 asks for 32 bytes"
        reader.warn(text, at: secret)
    }
}

/// The attributes of a cookie, which browsers judge together (RFC 6265bis §4.1.3, §5.6.7).
func checkCookie(_ cookie: inout Settings.BindingCookie, _ tree: Tree, _ reader: inout Reader) {
    let path = reader.path
    func report(_ text: String, _ key: String) {
        reader.report(text, at: reader.place("\(path)/\(key)", "\(path)/name") ?? tree.position)
    }
    if cookie.secure == .never {
        if cookie.sameSite == .none {
            report("a cookie with \"same-site: none\" must not have \"secure: never\"", "secure")
        }
        if cookie.partitioned {
            report("a cookie with \"partitioned: true\" must not have \"secure: never\"", "secure")
        }
        for prefix in ["__Host-", "__Secure-"] where cookie.name.hasPrefix(prefix) {
            let text = "a cookie whose name begins with \(prefix) must not have \"secure: never\""
            report(text, "secure")
        }
    }
    if cookie.name.hasPrefix("__Host-") {
        if cookie.path != "/" {
            report("a cookie whose name begins with __Host- must have \"path: /\"", "path")
        }
        if cookie.domain != nil {
            report("a cookie whose name begins with __Host- must have no domain", "domain")
        }
    }
    if !cookie.httpOnly, reader.isFree(path + "/http-only") {
        let text =
            "with \"http-only: false\" every script of the page can read this cookie and send "
        reader.warn(text + "it elsewhere", at: reader.place(path + "/http-only"))
    }
    if cookie.keep == .binding, cookie.idle == nil, cookie.lifetime == nil,
        reader.isFree(path + "/idle"), reader.isFree(path + "/lifetime")
    {
        report("\"keep: binding\" needs an idle or a lifetime, and both are off", "keep")
    }
    checkTimes(cookie.idle, cookie.lifetime, tree, &reader)
}

/// What pools that only listeners of TCP use can't look at.
func checkWaysOfTCP(_ pool: Settings.ServerPool, _ reader: inout Reader) {
    guard let persistence = pool.persistence else { return }
    let path = "pools/\(pool.name.rawValue)/persistence"
    guard reader.isFree(path) else { return }
    for (index, way) in persistence.ways.enumerated() where !way.isForTCP {
        let what =
            switch way {
            case .cookie, .applicationCookie: "cookies"
            case .header, .jwt: "fields"
            case .query: "queries"
            case .sourceAddress, .tuple, .tlsSession: ""
            }
        let text = "only listeners of kind tcp use this pool, and TCP carries no \(what); "
        let entry = "\(path)/ways/\(index)"
        reader.report(
            text + "bind by source-address, tuple or tls-session",
            at: reader.place("\(entry)/\(way.spelled)", entry, path + "/cookie", path + "/preset")
        )
    }
    if !persistence.exempt.isEmpty {
        let text = "only listeners of kind tcp use this pool, and \"exempt\" is for requests"
        reader.report(text, at: reader.place(path + "/exempt"))
    }
}

/// Ways that need something of a listener.
func checkWaysOfListeners(_ settings: Settings, _ reader: inout Reader) {
    guard reader.isFree("listeners") else { return }
    let hasTLS = settings.listeners.contains { $0.tls != nil || $0.kind == .tcp }
    for pool in settings.pools where !hasTLS {
        let path = "pools/\(pool.name.rawValue)/persistence"
        for (index, way) in (pool.persistence?.ways ?? []).enumerated() where way == .tlsSession {
            let entry = "\(path)/ways/\(index)"
            let place = reader.place("\(entry)/\(way.spelled)", entry)
            reader.report("no listener has tls, so no client has a TLS session", at: place)
        }
    }
}
